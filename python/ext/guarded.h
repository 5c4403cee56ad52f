/* The class Guarded: a `with` block that raises FaultError if a page was lost in it. */
#ifndef IRONMAP_EXT_GUARDED_H
#define IRONMAP_EXT_GUARDED_H

#include "compat.h"

extern PyType_Spec guarded_spec;

/* The method guarded() of the class mmap. */
PyObject *mmap_guarded(PyObject *self, PyObject *unused);

#endif /* IRONMAP_EXT_GUARDED_H */
