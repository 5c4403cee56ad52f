/* Searching: find(), rfind() and count(). */
#include "mmap/search.h"

#include "args.h"
#include "errors.h"
#include "mmap/long_work.h"
#include "mmap/object.h"
#include "mmap/source.h"

/* The needle and the range of a search, in bytes. */
typedef struct {
    const void *needle;
    size_t length;
    uint64_t start;
    uint64_t end;
    bool backwards;
} Search;

static int search_range(uint64_t *index, const ironmap_map *map, const Search *search,
                        uint64_t start, uint64_t end, ironmap_error *error)
{
    if (start > end) {
        *index = IRONMAP_NOT_FOUND;
        return IRONMAP_OK;
    }
    size_t length = (size_t)(end - start);
    return search->backwards
               ? ironmap_rfind(index, map, search->needle, search->length, start, length, error)
               : ironmap_find(index, map, search->needle, search->length, start, length, error);
}

static int search_without_gil(uint64_t *index, ironmap_map *map, const Search *search,
                              uint64_t start, uint64_t end, ironmap_error *error)
{
    PyThreadState *thread = mmap_release_gil(map);
    int status = search_range(index, map, search, start, end, error);
    mmap_acquire_gil(map, thread);
    return status;
}

/* Most searches end soon, even in a large map. So the first LONG_WORK_BYTES positions at which the
 * needle can begin (or end, backwards) are searched under the GIL, and the rest without it. */
static int search_map(uint64_t *index, ironmap_map *map, const Search *search, ironmap_error *error)
{
    uint64_t start = search->start;
    uint64_t end = search->end;
    if (start > end || end - start <= LONG_WORK_BYTES) {
        return search_range(index, map, search, start, end, error);
    }
    size_t tail = search->length > 0 ? search->length - 1 : 0;
    if (tail >= LONG_WORK_BYTES || end - start <= LONG_WORK_BYTES + tail) {
        return search_without_gil(index, map, search, start, end, error);
    }
    size_t first = LONG_WORK_BYTES + tail;
    int status = search->backwards ? search_range(index, map, search, end - first, end, error)
                                   : search_range(index, map, search, start, start + first, error);
    if (status != IRONMAP_OK || *index != IRONMAP_NOT_FOUND) {
        return status;
    }
    return search->backwards
               ? search_without_gil(index, map, search, start, end - LONG_WORK_BYTES, error)
               : search_without_gil(index, map, search, start + LONG_WORK_BYTES, end, error);
}

/* The offset for a bound in slice notation. A bound before the start of the map is 0. */
static uint64_t bound_from(Py_ssize_t bound, size_t length)
{
    if (bound < 0) {
        bound += (Py_ssize_t)length;
    }
    return bound < 0 ? 0 : (uint64_t)bound;
}

bool mmap_bounds(PyObject *self, uint64_t *start, uint64_t *end, PyObject *const *args,
                 Py_ssize_t count)
{
    bool start_given = count > 0 && args[0] != Py_None;
    bool end_given = count > 1 && args[1] != Py_None;
    Py_ssize_t given_start = 0;
    Py_ssize_t given_end = 0;
    if ((start_given && !convert_size(args[0], &given_start)) ||
        (end_given && !convert_size(args[1], &given_end))) {
        return false;
    }
    const ironmap_map *map = mmap_use(self);
    if (map == NULL) {
        return false;
    }
    size_t length = ironmap_length(map);
    *start = start_given ? bound_from(given_start, length) : *start;
    *end = end_given ? bound_from(given_end, length) : *end;
    *end = *end < length ? *end : length;
    return true;
}

/* Converts the bounds, which default to the position and the end, and searches between them. */
static PyObject *search_bounds(PyObject *self, Search *search, PyObject *const *args,
                               Py_ssize_t count)
{
    /* Every version of CPython checks that the map is open between the needle and the bounds. */
    search->start = IRONMAP_NOT_FOUND;
    search->end = IRONMAP_TO_END;
    if (mmap_use(self) == NULL || !mmap_bounds(self, &search->start, &search->end, args, count)) {
        return NULL;
    }
    ironmap_map *map = mmap_object(self)->map;
    if (search->start == IRONMAP_NOT_FOUND) {
        search->start = ironmap_tell(map);
    }
    if (SEARCH_CLAMPS_START && search->start > ironmap_length(map)) {
        search->start = ironmap_length(map);
    }
    uint64_t index = IRONMAP_NOT_FOUND;
    ironmap_error error;
    if (search_map(&index, map, search, &error) != IRONMAP_OK) {
        return raise_error(error.in_source ? NULL : map, &error, "");
    }
    return PyLong_FromSsize_t(index == IRONMAP_NOT_FOUND ? -1 : (Py_ssize_t)index);
}

static PyObject *search_for(PyObject *self, const char *name, bool backwards, PyObject *const *args,
                            Py_ssize_t count)
{
    Source needle;
    PyObject *result = NULL;
    if (!mmap_precheck_open(self) || !check_count(name, count, 1, 3) ||
        !source_open(&needle, args[0], self)) {
        return NULL;
    }
    if (source_load(&needle)) {
        Search search = {
            .needle = needle.bytes,
            .length = needle.length,
            .backwards = backwards,
        };
        result = search_bounds(self, &search, args + 1, count - 1);
    }
    source_close(&needle);
    return result;
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

static PyObject *count_bounds(PyObject *self, const Source *needle, PyObject *const *args,
                              Py_ssize_t count)
{
    uint64_t start = 0;
    uint64_t end = IRONMAP_TO_END;
    if (!mmap_bounds(self, &start, &end, args, count)) {
        return NULL;
    }
    ironmap_map *map = mmap_object(self)->map;
    size_t length = start < end ? (size_t)(end - start) : 0;
    size_t found = 0;
    ironmap_error error;
    PyThreadState *thread = mmap_release_gil_for(map, length);
    int status = start > end ? IRONMAP_OK
                             : ironmap_count(&found, map, needle->bytes, needle->length, start,
                                             length, &error);
    mmap_acquire_gil(map, thread);
    if (status != IRONMAP_OK) {
        return raise_error(error.in_source ? NULL : map, &error, "");
    }
    return PyLong_FromSize_t(found);
}

PyObject *mmap_count(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    Source needle;
    if (!mmap_precheck_open(self) || !check_count("count", count, 1, 3) ||
        !source_open(&needle, args[0], self)) {
        return NULL;
    }
    PyObject *result =
        source_load(&needle) ? count_bounds(self, &needle, args + 1, count - 1) : NULL;
    source_close(&needle);
    return result;
}
