/* Items and slices: m[i], m[a:b] and len(m). */
#include "mmap/items.h"

#include "args.h"
#include "errors.h"
#include "mmap/long_work.h"
#include "mmap/object.h"

/* ---- single bytes ---- */

Py_ssize_t mmap_length(PyObject *self)
{
    const ironmap_map *map = mmap_use(self);
    return map == NULL ? -1 : (Py_ssize_t)ironmap_length(map);
}

/* The offset that an index stands for, negative ones counted from the end. What lies before the
 * beginning becomes a number beyond every end. */
static uint64_t offset_from(Py_ssize_t index, const ironmap_map *map)
{
    return index < 0 ? (uint64_t)index + ironmap_length(map) : (uint64_t)index;
}

/* The library checks the offset; outside the map is an IndexError here. */
static PyObject *raise_item(const ironmap_map *map, const ironmap_error *error)
{
    bool outside = error->status == IRONMAP_E_RANGE || error->status == IRONMAP_E_OVERFLOW;
    return outside ? raise_index() : raise_error(map, error, "");
}

/* Whether `index` lies inside the map as it is now. */
static bool check_index(PyObject *self, Py_ssize_t index)
{
    const ironmap_map *map = mmap_use(self);
    if (map == NULL) {
        return false;
    }
    if (offset_from(index, map) >= ironmap_length(map)) {
        raise_index();
        return false;
    }
    return true;
}

/* Stores `value` at `index`, or deletes it: NULL, which is the TypeError `deletion`. The index is
 * looked at before the value where the running interpreter does, and in any case when the value has
 * been converted. */
static int store(PyObject *self, Py_ssize_t index, PyObject *value, const char *deletion)
{
    if (!ARGUMENTS_COME_FIRST && !check_index(self, index)) {
        return -1;
    }
    if (value == NULL) {
        PyErr_SetString(PyExc_TypeError, deletion);
        return -1;
    }
    uint8_t byte = 0;
    ironmap_map *map = NULL;
    if (!convert_item(value, &byte) || (map = mmap_use(self)) == NULL) {
        return -1;
    }
    ironmap_error error;
    if (ironmap_put_byte(map, offset_from(index, map), byte, &error) != IRONMAP_OK) {
        raise_item(map, &error);
        return -1;
    }
    return 0;
}

/* The first look of an assignment. */
static bool may_assign(PyObject *self)
{
    if (!ARGUMENTS_COME_FIRST) {
        return mmap_use_writable(self) != NULL;
    }
    if (mmap_object(self)->readonly) {
        raise_readonly();
        return false;
    }
    return true;
}

PyObject *mmap_item(PyObject *self, Py_ssize_t index)
{
    const ironmap_map *map = mmap_use(self);
    uint8_t byte = 0;
    ironmap_error error;
    if (map == NULL) {
        return NULL;
    }
    /* Whoever calls this has counted a negative index from the end. */
    if (ironmap_get_byte(&byte, map, (uint64_t)index, &error) != IRONMAP_OK) {
        return raise_item(map, &error);
    }
    return PyBytes_FromStringAndSize((const char *)&byte, 1);
}

int mmap_set_item(PyObject *self, Py_ssize_t index, PyObject *value)
{
    if (!may_assign(self)) {
        return -1;
    }
    if (index < 0) {
        raise_index();
        return -1;
    }
    return store(self, index, value, "mmap object doesn't support item deletion");
}

static PyObject *get_index(PyObject *self, PyObject *key)
{
    Py_ssize_t index = 0;
    if (!convert_index(key, &index)) {
        return NULL;
    }
    const ironmap_map *map = mmap_use(self);
    uint8_t byte = 0;
    ironmap_error error;
    if (map == NULL) {
        return NULL;
    }
    if (ironmap_get_byte(&byte, map, offset_from(index, map), &error) != IRONMAP_OK) {
        return raise_item(map, &error);
    }
    return PyLong_FromLong(byte);
}

static int set_index(PyObject *self, PyObject *key, PyObject *value)
{
    Py_ssize_t index = 0;
    if (!convert_index(key, &index)) {
        return -1;
    }
    return store(self, index, value, "mmap doesn't support item deletion");
}

/* ---- slices ---- */

/* The numbers of a slice: as given, then, once cut to a length, `count` bytes from `start`. */
typedef struct {
    Py_ssize_t start;
    Py_ssize_t stop;
    Py_ssize_t step;
    Py_ssize_t count;
} Range;

/* The commonest slice, of two plain integers, in a fraction of the time that all slices take. No
 * exception otherwise. */
static bool range_quick(Range *range, PyObject *slice)
{
    const PySliceObject *parts = (PySliceObject *)slice;
    return parts->step == Py_None && try_convert_small(parts->start, &range->start) &&
           try_convert_small(parts->stop, &range->stop);
}

