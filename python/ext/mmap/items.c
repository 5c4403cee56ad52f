/* Items and slices: m[i], m[a:b] and len(m). */
#include "mmap/items.h"

#include "args.h"
#include "errors.h"
#include "mmap/long_work.h"
#include "mmap/object.h"
#include "mmap/source.h"

/* ---- single bytes ---- */

Py_ssize_t mmap_length(PyObject *self)
{
    const ironmap_map *map = mmap_use(self);
    return map == NULL ? -1 : (Py_ssize_t)ironmap_length(map);
}

/* The offset for an index, where negative ones count from the end. An index before the start wraps
 * to an offset beyond every end. */
static uint64_t offset_from(Py_ssize_t index, const ironmap_map *map)
{
    return index < 0 ? (uint64_t)index + ironmap_length(map) : (uint64_t)index;
}

/* The library checks the offset. Outside the map it is an IndexError here. */
static PyObject *raise_item(ironmap_map *map, const ironmap_error *error)
{
    bool outside = error->status == IRONMAP_E_RANGE || error->status == IRONMAP_E_OVERFLOW;
    return outside ? raise_index() : raise_error(map, error, "");
}

/* True if `index` lies inside the map as it is now, else IndexError. */
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

/* Stores `value` at `index`. NULL means deletion, which is the TypeError `deletion`. The index is
 * checked before the value on the versions of CPython that do so, and again by the library after
 * the value has been converted. */
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

/* The precheck of an assignment: the map is open, and writable. */
static bool precheck_assign(PyObject *self)
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
    ironmap_map *map = mmap_use(self);
    uint8_t byte = 0;
    ironmap_error error;
    if (map == NULL) {
        return NULL;
    }
    /* CPython has added the length to a negative index. */
    if (ironmap_get_byte(&byte, map, (uint64_t)index, &error) != IRONMAP_OK) {
        return raise_item(map, &error);
    }
    return PyBytes_FromStringAndSize((const char *)&byte, 1);
}

int mmap_set_item(PyObject *self, Py_ssize_t index, PyObject *value)
{
    if (!precheck_assign(self)) {
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
    ironmap_map *map = mmap_use(self);
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

/* A slice. slice_unpack sets start, stop and step as given; slice_adjust clamps them to the map's
 * length and sets count, in bytes. */
typedef struct {
    Py_ssize_t start;
    Py_ssize_t stop;
    Py_ssize_t step;
    Py_ssize_t count;
} Slice;

/* Fast path: start and stop are plain integers, and there is no step. False without an exception
 * for all other slices. */
static bool slice_try_unpack(Slice *slice, PyObject *key)
{
    const PySliceObject *parts = (PySliceObject *)key;
    return parts->step == Py_None && try_convert_small(parts->start, &slice->start) &&
           try_convert_small(parts->stop, &slice->stop);
}

/* May run Python code. */
static bool slice_unpack(Slice *slice, PyObject *key)
{
    slice->count = 0;
    slice->step = 1;
    return slice_try_unpack(slice, key) ||
           PySlice_Unpack(key, &slice->start, &slice->stop, &slice->step) == 0;
}

static void slice_adjust(Slice *slice, const ironmap_map *map)
{
    slice->count = PySlice_AdjustIndices((Py_ssize_t)ironmap_length(map), &slice->start,
                                         &slice->stop, slice->step);
}

/* About the number of bytes that the system must have in memory for the slice. Bytes that are at
 * least a page apart need a page each, which may have to come from a disk. */
static size_t slice_work(const Slice *slice)
{
    enum { PAGE_BYTES = 4096 };
    size_t count = (size_t)slice->count;
    size_t step = slice->step < 0 ? (size_t)0 - (size_t)slice->step : (size_t)slice->step;
    return count < LONG_WORK_BYTES ? count * (step < PAGE_BYTES ? step : PAGE_BYTES) : count;
}

/* Copies the bytes of the slice into `buffer`, the memory of a new object. */
static int copy_out(char *buffer, ironmap_map *map, const Slice *slice, ironmap_error *error)
{
    uint64_t start = (uint64_t)slice->start;
    size_t count = (size_t)slice->count;
    PyThreadState *thread = mmap_release_gil_for(map, slice_work(slice));
    ironmap_prepare(buffer, count);
    int status = slice->step == 1
                     ? ironmap_get(map, start, buffer, count, error)
                     : ironmap_get_strided(map, start, slice->step, buffer, count, error);
    mmap_acquire_gil(map, thread);
    return status;
}

/* Bytes of another map that lie apart in this one are loaded already. */
static int copy_in(ironmap_map *map, const Slice *slice, const Source *source, ironmap_error *error)
{
    uint64_t start = (uint64_t)slice->start;
    size_t count = (size_t)slice->count;
    int status = IRONMAP_OK;
    PyThreadState *thread = mmap_release_gil_for(map, slice_work(slice));
    if (slice->step != 1) {
        status = ironmap_put_strided(map, start, slice->step, source->bytes, count, error);
    } else if (source->map != NULL) {
        status = ironmap_copy(map, start, source->map, source->offset, count, error);
    } else {
        status = ironmap_put(map, start, source->bytes, count, error);
    }
    mmap_acquire_gil(map, thread);
    return status;
}

static NOINLINE PyObject *get_slice(PyObject *self, PyObject *key)
{
    Slice slice;
    if (!slice_unpack(&slice, key)) {
        return NULL;
    }
    ironmap_map *map = mmap_use(self);
    if (map == NULL) {
        return NULL;
    }
    slice_adjust(&slice, map);
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, slice.count);
    if (bytes == NULL || slice.count == 0) {
        return bytes;
    }
    ironmap_error error;
    if (copy_out(PyBytes_AS_STRING(bytes), map, &slice, &error) != IRONMAP_OK) {
        Py_DECREF(bytes);
        return raise_error(map, &error, "");
    }
    return bytes;
}

/* Stores the bytes of the source. Opening it may have run Python code, so the map is checked here.
 */
static int store_slice(PyObject *self, Slice *slice, Source *source)
{
    ironmap_map *map = mmap_use(self);
    if (map == NULL) {
        return -1;
    }
    slice_adjust(slice, map);
    if (source->length != (size_t)slice->count) {
        PyErr_SetString(PyExc_IndexError, "mmap slice assignment is wrong size");
        return -1;
    }
    ironmap_error error;
    if (slice->count != 0 && copy_in(map, slice, source, &error) != IRONMAP_OK) {
        raise_error(error.in_source ? source->map : map, &error, "");
        return -1;
    }
    return 0;
}

static int set_slice(PyObject *self, PyObject *key, PyObject *value)
{
    Slice slice;
    if (!slice_unpack(&slice, key) || !mmap_precheck_open(self)) {
        return -1;
    }
    if (value == NULL) {
        PyErr_SetString(PyExc_TypeError, "mmap object doesn't support slice deletion");
        return -1;
    }
    Source source;
    if (!source_open(&source, value, self)) {
        return -1;
    }
    bool loaded = slice.step == 1 || source_load(&source);
    int result = loaded ? store_slice(self, &slice, &source) : -1;
    source_close(&source);
    return result;
}

/* ---- m[key] ---- */

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
    if (!precheck_assign(self)) {
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
