/* Items and slices: m[i], m[a:b] and len(m). */
#ifndef IRONMAP_EXT_MMAP_ITEMS_H
#define IRONMAP_EXT_MMAP_ITEMS_H

#include "compat.h"

Py_ssize_t mmap_length(PyObject *self);
PyObject *mmap_item(PyObject *self, Py_ssize_t index);
int mmap_set_item(PyObject *self, Py_ssize_t index, PyObject *value);
PyObject *mmap_subscript(PyObject *self, PyObject *key);
int mmap_set_subscript(PyObject *self, PyObject *key, PyObject *value);

#endif /* IRONMAP_EXT_MMAP_ITEMS_H */
