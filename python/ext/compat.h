/* Differences between the supported versions of CPython (3.10 and newer), casts that the C API
 * needs, and compiler attributes. */
#ifndef IRONMAP_EXT_COMPAT_H
#define IRONMAP_EXT_COMPAT_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdbool.h>
#include <stdint.h>

#if PY_VERSION_HEX >= 0x030C0000
#define MEMBER_SSIZE Py_T_PYSSIZET
#define MEMBER_READONLY Py_READONLY
/* Interpreters share no state of the module. */
#define INTERPRETERS_SLOT {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED}
#else
#include <structmember.h>
#define MEMBER_SSIZE T_PYSSIZET
#define MEMBER_READONLY READONLY
#define INTERPRETERS_SLOT {0, NULL} /* ends the table, so it must be last */
#endif

/* False on free-threaded builds. */
#ifdef Py_GIL_DISABLED
enum { HAS_GIL = 0 };
#else
enum { HAS_GIL = 1 };
#endif

/* Free-threaded builds run the module without the GIL. GIL_SLOT comes after INTERPRETERS_SLOT. */
#if PY_VERSION_HEX >= 0x030D0000
#define GIL_SLOT {Py_mod_gil, Py_MOD_GIL_NOT_USED}
#else
#define GIL_SLOT {0, NULL}
#endif

/* The section of an object, or of two, which may be one. On a free-threaded build one thread at a
 * time is in it, and leaves it for a while where it would release the GIL, or may block. Python
 * code and conversions of arguments come outside. On other builds the GIL does all that. */
#ifdef Py_GIL_DISABLED
#define BEGIN_SECTION(object) Py_BEGIN_CRITICAL_SECTION(object)
#define END_SECTION() Py_END_CRITICAL_SECTION()
#define BEGIN_SECTION2(object, other) Py_BEGIN_CRITICAL_SECTION2(object, other)
#define END_SECTION2() Py_END_CRITICAL_SECTION2()
#else
#define BEGIN_SECTION(object) {
#define END_SECTION() }
#define BEGIN_SECTION2(object, other) {
#define END_SECTION2() }
#endif

#define IN_SECTION(object, statement)                                                              \
    do {                                                                                           \
        BEGIN_SECTION(object);                                                                     \
        statement;                                                                                 \
        END_SECTION();                                                                             \
    } while (0)

#define IN_SECTION2(object, other, statement)                                                      \
    do {                                                                                           \
        BEGIN_SECTION2(object, other);                                                             \
        statement;                                                                                 \
        END_SECTION2();                                                                            \
    } while (0)

/* A pointer that is read outside of the section, and written in it. */
#if defined(Py_GIL_DISABLED) && defined(__GNUC__)
#define READ_SHARED(pointer) __atomic_load_n(&(pointer), __ATOMIC_RELAXED)
#define WRITE_SHARED(pointer, value) __atomic_store_n(&(pointer), value, __ATOMIC_RELAXED)
#else
#define READ_SHARED(pointer) (pointer)
#define WRITE_SHARED(pointer, value) ((pointer) = (value))
#endif

/* Before 3.15, a search that starts beyond the end starts at the end, where an empty needle is
 * found. Since 3.15 it finds nothing. */
enum { SEARCH_CLAMPS_START = PY_VERSION_HEX < 0x030F0000 };

/* If the map is closed and an argument is wrong, 3.14 and newer report the argument. */
enum { ARGUMENTS_COME_FIRST = PY_VERSION_HEX >= 0x030E0000 };

/* Since 3.15, flush() converts its size before it checks that the map is open. */
enum { FLUSH_SIZE_COMES_FIRST = PY_VERSION_HEX >= 0x030F0000 };

/* Since 3.14, madvise() checks that the map is open before it converts its length. */
enum { MADVISE_LENGTH_COMES_LAST = PY_VERSION_HEX >= 0x030E0000 };

/* The value of an int of the common size. False, and no exception, for larger ones. Since 3.12 it
 * takes no call. */
static inline bool long_try_small(PyObject *number, Py_ssize_t *value)
{
#if PY_VERSION_HEX >= 0x030C0000
    const PyLongObject *compact = (PyLongObject *)number;
    if (!PyUnstable_Long_IsCompact(compact)) {
        return false;
    }
    *value = PyUnstable_Long_CompactValue(compact);
    return true;
#else
    int overflow = 0;
    *value = PyLong_AsLongAndOverflow(number, &overflow);
    return overflow == 0;
#endif
}

