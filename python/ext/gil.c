#include "gil.h"

#include "state.h"

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

PyObject *eval_breaker_new(void)
{
    PyObject *globals = PyDict_New();
    PyObject *function =
        globals == NULL ? NULL : PyRun_String("lambda: None", Py_eval_input, globals, globals);
    Py_XDECREF(globals);
    return function;
}

static PyObject *imported(void)
{
    PyObject *module = PyImport_ImportModule("ironmap._ironmap");
    PyObject *function = module == NULL ? NULL : get_attribute(module, EVAL_BREAKER_NAME);
    Py_XDECREF(module);
    return function;
}

/* Calls a Python function that does nothing: the interpreter checks the eval breaker as it enters
 * the function. Releasing and acquiring the GIL instead would starve other threads. Each release
 * wakes a waiting thread, which comes too late and then has to wait 5 ms again before it may demand
 * the GIL. */
bool eval_breaker_check_now(void)
{
    PyObject *function = imported();
    PyObject *result = function == NULL ? NULL : PyObject_CallNoArgs(function);
    Py_XDECREF(function);
    Py_XDECREF(result);
    return result != NULL;
}
