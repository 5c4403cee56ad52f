/* Objects of the module and of other modules, in the running interpreter. */
#ifndef IRONMAP_EXT_STATE_H
#define IRONMAP_EXT_STATE_H

#include "compat.h"

/* An attribute of `object`. NULL with an exception. */
PyObject *get_attribute(PyObject *object, const char *name);

/* An object of another module, which is imported first if need be. NULL with an exception. */
PyObject *imported_object(const char *module, const char *name);

/* An object of this module. NULL with an exception. */
PyObject *module_object(const char *name);

/* What an object needs as long as it lives, also while the interpreter shuts down and
 * module_object no longer works. A class keeps its module, and the module keeps this. */
typedef struct {
    PyObject *fault_error; /* the class FaultError */
} ModuleState;

/* The state of the module that made `type`, a class derived from ironmap.mmap. */
ModuleState *module_state(PyTypeObject *type);

#endif /* IRONMAP_EXT_STATE_H */
