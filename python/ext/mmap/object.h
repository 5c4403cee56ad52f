/* The object of the class ironmap.mmap, and access to its map.
 *
 * The safety of the class rests on the order of the steps in every method:
 *   1. mmap_precheck_open reports a closed map first, on the versions of CPython whose own class
 * does.
 *   2. The arguments are converted. This may run Python code that closes or resizes the same map.
 *   3. mmap_use gets the map again, and ranges are checked against the length that it has now.
 *   4. The work is done: short work under the GIL, long work without it on a held map
 *      (mmap_release_gil in long_work.h). */
#ifndef IRONMAP_EXT_MMAP_OBJECT_H
#define IRONMAP_EXT_MMAP_OBJECT_H

#include <ironmap/extra.h>

#include "compat.h"
#include "errors.h"

typedef struct {
    PyObject_HEAD ironmap_map *map; /* NULL: closed, or another thread resizes it */
    PyObject *weakrefs;
    ironmap_reservation *kept; /* closed: addresses that were exported; NULL: none */
    char *kept_name;           /* of the file that they were of; NULL: none */
    bool resizing;             /* a thread resizes the map without the GIL; it sets `map` again */
    bool anonymous;            /* made with descriptor -1 */
    bool tracked;              /* made with trackfd=True */
    bool plain;                /* made without access on a system without flags */
    bool readonly;             /* opened read-only; still valid after close() */
} MmapObject;

static inline MmapObject *mmap_object(PyObject *self)
{
    return (MmapObject *)self;
}

/* Raises the reason why `map` is NULL: ValueError if it is closed, BufferError if it is resized. */
void mmap_raise_not_open(const MmapObject *object);

/* The open map of `self`, or NULL with an exception. Valid until Python code can run again. */
static inline ironmap_map *mmap_use(PyObject *self)
{
    ironmap_map *map = mmap_object(self)->map;
    if (map == NULL) {
        mmap_raise_not_open(mmap_object(self));
    }
    return map;
}

/* True if a method may go on to its arguments, else false with an exception. */
static inline bool mmap_precheck_open(PyObject *self)
{
    return ARGUMENTS_COME_FIRST || mmap_use(self) != NULL;
}

/* As mmap_use, for a method that writes to the map. */
static inline ironmap_map *mmap_use_writable(PyObject *self)
{
    ironmap_map *map = mmap_use(self);
    if (map != NULL && !ironmap_is_writable(map)) {
        raise_readonly();
        return NULL;
    }
    return map;
}

#endif /* IRONMAP_EXT_MMAP_OBJECT_H */
