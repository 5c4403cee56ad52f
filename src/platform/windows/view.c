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
#include "win32.h"

#include <stdlib.h>
#include <string.h>

#include "../../range.h"
#include "../../status.h"

SRWLOCK mapio__views = SRWLOCK_INIT;

/* ---- records ---- */

/* Bases are multiples of 64 KiB. */
enum { BUCKETS = 1024, BASE_SHIFT = 16 };

static mapio__record *buckets[BUCKETS];

static mapio__record **bucket(const void *base)
{
    return &buckets[((uintptr_t)base >> BASE_SHIFT) % BUCKETS];
}

/* Where the record of the view that begins at `base` hangs; NULL where there is none. */
static mapio__record **record_link(const void *base)
{
    for (mapio__record **link = bucket(base); *link != NULL; link = &(*link)->next) {
        if ((*link)->base == base) {
            return link;
        }
    }
    return NULL;
}

static void record_add(mapio__record *record, uint8_t *base)
{
    mapio__record **head = bucket(base);
    record->base = base;
    record->next = *head;
    *head = record;
}

static mapio__record *record_remove(const void *base)
{
    mapio__record **link = record_link(base);
    if (link == NULL) {
        return NULL;
    }
    mapio__record *record = *link;
    *link = record->next;
    return record;
}

mapio__record *mapio__record_find(const void *address)
{
    MEMORY_BASIC_INFORMATION memory;
    if (VirtualQuery(address, &memory, sizeof(memory)) == 0 || memory.AllocationBase == NULL) {
        return NULL;
    }
    mapio__record **link = record_link(memory.AllocationBase);
    return link == NULL ? NULL : *link;
}

static void record_free(mapio__record *record)
{
    mapio__private_drop(record);
    if (record->section != NULL) {
        (void)CloseHandle(record->section);
    }
    free(record);
}

/* ---- what access means ---- */

/* mode->prot is the protection of the section, mode->flags the access of the view. */
int mapio__mode_resolve(mapio__mode *mode, const mapio_options *options, bool anonymous,
                        mapio_error *error)
{
    bool by_hand = options->flags != MAPIO_SYSTEM_DEFAULT || options->prot != MAPIO_SYSTEM_DEFAULT;
    *mode = (mapio__mode){.access = options->access,
                          .readable = true,
                          .writable = options->access != MAPIO_ACCESS_READ,
                          .shared = options->access != MAPIO_ACCESS_COPY,
                          .anonymous = anonymous && options->tag == NULL,
                          .prot = PAGE_READWRITE,
                          .flags = FILE_MAP_WRITE};
    switch (options->access) {
    case MAPIO_ACCESS_DEFAULT:
        return by_hand ? mapio__fail(error, MAPIO_E_UNSUPPORTED) : MAPIO_OK;
    case MAPIO_ACCESS_READ:
        mode->prot = PAGE_READONLY;
        mode->flags = FILE_MAP_READ;
        break;
    case MAPIO_ACCESS_WRITE:
        break;
    case MAPIO_ACCESS_COPY:
        mode->prot = PAGE_WRITECOPY;
        mode->flags = FILE_MAP_COPY;
        break;
    default:
        return mapio__fail(error, MAPIO_E_INVALID);
    }
    return by_hand ? mapio__fail(error, MAPIO_E_INVALID) : MAPIO_OK;
}

/* ---- mapping ---- */

int mapio__section_make(HANDLE *section, mapio__file file, DWORD protection, uint64_t length,
                        const wchar_t *name, mapio_error *error)
{
    *section = CreateFileMappingW(mapio__handle(file), NULL, protection, mapio__high(length),
                                  mapio__low(length), name);
    return *section != NULL ? MAPIO_OK
                            : mapio__fail_win32(error, GetLastError(), "CreateFileMappingW");
}

void *mapio__record_map(const mapio__record *record, void *base)
{
    return MapViewOfFileEx(record->section, record->access, mapio__high(record->offset),
                           mapio__low(record->offset), record->length, base);
}

