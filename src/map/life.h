/* The life of a map, for the file that opens one. */
#ifndef IRONMAP_LIFE_H
#define IRONMAP_LIFE_H

#include "map/map.h"

/* A map without a view, of the mode that `options` ask for. */
int ironmap__map_new(ironmap_map **out, ironmap_access access, const ironmap_options *options,
                     bool anonymous, ironmap_error *error);

/* Maps `length` (not 0) bytes of `file`, or of the tag if it is not NULL, from the mapping's offset
 * into the mapping, which has no view. */
int ironmap__mapping_open(ironmap__mapping *mapping, const ironmap__tag *tag, ironmap__file file,
                          size_t length, ironmap_error *error);

/* Maps `length` bytes of `file` from the map's offset into the map, which has no view. */
int ironmap__map_view(ironmap_map *map, ironmap__file file, size_t length, ironmap_error *error);

/* Unmaps: the map has no view. */
int ironmap__unmap(ironmap_map *map, ironmap_error *error);

/* Reserves the disk's blocks of `file` for a map of this length, if that was asked for. */
int ironmap__map_reserve(const ironmap_map *map, ironmap__file file, size_t length,
                         ironmap_error *error);

/* True if a file that was extended to `length` may be truncated to undo that: it still has this
 * length, so no other process has appended to it. */
bool ironmap__can_undo_extension(ironmap__file file, uint64_t length);

/* Unmaps, closes the file and the tag, and frees the map. */
int ironmap__map_end(ironmap_map *map, ironmap_error *error);

#endif /* IRONMAP_LIFE_H */
