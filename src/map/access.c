/* Bytes into and out of a map. Short accesses take a fast path, for the common case that no page is
 * lost. If one is, the slow path does the access again and finds out what it means.
 */
#include "map/access.h"

#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "map/access_loop.h"
#include "map/own_memory.h"
#include "map/source.h"

/* Fast path: copies at once, under the guard. False if that does not count. `store` is a constant.
 */
static inline bool copy_fast(const ironmap__mapping *mapping, void *target, const void *source,
                             size_t length, bool store)
{
    ironmap__guard guard;
    if (!ironmap__guard_try(&guard, mapping)) {
        return false;
    }
    ironmap__guard_enter(mapping);
    memcpy(target, source, length);
    ironmap__guard_exit();
    return ironmap__guard_held(guard, store);
}

/* Between two places of which one or both are the map's own memory, and which may overlap: begins
 * at the end where it does not run over its source. By way of a buffer, so that the zeros of a lost
 * page are not stored. */
static IRONMAP__NOINLINE int copy_inside(const ironmap_map *map, uint8_t *target,
                                         const uint8_t *source, size_t length, ironmap_error *error)
{
    uint8_t buffer[8192];
    ironmap__access_loop loop;
    const ironmap__mapping *mapping = &map->mapping;
    bool forward = (uintptr_t)target <= (uintptr_t)source;
    ironmap__access_prepare(&loop, mapping, map,
                            ironmap__bounding_range(mapping, target, length, source, length),
                            error);
    loop.total = length;
    loop.chunk = sizeof(buffer);
    ironmap__readahead_begin(&loop.readahead, mapping, 0, 0, false);
    ironmap__access_start(&loop);
    bool stored = false; /* the source of this chunk may be overwritten already */
    while (ironmap__access_next(&loop)) {
        size_t at = forward ? loop.done : length - loop.done - loop.count;
        stored = stored && loop.again;
        if (!stored) {
            memcpy(buffer, source + at, loop.count);
            stored = ironmap__access_check(&loop);
        }
        if (stored) {
            memcpy(target + at, buffer, loop.count);
        }
    }
    return ironmap__access_end(&loop);
}

static IRONMAP__NOINLINE int copy_in(ironmap_map *map, size_t offset, const void *buffer,
                                     size_t length, ironmap_error *error)
{
    ironmap__access_loop loop;
    uint8_t *target = map->mapping.data + offset;
    ironmap__access_begin(&loop, map, (ironmap__access_range){offset, length, true}, error);
    while (ironmap__access_next(&loop)) {
        memcpy(target + loop.done, (const uint8_t *)buffer + loop.done, loop.count);
    }
    return ironmap__access_end(&loop);
}

/* The loop goes over the target. The source has a guard of its own, and a frame, since the loop's
 * own accesses do not nest. */
int ironmap__copy_between(ironmap__mapping *target, const ironmap__mapping *source, size_t length,
                          ironmap_error *error)
{
    ironmap__guard guard;
    ironmap__frame frame;
    ironmap__access_loop loop;
    const ironmap__access_range from = {0, length, false};
    int status = ironmap__guard_begin(&guard, source, from, error);
    if (status != IRONMAP_OK) {
        return status;
    }
    ironmap__frame_enter(&frame, source);
    ironmap__access_prepare(&loop, target, NULL, (ironmap__access_range){0, length, true}, error);
    ironmap__access_start(&loop);
    while (ironmap__access_next(&loop)) {
        memcpy(target->data + loop.done, source->data + loop.done, loop.count);
    }
    status = ironmap__access_end(&loop);
    (void)ironmap__frame_exit(&frame);
    int source_status = ironmap__guard_end(guard, from, status == IRONMAP_OK ? error : NULL);
    return status == IRONMAP_OK ? source_status : status;
}

/* ---- bytes that may be another map's ---- */

/* Stores bytes some of which are a map's. By way of a buffer, so that nothing is stored that was
 * made up for a lost page. Bytes of this map may be overwritten before they are read: then the
 * buffer has all of them. */
