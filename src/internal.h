/* The map as the library's own files know it. */
#ifndef MAPIO_INTERNAL_H
#define MAPIO_INTERNAL_H

#include <stdatomic.h>

#include "fault.h"
#include "platform/platform.h"
#include "range.h"
#include "status.h"

/* For the long way, that it stays out of the short one in front of it. */
#ifdef __GNUC__
#define MAPIO__APART __attribute__((cold, noinline))
#else
#define MAPIO__APART
#endif

struct mapio_map {
    /* What every access needs, in one cache line. */
    uint8_t *data;       /* the first byte: view.base + offset % granularity; never NULL */
    size_t length;       /* bytes from data */
    size_t position;     /* of stream.c; beyond length only after a resize */
    atomic_size_t pins;  /* addresses handed out; resize and close refuse while it is not 0 */
    atomic_size_t holds; /* likewise, for those who use this library's functions only */

    /* Its shape, changed by map.c alone. */
    mapio__view view;
    mapio__mode mode;
    mapio__file file; /* MAPIO__NO_FILE: anonymous or not tracked */
    uint64_t offset;  /* in the file */
    mapio__tag *tag;  /* NULL: none */
    bool tag_memory;  /* mapped is the tag's own memory: file and offset are those of the tag */
    bool tracked;     /* false: opened with MAPIO_OPEN_NO_TRACK */
    bool preallocate; /* opened with MAPIO_OPEN_PREALLOCATE */

    mapio_check *check; /* as in the options */
    void *check_context;

    /* What became of its pages: fault.c. */
    mapio__slot *slot; /* in the register; NULL: not registered */
    mapio__health health;
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

/* Bytes of the view, the rest of its last page included. */
static inline size_t mapio__view_reach(const mapio_map *map)
{
    return mapio__align_up(map->view.length, mapio__page_size());
}

/* Bytes of the view before its map's first. */
static inline size_t mapio__lead(const mapio_map *map)
{
    return (size_t)(map->data - map->view.base);
}

/* After the map: it looks into it. The build finds it, since the benchmark has one of its own. */
#include "guard.h"

/* access.c: copies `length` bytes from the start of one map to the start of another. */
int mapio__copy_between(mapio_map *target, const mapio_map *source, size_t length,
                        mapio_error *error);

/* The guard: every access of the library to mapped memory happens between begin and end, which are
 * told the same range. Where begin succeeds, its bytes may be touched; the bytes that were read and
 * the stores that were made count only if end succeeds too. Their errors are MAPIO_E_FAULT. Between
 * them no code of others runs and no second access begins. */
static inline int mapio__guard_begin(mapio__guard *guard, const mapio_map *map, mapio__touch touch,
                                     mapio_error *error)
{
    if (!mapio__guard_try(guard, map)) {
        int status = mapio__guard_settle(guard, touch, error);
        if (status != MAPIO_OK) {
            return status;
        }
    }
    mapio__guard_enter(map);
    return MAPIO_OK;
}

/* In the middle of long work: where pages were lost that the access does not touch, it begins anew
 * and goes on. After a failure there is nothing to end. */
static inline int mapio__guard_check(mapio__guard *guard, mapio__touch touch, mapio_error *error)
{
    if (mapio__guard_whole(*guard)) {
        return MAPIO_OK;
    }
    mapio__guard_leave();
    int status = mapio__guard_report(*guard, touch, error);
    return status == MAPIO_OK ? mapio__guard_begin(guard, guard->map, touch, error) : status;
}

/* Around code that may itself access maps, between begin and end. */
static inline void mapio__frame_enter(mapio__frame *frame, const mapio_map *map)
{
    *frame = (mapio__frame){map, mapio__frames};
    mapio__frames = frame;
    atomic_signal_fence(memory_order_seq_cst);
}

static inline void mapio__frame_leave(const mapio__frame *frame)
{
    atomic_signal_fence(memory_order_seq_cst);
    mapio__frames = frame->outer;
}

static inline int mapio__guard_end(mapio__guard guard, mapio__touch touch, mapio_error *error)
{
    mapio__guard_leave();
    return mapio__guard_whole(guard) ? MAPIO_OK : mapio__guard_report(guard, touch, error);
}

/* Whether some of the `length` bytes of `buffer` are the map's own. */
static inline bool mapio__overlaps(const mapio_map *map, const void *buffer, size_t length)
{
    uintptr_t distance = (uintptr_t)buffer - (uintptr_t)map->data;
    return distance < map->length || (uintptr_t)0 - distance < length;
}

/* What is the map's own of the memory at `a` and at `b`, and all between them. */
static inline mapio__touch mapio__hull(const mapio_map *map, const void *a, size_t a_length,
                                       const void *b, size_t b_length)
{
    uintptr_t data = (uintptr_t)map->data;
    uint64_t low = mapio__min((uintptr_t)a, (uintptr_t)b);
    uint64_t high = mapio__max((uintptr_t)a + a_length, (uintptr_t)b + b_length);
    low = mapio__max(low, data);
    high = mapio__min(high, data + map->length);
    return (mapio__touch){(size_t)(low - data), (size_t)(high - low), true};
}

#endif /* MAPIO_INTERNAL_H */
