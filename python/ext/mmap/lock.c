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

/* True if the waiter does not have to wait for the one before it in the queue. A look overtakes
 * those who wait for bytes. */
static bool may_overtake(const Waiter *before, LockKind kind)
{
    return before->away || (kind == LOCK_LOOK && before->kind != LOCK_SHAPE);
}

bool lock_is_next(const MapLock *lock, LockKind kind)
{
    const Waiter *before = lock->first;
    while (before != NULL && may_overtake(before, kind)) {
        before = before->next;
    }
    return before == NULL && lock_allows(lock, kind);
}

void lock_grant(MapLock *lock)
{
    bool only_looks = false; /* one who comes before has to wait */
    for (Waiter **place = &lock->first; *place != NULL;) {
        Waiter *waiter = *place;
        if (waiter->away) {
            place = &waiter->next;
            continue;
        }
        bool is_next = !only_looks || waiter->kind == LOCK_LOOK;
        if (is_next && lock_allows(lock, waiter->kind)) {
            *place = waiter->next;
            lock_take(lock, waiter->kind);
            waiter->granted = true;
            PyThread_release_lock(waiter->wake);
            continue;
        }
        if (waiter->kind == LOCK_SHAPE) {
            return;
        }
        only_looks = true;
        place = &waiter->next;
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

void lock_unqueue(MapLock *lock, Waiter *waiter, bool keep)
{
    Waiter **place = &lock->first;
    while (!waiter->granted && *place != waiter) {
        place = &(*place)->next;
    }
    if (!waiter->granted) {
        *place = waiter->next;
    } else if (!keep) {
        lock_drop(lock, waiter->kind);
    }
    lock_free_waiter(waiter);
}

void lock_sleep(Waiter *waiter)
{
    PyThreadState *thread = PyEval_SaveThread();
    /* Acquired as soon as it is granted; what counts is `granted`, which needs the GIL. */
    (void)PyThread_acquire_lock_timed(waiter->wake, SLEEP_US, 1);
    PyEval_RestoreThread(thread);
}
