/* Bytes of a map that lie a step apart. Where the other side is the map's own memory, a copy comes
 * first: what is stored must not be read again. So it does where the bytes to store are another
 * map's, which may be lost.
 */
#include "map/access.h"

#include <stdlib.h>

#include "map/access_loop.h"
#include "map/own_memory.h"
#include "map/source.h"

/* `count` bytes that lie `step` apart, the first at `offset`. */
typedef struct strided {
    uint64_t offset;
    int64_t step;
    size_t count;
} strided;

/* Bytes from one to the next, whatever the direction. */
static uint64_t distance(strided s)
{
    return s.step > 0 ? (uint64_t)s.step : (uint64_t)0 - (uint64_t)s.step;
}

/* IRONMAP_OK if all of them lie inside the map. */
static ironmap_status range_of_strided(const ironmap_map *map, strided s)
{
    size_t length = map->mapping.length;
    uint64_t to_last = 0;
    if (s.count == 0) {
        return ironmap__range_check(s.offset, 0, length);
    }
    if (!ironmap__span(&to_last, s.count, distance(s))) {
        return IRONMAP_E_OVERFLOW;
    }
    if (s.offset >= length) {
        return IRONMAP_E_RANGE;
    }
    bool outside = s.step > 0 ? to_last >= length - s.offset : to_last > s.offset;
    return outside ? IRONMAP_E_RANGE : IRONMAP_OK;
}

/* `denied` is the status that the permission gives, or IRONMAP_OK. */
static int check_strided(const ironmap_map *map, strided s, ironmap_status denied,
                         ironmap_error *error)
{
    if (s.step == 0) {
        return ironmap__fail_invalid(error, "step is 0");
    }
    ironmap_status status = denied == IRONMAP_OK ? range_of_strided(map, s) : denied;
    return status == IRONMAP_OK ? IRONMAP_OK : ironmap__fail(error, status);
}

/* The range from the first to the last of them, which lies inside the map. */
static ironmap__access_range strided_range(strided s, bool store)
{
    size_t offset = (size_t)s.offset;
    if (s.count == 0) {
        return (ironmap__access_range){offset, 0, store};
    }
    size_t to_last = (size_t)((s.count - 1) * distance(s));
    return (ironmap__access_range){s.step > 0 ? offset : offset - to_last, to_last + 1, store};
}

/* A loop whose units are the bytes of `s`. It reads ahead only if every page is needed. */
static void strided_begin(ironmap__access_loop *loop, const ironmap_map *map, strided s, bool store,
                          ironmap_error *error)
{
    const ironmap__mapping *mapping = &map->mapping;
    ironmap__access_range range = strided_range(s, store);
    size_t ahead = distance(s) <= ironmap__page_size() ? range.length : 0;
    ironmap__access_prepare(loop, mapping, map, range, error);
    loop->total = s.count;
    loop->chunk = (size_t)(IRONMAP__CHUNK_BYTES / distance(s)) + 1;
    loop->unit_size = (size_t)distance(s);
    ironmap__readahead_begin(&loop->readahead, mapping, range.offset, range.offset + ahead,
                             s.step < 0);
    ironmap__access_start(loop);
}

/* Reads them into memory that is not the map's. */
static int gather(uint8_t *target, const ironmap_map *map, strided s, ironmap_error *error)
{
    ironmap__access_loop loop;
    const uint8_t *source = map->mapping.data + s.offset;
    strided_begin(&loop, map, s, false, error);
    while (ironmap__access_next(&loop)) {
        for (size_t i = loop.done; i < loop.done + loop.count; i++) {
            target[i] = source[(ptrdiff_t)i * (ptrdiff_t)s.step];
        }
    }
    return ironmap__access_end(&loop);
}

/* Stores bytes that are not in the memory of a map. */
static int scatter(ironmap_map *map, strided s, const uint8_t *source, ironmap_error *error)
{
    ironmap__access_loop loop;
    uint8_t *target = map->mapping.data + s.offset;
    strided_begin(&loop, map, s, true, error);
    while (ironmap__access_next(&loop)) {
        for (size_t i = loop.done; i < loop.done + loop.count; i++) {
            target[(ptrdiff_t)i * (ptrdiff_t)s.step] = source[i];
        }
    }
    return ironmap__access_end(&loop);
}

/* ---- with the map's own memory on the other side ---- */

static int gather_inside(ironmap_map *map, const void *target, strided s, ironmap_error *error)
{
    uint64_t to = (uintptr_t)target - (uintptr_t)map->mapping.data;
    uint8_t *copy = malloc(s.count);
    if (copy == NULL) {
        return ironmap__fail(error, IRONMAP_E_NOMEM);
    }
    int status = gather(copy, map, s, error);
    if (status == IRONMAP_OK) {
        status = ironmap_put(map, to, copy, s.count, error);
    }
    free(copy);
    return status;
}

/* Stores bytes some of which are a map's, this one's or another's. */
static int scatter_mapped(ironmap_map *map, strided s, const uint8_t *source, ironmap_error *error)
{
    uint8_t *copy = malloc(s.count);
    if (copy == NULL) {
        return ironmap__fail(error, IRONMAP_E_NOMEM);
    }
    int status = ironmap__load(copy, source, s.count, error);
    if (status == IRONMAP_OK) {
        status = scatter(map, s, copy, error);
    }
    free(copy);
    return status;
}

/* ---- the functions ---- */

int ironmap_get_strided(const ironmap_map *map, uint64_t offset, int64_t step, void *buffer,
                        size_t count, ironmap_error *error)
{
    const strided s = {offset, step, count};
    bool readable = map->mapping.mode.readable;
    int status = check_strided(map, s, readable ? IRONMAP_OK : IRONMAP_E_NOT_READABLE, error);
    if (status != IRONMAP_OK) {
        return status;
    }
    /* The caller has the address of the map's memory, and so the map itself. */
    return count > 0 && ironmap__map_contains_all(&map->mapping, buffer, count)
               ? gather_inside((ironmap_map *)(uintptr_t)map, buffer, s, error)
               : gather(buffer, map, s, error);
}

int ironmap_put_strided(ironmap_map *map, uint64_t offset, int64_t step, const void *buffer,
                        size_t count, ironmap_error *error)
{
    const strided s = {offset, step, count};
    bool writable = map->mapping.mode.writable;
    int status = check_strided(map, s, writable ? IRONMAP_OK : IRONMAP_E_READONLY, error);
    if (status != IRONMAP_OK) {
        return status;
    }
    return count > 0 && ironmap__is_mapped(buffer, count) ? scatter_mapped(map, s, buffer, error)
                                                          : scatter(map, s, buffer, error);
}
