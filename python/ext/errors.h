/* Raises Python exceptions for errors of the library. Each function sets an exception and returns
 * NULL, so that a function that makes an object can `return raise_...`. */
#ifndef IRONMAP_EXT_ERRORS_H
#define IRONMAP_EXT_ERRORS_H

#include <ironmap/ironmap.h>

#include "compat.h"
#include "state.h"

/* Raises the exception for `error`, which a function of the library reported of `map` (NULL if
 * there is no map, or it is not known which one). Statuses that mean "out of range" become
 * ValueError(`range_message`). A FaultError about damage counts as telling the program of the map's
 * damage. */
PyObject *raise_error_in(const ModuleState *state, ironmap_map *map, const ironmap_error *error,
                         const char *range_message);

/* What a FaultError says, copied from the map: raising it may run Python code that closes the map,
 * and it may be raised after the map was closed. */
typedef struct {
    ironmap_error error;
    bool named;
    char name[4097]; /* PATH_MAX of Linux, and the zero */
} Fault;

/* Copies `error`, an IRONMAP_E_FAULT of `map`, and the name of the map's file. */
void fault_describe(Fault *fault, const ironmap_map *map, const ironmap_error *error);

/* The same for a map that was closed; `name` is that of its file, or NULL. */
void fault_describe_closed(Fault *fault, const char *name, const ironmap_error *error);

/* Raises FaultError. */
PyObject *fault_raise(const ModuleState *state, const Fault *fault);

/* OSError with `code` (an errno) and the system's text for it. */
PyObject *raise_errno(int code);

/* OSError with EINVAL, the system's text for it, and what is wrong. */
PyObject *raise_invalid(const char *what);

/* OSError with the system code of an ironmap_error: an errno, or a winerror on Windows, from which
 * Python derives the errno. `name` is the filename; NULL if it has none. */
PyObject *raise_system(int code, const char *name);

/* ValueError: the map is closed. */
PyObject *raise_closed(void);

/* TypeError: the map is read-only. */
PyObject *raise_readonly(void);

/* TypeError: the map is read-only or copy-on-write, so it cannot be resized. */
PyObject *raise_not_resizable(void);

/* IndexError: the index lies outside the map. */
PyObject *raise_index(void);

/* io.UnsupportedOperation, which is an OSError and a ValueError, with errno EBADF: the map holds no
 * descriptor, which `operation` ("get size") needs. */
PyObject *raise_no_file(const ModuleState *state, const char *operation);

#endif /* IRONMAP_EXT_ERRORS_H */
