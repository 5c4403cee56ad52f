/* The position of a map, and reading and writing at it. */
#include "map/map.h"

/* Bytes from the position to the end. */
static size_t remaining(const ironmap_map *map)
{
    return map->position < map->mapping.length ? map->mapping.length - map->position : 0;
}

uint64_t ironmap_tell(const ironmap_map *map)
{
    return map->position;
}

int ironmap_seek(ironmap_map *map, int64_t offset, int whence, ironmap_error *error)
{
    uint64_t from = 0;
    switch (whence) {
    case IRONMAP_SEEK_SET:
        break;
    case IRONMAP_SEEK_CUR:
        from = map->position;
        break;
    case IRONMAP_SEEK_END:
        from = map->mapping.length;
        break;
    default:
        return ironmap__fail_invalid(error, "whence is none of SEEK_SET, SEEK_CUR and SEEK_END");
    }
    /* from is at most IRONMAP__MEMORY_MAX and |offset| at most 2^63, so the sum wraps only where it
     * is negative, and is then far beyond every length. */
    uint64_t position = from + (uint64_t)offset;
    if (position > map->mapping.length) {
        return ironmap__fail(error, IRONMAP_E_RANGE);
    }
    map->position = (size_t)position;
    return IRONMAP_OK;
}

void ironmap_advance(ironmap_map *map, size_t length)
{
    map->position += length;
}

int ironmap_read(size_t *length, ironmap_map *map, void *buffer, size_t capacity,
                 ironmap_error *error)
{
    size_t count = (size_t)ironmap__min(capacity, remaining(map));
    int status =
        ironmap_get(map, ironmap__min(map->position, map->mapping.length), buffer, count, error);
    if (status != IRONMAP_OK) {
        return status;
    }
    map->position += count;
    *length = count;
    return IRONMAP_OK;
}

int ironmap_read_byte(uint8_t *byte, ironmap_map *map, ironmap_error *error)
{
    if (map->position >= map->mapping.length) {
        return ironmap__fail(error, IRONMAP_E_END);
    }
    int status = ironmap_get_byte(byte, map, map->position, error);
    if (status == IRONMAP_OK) {
        map->position++;
    }
    return status;
}

int ironmap_line_length(size_t *length, const ironmap_map *map, ironmap_error *error)
{
    uint64_t newline = 0;
    int status = ironmap_find(&newline, map, "\n", 1, map->position, IRONMAP_TO_END, error);
    if (status == IRONMAP_OK) {
        *length =
            newline == IRONMAP_NOT_FOUND ? remaining(map) : (size_t)newline + 1 - map->position;
    }
    return status;
}

int ironmap_readline(size_t *length, ironmap_map *map, void *buffer, size_t capacity,
                     ironmap_error *error)
{
    size_t line = 0;
    int status = ironmap_line_length(&line, map, error);
    if (status != IRONMAP_OK) {
        return status;
    }
    return ironmap_read(length, map, buffer, (size_t)ironmap__min(line, capacity), error);
}

int ironmap_write(ironmap_map *map, const void *buffer, size_t length, ironmap_error *error)
{
    int status = ironmap_put(map, map->position, buffer, length, error);
    if (status == IRONMAP_OK) {
        map->position += length;
    }
    return status;
}

int ironmap_write_byte(ironmap_map *map, uint8_t byte, ironmap_error *error)
{
    if (!map->mapping.mode.writable) {
        return ironmap__fail(error, IRONMAP_E_READONLY);
    }
    if (map->position >= map->mapping.length) {
        return ironmap__fail(error, IRONMAP_E_END);
    }
    int status = ironmap_put_byte(map, map->position, byte, error);
    if (status == IRONMAP_OK) {
        map->position++;
    }
    return status;
}
