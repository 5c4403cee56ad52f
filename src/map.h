/* What open.c needs of map.c. */
#ifndef MAPIO_MAP_H
#define MAPIO_MAP_H

#include "internal.h"

/* An empty map of the mode that `options` ask for. */
int mapio__map_new(mapio_map **out, const mapio_options *options, bool anonymous,
                   mapio_error *error);

/* Opens the tag of the options, if there is one, for a map that is still empty: of the caller's
 * `file`, or of memory if that is MAPIO__NO_FILE. `*length` is what the map would have without a
 * tag and becomes what it has with it. The map lets go of the tag, in case of failure too. */
int mapio__tag_join(size_t *length, mapio_map *map, mapio__file file, const mapio_options *options,
                    mapio_error *error);

/* Maps `length` bytes of `file` from the map's offset into the map, which is empty. */
int mapio__map_shape(mapio_map *map, mapio__file file, size_t length, mapio_error *error);

/* Lets go of the memory and of what is known about it: the map is empty. */
int mapio__map_unshape(mapio_map *map, mapio_error *error);

/* Reserves the disk's blocks of `file` for a map of this length, if that was asked for. */
int mapio__map_reserve(const mapio_map *map, mapio__file file, size_t length, mapio_error *error);

/* Lets go of all that the map has, and frees it. */
int mapio__map_end(mapio_map *map, mapio_error *error);

#endif /* MAPIO_MAP_H */
