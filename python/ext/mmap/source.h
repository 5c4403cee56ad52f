/* Bytes that a method takes from an object. If they are those of another map, a page of them can be
 * unavailable: then they are read under that map's guard, and the method raises its FaultError. */
#ifndef IRONMAP_EXT_MMAP_SOURCE_H
#define IRONMAP_EXT_MMAP_SOURCE_H

#include <ironmap/ironmap.h>

#include "compat.h"

typedef struct {
    const void *bytes; /* valid if `owner` is NULL */
    size_t length;
    PyObject *owner; /* of the other map; NULL: a buffer, or the map's own memory */
    uint64_t offset; /* of the bytes in that map */

    Py_buffer view; /* view.obj is NULL if it is released */
    void *copy;
} Source;

bool source_open_slow(Source *source, PyObject *object, PyObject *self);
void source_close_slow(Source *source);

/* Gets the bytes of `object`, an argument, for a method of `self`. May run Python code. False with
 * an exception. A map that is given itself may be closed or resized until it is held. */
static inline bool source_open(Source *source, PyObject *object, PyObject *self)
{
    if (!PyBytes_CheckExact(object)) {
        return source_open_slow(source, object, self);
    }
    /* Fast path: these never change, and the caller keeps its arguments. */
    source->bytes = PyBytes_AS_STRING(object);
    source->length = (size_t)PyBytes_GET_SIZE(object);
    source->owner = NULL;
    source->view.obj = NULL;
    source->copy = NULL;
    return true;
}

static inline void source_close(Source *source)
{
    if (source->view.obj != NULL || source->owner != NULL) {
        source_close_slow(source);
    }
}

/* The object whose map has the memory of `view`, a view of `object`, and `*offset` in it. NULL if
 * it is none of ours, or `self`. Borrowed, and valid as long as the view. */
PyObject *source_owner(uint64_t *offset, PyObject *object, const Py_buffer *view, PyObject *self);

/* The other map's object, or `self` if the bytes are no other map's. */
static inline PyObject *source_other(const Source *source, PyObject *self)
{
    return source->owner == NULL ? self : source->owner;
}

/* True if `object`, or what it is a view of, is `self`. */
bool source_is_of(PyObject *self, PyObject *object);

/* A copy of the bytes, as a new bytes object. NULL as source_load. */
PyObject *source_to_bytes(Source *source, PyObject *self);

/* Makes `bytes` valid: copies them, if they are another map's. False with FaultError of a method of
 * `self`, or MemoryError. */
bool source_load_slow(Source *source, PyObject *self);

static inline bool source_load(Source *source, PyObject *self)
{
    return source->owner == NULL || source->copy != NULL || source_load_slow(source, self);
}

/* The map of an error in which the source took part, with `self` on the other side. NULL: no map,
 * or a closed one. In the section of both. */
ironmap_map *source_map_of(const Source *source, PyObject *self, const ironmap_error *error);

/* Looks again at the length of a map that was given itself, once it is held. In its section. */
void source_refresh(Source *source);

#endif /* IRONMAP_EXT_MMAP_SOURCE_H */
