/* Resizing a map that was exported: what its view leaves is kept as reservations, since code may
 * still use the addresses. One reservation may lie right behind the view: the map grows into it. */
#ifndef IRONMAP_LEAVE_H
#define IRONMAP_LEAVE_H

#include "map/map.h"

/* Makes the reservations that one resize needs, since the functions below must not fail. */
int ironmap__leave_prepare(ironmap_map *map, ironmap_error *error);

/* Frees those that were not needed. */
void ironmap__leave_finish(ironmap_map *map);

/* Makes the map `length` bytes long, not 0, which its view has. The pages behind are kept. If the
 * system cannot give up what they show, they stay a part of the view. */
void ironmap__leave_tail(ironmap_map *map, size_t length);

/* Makes the map longer, inside the pages of its view. What a private map had in pages behind its
 * end is not shown again. */
int ironmap__return_to_tail(ironmap_map *map, size_t length, ironmap_error *error);

/* Makes the map empty, and keeps all of its view. */
void ironmap__leave_view(ironmap_map *map);

/* Gives the map a new view: that of `next`, which then has none. The old one is kept. */
void ironmap__leave_for(ironmap_map *map, ironmap__mapping *next, size_t length);

/* Makes the map longer where it is, over the reservation behind its view. IRONMAP_E_UNSUPPORTED if
 * there is none that is long enough, or if the system cannot. */
int ironmap__return_to_left(ironmap_map *map, size_t length, ironmap_error *error);

#endif /* IRONMAP_LEAVE_H */
