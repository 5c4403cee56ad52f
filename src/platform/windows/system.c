/* Windows itself: sizes, errors, functions that not every version has. */
#include "features.h"

#include "win32.h"

#include <stdatomic.h>
#include <stdio.h>

enum { MESSAGE_CAPACITY = 512 };

/* Asked of the system once: it takes a system call. */
static atomic_size_t page_size;
static atomic_size_t granularity;

static size_t known(atomic_size_t *size)
{
    size_t value = atomic_load_explicit(size, memory_order_relaxed);
    if (value == 0) {
        SYSTEM_INFO info;
        GetSystemInfo(&info);
        atomic_store_explicit(&page_size, info.dwPageSize, memory_order_relaxed);
        atomic_store_explicit(&granularity, info.dwAllocationGranularity, memory_order_relaxed);
        value = atomic_load_explicit(size, memory_order_relaxed);
    }
    return value;
}

size_t ironmap__page_size(void)
{
    return known(&page_size);
}

size_t ironmap__granularity(void)
{
    return known(&granularity);
}

/* The one place where a code of Win32 becomes a status. */
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

/* The system ends its messages with a full stop, a space and a newline. */
static int trimmed(const wchar_t *text, DWORD length)
{
    while (length > 0 && (text[length - 1] <= L' ' || text[length - 1] == L'.')) {
        length--;
    }
    return (int)length;
}

void ironmap__system_message(char *buffer, size_t capacity, int32_t code)
{
    wchar_t wide[MESSAGE_CAPACITY];
    char text[MESSAGE_CAPACITY * 3]; /* UTF-8 takes 3 bytes for a unit of UTF-16 at most */
    const DWORD flags =
        FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS | FORMAT_MESSAGE_MAX_WIDTH_MASK;
    DWORD length = FormatMessageW(flags, NULL, (DWORD)code, 0, wide, MESSAGE_CAPACITY, NULL);
    int bytes = 0;
    if (length > 0) {
        bytes = WideCharToMultiByte(CP_UTF8, 0, wide, trimmed(wide, length), text, sizeof(text),
                                    NULL, NULL);
    }
    if (bytes > 0) {
        (void)snprintf(buffer, capacity, "%.*s", bytes, text);
    } else {
        (void)snprintf(buffer, capacity, "Windows error %lu", (unsigned long)(DWORD)code);
    }
}

/* The bits of AVX-512: masks, upper halves, upper registers ("Working with XState Context"). */
bool ironmap__keeps_wide_registers(void)
{
    const DWORD64 wide = 0xe0;
    return (GetEnabledXStateFeatures() & wide) == wide;
}

void ironmap__yield(void)
{
    (void)SwitchToThread();
}
