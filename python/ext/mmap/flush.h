/* Writing changes to the disk: flush(). */
#ifndef IRONMAP_EXT_MMAP_FLUSH_H
#define IRONMAP_EXT_MMAP_FLUSH_H

#include "compat.h"

PyObject *mmap_flush(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names);

#endif /* IRONMAP_EXT_MMAP_FLUSH_H */
