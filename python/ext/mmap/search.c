/* Searching: find(), rfind() and count(). */
#include "mmap/search.h"

#include "args.h"
#include "errors.h"
#include "gil.h"
#include "mmap/hold.h"
#include "mmap/source.h"

/* What find() and count() look for. Bounds are set by bounds_in. */
typedef struct {
    Source needle;
    Bounds bounds;
    uint64_t start;
    uint64_t end;
    bool backwards;
} Search;

/* ---- bounds ---- */

bool bounds_convert(Bounds *bounds, PyObject *const *args, Py_ssize_t count)
{
    *bounds = (Bounds){
        .start_given = count > 0 && args[0] != Py_None,
        .end_given = count > 1 && args[1] != Py_None,
    };
    return (!bounds->start_given || convert_size(args[0], &bounds->start)) &&
           (!bounds->end_given || convert_size(args[1], &bounds->end));
}

/* The offset for a bound in slice notation. A bound before the start of the map is 0. */
static uint64_t bound_from(Py_ssize_t bound, size_t length)
{
    if (bound < 0) {
        bound += (Py_ssize_t)length;
    }
    return bound < 0 ? 0 : (uint64_t)bound;
}

void bounds_in(uint64_t *start, uint64_t *end, const Bounds *bounds, const ironmap_map *map)
{
    size_t length = ironmap_length(map);
    *start = bounds->start_given ? bound_from(bounds->start, length) : *start;
    *end = bounds->end_given ? bound_from(bounds->end, length) : length;
    *end = *end < length ? *end : length;
}

/* ---- find and rfind ---- */

/* Where the search begins and ends in the map as it is now: from the position on, by default. */
static void search_bounds(Search *search, const ironmap_map *map)
{
    search->start = ironmap_tell(map);
    bounds_in(&search->start, &search->end, &search->bounds, map);
    if (SEARCH_CLAMPS_START && search->start > ironmap_length(map)) {
        search->start = ironmap_length(map);
    }
}

static int search_range(uint64_t *index, const ironmap_map *map, const Search *search,
                        uint64_t start, uint64_t end, ironmap_error *error)
{
    const Source *needle = &search->needle;
    *index = IRONMAP_NOT_FOUND;
    if (start > end) {
        return IRONMAP_OK;
    }
    size_t length = (size_t)(end - start);
    return search->backwards
               ? ironmap_rfind(index, map, needle->bytes, needle->length, start, length, error)
               : ironmap_find(index, map, needle->bytes, needle->length, start, length, error);
}

/* Searches the part that is left, without the GIL if it is long; all of it if `anew` is set, or if
 * other threads could change the map before it was held. False with an exception if the map is
 * closed. */
static NOINLINE bool search_held(int *status, uint64_t *index, PyObject *self, Search *search,
                                 bool anew, ironmap_error *error)
{
    Hold hold;
    do {
        if (!hold_begin(&hold, self, LOCK_READ)) {
            return false;
        }
        if (anew || hold.waited) {
            search_bounds(search, hold.map);
        }
        bool is_long = search->end >= search->start + LONG_WORK_BYTES;
        gil_release_if(is_long);
        *status = search_range(index, hold.map, search, search->start, search->end, error);
        gil_acquire();
        hold_end(&hold);
        anew = true;
    } while (hold_again(*status));
    return true;
}

/* Most searches end soon, even in a large map. So the first LONG_WORK_BYTES positions at which the
 * needle can begin (or end, backwards) are searched under the GIL, and the rest without it. */
static bool search_map(int *status, uint64_t *index, PyObject *self, Search *search,
                       ironmap_error *error)
{
    const ironmap_map *map = mmap_now_to_read(self);
    if (map == NULL) {
        return search_held(status, index, self, search, true, error);
    }
    search_bounds(search, map);
    uint64_t start = search->start;
    uint64_t end = search->end;
    if (start > end || end - start <= LONG_WORK_BYTES) {
        *status = search_range(index, map, search, start, end, error);
        return true;
    }
    size_t tail = search->needle.length > 0 ? search->needle.length - 1 : 0;
    if (tail < LONG_WORK_BYTES && end - start > LONG_WORK_BYTES + tail) {
        size_t first = LONG_WORK_BYTES + tail;
        *status = search->backwards ? search_range(index, map, search, end - first, end, error)
                                    : search_range(index, map, search, start, start + first, error);
        if (*status != IRONMAP_OK || *index != IRONMAP_NOT_FOUND) {
            return true;
        }
        search->start += search->backwards ? 0 : LONG_WORK_BYTES;
        search->end -= search->backwards ? LONG_WORK_BYTES : 0;
    }
    return search_held(status, index, self, search, false, error);
}

