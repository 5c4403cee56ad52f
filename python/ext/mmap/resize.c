/* The length of the map and of its file: resize() and size(). */
#include "mmap/resize.h"

#include <errno.h>

#include "args.h"
#include "constants.h"
#include "errors.h"
#include "gil.h"
#include "mmap/long_work.h"
#include "mmap/object.h"

static bool resize_check(const MmapObject *object, Py_ssize_t length)
{
    const ironmap_map *map = object->map;
    ironmap_access access = ironmap_access_of(map);
    if (ironmap_busy(map)) {
        PyErr_SetString(PyExc_BufferError, "mmap can't resize with extant buffers exported.");
        return false;
    }
    if (!object->tracked) {
        PyErr_SetString(PyExc_ValueError, "mmap can't resize with trackfd=False.");
        return false;
    }
    if (ironmap_tag(map) != NULL) {
        PyErr_SetString(PyExc_TypeError, "mmap can't resize a memory map with a tagname.");
        return false;
    }
    if (access == IRONMAP_ACCESS_READ || access == IRONMAP_ACCESS_COPY) {
        raise_not_resizable();
        return false;
    }
    uint64_t offset = object->anonymous ? 0 : ironmap_offset(map);
    if (length < 0 || offset > (uint64_t)(PY_SSIZE_T_MAX - length)) {
        PyErr_SetString(PyExc_ValueError, "new size out of range");
        return false;
    }
    if (length == 0) {
        raise_errno(EINVAL);
        return false;
    }
    return true;
}

/* Resizes without the GIL: to cut much off, or to have blocks reserved on a disk, takes a while.
 * Nobody may look at the map while its shape changes, so it is taken out of the object meanwhile;
 * all who find it absent ask why, and are refused (mmap_raise_not_open). The caller has a reference
 * to the object. In a child that is forked just then, the map stays absent: the thread that would
 * put it back is not there, and nobody knows what shape it has. */
static int resize_absent(MmapObject *object, size_t length, ironmap_error *error)
{
    ironmap_map *map = object->map;
    object->map = NULL;
    object->resizing = true;
    PyThreadState *thread = PyEval_SaveThread();
    int status = ironmap_resize(map, length, error);
    PyEval_RestoreThread(thread);
    object->map = map;
    object->resizing = false;
    return status;
}

PyObject *mmap_resize(PyObject *self, PyObject *size)
{
    Py_ssize_t length = 0;
    if (!mmap_precheck_open(self) || !convert_size(size, &length)) {
        return NULL;
    }
    MmapObject *object = mmap_object(self);
    if (mmap_use(self) == NULL || !resize_check(object, length)) {
        return NULL;
    }
    ironmap_error error;
    int status = resize_absent(object, (size_t)length, &error);
    if (status == IRONMAP_E_UNSUPPORTED) {
        PyErr_SetString(PyExc_ValueError, "mmap: can't expand a shared anonymous mapping");
        return NULL;
    }
    if (status != IRONMAP_OK) {
        return raise_error(object->map, &error, "new size out of range");
    }
    Py_RETURN_NONE;
}

/* Of memory without a file it is the length of the map; but on Unix, where the standard module has
 * no tags, of a tag its own. */
PyObject *mmap_size(PyObject *self, PyObject *Py_UNUSED(unused))
{
    ironmap_map *map = mmap_use(self);
    if (map == NULL) {
        return NULL;
    }
    if (!mmap_object(self)->tracked) {
        return raise_no_file("get size");
    }
    if (mmap_object(self)->anonymous && !system_has_flags()) {
        return PyLong_FromSize_t(ironmap_length(map));
    }
    uint64_t size = 0;
    ironmap_error error;
    PyThreadState *thread = mmap_release_gil(map);
    int status = ironmap_size(&size, map, &error);
    mmap_acquire_gil(map, thread);
    return status == IRONMAP_OK ? PyLong_FromUnsignedLongLong(size) : raise_error(map, &error, "");
}
