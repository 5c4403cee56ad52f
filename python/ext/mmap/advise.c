/* Advice to the system about the map's memory: madvise(). */
#include "mmap/advise.h"

#include <errno.h>

#include "args.h"
#include "constants.h"
#include "errors.h"
#include "gil.h"
#include "mmap/hold.h"
#include "mmap/object.h"

/* The arguments of madvise(), in bytes. Without a length, to the end. */
typedef struct {
    int option;
    Py_ssize_t start;
    Py_ssize_t length;
    bool length_given;
} Advice;

static bool advice_arguments(PyObject *self, Advice *advice, PyObject *const *args,
                             Py_ssize_t count)
{
    *advice = (Advice){.length_given = count > 2 && args[2] != Py_None};
    return check_count("madvise", count, 1, 3) && convert_int(args[0], &advice->option) &&
           (count < 2 || convert_size(args[1], &advice->start)) &&
           (!MADVISE_LENGTH_COMES_LAST || mmap_check_open(self)) &&
           (!advice->length_given || convert_size(args[2], &advice->length));
}

static bool advice_check(const Advice *advice, const ironmap_map *map)
{
    if (advice->start < 0 || (size_t)advice->start >= ironmap_length(map)) {
        PyErr_SetString(PyExc_ValueError, "madvise start out of bounds");
        return false;
    }
    if (advice->length < 0) {
        PyErr_SetString(PyExc_ValueError, "madvise length invalid");
        return false;
    }
    if (advice->length > PY_SSIZE_T_MAX - advice->start) {
        PyErr_SetString(PyExc_OverflowError, "madvise length too large");
        return false;
    }
    if (advice->option > SYSTEM_BITS) {
        raise_errno(EINVAL);
        return false;
    }
    return true;
}

/* Some advice changes bytes: MADV_DONTNEED throws away what was stored. */
static PyObject *advise(PyObject *self, const Advice *advice)
{
    ironmap_map *map = mmap_use(self);
    if (map == NULL || !advice_check(advice, map)) {
        return NULL;
    }
    size_t length = advice->length_given ? (size_t)advice->length : IRONMAP_TO_END;
    Hold hold;
    ironmap_error error;
    if (!hold_begin(&hold, self, LOCK_STORE)) {
        return NULL;
    }
    gil_release_now();
    int status = ironmap_advise(hold.map, (uint64_t)advice->start, length, advice->option, &error);
    gil_acquire();
    hold_end(&hold);
    if (status != IRONMAP_OK) {
        return raise_error(self, hold.map, &error, "madvise start out of bounds");
    }
    Py_RETURN_NONE;
}

PyObject *mmap_madvise(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    Advice advice;
    if (!mmap_precheck_open(self) || !advice_arguments(self, &advice, args, count)) {
        return NULL;
    }
    PyObject *result = NULL;
    IN_SECTION(self, result = advise(self, &advice));
    return result;
}
