/* The position, and reading and writing there. */
#include "mmap/stream.h"

#include "args.h"
#include "errors.h"
#include "gil.h"
#include "mmap/held_read.h"
#include "mmap/object.h"
#include "mmap/source.h"

/* ---- the position ---- */

/* Bytes from `position` to the end. After resize() the position may lie beyond the end. */
static size_t rest_from(const ironmap_map *map, uint64_t position)
{
    size_t length = ironmap_length(map);
    return position < length ? (size_t)(length - position) : 0;
}

/* Moves the position over the next `length` bytes, which lie inside the map, for long work on them,
 * and returns where they begin. Reads of several threads thus get different bytes, as if one had
 * waited for the other. */
static uint64_t reserve(ironmap_map *map, size_t length)
{
    uint64_t position = ironmap_tell(map);
    (void)ironmap_seek(map, (int64_t)(position + length), IRONMAP_SEEK_SET, NULL);
    return position;
}

/* Cancels a reservation after a failure, unless the position has moved since. `map` is NULL if it
 * was closed in the middle of the work, or is being resized. */
static void cancel_reservation(ironmap_map *map, uint64_t position, size_t length)
{
    if (map != NULL && ironmap_tell(map) == position + length) {
        (void)ironmap_seek(map, (int64_t)position, IRONMAP_SEEK_SET, NULL);
    }
}

static PyObject *position_of(PyObject *self)
{
    const ironmap_map *map = mmap_use(self);
    return map == NULL ? NULL : PyLong_FromSize_t((size_t)ironmap_tell(map));
}

PyObject *mmap_tell(PyObject *self, PyObject *Py_UNUSED(unused))
{
    PyObject *position = NULL;
    IN_SECTION(self, position = position_of(self));
    return position;
}

static PyObject *seek_to(PyObject *self, Py_ssize_t offset, int whence)
{
    ironmap_map *map = mmap_use(self);
    if (map == NULL) {
        return NULL;
    }
    ironmap_error error;
    if (ironmap_seek(map, offset, whence, &error) != IRONMAP_OK) {
        PyErr_SetString(PyExc_ValueError, error.status == IRONMAP_E_INVALID ? "unknown seek type"
                                                                            : "seek out of range");
        return NULL;
    }
    return PyLong_FromSsize_t((Py_ssize_t)ironmap_tell(map));
}

PyObject *mmap_seek(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    if (!mmap_precheck_open(self) || !check_count("seek", count, 1, 2)) {
        return NULL;
    }
    Py_ssize_t offset = 0;
    int whence = IRONMAP_SEEK_SET;
    if (!convert_size(args[0], &offset) || (count > 1 && !convert_int(args[1], &whence))) {
        return NULL;
    }
    PyObject *position = NULL;
    IN_SECTION(self, position = seek_to(self, offset, whence));
    return position;
}

PyObject *mmap_seekable(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(unused))
{
    Py_RETURN_TRUE;
}

/* ---- reading ---- */

/* How many bytes a read() gets that wants `wanted`; -1: all. */
static size_t read_length(const ironmap_map *map, Py_ssize_t wanted)
{
    size_t rest = rest_from(map, ironmap_tell(map));
    return wanted < 0 || (size_t)wanted > rest ? rest : (size_t)wanted;
}

/* Reads from the position on, of the map as it is once it is held. `*bytes` is a new object, or
 * NULL with an exception. */
static int read_held(PyObject **bytes, const Hold *hold, void *context, ironmap_error *error)
{
    const Py_ssize_t *wanted = context;
    size_t length = read_length(hold->map, *wanted);
    *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)length);
    if (*bytes == NULL || length == 0) {
        return IRONMAP_OK;
    }
    uint64_t position = reserve(hold->map, length);
    gil_release_if(length >= LONG_WORK_BYTES);
    ironmap_prepare(PyBytes_AS_STRING(*bytes), length);
    int status = ironmap_get(hold->map, position, PyBytes_AS_STRING(*bytes), length, error);
    gil_acquire();
    if (status != IRONMAP_OK) {
        cancel_reservation(hold->object->for_look, position, length);
    }
    return status;
}

static PyObject *read_long(PyObject *self, Py_ssize_t wanted)
{
    return held_read(self, read_held, &wanted, "read out of range");
}

static COLD PyObject *read_slowly(PyObject *self, ironmap_map *map, size_t length)
{
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)length);
    if (bytes == NULL || length == 0) {
        return bytes;
    }
    ironmap_error error;
    if (ironmap_read(&length, map, PyBytes_AS_STRING(bytes), length, &error) != IRONMAP_OK) {
        Py_DECREF(bytes);
        return raise_error(self, map, &error, "read out of range");
    }
    return bytes;
}

static PyObject *read_short(PyObject *self, ironmap_map *map, size_t length)
{
    PyObject *bytes = mmap_try_bytes(map, ironmap_tell(map), length);
    if (bytes == NULL) {
        return read_slowly(self, map, length);
    }
    ironmap_advance(map, length);
    return bytes;
}

