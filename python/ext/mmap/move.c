/* Copying inside the map: move(). */
#include "mmap/move.h"

#include "args.h"
#include "errors.h"
#include "gil.h"
#include "mmap/hold.h"
#include "mmap/object.h"

typedef struct {
    uint64_t target;
    uint64_t source;
    size_t length;
} Range;

/* False with an exception if the map is closed. */
static bool move_long(int *status, PyObject *self, Range range, ironmap_error *error)
{
    Hold hold;
    if (!hold_begin(&hold, self, LOCK_STORE)) {
        return false;
    }
    gil_release();
    *status = ironmap_move(hold.map, range.target, range.source, range.length, error);
    gil_acquire();
    hold_end(&hold);
    return true;
}

static PyObject *move(PyObject *self, Range range)
{
    ironmap_map *map = mmap_use_to_store(self);
    if (map == NULL) {
        return NULL;
    }
    int status = 0;
    ironmap_error error;
    if (range.length < LONG_WORK_BYTES) {
        status = ironmap_move(map, range.target, range.source, range.length, &error);
    } else if (!move_long(&status, self, range, &error)) {
        return NULL;
    }
    if (hold_changed(status)) {
        PyErr_SetString(PyExc_ValueError, "a signal handler has resized the map during move()");
        return NULL;
    }
    if (status != IRONMAP_OK) {
        return raise_error(self, map, &error, "source, destination, or count out of range");
    }
    Py_RETURN_NONE;
}

PyObject *mmap_move(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    Py_ssize_t target = 0;
    Py_ssize_t source = 0;
    Py_ssize_t length = 0;
    if (!mmap_precheck_open(self) || !check_count("move", count, 3, 3) ||
        !convert_size(args[0], &target) || !convert_size(args[1], &source) ||
        !convert_size(args[2], &length)) {
        return NULL;
    }
    /* The library refuses a read-only map, and negative values, which become very large. */
    Range range = {(uint64_t)target, (uint64_t)source, (size_t)length};
    PyObject *result = NULL;
    IN_SECTION(self, result = move(self, range));
    return result;
}
