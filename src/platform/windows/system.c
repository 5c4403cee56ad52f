/* Windows itself: sizes, errors, functions that not every version has. */
#include "features.h"

#include "system.h"

#include <stdatomic.h>
#include <stdio.h>

enum { MESSAGE_UNITS_MAX = 512 };

/* Cached: each query is a system call. 0: not known yet. */
static atomic_size_t cached_page_size;
static atomic_size_t cached_granularity;

static size_t cached(atomic_size_t *size)
{
    size_t value = atomic_load_explicit(size, memory_order_relaxed);
    if (value == 0) {
        SYSTEM_INFO info;
        GetSystemInfo(&info);
        atomic_store_explicit(&cached_page_size, info.dwPageSize, memory_order_relaxed);
        atomic_store_explicit(&cached_granularity, info.dwAllocationGranularity,
                              memory_order_relaxed);
        value = atomic_load_explicit(size, memory_order_relaxed);
    }
    return value;
}

size_t ironmap__page_size(void)
{
    return cached(&cached_page_size);
}

size_t ironmap__view_page_size(const ironmap__mode *mode, ironmap__file file)
{
    (void)mode;
    (void)file;
    return ironmap__page_size();
}

size_t ironmap__granularity(void)
{
    return cached(&cached_granularity);
}

/* The status for a code of Win32. */
static ironmap_status status_of(DWORD code)
{
    switch (code) {
    case ERROR_CALL_NOT_IMPLEMENTED:
    case ERROR_INVALID_FUNCTION:
    case ERROR_NOT_SUPPORTED:
        return IRONMAP_E_UNSUPPORTED;
    case ERROR_NO_UNICODE_TRANSLATION:
        return IRONMAP_E_INVALID;
    default:
        return IRONMAP_E_SYSTEM;
    }
}

int ironmap__fail_win32(ironmap_error *error, DWORD code, const char *call)
{
    ironmap_status status = status_of(code);
    if (error != NULL) {
        *error = (ironmap_error){.status = status,
                                 .system_code = (int32_t)code,
                                 .call = call,
                                 .what = status == IRONMAP_E_INVALID ? "path is not UTF-8" : NULL};
    }
    return status;
}

ironmap__function *ironmap__kernel_function(const char *name)
{
    HMODULE kernel = GetModuleHandleW(L"kernel32.dll");
    return kernel == NULL ? NULL : (ironmap__function *)GetProcAddress(kernel, name);
}

/* The length of a message without the full stop and white space at its end. */
static int trimmed_length(const wchar_t *text, DWORD length)
{
    while (length > 0 && (text[length - 1] <= L' ' || text[length - 1] == L'.')) {
        length--;
    }
    return (int)length;
}

void ironmap__system_message(char *buffer, size_t capacity, int32_t code)
{
    wchar_t wide[MESSAGE_UNITS_MAX];
    char text[MESSAGE_UNITS_MAX * 3]; /* UTF-8 needs at most 3 bytes for a unit of UTF-16 */
    const DWORD flags =
        FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS | FORMAT_MESSAGE_MAX_WIDTH_MASK;
    DWORD length = FormatMessageW(flags, NULL, (DWORD)code, 0, wide, MESSAGE_UNITS_MAX, NULL);
    int bytes = 0;
    if (length > 0) {
        bytes = WideCharToMultiByte(CP_UTF8, 0, wide, trimmed_length(wide, length), text,
                                    sizeof(text), NULL, NULL);
    }
    if (bytes > 0) {
        (void)snprintf(buffer, capacity, "%.*s", bytes, text);
    } else {
        (void)snprintf(buffer, capacity, "Windows error %lu", (unsigned long)(DWORD)code);
    }
}

/* The state bits of AVX-512: masks, upper halves, upper registers ("Working with XState Context").
 * Wine 8 does not keep them. */
bool ironmap__keeps_wide_registers(void)
{
    const DWORD64 wide = 0xe0;
    return (GetEnabledXStateFeatures() & wide) == wide;
}

void ironmap__yield(void)
{
    (void)SwitchToThread();
}
