/* How a map joins a tag. */
#ifndef IRONMAP_TAG_H
#define IRONMAP_TAG_H

#include "map/map.h"

/* Opens the tag of the options, if there is one, for a map that has no view: of the caller's
 * `file`, or of memory if that is IRONMAP__NO_FILE. `*length` is what the map would have without a
 * tag and becomes what it has with it. The map owns the tag, also after a failure. */
int ironmap__tag_join(size_t *length, ironmap_map *map, ironmap__file file,
                      const ironmap_options *options, ironmap_error *error);

#endif /* IRONMAP_TAG_H */