/* Maps the view of a file at the top of the address space, where Windows puts nothing that does not
 * ask for it, and so nobody else's memory in a gap (see fault.c); or where there is room. */
static void *map_high(const mapio__record *record)
{
    void *high = VirtualAlloc(NULL, record->length, MEM_RESERVE | MEM_TOP_DOWN, PAGE_NOACCESS);
    void *base = NULL;
    if (high != NULL) {
        (void)VirtualFree(high, 0, MEM_RELEASE);
        base = mapio__record_map(record, high);
    }
    return base != NULL ? base : mapio__record_map(record, NULL);
}

static void *get_memory(const mapio__record *record)
{
    if (record->access == 0) {
        return VirtualAlloc(NULL, record->length, MEM_RESERVE | MEM_COMMIT, record->protection);
    }
    return record->anonymous ? mapio__record_map(record, NULL) : map_high(record);
}

/* The memory of a new record comes to its addresses. The lock keeps it off those that a view has
 * just left and is about to come back to. */
static int record_place(mapio__record *record, mapio_error *error)
{
    AcquireSRWLockExclusive(&mapio__views);
    void *base = get_memory(record);
    DWORD code = GetLastError();
    if (base != NULL) {
        record_add(record, base);
    }
    ReleaseSRWLockExclusive(&mapio__views);
    const char *call = record->access == 0 ? "VirtualAlloc" : "MapViewOfFileEx";
    return base != NULL ? MAPIO_OK : mapio__fail_win32(error, code, call);
}

int mapio__section_view(mapio__view *view, const mapio__mode *mode, HANDLE section, uint64_t offset,
                        size_t length, mapio_error *error)
{
    mapio__record *record = calloc(1, sizeof(*record));
    if (record == NULL) {
        (void)(section == NULL || CloseHandle(section));
        return mapio__fail(error, MAPIO_E_NOMEM);
    }
    *record = (mapio__record){.length = length,
                              .section = section,
                              .offset = offset,
                              .access = section == NULL ? 0 : (DWORD)mode->flags,
                              .protection = mode->writable ? PAGE_READWRITE : PAGE_READONLY,
                              .anonymous = mode->anonymous};
    int status = record_place(record, error);
    if (status != MAPIO_OK) {
        record_free(record);
        return status;
    }
    *view = (mapio__view){.base = record->base, .length = length};
    return MAPIO_OK;
}

/* What a record is, without the lock: its own thread alone changes that. */
static mapio__record *record_of(const mapio__view *view)
{
    AcquireSRWLockShared(&mapio__views);
    mapio__record *record = *record_link(view->base);
    ReleaseSRWLockShared(&mapio__views);
    return record;
}

/* A section without a name lives as long as its view. */
static void section_forget(const mapio__view *view)
{
    mapio__record *record = record_of(view);
    if (record->section != NULL) {
        (void)CloseHandle(record->section);
        record->section = NULL;
    }
}

int mapio__view_map(mapio__view *view, const mapio__mode *mode, mapio__file file, uint64_t offset,
                    size_t length, mapio_error *error)
{
    HANDLE section = NULL;
    int status = MAPIO_OK;
    if (!mode->anonymous) {
        status = mapio__section_make(&section, file, (DWORD)mode->prot, 0, NULL, error);
    } else if (mode->shared) {
        status = mapio__section_make(&section, MAPIO__NO_FILE, PAGE_READWRITE, length, NULL, error);
    }
    if (status != MAPIO_OK) {
        return status;
    }
    status = mapio__section_view(view, mode, section, mode->anonymous ? 0 : offset, length, error);
    if (status == MAPIO_OK && mode->anonymous) {
        section_forget(view);
    }
    return status;
}

/* Gives the addresses of a record back, whatever is there. */
static int record_clear(const mapio__record *record, mapio_error *error)
{
    if (record->access == 0 || record->replaced) {
        return VirtualFree(record->base, 0, MEM_RELEASE)
                   ? MAPIO_OK
                   : mapio__fail_win32(error, GetLastError(), "VirtualFree");
    }
    return UnmapViewOfFile(record->base)
               ? MAPIO_OK
               : mapio__fail_win32(error, GetLastError(), "UnmapViewOfFile");
}

