/* Bytes in and out of a map. All of the library that touches mapped bytes, but for searching, is
 * in this file, under the fault guard. Long work goes by pieces and stops after the one in which a
 * page was lost: what follows may be lost too, and each page costs a signal. Short work has a short
 * way, for the common case in which all is well; whatever else it is, the long way finds out by
 * doing the access again.
 */
#include <string.h>

#include "map/internal.h"
#include "map/readahead.h"

enum { PIECE = IRONMAP__PIECE, BOUNCE = 8192 };

static size_t piece(size_t length, size_t done)
{
    return (size_t)ironmap__min(PIECE, length - done);
}

/* Between memory of which both sides, or parts of them, may be the map's own: from the end that
 * does not run over the source where they overlap, and by way of a buffer, so that the zeros of a
 * lost page are not stored. */
static int copy_inside(const ironmap_map *map, uint8_t *target, const uint8_t *source,
                       size_t length, ironmap_error *error)
{
    uint8_t bounce[BOUNCE];
    ironmap__guard guard;
    const ironmap__touch touch = ironmap__hull(map, target, length, source, length);
    int status = ironmap__guard_begin(&guard, map, touch, error);
    bool forward = (uintptr_t)target <= (uintptr_t)source;
    for (size_t done = 0; done < length && status == IRONMAP_OK; done += BOUNCE) {
        size_t count = (size_t)ironmap__min(BOUNCE, length - done);
        size_t at = forward ? done : length - done - count;
        memcpy(bounce, source + at, count);
        status = ironmap__guard_check(&guard, touch, error);
        if (status == IRONMAP_OK) {
            memcpy(target + at, bounce, count);
        }
    }
    return status == IRONMAP_OK ? ironmap__guard_end(guard, touch, error) : status;
}

static int copy_out(void *buffer, const ironmap_map *map, size_t offset, size_t length,
                    ironmap_error *error)
{
    ironmap__guard guard;
    ironmap__scan scan;
    const ironmap__touch touch = {offset, length, false};
    int status = ironmap__guard_begin(&guard, map, touch, error);
    ironmap__scan_begin(&scan, map, offset, offset + length, true);
    for (size_t done = 0; done < length && status == IRONMAP_OK; done += PIECE) {
        ironmap__scan_next(&scan, done);
        memcpy((uint8_t *)buffer + done, map->data + offset + done, piece(length, done));
        status = ironmap__scan_check(&guard, touch, length - done <= PIECE, error);
    }
    return status == IRONMAP_OK ? ironmap__guard_end(guard, touch, error) : status;
}

static int copy_in(ironmap_map *map, size_t offset, const void *buffer, size_t length,
                   ironmap_error *error)
{
    ironmap__guard guard;
    ironmap__scan scan;
    const ironmap__touch touch = {offset, length, true};
    int status = ironmap__guard_begin(&guard, map, touch, error);
    ironmap__scan_begin(&scan, map, offset, offset + length, true);
    for (size_t done = 0; done < length && status == IRONMAP_OK; done += PIECE) {
        ironmap__scan_next(&scan, done);
        memcpy(map->data + offset + done, (const uint8_t *)buffer + done, piece(length, done));
        status = ironmap__scan_check(&guard, touch, length - done <= PIECE, error);
    }
    return status == IRONMAP_OK ? ironmap__guard_end(guard, touch, error) : status;
}

static int set(ironmap_map *map, size_t offset, size_t length, uint8_t byte, ironmap_error *error)
{
    ironmap__guard guard;
    ironmap__scan scan;
    const ironmap__touch touch = {offset, length, true};
    int status = ironmap__guard_begin(&guard, map, touch, error);
    ironmap__scan_begin(&scan, map, offset, offset + length, true);
    for (size_t done = 0; done < length && status == IRONMAP_OK; done += PIECE) {
        ironmap__scan_next(&scan, done);
        memset(map->data + offset + done, byte, piece(length, done));
        status = ironmap__scan_check(&guard, touch, length - done <= PIECE, error);
    }
    return status == IRONMAP_OK ? ironmap__guard_end(guard, touch, error) : status;
}

/* Bytes from one to the next, in whichever direction. */
static uint64_t stride_of(int64_t step)
{
    return step > 0 ? (uint64_t)step : (uint64_t)0 - (uint64_t)step;
}

