/* The constructor. */
#ifndef IRONMAP_EXT_MMAP_NEW_H
#define IRONMAP_EXT_MMAP_NEW_H

#include "compat.h"

PyObject *mmap_new(PyTypeObject *type, PyObject *args, PyObject *kwargs);

#endif /* IRONMAP_EXT_MMAP_NEW_H */
