/* Unavailable pages on Windows: EXCEPTION_IN_PAGE_ERROR, in a vectored handler. (Wine raises
 * EXCEPTION_ACCESS_VIOLATION.)
 *
 * As on Unix, lost pages are replaced by zeros and the access is retried. But Windows cannot
 * replace single pages of a view: the whole view is unmapped and mapped again. Meanwhile its
 * addresses are reserved, and committed on first use, since the zeros of a large view would not fit
 * into memory.
 *
 *     mapped  --lost-->  gap  -->  reserved, zeros  --restore-->  gap  -->  mapped
 *
 * THE GAP. Between unmapping and reserving, and between releasing and mapping, the addresses are
 * free.
 * - No view of ours gets them: views are placed with ironmap__records_lock exclusive.
 * - Another thread that accesses the view gets an access violation. Its handler waits for the lock.
 * If there was a gap since the thread last looked (`gaps` differs from the thread's `gaps_seen`),
 * the failure may be due to it, and the access is retried once. Without a gap it is a lost page at
 * once.
 * - Memory that another thread allocates goes elsewhere: views of files are at the top of the
 * address space (map_high in view.c), and Windows allocates from the bottom unless told otherwise.
 * If some memory gets there all the same, pointers into the map would reach it.
 * RaiseFailFastException then ends the process, which no handler catches: it would have ended of
 * the lost page as well. Placeholders (VirtualAlloc2, Windows 10 1803) have no gap, but Wine 8 does
 * not have them, so they could not be tested.
 *
 * NOT OURS are failures outside the views, and accesses that the memory does not permit, as a store
 * into a read-only view. They continue to the next handler.
 *
 * An exception is raised in the thread that did the access. It is not inside the heap or a lock
 * then, unless that is in a mapped file. So the handler may use locks, and thread-local variables,
 * for which the compiler may allocate memory at their first use.
 */
#include "features.h"

#include <stdatomic.h>

#include "private_pages.h"
#include "record.h"
#include "system.h"

#include <winternl.h>

static _Atomic(ironmap__fault_handler *) fault_handler;
static SRWLOCK install_lock = SRWLOCK_INIT;
static PVOID registration;

/* The number of gaps so far, and the number when this thread last looked. */
static atomic_size_t gaps;
static _Thread_local size_t gaps_seen;

/* The system's code for the last page that this thread lost, until it is read. 0: not known. */
static _Thread_local DWORD lost_page_code;

/* ---- classifying a failure ---- */

enum { FAILED_READ, FAILED_WRITE }; /* ExceptionInformation[0] */

typedef struct failure {
    uint8_t *address;
    ULONG_PTR access;
    DWORD status; /* of the disk, an NTSTATUS; 0: not known */
} failure;

static bool failure_of(failure *failed, const EXCEPTION_RECORD *record)
{
    bool page = record->ExceptionCode == EXCEPTION_IN_PAGE_ERROR && record->NumberParameters >= 3;
    bool access =
        record->ExceptionCode == EXCEPTION_ACCESS_VIOLATION && record->NumberParameters >= 2;
    if (!page && !access) {
        return false;
    }
    *failed = (failure){.address = (uint8_t *)record->ExceptionInformation[1],
                        .access = record->ExceptionInformation[0],
                        .status = page ? (DWORD)record->ExceptionInformation[2] : 0};
    return true;
}

static bool permits(DWORD protection, ULONG_PTR access)
{
    const DWORD writable =
        PAGE_READWRITE | PAGE_WRITECOPY | PAGE_EXECUTE_READWRITE | PAGE_EXECUTE_WRITECOPY;
    const DWORD readable = writable | PAGE_READONLY | PAGE_EXECUTE_READ;
    switch (access) {
    case FAILED_READ:
        return (protection & readable) != 0 && (protection & PAGE_GUARD) == 0;
    case FAILED_WRITE:
        return (protection & writable) != 0 && (protection & PAGE_GUARD) == 0;
    default:
        return false;
    }
}

enum { COMMIT_BYTES = 1 << 20 };

