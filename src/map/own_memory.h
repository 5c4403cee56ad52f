/* Whether a buffer of the caller is the map's own memory. */
#ifndef IRONMAP_OWN_MEMORY_H
#define IRONMAP_OWN_MEMORY_H

#include "fault/guard.h"

/* True if some of the `length` bytes of `buffer` are the map's own. */
static inline bool ironmap__map_contains(const ironmap__mapping *mapping, const void *buffer,
                                         size_t length)
{
    uintptr_t distance = (uintptr_t)buffer - (uintptr_t)mapping->data;
    return distance < mapping->length || (uintptr_t)0 - distance < length;
}

/* True if all of the bytes are the map's own. */
static inline bool ironmap__map_contains_all(const ironmap__mapping *mapping, const void *buffer,
                                             size_t length)
{
    uintptr_t distance = (uintptr_t)buffer - (uintptr_t)mapping->data;
    return ironmap__range_check(distance, length, mapping->length) == IRONMAP_OK;
}

/* The smallest range of the map that has all its own bytes of the memory at `a` and at `b`. */
static inline ironmap__access_range ironmap__bounding_range(const ironmap__mapping *mapping,
                                                            const void *a, size_t a_length,
                                                            const void *b, size_t b_length)
{
    uintptr_t data = (uintptr_t)mapping->data;
    uint64_t low = ironmap__min((uintptr_t)a, (uintptr_t)b);
    uint64_t high = ironmap__max((uintptr_t)a + a_length, (uintptr_t)b + b_length);
    low = ironmap__max(low, data);
    high = ironmap__min(high, data + mapping->length);
    return (ironmap__access_range){(size_t)(low - data), (size_t)(high - low), true};
}

#endif /* IRONMAP_OWN_MEMORY_H */
