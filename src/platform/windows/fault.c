/* Pages that cannot be had, on Windows: EXCEPTION_IN_PAGE_ERROR, in a vectored handler. (Wine says
 * EXCEPTION_ACCESS_VIOLATION.)
 *
 * What src/fault.c asks for is done as on Unix, zeros in the place of what is lost and the access
 * once more, with one difference: Windows replaces no single pages of a view, so the whole view
 * goes and comes back. Its addresses are reserved meanwhile, and committed as they are touched: the
 * zeros of a large view would not fit into memory.
 *
 * THE GAP. Between unmapping a view and reserving its addresses, and between releasing these and
 * mapping it again, nothing is there.
 * - Our own views stay away: whatever maps one holds ironmap__views for writing.
 * - Another thread that touches the view then gets an access violation. Its handler waits for the
 *   lock; that there was a gap since the thread last looked (`gaps`, and the thread's own `seen`)
 *   tells it that its failure may have been this one, and it tries once more before the failure
 *   counts as a lost page. A failure without a gap never does: it is one at once.
 * - Another thread that allocates memory then is given other addresses: views of files stand at the
 *   top of the address space (map_high in view.c), and Windows gives out the lowest that are free
 *   to all who do not ask for others. Should somebody get them all the same, nothing can be saved:
 *   pointers into the map would show his memory. The process ends, by RaiseFailFastException, which
 *   nothing catches: it would have ended of the lost page as well. Placeholders (VirtualAlloc2,
 *   Windows 10 1803) would leave no gap; Wine 8 does not have them, and what cannot be tested is
 *   not here.
 *
 * NOT OURS are failures outside the views, and accesses that the memory does not permit, such as a
 * store into a read-only view. They go on to the next handler, as if there were none here.
 *
 * An exception is raised in the thread that did the access, and not in the middle of its work on a
 * heap or a lock, unless that lies in a mapped file: so the handler may use locks, and a variable
 * of the thread, for which the compiler may allocate memory at its first use.
 */
#include "features.h"

#include "win32.h"

#include <stdatomic.h>

#include <winternl.h>

static _Atomic(ironmap__fault_handler *) own_handler;
static SRWLOCK claiming = SRWLOCK_INIT;
static PVOID registration;

/* How often a view was away from its addresses; and when this thread last looked. */
static atomic_size_t gaps;
static _Thread_local size_t seen;

/* Why the last page that this thread lost could not be had, until it is told; 0: nobody knows. */
static _Thread_local DWORD reason;

/* ---- whose failure it is ---- */

enum { ACCESS_READ, ACCESS_WRITE }; /* ExceptionInformation[0] */

typedef struct failure {
    uint8_t *address;
    ULONG_PTR access;
    DWORD status; /* of the disk, as an NTSTATUS; 0: not told */
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
    case ACCESS_READ:
        return (protection & readable) != 0 && (protection & PAGE_GUARD) == 0;
    case ACCESS_WRITE:
        return (protection & writable) != 0 && (protection & PAGE_GUARD) == 0;
    default:
        return false;
    }
}

enum { COMMIT_AT_ONCE = 1 << 20 };

/* Gives the reserved memory of a lost view zeros from the page of `address` on: a MiB, or, where so
 * much is not to be had, a page. */
static bool commit(const ironmap__record *record, uint8_t *address)
{
    size_t page = ironmap__page_size();
    uint8_t *start = address - (uintptr_t)address % page;
    size_t rest = record->length - (size_t)(start - record->base);
    size_t length = rest < COMMIT_AT_ONCE ? rest : COMMIT_AT_ONCE;
    return VirtualAlloc(start, length, MEM_COMMIT, record->protection) != NULL ||
           VirtualAlloc(start, 1, MEM_COMMIT, record->protection) != NULL;
}

typedef enum verdict { NOT_OURS, TRY_AGAIN, LOST } verdict;

static verdict judge_in(const ironmap__record *record, const failure *failed)
{
    MEMORY_BASIC_INFORMATION memory;
    if (VirtualQuery(failed->address, &memory, sizeof(memory)) == 0) {
        return NOT_OURS;
    }
    if (record->replaced && memory.State == MEM_RESERVE) {
        bool there = permits(record->protection, failed->access) && commit(record, failed->address);
        return there ? TRY_AGAIN : NOT_OURS;
    }
    if (memory.State != MEM_COMMIT || !permits(memory.Protect, failed->access)) {
        return NOT_OURS;
    }
    size_t now = atomic_load(&gaps);
    if (seen != now) {
        seen = now;
        return TRY_AGAIN;
    }
    return LOST;
}