static IRONMAP__NOINLINE int put_mapped(ironmap_map *map, size_t offset, const uint8_t *bytes,
                                        size_t length, ironmap_error *error)
{
    bool own = ironmap__map_contains(&map->mapping, bytes, length);
    size_t capacity = own ? length : (size_t)ironmap__min(length, IRONMAP__CHUNK_BYTES);
    uint8_t *buffer = malloc(capacity);
    if (buffer == NULL) {
        return ironmap__fail(error, IRONMAP_E_NOMEM);
    }
    int status = IRONMAP_OK;
    for (size_t done = 0; done < length && status == IRONMAP_OK; done += capacity) {
        size_t count = (size_t)ironmap__min(length - done, capacity);
        bool stop = done > 0 && map->check != NULL && map->check(map->check_context) != 0;
        status = stop ? ironmap__fail(error, IRONMAP_E_INTERRUPTED)
                      : ironmap__load(buffer, bytes + done, count, error);
        if (status == IRONMAP_OK) {
            status = copy_in(map, offset + done, buffer, count, error);
        }
    }
    free(buffer);
    return status;
}

/* ---- bytes ---- */

int ironmap_get(const ironmap_map *map, uint64_t offset, void *buffer, size_t length,
                ironmap_error *error)
{
    const ironmap__mapping *mapping = &map->mapping;
    int status = ironmap__check_read(map, offset, length, error);
    if (status != IRONMAP_OK) {
        return status;
    }
    const uint8_t *source = mapping->data + offset;
    if (ironmap__map_contains(mapping, buffer, length)) {
        return copy_inside(map, buffer, source, length, error);
    }
    if (length > 0 && length <= IRONMAP__CHUNK_BYTES &&
        copy_fast(mapping, buffer, source, length, false)) {
        return IRONMAP_OK;
    }
    return ironmap__access_copy_out(buffer, mapping, map, (size_t)offset, length, error);
}

int ironmap_put(ironmap_map *map, uint64_t offset, const void *buffer, size_t length,
                ironmap_error *error)
{
    const ironmap__mapping *mapping = &map->mapping;
    int status = ironmap__check_write(map, offset, length, error);
    if (status != IRONMAP_OK) {
        return status;
    }
    uint8_t *target = mapping->data + offset;
    if (length > 0 && ironmap__is_mapped(buffer, length)) {
        return ironmap__map_contains_all(mapping, buffer, length)
                   ? copy_inside(map, target, buffer, length, error)
                   : put_mapped(map, (size_t)offset, buffer, length, error);
    }
    if (length > 0 && length <= IRONMAP__CHUNK_BYTES &&
        copy_fast(mapping, target, buffer, length, true)) {
        return IRONMAP_OK;
    }
    return copy_in(map, (size_t)offset, buffer, length, error);
}

/* ---- short reads ---- */

/* Nothing is called, so that the function can be inlined and saves no registers. Like every access
 * it touches no page while pages of the map are zeros: a loss beside damage would be restored
 * together with it. */
bool ironmap_short_read_begin(ironmap_short_read *read, const ironmap_map *map, uint64_t offset,
                              size_t length)
{
    ironmap__guard guard;
    const ironmap__mapping *mapping = &map->mapping;
    if (!mapping->mode.readable || offset > mapping->length || length > mapping->length - offset ||
        !ironmap__guard_is_prepared() || !ironmap__guard_try(&guard, mapping)) {
        return false;
    }
    ironmap__guard_enter_prepared(mapping);
    *read = (ironmap_short_read){mapping->data + offset, guard.losses};
    return true;
}

bool ironmap_short_read_end(const ironmap_short_read *read, const ironmap_map *map)
{
    ironmap__guard_exit();
    return ironmap__guard_held((ironmap__guard){&map->mapping, read->losses}, false);
}

bool ironmap_short_put_byte(ironmap_map *map, uint64_t offset, uint8_t byte)
{
    ironmap__guard guard;
    const ironmap__mapping *mapping = &map->mapping;
    if (!mapping->mode.writable || offset >= mapping->length || !ironmap__guard_is_prepared() ||
        !ironmap__guard_try(&guard, mapping)) {
        return false;
    }
    ironmap__guard_enter_prepared(mapping);
    mapping->data[offset] = byte;
    ironmap__guard_exit();
    return ironmap__guard_held(guard, true);
}

/* ---- single bytes ---- */

/* Slow path: errors, and lost pages. */
static IRONMAP__COLD int get_byte_slow(uint8_t *byte, const ironmap_map *map, uint64_t offset,
                                       ironmap_error *error)
{
    uint8_t value = 0;
    int status = ironmap_get(map, offset, &value, 1, error);
    if (status == IRONMAP_OK) {
        *byte = value;
    }
    return status;
}

static IRONMAP__COLD int put_byte_slow(ironmap_map *map, uint64_t offset, uint8_t byte,
                                       ironmap_error *error)
{
    return ironmap_put(map, offset, &byte, 1, error);
}

