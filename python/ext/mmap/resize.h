/* The length of the map and of its file: resize() and size(). */
#ifndef IRONMAP_EXT_MMAP_RESIZE_H
#define IRONMAP_EXT_MMAP_RESIZE_H

#include "compat.h"

PyObject *mmap_resize(PyObject *self, PyObject *size);
PyObject *mmap_size(PyObject *self, PyObject *unused);

#endif /* IRONMAP_EXT_MMAP_RESIZE_H */
