/* Lines: the next one copied out of the map, or many as offsets and lengths. */
#include <string.h>

#include "base/compiler.h"
#include "fault/guard.h"
#include "map/map.h"

/* ---- one line ---- */

/* Longer lines take the slow path, which works in pieces. */
enum { FAST_LINE_MAX = 1 << 16 };

/* The bytes that a line may have. */
typedef struct span {
    size_t start;
    size_t limit;
} span;

static size_t without_newline(size_t found, bool newline, bool keep_end)
{
    return newline && !keep_end ? found - 1 : found;
}

/* Slow path: two accesses, for long lines and maps with lost pages. */
static IRONMAP__COLD int copy_in_steps(size_t *line_length, const ironmap_map *map, span where,
                                       bool keep_end, ironmap_allocator *allocate, void *context,
                                       ironmap_error *error)
{
    uint64_t newline = IRONMAP_NOT_FOUND;
    int status = ironmap_find(&newline, map, "\n", 1, where.start, where.limit, error);
    if (status != IRONMAP_OK) {
        return status;
    }
    bool ends = newline != IRONMAP_NOT_FOUND;
    size_t found = ends ? (size_t)(newline - where.start) + 1 : where.limit;
    size_t kept = without_newline(found, ends, keep_end);
    void *buffer = allocate(context, kept);
    if (buffer == NULL) {
        return ironmap__fail(error, IRONMAP_E_NOMEM);
    }
    status = ironmap_get(map, where.start, buffer, kept, error);
    if (status == IRONMAP_OK) {
        *line_length = found;
    }
    return status;
}

int ironmap_copy_line(size_t *line_length, const ironmap_map *map, uint64_t offset, size_t length,
                      bool keep_end, ironmap_allocator *allocate, void *context,
                      ironmap_error *error)
{
    ironmap__guard guard;
    size_t start = (size_t)ironmap__min(offset, map->mapping.length);
    span where = {start, (size_t)ironmap__min(length, map->mapping.length - start)};
    bool fast = where.limit - 1 < FAST_LINE_MAX && map->mapping.mode.readable;
    if (!fast || !ironmap__guard_try(&guard, &map->mapping)) {
        return copy_in_steps(line_length, map, where, keep_end, allocate, context, error);
    }
    const uint8_t *line = map->mapping.data + where.start;
    ironmap__guard_enter(&map->mapping);
    const uint8_t *newline = memchr(line, '\n', where.limit);
    ironmap__guard_exit();
    size_t found = newline == NULL ? where.limit : (size_t)(newline - line) + 1;
    size_t kept = without_newline(found, newline != NULL, keep_end);
    void *buffer = allocate(context, kept);
    if (buffer == NULL) {
        return ironmap__fail(error, IRONMAP_E_NOMEM);
    }
    ironmap__guard_enter(&map->mapping);
    memcpy(buffer, line, kept);
    ironmap__guard_exit();
    if (!ironmap__guard_held(guard, false)) {
        return copy_in_steps(line_length, map, where, keep_end, allocate, context, error);
    }
    *line_length = found;
    return IRONMAP_OK;
}

/* ---- many lines ---- */

static int check_lines(const ironmap_lines *lines, ironmap_error *error)
{
    if (lines->offsets == NULL || lines->lengths == NULL || lines->capacity == 0) {
        return ironmap__fail_invalid(error, "lines without room for an offset and a length");
    }
    return ironmap__check_reserved(lines->reserved, sizeof(lines->reserved) / sizeof(uint64_t),
                                   error);
}

/* Turns offsets of newlines into those of lines, the first of which begins at `start`. Returns
 * where the next line begins. */
static uint64_t lines_from_newlines(ironmap_lines *lines, size_t count, uint64_t start)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t next = lines->offsets[i] + 1;
        lines->offsets[i] = start;
        lines->lengths[i] = (size_t)(next - start);
        start = next;
    }
    return start;
}

int ironmap_find_lines(ironmap_lines *lines, const ironmap_map *map, uint64_t offset, size_t length,
                       ironmap_error *error)
{
    int status = check_lines(lines, error);
    if (status != IRONMAP_OK) {
        return status;
    }
    uint64_t start = ironmap__max(offset, lines->next);
    uint64_t end = ironmap__range_end(offset, length, map->mapping.length);
    ironmap_matches newlines = {
        .offsets = lines->offsets, .capacity = lines->capacity, .next = start};
    status = ironmap_find_all(&newlines, map, "\n", 1, offset, length, error);
    if (status != IRONMAP_OK) {
        return status;
    }
    size_t found = newlines.found;
    start = lines_from_newlines(lines, found, start);
    if (found < lines->capacity && start < end) {
        lines->offsets[found] = start;
        lines->lengths[found] = (size_t)(end - start);
        found++;
        start = end;
    }
    lines->found = found;
    lines->next = start;
    return IRONMAP_OK;
}
