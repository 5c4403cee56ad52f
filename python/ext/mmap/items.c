/* Items and slices: m[i], m[a:b] and len(m). */
#include "mmap/items.h"

#include "args.h"
#include "errors.h"
#include "gil.h"
#include "mmap/held_read.h"
#include "mmap/object.h"
#include "mmap/source.h"

/* ---- single bytes ---- */

static Py_ssize_t length_of(PyObject *self)
{
    const ironmap_map *map = mmap_use(self);
    return map == NULL ? -1 : (Py_ssize_t)ironmap_length(map);
}

Py_ssize_t mmap_length(PyObject *self)
{
    Py_ssize_t length = -1;
    IN_SECTION(self, length = length_of(self));
    return length;
}

/* The offset for an index, where negative ones count from the end. An index before the start wraps
 * to an offset beyond every end. */
static uint64_t offset_from(Py_ssize_t index, const ironmap_map *map)
{
    return index < 0 ? (uint64_t)index + ironmap_length(map) : (uint64_t)index;
}

/* The library checks the offset. Outside the map it is an IndexError here. */
static PyObject *raise_item(PyObject *self, ironmap_map *map, const ironmap_error *error)
{
    bool outside = error->status == IRONMAP_E_RANGE || error->status == IRONMAP_E_OVERFLOW;
    return outside ? raise_index() : raise_error(self, map, error, "");
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

static int put_byte(PyObject *self, Py_ssize_t index, uint8_t byte)
{
    ironmap_map *map = mmap_use_to_store(self);
    ironmap_error error;
    if (map == NULL) {
        return -1;
    }
    if (ironmap_put_byte(map, offset_from(index, map), byte, &error) != IRONMAP_OK) {
        raise_item(self, map, &error);
        return -1;
    }
    return 0;
}

/* Stores `value` at `index`. NULL means deletion, which is the TypeError `deletion`. The index is
 * checked before the value on the versions of CPython that do so, and again by the library after
 * the value has been converted. */
static int store(PyObject *self, Py_ssize_t index, PyObject *value, const char *deletion)
{
    bool inside = true;
    if (!ARGUMENTS_COME_FIRST) {
        IN_SECTION(self, inside = check_index(self, index));
    }
    if (!inside) {
        return -1;
    }
    if (value == NULL) {
        PyErr_SetString(PyExc_TypeError, deletion);
        return -1;
    }
    uint8_t byte = 0;
    if (!convert_item(self, value, &byte)) {
        return -1;
    }
    int status = -1;
    IN_SECTION(self, status = put_byte(self, index, byte));
    return status;
}

/* The precheck of an assignment: the map is open, and writable. */
static bool precheck_assign(PyObject *self)
{
    if (!ARGUMENTS_COME_FIRST && !mmap_check_open(self)) {
        return false;
    }
    if (mmap_object(self)->readonly) {
        raise_readonly();
        return false;
    }
    return true;
}

/* Fast path of a single byte. */
static inline bool try_byte(uint8_t *byte, const ironmap_map *map, uint64_t offset)
{
    ironmap_short_read read;
    if (!ironmap_short_read_begin(&read, map, offset, 1)) {
        return false;
    }
    *byte = *read.bytes;
    return ironmap_short_read_end(&read, map);
}

static COLD PyObject *item_slow(PyObject *self, Py_ssize_t index)
{
    ironmap_map *map = mmap_use_to_read(self);
    uint8_t byte = 0;
    ironmap_error error;
    if (map == NULL) {
        return NULL;
    }
    /* CPython has added the length to a negative index. */
    if (ironmap_get_byte(&byte, map, (uint64_t)index, &error) != IRONMAP_OK) {
        return raise_item(self, map, &error);
    }
    return PyBytes_FromStringAndSize((const char *)&byte, 1);
}

static inline PyObject *item_at(PyObject *self, Py_ssize_t index)
{
    uint8_t byte = 0;
    const ironmap_map *map = mmap_now_to_read(self);
    return map != NULL && try_byte(&byte, map, (uint64_t)index)
               ? Py_NewRef(mmap_object(self)->state->byte_items[byte])
               : item_slow(self, index);
}

PyObject *mmap_item(PyObject *self, Py_ssize_t index)
{
    PyObject *item = NULL;
    IN_SECTION(self, item = item_at(self, index));
    return item;
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

static COLD PyObject *get_index_slow(PyObject *self, Py_ssize_t index)
{
    ironmap_map *map = mmap_use_to_read(self);
    uint8_t byte = 0;
    ironmap_error error;
    if (map == NULL) {
        return NULL;
    }
    if (ironmap_get_byte(&byte, map, offset_from(index, map), &error) != IRONMAP_OK) {
        return raise_item(self, map, &error);
    }
    return PyLong_FromLong(byte);
}

static inline PyObject *value_at(PyObject *self, Py_ssize_t index)
{
    uint8_t byte = 0;
    const ironmap_map *map = mmap_now_to_read(self);
    return map != NULL && try_byte(&byte, map, offset_from(index, map))
               ? Py_NewRef(mmap_object(self)->state->byte_ints[byte])
               : get_index_slow(self, index);
}

static PyObject *get_index(PyObject *self, PyObject *key)
{
    Py_ssize_t index = 0;
    if (!convert_index(key, &index)) {
        return NULL;
    }
    PyObject *value = NULL;
    IN_SECTION(self, value = value_at(self, index));
    return value;
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

/* A slice. slice_unpack sets start and stop as given, and the step. slice_adjust clamps them to the
 * map's length and sets count, in bytes; slice_reset undoes that. */
typedef struct {
    Py_ssize_t start;
    Py_ssize_t stop;
    Py_ssize_t step;
    Py_ssize_t count;
    Py_ssize_t given_start;
    Py_ssize_t given_stop;
} Slice;

static inline void slice_set(Slice *slice, Py_ssize_t start, Py_ssize_t stop)
{
    slice->start = start;
    slice->given_start = start;
    slice->stop = stop;
    slice->given_stop = stop;
}

static void slice_reset(Slice *slice)
{
    slice_set(slice, slice->given_start, slice->given_stop);
}

/* Fast path: start and stop are plain integers, and there is no step. False without an exception
 * for all other slices. */
static bool slice_try_unpack(Slice *slice, PyObject *key)
{
    const PySliceObject *parts = (PySliceObject *)key;
    Py_ssize_t start = 0;
    Py_ssize_t stop = 0;
    if (parts->step != Py_None || !try_convert_small(parts->start, &start) ||
        !try_convert_small(parts->stop, &stop)) {
        return false;
    }
    slice_set(slice, start, stop);
    return true;
}

/* May run Python code. */
static bool slice_unpack(Slice *slice, PyObject *key)
{
    slice->count = 0;
    slice->step = 1;
    if (slice_try_unpack(slice, key)) {
        return true;
    }
    if (PySlice_Unpack(key, &slice->given_start, &slice->given_stop, &slice->step) == -1) {
        return false;
    }
    slice_reset(slice);
    return true;
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

static bool is_long(const Slice *slice)
{
    return slice_work(slice) >= LONG_WORK_BYTES;
}

/* Copies the bytes of the slice into `buffer`, the memory of a new object. */
static int copy_out(char *buffer, const ironmap_map *map, const Slice *slice, ironmap_error *error)
{
    uint64_t start = (uint64_t)slice->start;
    size_t count = (size_t)slice->count;
    ironmap_prepare(buffer, count);
    return slice->step == 1 ? ironmap_get(map, start, buffer, count, error)
                            : ironmap_get_strided(map, start, slice->step, buffer, count, error);
}

/* Copies a slice, of the map as it is once it is held. `*bytes` is a new object, or NULL with
 * an exception. */
static int get_held(PyObject **bytes, const Hold *hold, void *context, ironmap_error *error)
{
    Slice *slice = context;
    slice_reset(slice);
    slice_adjust(slice, hold->map);
    *bytes = PyBytes_FromStringAndSize(NULL, slice->count);
    if (*bytes == NULL || slice->count == 0) {
        return IRONMAP_OK;
    }
    gil_release_if(is_long(slice));
    int status = copy_out(PyBytes_AS_STRING(*bytes), hold->map, slice, error);
    gil_acquire();
    return status;
}

/* Fast path: plain integers that lie in the map and in order, not far apart. NULL without an
 * exception for all other slices. Runs no Python code. */
static PyObject *try_slice(PyObject *self, PyObject *key)
{
    Slice slice;
    const ironmap_map *map = mmap_now_to_read(self);
    if (map == NULL || !slice_try_unpack(&slice, key) || slice.start < 0 ||
        slice.stop < slice.start || slice.stop > (Py_ssize_t)ironmap_length(map)) {
        return NULL;
    }
    size_t count = (size_t)(slice.stop - slice.start);
    if (count >= LONG_WORK_BYTES) {
        return NULL;
    }
    return mmap_try_bytes(map, (uint64_t)slice.start, count);
}

static PyObject *bytes_at(PyObject *self, Slice *slice)
{
    ironmap_map *map = mmap_now_to_read(self);
    if (map != NULL) {
        slice_adjust(slice, map);
    }
    if (map == NULL || is_long(slice)) {
        return held_read(self, get_held, slice, "");
    }
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, slice->count);
    if (bytes == NULL || slice->count == 0) {
        return bytes;
    }
    ironmap_error error;
    if (copy_out(PyBytes_AS_STRING(bytes), map, slice, &error) != IRONMAP_OK) {
        Py_DECREF(bytes);
        return raise_error(self, map, &error, "");
    }
    return bytes;
}

static NOINLINE PyObject *get_slice_slow(PyObject *self, PyObject *key)
{
    Slice slice;
    PyObject *bytes = NULL;
    if (slice_unpack(&slice, key)) {
        IN_SECTION(self, bytes = bytes_at(self, &slice));
    }
    return bytes;
}

static NOINLINE PyObject *get_slice(PyObject *self, PyObject *key)
{
    PyObject *bytes = NULL;
    IN_SECTION(self, bytes = try_slice(self, key));
    return bytes != NULL ? bytes : get_slice_slow(self, key);
}

/* Bytes of another map that lie apart in this one are loaded already. */
static int copy_in(ironmap_map *map, const Slice *slice, const Source *source, ironmap_error *error)
{
    uint64_t start = (uint64_t)slice->start;
    size_t count = (size_t)slice->count;
    if (count == 0) {
        return IRONMAP_OK;
    }
    if (slice->step != 1) {
        return ironmap_put_strided(map, start, slice->step, source->bytes, count, error);
    }
    return source->owner == NULL ? ironmap_put(map, start, source->bytes, count, error)
                                 : ironmap_copy(map, start, mmap_object(source->owner)->map,
                                                source->offset, count, error);
}

static int raise_store(PyObject *self, const Source *source, const ironmap_error *error)
{
    raise_error(self, source_map_of(source, self, error), error, "");
    return -1;
}

static int raise_wrong_size(void)
{
    PyErr_SetString(PyExc_IndexError, "mmap slice assignment is wrong size");
    return -1;
}

/* Stores the source in the map as it is once it is held. IRONMAP_E_RANGE if the lengths differ. */
static int store_held(ironmap_map *map, Slice *slice, Source *source, ironmap_error *error)
{
    slice_reset(slice);
    slice_adjust(slice, map);
    if (source->owner != NULL && source->copy == NULL) {
        source_refresh(source);
    }
    if (source->length != (size_t)slice->count) {
        return IRONMAP_E_RANGE;
    }
    gil_release_if(is_long(slice));
    int status = copy_in(map, slice, source, error);
    gil_acquire();
    return status;
}

/* Stores many bytes, or those of another map. */
static NOINLINE int store_long(PyObject *self, Slice *slice, Source *source)
{
    TwoHolds holds;
    ironmap_error error;
    int status = IRONMAP_OK;
    PyObject *other = source->copy == NULL ? source_other(source, self) : self;
    do {
        if (!hold_begin_two(&holds, self, LOCK_STORE, other, LOCK_READ)) {
            return -1;
        }
        status = store_held(mmap_object(self)->map, slice, source, &error);
        hold_end_two(&holds);
    } while (hold_again(status));
    return status == IRONMAP_OK        ? 0
           : status == IRONMAP_E_RANGE ? raise_wrong_size()
                                       : raise_store(self, source, &error);
}

/* Stores the bytes of the source. Opening it may have run Python code, so the map is had here. */
static int store_slice(PyObject *self, Slice *slice, Source *source)
{
    ironmap_map *map = mmap_now_to_store(self);
    if (map == NULL) {
        return store_long(self, slice, source);
    }
    slice_adjust(slice, map);
    if (is_long(slice) || (source->owner != NULL && source->copy == NULL)) {
        return store_long(self, slice, source);
    }
    if (source->length != (size_t)slice->count) {
        return raise_wrong_size();
    }
    ironmap_error error;
    if (copy_in(map, slice, source, &error) != IRONMAP_OK) {
        return raise_store(self, source, &error);
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
    int result = -1;
    if (slice.step == 1 || source_load(&source, self)) {
        IN_SECTION2(self, source_other(&source, self), result = store_slice(self, &slice, &source));
    }
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
    if (!mmap_check_open(self)) {
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
