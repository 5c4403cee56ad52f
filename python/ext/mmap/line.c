/* Slow paths of line_read. */
#include "mmap/line.h"

#include "errors.h"
#include "gil.h"
#include "mmap/held_read.h"

#define OUT_OF_RANGE "read out of range"

/* The line at `start` of a map that is held. */
typedef struct {
    const ironmap_map *map;
    uint64_t start;
    uint64_t most; /* it ends there at the latest, */
    uint64_t end;  /* or at the end of the map */
    size_t length;
    bool keep_end;
    bool keep_gil;
    bool seen; /* the first bytes, by the caller: they have no newline */
} LongLine;

/* Sets the length of the line, which has no newline before `from`. Only what is more than
 * LONG_WORK_BYTES away is searched without the GIL. */
static int find_end(LongLine *line, uint64_t from, ironmap_error *error)
{
    const ironmap_map *map = line->map;
    uint64_t newline = IRONMAP_NOT_FOUND;
    uint64_t near = line->end - from < LONG_WORK_BYTES ? line->end : from + LONG_WORK_BYTES;
    int status = ironmap_find(&newline, map, "\n", 1, from, (size_t)(near - from), error);
    if (status == IRONMAP_OK && newline == IRONMAP_NOT_FOUND && near < line->end) {
        gil_release_if(!line->keep_gil);
        status = ironmap_find(&newline, map, "\n", 1, near, (size_t)(line->end - near), error);
        gil_acquire();
    }
    line->length = (size_t)((newline == IRONMAP_NOT_FOUND ? line->end : newline + 1) - line->start);
    return status;
}

/* Copies the line. `*bytes` is a new object, or NULL with an exception. */
static int copy_line(PyObject **bytes, const LongLine *line, ironmap_error *error)
{
    uint8_t last = 0;
    int status = ironmap_get_byte(&last, line->map, line->start + line->length - 1, error);
    if (status != IRONMAP_OK) {
        return status;
    }
    size_t copied = line->length - (!line->keep_end && last == '\n' ? 1 : 0);
    *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)copied);
    if (*bytes == NULL || copied == 0) {
        return IRONMAP_OK;
    }
    gil_release_if(!line->keep_gil && copied >= LONG_WORK_BYTES);
    status = ironmap_get(line->map, line->start, PyBytes_AS_STRING(*bytes), copied, error);
    gil_acquire();
    return status;
}

/* Reads the line of a map that is held, up to `end`. */
static int read_up_to(PyObject **bytes, LongLine *line, uint64_t end, ironmap_error *error)
{
    if (line->start >= end) {
        line->length = 0;
        *bytes = PyBytes_FromStringAndSize(NULL, 0);
        return IRONMAP_OK;
    }
    uint64_t from = line->seen ? line->start + SHORT_LINE_BYTES - 1 : line->start;
    line->end = end;
    int status = find_end(line, from < end ? from : end, error);
    return status == IRONMAP_OK ? copy_line(bytes, line, error) : status;
}

/* Other threads may have changed what was seen if they could run meanwhile. */
static int read_held(PyObject **bytes, const Hold *hold, void *context, ironmap_error *error)
{
    LongLine *line = context;
    uint64_t rest = ironmap_length(hold->map);
    line->map = hold->map;
    line->seen = line->seen && !hold->waited;
    int status = read_up_to(bytes, line, line->most < rest ? line->most : rest, error);
    line->seen = false;
    return status;
}

/* A line of SHORT_LINE_BYTES or more. */
static COLD PyObject *read_long(size_t *length, PyObject *self, uint64_t start, uint64_t end,
                                bool keep_end)
{
    LongLine line = {.start = start, .most = end, .keep_end = keep_end, .seen = true};
    PyObject *bytes = held_read(self, read_held, &line, OUT_OF_RANGE);
    *length = line.length;
    return bytes;
}

/* Reads the line at the position, and moves the position behind it. */
static int read_next(PyObject **bytes, const Hold *hold, void *context, ironmap_error *error)
{
    LongLine *line = context;
    line->map = hold->map;
    line->start = ironmap_tell(hold->map);
    int status = read_up_to(bytes, line, ironmap_length(hold->map), error);
    if (status == IRONMAP_OK && *bytes != NULL) {
        ironmap_advance(hold->map, line->length);
    }
    return status;
}

PyObject *line_read_next(PyObject *self)
{
    LongLine line = {.keep_end = true, .keep_gil = true};
    return held_read(self, read_next, &line, OUT_OF_RANGE);
}

/* ---- short lines ---- */

/* The line that is being made. */
typedef struct {
    PyObject *bytes;
} Line;

/* The allocator for the bytes of a line. The library may call it again if a page is lost. */
static void *allocate(void *context, size_t length)
{
    Line *line = context;
    Py_XDECREF(line->bytes);
    line->bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)length);
    return line->bytes == NULL ? NULL : PyBytes_AS_STRING(line->bytes);
}

PyObject *line_read_slow(size_t *length, PyObject *self, ironmap_map *map, uint64_t start,
                         uint64_t end, bool keep_end)
{
    ironmap_error error;
    Line line = {NULL};
    size_t limit = end - start < SHORT_LINE_BYTES ? (size_t)(end - start) : SHORT_LINE_BYTES;
    int status = ironmap_copy_line(length, map, start, limit, keep_end, allocate, &line, &error);
    if (status != IRONMAP_OK) {
        Py_XDECREF(line.bytes);
        return raise_error(self, map, &error, OUT_OF_RANGE);
    }
    if (*length == SHORT_LINE_BYTES) {
        Py_DECREF(line.bytes);
        return read_long(length, self, start, end, keep_end);
    }
    return line.bytes;
}
