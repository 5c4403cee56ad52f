/* Reading one line from any offset of a map, for readline(), readlines() and lines(). */
#ifndef IRONMAP_EXT_MMAP_LINE_H
#define IRONMAP_EXT_MMAP_LINE_H

#include <ironmap/ironmap.h>

#include "compat.h"

/* Shorter lines are found and copied in one pass. */
enum { SHORT_LINE = 512 };

COLD PyObject *line_raise(const ironmap_map *map, const ironmap_error *error);

/* Slow path of line_read, for a line of SHORT_LINE bytes or more. */
COLD PyObject *line_read_long(size_t *length, ironmap_map *map, uint64_t start, uint64_t end,
                              bool keep_end);

/* A line as it is made. */
typedef struct {
    PyObject *bytes;
} Line;

static inline void *line_room(void *context, size_t length)
{
    Line *line = context;
    Py_XDECREF(line->bytes);
    line->bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)length);
    return line->bytes == NULL ? NULL : PyBytes_AS_STRING(line->bytes);
}

/* The line at `start`, of which `end` is the end at the latest; `*length` is its length with its
 * newline, be that kept or not. The GIL may have been free meanwhile, and another thread have taken
 * the same line: the caller looks whether that one still is the next. */
static inline PyObject *line_read(size_t *length, ironmap_map *map, uint64_t start, uint64_t end,
                                  bool keep_end)
{
    ironmap_error error;
    Line line = {NULL};
    uint64_t near = end < start + SHORT_LINE ? end : start + SHORT_LINE;
    int status = ironmap_take_line(length, map, start, near, keep_end, line_room, &line, &error);
    if (status != IRONMAP_OK) {
        Py_XDECREF(line.bytes);
        return line_raise(map, &error);
    }
    if (*length == SHORT_LINE) {
        Py_DECREF(line.bytes);
        return line_read_long(length, map, start, end, keep_end);
    }
    return line.bytes;
}

#endif /* IRONMAP_EXT_MMAP_LINE_H */
