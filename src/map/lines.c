/* Lines: with access.c and find.c the door to mapped memory. */
#include <string.h>

#include "base/compiler.h"
#include "fault/guard.h"
#include "map/map.h"

/* Lines are short. Whatever is longer goes the way of all long work, by pieces. */
enum { SHORT = 1 << 16 };

/* What there is to take: from `start`, `limit` bytes at most. */
typedef struct span {
    size_t start;
    size_t limit;
} span;

/* Bytes of a line that are copied out of those that were found, the last of them a newline or not.
 */
static size_t kept_of(size_t found, bool newline, bool keep_end)
{
    return newline && !keep_end ? found - 1 : found;
}

/* In two accesses: long lines, and maps with lost pages. */
static IRONMAP__COLD int take_by_steps(size_t *length, const ironmap_map *map, span where,
                                       bool keep_end, ironmap_room *room, void *context,
                                       ironmap_error *error)
{
    uint64_t newline = IRONMAP_NOT_FOUND;
    int status =
        ironmap_find(&newline, map, "\n", 1, where.start, where.start + where.limit, error);
    if (status != IRONMAP_OK) {
        return status;
    }
    bool ends = newline != IRONMAP_NOT_FOUND;
    size_t found = ends ? (size_t)(newline - where.start) + 1 : where.limit;
    size_t kept = kept_of(found, ends, keep_end);
    void *buffer = room(context, kept);
    if (buffer == NULL) {
        return ironmap__fail(error, IRONMAP_E_NOMEM);
    }
    status = ironmap_get(buffer, map, where.start, kept, error);
    if (status == IRONMAP_OK) {
        *length = found;
    }
    return status;
}

int ironmap_take_line(size_t *length, const ironmap_map *map, uint64_t offset, uint64_t end,
                      bool keep_end, ironmap_room *room, void *context, ironmap_error *error)
{
    ironmap__guard guard;
    end = ironmap__min(end, map->mapping.length);
    offset = ironmap__min(offset, end);
    span where = {(size_t)offset, (size_t)(end - offset)};
    bool quick = where.limit - 1 < SHORT && map->mapping.mode.readable;
    if (!quick || !ironmap__guard_try(&guard, &map->mapping)) {
        return take_by_steps(length, map, where, keep_end, room, context, error);
    }
    const uint8_t *line = map->mapping.data + where.start;
    ironmap__guard_enter(&map->mapping);
    const uint8_t *newline = memchr(line, '\n', where.limit);
    ironmap__guard_exit();
    size_t found = newline == NULL ? where.limit : (size_t)(newline - line) + 1;
    size_t kept = kept_of(found, newline != NULL, keep_end);
    void *buffer = room(context, kept);
    if (buffer == NULL) {
        return ironmap__fail(error, IRONMAP_E_NOMEM);
    }
    ironmap__guard_enter(&map->mapping);
    memcpy(buffer, line, kept);
    ironmap__guard_exit();
    if (!ironmap__guard_held(guard)) {
        return take_by_steps(length, map, where, keep_end, room, context, error);
    }
    *length = found;
    return IRONMAP_OK;
}
