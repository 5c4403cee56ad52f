/* The class Lines: the iterator that lines() returns. */
#ifndef IRONMAP_EXT_LINES_H
#define IRONMAP_EXT_LINES_H

#include "compat.h"

extern PyType_Spec lines_spec;

/* The method lines() of the class mmap. */
PyObject *mmap_lines(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names);

#endif /* IRONMAP_EXT_LINES_H */
