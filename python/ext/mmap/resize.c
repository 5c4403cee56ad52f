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
    ironmap_access access = ironmap_map_access(map);
    if (ironmap_is_busy(map)) {
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
    if (access == IRONMAP_READ || access == IRONMAP_COPY) {
        raise_not_resizable();
        return false;
    }
    if (length == 0) {
        raise_errno(EINVAL);
        return false;
    }
    return true;
}

/* Resizes without the GIL, because truncating a file and reserving its blocks can be slow. The
 * object has no map meanwhile, so that other threads cannot use it: mmap_use is a BufferError for
 * them. The caller has a reference to the object. In a child of a fork during the resize, the
 * object never gets its map back, because the thread that resizes does not exist there and the
 * map's state is unknown. */
static int resize_without_gil(MmapObject *object, size_t length, ironmap_error *error)
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
    int status = resize_without_gil(object, (size_t)length, &error);
    if (status == IRONMAP_E_UNSUPPORTED) {
        PyErr_SetString(PyExc_ValueError, "mmap: can't expand a shared anonymous mapping");
        return NULL;
    }
    if (status != IRONMAP_OK) {
        return raise_error(object->map, &error, "new size out of range");
    }
    Py_RETURN_NONE;
}

/* The size of memory without a file is the length of the map. On Unix, where the standard module
 * has no tags, the size of a tag's memory is the length of the tag. */
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
    int status = ironmap_file_size(&size, map, &error);
    mmap_acquire_gil(map, thread);
    return status == IRONMAP_OK ? PyLong_FromUnsignedLongLong(size) : raise_error(map, &error, "");
}
