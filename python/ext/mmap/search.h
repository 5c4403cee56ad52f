/* Searching: find(), rfind() and count(). */
#ifndef IRONMAP_EXT_MMAP_SEARCH_H
#define IRONMAP_EXT_MMAP_SEARCH_H

#include <ironmap/ironmap.h>

#include "compat.h"

PyObject *mmap_find(PyObject *self, PyObject *const *args, Py_ssize_t count);
PyObject *mmap_rfind(PyObject *self, PyObject *const *args, Py_ssize_t count);
PyObject *mmap_count(PyObject *self, PyObject *const *args, Py_ssize_t count);

/* The bounds of a search, in slice notation, as given. */
typedef struct {
    Py_ssize_t start;
    Py_ssize_t end;
    bool start_given;
    bool end_given;
} Bounds;

/* Converts them from the arguments. A bound that is missing or None is not given. */
bool bounds_convert(Bounds *bounds, PyObject *const *args, Py_ssize_t count);

/* The offsets for the bounds in the map as it is now. Without a start, `*start` is left as it is.
 * The end is cut to the map's length. */
void bounds_in(uint64_t *start, uint64_t *end, const Bounds *bounds, const ironmap_map *map);

#endif /* IRONMAP_EXT_MMAP_SEARCH_H */
