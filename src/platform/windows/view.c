/* Views on Windows: sections (CreateFileMappingW) and views of them (MapViewOfFileEx).
 *
 * FILES. The section of a file's view stays open as long as the view. An unavailable view is mapped
 * again from it, at its full length even if the file is shorter by then. Windows refuses to
 * truncate a file that has a view, so the open section forbids nothing more.
 *
 * ANONYMOUS MEMORY that is shared is a section of the page file. Private memory is that of
 * VirtualAlloc: only that can be discarded early (DiscardVirtualMemory).
 *
 * A file is never extended by mapping it: sections have the length of the file.
 */
#include "features.h"

#include "view.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/range.h"
#include "private_pages.h"
#include "record.h"

/* ---- records ---- */

/* NULL: the addresses were lost when they were to be kept. */
static void record_free(ironmap__record *record)
{
    if (record == NULL) {
        return;
    }
    ironmap__private_pages_discard(record);
    if (record->section != NULL) {
        (void)CloseHandle(record->section);
    }
    free(record);
}

size_t ironmap__view_overhead(void)
{
    return sizeof(ironmap__record);
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

/* Maps the view of a file at the top of the address space, or elsewhere if there is no space.
 * Windows places memory there only on request, so none gets into a gap (see fault.c). */
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

static void *allocate_memory(const ironmap__record *record)
{
    if (record->access == 0) {
        return VirtualAlloc(NULL, record->length, MEM_RESERVE | MEM_COMMIT, record->protection);
    }
    return record->anonymous ? ironmap__record_map(record, NULL) : map_high(record);
}

/* Allocates the memory of a new record. The lock keeps it away from addresses that a view has just
 * left and is about to return to. */
static int record_place(ironmap__record *record, ironmap_error *error)
{
    AcquireSRWLockExclusive(&ironmap__records_lock);
    void *base = allocate_memory(record);
    DWORD code = GetLastError();
    if (base != NULL) {
        ironmap__record_add(record, base);
    }
    ReleaseSRWLockExclusive(&ironmap__records_lock);
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

/* The record of a view. Valid without the lock: only the thread that changes the view changes it.
 */
static ironmap__record *record_of(const ironmap__view *view)
{
    AcquireSRWLockShared(&ironmap__records_lock);
    ironmap__record *record = ironmap__record_at(view->base);
    ReleaseSRWLockShared(&ironmap__records_lock);
    return record;
}

/* Closes the handle of a view's section. The section lives as long as the view. */
static void section_close(const ironmap__view *view)
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
        section_close(view);
    }
    return status;
}

/* Releases the addresses of a record: a view, private memory or a reservation. */
static int record_unmap(const ironmap__record *record, ironmap_error *error)
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
    AcquireSRWLockExclusive(&ironmap__records_lock);
    ironmap__record *record = ironmap__record_at(view->base);
    int status = IRONMAP_OK;
    if (record != NULL) {
        ironmap__record_remove(record);
        status = record_unmap(record, error);
        if (status != IRONMAP_OK) {
            ironmap__record_add(record, view->base);
        }
    }
    ReleaseSRWLockExclusive(&ironmap__records_lock);
    if (status == IRONMAP_OK) {
        record_free(record);
        *view = (ironmap__view){.base = NULL, .length = 0};
    }
    return status;
}

/* Reserves the addresses of a record in the place of what is there: a view, private memory or
 * committed zeros. Another thread can get those of a view in between. Then none are kept, and the
 * record is removed. */
static int reserve_addresses(ironmap__record *record, ironmap_error *error)
{
    if (record->access == 0 || record->replaced) {
        return VirtualFree(record->base, 0, MEM_DECOMMIT)
                   ? IRONMAP_OK
                   : ironmap__fail_win32(error, GetLastError(), "VirtualFree");
    }
    if (!UnmapViewOfFile(record->base)) {
        return ironmap__fail_win32(error, GetLastError(), "UnmapViewOfFile");
    }
    if (VirtualAlloc(record->base, record->length, MEM_RESERVE, record->protection) == NULL) {
        ironmap__record_remove(record);
        record->base = NULL;
    }
    return IRONMAP_OK;
}

