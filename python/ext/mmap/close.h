/* The end of a map: close() and deallocation. */
#ifndef IRONMAP_EXT_MMAP_CLOSE_H
#define IRONMAP_EXT_MMAP_CLOSE_H

#include "compat.h"

PyObject *mmap_close(PyObject *self, PyObject *unused);
PyObject *mmap_exit(PyObject *self, PyObject *const *args, Py_ssize_t count); /* __exit__ */
int mmap_traverse(PyObject *self, visitproc visit, void *arg);
void mmap_dealloc(PyObject *self);

#endif /* IRONMAP_EXT_MMAP_CLOSE_H */
