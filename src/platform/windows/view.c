/* Views on Windows: sections (CreateFileMappingW) and views of them (MapViewOfFileEx).
 *
 * THE RECORDS. Every view has a record: its section, its length, what may be done with it. They are
 * found by the address, since that is all that the fault handler has. The section of a file is kept
 * open as long as the view is: from it a lost view is mapped again, at its full length, even where
 * the file has become shorter since; and Windows lets nobody cut a file of which there is a view,
 * so that the handle forbids nothing more.
 *
 * ANONYMOUS MEMORY that is shared is a section of the page file, private memory comes from
 * VirtualAlloc: Windows takes pages back early from that alone (DiscardVirtualMemory).
 *
 * A FILE IS NEVER EXTENDED by mapping it: sections are made for the length that the file has.
 */
#include "features.h"

#include "win32.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/range.h"

SRWLOCK ironmap__views = SRWLOCK_INIT;

/* ---- records ---- */

/* Bases are multiples of 64 KiB. */
enum { BUCKETS = 1024, BASE_SHIFT = 16 };

static ironmap__record *buckets[BUCKETS];

static ironmap__record **bucket(const void *base)
{
    return &buckets[((uintptr_t)base >> BASE_SHIFT) % BUCKETS];
}

/* Where the record of the view that begins at `base` hangs; NULL where there is none. */
static ironmap__record **record_link(const void *base)
{
    for (ironmap__record **link = bucket(base); *link != NULL; link = &(*link)->next) {
        if ((*link)->base == base) {
            return link;
        }
    }
    return NULL;
}

static void record_add(ironmap__record *record, uint8_t *base)
{
    ironmap__record **head = bucket(base);
    record->base = base;
    record->next = *head;
    *head = record;
}

static ironmap__record *record_remove(const void *base)
{
    ironmap__record **link = record_link(base);
    if (link == NULL) {
        return NULL;
    }
    ironmap__record *record = *link;
    *link = record->next;
    return record;
}

ironmap__record *ironmap__record_find(const void *address)
{
    MEMORY_BASIC_INFORMATION memory;
    if (VirtualQuery(address, &memory, sizeof(memory)) == 0 || memory.AllocationBase == NULL) {
        return NULL;
    }
    ironmap__record **link = record_link(memory.AllocationBase);
    return link == NULL ? NULL : *link;
}

static void record_free(ironmap__record *record)
{
    ironmap__private_drop(record);
    if (record->section != NULL) {
        (void)CloseHandle(record->section);
    }
    free(record);
}

/* ---- modes ---- */

/* mode->prot is the protection of the section, mode->flags the access of the view. */
void ironmap__mode_to_system(ironmap__mode *mode)
{
    if (!mode->writable) {
        mode->prot = PAGE_READONLY;
        mode->flags = FILE_MAP_READ;
    } else if (mode->shared) {
        mode->prot = PAGE_READWRITE;
        mode->flags = FILE_MAP_WRITE;
    } else {
        mode->prot = PAGE_WRITECOPY;
        mode->flags = FILE_MAP_COPY;
    }
}

int ironmap__mode_from_system(ironmap__mode *mode, bool has_file, ironmap_error *error)
{
    (void)mode;
    (void)has_file;
    return ironmap__fail(error, IRONMAP_E_UNSUPPORTED);
}

/* ---- mapping ---- */

int ironmap__section_make(HANDLE *section, ironmap__file file, DWORD protection, uint64_t length,
                          const wchar_t *name, ironmap_error *error)
{
    *section = CreateFileMappingW(ironmap__handle(file), NULL, protection, ironmap__high(length),
                                  ironmap__low(length), name);
    return *section != NULL ? IRONMAP_OK
                            : ironmap__fail_win32(error, GetLastError(), "CreateFileMappingW");
}

void *ironmap__record_map(const ironmap__record *record, void *base)
{
    return MapViewOfFileEx(record->section, record->access, ironmap__high(record->offset),
                           ironmap__low(record->offset), record->length, base);
}

/* Maps the view of a file at the top of the address space, where Windows puts nothing that does not
 * ask for it, and so nobody else's memory in a gap (see fault.c); or where there is room. */
