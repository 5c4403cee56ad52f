/* Bytes in and out of a map. All of the library that touches mapped bytes, but for searching, is
 * in this file, under the fault guard. Long work goes by pieces and stops after the one in which a
 * page was lost: what follows may be lost too, and each page costs a signal. Short work has a short
 * way, for the common case in which all is well; whatever else it is, the long way finds out by
 * doing the access again.
 */
#include <string.h>

#include "internal.h"
#include "scan.h"

enum { PIECE = MAPIO__PIECE, BOUNCE = 8192 };

static size_t piece(size_t length, size_t done)
{
    return (size_t)mapio__min(PIECE, length - done);
}

/* Between memory of which both sides, or parts of them, may be the map's own: from the end that
 * does not run over the source where they overlap, and by way of a buffer, so that the zeros of a
 * lost page are not stored. */
static int copy_inside(const mapio_map *map, uint8_t *target, const uint8_t *source, size_t length,
                       mapio_error *error)
{
    uint8_t bounce[BOUNCE];
    mapio__guard guard;
    const mapio__touch touch = mapio__hull(map, target, length, source, length);
    int status = mapio__guard_begin(&guard, map, touch, error);
    bool forward = (uintptr_t)target <= (uintptr_t)source;
    for (size_t done = 0; done < length && status == MAPIO_OK; done += BOUNCE) {
        size_t count = (size_t)mapio__min(BOUNCE, length - done);
        size_t at = forward ? done : length - done - count;
        memcpy(bounce, source + at, count);
        status = mapio__guard_check(&guard, touch, error);
        if (status == MAPIO_OK) {
            memcpy(target + at, bounce, count);
        }
    }
    return status == MAPIO_OK ? mapio__guard_end(guard, touch, error) : status;
}

static int copy_out(void *buffer, const mapio_map *map, size_t offset, size_t length,
                    mapio_error *error)
{
    mapio__guard guard;
    mapio__scan scan;
    const mapio__touch touch = {offset, length, false};
    int status = mapio__guard_begin(&guard, map, touch, error);
    mapio__scan_begin(&scan, map, offset, offset + length, true);
    for (size_t done = 0; done < length && status == MAPIO_OK; done += PIECE) {
        mapio__scan_next(&scan, done);
        memcpy((uint8_t *)buffer + done, map->data + offset + done, piece(length, done));
        status = mapio__scan_check(&guard, touch, length - done <= PIECE, error);
    }
    return status == MAPIO_OK ? mapio__guard_end(guard, touch, error) : status;
}

static int copy_in(mapio_map *map, size_t offset, const void *buffer, size_t length,
                   mapio_error *error)
{
    mapio__guard guard;
    mapio__scan scan;
    const mapio__touch touch = {offset, length, true};
    int status = mapio__guard_begin(&guard, map, touch, error);
    mapio__scan_begin(&scan, map, offset, offset + length, true);
    for (size_t done = 0; done < length && status == MAPIO_OK; done += PIECE) {
        mapio__scan_next(&scan, done);
        memcpy(map->data + offset + done, (const uint8_t *)buffer + done, piece(length, done));
        status = mapio__scan_check(&guard, touch, length - done <= PIECE, error);
    }
    return status == MAPIO_OK ? mapio__guard_end(guard, touch, error) : status;
}

static int set(mapio_map *map, size_t offset, size_t length, uint8_t byte, mapio_error *error)
{
    mapio__guard guard;
    mapio__scan scan;
    const mapio__touch touch = {offset, length, true};
    int status = mapio__guard_begin(&guard, map, touch, error);
    mapio__scan_begin(&scan, map, offset, offset + length, true);
    for (size_t done = 0; done < length && status == MAPIO_OK; done += PIECE) {
        mapio__scan_next(&scan, done);
        memset(map->data + offset + done, byte, piece(length, done));
        status = mapio__scan_check(&guard, touch, length - done <= PIECE, error);
    }
    return status == MAPIO_OK ? mapio__guard_end(guard, touch, error) : status;
}

/* Bytes from one to the next, in whichever direction. */
static uint64_t stride_of(int64_t step)
{
    return step > 0 ? (uint64_t)step : (uint64_t)0 - (uint64_t)step;
}