int mapio__view_unmap(mapio__view *view, mapio_error *error)
{
    if (view->base == NULL) {
        return MAPIO_OK;
    }
    AcquireSRWLockExclusive(&mapio__views);
    mapio__record *record = record_remove(view->base);
    int status = record_clear(record, error);
    if (status != MAPIO_OK) {
        record_add(record, view->base);
    }
    ReleaseSRWLockExclusive(&mapio__views);
    if (status == MAPIO_OK) {
        record_free(record);
        *view = (mapio__view){.base = NULL, .length = 0};
    }
    return status;
}

/* ---- another length ---- */

bool mapio__view_can_grow(const mapio__mode *mode)
{
    (void)mode;
    return true;
}

/* New memory for an anonymous view, with its content. */
static int move(mapio__view *view, size_t length, mapio_error *error)
{
    const mapio__mode mode = {.access = MAPIO_ACCESS_WRITE,
                              .readable = true,
                              .writable = true,
                              .shared = true,
                              .anonymous = true,
                              .prot = PAGE_READWRITE,
                              .flags = FILE_MAP_WRITE};
    mapio__view next = {.base = NULL, .length = 0};
    int status = mapio__view_map(&next, &mode, MAPIO__NO_FILE, 0, length, error);
    if (status != MAPIO_OK) {
        return status;
    }
    // NOLINTNEXTLINE(clang-analyzer-unix.cstring.NullArg): what is mapped has a base
    memcpy(next.base, view->base, (size_t)mapio__min(length, view->length));
    (void)mapio__view_unmap(view, NULL);
    *view = next;
    return MAPIO_OK;
}

/* Only a map that stores for all to see is ever resized. Windows can neither extend a view nor give
 * a part of it back: what shrinks and cannot move stays as long as it is behind its new end. */
int mapio__view_resize(mapio__view *view, size_t length, mapio_error *error)
{
    mapio__record *record = record_of(view);
    if (length == view->length) {
        return MAPIO_OK;
    }
    if (!record->anonymous && length > view->length) {
        return mapio__fail(error, MAPIO_E_UNSUPPORTED);
    }
    if (record->anonymous) {
        int status = move(view, length, error);
        if (status == MAPIO_OK || length > view->length) {
            return status;
        }
    }
    record->length = length;
    view->length = length;
    return MAPIO_OK;
}

/* ---- cutting the file ---- */

int mapio__record_reserve(mapio__record *record, mapio_error *error)
{
    if (!UnmapViewOfFile(record->base)) {
        return mapio__fail_win32(error, GetLastError(), "UnmapViewOfFile");
    }
    if (VirtualAlloc(record->base, record->length, MEM_RESERVE, record->protection) != NULL) {
        record->replaced = true;
        return MAPIO_OK;
    }
    int status = mapio__fail_win32(error, GetLastError(), "VirtualAlloc");
    if (mapio__record_map(record, record->base) == NULL) {
        /* Someone else has the addresses. Whoever goes on uses foreign memory: see fault.c. */
        RaiseFailFastException(NULL, NULL, FAIL_FAST_GENERATE_EXCEPTION_ADDRESS);
    }
    return status;
}

/* Maps a reserved record again, at its base or, should that be taken just now, elsewhere. */
static int record_remap(mapio__record *record, mapio__file file, mapio_error *error)
{
    uint8_t *base = record->base;
    /* A view that stores for all to see: the section has the protection of its pages. */
    int status = mapio__section_make(&record->section, file, record->protection, 0, NULL, error);
    (void)record_remove(base);
    (void)VirtualFree(base, 0, MEM_RELEASE);
    record->base = NULL;
    record->replaced = false;
    if (status != MAPIO_OK) {
        return status;
    }
    uint8_t *mapped = mapio__record_map(record, base);
    if (mapped == NULL) {
        mapped = mapio__record_map(record, NULL);
    }
    if (mapped == NULL) {
        return mapio__fail_win32(error, GetLastError(), "MapViewOfFileEx");
    }
    record_add(record, mapped);
    return MAPIO_OK;
}

