#include "mmap/source.h"

#include <ironmap/extra.h>

#include "errors.h"
#include "gil.h"
#include "mmap/buffer.h"
#include "mmap/hold.h"

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

PyObject *source_owner(uint64_t *offset, PyObject *object, const Py_buffer *view, PyObject *self)
{
    PyObject *exporter = exporter_of(object);
    if (view->len == 0 || exporter == self || !exports_a_map(exporter)) {
        return NULL;
    }
    /* The view pins the map. */
    const void *data = ironmap_data(mmap_object(exporter)->map);
    *offset = (uint64_t)((const char *)view->buf - (const char *)data);
    return exporter;
}

bool source_is_of(PyObject *self, PyObject *object)
{
    return exporter_of(object) == self;
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
    PyObject *owner = source_owner(&source->offset, object, &source->view, self);
    source->owner = Py_XNewRef(owner);
    if (owner == object) {
        /* A loss under an export would be damage. */
        PyBuffer_Release(&source->view);
    }
    return true;
}

void source_close_slow(Source *source)
{
    PyMem_Free(source->copy);
    Py_CLEAR(source->owner);
    if (source->view.obj != NULL) {
        PyBuffer_Release(&source->view);
    }
}

ironmap_map *source_map_of(const Source *source, PyObject *self, const ironmap_error *error)
{
    PyObject *at = error->in_source ? source->owner : self;
    return at == NULL ? NULL : mmap_object(at)->map;
}

void source_refresh(Source *source)
{
    if (source->owner != NULL && source->view.obj == NULL) {
        source->length = ironmap_length(mmap_object(source->owner)->map);
    }
}

/* Copies the bytes. False if the map is closed, with an exception, or memory is out. */
static bool load(int *status, Source *source, ironmap_error *error)
{
    Hold hold;
    if (!hold_begin(&hold, source->owner, LOCK_READ)) {
        return false;
    }
    source_refresh(source);
    source->copy = PyMem_Malloc(source->length);
    if (source->copy != NULL) {
        gil_release_if(source->length >= LONG_WORK_BYTES);
        *status = ironmap_get(hold.map, source->offset, source->copy, source->length, error);
        gil_acquire();
    }
    hold_end(&hold);
    return source->copy != NULL;
}

/* Copies the bytes, again if the map's shape has changed meanwhile. */
static bool load_other(Source *source, PyObject *self)
{
    int status = IRONMAP_OK;
    ironmap_error error;
    do {
        PyMem_Free(source->copy);
        source->copy = NULL;
        if (!load(&status, source, &error)) {
            if (!PyErr_Occurred()) {
                PyErr_NoMemory();
            }
            return false;
        }
    } while (hold_again(status));
    if (status != IRONMAP_OK) {
        raise_error(self, mmap_object(source->owner)->map, &error, "");
        return false;
    }
    source->bytes = source->copy;
    return true;
}

bool source_load_slow(Source *source, PyObject *self)
{
    bool loaded = false;
    IN_SECTION(source->owner, loaded = load_other(source, self));
    return loaded;
}

PyObject *source_to_bytes(Source *source, PyObject *self)
{
    PyObject *bytes = source_load(source, self)
                          ? PyBytes_FromStringAndSize(NULL, (Py_ssize_t)source->length)
                          : NULL;
    ironmap_error error;
    if (bytes != NULL && ironmap_load(PyBytes_AS_STRING(bytes), source->bytes, source->length,
                                      &error) != IRONMAP_OK) {
        Py_CLEAR(bytes);
        raise_error(self, NULL, &error, "");
    }
    return bytes;
}
