/* Paths: UTF-8 outside, UTF-16 for Windows. */
#include "features.h"

#include "win32.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "base/error.h"

/* The form of a path that Windows takes as it is, of 32767 characters at most: \\?\C:\dir\file, and
 * \\?\UNC\machine\share\file for \\machine\share\file. ("Maximum Path Length Limitation" in the
 * documentation of Win32.) */
static const wchar_t plain_prefix[] = L"\\\\?\\";
static const wchar_t share_prefix[] = L"\\\\?\\UNC\\";

enum { PLAIN_LENGTH = 4, SHARE_LENGTH = 8 };

static bool begins(const wchar_t *path, const wchar_t *prefix)
{
    return wcsncmp(path, prefix, wcslen(prefix)) == 0;
}

/* The same path in UTF-16, as it is. */
static int convert(wchar_t **wide, const char *path, ironmap_error *error)
{
    int length = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, NULL, 0);
    if (length == 0) {
        return ironmap__fail_win32(error, GetLastError(), "MultiByteToWideChar");
    }
    wchar_t *made = malloc((size_t)length * sizeof(*made));
    if (made == NULL) {
        return ironmap__fail(error, IRONMAP_E_NOMEM);
    }
    if (MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, made, length) == 0) {
        int status = ironmap__fail_win32(error, GetLastError(), "MultiByteToWideChar");
        free(made);
        return status;
    }
    *wide = made;
    return IRONMAP_OK;
}

/* `room` has a whole path behind SHARE_LENGTH free places: the path with the prefix that suits it
 * begins where this points to. */
static wchar_t *add_prefix(wchar_t *room)
{
    wchar_t *path = room + SHARE_LENGTH;
    if (begins(path, L"\\\\?\\") || begins(path, L"\\\\.\\")) {
        return path;
    }
    if (begins(path, L"\\\\")) {
        path += 2;
        return memcpy(path - SHARE_LENGTH, share_prefix, SHARE_LENGTH * sizeof(*path));
    }
    return memcpy(path - PLAIN_LENGTH, plain_prefix, PLAIN_LENGTH * sizeof(*path));
}

/* `*wide`, a long path, in the unlimited form. That knows neither a current directory nor dots nor
 * slashes: GetFullPathNameW resolves them. */
static int lengthen(wchar_t **wide, ironmap_error *error)
{
    DWORD size = GetFullPathNameW(*wide, 0, NULL, NULL);
    if (size == 0) {
        return ironmap__fail_win32(error, GetLastError(), "GetFullPathNameW");
    }
    wchar_t *room = malloc((SHARE_LENGTH + (size_t)size) * sizeof(*room));
    if (room == NULL) {
        return ironmap__fail(error, IRONMAP_E_NOMEM);
    }
    DWORD length = GetFullPathNameW(*wide, size, room + SHARE_LENGTH, NULL);
    if (length == 0 || length >= size) {
        int status = ironmap__fail_win32(error, GetLastError(), "GetFullPathNameW");
        free(room);
        return status;
    }
    const wchar_t *path = add_prefix(room);
    memmove(room, path, (wcslen(path) + 1) * sizeof(*room));
    free(*wide);
    *wide = room;
    return IRONMAP_OK;
}

/* A path that begins in the current directory may be long with it. */
int ironmap__path_widen(wchar_t **wide, const char *path, ironmap_error *error)
{
    wchar_t *made = NULL;
    int status = convert(&made, path, error);
    if (status == IRONMAP_OK && GetFullPathNameW(made, 0, NULL, NULL) > MAX_PATH &&
        !begins(made, plain_prefix)) {
        status = lengthen(&made, error);
    }
    if (status != IRONMAP_OK) {
        free(made);
        return status;
    }
    *wide = made;
    return IRONMAP_OK;
}

int ironmap__path_narrow(char *buffer, size_t capacity, const wchar_t *wide, ironmap_error *error)
{
    const char *lead = "";
    if (begins(wide, share_prefix)) {
        lead = "\\\\";
        wide += SHARE_LENGTH;
    } else if (begins(wide, plain_prefix)) {
        wide += PLAIN_LENGTH;
    }
    int size = WideCharToMultiByte(CP_UTF8, WC_ERR_INVALID_CHARS, wide, -1, NULL, 0, NULL, NULL);
    if (size == 0) {
        return ironmap__fail_win32(error, GetLastError(), "WideCharToMultiByte");
    }
    size_t lead_length = strlen(lead);
    if (capacity < lead_length + (size_t)size) {
        return ironmap__fail(error, IRONMAP_E_RANGE);
    }
    memcpy(buffer, lead, lead_length);
    if (WideCharToMultiByte(CP_UTF8, WC_ERR_INVALID_CHARS, wide, -1, buffer + lead_length, size,
                            NULL, NULL) == 0) {
        return ironmap__fail_win32(error, GetLastError(), "WideCharToMultiByte");
    }
    return IRONMAP_OK;
}
