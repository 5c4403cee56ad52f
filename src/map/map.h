/* What open.c needs of map.c. */
#ifndef IRONMAP_MAP_H
#define IRONMAP_MAP_H

#include "map/internal.h"

/* An empty map of the mode that `options` ask for. */
int ironmap__map_new(ironmap_map **out, const ironmap_options *options, bool anonymous,
                     ironmap_error *error);

/* Opens the tag of the options, if there is one, for a map that is still empty: of the caller's
 * `file`, or of memory if that is IRONMAP__NO_FILE. `*length` is what the map would have without a
 * tag and becomes what it has with it. The map lets go of the tag, in case of failure too. */
int ironmap__tag_join(size_t *length, ironmap_map *map, ironmap__file file,
                      const ironmap_options *options, ironmap_error *error);

/* Maps `length` bytes of `file` from the map's offset into the map, which is empty. */
int ironmap__map_shape(ironmap_map *map, ironmap__file file, size_t length, ironmap_error *error);

/* Lets go of the memory and of what is known about it: the map is empty. */
int ironmap__map_unshape(ironmap_map *map, ironmap_error *error);

/* Reserves the disk's blocks of `file` for a map of this length, if that was asked for. */
int ironmap__map_reserve(const ironmap_map *map, ironmap__file file, size_t length,
                         ironmap_error *error);

/* Lets go of all that the map has, and frees it. */
int ironmap__map_end(ironmap_map *map, ironmap_error *error);

#endif /* IRONMAP_MAP_H */
