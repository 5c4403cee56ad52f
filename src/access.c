/* Bytes in and out of a map. All of the library that touches mapped bytes, but for searching, is
 * in the six functions at the top. */
#include <string.h>

#include "internal.h"

static void copy_out(void *buffer, const uint8_t *mapped, size_t length)
{
    if (length > 0) {
        memcpy(buffer, mapped, length);
    }
}

/* The buffer may be memory of the same map. */
static void copy_in(uint8_t *mapped, const void *buffer, size_t length)
{
    if (length > 0) {
        memmove(mapped, buffer, length);
    }
}

static void copy_within(uint8_t *target, const uint8_t *source, size_t length)
{
    if (length > 0) {
        memmove(target, source, length);
    }
}

static void set(uint8_t *mapped, uint8_t byte, size_t length)
{
    if (length > 0) {
        memset(mapped, byte, length);
    }
}

static void gather(uint8_t *buffer, const uint8_t *mapped, int64_t step, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        buffer[i] = mapped[(ptrdiff_t)i * (ptrdiff_t)step];
    }
}

static void scatter(uint8_t *mapped, int64_t step, const uint8_t *buffer, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        mapped[(ptrdiff_t)i * (ptrdiff_t)step] = buffer[i];
    }
}

int mapio_get(void *buffer, const mapio_map *map, uint64_t offset, size_t length,
              mapio_error *error)
{
    int status = mapio__check_read(map, offset, length, error);
    if (status == MAPIO_OK) {
        copy_out(buffer, map->data + offset, length);
    }
    return status;
}

int mapio_put(mapio_map *map, uint64_t offset, const void *buffer, size_t length,
              mapio_error *error)
{
    int status = mapio__check_write(map, offset, length, error);
    if (status == MAPIO_OK) {
        copy_in(map->data + offset, buffer, length);
    }
    return status;
}

int mapio_get_byte(uint8_t *byte, const mapio_map *map, uint64_t offset, mapio_error *error)
{
    int status = mapio__check_read(map, offset, 1, error);
    if (status == MAPIO_OK) {
        *byte = map->data[offset];
    }
    return status;
}

int mapio_put_byte(mapio_map *map, uint64_t offset, uint8_t byte, mapio_error *error)
{
    int status = mapio__check_write(map, offset, 1, error);
    if (status == MAPIO_OK) {
        map->data[offset] = byte;
    }
    return status;
}

/* Whether `count` bytes that lie `step` apart, the first at `offset`, are all inside the map: the
 * span between the first and the last is (count - 1) * |step|, which must not wrap. */
static mapio_status strided_check(const mapio_map *map, uint64_t offset, int64_t step, size_t count)
{
    if (step == 0) {
        return MAPIO_E_INVALID;
    }
    if (count == 0) {
        return mapio__range_check(offset, 0, map->length);
    }
    uint64_t stride = step > 0 ? (uint64_t)step : (uint64_t)0 - (uint64_t)step;
    uint64_t gaps = count - 1;
    if (gaps > UINT64_MAX / stride) {
        return MAPIO_E_OVERFLOW;
    }
    uint64_t span = gaps * stride;
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
    gather(buffer, map->data + offset, step, count);
    return MAPIO_OK;
}

int mapio_put_strided(mapio_map *map, uint64_t offset, int64_t step, const void *buffer,
                      size_t count, mapio_error *error)
{
    mapio_status status =
        map->mode.writable ? strided_check(map, offset, step, count) : MAPIO_E_READONLY;
    if (status != MAPIO_OK) {
        return mapio__fail(error, status);
    }
    scatter(map->data + offset, step, buffer, count);
    return MAPIO_OK;
}

int mapio_move(mapio_map *map, uint64_t target, uint64_t source, size_t length, mapio_error *error)
{
    int status = mapio__check_write(map, target, length, error);
    if (status == MAPIO_OK) {
        status = mapio__check_read(map, source, length, error);
    }
    if (status == MAPIO_OK) {
        copy_within(map->data + target, map->data + source, length);
    }
    return status;
}

int mapio_fill(mapio_map *map, uint64_t offset, size_t length, uint8_t byte, mapio_error *error)
{
    int status = mapio__check_write(map, offset, length, error);
    if (status == MAPIO_OK) {
        set(map->data + offset, byte, length);
    }
    return status;
}
