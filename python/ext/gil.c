#include "gil.h"

/* Time between two checks for signals: short for a user after Ctrl-C, and long compared
 * to the wait for the GIL (5 ms if other threads want it). */
#define CHECK_INTERVAL_NS INT64_C(50000000)

/* Short work that takes longer waits for a disk, or for other processes. Other threads wait about
 * as long for the GIL if a thread runs Python code. */
#define SLOW_NS INT64_C(5000000)

/* The state of this thread while it works without the GIL; NULL while it has the GIL. */
static _Thread_local PyThreadState *released;
static _Thread_local int64_t next_check;
static _Thread_local bool skips_checks;

/* Whether the next work keeps the GIL at first, and whether this one does. */
static _Thread_local bool keeps;
static _Thread_local bool kept;

/* When the work began, until its first check; then 0. */
static _Thread_local int64_t began;
static _Thread_local GilWork last_work;

void gil_release_now(void)
{
    kept = false;
    began = monotonic_ns();
    /* No other thread runs signal handlers. */
    next_check = in_main_thread() && !skips_checks ? began + CHECK_INTERVAL_NS : INT64_MAX;
    skips_checks = false;
    released = PyEval_SaveThread();
}

void gil_release(void)
{
    if (!keeps) {
        gil_release_now();
        return;
    }
    kept = true;
    began = monotonic_ns();
}

void gil_acquire(void)
{
    if (began != 0) {
        last_work = monotonic_ns() - began < SLOW_NS ? GIL_WORK_QUICK : GIL_WORK_SLOW;
        began = 0;
    }
    kept = false;
    if (released != NULL) {
        PyThreadState *thread = released;
        released = NULL;
        PyEval_RestoreThread(thread);
    }
}

void gil_keep(bool keep)
{
    keeps = keep;
}

bool gil_is_kept(void)
{
    return kept;
}

GilWork gil_last_work(void)
{
    GilWork work = last_work;
    last_work = GIL_WORK_NONE;
    return work;
}

void gil_skip_checks(bool skips)
{
    skips_checks = skips;
}

bool gil_time_to_check(void)
{
    if (released != NULL) {
        began = 0;
        last_work = GIL_WORK_SLOW;
    }
    return released != NULL && monotonic_ns() >= next_check;
}

/* Does what the interpreter does between two instructions of Python code when its eval breaker is
 * set. No Python function is called for that: a debugger or profiler would see it, and it would
 * fail at the limit of recursion. From 3.12 on, looking for signals also runs the garbage collector
 * if it is due. */
bool eval_breaker_check_now(void)
{
    static _Thread_local int64_t later;
    if (gil_is_wanted(&later)) {
        PyEval_RestoreThread(PyEval_SaveThread());
    }
    return PyErr_CheckSignals() == 0 && Py_MakePendingCalls() == 0;
}