/* What `count` bytes that lie `step` apart touch; they are inside the map. */
static mapio__touch strided_touch(bool store, size_t offset, int64_t step, size_t count)
{
    if (count == 0) {
        return (mapio__touch){offset, 0, store};
    }
    size_t span = (size_t)((count - 1) * stride_of(step));
    return (mapio__touch){step > 0 ? offset : offset - span, span + 1, store};
}

/* Only where every page is touched is it one scan of the whole. */
static void strided_scan(mapio__scan *scan, const mapio_map *map, mapio__touch touch, int64_t step)
{
    size_t length = stride_of(step) <= mapio__page_size() ? touch.length : 0;
    mapio__scan_begin(scan, map, touch.offset, touch.offset + length, step > 0);
}

/* Where the piece that begins with the byte of this number ends: as many as a piece has room for,
 * spread out as they are. */
static size_t strided_piece_end(size_t first, int64_t step, size_t count)
{
    return first + (size_t)mapio__min(PIECE / stride_of(step) + 1, count - first);
}

static int gather(uint8_t *buffer, const mapio_map *map, size_t offset, int64_t step, size_t count,
                  mapio_error *error)
{
    mapio__guard guard;
    mapio__scan scan;
    const uint8_t *mapped = map->data + offset;
    const mapio__touch touch = strided_touch(false, offset, step, count);
    int status = mapio__guard_begin(&guard, map, touch, error);
    strided_scan(&scan, map, touch, step);
    for (size_t i = 0; i < count && status == MAPIO_OK;) {
        mapio__scan_next(&scan, (size_t)(i * stride_of(step)));
        for (size_t end = strided_piece_end(i, step, count); i < end; i++) {
            buffer[i] = mapped[(ptrdiff_t)i * (ptrdiff_t)step];
        }
        status = mapio__scan_check(&guard, touch, i == count, error);
    }
    return status == MAPIO_OK ? mapio__guard_end(guard, touch, error) : status;
}

static int scatter(mapio_map *map, size_t offset, int64_t step, const uint8_t *buffer, size_t count,
                   mapio_error *error)
{
    mapio__guard guard;
    mapio__scan scan;
    uint8_t *mapped = map->data + offset;
    const mapio__touch touch = strided_touch(true, offset, step, count);
    int status = mapio__guard_begin(&guard, map, touch, error);
    strided_scan(&scan, map, touch, step);
    for (size_t i = 0; i < count && status == MAPIO_OK;) {
        mapio__scan_next(&scan, (size_t)(i * stride_of(step)));
        for (size_t end = strided_piece_end(i, step, count); i < end; i++) {
            mapped[(ptrdiff_t)i * (ptrdiff_t)step] = buffer[i];
        }
        status = mapio__scan_check(&guard, touch, i == count, error);
    }
    return status == MAPIO_OK ? mapio__guard_end(guard, touch, error) : status;
}

/* Both maps under guard: `length` bytes from the start of one to the start of the other. */
int mapio__copy_between(mapio_map *target, const mapio_map *source, size_t length,
                        mapio_error *error)
{
    mapio__guard guard;
    const mapio__touch touch = {0, length, false};
    int status = mapio__guard_begin(&guard, source, touch, error);
    if (status != MAPIO_OK) {
        return status;
    }
    mapio__frame frame;
    mapio__frame_enter(&frame, source);
    status = copy_in(target, 0, source->data, length, error);
    mapio__frame_leave(&frame);
    int source_status = mapio__guard_end(guard, touch, status == MAPIO_OK ? error : NULL);
    return status == MAPIO_OK ? source_status : status;
}

int mapio_get(void *buffer, const mapio_map *map, uint64_t offset, size_t length,
              mapio_error *error)
{
    mapio__guard guard;
    int status = mapio__check_read(map, offset, length, error);
    if (status != MAPIO_OK) {
        return status;
    }
    if (mapio__overlaps(map, buffer, length)) {
        return copy_inside(map, buffer, map->data + offset, length, error);
    }
    if (length > 0 && length <= PIECE && mapio__guard_try(&guard, map)) {
        mapio__guard_enter(map);
        memcpy(buffer, map->data + offset, length);
        mapio__guard_leave();
        if (mapio__guard_whole(guard)) {
            return MAPIO_OK;
        }
    }
    return copy_out(buffer, map, (size_t)offset, length, error);
}