/* NULL if the map is closed. */
static ironmap_map *hold_needle(PyObject *owner)
{
    ironmap_map *map = mmap_object(owner)->map;
    if (map != NULL) {
        ironmap_hold(map);
    }
    return map;
}

/* Every version of CPython checks that the map is open between the needle and the bounds.
 * Converting these may run Python code, which cannot close a map that is the needle. */
static bool convert_bounds(Search *search, PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    PyObject *owner = search->needle.owner;
    ironmap_map *needle = NULL;
    if (owner != NULL) {
        IN_SECTION(owner, needle = hold_needle(owner));
    }
    bool converted = mmap_check_open(self) && bounds_convert(&search->bounds, args, count);
    if (needle != NULL) {
        ironmap_release(needle);
    }
    return converted;
}

/* Gets the needle and the bounds. False with an exception. */
static bool search_open(Search *search, PyObject *self, const char *name, PyObject *const *args,
                        Py_ssize_t count)
{
    if (!mmap_precheck_open(self) || !check_count(name, count, 1, 3) ||
        !source_open(&search->needle, args[0], self)) {
        return false;
    }
    if (source_load(&search->needle, self) && convert_bounds(search, self, args + 1, count - 1)) {
        return true;
    }
    source_close(&search->needle);
    return false;
}

/* The needle may be in another map, which the error does not name. */
static PyObject *raise_search(PyObject *self, const ironmap_error *error)
{
    return raise_error(self, error->in_source ? NULL : mmap_object(self)->map, error, "");
}

static PyObject *index_of(PyObject *self, Search *search)
{
    uint64_t index = IRONMAP_NOT_FOUND;
    int status = IRONMAP_OK;
    ironmap_error error;
    bool had = search_map(&status, &index, self, search, &error);
    if (!had || status != IRONMAP_OK) {
        return had ? raise_search(self, &error) : NULL;
    }
    return PyLong_FromSsize_t(index == IRONMAP_NOT_FOUND ? -1 : (Py_ssize_t)index);
}

static PyObject *search_for(PyObject *self, const char *name, bool backwards, PyObject *const *args,
                            Py_ssize_t count)
{
    Search search;
    if (!search_open(&search, self, name, args, count)) {
        return NULL;
    }
    PyObject *index = NULL;
    search.backwards = backwards;
    IN_SECTION(self, index = index_of(self, &search));
    source_close(&search.needle);
    return index;
}

PyObject *mmap_find(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    return search_for(self, "find", false, args, count);
}

PyObject *mmap_rfind(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    return search_for(self, "rfind", true, args, count);
}

/* ---- count ---- */

/* The whole map by default. */
static int count_in(size_t *found, const ironmap_map *map, Search *search, ironmap_error *error)
{
    const Source *needle = &search->needle;
    if (search->start > search->end) {
        return IRONMAP_OK;
    }
    return ironmap_count(found, map, needle->bytes, needle->length, search->start,
                         (size_t)(search->end - search->start), error);
}

static NOINLINE bool count_held(int *status, size_t *found, PyObject *self, Search *search,
                                ironmap_error *error)
{
    Hold hold;
    do {
        if (!hold_begin(&hold, self, LOCK_READ)) {
            return false;
        }
        search->start = 0;
        bounds_in(&search->start, &search->end, &search->bounds, hold.map);
        bool is_long = search->end >= search->start + LONG_WORK_BYTES;
        gil_release_if(is_long);
        *status = count_in(found, hold.map, search, error);
        gil_acquire();
        hold_end(&hold);
    } while (hold_again(*status));
    return true;
}

static bool count_map(int *status, size_t *found, PyObject *self, Search *search,
                      ironmap_error *error)
{
    const ironmap_map *map = mmap_now_to_read(self);
    if (map == NULL) {
        return count_held(status, found, self, search, error);
    }
    search->start = 0;
    bounds_in(&search->start, &search->end, &search->bounds, map);
    if (search->end >= search->start + LONG_WORK_BYTES) {
        return count_held(status, found, self, search, error);
    }
    *status = count_in(found, map, search, error);
    return true;
}

static PyObject *number_of(PyObject *self, Search *search)
{
    size_t found = 0;
    int status = IRONMAP_OK;
    ironmap_error error;
    bool had = count_map(&status, &found, self, search, &error);
    if (!had || status != IRONMAP_OK) {
        return had ? raise_search(self, &error) : NULL;
    }
    return PyLong_FromSize_t(found);
}

PyObject *mmap_count(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    Search search;
    if (!search_open(&search, self, "count", args, count)) {
        return NULL;
    }
    PyObject *number = NULL;
    IN_SECTION(self, number = number_of(self, &search));
    source_close(&search.needle);
    return number;
}
