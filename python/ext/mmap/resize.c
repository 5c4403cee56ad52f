/* The length of the map and of its file: resize() and size(). */
#include "mmap/resize.h"

#include <errno.h>

#include "args.h"
#include "constants.h"
#include "errors.h"
#include "gil.h"
#include "mmap/hold.h"
#include "mmap/object.h"

static void raise_exported(void)
{
    PyErr_SetString(PyExc_BufferError, "mmap can't resize with extant buffers exported.");
}

static bool resize_check(const MmapObject *object, Py_ssize_t length)
{
    const ironmap_map *map = object->map;
    ironmap_access access = ironmap_map_access(map);
    if (ironmap_is_busy(map)) {
        raise_exported();
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

/* Resizes without the GIL, because truncating a file and reserving its blocks can be slow. */
static int resize_without_gil(const Hold *hold, size_t length, ironmap_error *error)
{
    PyThreadState *thread = PyEval_SaveThread();
    int status = ironmap_resize(hold->map, length, error);
    PyEval_RestoreThread(thread);
    hold->object->shape++;
    return status;
}

static PyObject *resize_map(PyObject *self, Py_ssize_t length)
{
    MmapObject *object = mmap_object(self);
    if (mmap_use(self) == NULL || !resize_check(object, length)) {
        return NULL;
    }
    Hold hold;
    ironmap_error error;
    if (!hold_begin(&hold, self, LOCK_SHAPE)) {
        return NULL;
    }
    /* Exported while this thread waited: looked at here, since a child that is forked during a
     * resize has no map. */
    int status = ironmap_is_busy(hold.map) ? IRONMAP_E_BUSY
                                           : resize_without_gil(&hold, (size_t)length, &error);
    hold_end(&hold);
    switch (status) {
    case IRONMAP_OK:
        Py_RETURN_NONE;
    case IRONMAP_E_BUSY:
        raise_exported();
        return NULL;
    case IRONMAP_E_UNSUPPORTED:
        PyErr_SetString(PyExc_ValueError, "mmap: can't expand a shared anonymous mapping");
        return NULL;
    default:
        return raise_error(self, hold.map, &error, "new size out of range");
    }
}

PyObject *mmap_resize(PyObject *self, PyObject *size)
{
    Py_ssize_t length = 0;
    if (!mmap_precheck_open(self) || !convert_size(size, &length)) {
        return NULL;
    }
    PyObject *result = NULL;
    IN_SECTION(self, result = resize_map(self, length));
    return result;
}

/* The file system may take its time. Nothing looks for signals meanwhile, so the GIL is released as
 * for any system call. `*map` is NULL if an exception is set. */
static int file_size_without_gil(ironmap_map **map, uint64_t *size, PyObject *self,
                                 ironmap_error *error)
{
    Hold hold;
    if (!hold_begin(&hold, self, LOCK_LOOK)) {
        *map = NULL;
        return IRONMAP_E_INTERRUPTED;
    }
    *map = hold.map;
    PyThreadState *thread = PyEval_SaveThread();
    int status = ironmap_file_size(size, hold.map, error);
    PyEval_RestoreThread(thread);
    hold_end(&hold);
    return status;
}

/* The size of memory without a file is the length of the map. On Unix, where the standard module
 * has no tags, the size of a tag's memory is the length of the tag. */
static PyObject *size_of_file(PyObject *self)
{
    ironmap_map *map = mmap_use(self);
    if (map == NULL) {
        return NULL;
    }
    if (!mmap_object(self)->tracked) {
        return raise_no_file(mmap_object(self)->state, "get size");
    }
    if (mmap_object(self)->anonymous && !system_has_flags()) {
        return PyLong_FromSize_t(ironmap_length(map));
    }
    uint64_t size = 0;
    ironmap_error error;
    int status = mmap_object(self)->anonymous ? ironmap_file_size(&size, map, &error)
                                              : file_size_without_gil(&map, &size, self, &error);
    if (status != IRONMAP_OK) {
        return map == NULL ? NULL : raise_error(self, map, &error, "");
    }
    return PyLong_FromSsize_t((Py_ssize_t)size);
}

PyObject *mmap_size(PyObject *self, PyObject *Py_UNUSED(unused))
{
    PyObject *size = NULL;
    IN_SECTION(self, size = size_of_file(self));
    return size;
}
