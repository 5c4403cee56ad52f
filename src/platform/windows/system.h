/* Windows itself: errors, functions that not every version has, numbers and handles. */
#ifndef IRONMAP_WINDOWS_SYSTEM_H
#define IRONMAP_WINDOWS_SYSTEM_H

#include <windows.h>

#include "platform/platform.h"

/* Fills `error` (may be NULL) for the system call `call`, which left `code` (GetLastError, captured
 * before any clean-up), and returns the status for that code. */
int ironmap__fail_win32(ironmap_error *error, DWORD code, const char *call);

/* The function `name` of kernel32.dll, to be cast to its type. NULL if this Windows does not have
 * it. */
typedef void ironmap__function(void);
ironmap__function *ironmap__kernel_function(const char *name);

/* The halves of a 64-bit number, which Win32 takes as two arguments. */
static inline DWORD ironmap__low(uint64_t number)
{
    return (DWORD)(number & UINT32_MAX);
}

static inline DWORD ironmap__high(uint64_t number)
{
    return (DWORD)(number >> 32);
}

static inline HANDLE ironmap__handle(ironmap__file file)
{
    return (HANDLE)file;
}

#endif /* IRONMAP_WINDOWS_SYSTEM_H */
