/* A mapping: all that the fault engine knows of a map. It knows no map: the map embeds one. */
#ifndef IRONMAP_MAPPING_H
#define IRONMAP_MAPPING_H

#include "base/range.h"
#include "fault/page_state.h"
#include "platform/platform.h"

struct ironmap__registry_entry;

typedef struct ironmap__mapping {
    /* What every access needs, in one cache line. */
    uint8_t *data; /* the first byte that counts: view.base and the alignment; never NULL */
    size_t length; /* bytes from data */
    ironmap__mode mode;
    ironmap__page_state state; /* begins with the two counters of the guard */

    atomic_size_t pins;       /* exported addresses; see ironmap_pin */
    atomic_bool was_exported; /* it was pinned: code may use its addresses without a pin */
    bool suspended;           /* see ironmap__suspend */
    ironmap__view view;
    ironmap__file file;                    /* IRONMAP__NO_FILE: anonymous or not tracked */
    uint64_t offset;                       /* in the file, of data */
    struct ironmap__registry_entry *entry; /* NULL: not registered */

    /* NULL, except for a reservation (reservation.h): the mapping that is told of uses. It is the
     * mapping itself if its map was closed. */
    struct ironmap__mapping *reserved_for;
} ironmap__mapping;

/* Bytes of the view before its first byte that counts: a view begins at a multiple of the
 * granularity and of its page size, data anywhere. */
static inline size_t ironmap__alignment(const ironmap__mapping *mapping)
{
    return (size_t)(mapping->data - mapping->view.base);
}

/* Bytes of the view, the rest of its last page included. */
static inline size_t ironmap__view_size_in_pages(const ironmap__mapping *mapping)
{
    return ironmap__align_up(mapping->view.length, mapping->mode.page);
}

/* The view in whole pages. */
static inline ironmap__view ironmap__whole_view(const ironmap__mapping *mapping)
{
    return (ironmap__view){mapping->view.base, ironmap__view_size_in_pages(mapping)};
}

static inline size_t ironmap__page_count(const ironmap__mapping *mapping)
{
    return ironmap__view_size_in_pages(mapping) / mapping->mode.page;
}

/* Where the view begins in the file. An anonymous mapping has no file to be aligned in. */
static inline uint64_t ironmap__view_offset(const ironmap__mapping *mapping)
{
    size_t unit = (size_t)ironmap__max(ironmap__granularity(), mapping->mode.page);
    return mapping->mode.anonymous ? mapping->offset : ironmap__align_down(mapping->offset, unit);
}

/* Where `address` of a reservation was in the map, in bytes from data. The reservation may begin
 * before the map: 0 then. */
static inline size_t ironmap__place_in_map(const ironmap__mapping *mapping, uintptr_t address)
{
    uintptr_t first = (uintptr_t)mapping->data;
    return address > first ? address - first : 0;
}

/* The page state changes under what is const for a reader. */
static inline ironmap__mapping *ironmap__mutable(const ironmap__mapping *mapping)
{
    return (ironmap__mapping *)(uintptr_t)mapping;
}

#endif /* IRONMAP_MAPPING_H */
