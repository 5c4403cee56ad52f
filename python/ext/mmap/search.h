/* Searching: find(), rfind() and count(). */
#ifndef IRONMAP_EXT_MMAP_SEARCH_H
#define IRONMAP_EXT_MMAP_SEARCH_H

#include "compat.h"

PyObject *mmap_find(PyObject *self, PyObject *const *args, Py_ssize_t count);
PyObject *mmap_rfind(PyObject *self, PyObject *const *args, Py_ssize_t count);
PyObject *mmap_count(PyObject *self, PyObject *const *args, Py_ssize_t count);

/* Converts the bounds of a search, in slice notation, to offsets. A bound that is missing or None
 * leaves `*start` or `*end` as it is. `*end` is then cut to the length that the map has now. */
bool mmap_bounds(PyObject *self, uint64_t *start, uint64_t *end, PyObject *const *args,
                 Py_ssize_t count);

#endif /* IRONMAP_EXT_MMAP_SEARCH_H */
