/* The class FindAll: the iterator that find_all() returns. */
#include "find_all.h"

#include <ironmap/ironmap.h>

#include "args.h"
#include "errors.h"
#include "gil.h"
#include "keeper.h"
#include "mmap/hold.h"
#include "mmap/search.h"
#include "mmap/source.h"

/* Number of matches that are found at once. With more, the last of them are older when they are
 * returned, and the search is not faster. */
enum { BATCH_MATCHES = 128 };

typedef struct {
    KEEPER_HEAD
    PyObject *needle; /* bytes: a copy, since the argument may change */
    ironmap_matches matches;
    uint64_t end;
    size_t returned; /* matches of the batch that were returned */
    size_t work;     /* since the eval breaker was checked */
    uint64_t offsets[BATCH_MATCHES];
} FindAll;

static FindAll *find_all_object(PyObject *self)
{
    return (FindAll *)self;
}

/* ---- the method ---- */

static PyObject *find_all_new(PyObject *map, PyObject *needle, uint64_t start, uint64_t end,
                              bool overlapping)
{
    PyObject *self = keeper_new(mmap_object(map)->state->find_all, map);
    if (self != NULL) {
        FindAll *all = find_all_object(self);
        all->needle = Py_NewRef(needle);
        all->matches = (ironmap_matches){.offsets = all->offsets,
                                         .capacity = BATCH_MATCHES,
                                         .next = start,
                                         .overlapping = overlapping};
        all->end = end;
    }
    return self;
}

static const Parameter keywords[] = {{"overlapping", PARAMETER_BOOL, 0}};
static const Signature signature = {.function = "find_all", .parameters = keywords, .count = 1};

/* A copy of the needle, as bytes. One of a map's own bytes is read under its guard. */
static PyObject *copy_needle(PyObject *self, PyObject *object)
{
    Source source;
    if (!source_open(&source, object, NULL)) {
        return NULL;
    }
    PyObject *needle = source_to_bytes(&source, self);
    source_close(&source);
    return needle;
}

/* The range in the map as it is now. False with an exception if it is closed. */
static bool use_bounds(uint64_t *start, uint64_t *end, const Bounds *bounds, PyObject *self)
{
    const ironmap_map *map = mmap_use(self);
    if (map != NULL) {
        bounds_in(start, end, bounds, map);
    }
    return map != NULL;
}

PyObject *mmap_find_all(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    bool overlapping = false;
    uint64_t start = 0;
    uint64_t end = 0;
    if (!mmap_precheck_open(self) || !check_count("find_all", count, 1, 3) ||
        !convert_keywords(&overlapping, &signature, args + count, names)) {
        return NULL;
    }
    PyObject *needle = copy_needle(self, args[0]);
    if (needle == NULL) {
        return NULL;
    }
    Bounds bounds;
    bool had = mmap_check_open(self) && bounds_convert(&bounds, args + 1, count - 1);
    if (had) {
        IN_SECTION(self, had = use_bounds(&start, &end, &bounds, self));
    }
    PyObject *all = had ? find_all_new(self, needle, start, end, overlapping) : NULL;
    Py_DECREF(needle);
    return all;
}

/* ---- the next match ---- */

/* Finds the next batch before `end`. */
static int find_before(FindAll *all, const ironmap_map *map, uint64_t end, ironmap_error *error)
{
    return ironmap_find_all(&all->matches, map, PyBytes_AS_STRING(all->needle),
                            (size_t)PyBytes_GET_SIZE(all->needle), 0, (size_t)end, error);
}

/* Finds matches that begin in the next LONG_WORK_BYTES positions, under the GIL. If they do not
 * fill the batch, the next search begins after these positions, or after the last match. */
static int find_with_gil(FindAll *all, const ironmap_map *map, ironmap_error *error)
{
    size_t length = (size_t)PyBytes_GET_SIZE(all->needle);
    uint64_t start = all->matches.next;
    if (start > all->end || all->end - start < LONG_WORK_BYTES + length) {
        return find_before(all, map, all->end, error);
    }
    uint64_t next = start + LONG_WORK_BYTES;
    int status = find_before(all, map, next + length - 1, error);
    if (status == IRONMAP_OK && all->matches.found < BATCH_MATCHES) {
        size_t found = all->matches.found;
        uint64_t step = all->matches.overlapping || length == 0 ? 1 : length;
        uint64_t after = found > 0 ? all->offsets[found - 1] + step : 0;
        all->matches.next = after > next ? after : next;
    }
    return status;
}

