/* Long work on a map. */
#include "mmap/hold.h"

#include "gil.h"
#include "mmap/end.h"

/* How often long work keeps the GIL at first after a thread has waited for the same map. */
#define KEEP_TIMES 1000

/* The holds of this thread, the latest first. At most two are taken; the others wait for a handler
 * to end. */
static _Thread_local Hold *holds;

/* How many calls of handlers, one in the middle of the other, this thread is in. */
static _Thread_local unsigned handlers_running;

/* Counts the forks that led to this process. */
static unsigned process;

PyObject *hold_after_fork(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(unused))
{
    process++;
    Py_RETURN_NONE;
}

void mmap_lock_changed(MmapObject *object)
{
    ironmap_map *map = object->map;
    object->for_look = lock_allows(&object->lock, LOCK_LOOK) ? map : NULL;
    object->for_reads = lock_allows(&object->lock, LOCK_READ) ? map : NULL;
    object->for_stores = lock_allows(&object->lock, LOCK_STORE) ? map : NULL;
}

/* Forgets what threads of the parent process have taken. This thread takes nothing while it forks,
 * which only a handler can do in the middle of its work. Only the thread that runs handlers has
 * suspended work. What another thread was about to make of the map's shape is not known: such a map
 * counts as closed. */
static COLD void forget_parent(MmapObject *object)
{
    if (object->lock.shaped) {
        WRITE_SHARED(object->map, NULL);
        object->shape++;
    }
    object->lock = (MapLock){0};
    if (handlers_running == 0) {
        object->suspended = 0;
    }
    object->process = process;
    mmap_lock_changed(object);
}

static void check_process(MmapObject *object)
{
    if (object->process != process) {
        forget_parent(object);
    }
}

/* ---- taking the lock ---- */

static void take(MmapObject *object, LockKind kind)
{
    lock_take(&object->lock, kind);
    mmap_lock_changed(object);
}

static void drop(MmapObject *object, LockKind kind)
{
    lock_drop(&object->lock, kind);
    lock_wake(&object->lock);
    mmap_lock_changed(object);
}

/* Takes the lock if it can be had at once, before all waiters if `overtakes` is set. Locks of
 * suspended work are free, and no thread has woken their waiters: that happens here. */
static bool try_take(MmapObject *object, LockKind kind, bool overtakes)
{
    check_process(object);
    lock_wake(&object->lock);
    if (overtakes ? !lock_allows(&object->lock, kind) : !lock_is_next(&object->lock, kind, NULL)) {
        return false;
    }
    take(object, kind);
    return true;
}

/* While the interpreter shuts down, other threads end as soon as they want the GIL, and give no
 * lock back. What they were about to return is lost anyway, so nothing waits for them. But they may
 * still use the memory. */
static COLD bool take_at_exit(MmapObject *object, LockKind kind)
{
    if (kind == LOCK_SHAPE || object->lock.shaped) {
        PyErr_SetString(PyExc_RuntimeError,
                        "a daemon thread used the map when the interpreter began to shut down");
        return false;
    }
    take(object, kind);
    return true;
}

/* One sleep in the queue. True if its turn has come. Waiters for locks of suspended work are
 * woken here as well. */
static bool sleep_once(MmapObject *object, Waiter *waiter)
{
    lock_sleep(waiter);
    lock_wake(&object->lock);
    return lock_is_next(&object->lock, waiter->kind, waiter);
}

/* Leaves the queue, and takes the lock if `takes` is set. What waited behind it may be next. */
static void leave_queue(MmapObject *object, Waiter *waiter, bool takes)
{
    LockKind kind = waiter->kind;
    lock_unqueue(&object->lock, waiter);
    if (takes) {
        take(object, kind);
    }
    lock_wake(&object->lock);
}

/* Waits in the queue until the lock is taken, or until a handler has forked: in the child the
 * queue is gone. False if that cannot go on: see hold_run_handlers. */
static bool wait_once(bool *taken, MmapObject *object, LockKind kind)
{
    const unsigned before = process;
    Waiter *waiter = lock_queue(&object->lock, kind, false);
    if (waiter == NULL) {
        return false;
    }
    bool goes_on = true;
    while (goes_on && process == before && !sleep_once(object, waiter)) {
        waiter->away = true;
        goes_on = hold_run_handlers() == 0;
        waiter->away = false;
    }
    *taken = goes_on && process == before;
    if (process == before) {
        leave_queue(object, waiter, goes_on);
    } else {
        lock_free_waiter(waiter);
    }
    return goes_on;
}

