/* Checked arithmetic on offsets and lengths: the one place where they are added and compared. */
#ifndef IRONMAP_RANGE_H
#define IRONMAP_RANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Where the file and the address space end: off_t is signed on every system, and no object may be
 * longer than PTRDIFF_MAX bytes (C17 6.5.6p9: the difference of its ends must fit). */
#define IRONMAP__FILE_MAX ((uint64_t)INT64_MAX)
#define IRONMAP__MEMORY_MAX ((size_t)PTRDIFF_MAX)

static inline uint64_t ironmap__min(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t ironmap__max(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* `*sum` = a + b; false, and nothing stored, where that wraps. */
static inline bool ironmap__add(uint64_t *sum, uint64_t a, uint64_t b)
{
    if (b > UINT64_MAX - a) {
        return false;
    }
    *sum = a + b;
    return true;
}

/* `*size` = a + b as a length of memory; false where no memory is so long. */
static inline bool ironmap__add_size(size_t *size, uint64_t a, uint64_t b)
{
    uint64_t sum = 0;
    if (!ironmap__add(&sum, a, b) || sum > IRONMAP__MEMORY_MAX) {
        return false;
    }
    *size = (size_t)sum;
    return true;
}

/* IRONMAP_OK where [offset, offset + length) lies inside [0, limit), else what is wrong with it. */
static inline ironmap_status ironmap__range_check(uint64_t offset, uint64_t length, uint64_t limit)
{
    if (offset <= limit && length <= limit - offset) {
        return IRONMAP_OK;
    }
    return length > UINT64_MAX - offset ? IRONMAP_E_OVERFLOW : IRONMAP_E_RANGE;
}

/* The length of a range as an argument: IRONMAP_TO_END is the rest of `limit`. */
static inline size_t ironmap__to_end(size_t length, uint64_t offset, size_t limit)
{
    if (length != IRONMAP_TO_END) {
        return length;
    }
    return offset <= limit ? limit - (size_t)offset : 0;
}

/* The end of a range that is cut to `limit`. */
static inline uint64_t ironmap__range_end(uint64_t offset, size_t length, size_t limit)
{
    uint64_t end = 0;
    return ironmap__add(&end, offset, length) ? ironmap__min(end, limit) : limit;
}

/* `*span` = (count - 1) * stride, the distance of the first of `count` things from the last; false
 * where that wraps. count and stride are not 0. */
static inline bool ironmap__span(uint64_t *span, uint64_t count, uint64_t stride)
{
    if (count - 1 > UINT64_MAX / stride) {
        return false;
    }
    *span = (count - 1) * stride;
    return true;
}

/* The largest multiple of `unit`, a power of two, that is not above `value`. */
static inline uint64_t ironmap__align_down(uint64_t value, size_t unit)
{
    return value - value % unit;
}

/* The smallest multiple of `unit`, a power of two, that is not below `value`, a length of memory.
 */
static inline size_t ironmap__align_up(size_t value, size_t unit)
{
    return (value + unit - 1) / unit * unit;
}

#endif /* IRONMAP_RANGE_H */
