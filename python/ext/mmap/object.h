/* The class ironmap.mmap as the files of the extension know it.
 *
 * The order of things in every method, on which the safety of the class rests:
 *   1. mmap_precheck_open: a closed map is an error before anything else is looked at, where the
 *      running interpreter's own class does it in this order;
 *   2. convert the arguments, which may run Python code that closes or resizes this very map;
 *   3. mmap_use again, and check ranges against the length that the map has now;
 *   4. work, under the GIL if it is short, else held and without it (mmap_release_gil). */
#ifndef IRONMAP_EXT_MMAP_OBJECT_H
#define IRONMAP_EXT_MMAP_OBJECT_H

#include <ironmap/ironmap.h>

#include "compat.h"
#include "errors.h"

typedef struct {
    PyObject_HEAD ironmap_map *map; /* NULL: closed, or in the hands of a thread that resizes it */
    PyObject *weakrefs;
    bool resizing;  /* a thread resizes the map, without the GIL; it puts the map back */
    bool anonymous; /* made with descriptor -1 */
    bool tracked;   /* made with trackfd=True */
    bool readonly;  /* made for reading only; known after closing, too */
} MmapObject;

static inline MmapObject *mmap_object(PyObject *self)
{
    return (MmapObject *)self;
}

/* Why there is no map: ValueError where it is closed, BufferError while it is resized. */
void mmap_raise_not_open(const MmapObject *object);

/* The open map of `self`, or NULL and an exception. Good until Python code may run again. */
static inline ironmap_map *mmap_use(PyObject *self)
{
    ironmap_map *map = mmap_object(self)->map;
    if (map == NULL) {
        mmap_raise_not_open(mmap_object(self));
    }
    return map;
}

/* Whether a method may go on to its arguments; an exception where not. */
static inline bool mmap_precheck_open(PyObject *self)
{
    return ARGUMENTS_COME_FIRST || mmap_use(self) != NULL;
}

/* As mmap_use, for a map that is about to be changed. */
static inline ironmap_map *mmap_use_writable(PyObject *self)
{
    ironmap_map *map = mmap_use(self);
    if (map != NULL && !ironmap_writable(map)) {
        raise_readonly();
        return NULL;
    }
    return map;
}

#endif /* IRONMAP_EXT_MMAP_OBJECT_H */