static bool is_about_bytes(LockKind kind)
{
    return kind == LOCK_READ || kind == LOCK_STORE;
}

/* Waits until the lock is taken. False if that cannot go on. */
static bool wait_in_queue(MmapObject *object, LockKind kind)
{
    if (is_about_bytes(kind)) {
        object->contended = KEEP_TIMES;
    }
    if (interpreter_is_finalizing()) {
        return take_at_exit(object, kind);
    }
    bool taken = false;
    while (!taken) {
        if (!wait_once(&taken, object, kind)) {
            return false;
        }
        taken = taken || try_take(object, kind, false);
    }
    return true;
}

/* Waits at the front of the queue, for the lock that suspended work had. Handlers come later: the
 * work will soon look for signals. */
static bool wait_at_front(MmapObject *object, LockKind kind)
{
    if (interpreter_is_finalizing()) {
        take(object, kind);
        return true;
    }
    Waiter *waiter = lock_queue(&object->lock, kind, true);
    if (waiter == NULL) {
        return false;
    }
    while (!sleep_once(object, waiter)) {
    }
    leave_queue(object, waiter, true);
    return true;
}

/* Waits until short work may be done. False with what a handler raised. The map may be closed then.
 */
static bool wait_a_turn(MmapObject *object, LockKind kind)
{
    if (object->map == NULL) {
        return true;
    }
    if (!try_take(object, kind, false) && !wait_in_queue(object, kind)) {
        return false;
    }
    /* A thread that is woken now needs the GIL to begin, so it comes after this short work. */
    drop(object, kind);
    return true;
}

ironmap_map *mmap_wait(PyObject *self, LockKind kind)
{
    MmapObject *object = mmap_object(self);
    return wait_a_turn(object, kind) && mmap_check_open(self) ? object->map : NULL;
}

bool mmap_use_if_open(ironmap_map **map, PyObject *self)
{
    MmapObject *object = mmap_object(self);
    *map = object->for_look;
    if (*map == NULL) {
        if (!wait_a_turn(object, LOCK_LOOK)) {
            return false;
        }
        *map = object->map;
    }
    return true;
}

/* ---- holds ---- */

/* True if long work keeps the GIL at first, and overtakes all waiters, as short work does.
 * Threads whose work excludes each other would otherwise wait for a switch of threads at every
 * operation, which takes longer than to copy 100 KB. From time to time it is released, to see if
 * threads still wait. Nothing starves: if the work turns out to be long, or pages come from a disk,
 * the next work waits in the queue, and releases the GIL. */
static bool keeps_gil(MmapObject *object, LockKind kind)
{
    if (!HAS_GIL || !is_about_bytes(kind) || object->contended == 0) {
        return false;
    }
    object->contended--;
    return object->quick;
}

/* Unmaps, in a child of fork, a map that was closed in the middle of work of a thread that is not
 * there. */
static void end_in_child(MmapObject *object)
{
    check_process(object);
    if (object->suspended == 0 && object->ended != NULL) {
        mmap_end(object);
    }
}

HoldResult hold_try(Hold *hold, PyObject *self, LockKind kind)
{
    MmapObject *object = mmap_object(self);
    if (object->map == NULL) {
        end_in_child(object);
        return HOLD_CLOSED;
    }
    bool keeps = keeps_gil(object, kind);
    bool waited = !try_take(object, kind, keeps);
    if (waited && !wait_in_queue(object, kind)) {
        return HOLD_STOPPED;
    }
    if (object->map == NULL) {
        drop(object, kind);
        return HOLD_CLOSED;
    }
    *hold = (Hold){
        .object = object,
        .map = object->map,
        .kind = kind,
        .waited = waited,
        .taken = true,
        .shape = object->shape,
        .outer = holds,
    };
    holds = hold;
    if (keeps) {
        gil_keep(true);
    }
    return HOLD_BEGAN;
}

bool hold_begin(Hold *hold, PyObject *self, LockKind kind)
{
    HoldResult result = hold_try(hold, self, kind);
    if (result == HOLD_CLOSED) {
        raise_closed();
    }
    if (result != HOLD_BEGAN) {
        gil_skip_checks(false); /* of work that was to begin anew */
    }
    return result == HOLD_BEGAN;
}

static void end(Hold *hold, GilWork work)
{
    MmapObject *object = hold->object;
    holds = hold->outer;
    gil_skip_checks(false); /* short work has not used it */
    gil_keep(false);
    object->quick = work == GIL_WORK_NONE ? object->quick : work == GIL_WORK_QUICK;
    if (hold->taken) {
        drop(object, hold->kind);
    }
    if (hold->suspended && --object->suspended == 0 && object->ended != NULL) {
        mmap_end(object);
    }
}