static verdict judge(const failure *failed)
{
    AcquireSRWLockShared(&ironmap__views);
    const ironmap__record *record = ironmap__record_find(failed->address);
    verdict answer = record == NULL ? NOT_OURS : judge_in(record, failed);
    ReleaseSRWLockShared(&ironmap__views);
    return answer;
}

static bool cure(const failure *failed)
{
    verdict answer = judge(failed);
    if (answer == LOST) {
        reason = failed->status == 0 ? 0 : RtlNtStatusToDosError((NTSTATUS)failed->status);
        ironmap__fault_handler *handler = atomic_load(&own_handler);
        return handler(failed->address);
    }
    return answer == TRY_AGAIN;
}

static LONG CALLBACK on_exception(EXCEPTION_POINTERS *pointers)
{
    failure failed;
    DWORD saved = GetLastError();
    bool cured = failure_of(&failed, pointers->ExceptionRecord) && cure(&failed);
    SetLastError(saved);
    return cured ? EXCEPTION_CONTINUE_EXECUTION : EXCEPTION_CONTINUE_SEARCH;
}

/* ---- being asked first ---- */

/* The handler must not go away with whoever loaded the library. */
static int stay(ironmap_error *error)
{
    HMODULE self = NULL;
    const DWORD flags = GET_MODULE_HANDLE_EX_FLAG_PIN | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS;
    return GetModuleHandleExW(flags, (LPCWSTR)(uintptr_t)on_exception, &self)
               ? IRONMAP_OK
               : ironmap__fail_win32(error, GetLastError(), "GetModuleHandleExW");
}

/* The new place at the front first, then the old one is given up: never is there none. The call
 * leaves no code. */
static int claim(ironmap_error *error)
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

/* There is no fork. */
int ironmap__fault_handler_install(ironmap__fault_handler *handler, void (*after_fork)(void),
                                   ironmap_error *error)
{
    (void)after_fork;
    AcquireSRWLockExclusive(&claiming);
    int status = registration == NULL ? stay(error) : IRONMAP_OK;
    if (status == IRONMAP_OK) {
        atomic_store(&own_handler, handler);
        status = claim(error);
    }
    ReleaseSRWLockExclusive(&claiming);
    return status;
}

/* ---- pages ---- */

static bool take_away(ironmap__record *record)
{
    atomic_fetch_add(&gaps, 1);
    ironmap__private_save(record);
    if (ironmap__record_reserve(record, NULL) == IRONMAP_OK) {
        return true;
    }
    ironmap__private_drop(record);
    return false;
}

/* All or nothing. A view that is away already shows zeros wherever it is asked for. */
bool ironmap__page_replace(void *start, size_t length, const ironmap__mode *mode)
{
    (void)mode;
    AcquireSRWLockExclusive(&ironmap__views);
    ironmap__record *record = ironmap__record_find(start);
    bool done = record != NULL && record->replaced;
    if (record != NULL && !done && record->base == start && length >= record->length) {
        done = take_away(record);
    }
    ReleaseSRWLockExclusive(&ironmap__views);
    return done;
}

static int bring_back(ironmap__record *record, ironmap_error *error)
{
    atomic_fetch_add(&gaps, 1);
    if (!VirtualFree(record->base, 0, MEM_RELEASE)) {
        return ironmap__fail_win32(error, GetLastError(), "VirtualFree");
    }
    if (ironmap__record_map(record, record->base) != NULL) {
        record->replaced = false;
        ironmap__private_put_back(record);
        return IRONMAP_OK;
    }
    int status = ironmap__fail_win32(error, GetLastError(), "MapViewOfFileEx");
    if (VirtualAlloc(record->base, record->length, MEM_RESERVE, record->protection) == NULL) {
        RaiseFailFastException(NULL, NULL, FAIL_FAST_GENERATE_EXCEPTION_ADDRESS);
    }
    return status;
}

/* The whole view comes back, whichever of its pages is asked for, from the section that it had. */
int ironmap__page_restore(const ironmap__view *run, const ironmap__mode *mode, ironmap__file file,
                          uint64_t offset, ironmap_error *error)
{
    (void)mode;
    (void)file;
    (void)offset;
    AcquireSRWLockExclusive(&ironmap__views);
    ironmap__record *record = ironmap__record_find(run->base);
    int status = record->replaced ? bring_back(record, error) : IRONMAP_OK;
    ReleaseSRWLockExclusive(&ironmap__views);
    return status;
}

/* What the system said to this thread about its last lost page (ERROR_DISK_FULL, ERROR_CRC, ...).
 * Where it said nothing, to another thread or under Wine, it is the system's own general word for
 * such failures. */
int32_t ironmap__fault_code(ironmap__file file, bool store)
{
    (void)file;
    (void)store;
    DWORD code = reason;
    reason = 0;
    return code == 0 ? ERROR_SWAPERROR : (int32_t)code;
}
