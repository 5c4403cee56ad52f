/* Copying inside the map: move(). */
#ifndef IRONMAP_EXT_MMAP_MOVE_H
#define IRONMAP_EXT_MMAP_MOVE_H

#include "compat.h"

PyObject *mmap_move(PyObject *self, PyObject *const *args, Py_ssize_t count);

#endif /* IRONMAP_EXT_MMAP_MOVE_H */