static inline PyObject *read_bytes(PyObject *self, Py_ssize_t wanted)
{
    ironmap_map *map = mmap_now_to_read(self);
    if (map == NULL) {
        return read_long(self, wanted);
    }
    size_t length = read_length(map, wanted);
    return length < LONG_WORK_BYTES ? read_short(self, map, length) : read_long(self, wanted);
}

PyObject *mmap_read(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    if (!mmap_precheck_open(self) || !check_count("read", count, 0, 1)) {
        return NULL;
    }
    Py_ssize_t wanted = -1;
    if (count > 0 && !convert_read_size(args[0], &wanted)) {
        return NULL;
    }
    PyObject *bytes = NULL;
    IN_SECTION(self, bytes = read_bytes(self, wanted));
    return bytes;
}

static COLD PyObject *read_byte_slow(PyObject *self)
{
    ironmap_map *map = mmap_use_to_read(self);
    uint8_t byte = 0;
    ironmap_error error;
    if (map == NULL) {
        return NULL;
    }
    if (ironmap_read_byte(&byte, map, &error) != IRONMAP_OK) {
        return raise_error(self, map, &error, "read byte out of range");
    }
    return PyLong_FromLong(byte);
}

static inline PyObject *read_byte(PyObject *self)
{
    ironmap_map *map = mmap_now_to_read(self);
    ironmap_short_read read;
    if (map == NULL || !ironmap_short_read_begin(&read, map, ironmap_tell(map), 1)) {
        return read_byte_slow(self);
    }
    uint8_t byte = *read.bytes;
    if (!ironmap_short_read_end(&read, map)) {
        return read_byte_slow(self);
    }
    ironmap_advance(map, 1);
    return Py_NewRef(mmap_object(self)->state->byte_ints[byte]);
}

PyObject *mmap_read_byte(PyObject *self, PyObject *Py_UNUSED(unused))
{
    PyObject *value = NULL;
    IN_SECTION(self, value = read_byte(self));
    return value;
}

/* Gets a writable buffer of `target`, with the errors of file objects. No buffer, a read-only one
 * and one that is not contiguous are a TypeError. A buffer that is only unavailable now raises its
 * own exception. */
static bool get_writable_buffer(Py_buffer *view, PyObject *target)
{
    if (PyObject_GetBuffer(target, view, PyBUF_WRITABLE) == 0) {
        return true;
    }
    bool busy = PyObject_CheckBuffer(target) && !PyErr_ExceptionMatches(PyExc_TypeError);
    if (busy && PyErr_ExceptionMatches(PyExc_BufferError)) {
        PyObject *type = NULL;
        PyObject *value = NULL;
        PyObject *traceback = NULL;
        PyErr_Fetch(&type, &value, &traceback);
        busy = PyObject_GetBuffer(target, view, PyBUF_FULL_RO) == -1;
        if (!busy) {
            PyBuffer_Release(view);
        }
        PyErr_Restore(type, value, traceback);
    }
    if (!busy) {
        PyErr_Format(PyExc_TypeError,
                     "readinto() argument must be read-write bytes-like object, not %.50s",
                     Py_TYPE(target)->tp_name);
    }
    return false;
}

/* Where readinto() puts the bytes. */
typedef struct {
    const Py_buffer *view;
    PyObject *owner; /* of another map; NULL: a buffer, or the map's own memory */
    uint64_t offset; /* in that map */
    bool whole;      /* the other map was given itself, and its view is released */
    bool own;        /* the map's own memory */
} Target;

/* Reads into the target up to its length or the end of the map, which is held. */
static int read_to(const Target *target, MmapObject *object, size_t *length, ironmap_error *error)
{
    ironmap_map *map = object->map;
    ironmap_map *other = target->owner == NULL ? NULL : mmap_object(target->owner)->map;
    *length =
        read_length(map, target->whole ? (Py_ssize_t)ironmap_length(other) : target->view->len);
    if (*length == 0) {
        return IRONMAP_OK;
    }
    uint64_t position = reserve(map, *length);
    gil_release_if(*length >= LONG_WORK_BYTES);
    int status = other == NULL ? ironmap_get(map, position, target->view->buf, *length, error)
                               : ironmap_copy(other, target->offset, map, position, *length, error);
    gil_acquire();
    if (status != IRONMAP_OK) {
        cancel_reservation(object->for_look, position, *length);
    }
    return status;
}

/* Getting the view may have run Python code, so the map is had here. */
static PyObject *read_to_target(PyObject *self, const Target *target)
{
    TwoHolds holds;
    ironmap_error error;
    size_t length = 0;
    int status = IRONMAP_OK;
    PyObject *other = target->owner == NULL ? self : target->owner;
    do {
        LockKind kind = target->owner == NULL && !target->own ? LOCK_READ : LOCK_STORE;
        if (!hold_begin_two(&holds, self, LOCK_READ, other, kind)) {
            return NULL;
        }
        status = read_to(target, mmap_object(self), &length, &error);
        hold_end_two(&holds);
    } while (hold_again(status));
    if (status != IRONMAP_OK) {
        bool in_target = target->owner != NULL && !error.in_source;
        return raise_error(self, mmap_object(in_target ? target->owner : self)->map, &error,
                           "read out of range");
    }
    return PyLong_FromSize_t(length);
}