/* What `count` bytes that lie `step` apart touch; they are inside the map. */
static ironmap__touch strided_touch(bool store, size_t offset, int64_t step, size_t count)
{
    if (count == 0) {
        return (ironmap__touch){offset, 0, store};
    }
    size_t span = (size_t)((count - 1) * stride_of(step));
    return (ironmap__touch){step > 0 ? offset : offset - span, span + 1, store};
}

/* Only where every page is touched is it one scan of the whole. */
static void strided_scan(ironmap__scan *scan, const ironmap_map *map, ironmap__touch touch,
                         int64_t step)
{
    size_t length = stride_of(step) <= ironmap__page_size() ? touch.length : 0;
    ironmap__scan_begin(scan, map, touch.offset, touch.offset + length, step > 0);
}

/* Where the piece that begins with the byte of this number ends: as many as a piece has room for,
 * spread out as they are. */
static size_t strided_piece_end(size_t first, int64_t step, size_t count)
{
    return first + (size_t)ironmap__min(PIECE / stride_of(step) + 1, count - first);
}

static int gather(uint8_t *buffer, const ironmap_map *map, size_t offset, int64_t step,
                  size_t count, ironmap_error *error)
{
    ironmap__guard guard;
    ironmap__scan scan;
    const uint8_t *mapped = map->data + offset;
    const ironmap__touch touch = strided_touch(false, offset, step, count);
    int status = ironmap__guard_begin(&guard, map, touch, error);
    strided_scan(&scan, map, touch, step);
    for (size_t i = 0; i < count && status == IRONMAP_OK;) {
        ironmap__scan_next(&scan, (size_t)(i * stride_of(step)));
        for (size_t end = strided_piece_end(i, step, count); i < end; i++) {
            buffer[i] = mapped[(ptrdiff_t)i * (ptrdiff_t)step];
        }
        status = ironmap__scan_check(&guard, touch, i == count, error);
    }
    return status == IRONMAP_OK ? ironmap__guard_end(guard, touch, error) : status;
}

static int scatter(ironmap_map *map, size_t offset, int64_t step, const uint8_t *buffer,
                   size_t count, ironmap_error *error)
{
    ironmap__guard guard;
    ironmap__scan scan;
    uint8_t *mapped = map->data + offset;
    const ironmap__touch touch = strided_touch(true, offset, step, count);
    int status = ironmap__guard_begin(&guard, map, touch, error);
    strided_scan(&scan, map, touch, step);
    for (size_t i = 0; i < count && status == IRONMAP_OK;) {
        ironmap__scan_next(&scan, (size_t)(i * stride_of(step)));
        for (size_t end = strided_piece_end(i, step, count); i < end; i++) {
            mapped[(ptrdiff_t)i * (ptrdiff_t)step] = buffer[i];
        }
        status = ironmap__scan_check(&guard, touch, i == count, error);
    }
    return status == IRONMAP_OK ? ironmap__guard_end(guard, touch, error) : status;
}

/* Both maps under guard: `length` bytes from the start of one to the start of the other. */
int ironmap__copy_between(ironmap_map *target, const ironmap_map *source, size_t length,
                          ironmap_error *error)
{
    ironmap__guard guard;
    const ironmap__touch touch = {0, length, false};
    int status = ironmap__guard_begin(&guard, source, touch, error);
    if (status != IRONMAP_OK) {
        return status;
    }
    ironmap__frame frame;
    ironmap__frame_enter(&frame, source);
    status = copy_in(target, 0, source->data, length, error);
    ironmap__frame_leave(&frame);
    int source_status = ironmap__guard_end(guard, touch, status == IRONMAP_OK ? error : NULL);
    return status == IRONMAP_OK ? source_status : status;
}

int ironmap_get(void *buffer, const ironmap_map *map, uint64_t offset, size_t length,
                ironmap_error *error)
{
    ironmap__guard guard;
    int status = ironmap__check_read(map, offset, length, error);
    if (status != IRONMAP_OK) {
        return status;
    }
    if (ironmap__overlaps(map, buffer, length)) {
        return copy_inside(map, buffer, map->data + offset, length, error);
    }
    if (length > 0 && length <= PIECE && ironmap__guard_try(&guard, map)) {
        ironmap__guard_enter(map);
        memcpy(buffer, map->data + offset, length);
        ironmap__guard_leave();
        if (ironmap__guard_whole(guard)) {
            return IRONMAP_OK;
        }
    }
    return copy_out(buffer, map, (size_t)offset, length, error);
}

