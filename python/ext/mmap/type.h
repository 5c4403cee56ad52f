/* The type of the class ironmap.mmap. */
#ifndef IRONMAP_EXT_MMAP_TYPE_H
#define IRONMAP_EXT_MMAP_TYPE_H

#include "compat.h"

/* Makes the class for `module`. NULL with an exception. */
PyObject *mmap_type(PyObject *module);

#endif /* IRONMAP_EXT_MMAP_TYPE_H */
