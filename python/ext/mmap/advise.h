/* Advice to the system about the map's memory: madvise(). */
#ifndef IRONMAP_EXT_MMAP_ADVISE_H
#define IRONMAP_EXT_MMAP_ADVISE_H

#include "compat.h"

PyObject *mmap_madvise(PyObject *self, PyObject *const *args, Py_ssize_t count);

#endif /* IRONMAP_EXT_MMAP_ADVISE_H */