/* True if every match of the batch was returned. */
static bool is_empty(const FindAll *all)
{
    return all->returned == all->matches.found;
}

/* Finds the next match at any distance, without the GIL. The result is dropped if another thread
 * used this iterator at the same time. `*more` is false if there is no match. */
static int find_without_gil(bool *more, FindAll *all, const ironmap_map *map, ironmap_error *error)
{
    uint64_t offset = 0;
    uint64_t start = all->matches.next;
    ironmap_matches match = all->matches;
    match.offsets = &offset;
    match.capacity = 1;
    gil_release();
    int status =
        ironmap_find_all(&match, map, PyBytes_AS_STRING(all->needle),
                         (size_t)PyBytes_GET_SIZE(all->needle), 0, (size_t)all->end, error);
    gil_acquire();
    if (status == IRONMAP_OK && all->matches.next == start && is_empty(all)) {
        all->offsets[0] = offset;
        all->matches.next = match.next;
        all->matches.found = match.found;
        all->returned = 0;
        *more = match.found > 0;
    }
    return status;
}

/* Finds the next match at any distance, or from `start` if other threads could change what was
 * searched from there. False with an exception if the map is closed. */
static bool find_far(int *status, bool *more, FindAll *all, uint64_t start, ironmap_error *error)
{
    Hold hold;
    uint64_t next = all->matches.next;
    if (!hold_begin(&hold, all->map, LOCK_READ)) {
        return false;
    }
    if (hold.waited && all->matches.next == next && is_empty(all)) {
        all->matches.next = start;
    }
    *status = find_without_gil(more, all, hold.map, error);
    hold_end(&hold);
    return true;
}

/* Finds the next batch, unless another thread has found it while this one waited. `*more` is false
 * if there is none. */
static bool find_batch(int *status, bool *more, FindAll *all, ironmap_error *error)
{
    const ironmap_map *map = mmap_use_to_read(all->map);
    if (map == NULL || !is_empty(all)) {
        return map != NULL;
    }
    uint64_t start = all->matches.next;
    all->returned = 0;
    all->matches.found = 0;
    *status = find_with_gil(all, map, error);
    if (*status != IRONMAP_OK || all->matches.found > 0) {
        return true;
    }
    *more = all->matches.next <= all->end;
    return !*more || find_far(status, more, all, start, error);
}

/* The next match, or NULL if there is none. NULL with `*due` instead if it is time to check the
 * eval breaker first. A signal handler or another thread may use this iterator while the GIL is
 * released, so the state is checked again after that. */
static PyObject *next_match(bool *due, FindAll *all)
{
    *due = is_empty(all) &&
           eval_breaker_is_due(&all->work, (size_t)BATCH_MATCHES * EVAL_BREAKER_ITEM_BYTES);
    if (*due) {
        return NULL;
    }
    bool more = true;
    ironmap_error error;
    while (more && is_empty(all)) {
        int status = IRONMAP_OK;
        if (!find_batch(&status, &more, all, &error)) {
            return NULL;
        }
        if (status != IRONMAP_OK && !hold_again(status)) {
            return raise_error(all->map, mmap_object(all->map)->map, &error, "");
        }
    }
    if (!mmap_check_open(all->map)) {
        return NULL;
    }
    return is_empty(all) ? NULL : PyLong_FromUnsignedLongLong(all->offsets[all->returned++]);
}

static PyObject *find_all_next(PyObject *self)
{
    PyObject *match = NULL;
    bool due = false;
    do {
        IN_SECTION2(self, find_all_object(self)->map,
                    match = next_match(&due, find_all_object(self)));
    } while (due && eval_breaker_check_now());
    return match;
}

/* ---- the type ---- */

static void find_all_dealloc(PyObject *self)
{
    PyObject_GC_UnTrack(self);
    Py_CLEAR(find_all_object(self)->needle);
    keeper_dealloc(self);
}

static PyType_Slot slots[] = {
    {Py_tp_doc, AS_SLOT("An iterator over the indexes of matches: m.find_all(view).")},
    {Py_tp_dealloc, AS_SLOT(find_all_dealloc)},
    {Py_tp_traverse, AS_SLOT(keeper_traverse)},
    {Py_tp_iter, AS_SLOT(PyObject_SelfIter)},
    {Py_tp_iternext, AS_SLOT(find_all_next)},
    {0, NULL},
};

PyType_Spec find_all_spec = {
    .name = "ironmap._ironmap.FindAll",
    .basicsize = sizeof(FindAll),
    .flags = KEEPER_FLAGS,
    .slots = slots,
};
