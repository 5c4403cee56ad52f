/* The end of a map: close() and deallocation. */
#include "mmap/close.h"

#include <ironmap/extra.h>

#include "errors.h"
#include "mmap/object.h"

/* Unmapping much memory is slow, and so is closing the last descriptor of a deleted file. */
int mmap_close_map(ironmap_map *map, ironmap_error *error)
{
    PyThreadState *thread = PyEval_SaveThread();
    int status = ironmap_close(map, error);
    PyEval_RestoreThread(thread);
    return status;
}

/* The object loses its map first, so that other threads see it as closed from then on. The map is
 * not pinned, so it is gone afterwards even if an error is reported. */
static int detach_and_close(MmapObject *self, ironmap_error *error)
{
    ironmap_map *map = self->map;
    self->map = NULL;
    return mmap_close_map(map, error);
}

PyObject *mmap_close(PyObject *self, PyObject *Py_UNUSED(unused))
{
    MmapObject *object = mmap_object(self);
    if (object->resizing) {
        mmap_raise_not_open(object);
        return NULL;
    }
    if (object->map == NULL) {
        Py_RETURN_NONE;
    }
    if (ironmap_is_busy(object->map)) {
        PyErr_SetString(PyExc_BufferError, "cannot close exported pointers exist");
        return NULL;
    }
    ironmap_error error;
    if (detach_and_close(object, &error) != IRONMAP_OK) {
        return raise_error(NULL, &error, "");
    }
    Py_RETURN_NONE;
}

int mmap_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    return 0;
}

void mmap_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    MmapObject *object = mmap_object(self);
    PyObject_GC_UnTrack(self);
    if (object->weakrefs != NULL) {
        PyObject_ClearWeakRefs(self);
    }
    /* A thread that pins, holds or resizes the map has a reference to the object, so there is none.
     * An error cannot be reported from here. */
    if (object->map != NULL) {
        (void)detach_and_close(object, NULL);
    }
    type->tp_free(self);
    Py_DECREF(type);
}
