/* The constants of the module, and those of the system by name. */
#ifndef IRONMAP_EXT_CONSTANTS_H
#define IRONMAP_EXT_CONSTANTS_H

#include "compat.h"

/* Adds ACCESS_*, PAGESIZE, ALLOCATIONGRANULARITY and the constants that the system has. -1 with an
 * exception. */
int constants_add(PyObject *module);

/* The value of a constant of the system ("MAP_SHARED"); 0 if the system has none of that name. */
int system_constant(const char *name);

/* True if the maps of the system have flags and prot, as on Unix. */
bool system_has_flags(void);

/* The access of a map that is made without one: as flags and prot say, else IRONMAP_WRITE. */
enum { ACCESS_DEFAULT = 0 };

/* Flags of the system have bits in this mask only. The library's own flags lie above it, and Python
 * code must not pass them. */
enum { SYSTEM_BITS = 0xffff };

#endif /* IRONMAP_EXT_CONSTANTS_H */
