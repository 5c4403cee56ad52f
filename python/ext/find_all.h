/* The class FindAll: the iterator that find_all() returns. */
#ifndef IRONMAP_EXT_FIND_ALL_H
#define IRONMAP_EXT_FIND_ALL_H

#include "compat.h"

extern PyType_Spec find_all_spec;

/* The method find_all() of the class mmap. */
PyObject *mmap_find_all(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names);

#endif /* IRONMAP_EXT_FIND_ALL_H */
