/* Paths: UTF-8 in the library, UTF-16 for Windows. */
#include "features.h"

#include "path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "base/error.h"
#include "system.h"

/* The form of a path that Windows uses unchanged, of up to 32767 characters: \\?\C:\dir\file, and
 * \\?\UNC\machine\share\file for \\machine\share\file. ("Maximum Path Length Limitation" in the
 * documentation of Win32.) */
static const wchar_t plain_prefix[] = L"\\\\?\\";
static const wchar_t share_prefix[] = L"\\\\?\\UNC\\";

enum { PLAIN_LENGTH = 4, SHARE_LENGTH = 8 };

static bool begins_with(const wchar_t *path, const wchar_t *prefix)
{
    return wcsncmp(path, prefix, wcslen(prefix)) == 0;
}

int ironmap__text_widen(wchar_t **wide, const char *text, ironmap_error *error)
{
    int length = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, NULL, 0);
    if (length == 0) {
        return ironmap__fail_win32(error, GetLastError(), "MultiByteToWideChar");
    }
    wchar_t *made = malloc((size_t)length * sizeof(*made));
    if (made == NULL) {
        return ironmap__fail(error, IRONMAP_E_NOMEM);
    }
    if (MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, made, length) == 0) {
        int status = ironmap__fail_win32(error, GetLastError(), "MultiByteToWideChar");
        free(made);
        return status;
    }
    *wide = made;
    return IRONMAP_OK;
}

/* Puts the right prefix in front of the path that begins at buffer[SHARE_LENGTH]. Returns its
 * start. */
static wchar_t *add_prefix(wchar_t *buffer)
{
    wchar_t *path = buffer + SHARE_LENGTH;
    if (begins_with(path, L"\\\\?\\") || begins_with(path, L"\\\\.\\")) {
        return path;
    }
    if (begins_with(path, L"\\\\")) {
        path += 2;
        return memcpy(path - SHARE_LENGTH, share_prefix, SHARE_LENGTH * sizeof(*path));
    }
    return memcpy(path - PLAIN_LENGTH, plain_prefix, PLAIN_LENGTH * sizeof(*path));
}

/* Changes a long path to the unlimited form. That has no current directory, dots or slashes, which
 * GetFullPathNameW resolves. */
static int path_to_unlimited(wchar_t **wide, ironmap_error *error)
{
    DWORD size = GetFullPathNameW(*wide, 0, NULL, NULL);
    if (size == 0) {
        return ironmap__fail_win32(error, GetLastError(), "GetFullPathNameW");
    }
    wchar_t *buffer = malloc((SHARE_LENGTH + (size_t)size) * sizeof(*buffer));
    if (buffer == NULL) {
        return ironmap__fail(error, IRONMAP_E_NOMEM);
    }
    DWORD length = GetFullPathNameW(*wide, size, buffer + SHARE_LENGTH, NULL);
    if (length == 0 || length >= size) {
        int status = ironmap__fail_win32(error, GetLastError(), "GetFullPathNameW");
        free(buffer);
        return status;
    }
    const wchar_t *path = add_prefix(buffer);
    memmove(buffer, path, (wcslen(path) + 1) * sizeof(*buffer));
    free(*wide);
    *wide = buffer;
    return IRONMAP_OK;
}

/* A relative path may be too long only with the current directory in front of it. */
int ironmap__path_widen(wchar_t **wide, const char *path, ironmap_error *error)
{
    wchar_t *made = NULL;
    int status = ironmap__text_widen(&made, path, error);
    if (status == IRONMAP_OK && GetFullPathNameW(made, 0, NULL, NULL) > MAX_PATH &&
        !begins_with(made, plain_prefix)) {
        status = path_to_unlimited(&made, error);
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
    const char *prefix = "";
    if (begins_with(wide, share_prefix)) {
        prefix = "\\\\";
        wide += SHARE_LENGTH;
    } else if (begins_with(wide, plain_prefix)) {
        wide += PLAIN_LENGTH;
    }
    int size = WideCharToMultiByte(CP_UTF8, WC_ERR_INVALID_CHARS, wide, -1, NULL, 0, NULL, NULL);
    if (size == 0) {
        return ironmap__fail_win32(error, GetLastError(), "WideCharToMultiByte");
    }
    size_t prefix_length = strlen(prefix);
    if (capacity < prefix_length + (size_t)size) {
        return ironmap__fail_for(error, IRONMAP_E_RANGE, "the buffer is too short");
    }
    memcpy(buffer, prefix, prefix_length);
    if (WideCharToMultiByte(CP_UTF8, WC_ERR_INVALID_CHARS, wide, -1, buffer + prefix_length, size,
                            NULL, NULL) == 0) {
        return ironmap__fail_win32(error, GetLastError(), "WideCharToMultiByte");
    }
    return IRONMAP_OK;
}
