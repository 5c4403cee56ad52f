/* Bytes that a method takes from an object. If they are those of another map, a page of them can be
 * unavailable: then they are read under that map's guard, and the method raises its FaultError. */
#ifndef IRONMAP_EXT_MMAP_SOURCE_H
#define IRONMAP_EXT_MMAP_SOURCE_H

#include <ironmap/ironmap.h>

#include "compat.h"

typedef struct {
    const void *bytes; /* valid if `map` is NULL */
    size_t length;
    ironmap_map *map; /* the other map; NULL: a buffer, or the map's own memory */
    uint64_t offset;  /* of the bytes in `map` */

    Py_buffer view;  /* view.obj is NULL if it is released */
    PyObject *owner; /* of `map`, which is held; NULL: the view keeps the map */
    void *copy;
} Source;

bool source_open_slow(Source *source, PyObject *object, PyObject *self);
void source_close_slow(Source *source);

/* Gets the bytes of `object`, an argument, for a method of `self`. May run Python code. False with
 * an exception. Until source_close no thread can close or resize the other map. */
static inline bool source_open(Source *source, PyObject *object, PyObject *self)
{
    if (!PyBytes_CheckExact(object)) {
        return source_open_slow(source, object, self);
    }
    /* Fast path: these never change, and the caller keeps its arguments. */
    source->bytes = PyBytes_AS_STRING(object);
    source->length = (size_t)PyBytes_GET_SIZE(object);
    source->map = NULL;
    source->view.obj = NULL;
    source->owner = NULL;
    source->copy = NULL;
    return true;
}

static inline void source_close(Source *source)
{
    if (source->view.obj != NULL || source->owner != NULL) {
        source_close_slow(source);
    }
}

/* The map whose memory `view` of `object` is, and `*offset` in it. NULL if it is none of ours, or
 * that of `self`. Valid as long as the view. */
ironmap_map *source_map(uint64_t *offset, PyObject *object, const Py_buffer *view, PyObject *self);

/* Copies the bytes into `buffer`, which has room for `length`. False with a FaultError if one of
 * them is unavailable, also behind another buffer, whose map is not known. */
bool source_copy(const Source *source, void *buffer);

/* Makes `bytes` valid: copies them, if they are another map's. False with its FaultError, or
 * MemoryError. */
bool source_load(Source *source);

#endif /* IRONMAP_EXT_MMAP_SOURCE_H */