int mapio_put(mapio_map *map, uint64_t offset, const void *buffer, size_t length,
              mapio_error *error)
{
    mapio__guard guard;
    int status = mapio__check_write(map, offset, length, error);
    if (status != MAPIO_OK) {
        return status;
    }
    if (mapio__overlaps(map, buffer, length)) {
        return copy_inside(map, map->data + offset, buffer, length, error);
    }
    if (length > 0 && length <= PIECE && mapio__guard_try(&guard, map)) {
        mapio__guard_enter(map);
        memcpy(map->data + offset, buffer, length);
        mapio__guard_leave();
        if (mapio__guard_whole(guard)) {
            return MAPIO_OK;
        }
    }
    return copy_in(map, (size_t)offset, buffer, length, error);
}

int mapio_get_byte(uint8_t *byte, const mapio_map *map, uint64_t offset, mapio_error *error)
{
    mapio__guard guard;
    if (map->mode.readable && offset < map->length && mapio__guard_try(&guard, map)) {
        mapio__guard_enter(map);
        uint8_t value = *(volatile const uint8_t *)(map->data + offset);
        mapio__guard_leave();
        if (mapio__guard_whole(guard)) {
            *byte = value;
            return MAPIO_OK;
        }
    }
    /* A byte of its own, so that the address of the caller's does not leave the short way. */
    uint8_t value = 0;
    int status = mapio_get(&value, map, offset, 1, error);
    if (status == MAPIO_OK) {
        *byte = value;
    }
    return status;
}

int mapio_put_byte(mapio_map *map, uint64_t offset, uint8_t byte, mapio_error *error)
{
    mapio__guard guard;
    if (map->mode.writable && offset < map->length && mapio__guard_try(&guard, map)) {
        mapio__guard_enter(map);
        *(volatile uint8_t *)(map->data + offset) = byte;
        mapio__guard_leave();
        if (mapio__guard_whole(guard)) {
            return MAPIO_OK;
        }
    }
    /* A copy, so that the short way has no need to put the byte on the stack. */
    uint8_t bytes[1] = {byte};
    return mapio_put(map, offset, bytes, 1, error);
}

/* Whether `count` bytes that lie `step` apart, the first at `offset`, are all inside the map. */
static mapio_status strided_check(const mapio_map *map, uint64_t offset, int64_t step, size_t count)
{
    if (step == 0) {
        return MAPIO_E_INVALID;
    }
    if (count == 0) {
        return mapio__range_check(offset, 0, map->length);
    }
    uint64_t stride = step > 0 ? (uint64_t)step : (uint64_t)0 - (uint64_t)step;
    uint64_t span = 0;
    if (!mapio__span(&span, count, stride)) {
        return MAPIO_E_OVERFLOW;
    }
    if (offset >= map->length) {
        return MAPIO_E_RANGE;
    }
    return (step > 0 ? span >= map->length - offset : span > offset) ? MAPIO_E_RANGE : MAPIO_OK;
}

int mapio_get_strided(void *buffer, const mapio_map *map, uint64_t offset, int64_t step,
                      size_t count, mapio_error *error)
{
    mapio_status status =
        map->mode.readable ? strided_check(map, offset, step, count) : MAPIO_E_NOT_READABLE;
    if (status != MAPIO_OK) {
        return mapio__fail(error, status);
    }
    return gather(buffer, map, (size_t)offset, step, count, error);
}

int mapio_put_strided(mapio_map *map, uint64_t offset, int64_t step, const void *buffer,
                      size_t count, mapio_error *error)
{
    mapio_status status =
        map->mode.writable ? strided_check(map, offset, step, count) : MAPIO_E_READONLY;
    if (status != MAPIO_OK) {
        return mapio__fail(error, status);
    }
    return scatter(map, (size_t)offset, step, buffer, count, error);
}

int mapio_move(mapio_map *map, uint64_t target, uint64_t source, size_t length, mapio_error *error)
{
    int status = mapio__check_write(map, target, length, error);
    if (status == MAPIO_OK) {
        status = mapio__check_read(map, source, length, error);
    }
    if (status != MAPIO_OK) {
        return status;
    }
    return copy_inside(map, map->data + target, map->data + source, length, error);
}

int mapio_fill(mapio_map *map, uint64_t offset, size_t length, uint8_t byte, mapio_error *error)
{
    int status = mapio__check_write(map, offset, length, error);
    return status == MAPIO_OK ? set(map, (size_t)offset, length, byte, error) : status;
}
