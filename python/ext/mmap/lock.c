/* The lock of one map. */
#include "mmap/lock.h"

/* How long a thread waits at a time, in microseconds. Not every signal ends the wait of the main
 * thread, which runs the handlers: another thread may receive it, and on Windows none does. */
#define SLEEP_US 50000

bool lock_allows(const MapLock *lock, LockKind kind)
{
    if (lock->shaped) {
        return false;
    }
    switch (kind) {
    case LOCK_LOOK:
        return true;
    case LOCK_READ:
        return !lock->stored;
    case LOCK_STORE:
        return !lock->stored && lock->readers == 0;
    default:
        return !lock->stored && lock->readers == 0 && lock->lookers == 0;
    }
}

void lock_take(MapLock *lock, LockKind kind)
{
    lock->lookers += kind == LOCK_LOOK ? 1 : 0;
    lock->readers += kind == LOCK_READ ? 1 : 0;
    lock->stored = lock->stored || kind == LOCK_STORE;
    lock->shaped = lock->shaped || kind == LOCK_SHAPE;
}

void lock_drop(MapLock *lock, LockKind kind)
{
    lock->lookers -= kind == LOCK_LOOK ? 1 : 0;
    lock->readers -= kind == LOCK_READ ? 1 : 0;
    lock->stored = lock->stored && kind != LOCK_STORE;
    lock->shaped = lock->shaped && kind != LOCK_SHAPE;
}

/* The lock as it will be for the next in line, if all before it begin as soon as they can. */
typedef struct {
    MapLock lock;
    bool only_looks; /* an earlier waiter has to wait for bytes */
    bool none;       /* an earlier waiter has to wait for its change of the shape */
} Line;

/* True if the next in line need not wait. A look overtakes the waiters for bytes. */
static bool line_passes(Line *line, LockKind kind)
{
    bool overtakes = !line->none && (!line->only_looks || kind == LOCK_LOOK);
    if (overtakes && lock_allows(&line->lock, kind)) {
        lock_take(&line->lock, kind);
        return true;
    }
    line->only_looks = true;
    line->none = line->none || kind == LOCK_SHAPE;
    return false;
}

bool lock_is_next(const MapLock *lock, LockKind kind, const Waiter *waiter)
{
    Line line = {.lock = *lock};
    for (const Waiter *before = lock->first; before != waiter; before = before->next) {
        if (!before->away) {
            (void)line_passes(&line, before->kind);
        }
    }
    return line_passes(&line, kind);
}

static void wake(Waiter *waiter)
{
    if (!waiter->woken) {
        waiter->woken = true;
        PyThread_release_lock(waiter->wake);
    }
}

void lock_wake(const MapLock *lock)
{
    Line line = {.lock = *lock};
    for (Waiter *waiter = lock->first; waiter != NULL; waiter = waiter->next) {
        if (!waiter->away && line_passes(&line, waiter->kind)) {
            wake(waiter);
        }
    }
}

static Waiter *new_waiter(LockKind kind)
{
    Waiter *waiter = PyMem_RawMalloc(sizeof(*waiter));
    PyThread_type_lock wake = PyThread_allocate_lock();
    if (waiter == NULL || wake == NULL) {
        PyMem_RawFree(waiter);
        if (wake != NULL) {
            PyThread_free_lock(wake);
        }
        PyErr_NoMemory();
        return NULL;
    }
    (void)PyThread_acquire_lock(wake, NOWAIT_LOCK);
    *waiter = (Waiter){.wake = wake, .kind = kind};
    return waiter;
}

Waiter *lock_queue(MapLock *lock, LockKind kind, bool at_front)
{
    Waiter *waiter = new_waiter(kind);
    if (waiter == NULL) {
        return NULL;
    }
    Waiter **place = &lock->first;
    while (!at_front && *place != NULL) {
        place = &(*place)->next;
    }
    waiter->next = *place;
    *place = waiter;
    return waiter;
}

void lock_free_waiter(Waiter *waiter)
{
    /* Some systems free only what is not acquired. */
    (void)PyThread_acquire_lock(waiter->wake, NOWAIT_LOCK);
    PyThread_release_lock(waiter->wake);
    PyThread_free_lock(waiter->wake);
    PyMem_RawFree(waiter);
}

void lock_unqueue(MapLock *lock, Waiter *waiter)
{
    Waiter **place = &lock->first;
    while (*place != waiter) {
        place = &(*place)->next;
    }
    *place = waiter->next;
    lock_free_waiter(waiter);
}

void lock_sleep(Waiter *waiter)
{
    PyThreadState *thread = PyEval_SaveThread();
    (void)PyThread_acquire_lock_timed(waiter->wake, SLEEP_US, 1);
    PyEval_RestoreThread(thread);
    if (waiter->woken) {
        (void)PyThread_acquire_lock(waiter->wake, NOWAIT_LOCK); /* woken after the sleep */
        waiter->woken = false;
    }
}
