/* What a copy-on-write view holds that its file does not, when the view must leave its addresses.
 *
 * Which pages these are, is told by their protection: the system changes it from PAGE_WRITECOPY to
 * PAGE_READWRITE with the first store ("Memory Protection Constants" in the documentation of
 * Win32). Wine does not; there, and for what is in memory on Windows as well, pages that are shared
 * with nobody are known by the working set. The copies are kept where the view has them, in memory
 * that is reserved in its whole length and committed by the page. Reading and writing go through
 * the system, which says so where a page cannot be had.
 */
#define PSAPI_VERSION 2

#include "features.h"

#include "win32.h"

#include <psapi.h>

#include "base/range.h"

enum { PAGES_AT_ONCE = 64 };

static void save_page(uint8_t *copy, const uint8_t *page)
{
    size_t length = ironmap__page_size();
    SIZE_T done = 0;
    if (VirtualAlloc(copy, length, MEM_COMMIT, PAGE_READWRITE) != NULL &&
        !ReadProcessMemory(GetCurrentProcess(), page, copy, length, &done)) {
        (void)VirtualFree(copy, length, MEM_DECOMMIT);
    }
}

/* Saves those of [from, to) of the view, a few pages, that are shared with nobody. */
static void save_unshared(const ironmap__record *record, size_t from, size_t to)
{
    PSAPI_WORKING_SET_EX_INFORMATION pages[PAGES_AT_ONCE] = {{0}};
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

/* Saves what is private of [from, to), which has one protection. */
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
        size_t next = (size_t)ironmap__min(to, from + PAGES_AT_ONCE * page);
        save_unshared(record, from, next);
        from = next;
    }
}

/* The end of the run of pages of one state and protection that `memory` begins at `from`. */
static size_t run_end(const MEMORY_BASIC_INFORMATION *memory, size_t from, size_t reach)
{
    return (size_t)ironmap__min(reach, from + memory->RegionSize);
}

void ironmap__private_save(ironmap__record *record)
{
    MEMORY_BASIC_INFORMATION memory;
    if (record->access != FILE_MAP_COPY) {
        return;
    }
    record->saved = VirtualAlloc(NULL, record->length, MEM_RESERVE, PAGE_READWRITE);
    size_t reach = ironmap__align_up(record->length, ironmap__page_size());
    size_t from = 0;
    while (record->saved != NULL && from < reach &&
           VirtualQuery(record->base + from, &memory, sizeof(memory)) != 0) {
        size_t to = run_end(&memory, from, reach);
        save_run(record, from, to, memory.Protect);
        from = to;
    }
}

static void put_back_run(const ironmap__record *record, size_t from, size_t to)
{
    size_t page = ironmap__page_size();
    for (; from < to; from += page) {
        SIZE_T done = 0;
        (void)WriteProcessMemory(GetCurrentProcess(), record->base + from, record->saved + from,
                                 page, &done);
    }
}

void ironmap__private_put_back(ironmap__record *record)
{
    MEMORY_BASIC_INFORMATION memory;
    size_t reach = ironmap__align_up(record->length, ironmap__page_size());
    size_t from = 0;
    while (record->saved != NULL && from < reach &&
           VirtualQuery(record->saved + from, &memory, sizeof(memory)) != 0) {
        size_t to = run_end(&memory, from, reach);
        if (memory.State == MEM_COMMIT) {
            put_back_run(record, from, to);
        }
        from = to;
    }
    ironmap__private_drop(record);
}

void ironmap__private_drop(ironmap__record *record)
{
    if (record->saved != NULL) {
        (void)VirtualFree(record->saved, 0, MEM_RELEASE);
        record->saved = NULL;
    }
}
