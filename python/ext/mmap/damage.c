/* Lost pages under exported memory: damaged and clear_damage(). */
#include "mmap/damage.h"

#include <errno.h>

#include "errors.h"
#include "mmap/long_work.h"
#include "mmap/object.h"

void mmap_raise_damage(const ironmap_map *map)
{
    uint64_t offset = IRONMAP_NOT_FOUND;
    size_t length = 0;
    int status = ironmap_damage(&offset, &length, map, 0, NULL);
    bool found = status == IRONMAP_OK && offset != IRONMAP_NOT_FOUND;
    raise_fault(map, EIO, found ? offset : 0);
}

bool mmap_check_damage(const ironmap_map *map)
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
    bool done = append_damage(list, map);
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