int ironmap__view_reserve(const ironmap__view *pages, const ironmap__mode *mode,
                          ironmap_error *error)
{
    (void)mode;
    AcquireSRWLockExclusive(&ironmap__records_lock);
    ironmap__record *record = ironmap__record_at(pages->base);
    bool whole = record != NULL && pages->length >= record->length;
    int status =
        whole ? reserve_addresses(record, error) : ironmap__fail(error, IRONMAP_E_UNSUPPORTED);
    if (status == IRONMAP_OK) {
        ironmap__private_pages_discard(record);
        (void)(record->section == NULL || CloseHandle(record->section));
        record->section = NULL;
        record->replaced = true;
        record->kept = true;
        record->used = false;
    }
    ReleaseSRWLockExclusive(&ironmap__records_lock);
    if (status == IRONMAP_OK && record->base == NULL) {
        record_free(record);
    }
    return status;
}

/* ---- another length ---- */

bool ironmap__view_can_be_cut(void)
{
    return false;
}

bool ironmap__view_can_grow(const ironmap__mode *mode)
{
    (void)mode;
    return true;
}

/* Moves an anonymous view and its content to new memory. */
static int move_view(ironmap__view *view, size_t length, ironmap_error *error)
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

/* Only shared, writable maps are resized. Windows can neither extend a view nor unmap a part of it:
 * a view that gets shorter and cannot move keeps the memory beyond its new end. */
int ironmap__view_resize(ironmap__view *view, size_t length, bool may_move, ironmap_error *error)
{
    ironmap__record *record = record_of(view);
    if (length == view->length) {
        return IRONMAP_OK;
    }
    if ((!record->anonymous || !may_move) && length > view->length) {
        return ironmap__fail(error, IRONMAP_E_UNSUPPORTED);
    }
    if (record->anonymous && may_move) {
        int status = move_view(view, length, error);
        if (status == IRONMAP_OK || length > view->length) {
            return status;
        }
    }
    record->length = length;
    view->length = length;
    return IRONMAP_OK;
}

/* ---- truncating the file ---- */

/* Maps a reserved record again, at its base, or elsewhere if that was allocated meanwhile. */
static int record_remap(ironmap__record *record, ironmap__file file, ironmap_error *error)
{
    uint8_t *base = record->base;
    /* The view is shared: the section has the protection of its pages. */
    int status = ironmap__section_make(&record->section, file, record->protection, 0, NULL, error);
    ironmap__record_remove(record);
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
    ironmap__record_add(record, mapped);
    return IRONMAP_OK;
}

/* Truncates the file under a reserved record. The section is closed too: it forbids that as a view
 * does. */
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
    AcquireSRWLockExclusive(&ironmap__records_lock);
    ironmap__record *record = ironmap__record_at(view->base);
    int status = ironmap__record_reserve(record, error);
    if (status == IRONMAP_OK) {
        status = cut_reserved(record, file, keep, end, error);
    }
    *view = (ironmap__view){.base = record->base, .length = record->length};
    ReleaseSRWLockExclusive(&ironmap__records_lock);
    if (view->base == NULL) {
        record_free(record);
    }
    return status;
}

/* ---- the disk ---- */

/* NTFS sometimes refuses to flush while it writes its log (ERROR_LOCK_VIOLATION). As .NET's
 * MemoryMappedView.Flush this retries, after 1, 2, ... 512 ms. */
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

/* What there is to flush of a view. */
typedef struct flush_need {
    bool pages; /* the pages of a file's view, which is not replaced */
    bool file;  /* the file behind it */
} flush_need;

static flush_need flush_need_of(const void *start)
{
    AcquireSRWLockShared(&ironmap__records_lock);
    const ironmap__record *record = ironmap__record_find(start);
    bool file = record != NULL && !record->anonymous;
    flush_need need = {.pages = file && !record->replaced, .file = file};
    ReleaseSRWLockShared(&ironmap__records_lock);
    return need;
}

/* FlushViewOfFile passes the pages to the file system, FlushFileBuffers waits for the disk. All
 * views of a file show the same memory: flags.invalidate has nothing to do. */
int ironmap__view_flush(void *start, size_t length, ironmap__file file, ironmap__flush_flags flags,
                        ironmap_error *error)
{
    if (flags.native != 0) {
        return ironmap__fail(error, IRONMAP_E_UNSUPPORTED);
    }
    flush_need need = flush_need_of(start);
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