/* Commits reserved memory of a lost view, which is zero, from the page of `address`: a MiB, or one
 * page if there is less memory. */
static bool commit_zeros(const ironmap__record *record, uint8_t *address)
{
    size_t page = ironmap__page_size();
    uint8_t *start = address - (uintptr_t)address % page;
    size_t rest = record->length - (size_t)(start - record->base);
    size_t length = rest < COMMIT_BYTES ? rest : COMMIT_BYTES;
    return VirtualAlloc(start, length, MEM_COMMIT, record->protection) != NULL ||
           VirtualAlloc(start, 1, MEM_COMMIT, record->protection) != NULL;
}

typedef enum verdict { NOT_OURS, RETRY, LOST } verdict;

static verdict classify_in(const ironmap__record *record, const failure *failed)
{
    MEMORY_BASIC_INFORMATION memory;
    if (VirtualQuery(failed->address, &memory, sizeof(memory)) == 0) {
        return NOT_OURS;
    }
    if (record->kept && !record->used && permits(record->protection, failed->access)) {
        return LOST;
    }
    if (record->replaced && memory.State == MEM_RESERVE) {
        bool committed =
            permits(record->protection, failed->access) && commit_zeros(record, failed->address);
        return committed ? RETRY : NOT_OURS;
    }
    if (memory.State != MEM_COMMIT || !permits(memory.Protect, failed->access)) {
        return NOT_OURS;
    }
    size_t now = atomic_load(&gaps);
    if (gaps_seen != now) {
        gaps_seen = now;
        return RETRY;
    }
    return LOST;
}

static verdict classify(const failure *failed)
{
    AcquireSRWLockShared(&ironmap__records_lock);
    const ironmap__record *record = ironmap__record_find(failed->address);
    verdict answer = record == NULL ? NOT_OURS : classify_in(record, failed);
    ReleaseSRWLockShared(&ironmap__records_lock);
    return answer;
}

static bool is_repaired(const failure *failed)
{
    verdict answer = classify(failed);
    if (answer == LOST) {
        lost_page_code = failed->status == 0 ? 0 : RtlNtStatusToDosError((NTSTATUS)failed->status);
        ironmap__fault_handler *handler = atomic_load(&fault_handler);
        return handler(failed->address);
    }
    return answer == RETRY;
}

static LONG CALLBACK on_exception(EXCEPTION_POINTERS *pointers)
{
    failure failed;
    DWORD saved = GetLastError();
    bool repaired = failure_of(&failed, pointers->ExceptionRecord) && is_repaired(&failed);
    SetLastError(saved);
    return repaired ? EXCEPTION_CONTINUE_EXECUTION : EXCEPTION_CONTINUE_SEARCH;
}

/* ---- installation ---- */

/* Keeps the library loaded for the life of the process, with its handler. */
static int pin_library(ironmap_error *error)
{
    HMODULE self = NULL;
    const DWORD flags = GET_MODULE_HANDLE_EX_FLAG_PIN | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS;
    return GetModuleHandleExW(flags, (LPCWSTR)(uintptr_t)on_exception, &self)
               ? IRONMAP_OK
               : ironmap__fail_win32(error, GetLastError(), "GetModuleHandleExW");
}

/* Adds the handler at the front, then removes its older registration: at no moment is there none.
 * The call does not set an error code. */
static int install_first(ironmap_error *error)
{
    PVOID made = AddVectoredExceptionHandler(1, on_exception);
    if (made == NULL) {
        return ironmap__fail_win32(error, ERROR_NOT_ENOUGH_MEMORY, "AddVectoredExceptionHandler");
    }
    if (registration != NULL) {
        (void)RemoveVectoredExceptionHandler(registration);
    }
    registration = made;
    return IRONMAP_OK;
}

/* Windows has no fork. */
int ironmap__fault_handler_install(ironmap__fault_handler *handler, void (*after_fork)(void),
                                   ironmap_error *error)
{
    (void)after_fork;
    AcquireSRWLockExclusive(&install_lock);
    int status = registration == NULL ? pin_library(error) : IRONMAP_OK;
    if (status == IRONMAP_OK) {
        atomic_store(&fault_handler, handler);
        status = install_first(error);
    }
    ReleaseSRWLockExclusive(&install_lock);
    return status;
}

