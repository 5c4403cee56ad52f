/* Lost pages under exported memory: damaged and clear_damage(). */
#ifndef IRONMAP_EXT_MMAP_DAMAGE_H
#define IRONMAP_EXT_MMAP_DAMAGE_H

#include <ironmap/ironmap.h>

#include "compat.h"

/* Raises FaultError at the offset of the first damaged byte of `map`, that of `self`. Without an
 * offset if the damage was cleared meanwhile. */
void mmap_raise_damage(PyObject *self, ironmap_map *map);

/* False, with FaultError raised, if the map is damaged. */
bool mmap_check_damage(PyObject *self, ironmap_map *map);

PyObject *mmap_get_damaged(PyObject *self, void *closure);
PyObject *mmap_clear_damage(PyObject *self, PyObject *unused);

#endif /* IRONMAP_EXT_MMAP_DAMAGE_H */
