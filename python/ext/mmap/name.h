/* The name that the system shows for the memory: set_name(). */
#ifndef IRONMAP_EXT_MMAP_NAME_H
#define IRONMAP_EXT_MMAP_NAME_H

#include "compat.h"

PyObject *mmap_set_name(PyObject *self, PyObject *name);

#endif /* IRONMAP_EXT_MMAP_NAME_H */