/* Nothing tells if another handler comes first. */
ironmap__signal_owner ironmap__fault_signal_owner(void)
{
    return atomic_load(&fault_handler) == NULL ? IRONMAP__SIGNAL_NOT_INSTALLED
                                               : IRONMAP__SIGNAL_OURS;
}

/* ---- pages ---- */

static bool replace_whole_view(ironmap__record *record)
{
    atomic_fetch_add(&gaps, 1);
    ironmap__private_pages_save(record);
    if (ironmap__record_reserve(record, NULL) == IRONMAP_OK) {
        return true;
    }
    ironmap__private_pages_discard(record);
    return false;
}

/* Replaces the whole view or nothing. A view that is replaced already shows zeros everywhere. */
bool ironmap__page_replace(void *start, size_t length, const ironmap__mode *mode)
{
    (void)mode;
    AcquireSRWLockExclusive(&ironmap__records_lock);
    ironmap__record *record = ironmap__record_find(start);
    bool done = record != NULL && record->replaced;
    if (done) {
        record->used = true;
    }
    if (record != NULL && !done && record->base == start && length >= record->length) {
        done = replace_whole_view(record);
    }
    ReleaseSRWLockExclusive(&ironmap__records_lock);
    return done;
}

/* Memory is not what replacing a view fails for. */
bool ironmap__page_replace_for_loads(void *start, size_t length)
{
    (void)start;
    (void)length;
    return false;
}

/* No thread blocks an exception. */
void ironmap__fault_unblock(void)
{
}

/* Committed on allocation, unlike on Unix: marks and log of a view of 1 TiB take 64 MiB. */
bool ironmap__spare_mapping_give(void)
{
    return false;
}

bool ironmap__mappings_are_scarce(void)
{
    return false;
}

void *ironmap__zeros_allocate(size_t length)
{
    return VirtualAlloc(NULL, length, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
}

void ironmap__zeros_free(void *zeros, size_t length)
{
    (void)length;
    (void)VirtualFree(zeros, 0, MEM_RELEASE);
}

static int map_view_again(ironmap__record *record, ironmap_error *error)
{
    atomic_fetch_add(&gaps, 1);
    if (!VirtualFree(record->base, 0, MEM_RELEASE)) {
        return ironmap__fail_win32(error, GetLastError(), "VirtualFree");
    }
    if (ironmap__record_map(record, record->base) != NULL) {
        record->replaced = false;
        ironmap__private_pages_restore(record);
        return IRONMAP_OK;
    }
    int status = ironmap__fail_win32(error, GetLastError(), "MapViewOfFileEx");
    if (VirtualAlloc(record->base, record->length, MEM_RESERVE, record->protection) == NULL) {
        RaiseFailFastException(NULL, NULL, FAIL_FAST_GENERATE_EXCEPTION_ADDRESS);
    }
    return status;
}

/* Maps the whole view again from its section, whichever of its pages is restored. */
int ironmap__page_restore(const ironmap__view *run, const ironmap__mode *mode, ironmap__file file,
                          uint64_t offset, ironmap_error *error)
{
    (void)mode;
    (void)file;
    (void)offset;
    AcquireSRWLockExclusive(&ironmap__records_lock);
    ironmap__record *record = ironmap__record_find(run->base);
    int status = record->replaced ? map_view_again(record, error) : IRONMAP_OK;
    ReleaseSRWLockExclusive(&ironmap__records_lock);
    return status;
}

/* The system's code for this thread's last lost page (ERROR_DISK_FULL, ERROR_CRC, ...). If it is
 * not known, for another thread's page or under Wine, the system's general code for such failures.
 */
int32_t ironmap__fault_code(ironmap__file file, bool store)
{
    (void)file;
    (void)store;
    DWORD code = lost_page_code;
    lost_page_code = 0;
    return code == 0 ? ERROR_SWAPERROR : (int32_t)code;
}