/* May run Python code. */
static bool range_unpack(Range *range, PyObject *slice)
{
    range->count = 0;
    range->step = 1;
    return range_quick(range, slice) ||
           PySlice_Unpack(slice, &range->start, &range->stop, &range->step) == 0;
}

static void range_cut(Range *range, const ironmap_map *map)
{
    range->count = PySlice_AdjustIndices((Py_ssize_t)ironmap_length(map), &range->start,
                                         &range->stop, range->step);
}

/* Bytes of memory that the range makes the system fetch, about: bytes that lie far apart are each
 * in a page of its own, which may have to come from a disk. */
static size_t range_work(const Range *range)
{
    enum { FAR_APART = 4096 };
    size_t count = (size_t)range->count;
    size_t step = range->step < 0 ? (size_t)0 - (size_t)range->step : (size_t)range->step;
    return count < LONG_WORK_BYTES ? count * (step < FAR_APART ? step : FAR_APART) : count;
}

/* Into the memory of a new object. */
static int copy_out(char *buffer, ironmap_map *map, const Range *range, ironmap_error *error)
{
    uint64_t start = (uint64_t)range->start;
    size_t count = (size_t)range->count;
    PyThreadState *thread = mmap_release_gil_for(map, range_work(range));
    ironmap_prepare(buffer, count);
    int status = range->step == 1
                     ? ironmap_get(buffer, map, start, count, error)
                     : ironmap_get_strided(buffer, map, start, range->step, count, error);
    mmap_acquire_gil(map, thread);
    return status;
}

static int copy_in(ironmap_map *map, const Range *range, const void *buffer, ironmap_error *error)
{
    uint64_t start = (uint64_t)range->start;
    size_t count = (size_t)range->count;
    PyThreadState *thread = mmap_release_gil_for(map, range_work(range));
    int status = range->step == 1
                     ? ironmap_put(map, start, buffer, count, error)
                     : ironmap_put_strided(map, start, range->step, buffer, count, error);
    mmap_acquire_gil(map, thread);
    return status;
}

static NOINLINE PyObject *get_slice(PyObject *self, PyObject *key)
{
    Range range;
    if (!range_unpack(&range, key)) {
        return NULL;
    }
    ironmap_map *map = mmap_use(self);
    if (map == NULL) {
        return NULL;
    }
    range_cut(&range, map);
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, range.count);
    if (bytes == NULL || range.count == 0) {
        return bytes;
    }
    ironmap_error error;
    if (copy_out(PyBytes_AS_STRING(bytes), map, &range, &error) != IRONMAP_OK) {
        Py_DECREF(bytes);
        return raise_error(map, &error, "");
    }
    return bytes;
}

/* Stores the bytes of `view`, whose making may have run Python code. */
static int store_slice(PyObject *self, Range *range, const Py_buffer *view)
{
    ironmap_map *map = mmap_use(self);
    if (map == NULL) {
        return -1;
    }
    range_cut(range, map);
    if (view->len != range->count) {
        PyErr_SetString(PyExc_IndexError, "mmap slice assignment is wrong size");
        return -1;
    }
    ironmap_error error;
    if (range->count != 0 && copy_in(map, range, view->buf, &error) != IRONMAP_OK) {
        raise_error(map, &error, "");
        return -1;
    }
    return 0;
}

static int set_slice(PyObject *self, PyObject *key, PyObject *value)
{
    Range range;
    if (!range_unpack(&range, key) || !mmap_precheck_open(self)) {
        return -1;
    }
    if (value == NULL) {
        PyErr_SetString(PyExc_TypeError, "mmap object doesn't support slice deletion");
        return -1;
    }
    Py_buffer view;
    if (PyObject_GetBuffer(value, &view, PyBUF_SIMPLE) == -1) {
        return -1;
    }
    int result = store_slice(self, &range, &view);
    PyBuffer_Release(&view);
    return result;
}

/* ---- either ---- */

static PyObject *raise_key(void)
{
    PyErr_SetString(PyExc_TypeError, "mmap indices must be integers");
    return NULL;
}

PyObject *mmap_subscript(PyObject *self, PyObject *key)
{
    if (mmap_use(self) == NULL) {
        return NULL;
    }
    if (PyLong_CheckExact(key) || PyIndex_Check(key)) {
        return get_index(self, key);
    }
    return PySlice_Check(key) ? get_slice(self, key) : raise_key();
}

int mmap_set_subscript(PyObject *self, PyObject *key, PyObject *value)
{
    if (!may_assign(self)) {
        return -1;
    }
    if (PyIndex_Check(key)) {
        return set_index(self, key, value);
    }
    if (PySlice_Check(key)) {
        return set_slice(self, key, value);
    }
    raise_key();
    return -1;
}
