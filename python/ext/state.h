/* The state of the module: the classes and exceptions that its functions need. Each import of the
 * module has its own, and so has each interpreter. */
#ifndef IRONMAP_EXT_STATE_H
#define IRONMAP_EXT_STATE_H

#include "compat.h"

typedef struct {
    PyObject *module; /* that this is the state of; borrowed */
    PyTypeObject *find_all;
    PyTypeObject *guarded;
    PyTypeObject *lines;
    PyObject *fault_error;           /* the class FaultError */
    PyObject *unsupported_operation; /* the class io.UnsupportedOperation */
    PyObject *byte_ints[256];        /* the int of each byte */
    PyObject *byte_items[256];       /* the bytes object of each byte, as an iterator gives it */
} ModuleState;

/* The state of `module`, which is this one. */
ModuleState *state_of_module(PyObject *module);

/* The state of the module that made `type`, a class derived from ironmap.mmap. NULL with an
 * exception if the garbage collector has cleared the class. */
ModuleState *state_of_type(PyTypeObject *type);

/* Makes, and releases, the objects of the bytes. CPython has them as well. To take one from here
 * costs less than to call it. */
int state_add_bytes(PyObject *module);
void state_clear_bytes(ModuleState *state);

/* An attribute of `object`. NULL with an exception. */
PyObject *get_attribute(PyObject *object, const char *name);

#endif /* IRONMAP_EXT_STATE_H */
