/* Slow paths of line_read. */
#include "mmap/line.h"

#include "errors.h"
#include "mmap/long_work.h"

PyObject *line_raise(ironmap_map *map, const ironmap_error *error)
{
    return raise_error(map, error, "read out of range");
}

/* Sets the length of the line at `start`, which has no newline before `from`. The GIL is released
 * after LONG_WORK_BYTES. */
static int find_end(size_t *length, ironmap_map *map, uint64_t start, uint64_t from, uint64_t end,
                    ironmap_error *error)
{
    uint64_t newline = IRONMAP_NOT_FOUND;
    uint64_t limit = end - from < LONG_WORK_BYTES ? end : from + LONG_WORK_BYTES;
    int status = ironmap_find(&newline, map, "\n", 1, from, (size_t)(limit - from), error);
    if (status == IRONMAP_OK && newline == IRONMAP_NOT_FOUND && limit < end) {
        PyThreadState *thread = mmap_release_gil(map);
        status = ironmap_find(&newline, map, "\n", 1, limit, (size_t)(end - limit), error);
        mmap_acquire_gil(map, thread);
    }
    *length = (size_t)((newline == IRONMAP_NOT_FOUND ? end : newline + 1) - start);
    return status;
}

/* Copies `length` bytes from `start`. */
static PyObject *copy_bytes(ironmap_map *map, uint64_t start, size_t length)
{
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)length);
    if (bytes == NULL) {
        return NULL;
    }
    ironmap_error error;
    PyThreadState *thread = mmap_release_gil_for(map, length);
    int status = ironmap_get(map, start, PyBytes_AS_STRING(bytes), length, &error);
    mmap_acquire_gil(map, thread);
    if (status != IRONMAP_OK) {
        Py_DECREF(bytes);
        return line_raise(map, &error);
    }
    return bytes;
}

PyObject *line_read_long(size_t *length, ironmap_map *map, uint64_t start, uint64_t end,
                         bool keep_end)
{
    ironmap_error error;
    uint8_t last = 0;
    end = end < ironmap_length(map) ? end : ironmap_length(map);
    if (find_end(length, map, start, start + SHORT_LINE_BYTES - 1, end, &error) != IRONMAP_OK ||
        ironmap_get_byte(&last, map, start + *length - 1, &error) != IRONMAP_OK) {
        return line_raise(map, &error);
    }
    return copy_bytes(map, start, *length - (!keep_end && last == '\n' ? 1 : 0));
}
