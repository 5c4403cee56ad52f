#include "gil.h"

#include "state.h"

/* Between two looks at the signals: short enough for whoever waits after Ctrl-C, long enough that
 * waiting for the GIL (5 ms, where others want it as well) does not count. */
#define INTERVAL_NS INT64_C(50000000)

/* What this thread has given up while the library works for it; NULL where it has the GIL. */
static _Thread_local PyThreadState *released;
static _Thread_local int64_t next_look;

PyThreadState *gil_release(void)
{
    next_look = monotonic_ns() + INTERVAL_NS;
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
    if (thread == NULL || monotonic_ns() < next_look) {
        return 0;
    }
    /* A handler may well use maps of its own. */
    gil_acquire(thread);
    int status = PyErr_CheckSignals();
    (void)gil_release();
    return status;
}

PyObject *eval_breaker_new(void)
{
    PyObject *globals = PyDict_New();
    PyObject *turn =
        globals == NULL ? NULL : PyRun_String("lambda: None", Py_eval_input, globals, globals);
    Py_XDECREF(globals);
    return turn;
}

/* By a function in Python that does nothing: as it begins, the interpreter looks whether someone
 * waits for the GIL and hands it over, and runs handlers. To release the GIL and take it back, as
 * around long work, would keep others from it: each release wakes who waits, he comes too late, and
 * the 5 ms after which he may demand the GIL begin anew. */
bool eval_breaker_check_now(void)
{
    PyObject *turn = module_object(EVAL_BREAKER_NAME);
    PyObject *nothing = turn == NULL ? NULL : PyObject_CallNoArgs(turn);
    Py_XDECREF(turn);
    Py_XDECREF(nothing);
    return nothing != NULL;
}
