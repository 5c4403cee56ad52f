/* The object of the class ironmap.mmap, and access to its map.
 *
 * The safety of the class rests on the order of the steps in every method:
 *   1. mmap_precheck_open reports a closed map first, on the versions of CPython whose own class
 * does.
 *   2. The arguments are converted. This may run Python code that closes or resizes the same map.
 *   3. The object's section begins (compat.h). All that follows is in it.
 *   4. The map is had: by mmap_use, mmap_use_to_read or mmap_use_to_store for short work, which is
 *      done under the GIL as a whole, or by hold_begin (hold.h) for long work. Both wait for long
 *      work of other threads, and for signal handlers, which may close or resize the map. Ranges
 *      are checked against the length that it has after that.
 *   5. The work is done, and its errors are raised. "Under the GIL" means in the section too, on
 *      builds without a GIL. */
#ifndef IRONMAP_EXT_MMAP_OBJECT_H
#define IRONMAP_EXT_MMAP_OBJECT_H

#include <ironmap/extra.h>

#include "compat.h"
#include "errors.h"
#include "mmap/lock.h"
#include "state.h"

/* Work on this many bytes or more runs without the GIL. Copying a little less costs about as much
 * as releasing and acquiring the GIL. */
#define LONG_WORK_BYTES ((size_t)64 * 1024)

typedef struct {
    PyObject_HEAD ironmap_map *map; /* NULL: closed */
    ironmap_map *for_look;          /* the map, for short work; NULL: closed, or long work of */
    ironmap_map *for_reads;         /* another thread excludes it. mmap_lock_changed sets them. */
    ironmap_map *for_stores;
    MapLock lock;
    unsigned shape;     /* counts the changes of length or address, and the close */
    unsigned process;   /* the generation of the process that the lock is of */
    unsigned contended; /* how often long work keeps the GIL at first; set when threads wait */
    size_t suspended; /* long operations in whose middle Python code runs, or has changed the map */
    ironmap_map *ended; /* closed while some were suspended: the last of them ends it */
    PyObject *weakrefs;
    ModuleState *state;        /* with a reference to its module */
    ironmap_reservation *kept; /* closed: addresses that were exported; NULL: none */
    char *kept_name;           /* of the file that they were of; NULL: none */
    bool anonymous;            /* made with descriptor -1 */
    bool tracked;              /* made with trackfd=True */
    bool plain;                /* made without access on a system without flags */
    bool quick;                /* the first part of the last long work took little time */
    bool readonly;             /* opened read-only; still valid after close() */
} MmapObject;

static inline MmapObject *mmap_object(PyObject *self)
{
    return (MmapObject *)self;
}

/* Follows a change of the lock, or of `map`. */
void mmap_lock_changed(MmapObject *object);

/* Slow path of the following: waits. NULL with an exception: ValueError if the map is closed, or
 * what a signal handler raised. */
COLD ironmap_map *mmap_wait(PyObject *self, LockKind kind);

/* The map of `self` for short work: on its length and address; on its bytes; to change these. Waits
 * for long work of other threads that excludes it. Valid until Python code can run again. NULL with
 * an exception. */
static inline ironmap_map *mmap_use(PyObject *self)
{
    ironmap_map *map = mmap_object(self)->for_look;
    return map != NULL ? map : mmap_wait(self, LOCK_LOOK);
}

static inline ironmap_map *mmap_use_to_read(PyObject *self)
{
    ironmap_map *map = mmap_object(self)->for_reads;
    return map != NULL ? map : mmap_wait(self, LOCK_READ);
}

/* The map may be read-only, as the library finds out. */
static inline ironmap_map *mmap_use_to_store(PyObject *self)
{
    ironmap_map *map = mmap_object(self)->for_stores;
    return map != NULL ? map : mmap_wait(self, LOCK_STORE);
}

/* The same, but NULL without an exception where mmap_use_to_read and mmap_use_to_store would wait,
 * or raise: for a method that holds the map then (hold_begin), and so keeps its place in the queue.
 */
static inline ironmap_map *mmap_now_to_read(PyObject *self)
{
    return mmap_object(self)->for_reads;
}

static inline ironmap_map *mmap_now_to_store(PyObject *self)
{
    return mmap_object(self)->for_stores;
}

/* Ends a short read of which `bytes` is a copy, or NULL. Returns it, or NULL without an exception
 * if the slow path has to read, or to raise. */
static inline PyObject *mmap_end_try(const ironmap_short_read *read, const ironmap_map *map,
                                     PyObject *bytes)
{
    if (ironmap_short_read_end(read, map) && bytes != NULL) {
        return bytes;
    }
    Py_XDECREF(bytes);
    PyErr_Clear(); /* the slow path raises the MemoryError */
    return NULL;
}

/* Fast path of reading bytes as an object. NULL without an exception if it takes the slow path.
 * Runs no Python code. */
static inline PyObject *mmap_try_bytes(const ironmap_map *map, uint64_t offset, size_t length)
{
    ironmap_short_read read;
    if (!ironmap_short_read_begin(&read, map, offset, length)) {
        return NULL;
    }
    PyObject *bytes = PyBytes_FromStringAndSize((const char *)read.bytes, (Py_ssize_t)length);
    return mmap_end_try(&read, map, bytes);
}

/* As mmap_use, but a closed map is NULL without an exception. False with what a signal handler
 * raised while this thread waited. */
bool mmap_use_if_open(ironmap_map **map, PyObject *self);

/* Raises the exception for `error` of a method of `self`, as raise_error_in does. `map` is that of
 * `self`, or another one. */
static inline PyObject *raise_error(PyObject *self, ironmap_map *map, const ironmap_error *error,
                                    const char *range_message)
{
    return raise_error_in(mmap_object(self)->state, map, error, range_message);
}

/* True if the map is closed. Waits for nothing, and needs no section. */
static inline bool mmap_is_closed(PyObject *self)
{
    return READ_SHARED(mmap_object(self)->map) == NULL;
}

/* True if the map is open, else false with ValueError. As mmap_is_closed. */
static inline bool mmap_check_open(PyObject *self)
{
    if (mmap_is_closed(self)) {
        raise_closed();
        return false;
    }
    return true;
}

/* True if a method may go on to its arguments, else false with an exception. */
static inline bool mmap_precheck_open(PyObject *self)
{
    return ARGUMENTS_COME_FIRST || mmap_check_open(self);
}

#endif /* IRONMAP_EXT_MMAP_OBJECT_H */