void hold_end(Hold *hold)
{
    end(hold, gil_last_work());
}

bool hold_begin_two(TwoHolds *both, PyObject *self, LockKind kind, PyObject *other,
                    LockKind other_kind)
{
    both->second.object = NULL;
    if (self == other) {
        return hold_begin(&both->first, self, kind > other_kind ? kind : other_kind);
    }
    bool in_order = (uintptr_t)self < (uintptr_t)other;
    do {
        if (!hold_begin(&both->first, in_order ? self : other, in_order ? kind : other_kind)) {
            return false;
        }
        HoldResult result =
            hold_try(&both->second, in_order ? other : self, in_order ? other_kind : kind);
        if (result == HOLD_BEGAN) {
            return true;
        }
        hold_end(&both->first);
        if (result == HOLD_CLOSED) {
            raise_closed();
        }
    } while (!PyErr_Occurred()); /* the first map was changed while this thread waited */
    return false;
}

void hold_end_two(TwoHolds *both)
{
    GilWork work = gil_last_work();
    if (both->second.object != NULL) {
        end(&both->second, work);
    }
    end(&both->first, work);
}

/* ---- handlers in the middle of the work ---- */

/* Gives the lock back without waking its waiters. */
static void suspend(Hold *hold)
{
    lock_drop(&hold->object->lock, hold->kind);
    mmap_lock_changed(hold->object);
    hold->object->suspended++;
    hold->suspended = true;
    hold->taken = false;
}

static bool is_unchanged(const Hold *hold)
{
    return hold->object->map != NULL && hold->object->shape == hold->shape;
}

/* Takes the lock again, before all waiters. */
static bool resume(Hold *hold)
{
    MmapObject *object = hold->object;
    check_process(object);
    if (!is_unchanged(hold)) {
        return false;
    }
    if (lock_allows(&object->lock, hold->kind)) {
        take(object, hold->kind);
    } else if (!wait_at_front(object, hold->kind)) {
        return false;
    }
    if (!is_unchanged(hold)) {
        drop(object, hold->kind);
        return false;
    }
    object->suspended--;
    hold->suspended = false;
    hold->taken = true;
    return true;
}

/* Suspends what is taken: two at most. Returns how many, the latest first. */
static size_t suspend_all(Hold *running[2])
{
    size_t count = 0;
    for (Hold *hold = holds; hold != NULL; hold = hold->outer) {
        if (hold->taken) {
            running[count++] = hold;
            suspend(hold);
        }
    }
    return count;
}

/* Takes all of them again, or none: nothing that can run Python code comes while one is taken. */
static bool resume_all(Hold *const running[2], size_t count)
{
    size_t left = count;
    while (left > 0 && resume(running[left - 1])) {
        left--;
    }
    for (size_t i = left; left > 0 && i < count; i++) {
        suspend(running[i]);
    }
    return left == 0;
}

/* The exception that ends work on a map that was closed. None if its shape has changed. */
static void raise_if_closed(Hold *const running[2], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (running[i]->object->map == NULL && !PyErr_Occurred()) {
            raise_closed();
        }
    }
}

/* Handlers see no holds of this thread: those may lie on a stack that is not there meanwhile, since
 * a handler may switch to another greenlet. */
static int call_handlers(void)
{
    Hold *suspended = holds;
    holds = NULL;
    int status = check_signals_outside();
    holds = suspended;
    return status;
}

static int run_handlers(void)
{
    Hold *running[2] = {NULL, NULL};
    size_t count = suspend_all(running);
    if (call_handlers() == -1) {
        return -1;
    }
    if (resume_all(running, count)) {
        return 0;
    }
    raise_if_closed(running, count);
    return -1;
}

int hold_run_handlers(void)
{
    if (!in_main_thread() || !handlers_are_due()) {
        return 0;
    }
    gil_keep(false); /* a handler's work does not keep it since this work does */
    handlers_running++;
    int status = run_handlers();
    handlers_running--;
    return status;
}

/* For work that turns out to be long. */
static void release_late(void)
{
    for (const Hold *hold = holds; hold != NULL; hold = hold->outer) {
        hold->object->quick = false;
    }
    gil_release_now();
}

int hold_check(void *Py_UNUSED(unused))
{
    if (gil_is_kept()) {
        release_late();
    }
    if (!gil_time_to_check()) {
        return 0;
    }
    gil_acquire();
    int status = hold_run_handlers();
    gil_release_now();
    return status;
}
