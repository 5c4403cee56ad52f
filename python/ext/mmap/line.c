/* Slow paths of line_read. */
#include "mmap/line.h"

#include "errors.h"
#include "gil.h"
#include "mmap/hold.h"

static COLD PyObject *line_raise(PyObject *self, ironmap_map *map, const ironmap_error *error)
{
    return raise_error(self, map, error, "read out of range");
}

/* The line at `start` of a map that is held. */
typedef struct {
    const ironmap_map *map;
    uint64_t start;
    uint64_t end; /* it ends there at the latest */
    size_t length;
    bool keep_end;
    bool keep_gil;
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
        PyThreadState *thread = line->keep_gil ? NULL : gil_release();
        status = ironmap_find(&newline, map, "\n", 1, near, (size_t)(line->end - near), error);
        gil_acquire(thread);
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
    PyThreadState *thread = line->keep_gil || copied < LONG_WORK_BYTES ? NULL : gil_release();
    status = ironmap_get(line->map, line->start, PyBytes_AS_STRING(*bytes), copied, error);
    gil_acquire(thread);
    return status;
}

/* Reads the line of a map that is held and ends behind the line's start. */
static int read_held(PyObject **bytes, LongLine *line, uint64_t from, ironmap_error *error)
{
    int status = find_end(line, from < line->end ? from : line->end, error);
    return status == IRONMAP_OK ? copy_line(bytes, line, error) : status;
}

/* A line of SHORT_LINE_BYTES or more. */
static COLD PyObject *read_long(size_t *length, PyObject *self, uint64_t start, uint64_t end,
                                bool keep_end)
{
    Hold hold;
    PyObject *bytes = NULL;
    ironmap_error error;
    int status = IRONMAP_OK;
    LongLine line = {.start = start, .keep_end = keep_end};
    bool seen = true; /* the first bytes, by the caller: they have no newline */
    do {
        Py_CLEAR(bytes);
        if (!hold_begin(&hold, self, LOCK_READ)) {
            return NULL;
        }
        size_t rest = ironmap_length(hold.map);
        line.map = hold.map;
        line.end = end < rest ? end : rest;
        line.length = 0;
        if (start >= line.end) {
            status = IRONMAP_OK;
            bytes = PyBytes_FromStringAndSize(NULL, 0);
        } else {
            uint64_t from = seen && !hold.waited ? start + SHORT_LINE_BYTES - 1 : start;
            status = read_held(&bytes, &line, from, &error);
        }
        hold_end(&hold);
        seen = false;
    } while (hold_again(status));
    *length = line.length;
    if (status != IRONMAP_OK) {
        Py_XDECREF(bytes);
        return line_raise(self, hold.map, &error);
    }
    return bytes;
}

/* Reads the line at the position of a map that is held, and moves the position behind it. */
static int read_next(PyObject **bytes, ironmap_map *map, ironmap_error *error)
{
    LongLine line = {.map = map, .keep_end = true, .keep_gil = true};
    line.start = ironmap_tell(map);
    line.end = ironmap_length(map);
    if (line.start >= line.end) {
        *bytes = PyBytes_FromStringAndSize(NULL, 0);
        return IRONMAP_OK;
    }
    int status = read_held(bytes, &line, line.start, error);
    if (status == IRONMAP_OK && *bytes != NULL) {
        ironmap_advance(map, line.length);
    }
    return status;
}

PyObject *line_read_next(PyObject *self)
{
    Hold hold;
    PyObject *bytes = NULL;
    ironmap_error error;
    bool held = hold_begin(&hold, self, LOCK_READ);
    if (!held) {
        return NULL;
    }
    int status = read_next(&bytes, hold.map, &error);
    hold_end(&hold);
    if (status == IRONMAP_OK) {
        return bytes;
    }
    Py_XDECREF(bytes);
    return line_raise(self, hold.map, &error);
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
        return line_raise(self, map, &error);
    }
    if (*length == SHORT_LINE_BYTES) {
        Py_DECREF(line.bytes);
        return read_long(length, self, start, end, keep_end);
    }
    return line.bytes;
}