int ironmap_get_byte(uint8_t *byte, const ironmap_map *map, uint64_t offset, ironmap_error *error)
{
    const ironmap__mapping *mapping = &map->mapping;
    uint8_t value = 0;
    if (mapping->mode.readable && offset < mapping->length &&
        copy_fast(mapping, &value, mapping->data + offset, 1, false)) {
        *byte = value;
        return IRONMAP_OK;
    }
    return get_byte_slow(byte, map, offset, error);
}

int ironmap_put_byte(ironmap_map *map, uint64_t offset, uint8_t byte, ironmap_error *error)
{
    const ironmap__mapping *mapping = &map->mapping;
    if (mapping->mode.writable && offset < mapping->length &&
        copy_fast(mapping, mapping->data + offset, &byte, 1, true)) {
        return IRONMAP_OK;
    }
    return put_byte_slow(map, offset, byte, error);
}

/* Fast path: false if nothing is stored. The bytes are in a buffer before the first one is stored,
 * so that a store that met a lost page is done again. */
static bool move_fast(int *status, ironmap_map *map, size_t target, const uint8_t *source,
                      size_t length, ironmap_error *error)
{
    uint8_t buffer[256];
    const ironmap__mapping *mapping = &map->mapping;
    if (length == 0 || length > sizeof(buffer) ||
        !copy_fast(mapping, buffer, source, length, false)) {
        return false;
    }
    *status = copy_fast(mapping, mapping->data + target, buffer, length, true)
                  ? IRONMAP_OK
                  : copy_in(map, target, buffer, length, error);
    return true;
}

int ironmap_move(ironmap_map *map, uint64_t target, uint64_t source, size_t length,
                 ironmap_error *error)
{
    int status = ironmap__check_write(map, target, length, error);
    if (status == IRONMAP_OK) {
        status = ironmap__check_read(map, source, length, error);
    }
    if (status != IRONMAP_OK) {
        return status;
    }
    uint8_t *data = map->mapping.data;
    return move_fast(&status, map, (size_t)target, data + source, length, error)
               ? status
               : copy_inside(map, data + target, data + source, length, error);
}

/* From one map into another, which are open, over `buffer` of a chunk. */
static int copy_chunks(ironmap_map *target, uint64_t to, const ironmap_map *source, uint64_t from,
                       size_t length, uint8_t *buffer, ironmap_error *error)
{
    size_t done = 0;
    while (done < length) {
        size_t count = (size_t)ironmap__min(length - done, IRONMAP__CHUNK_BYTES);
        if (done > 0 && target->check != NULL && target->check(target->check_context) != 0) {
            return ironmap__fail(error, IRONMAP_E_INTERRUPTED);
        }
        int status = ironmap_get(source, from + done, buffer, count, error);
        if (status == IRONMAP_E_FAULT && error != NULL) {
            error->in_source = true;
        }
        if (status == IRONMAP_OK) {
            status = ironmap_put(target, to + done, buffer, count, error);
        }
        if (status != IRONMAP_OK) {
            return status;
        }
        done += count;
    }
    return IRONMAP_OK;
}

int ironmap_copy(ironmap_map *target, uint64_t to, const ironmap_map *source, uint64_t from,
                 size_t length, ironmap_error *error)
{
    if (target == source) {
        return ironmap_move(target, to, from, length, error);
    }
    int status = ironmap__check_write(target, to, length, error);
    if (status == IRONMAP_OK) {
        status = ironmap__check_read(source, from, length, error);
    }
    if (status != IRONMAP_OK || length == 0) {
        return status;
    }
    uint8_t *buffer = malloc((size_t)ironmap__min(length, IRONMAP__CHUNK_BYTES));
    if (buffer == NULL) {
        return ironmap__fail(error, IRONMAP_E_NOMEM);
    }
    status = copy_chunks(target, to, source, from, length, buffer, error);
    free(buffer);
    return status;
}

int ironmap_fill(ironmap_map *map, uint64_t offset, uint8_t byte, size_t length,
                 ironmap_error *error)
{
    ironmap__access_loop loop;
    length = ironmap__to_end(length, offset, map->mapping.length);
    int status = ironmap__check_write(map, offset, length, error);
    if (status != IRONMAP_OK) {
        return status;
    }
    uint8_t *target = map->mapping.data + offset;
    ironmap__access_begin(&loop, map, (ironmap__access_range){(size_t)offset, length, true}, error);
    while (ironmap__access_next(&loop)) {
        memset(target + loop.done, byte, loop.count);
    }
    return ironmap__access_end(&loop);
}