PyObject *mmap_readinto(PyObject *self, PyObject *target)
{
    Py_buffer view;
    if (!mmap_precheck_open(self) || !get_writable_buffer(&view, target)) {
        return NULL;
    }
    Target to = {.view = &view};
    to.owner = source_owner(&to.offset, target, &view, self);
    to.own = source_is_of(self, target);
    to.whole = to.owner == target;
    if (to.whole) {
        PyBuffer_Release(&view);
    }
    PyObject *result = NULL;
    IN_SECTION2(self, to.owner == NULL ? self : to.owner, result = read_to_target(self, &to));
    if (!to.whole) {
        PyBuffer_Release(&view);
    }
    return result;
}

/* ---- writing ---- */

/* Writes the source at the position, to a map that is held. */
static int write_held(MmapObject *object, const Source *source, ironmap_error *error)
{
    ironmap_map *map = object->map;
    size_t length = source->length;
    if (length > rest_from(map, ironmap_tell(map))) {
        *error = (ironmap_error){.status = IRONMAP_E_END};
        return IRONMAP_E_END;
    }
    const ironmap_map *other = source->owner == NULL ? NULL : mmap_object(source->owner)->map;
    uint64_t position = reserve(map, length);
    gil_release_if(length >= LONG_WORK_BYTES);
    int status = other == NULL ? ironmap_put(map, position, source->bytes, length, error)
                               : ironmap_copy(map, position, other, source->offset, length, error);
    gil_acquire();
    if (status != IRONMAP_OK) {
        cancel_reservation(object->for_look, position, length);
    }
    return status;
}

/* Writes many bytes, or those of another map. False with an exception if a map is closed. */
static NOINLINE bool write_long(int *status, PyObject *self, Source *source, ironmap_error *error)
{
    TwoHolds holds;
    do {
        if (!hold_begin_two(&holds, self, LOCK_STORE, source_other(source, self), LOCK_READ)) {
            return false;
        }
        source_refresh(source);
        *status = write_held(mmap_object(self), source, error);
        hold_end_two(&holds);
    } while (hold_again(*status));
    return true;
}

/* Writes the bytes of the source. Opening it may have run Python code, so the map is had here. */
static PyObject *write_source(PyObject *self, Source *source)
{
    if (!mmap_check_open(self)) {
        return NULL;
    }
    if (!ironmap_is_writable(mmap_object(self)->map)) {
        return raise_readonly();
    }
    int status = IRONMAP_OK;
    ironmap_error error;
    ironmap_map *map = mmap_now_to_store(self);
    if (map != NULL && source->owner == NULL && source->length < LONG_WORK_BYTES) {
        status = ironmap_write(map, source->bytes, source->length, &error);
    } else if (!write_long(&status, self, source, &error)) {
        return NULL;
    }
    if (status != IRONMAP_OK) {
        return raise_error(self, source_map_of(source, self, &error), &error, "data out of range");
    }
    return PyLong_FromSize_t(source->length);
}

PyObject *mmap_write(PyObject *self, PyObject *data)
{
    Source source;
    if (!mmap_precheck_open(self) || !source_open(&source, data, self)) {
        return NULL;
    }
    PyObject *result = NULL;
    IN_SECTION2(self, source_other(&source, self), result = write_source(self, &source));
    source_close(&source);
    return result;
}

static PyObject *put_next_byte(PyObject *self, uint8_t byte)
{
    ironmap_map *map = mmap_use_to_store(self);
    if (map == NULL) {
        return NULL;
    }
    ironmap_error error;
    if (ironmap_write_byte(map, byte, &error) != IRONMAP_OK) {
        return raise_error(self, map, &error, "write byte out of range");
    }
    Py_RETURN_NONE;
}

static COLD PyObject *write_byte_slow(PyObject *self, PyObject *byte)
{
    uint8_t value = 0;
    if (!mmap_precheck_open(self) || !convert_byte(self, byte, &value)) {
        return NULL;
    }
    PyObject *result = NULL;
    IN_SECTION(self, result = put_next_byte(self, value));
    return result;
}

/* Fast path of a plain integer. */
static inline bool try_write_byte(PyObject *self, PyObject *byte)
{
    ironmap_map *map = mmap_now_to_store(self);
    uint8_t value = 0;
    if (map == NULL || !try_convert_byte(byte, &value) ||
        !ironmap_short_put_byte(map, ironmap_tell(map), value)) {
        return false;
    }
    ironmap_advance(map, 1);
    return true;
}

PyObject *mmap_write_byte(PyObject *self, PyObject *byte)
{
    bool written = false;
    IN_SECTION(self, written = try_write_byte(self, byte));
    return written ? Py_NewRef(Py_None) : write_byte_slow(self, byte);
}
