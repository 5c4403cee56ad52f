/* Paths: UTF-8 in the library, UTF-16 for Windows. */
#ifndef IRONMAP_WINDOWS_PATH_H
#define IRONMAP_WINDOWS_PATH_H

#include <wchar.h>

#include "base/error.h"

/* A text in UTF-16, to be freed. Invalid UTF-8 is IRONMAP_E_INVALID. */
int ironmap__text_widen(wchar_t **wide, const char *text, ironmap_error *error);

/* The path in UTF-16, to be freed. A long path gets the form that is not limited to MAX_PATH.
 * Invalid UTF-8 is IRONMAP_E_INVALID. */
int ironmap__path_widen(wchar_t **wide, const char *path, ironmap_error *error);

/* Writes the path in UTF-8, without the prefix of the unlimited form, terminated. IRONMAP_E_RANGE
 * if it does not fit into the buffer. */
int ironmap__path_narrow(char *buffer, size_t capacity, const wchar_t *wide, ironmap_error *error);

#endif /* IRONMAP_WINDOWS_PATH_H */