/* The section goes with the view: either forbids the cut. */
static int cut_reserved(mapio__record *record, mapio__file file, size_t keep, uint64_t end,
                        mapio_error *error)
{
    (void)CloseHandle(record->section);
    record->section = NULL;
    int status = mapio__file_set_length(file, end, error);
    if (status == MAPIO_OK && keep == 0) {
        return MAPIO_OK;
    }
    if (status == MAPIO_OK) {
        record->length = keep;
    }
    int mapped = record_remap(record, file, status == MAPIO_OK ? error : NULL);
    return status == MAPIO_OK ? mapped : status;
}

int mapio__view_cut(mapio__view *view, mapio__file file, size_t keep, uint64_t end,
                    mapio_error *error)
{
    AcquireSRWLockExclusive(&mapio__views);
    mapio__record *record = *record_link(view->base);
    int status = mapio__record_reserve(record, error);
    if (status == MAPIO_OK) {
        status = cut_reserved(record, file, keep, end, error);
    }
    *view = (mapio__view){.base = record->base, .length = record->length};
    ReleaseSRWLockExclusive(&mapio__views);
    if (view->base == NULL) {
        record_free(record);
    }
    return status;
}

/* ---- the disk ---- */

/* NTFS now and then refuses to flush while it writes its log (ERROR_LOCK_VIOLATION); .NET's
 * MemoryMappedView.Flush tries again as well. 1 + 2 + ... + 512 ms, then it is an error. */
enum { FLUSH_ATTEMPTS = 10 };

static int flush_pages(void *start, size_t length, mapio_error *error)
{
    DWORD code = ERROR_SUCCESS;
    for (unsigned attempt = 0; attempt <= FLUSH_ATTEMPTS; attempt++) {
        if (FlushViewOfFile(start, length)) {
            return MAPIO_OK;
        }
        code = GetLastError();
        if (code != ERROR_LOCK_VIOLATION) {
            break;
        }
        Sleep(1U << attempt);
    }
    return mapio__fail_win32(error, code, "FlushViewOfFile");
}

/* What flushing has to do with a view. */
typedef struct flush_need {
    bool pages; /* a view of a file is there */
    bool file;  /* and there is a file behind it */
} flush_need;

static flush_need flush_look(const void *start)
{
    AcquireSRWLockShared(&mapio__views);
    const mapio__record *record = mapio__record_find(start);
    bool file = record != NULL && !record->anonymous;
    flush_need need = {.pages = file && !record->replaced, .file = file};
    ReleaseSRWLockShared(&mapio__views);
    return need;
}

/* FlushViewOfFile hands the pages to the file system, FlushFileBuffers waits for the disk. All
 * views of a file show one memory: MAPIO_FLUSH_INVALIDATE has nothing to do. */
int mapio__view_flush(void *start, size_t length, mapio__file file, int flags, mapio_error *error)
{
    if ((flags & ~(MAPIO_FLUSH_ASYNC | MAPIO_FLUSH_INVALIDATE)) != 0) {
        return mapio__fail(error, MAPIO_E_UNSUPPORTED);
    }
    flush_need need = flush_look(start);
    int status = need.pages ? flush_pages(start, length, error) : MAPIO_OK;
    if (status != MAPIO_OK || !need.file || (flags & MAPIO_FLUSH_ASYNC) != 0) {
        return status;
    }
    if (file == MAPIO__NO_FILE) {
        return mapio__fail(error, MAPIO_E_NO_FILE);
    }
    return FlushFileBuffers(mapio__handle(file))
               ? MAPIO_OK
               : mapio__fail_win32(error, GetLastError(), "FlushFileBuffers");
}

int mapio__view_set_name(const mapio__view *view, const char *name, mapio_error *error)
{
    (void)view;
    (void)name;
    return mapio__fail(error, MAPIO_E_UNSUPPORTED);
}
