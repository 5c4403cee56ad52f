/* The position of a map, and reading and writing there. */
#include "internal.h"

/* Bytes from the position to the end. */
static size_t remaining(const mapio_map *map)
{
    return map->position < map->length ? map->length - map->position : 0;
}

uint64_t mapio_tell(const mapio_map *map)
{
    return map->position;
}

int mapio_seek(mapio_map *map, int64_t offset, int whence, mapio_error *error)
{
    uint64_t from = 0;
    switch (whence) {
    case MAPIO_SEEK_SET:
        break;
    case MAPIO_SEEK_CUR:
        from = map->position;
        break;
    case MAPIO_SEEK_END:
        from = map->length;
        break;
    default:
        return mapio__fail(error, MAPIO_E_INVALID);
    }
    /* from is at most MAPIO__MEMORY_MAX and |offset| at most 2^63, so the sum wraps only where it
     * is negative, and is then far beyond every length. */
    uint64_t position = from + (uint64_t)offset;
    if (position > map->length) {
        return mapio__fail(error, MAPIO_E_RANGE);
    }
    map->position = (size_t)position;
    return MAPIO_OK;
}

int mapio_read(void *buffer, size_t *length, mapio_map *map, size_t capacity, mapio_error *error)
{
    size_t count = (size_t)mapio__min(capacity, remaining(map));
    int status = mapio_get(buffer, map, mapio__min(map->position, map->length), count, error);
    if (status != MAPIO_OK) {
        return status;
    }
    map->position += count;
    *length = count;
    return MAPIO_OK;
}

int mapio_read_byte(uint8_t *byte, mapio_map *map, mapio_error *error)
{
    if (map->position >= map->length) {
        return mapio__fail(error, MAPIO_E_END);
    }
    int status = mapio_get_byte(byte, map, map->position, error);
    if (status == MAPIO_OK) {
        map->position++;
    }
    return status;
}

int mapio_line_length(size_t *length, const mapio_map *map, mapio_error *error)
{
    uint64_t newline = 0;
    int status = mapio_find(&newline, map, "\n", 1, map->position, MAPIO_TO_END, error);
    if (status == MAPIO_OK) {
        *length = newline == MAPIO_NOT_FOUND ? remaining(map) : (size_t)newline + 1 - map->position;
    }
    return status;
}

int mapio_readline(void *buffer, size_t *length, mapio_map *map, size_t capacity,
                   mapio_error *error)
{
    size_t line = 0;
    int status = mapio_line_length(&line, map, error);
    if (status != MAPIO_OK) {
        return status;
    }
    return mapio_read(buffer, length, map, (size_t)mapio__min(line, capacity), error);
}

int mapio_write(mapio_map *map, const void *buffer, size_t length, mapio_error *error)
{
    int status = mapio_put(map, map->position, buffer, length, error);
    if (status == MAPIO_OK) {
        map->position += length;
    }
    return status;
}

int mapio_write_byte(mapio_map *map, uint8_t byte, mapio_error *error)
{
    if (!map->mode.writable) {
        return mapio__fail(error, MAPIO_E_READONLY);
    }
    if (map->position >= map->length) {
        return mapio__fail(error, MAPIO_E_END);
    }
    int status = mapio_put_byte(map, map->position, byte, error);
    if (status == MAPIO_OK) {
        map->position++;
    }
    return status;
}
