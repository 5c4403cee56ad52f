/* Reads one line at any offset of a map, for readline(), readlines() and lines(). */
#ifndef IRONMAP_EXT_MMAP_LINE_H
#define IRONMAP_EXT_MMAP_LINE_H

#include "mmap/object.h"

/* Shorter lines are found and copied in one pass. */
enum { SHORT_LINE_BYTES = 512 };

/* Fast path of line_read: a short line that ends with a newline. NULL without an exception for all
 * others. Runs no Python code. */
static inline PyObject *line_try(size_t *length, const ironmap_map *map, uint64_t start,
                                 uint64_t end, bool keep_end)
{
    size_t limit = end - start < SHORT_LINE_BYTES ? (size_t)(end - start) : SHORT_LINE_BYTES - 1;
    ironmap_short_read read;
    if (!ironmap_short_read_begin(&read, map, start, limit)) {
        return NULL;
    }
    PyObject *bytes = NULL;
    const uint8_t *newline = memchr(read.bytes, '\n', limit);
    if (newline != NULL) {
        const uint8_t *after = keep_end ? newline + 1 : newline;
        bytes = PyBytes_FromStringAndSize((const char *)read.bytes, after - read.bytes);
    }
    bytes = mmap_end_try(&read, map, bytes);
    *length = bytes == NULL ? 0 : (size_t)PyBytes_GET_SIZE(bytes) + (keep_end ? 0 : 1);
    return bytes;
}

/* Slow path of line_read. */
NOINLINE PyObject *line_read_slow(size_t *length, PyObject *self, ironmap_map *map, uint64_t start,
                                  uint64_t end, bool keep_end);

/* The line at `start`, which ends at `end` at the latest, in the map of `self` that was had to
 * read.
 * `*length` is its length in bytes with its newline, even if that is not kept. The GIL may be
 * released meanwhile: another thread may read the same line, so the caller checks that its position
 * is still `start`, or may close or shrink the map. In a map that ends at `start` then, the line is
 * empty. */
static inline PyObject *line_read(size_t *length, PyObject *self, ironmap_map *map, uint64_t start,
                                  uint64_t end, bool keep_end)
{
    PyObject *line = line_try(length, map, start, end, keep_end);
    return line != NULL ? line : line_read_slow(length, self, map, start, end, keep_end);
}

/* The line at the position of `self`, which moves behind it. Keeps the GIL once the map is had, so
 * that no other thread moves the position meanwhile. */
COLD PyObject *line_read_next(PyObject *self);

#endif /* IRONMAP_EXT_MMAP_LINE_H */
