/* The map as the library's own files know it. */
#ifndef IRONMAP_INTERNAL_H
#define IRONMAP_INTERNAL_H

#include <stdatomic.h>

#include "base/error.h"
#include "base/range.h"
#include "fault/fault.h"
#include "platform/platform.h"

/* For the long way, that it stays out of the short one in front of it. */
#ifdef __GNUC__
#define IRONMAP__APART __attribute__((cold, noinline))
#else
#define IRONMAP__APART
#endif

struct ironmap_map {
    /* What every access needs, in one cache line. */
    uint8_t *data;       /* the first byte: view.base + offset % granularity; never NULL */
    size_t length;       /* bytes from data */
    size_t position;     /* of stream.c; beyond length only after a resize */
    atomic_size_t pins;  /* addresses handed out; resize and close refuse while it is not 0 */
    atomic_size_t holds; /* likewise, for those who use this library's functions only */

    /* Its shape, changed by map.c alone. */
    ironmap__view view;
    ironmap__mode mode;
    ironmap_access access; /* as ironmap_access_of tells it */
    ironmap__file file;    /* IRONMAP__NO_FILE: anonymous or not tracked */
    uint64_t offset;       /* in the file */
    ironmap__tag *tag;     /* NULL: none */
    bool tag_memory;  /* mapped is the tag's own memory: file and offset are those of the tag */
    bool tracked;     /* false: opened with IRONMAP_OPEN_NO_TRACK */
    bool preallocate; /* opened with IRONMAP_OPEN_PREALLOCATE */

    ironmap_check *check; /* as in the options */
    void *check_context;

    /* What became of its pages: fault.c. */
    ironmap__slot *slot; /* in the register; NULL: not registered */
    ironmap__health health;
};

/* The range and permission of an access, checked the same way everywhere. */
static inline int ironmap__check_read(const ironmap_map *map, uint64_t offset, uint64_t length,
                                      ironmap_error *error)
{
    ironmap_status status = map->mode.readable ? ironmap__range_check(offset, length, map->length)
                                               : IRONMAP_E_NOT_READABLE;
    return status == IRONMAP_OK ? IRONMAP_OK : ironmap__fail(error, status);
}

static inline int ironmap__check_write(const ironmap_map *map, uint64_t offset, uint64_t length,
                                       ironmap_error *error)
{
    ironmap_status status =
        map->mode.writable ? ironmap__range_check(offset, length, map->length) : IRONMAP_E_READONLY;
    return status == IRONMAP_OK ? IRONMAP_OK : ironmap__fail(error, status);
}

/* Bytes of the view, the rest of its last page included. */
static inline size_t ironmap__view_reach(const ironmap_map *map)
{
    return ironmap__align_up(map->view.length, ironmap__page_size());
}

/* Bytes of the view before its map's first. */
static inline size_t ironmap__lead(const ironmap_map *map)
{
    return (size_t)(map->data - map->view.base);
}

/* After the map: it looks into it. The build finds it, since the benchmark has one of its own. */
#include "fault/guard.h"

/* access.c: copies `length` bytes from the start of one map to the start of another. */
int ironmap__copy_between(ironmap_map *target, const ironmap_map *source, size_t length,
                          ironmap_error *error);

/* The guard: every access of the library to mapped memory happens between begin and end, which are
 * told the same range. Where begin succeeds, its bytes may be touched; the bytes that were read and
 * the stores that were made count only if end succeeds too. Their errors are IRONMAP_E_FAULT.
 * Between them no code of others runs and no second access begins. */
static inline int ironmap__guard_begin(ironmap__guard *guard, const ironmap_map *map,
                                       ironmap__touch touch, ironmap_error *error)
{
    if (!ironmap__guard_try(guard, map)) {
        int status = ironmap__guard_settle(guard, touch, error);
        if (status != IRONMAP_OK) {
            return status;
        }
    }
    ironmap__guard_enter(map);
    return IRONMAP_OK;
}

/* In the middle of long work: where pages were lost that the access does not touch, it begins anew
 * and goes on. After a failure there is nothing to end. */
static inline int ironmap__guard_check(ironmap__guard *guard, ironmap__touch touch,
                                       ironmap_error *error)
{
    if (ironmap__guard_whole(*guard)) {
        return IRONMAP_OK;
    }
    ironmap__guard_leave();
    int status = ironmap__guard_report(*guard, touch, error);
    return status == IRONMAP_OK ? ironmap__guard_begin(guard, guard->map, touch, error) : status;
}

/* Around code that may itself access maps, between begin and end. */
static inline void ironmap__frame_enter(ironmap__frame *frame, const ironmap_map *map)
{
    *frame = (ironmap__frame){map, ironmap__frames};
    ironmap__frames = frame;
    atomic_signal_fence(memory_order_seq_cst);
}

static inline void ironmap__frame_leave(const ironmap__frame *frame)
{
    atomic_signal_fence(memory_order_seq_cst);
    ironmap__frames = frame->outer;
}

static inline int ironmap__guard_end(ironmap__guard guard, ironmap__touch touch,
                                     ironmap_error *error)
{
    ironmap__guard_leave();
    return ironmap__guard_whole(guard) ? IRONMAP_OK : ironmap__guard_report(guard, touch, error);
}

/* Whether some of the `length` bytes of `buffer` are the map's own. */
static inline bool ironmap__overlaps(const ironmap_map *map, const void *buffer, size_t length)
{
    uintptr_t distance = (uintptr_t)buffer - (uintptr_t)map->data;
    return distance < map->length || (uintptr_t)0 - distance < length;
}

/* What is the map's own of the memory at `a` and at `b`, and all between them. */
static inline ironmap__touch ironmap__hull(const ironmap_map *map, const void *a, size_t a_length,
                                           const void *b, size_t b_length)
{
    uintptr_t data = (uintptr_t)map->data;
    uint64_t low = ironmap__min((uintptr_t)a, (uintptr_t)b);
    uint64_t high = ironmap__max((uintptr_t)a + a_length, (uintptr_t)b + b_length);
    low = ironmap__max(low, data);
    high = ironmap__min(high, data + map->length);
    return (ironmap__touch){(size_t)(low - data), (size_t)(high - low), true};
}

#endif /* IRONMAP_INTERNAL_H */