/* A monotonic clock, in nanoseconds. Needs no GIL. */
static inline int64_t monotonic_ns(void)
{
#if PY_VERSION_HEX >= 0x030D0000
    PyTime_t now = 0;
    (void)PyTime_MonotonicRaw(&now);
    return now;
#else
    return _PyTime_GetMonotonicClock();
#endif
}

/* True in the thread that runs signal handlers. Needs the GIL. CPython exports this to extensions
 * in every version, and declares it in an internal header since 3.13. */
#if PY_VERSION_HEX >= 0x030D0000
PyAPI_FUNC(int) _PyOS_IsMainThread(void);
#endif

static inline bool in_main_thread(void)
{
    return _PyOS_IsMainThread() != 0;
}

/* Bits of the word by which CPython, from 3.13 on, tells a thread what it has to do between two
 * instructions. They have no public names, and are the same from 3.13 to 3.15. */
#if PY_VERSION_HEX >= 0x030D0000
enum {
    BREAKER_GIL_WANTED = 1 << 0,
    BREAKER_SIGNALS = 1 << 1,
    BREAKER_COLLECTION = 1 << 4,
    BREAKER_STOP = 1 << 5,
};

static inline bool eval_breaker_has(uintptr_t bits)
{
    return (_Py_atomic_load_uintptr_relaxed(&PyThreadState_Get()->eval_breaker) & bits) != 0;
}
#endif

/* True if this thread, which has the GIL, should release it now: another thread wants it, or stops
 * all threads (free-threaded builds). `*later` is 0 at first, and of this thread.
 *
 * From 3.13 on the thread state tells. Before that only CPython knows. There the answer is yes once
 * in one and a half switch intervals: each release wakes a thread that waits, which comes too late
 * if it has not demanded the GIL yet, and then waits a whole interval before it does. */
static inline bool gil_is_wanted(int64_t *later)
{
#if PY_VERSION_HEX >= 0x030D0000
    (void)later;
    return eval_breaker_has(BREAKER_GIL_WANTED | BREAKER_STOP);
#else
    int64_t now = monotonic_ns();
    bool wanted = now >= *later;
    if (wanted) {
        unsigned long interval = _PyEval_GetSwitchInterval(); /* in us */
        *later = now + INT64_C(1500) * (int64_t)(interval < 1000000 ? interval : 1000000);
    }
    return wanted;
#endif
}

/* False if PyErr_CheckSignals runs no Python code now: no signal has arrived, and no collection of
 * garbage is due. With a GIL that need not be known: as long as no Python code runs, no other
 * thread does. */
static inline bool handlers_are_due(void)
{
#ifdef Py_GIL_DISABLED
    return eval_breaker_has(BREAKER_SIGNALS | BREAKER_COLLECTION);
#else
    return true;
#endif
}

/* PyErr_CheckSignals, outside of every section that this thread is in. A thread that releases what
 * it has and comes back is only in the section that it entered last: here that of a new object. */
static inline int check_signals_outside(void)
{
#ifdef Py_GIL_DISABLED
    int status = -1;
    PyObject *fresh = PyBytes_FromStringAndSize(NULL, 1);
    if (fresh == NULL) {
        return -1;
    }
    Py_BEGIN_CRITICAL_SECTION(fresh);
    PyEval_RestoreThread(PyEval_SaveThread());
    status = PyErr_CheckSignals();
    Py_END_CRITICAL_SECTION();
    Py_DECREF(fresh);
    return status;
#else
    return PyErr_CheckSignals();
#endif
}

/* True once the interpreter shuts down: threads other than the one that does it get no GIL. */
static inline bool interpreter_is_finalizing(void)
{
#if PY_VERSION_HEX >= 0x030D0000
    return Py_IsFinalizing() != 0;
#else
    return _Py_IsFinalizing() != 0;
#endif
}

/* Slots hold functions and constant text as `void *`, and method tables hold functions of every
 * signature as PyCFunction. */
#define AS_SLOT(value) ((void *)(uintptr_t)(value))
#define AS_METHOD(function) ((PyCFunction)(void (*)(void))(function))

/* COLD: slow path, out of line, so that the fast path stays small.
 * NOINLINE: one of two common paths, out of line, so that the other saves no registers for it. */
#ifdef __GNUC__
#define COLD __attribute__((cold, noinline))
#define NOINLINE __attribute__((noinline))
#else
#define COLD
#define NOINLINE
#endif

#endif /* IRONMAP_EXT_COMPAT_H */
