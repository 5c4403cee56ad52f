/* What open.c needs of map.c. */
#ifndef MAPIO_MAP_H
#define MAPIO_MAP_H

#include "internal.h"

/* An empty map of the mode that `options` ask for. */
int mapio__map_new(mapio_map **out, const mapio_options *options, bool anonymous,
                   mapio_error *error);

/* Maps `length` bytes of `file` from the map's offset into the map, which is empty. */
int mapio__map_shape(mapio_map *map, mapio__file file, size_t length, mapio_error *error);

/* Lets go of the memory and of what is known about it: the map is empty. */
int mapio__map_unshape(mapio_map *map, mapio_error *error);

/* Reserves the disk's blocks of `file` for a map of this length, if that was asked for. */
int mapio__map_reserve(const mapio_map *map, mapio__file file, size_t length, mapio_error *error);

/* Ends a map that holds no file yet. */
void mapio__map_free(mapio_map *map);

#endif /* MAPIO_MAP_H */