static void *map_high(const ironmap__record *record)
{
    void *high = VirtualAlloc(NULL, record->length, MEM_RESERVE | MEM_TOP_DOWN, PAGE_NOACCESS);
    void *base = NULL;
    if (high != NULL) {
        (void)VirtualFree(high, 0, MEM_RELEASE);
        base = ironmap__record_map(record, high);
    }
    return base != NULL ? base : ironmap__record_map(record, NULL);
}

static void *get_memory(const ironmap__record *record)
{
    if (record->access == 0) {
        return VirtualAlloc(NULL, record->length, MEM_RESERVE | MEM_COMMIT, record->protection);
    }
    return record->anonymous ? ironmap__record_map(record, NULL) : map_high(record);
}

/* The memory of a new record comes to its addresses. The lock keeps it off those that a view has
 * just left and is about to come back to. */
static int record_place(ironmap__record *record, ironmap_error *error)
{
    AcquireSRWLockExclusive(&ironmap__views);
    void *base = get_memory(record);
    DWORD code = GetLastError();
    if (base != NULL) {
        record_add(record, base);
    }
    ReleaseSRWLockExclusive(&ironmap__views);
    const char *call = record->access == 0 ? "VirtualAlloc" : "MapViewOfFileEx";
    return base != NULL ? IRONMAP_OK : ironmap__fail_win32(error, code, call);
}

int ironmap__section_view(ironmap__view *view, const ironmap__mode *mode, HANDLE section,
                          uint64_t offset, size_t length, ironmap_error *error)
{
    ironmap__record *record = calloc(1, sizeof(*record));
    if (record == NULL) {
        (void)(section == NULL || CloseHandle(section));
        return ironmap__fail(error, IRONMAP_E_NOMEM);
    }
    *record = (ironmap__record){.length = length,
                                .section = section,
                                .offset = offset,
                                .access = section == NULL ? 0 : (DWORD)mode->flags,
                                .protection = mode->writable ? PAGE_READWRITE : PAGE_READONLY,
                                .anonymous = mode->anonymous};
    int status = record_place(record, error);
    if (status != IRONMAP_OK) {
        record_free(record);
        return status;
    }
    *view = (ironmap__view){.base = record->base, .length = length};
    return IRONMAP_OK;
}

/* What a record is, without the lock: its own thread alone changes that. */
static ironmap__record *record_of(const ironmap__view *view)
{
    AcquireSRWLockShared(&ironmap__views);
    ironmap__record *record = *record_link(view->base);
    ReleaseSRWLockShared(&ironmap__views);
    return record;
}

/* A section without a name lives as long as its view. */
static void section_forget(const ironmap__view *view)
{
    ironmap__record *record = record_of(view);
    if (record->section != NULL) {
        (void)CloseHandle(record->section);
        record->section = NULL;
    }
}

int ironmap__view_map(ironmap__view *view, const ironmap__mode *mode, ironmap__file file,
                      uint64_t offset, size_t length, ironmap_error *error)
{
    HANDLE section = NULL;
    int status = IRONMAP_OK;
    if (!mode->anonymous) {
        status = ironmap__section_make(&section, file, (DWORD)mode->prot, 0, NULL, error);
    } else if (mode->shared) {
        status =
            ironmap__section_make(&section, IRONMAP__NO_FILE, PAGE_READWRITE, length, NULL, error);
    }
    if (status != IRONMAP_OK) {
        return status;
    }
    status =
        ironmap__section_view(view, mode, section, mode->anonymous ? 0 : offset, length, error);
    if (status == IRONMAP_OK && mode->anonymous) {
        section_forget(view);
    }
    return status;
}

/* Gives the addresses of a record back, whatever is there. */
static int record_clear(const ironmap__record *record, ironmap_error *error)
{
    if (record->access == 0 || record->replaced) {
        return VirtualFree(record->base, 0, MEM_RELEASE)
                   ? IRONMAP_OK
                   : ironmap__fail_win32(error, GetLastError(), "VirtualFree");
    }
    return UnmapViewOfFile(record->base)
               ? IRONMAP_OK
               : ironmap__fail_win32(error, GetLastError(), "UnmapViewOfFile");
}

