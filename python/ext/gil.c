#include "gil.h"

/* Time between two checks for signals: short for a user who waits after Ctrl-C, and long compared
 * to the wait for the GIL (5 ms if other threads want it). */
#define CHECK_INTERVAL_NS INT64_C(50000000)

/* The state of this thread while it works without the GIL; NULL while it has the GIL. */
static _Thread_local PyThreadState *released;
static _Thread_local int64_t next_check;
static _Thread_local bool skips_checks;

PyThreadState *gil_release(void)
{
    /* No other thread runs signal handlers. */
    bool checks = in_main_thread() && !skips_checks;
    next_check = checks ? monotonic_ns() + CHECK_INTERVAL_NS : INT64_MAX;
    skips_checks = false;
    released = PyEval_SaveThread();
    return released;
}

void gil_acquire(PyThreadState *thread)
{
    if (thread != NULL) {
        released = NULL;
        PyEval_RestoreThread(thread);
    }
}

void gil_skip_checks(bool skips)
{
    skips_checks = skips;
}

PyThreadState *gil_time_to_check(void)
{
    return monotonic_ns() < next_check ? NULL : released;
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
