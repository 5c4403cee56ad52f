/* Lines from the position on: readline() and readlines(). */
#include "mmap/readline.h"

#include "args.h"
#include "gil.h"
#include "mmap/line.h"
#include "mmap/object.h"

/* A position beyond the end, where resize() may leave it, cannot be set and stays. */
static void set_position(ironmap_map *map, uint64_t position)
{
    (void)ironmap_seek(map, (int64_t)position, IRONMAP_SEEK_SET, NULL);
}

/* Tries of a long line without the GIL. */
enum { TRIES = 3 };

/* Slow path of next_line. Retries if another thread moved the position while a long line was read.
 * Another thread may move it all the time, so the last try keeps the GIL. */
static COLD PyObject *next_line_slow(PyObject *self)
{
    for (int tries = 0; tries < TRIES; tries++) {
        ironmap_map *map = mmap_use_to_read(self);
        if (map == NULL) {
            return NULL;
        }
        uint64_t start = ironmap_tell(map);
        size_t length = 0;
        PyObject *line = line_read(&length, self, map, start, ironmap_length(map), true);
        if (line == NULL) {
            return NULL;
        }
        if (!mmap_check_open(self)) {
            Py_DECREF(line);
            return NULL;
        }
        if (ironmap_tell(map) == start) {
            set_position(map, start + length);
            return line;
        }
        Py_DECREF(line);
    }
    return line_read_next(self);
}

/* The next line, or b"" at the end. */
static inline PyObject *next_line(PyObject *self)
{
    ironmap_map *map = mmap_now_to_read(self);
    if (map == NULL) {
        return next_line_slow(self);
    }
    size_t length = 0;
    PyObject *line = line_try(&length, map, ironmap_tell(map), ironmap_length(map), true);
    if (line == NULL) {
        return next_line_slow(self);
    }
    ironmap_advance(map, length);
    return line;
}

PyObject *mmap_readline(PyObject *self, PyObject *Py_UNUSED(unused))
{
    PyObject *line = NULL;
    IN_SECTION(self, line = next_line(self));
    return line;
}

/* Reads the next line. `*reached` is the position after it. No line, and no exception, at the end.
 */
static PyObject *line_if_any(PyObject *self, uint64_t *reached)
{
    const ironmap_map *map = mmap_use(self);
    if (map == NULL || ironmap_tell(map) >= ironmap_length(map)) {
        return NULL;
    }
    PyObject *line = next_line(self);
    if (line != NULL) {
        *reached = ironmap_tell(mmap_object(self)->map);
    }
    return line;
}

/* Appends lines to `list` until the end, or until they have more than `hint` bytes. `*reached` is
 * the position after the last one. Python code can run between two lines. */
static bool append_lines(PyObject *list, uint64_t *reached, PyObject *self, size_t hint)
{
    size_t total = 0;
    size_t work = 0;
    while (total <= hint) {
        PyObject *line = NULL;
        IN_SECTION(self, line = line_if_any(self, reached));
        if (line == NULL) {
            return !PyErr_Occurred();
        }
        size_t length = (size_t)PyBytes_GET_SIZE(line);
        int status = length == 0 ? 0 : PyList_Append(list, line);
        Py_DECREF(line);
        if (length == 0) {
            return true; /* another thread has read the last line meanwhile */
        }
        if (status == -1 || !mmap_check_open(self) || !eval_breaker_check(&work, length)) {
            return false;
        }
        total += length;
    }
    return true;
}

/* After a failure the position is where it was, unless it has moved since, or a resize by another
 * thread excludes that now. */
static void go_back(PyObject *self, uint64_t reached, uint64_t start)
{
    ironmap_map *map = mmap_object(self)->for_look;
    if (map != NULL && ironmap_tell(map) == reached) {
        set_position(map, start);
    }
}

/* False with an exception. */
static bool get_position(uint64_t *position, PyObject *self)
{
    const ironmap_map *map = mmap_use(self);
    *position = map == NULL ? 0 : ironmap_tell(map);
    return map != NULL;
}

PyObject *mmap_readlines(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    Py_ssize_t hint = -1;
    if (!mmap_precheck_open(self) || !check_count("readlines", count, 0, 1) ||
        (count > 0 && !convert_read_size(args[0], &hint))) {
        return NULL;
    }
    /* Allocating may run the garbage collector, and so Python code. The map is used after that. */
    PyObject *list = PyList_New(0);
    uint64_t start = 0;
    bool had = false;
    if (list != NULL) {
        IN_SECTION(self, had = get_position(&start, self));
    }
    if (!had) {
        Py_XDECREF(list);
        return NULL;
    }
    uint64_t reached = start;
    if (!append_lines(list, &reached, self, hint > 0 ? (size_t)hint : SIZE_MAX)) {
        IN_SECTION(self, go_back(self, reached, start));
        Py_CLEAR(list);
    }
    return list;
}
