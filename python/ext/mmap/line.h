/* Reads one line at any offset of a map, for readline(), readlines() and lines(). */
#ifndef IRONMAP_EXT_MMAP_LINE_H
#define IRONMAP_EXT_MMAP_LINE_H

#include "mmap/object.h"

/* Shorter lines are found and copied in one pass. */
enum { SHORT_LINE_BYTES = 512 };

/* Raises the exception for an error of the library. */
COLD PyObject *line_raise(PyObject *self, ironmap_map *map, const ironmap_error *error);

/* Slow path of line_read, for a line of SHORT_LINE_BYTES or more. */
COLD PyObject *line_read_long(size_t *length, PyObject *self, uint64_t start, uint64_t end,
                              bool keep_end);

/* The line that is being made. */
typedef struct {
    PyObject *bytes;
} Line;

/* The allocator for the bytes of a line. The library may call it again if a page is lost. */
static inline void *line_allocate(void *context, size_t length)
{
    Line *line = context;
    Py_XDECREF(line->bytes);
    line->bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)length);
    return line->bytes == NULL ? NULL : PyBytes_AS_STRING(line->bytes);
}

/* The line at `start`, which ends at `end` at the latest, in the map of `self` that was had to
 * read.
 * `*length` is its length in bytes with its newline, even if that is not kept. The GIL may be
 * released meanwhile: another thread may read the same line, so the caller checks that its position
 * is still `start`, or may close or shrink the map. In a map that ends at `start` then, the line is
 * empty. */
static inline PyObject *line_read(size_t *length, PyObject *self, ironmap_map *map, uint64_t start,
                                  uint64_t end, bool keep_end)
{
    ironmap_error error;
    Line line = {NULL};
    size_t limit = end - start < SHORT_LINE_BYTES ? (size_t)(end - start) : SHORT_LINE_BYTES;
    int status =
        ironmap_copy_line(length, map, start, limit, keep_end, line_allocate, &line, &error);
    if (status != IRONMAP_OK) {
        Py_XDECREF(line.bytes);
        return line_raise(self, map, &error);
    }
    if (*length == SHORT_LINE_BYTES) {
        Py_DECREF(line.bytes);
        return line_read_long(length, self, start, end, keep_end);
    }
    return line.bytes;
}

#endif /* IRONMAP_EXT_MMAP_LINE_H */
