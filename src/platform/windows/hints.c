/* Hints and advice on Windows. */
#include "features.h"

#include "system.h"

#include "base/error.h"

typedef BOOL(WINAPI *prefetch_function)(HANDLE, ULONG_PTR, PWIN32_MEMORY_RANGE_ENTRY, ULONG);
typedef DWORD(WINAPI *discard_function)(PVOID, SIZE_T);

bool ironmap__page_in_memory(void *start)
{
    (void)start; /* QueryWorkingSetEx tells only about the working set */
    return true;
}

/* Since Windows 8. */
void ironmap__view_prefetch(void *start, size_t length)
{
    prefetch_function prefetch =
        (prefetch_function)ironmap__kernel_function("PrefetchVirtualMemory");
    WIN32_MEMORY_RANGE_ENTRY range = {.VirtualAddress = start, .NumberOfBytes = length};
    if (prefetch != NULL) {
        (void)prefetch(GetCurrentProcess(), 1, &range, 0);
    }
}

/* To unlock pages that are not locked is an error, but removes them from the working set first
 * ("VirtualUnlock" in the documentation of Win32). */
void ironmap__view_trim(void *start, size_t length)
{
    (void)VirtualUnlock(start, length);
}

size_t ironmap__file_read_ahead(ironmap__file file)
{
    (void)file;
    return 0;
}

void ironmap__memory_prepare(void *memory, size_t length)
{
    (void)memory;
    (void)length;
}

/* Since Windows 8.1, for private memory only: releases its pages without writing them to the page
 * file. */
static bool discard(void *start, size_t length)
{
    discard_function function = (discard_function)ironmap__kernel_function("DiscardVirtualMemory");
    MEMORY_BASIC_INFORMATION memory;
    return function != NULL && VirtualQuery(start, &memory, sizeof(memory)) != 0 &&
           memory.Type == MEM_PRIVATE && function(start, length) == ERROR_SUCCESS;
}

/* Windows decides on read-ahead by itself. Only USE_SOON and USE_LATER have an effect. */
int ironmap__view_advise(void *start, size_t length, ironmap__advice advice, ironmap_error *error)
{
    (void)error;
    if (length == 0) {
        return IRONMAP_OK;
    }
    if (advice.value == IRONMAP__USE_SOON) {
        ironmap__view_prefetch(start, length);
    } else if (advice.value == IRONMAP__USE_LATER && !discard(start, length)) {
        ironmap__view_trim(start, length);
    }
    return IRONMAP_OK;
}
