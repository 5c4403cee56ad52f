/* The classes and exceptions of the module. */
#ifndef IRONMAP_EXT_CLASSES_H
#define IRONMAP_EXT_CLASSES_H

#include "compat.h"

/* Makes them, and adds them to `module` and its state. -1 with an exception. */
int classes_add(PyObject *module);

#endif /* IRONMAP_EXT_CLASSES_H */
