#include "mmap/source.h"

#include <ironmap/extra.h>

#include "errors.h"
#include "mmap/buffer.h"
#include "mmap/long_work.h"
#include "mmap/object.h"

/* The object whose buffer `view` of `object` is: a memoryview passes on that of another object. */
static PyObject *exporter_of(PyObject *object)
{
    return PyMemoryView_Check(object) ? PyMemoryView_GET_BUFFER(object)->obj : object;
}

/* Any class derived from ironmap.mmap that exports its memory. */
static bool exports_a_map(const PyObject *object)
{
    const PyBufferProcs *procs = object == NULL ? NULL : Py_TYPE(object)->tp_as_buffer;
    return procs != NULL && procs->bf_getbuffer == mmap_getbuffer;
}

ironmap_map *source_map(uint64_t *offset, PyObject *object, const Py_buffer *view, PyObject *self)
{
    PyObject *exporter = exporter_of(object);
    if (view->len == 0 || exporter == self || !exports_a_map(exporter)) {
        return NULL;
    }
    ironmap_map *map = mmap_object(exporter)->map;
    *offset = (uint64_t)((const char *)view->buf - (const char *)ironmap_data(map));
    return map;
}

/* The map's own object needs no export meanwhile, under which a loss would be damage: the map is
 * held. */
static void hold_owner(Source *source, PyObject *owner)
{
    ironmap_hold(source->map);
    source->owner = Py_NewRef(owner);
    PyBuffer_Release(&source->view);
}

bool source_open_slow(Source *source, PyObject *object, PyObject *self)
{
    *source = (Source){.bytes = NULL};
    if (PyObject_GetBuffer(object, &source->view, PyBUF_SIMPLE) == -1) {
        source->view.obj = NULL;
        return false;
    }
    source->bytes = source->view.buf;
    source->length = (size_t)source->view.len;
    source->map = source_map(&source->offset, object, &source->view, self);
    if (source->map != NULL && exporter_of(object) == object) {
        hold_owner(source, object);
    }
    return true;
}

void source_close_slow(Source *source)
{
    PyMem_Free(source->copy);
    if (source->owner != NULL) {
        ironmap_release(mmap_object(source->owner)->map);
        Py_CLEAR(source->owner);
    }
    if (source->view.obj != NULL) {
        PyBuffer_Release(&source->view);
    }
}

bool source_copy(const Source *source, void *buffer)
{
    ironmap_error error;
    int status = IRONMAP_OK;
    if (source->map == NULL) {
        status = ironmap_load(buffer, source->bytes, source->length, &error);
    } else {
        PyThreadState *thread = mmap_release_gil_for(source->map, source->length);
        status = ironmap_get(source->map, source->offset, buffer, source->length, &error);
        mmap_acquire_gil(source->map, thread);
    }
    if (status != IRONMAP_OK) {
        raise_error(source->map, &error, "");
    }
    return status == IRONMAP_OK;
}

bool source_load(Source *source)
{
    if (source->map == NULL || source->copy != NULL) {
        return true;
    }
    source->copy = PyMem_Malloc(source->length);
    if (source->copy == NULL) {
        PyErr_NoMemory();
        return false;
    }
    if (!source_copy(source, source->copy)) {
        return false;
    }
    source->bytes = source->copy;
    return true;
}
