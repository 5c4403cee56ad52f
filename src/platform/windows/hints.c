/* What is said to Windows only to be faster, and advice, which is little more. */
#include "features.h"

#include "win32.h"

#include "base/error.h"

typedef BOOL(WINAPI *prefetch_function)(HANDLE, ULONG_PTR, PWIN32_MEMORY_RANGE_ENTRY, ULONG);
typedef DWORD(WINAPI *discard_function)(PVOID, SIZE_T);

bool ironmap__page_in_memory(void *start)
{
    (void)start;
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

/* To unlock what is not locked is an error, but takes it out of the working set first
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

/* Since Windows 8.1, for private memory alone: gives its pages back without writing them to the
 * page file. */
static bool discard(void *start, size_t length)
{
    discard_function function = (discard_function)ironmap__kernel_function("DiscardVirtualMemory");
    MEMORY_BASIC_INFORMATION memory;
    return function != NULL && VirtualQuery(start, &memory, sizeof(memory)) != 0 &&
           memory.Type == MEM_PRIVATE && function(start, length) == ERROR_SUCCESS;
}

/* Windows reads ahead as it likes: what is left of advice is what is soon or not soon needed. */
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
