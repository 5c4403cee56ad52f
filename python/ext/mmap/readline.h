/* Lines from the position on: readline() and readlines(). */
#ifndef IRONMAP_EXT_MMAP_READLINE_H
#define IRONMAP_EXT_MMAP_READLINE_H

#include "compat.h"

PyObject *mmap_readline(PyObject *self, PyObject *unused);
PyObject *mmap_readlines(PyObject *self, PyObject *const *args, Py_ssize_t count);

#endif /* IRONMAP_EXT_MMAP_READLINE_H */
