/* The position, and reading and writing there. */
#ifndef IRONMAP_EXT_MMAP_STREAM_H
#define IRONMAP_EXT_MMAP_STREAM_H

#include "compat.h"

PyObject *mmap_read(PyObject *self, PyObject *const *args, Py_ssize_t count);
PyObject *mmap_read_byte(PyObject *self, PyObject *unused);
PyObject *mmap_readinto(PyObject *self, PyObject *target);
PyObject *mmap_write(PyObject *self, PyObject *data);
PyObject *mmap_write_byte(PyObject *self, PyObject *byte);
PyObject *mmap_seek(PyObject *self, PyObject *const *args, Py_ssize_t count);
PyObject *mmap_tell(PyObject *self, PyObject *unused);
PyObject *mmap_seekable(PyObject *self, PyObject *unused);

#endif /* IRONMAP_EXT_MMAP_STREAM_H */
