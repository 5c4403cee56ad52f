/* The lock of one map, by which the operations of several threads come one after the other.
 *
 * All of it is done under the GIL, which is only let go while a thread waits. Short work, which is
 * done under the GIL as a whole, takes nothing: it only has to wait while the lock forbids it. Long
 * work takes the lock and releases the GIL.
 *
 * Threads that wait are served in the order in which they came, so nothing starves. A thread that
 * gives the lock back wakes the first of those that wait, which takes the lock as soon as it has
 * the GIL. Until then the lock is free for short work. So a thread that does short work uses its
 * turn of the GIL to the end, as with the standard module. */
#ifndef IRONMAP_EXT_MMAP_LOCK_H
#define IRONMAP_EXT_MMAP_LOCK_H

#include "compat.h"

/* What an operation does with its map, and which others it shares the lock with. */
typedef enum {
    LOCK_LOOK,  /* needs the map's length and address to stay: with LOOK, READ and STORE */
    LOCK_READ,  /* needs the bytes to stay as well: with LOOK and READ */
    LOCK_STORE, /* changes bytes: with LOOK */
    LOCK_SHAPE, /* changes length or address, or closes: with nothing */
} LockKind;

/* A thread that waits for the lock. Not on its stack: a daemon thread that waits while the
 * interpreter shuts down ends there, and stays in the queue. */
typedef struct Waiter {
    struct Waiter *next;
    PyThread_type_lock wake; /* released to wake the thread */
    LockKind kind;
    bool woken; /* `wake` was released */
    bool away;  /* it runs signal handlers: others overtake it, those handlers too */
} Waiter;

/* All zero: free. */
typedef struct {
    size_t lookers; /* that have the lock */
    size_t readers;
    bool stored; /* a STORE has it */
    bool shaped; /* a SHAPE has it */
    Waiter *first;
} MapLock;

/* True if the lock can be had beside what has it now. */
bool lock_allows(const MapLock *lock, LockKind kind);

/* True if `waiter` need not wait any more; or, if that is NULL, one that comes now. */
bool lock_is_next(const MapLock *lock, LockKind kind, const Waiter *waiter);

/* Takes the lock, which allows it; gives it back. Neither wakes a thread. */
void lock_take(MapLock *lock, LockKind kind);
void lock_drop(MapLock *lock, LockKind kind);

/* Wakes the waiters that need not wait any more. */
void lock_wake(const MapLock *lock);

/* Enters the queue, at its front if this thread had the lock before. NULL with MemoryError. */
Waiter *lock_queue(MapLock *lock, LockKind kind, bool at_front);

/* Leaves the queue. Frees `waiter`. */
void lock_unqueue(MapLock *lock, Waiter *waiter);

/* Frees a waiter whose queue is gone: a child of fork has none. */
void lock_free_waiter(Waiter *waiter);

/* Waits without the GIL until it is woken, a signal arrives, or a while has passed. */
void lock_sleep(Waiter *waiter);

#endif /* IRONMAP_EXT_MMAP_LOCK_H */