int ironmap__view_unmap(ironmap__view *view, ironmap_error *error)
{
    if (view->base == NULL) {
        return IRONMAP_OK;
    }
    AcquireSRWLockExclusive(&ironmap__views);
    ironmap__record *record = record_remove(view->base);
    int status = record_clear(record, error);
    if (status != IRONMAP_OK) {
        record_add(record, view->base);
    }
    ReleaseSRWLockExclusive(&ironmap__views);
    if (status == IRONMAP_OK) {
        record_free(record);
        *view = (ironmap__view){.base = NULL, .length = 0};
    }
    return status;
}

/* ---- another length ---- */

bool ironmap__view_can_grow(const ironmap__mode *mode)
{
    (void)mode;
    return true;
}

/* New memory for an anonymous view, with its content. */
static int move(ironmap__view *view, size_t length, ironmap_error *error)
{
    ironmap__mode mode = {.readable = true, .writable = true, .shared = true, .anonymous = true};
    ironmap__mode_to_system(&mode);
    ironmap__view next = {.base = NULL, .length = 0};
    int status = ironmap__view_map(&next, &mode, IRONMAP__NO_FILE, 0, length, error);
    if (status != IRONMAP_OK) {
        return status;
    }
    // NOLINTNEXTLINE(clang-analyzer-unix.cstring.NullArg): what is mapped has a base
    memcpy(next.base, view->base, (size_t)ironmap__min(length, view->length));
    (void)ironmap__view_unmap(view, NULL);
    *view = next;
    return IRONMAP_OK;
}

/* Only a map that stores for all to see is ever resized. Windows can neither extend a view nor give
 * a part of it back: what shrinks and cannot move stays as long as it is behind its new end. */
int ironmap__view_resize(ironmap__view *view, size_t length, ironmap_error *error)
{
    ironmap__record *record = record_of(view);
    if (length == view->length) {
        return IRONMAP_OK;
    }
    if (!record->anonymous && length > view->length) {
        return ironmap__fail(error, IRONMAP_E_UNSUPPORTED);
    }
    if (record->anonymous) {
        int status = move(view, length, error);
        if (status == IRONMAP_OK || length > view->length) {
            return status;
        }
    }
    record->length = length;
    view->length = length;
    return IRONMAP_OK;
}

/* ---- cutting the file ---- */

int ironmap__record_reserve(ironmap__record *record, ironmap_error *error)
{
    if (!UnmapViewOfFile(record->base)) {
        return ironmap__fail_win32(error, GetLastError(), "UnmapViewOfFile");
    }
    if (VirtualAlloc(record->base, record->length, MEM_RESERVE, record->protection) != NULL) {
        record->replaced = true;
        return IRONMAP_OK;
    }
    int status = ironmap__fail_win32(error, GetLastError(), "VirtualAlloc");
    if (ironmap__record_map(record, record->base) == NULL) {
        /* Someone else has the addresses. Whoever goes on uses foreign memory: see fault.c. */
        RaiseFailFastException(NULL, NULL, FAIL_FAST_GENERATE_EXCEPTION_ADDRESS);
    }
    return status;
}

/* Maps a reserved record again, at its base or, should that be taken just now, elsewhere. */
static int record_remap(ironmap__record *record, ironmap__file file, ironmap_error *error)
{
    uint8_t *base = record->base;
    /* A view that stores for all to see: the section has the protection of its pages. */
    int status = ironmap__section_make(&record->section, file, record->protection, 0, NULL, error);
    (void)record_remove(base);
    (void)VirtualFree(base, 0, MEM_RELEASE);
    record->base = NULL;
    record->replaced = false;
    if (status != IRONMAP_OK) {
        return status;
    }
    uint8_t *mapped = ironmap__record_map(record, base);
    if (mapped == NULL) {
        mapped = ironmap__record_map(record, NULL);
    }
    if (mapped == NULL) {
        return ironmap__fail_win32(error, GetLastError(), "MapViewOfFileEx");
    }
    record_add(record, mapped);
    return IRONMAP_OK;
}

/* The section goes with the view: either forbids the cut. */
static int cut_reserved(ironmap__record *record, ironmap__file file, size_t keep, uint64_t end,
                        ironmap_error *error)
{
    (void)CloseHandle(record->section);
    record->section = NULL;
    int status = ironmap__file_set_length(file, end, error);
    if (status == IRONMAP_OK && keep == 0) {
        return IRONMAP_OK;
    }
    if (status == IRONMAP_OK) {
        record->length = keep;
    }
    int mapped = record_remap(record, file, status == IRONMAP_OK ? error : NULL);
    return status == IRONMAP_OK ? mapped : status;
}