int ironmap_put(ironmap_map *map, uint64_t offset, const void *buffer, size_t length,
                ironmap_error *error)
{
    ironmap__guard guard;
    int status = ironmap__check_write(map, offset, length, error);
    if (status != IRONMAP_OK) {
        return status;
    }
    if (ironmap__overlaps(map, buffer, length)) {
        return copy_inside(map, map->data + offset, buffer, length, error);
    }
    if (length > 0 && length <= PIECE && ironmap__guard_try(&guard, map)) {
        ironmap__guard_enter(map);
        memcpy(map->data + offset, buffer, length);
        ironmap__guard_leave();
        if (ironmap__guard_whole(guard)) {
            return IRONMAP_OK;
        }
    }
    return copy_in(map, (size_t)offset, buffer, length, error);
}

int ironmap_get_byte(uint8_t *byte, const ironmap_map *map, uint64_t offset, ironmap_error *error)
{
    ironmap__guard guard;
    if (map->mode.readable && offset < map->length && ironmap__guard_try(&guard, map)) {
        ironmap__guard_enter(map);
        uint8_t value = *(volatile const uint8_t *)(map->data + offset);
        ironmap__guard_leave();
        if (ironmap__guard_whole(guard)) {
            *byte = value;
            return IRONMAP_OK;
        }
    }
    /* A byte of its own, so that the address of the caller's does not leave the short way. */
    uint8_t value = 0;
    int status = ironmap_get(&value, map, offset, 1, error);
    if (status == IRONMAP_OK) {
        *byte = value;
    }
    return status;
}

int ironmap_put_byte(ironmap_map *map, uint64_t offset, uint8_t byte, ironmap_error *error)
{
    ironmap__guard guard;
    if (map->mode.writable && offset < map->length && ironmap__guard_try(&guard, map)) {
        ironmap__guard_enter(map);
        *(volatile uint8_t *)(map->data + offset) = byte;
        ironmap__guard_leave();
        if (ironmap__guard_whole(guard)) {
            return IRONMAP_OK;
        }
    }
    /* A copy, so that the short way has no need to put the byte on the stack. */
    uint8_t bytes[1] = {byte};
    return ironmap_put(map, offset, bytes, 1, error);
}

/* Whether `count` bytes that lie `step` apart, the first at `offset`, are all inside the map. */
static ironmap_status strided_check(const ironmap_map *map, uint64_t offset, int64_t step,
                                    size_t count)
{
    if (step == 0) {
        return IRONMAP_E_INVALID;
    }
    if (count == 0) {
        return ironmap__range_check(offset, 0, map->length);
    }
    uint64_t stride = step > 0 ? (uint64_t)step : (uint64_t)0 - (uint64_t)step;
    uint64_t span = 0;
    if (!ironmap__span(&span, count, stride)) {
        return IRONMAP_E_OVERFLOW;
    }
    if (offset >= map->length) {
        return IRONMAP_E_RANGE;
    }
    return (step > 0 ? span >= map->length - offset : span > offset) ? IRONMAP_E_RANGE : IRONMAP_OK;
}

int ironmap_get_strided(void *buffer, const ironmap_map *map, uint64_t offset, int64_t step,
                        size_t count, ironmap_error *error)
{
    ironmap_status status =
        map->mode.readable ? strided_check(map, offset, step, count) : IRONMAP_E_NOT_READABLE;
    if (status != IRONMAP_OK) {
        return ironmap__fail(error, status);
    }
    return gather(buffer, map, (size_t)offset, step, count, error);
}

int ironmap_put_strided(ironmap_map *map, uint64_t offset, int64_t step, const void *buffer,
                        size_t count, ironmap_error *error)
{
    ironmap_status status =
        map->mode.writable ? strided_check(map, offset, step, count) : IRONMAP_E_READONLY;
    if (status != IRONMAP_OK) {
        return ironmap__fail(error, status);
    }
    return scatter(map, (size_t)offset, step, buffer, count, error);
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
    return copy_inside(map, map->data + target, map->data + source, length, error);
}

int ironmap_fill(ironmap_map *map, uint64_t offset, size_t length, uint8_t byte,
                 ironmap_error *error)
{
    int status = ironmap__check_write(map, offset, length, error);
    return status == IRONMAP_OK ? set(map, (size_t)offset, length, byte, error) : status;
}
