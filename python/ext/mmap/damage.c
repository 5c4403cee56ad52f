/* Lost pages under exported memory: damaged and clear_damage(). */
#include "mmap/damage.h"

#include <errno.h>
#include <ironmap/extra.h>

#include "errors.h"
#include "gil.h"
#include "mmap/hold.h"
#include "mmap/object.h"

void mmap_raise_damage(PyObject *self, ironmap_map *map)
{
    ironmap_error error;
    if (ironmap_check_damage(map, &error) == IRONMAP_OK) {
        error = (ironmap_error){.status = IRONMAP_E_FAULT,
                                .system_code = EIO,
                                .what = "the damage was cleared since",
                                .offset = IRONMAP_NOT_FOUND,
                                .file_length = IRONMAP_UNKNOWN};
    }
    raise_error(self, map, &error, "");
}

bool mmap_check_damage(PyObject *self, ironmap_map *map)
{
    if (!ironmap_is_damaged(map)) {
        return true;
    }
    mmap_raise_damage(self, map);
    return false;
}

/* Appends (start, end) of each damaged range to `list`. Allocating may run the garbage collector,
 * and so Python code: the map is had anew for each range. */
static bool append_damage(PyObject *list, PyObject *self)
{
    uint64_t offset = 0;
    uint64_t end = 0;
    size_t length = 0;
    ironmap_map *map = NULL;
    while (mmap_use_if_open(&map, self)) {
        if (map == NULL || ironmap_damage(&offset, &length, map, end, NULL) != IRONMAP_OK ||
            offset == IRONMAP_NOT_FOUND) {
            return true;
        }
        end = offset + length;
        PyObject *range = Py_BuildValue("KK", (unsigned long long)offset, (unsigned long long)end);
        if (range == NULL || PyList_Append(list, range) == -1) {
            Py_XDECREF(range);
            return false;
        }
        Py_DECREF(range);
    }
    return false;
}

/* A closed map has none: close() has told of what it had. Allocating may run the garbage collector,
 * and so Python code that closes the map. */
static PyObject *damaged_ranges(PyObject *self)
{
    ironmap_map *map = NULL;
    PyObject *list = PyList_New(0);
    if (list == NULL || !mmap_use_if_open(&map, self)) {
        Py_XDECREF(list);
        return NULL;
    }
    size_t count = map == NULL ? 0 : ironmap_damage_count(map);
    PyObject *ranges = append_damage(list, self) ? PyList_AsTuple(list) : NULL;
    Py_DECREF(list);
    bool had = ranges != NULL && mmap_use_if_open(&map, self);
    if (had && map != NULL) {
        ironmap_note_told_damage(map, count);
        return ranges;
    }
    Py_XDECREF(ranges);
    return had ? PyTuple_New(0) : NULL;
}

PyObject *mmap_get_damaged(PyObject *self, void *Py_UNUSED(closure))
{
    PyObject *ranges = NULL;
    IN_SECTION(self, ranges = damaged_ranges(self));
    return ranges;
}

static PyObject *clear_damage(PyObject *self)
{
    Hold hold;
    ironmap_error error;
    if (!hold_begin(&hold, self, LOCK_STORE)) {
        return NULL;
    }
    gil_release_now();
    int status = ironmap_clear_damage(hold.map, &error);
    gil_acquire();
    hold_end(&hold);
    if (status != IRONMAP_OK) {
        return raise_error(self, hold.map, &error, "");
    }
    Py_RETURN_NONE;
}

PyObject *mmap_clear_damage(PyObject *self, PyObject *Py_UNUSED(unused))
{
    PyObject *result = NULL;
    IN_SECTION(self, result = clear_damage(self));
    return result;
}
