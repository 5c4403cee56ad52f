/* Lost pages under exported memory: damaged and clear_damage(). */
#include "mmap/damage.h"

#include <errno.h>
#include <ironmap/extra.h>

#include "errors.h"
#include "mmap/long_work.h"
#include "mmap/object.h"

void mmap_raise_damage(ironmap_map *map)
{
    ironmap_error error;
    if (ironmap_check_damage(map, &error) == IRONMAP_OK) {
        error = (ironmap_error){.status = IRONMAP_E_FAULT,
                                .system_code = EIO,
                                .what = "the damage was cleared since",
                                .offset = IRONMAP_NOT_FOUND,
                                .file_length = IRONMAP_UNKNOWN};
    }
    raise_error(map, &error, "");
}

bool mmap_check_damage(ironmap_map *map)
{
    if (!ironmap_is_damaged(map)) {
        return true;
    }
    mmap_raise_damage(map);
    return false;
}

/* Appends (start, end) of each damaged range to `list`. */
static bool append_damage(PyObject *list, const ironmap_map *map)
{
    uint64_t offset = 0;
    uint64_t end = 0;
    size_t length = 0;
    while (ironmap_damage(&offset, &length, map, end, NULL) == IRONMAP_OK &&
           offset != IRONMAP_NOT_FOUND) {
        end = offset + length;
        PyObject *range = Py_BuildValue("KK", (unsigned long long)offset, (unsigned long long)end);
        if (range == NULL || PyList_Append(list, range) == -1) {
            Py_XDECREF(range);
            return false;
        }
        Py_DECREF(range);
    }
    return true;
}

PyObject *mmap_get_damaged(PyObject *self, void *Py_UNUSED(closure))
{
    /* The list is made before the map is used, because allocating may run the garbage collector,
     * and so Python code. While the list is filled, the map is held for the same reason. */
    PyObject *list = PyList_New(0);
    ironmap_map *map = list == NULL ? NULL : mmap_use(self);
    if (map == NULL) {
        Py_XDECREF(list);
        return NULL;
    }
    ironmap_hold(map);
    size_t count = ironmap_damage_count(map);
    bool done = append_damage(list, map);
    if (done) {
        ironmap_note_told_damage(map, count);
    }
    ironmap_release(map);
    PyObject *ranges = done ? PyList_AsTuple(list) : NULL;
    Py_DECREF(list);
    return ranges;
}

PyObject *mmap_clear_damage(PyObject *self, PyObject *Py_UNUSED(unused))
{
    ironmap_map *map = mmap_use(self);
    ironmap_error error;
    if (map == NULL) {
        return NULL;
    }
    PyThreadState *thread = mmap_release_gil(map);
    int status = ironmap_clear_damage(map, &error);
    mmap_acquire_gil(map, thread);
    if (status != IRONMAP_OK) {
        return raise_error(map, &error, "");
    }
    Py_RETURN_NONE;
}
