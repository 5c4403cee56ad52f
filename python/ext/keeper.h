/* The base of the objects that keep a map: FindAll, Guarded and Lines. */
#ifndef IRONMAP_EXT_KEEPER_H
#define IRONMAP_EXT_KEEPER_H

#include "compat.h"

/* The head of the object: a reference to the ironmap.mmap. It does not pin the map. */
#define KEEPER_HEAD PyObject_HEAD PyObject *map;

/* The flags of such a class. */
#define KEEPER_FLAGS                                                                               \
    (Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |                          \
     Py_TPFLAGS_DISALLOW_INSTANTIATION)

/* A new object of this class, zero behind its head. */
PyObject *keeper_new(PyTypeObject *type, PyObject *map);

int keeper_traverse(PyObject *self, visitproc visit, void *arg);
void keeper_dealloc(PyObject *self);

#endif /* IRONMAP_EXT_KEEPER_H */
