/* Long work on a map: the lock is taken, and the GIL released.
 *
 *     do {
 *         if (!hold_begin(&hold, self, LOCK_READ)) {
 *             return NULL;
 *         }
 *         ... look at the length of hold.map, and check ranges ...
 *         gil_release();
 *         status = ... work on hold.map ...
 *         gil_acquire();
 *         hold_end(&hold);
 *     } while (hold_again(status));
 *
 * Signal handlers run in the middle of the work, and may use the same map, or wait for a thread
 * that does. So the lock is given back while they run. Other threads get it only if a handler lets
 * them run. Afterwards the map may be closed: the work then ends with ValueError, and the map is
 * unmapped once the work has ended. Or its shape has changed: then the work ends and begins again.
 */
#ifndef IRONMAP_EXT_MMAP_HOLD_H
#define IRONMAP_EXT_MMAP_HOLD_H

#include "gil.h"
#include "mmap/object.h"

/* Work of this thread that has the lock, or had it until a handler ran. */
typedef struct Hold {
    MmapObject *object;
    ironmap_map *map;
    LockKind kind;
    bool waited; /* other threads could run before the lock was had */
    bool taken;
    bool suspended; /* counted in object->suspended */
    unsigned shape; /* of the object when the hold began */
    struct Hold *outer;
} Hold;

/* Takes the lock for long work, waiting if need be. The caller has a reference to `self`. False
 * with an exception: ValueError if the map is closed, or what a signal handler raised. */
bool hold_begin(Hold *hold, PyObject *self, LockKind kind);

/* The same, without an exception if the map is closed. */
typedef enum {
    HOLD_BEGAN,
    HOLD_CLOSED,
    HOLD_STOPPED, /* with an exception; or with none, if other work of this thread has to begin anew
                   */
} HoldResult;

HoldResult hold_try(Hold *hold, PyObject *self, LockKind kind);

/* As hold_begin, for work on two maps, which may be one. Every thread takes two locks in the order
 * of their addresses, so that no two wait for each other. */
typedef struct {
    Hold first;
    Hold second; /* object NULL: both are one map */
} TwoHolds;

bool hold_begin_two(TwoHolds *both, PyObject *self, LockKind kind, PyObject *other,
                    LockKind other_kind);

void hold_end(Hold *hold);
void hold_end_two(TwoHolds *both);

/* True if the work was stopped since a handler has changed the map's shape. */
static inline bool hold_changed(int status)
{
    return status == IRONMAP_E_INTERRUPTED && !PyErr_Occurred();
}

/* The same, for work that begins anew then. */
static inline bool hold_again(int status)
{
    bool again = hold_changed(status);
    if (again) {
        gil_skip_checks(true); /* or a handler that comes again and again would never let it end */
    }
    return again;
}

/* In the main thread, runs signal handlers without the locks of this thread. Not 0 if its work
 * cannot go on: with an exception, or with none if a map's shape has changed. Needs the GIL. */
int hold_run_handlers(void);

/* The ironmap_options.check of every map: from time to time acquires the GIL and runs handlers. */
int hold_check(void *unused);

/* Forgets, in a child of fork, the locks of threads that are not there. */
PyObject *hold_after_fork(PyObject *self, PyObject *unused);

#endif /* IRONMAP_EXT_MMAP_HOLD_H */
