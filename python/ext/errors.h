/* From the library's errors to Python's exceptions. Every function here sets one and returns NULL,
 * for `return raise_...` in a function that makes an object. */
#ifndef IRONMAP_EXT_ERRORS_H
#define IRONMAP_EXT_ERRORS_H

#include <ironmap/ironmap.h>

#include "compat.h"

/* The exception for what a function of the library reported of `map` (NULL: of none). Statuses that
 * say "out of range" become ValueError(`range_message`). */
PyObject *raise_error(const ironmap_map *map, const ironmap_error *error,
                      const char *range_message);

/* A page of `map` cannot be had: ironmap.FaultError with `code` (an errno) and the offset. */
PyObject *raise_fault(const ironmap_map *map, int code, uint64_t offset);

/* OSError with `code` (an errno) and the system's words for it. */
PyObject *raise_errno(int code);

/* OSError with `code` of a ironmap_error: errno, or on Windows winerror, of which Python makes an
 * errno. `name` is its filename; NULL: it has none. */
PyObject *raise_system(int code, const char *name);

/* The map is closed: ValueError. */
PyObject *raise_closed(void);

/* The map, or what was asked of it, is for reading only: TypeError. */
PyObject *raise_readonly(void);
PyObject *raise_not_resizable(void);

/* The index lies outside the map: IndexError. */
PyObject *raise_index(void);

/* The map holds no descriptor for what it is to do ("get size"): io.UnsupportedOperation, which is
 * an OSError and a ValueError, with errno EBADF. */
PyObject *raise_no_file(const char *doing);

#endif /* IRONMAP_EXT_ERRORS_H */
