/* What is done when a map has been closed: it is unmapped. */
#ifndef IRONMAP_EXT_MMAP_END_H
#define IRONMAP_EXT_MMAP_END_H

#include "mmap/object.h"

/* Closes `map` without the GIL. */
int mmap_close_map(ironmap_map *map, ironmap_error *error);

/* Closes object->ended without the GIL. Keeps an exception that is set. */
void mmap_end(MmapObject *object);

#endif /* IRONMAP_EXT_MMAP_END_H */