int ironmap__view_cut(ironmap__view *view, ironmap__file file, size_t keep, uint64_t end,
                      ironmap_error *error)
{
    AcquireSRWLockExclusive(&ironmap__views);
    ironmap__record *record = *record_link(view->base);
    int status = ironmap__record_reserve(record, error);
    if (status == IRONMAP_OK) {
        status = cut_reserved(record, file, keep, end, error);
    }
    *view = (ironmap__view){.base = record->base, .length = record->length};
    ReleaseSRWLockExclusive(&ironmap__views);
    if (view->base == NULL) {
        record_free(record);
    }
    return status;
}

/* ---- the disk ---- */

/* NTFS now and then refuses to flush while it writes its log (ERROR_LOCK_VIOLATION); .NET's
 * MemoryMappedView.Flush tries again as well. 1 + 2 + ... + 512 ms, then it is an error. */
enum { FLUSH_ATTEMPTS = 10 };

static int flush_pages(void *start, size_t length, ironmap_error *error)
{
    DWORD code = ERROR_SUCCESS;
    for (unsigned attempt = 0; attempt <= FLUSH_ATTEMPTS; attempt++) {
        if (FlushViewOfFile(start, length)) {
            return IRONMAP_OK;
        }
        code = GetLastError();
        if (code != ERROR_LOCK_VIOLATION) {
            break;
        }
        Sleep(1U << attempt);
    }
    return ironmap__fail_win32(error, code, "FlushViewOfFile");
}

/* What flushing has to do with a view. */
typedef struct flush_need {
    bool pages; /* a view of a file is there */
    bool file;  /* and there is a file behind it */
} flush_need;

static flush_need flush_look(const void *start)
{
    AcquireSRWLockShared(&ironmap__views);
    const ironmap__record *record = ironmap__record_find(start);
    bool file = record != NULL && !record->anonymous;
    flush_need need = {.pages = file && !record->replaced, .file = file};
    ReleaseSRWLockShared(&ironmap__views);
    return need;
}

/* FlushViewOfFile hands the pages to the file system, FlushFileBuffers waits for the disk. All
 * views of a file show the same memory: flags.invalidate has nothing to do. */
int ironmap__view_flush(void *start, size_t length, ironmap__file file, ironmap__flush_flags flags,
                        ironmap_error *error)
{
    if (flags.native != 0) {
        return ironmap__fail(error, IRONMAP_E_UNSUPPORTED);
    }
    flush_need need = flush_look(start);
    int status = need.pages ? flush_pages(start, length, error) : IRONMAP_OK;
    if (status != IRONMAP_OK || !need.file || flags.async) {
        return status;
    }
    if (file == IRONMAP__NO_FILE) {
        return ironmap__fail(error, IRONMAP_E_NO_FILE);
    }
    return FlushFileBuffers(ironmap__handle(file))
               ? IRONMAP_OK
               : ironmap__fail_win32(error, GetLastError(), "FlushFileBuffers");
}

/* ---- locked pages ---- */

int ironmap__pages_lock(void *start, size_t length, ironmap_error *error)
{
    return VirtualLock(start, length) ? IRONMAP_OK
                                      : ironmap__fail_win32(error, GetLastError(), "VirtualLock");
}

/* VirtualUnlock refuses the whole range if one of its pages is not locked, munlock(2) does not. */
int ironmap__pages_unlock(void *start, size_t length, ironmap_error *error)
{
    size_t page = ironmap__page_size();
    size_t count = length / page;
    bool whole = VirtualUnlock(start, length);
    for (size_t i = 0; !whole && i < count; i++) {
        DWORD code = VirtualUnlock((uint8_t *)start + i * page, page) ? 0 : GetLastError();
        if (code != 0 && code != ERROR_NOT_LOCKED) {
            return ironmap__fail_win32(error, code, "VirtualUnlock");
        }
    }
    return IRONMAP_OK;
}

int ironmap__view_set_name(const ironmap__view *view, const char *name, ironmap_error *error)
{
    (void)view;
    (void)name;
    return ironmap__fail(error, IRONMAP_E_UNSUPPORTED);
}
