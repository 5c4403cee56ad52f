/* What Python sees of the class: the names, signatures and documentation of its methods. */
#ifndef IRONMAP_EXT_MMAP_METHODS_H
#define IRONMAP_EXT_MMAP_METHODS_H

#include "compat.h"

/* The documentation of the class, with the arguments that it takes on this system. */
const char *mmap_doc(void);

/* The methods that it has on this system. */
PyMethodDef *mmap_methods(void);

#endif /* IRONMAP_EXT_MMAP_METHODS_H */
