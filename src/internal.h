/* The map as the library's own files know it. */
#ifndef MAPIO_INTERNAL_H
#define MAPIO_INTERNAL_H

#include <stdatomic.h>

#include "platform/platform.h"
#include "range.h"
#include "status.h"

struct mapio_map {
    /* What every access needs, in one cache line. */
    uint8_t *data;      /* the first byte: view.base + offset % granularity; never NULL */
    size_t length;      /* bytes from data */
    size_t position;    /* of stream.c; beyond length only after a resize */
    atomic_size_t pins; /* resize and close refuse while it is not 0 */

    /* Its shape, changed by map.c alone. */
    mapio__view view;
    mapio__mode mode;
    mapio__file file; /* MAPIO__NO_FILE: anonymous or not tracked */
    uint64_t offset;  /* in the file */
    bool tracked;     /* false: opened with MAPIO_OPEN_NO_TRACK */
};

/* The range and permission of an access, checked the same way everywhere. */
static inline int mapio__check_read(const mapio_map *map, uint64_t offset, uint64_t length,
                                    mapio_error *error)
{
    mapio_status status =
        map->mode.readable ? mapio__range_check(offset, length, map->length) : MAPIO_E_NOT_READABLE;
    return status == MAPIO_OK ? MAPIO_OK : mapio__fail(error, status);
}

static inline int mapio__check_write(const mapio_map *map, uint64_t offset, uint64_t length,
                                     mapio_error *error)
{
    mapio_status status =
        map->mode.writable ? mapio__range_check(offset, length, map->length) : MAPIO_E_READONLY;
    return status == MAPIO_OK ? MAPIO_OK : mapio__fail(error, status);
}

#endif /* MAPIO_INTERNAL_H */
