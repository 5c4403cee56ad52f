/* The private pages of a copy-on-write view that must leave its addresses.
 *
 * Private pages are known by their protection: with the first store the system changes it from
 * PAGE_WRITECOPY to PAGE_READWRITE ("Memory Protection Constants" in the documentation of Win32).
 * Wine does not. The second way, on both, is the working set: pages that no other process shares.
 * The copies lie in memory that is reserved at the view's length and committed page by page. Pages
 * are read and written through the system, which reports one that is unavailable.
 */
#define PSAPI_VERSION 2

#include "features.h"

#include "private_pages.h"

#include <psapi.h>

#include "base/range.h"

enum { QUERY_PAGES = 64 };

static void save_page(uint8_t *copy, const uint8_t *page)
{
    size_t length = ironmap__page_size();
    SIZE_T done = 0;
    if (VirtualAlloc(copy, length, MEM_COMMIT, PAGE_READWRITE) != NULL &&
        !ReadProcessMemory(GetCurrentProcess(), page, copy, length, &done)) {
        (void)VirtualFree(copy, length, MEM_DECOMMIT);
    }
}

/* Saves the unshared pages of [from, to) of the view, at most QUERY_PAGES. */
static void save_unshared(const ironmap__record *record, size_t from, size_t to)
{
    PSAPI_WORKING_SET_EX_INFORMATION pages[QUERY_PAGES] = {{0}};
    size_t page = ironmap__page_size();
    DWORD count = (DWORD)((to - from) / page);
    for (DWORD i = 0; i < count; i++) {
        pages[i].VirtualAddress = record->base + from + i * page;
    }
    if (!QueryWorkingSetEx(GetCurrentProcess(), pages, count * (DWORD)sizeof(pages[0]))) {
        return;
    }
    for (DWORD i = 0; i < count; i++) {
        if (pages[i].VirtualAttributes.Valid && !pages[i].VirtualAttributes.Shared) {
            save_page(record->saved + from + i * page, record->base + from + i * page);
        }
    }
}

/* Saves the private pages of [from, to), which has one protection. */
static void save_run(const ironmap__record *record, size_t from, size_t to, DWORD protection)
{
    size_t page = ironmap__page_size();
    if (protection == PAGE_READWRITE) {
        for (; from < to; from += page) {
            save_page(record->saved + from, record->base + from);
        }
        return;
    }
    while (from < to) {
        size_t next = (size_t)ironmap__min(to, from + QUERY_PAGES * page);
        save_unshared(record, from, next);
        from = next;
    }
}

/* The end of the run of pages with the state and protection of `memory`, which begins at `from`. */
static size_t run_end(const MEMORY_BASIC_INFORMATION *memory, size_t from, size_t end)
{
    return (size_t)ironmap__min(end, from + memory->RegionSize);
}

void ironmap__private_pages_save(ironmap__record *record)
{
    MEMORY_BASIC_INFORMATION memory;
    if (record->access != FILE_MAP_COPY) {
        return;
    }
    record->saved = VirtualAlloc(NULL, record->length, MEM_RESERVE, PAGE_READWRITE);
    size_t end = ironmap__align_up(record->length, ironmap__page_size());
    size_t from = 0;
    while (record->saved != NULL && from < end &&
           VirtualQuery(record->base + from, &memory, sizeof(memory)) != 0) {
        size_t to = run_end(&memory, from, end);
        save_run(record, from, to, memory.Protect);
        from = to;
    }
}

static void write_back_run(const ironmap__record *record, size_t from, size_t to)
{
    size_t page = ironmap__page_size();
    for (; from < to; from += page) {
        SIZE_T done = 0;
        (void)WriteProcessMemory(GetCurrentProcess(), record->base + from, record->saved + from,
                                 page, &done);
    }
}

void ironmap__private_pages_restore(ironmap__record *record)
{
    MEMORY_BASIC_INFORMATION memory;
    size_t end = ironmap__align_up(record->length, ironmap__page_size());
    size_t from = 0;
    while (record->saved != NULL && from < end &&
           VirtualQuery(record->saved + from, &memory, sizeof(memory)) != 0) {
        size_t to = run_end(&memory, from, end);
        if (memory.State == MEM_COMMIT) {
            write_back_run(record, from, to);
        }
        from = to;
    }
    ironmap__private_pages_discard(record);
}

void ironmap__private_pages_discard(ironmap__record *record)
{
    if (record->saved != NULL) {
        (void)VirtualFree(record->saved, 0, MEM_RELEASE);
        record->saved = NULL;
    }
}
