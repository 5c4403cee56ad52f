/* The map, as the files of this floor know it. */
#ifndef IRONMAP_MAP_H
#define IRONMAP_MAP_H

#include <ironmap/extra.h>

#include "base/error.h"
#include "fault/mapping.h"
#include "fault/reservation.h"

struct ironmap_map {
    ironmap__mapping mapping;
    ironmap_access access;      /* as ironmap_map_access tells it */
    size_t position;            /* of stream.c; beyond the length only after a resize */
    atomic_size_t holds;        /* see ironmap_hold */
    size_t told_damage;         /* see ironmap_note_told_damage */
    ironmap__reservation *left; /* addresses that resizes have left; some may have none */

    ironmap__tag *tag; /* NULL: none */
    bool tag_memory;   /* mapped is the tag's own memory: file and offset are those of the tag */
    bool tracked;      /* false: opened with IRONMAP_OPEN_NO_TRACK */
    bool preallocate;  /* opened with IRONMAP_OPEN_PREALLOCATE */

    ironmap_check *check; /* as in the options */
    void *check_context;
};

/* The range and the permission of an access. */
static inline int ironmap__check_read(const ironmap_map *map, uint64_t offset, uint64_t length,
                                      ironmap_error *error)
{
    ironmap_status status = map->mapping.mode.readable
                                ? ironmap__range_check(offset, length, map->mapping.length)
                                : IRONMAP_E_NOT_READABLE;
    return status == IRONMAP_OK ? IRONMAP_OK : ironmap__fail(error, status);
}

static inline int ironmap__check_write(const ironmap_map *map, uint64_t offset, uint64_t length,
                                       ironmap_error *error)
{
    ironmap_status status = map->mapping.mode.writable
                                ? ironmap__range_check(offset, length, map->mapping.length)
                                : IRONMAP_E_READONLY;
    return status == IRONMAP_OK ? IRONMAP_OK : ironmap__fail(error, status);
}

/* Bytes of the map's memory between the start of its page and `offset`. */
static inline size_t ironmap__offset_in_page(const ironmap_map *map, uint64_t offset)
{
    return (size_t)((uintptr_t)(map->mapping.data + offset) % map->mapping.mode.page);
}

#endif /* IRONMAP_MAP_H */
