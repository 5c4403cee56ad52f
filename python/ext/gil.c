#include "gil.h"

#include "state.h"

/* Time between two checks for signals: short for a user who waits after Ctrl-C, and long compared
 * to the wait for the GIL (5 ms if other threads want it). */
#define CHECK_INTERVAL_NS INT64_C(50000000)

/* The state of this thread while it works without the GIL; NULL while it has the GIL. */
static _Thread_local PyThreadState *released;
static _Thread_local int64_t next_check;

PyThreadState *gil_release(void)
{
    next_check = monotonic_ns() + CHECK_INTERVAL_NS;
    released = PyEval_SaveThread();
    return released;
}

void gil_acquire(PyThreadState *thread)
{
    released = NULL;
    PyEval_RestoreThread(thread);
}

int gil_check_signals(void *Py_UNUSED(unused))
{
    PyThreadState *thread = released;
    if (thread == NULL || monotonic_ns() < next_check) {
        return 0;
    }
    /* A handler may use other maps. */
    gil_acquire(thread);
    int status = PyErr_CheckSignals();
    (void)gil_release();
    return status;
}

PyObject *eval_breaker_new(void)
{
    PyObject *globals = PyDict_New();
    PyObject *function =
        globals == NULL ? NULL : PyRun_String("lambda: None", Py_eval_input, globals, globals);
    Py_XDECREF(globals);
    return function;
}

/* Calls a Python function that does nothing: the interpreter checks the eval breaker as it enters
 * the function. Releasing and acquiring the GIL instead would starve other threads. Each release
 * wakes a waiting thread, which comes too late and then has to wait 5 ms again before it may demand
 * the GIL. */
bool eval_breaker_check_now(void)
{
    PyObject *function = module_object(EVAL_BREAKER_NAME);
    PyObject *result = function == NULL ? NULL : PyObject_CallNoArgs(function);
    Py_XDECREF(function);
    Py_XDECREF(result);
    return result != NULL;
}
