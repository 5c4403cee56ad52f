/* The class FindAll: the iterator that find_all() returns. */
#include "find_all.h"

#include <ironmap/ironmap.h>

#include "args.h"
#include "errors.h"
#include "gil.h"
#include "mmap/long_work.h"
#include "mmap/object.h"
#include "mmap/search.h"
#include "state.h"

/* Offsets that are found ahead. Many are as quick as few, and the more there are, the older they
 * may be when they are asked for. */
enum { BATCH = 128 };

typedef struct {
    PyObject_HEAD PyObject *map;
    PyObject *needle; /* bytes: what it was found by may change */
    ironmap_matches matches;
    uint64_t end;
    size_t taken; /* of the batch */
    size_t work;
    size_t offsets[BATCH];
} FindAll;

static FindAll *find_all_object(PyObject *self)
{
    return (FindAll *)self;
}

/* ---- making one ---- */

static PyObject *find_all_new(PyObject *map, PyObject *needle, uint64_t start, uint64_t end,
                              bool overlapping)
{
    PyObject *type = module_object("FindAll");
    if (type == NULL) {
        return NULL;
    }
    PyObject *self = ((PyTypeObject *)type)->tp_alloc((PyTypeObject *)type, 0);
    Py_DECREF(type);
    if (self != NULL) {
        FindAll *all = find_all_object(self);
        all->map = Py_NewRef(map);
        all->needle = Py_NewRef(needle);
        all->matches = (ironmap_matches){
            .offsets = all->offsets, .capacity = BATCH, .next = start, .overlapping = overlapping};
        all->end = end;
    }
    return self;
}

/* The one keyword, `overlapping`; false and TypeError for others. */
static bool parse_overlapping(bool *overlapping, PyObject *const *values, PyObject *names)
{
    Py_ssize_t count = names == NULL ? 0 : PyTuple_GET_SIZE(names);
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *name = PyTuple_GET_ITEM(names, i);
        if (PyUnicode_CompareWithASCIIString(name, "overlapping") != 0) {
            PyErr_Format(PyExc_TypeError, "find_all() got an unexpected keyword argument '%U'",
                         name);
            return false;
        }
        int truth = PyObject_IsTrue(values[i]);
        if (truth == -1) {
            return false;
        }
        *overlapping = truth != 0;
    }
    return true;
}

PyObject *mmap_find_all(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    bool overlapping = false;
    uint64_t start = 0;
    uint64_t end = IRONMAP_TO_END;
    if (!mmap_precheck_open(self) || !check_count("find_all", count, 1, 3) ||
        !parse_overlapping(&overlapping, args + count, names)) {
        return NULL;
    }
    PyObject *needle = PyBytes_FromObject(args[0]);
    if (needle == NULL) {
        return NULL;
    }
    PyObject *all = mmap_bounds(self, &start, &end, args + 1, count - 1)
                        ? find_all_new(self, needle, start, end, overlapping)
                        : NULL;
    Py_DECREF(needle);
    return all;
}

/* ---- going on ---- */

/* The next matches before `end`. */
static int find_before(FindAll *all, const ironmap_map *map, uint64_t end, ironmap_error *error)
{
    return ironmap_find_all(&all->matches, map, PyBytes_AS_STRING(all->needle),
                            (size_t)PyBytes_GET_SIZE(all->needle), end, error);
}

/* Matches in the next LONG_WORK_BYTES places, under the GIL. Where there are fewer than fit, the
 * search goes on at the first place behind, or behind the last match. */
static int find_near(FindAll *all, const ironmap_map *map, ironmap_error *error)
{
    size_t length = (size_t)PyBytes_GET_SIZE(all->needle);
    uint64_t start = all->matches.next;
    if (start > all->end || all->end - start < LONG_WORK_BYTES + length) {
        return find_before(all, map, all->end, error);
    }
    uint64_t behind = start + LONG_WORK_BYTES;
    int status = find_before(all, map, behind + length - 1, error);
    if (status == IRONMAP_OK && all->matches.found < BATCH) {
        size_t found = all->matches.found;
        uint64_t step = all->matches.overlapping || length == 0 ? 1 : length;
        uint64_t after = found > 0 ? all->offsets[found - 1] + step : 0;
        all->matches.next = after > behind ? after : behind;
    }
    return status;
}

/* Whether all that was found ahead has been taken. */
static bool is_empty(const FindAll *all)
{
    return all->taken == all->matches.found;
}

/* The next match, however far it is, while other threads run. Where one of them has gone on with
 * this iterator meanwhile, what was found here is dropped. `*more` is false where there is none. */
static int find_far(bool *more, FindAll *all, ironmap_map *map, ironmap_error *error)
{
    size_t offset = 0;
    uint64_t start = all->matches.next;
    ironmap_matches far = all->matches;
    far.offsets = &offset;
    far.capacity = 1;
    PyThreadState *thread = mmap_release_gil(map);
    int status = ironmap_find_all(&far, map, PyBytes_AS_STRING(all->needle),
                                  (size_t)PyBytes_GET_SIZE(all->needle), all->end, error);
    mmap_acquire_gil(map, thread);
    if (status == IRONMAP_OK && all->matches.next == start && is_empty(all)) {
        all->offsets[0] = offset;
        all->matches.next = far.next;
        all->matches.found = far.found;
        all->taken = 0;
        *more = far.found > 0;
    }
    return status;
}

/* Finds the next batch; `*more` is false where there is none. */
static int find_batch(bool *more, FindAll *all, ironmap_map *map, ironmap_error *error)
{
    all->taken = 0;
    all->matches.found = 0;
    int status = find_near(all, map, error);
    if (status != IRONMAP_OK || all->matches.found > 0) {
        return status;
    }
    *more = all->matches.next <= all->end;
    return *more ? find_far(more, all, map, error) : IRONMAP_OK;
}

/* Whoever runs meanwhile, a handler of a signal or another thread, may take matches as well: what
 * there is, is looked at after that. */
static PyObject *find_all_next(PyObject *self)
{
    FindAll *all = find_all_object(self);
    if (is_empty(all) && !eval_breaker_check(&all->work, (size_t)BATCH * EVAL_BREAKER_ITEM_BYTES)) {
        return NULL;
    }
    bool more = true;
    ironmap_error error;
    ironmap_map *map = mmap_use(all->map);
    while (map != NULL && more && is_empty(all)) {
        if (find_batch(&more, all, map, &error) != IRONMAP_OK) {
            return raise_error(map, &error, "");
        }
        map = mmap_use(all->map);
    }
    return map != NULL && !is_empty(all) ? PyLong_FromSize_t(all->offsets[all->taken++]) : NULL;
}

/* ---- the type ---- */

static int find_all_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(find_all_object(self)->map);
    Py_VISIT(Py_TYPE(self));
    return 0;
}

static void find_all_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    Py_CLEAR(find_all_object(self)->map);
    Py_CLEAR(find_all_object(self)->needle);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyType_Slot slots[] = {
    {Py_tp_doc, AS_SLOT("An iterator over the indexes of matches: m.find_all(view).")},
    {Py_tp_dealloc, AS_SLOT(find_all_dealloc)},
    {Py_tp_traverse, AS_SLOT(find_all_traverse)},
    {Py_tp_iter, AS_SLOT(PyObject_SelfIter)},
    {Py_tp_iternext, AS_SLOT(find_all_next)},
    {0, NULL},
};

PyType_Spec find_all_spec = {
    .name = "ironmap.FindAll",
    .basicsize = sizeof(FindAll),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = slots,
};
