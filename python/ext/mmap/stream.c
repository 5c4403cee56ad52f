/* The position, and reading and writing there. */
#include "mmap/stream.h"

#include "args.h"
#include "errors.h"
#include "mmap/long_work.h"
#include "mmap/object.h"
#include "mmap/source.h"

/* ---- the position ---- */

/* Bytes from `position` to the end. After resize() the position may lie beyond the end. */
static size_t rest_from(const ironmap_map *map, uint64_t position)
{
    size_t length = ironmap_length(map);
    return position < length ? (size_t)(length - position) : 0;
}

/* Reserves the next `length` bytes for a long read or write by moving the position, and returns
 * their offset. Threads that read or write one map at the same time thus get different bytes, as if
 * one had waited for the other. The bytes must lie inside the map, so moving the position cannot
 * fail. */
static uint64_t reserve(ironmap_map *map, size_t length)
{
    uint64_t position = ironmap_tell(map);
    (void)ironmap_seek(map, (int64_t)(position + length), IRONMAP_SEEK_SET, NULL);
    return position;
}

/* Cancels a reservation after a failure, unless the position has moved since. */
static void cancel_reservation(ironmap_map *map, uint64_t position, size_t length)
{
    if (ironmap_tell(map) == position + length) {
        (void)ironmap_seek(map, (int64_t)position, IRONMAP_SEEK_SET, NULL);
    }
}

PyObject *mmap_tell(PyObject *self, PyObject *const *Py_UNUSED(args), Py_ssize_t count)
{
    if (!check_count("tell", count, 0, 0)) {
        return NULL;
    }
    const ironmap_map *map = mmap_use(self);
    return map == NULL ? NULL : PyLong_FromSsize_t((Py_ssize_t)ironmap_tell(map));
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

PyObject *mmap_seekable(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(unused))
{
    Py_RETURN_TRUE;
}

/* ---- reading ---- */

/* Reads the next `length` bytes, which lie inside the map, into `buffer`. `fresh` says that the
 * buffer is memory of a new object: only then is the system advised about it. */
static int read_into(char *buffer, bool fresh, ironmap_map *map, size_t length,
                     ironmap_error *error)
{
    if (length < LONG_WORK_BYTES) {
        return ironmap_read(&length, map, buffer, length, error);
    }
    uint64_t position = reserve(map, length);
    PyThreadState *thread = mmap_release_gil(map);
    if (fresh) {
        ironmap_prepare(buffer, length);
    }
    int status = ironmap_get(map, position, buffer, length, error);
    mmap_acquire_gil(map, thread);
    if (status != IRONMAP_OK) {
        cancel_reservation(map, position, length);
    }
    return status;
}

static PyObject *read_bytes(ironmap_map *map, size_t length)
{
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)length);
    if (bytes == NULL || length == 0) {
        return bytes;
    }
    ironmap_error error;
    if (read_into(PyBytes_AS_STRING(bytes), true, map, length, &error) != IRONMAP_OK) {
        Py_DECREF(bytes);
        return raise_error(map, &error, "read out of range");
    }
    return bytes;
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
    ironmap_map *map = mmap_use(self);
    if (map == NULL) {
        return NULL;
    }
    size_t rest = rest_from(map, ironmap_tell(map));
    return read_bytes(map, wanted < 0 || (size_t)wanted > rest ? rest : (size_t)wanted);
}

PyObject *mmap_read_byte(PyObject *self, PyObject *const *Py_UNUSED(args), Py_ssize_t count)
{
    if (!check_count("read_byte", count, 0, 0)) {
        return NULL;
    }
    ironmap_map *map = mmap_use(self);
    uint8_t byte = 0;
    ironmap_error error;
    if (map == NULL) {
        return NULL;
    }
    if (ironmap_read_byte(&byte, map, &error) != IRONMAP_OK) {
        return raise_error(map, &error, "read byte out of range");
    }
    return PyLong_FromLong(byte);
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

/* Reads the next `length` bytes, which lie inside the map, into another map. */
static PyObject *read_into_map(ironmap_map *target, uint64_t offset, ironmap_map *map,
                               size_t length)
{
    ironmap_error error;
    uint64_t position = reserve(map, length);
    PyThreadState *thread = mmap_release_gil_for(map, length);
    int status = ironmap_copy(target, offset, map, position, length, &error);
    mmap_acquire_gil(map, thread);
    if (status != IRONMAP_OK) {
        cancel_reservation(map, position, length);
        return raise_error(error.in_source ? map : target, &error, "read out of range");
    }
    return PyLong_FromSize_t(length);
}

/* Reads into `view` up to its length or the end of the map. Getting the view may have run Python
 * code, so the map is checked here. */
static PyObject *read_view(PyObject *self, const Py_buffer *view, PyObject *target)
{
    ironmap_map *map = mmap_use(self);
    if (map == NULL) {
        return NULL;
    }
    size_t rest = rest_from(map, ironmap_tell(map));
    size_t length = (size_t)view->len < rest ? (size_t)view->len : rest;
    ironmap_error error;
    uint64_t offset = 0;
    ironmap_map *other = source_map(&offset, target, view, self);
    if (other != NULL) {
        return read_into_map(other, offset, map, length);
    }
    if (read_into(view->buf, false, map, length, &error) != IRONMAP_OK) {
        return raise_error(map, &error, "read out of range");
    }
    return PyLong_FromSize_t(length);
}

PyObject *mmap_readinto(PyObject *self, PyObject *target)
{
    Py_buffer view;
    if (!mmap_precheck_open(self) || !get_writable_buffer(&view, target)) {
        return NULL;
    }
    PyObject *result = read_view(self, &view, target);
    PyBuffer_Release(&view);
    return result;
}

/* ---- writing ---- */

static int put_from(const Source *source, ironmap_map *map, uint64_t position, ironmap_error *error)
{
    return source->map == NULL
               ? ironmap_put(map, position, source->bytes, source->length, error)
               : ironmap_copy(map, position, source->map, source->offset, source->length, error);
}

static int write_from(const Source *source, ironmap_map *map, ironmap_error *error)
{
    size_t length = source->length;
    bool is_short = length < LONG_WORK_BYTES && source->map == NULL;
    if (is_short || length > rest_from(map, ironmap_tell(map))) {
        return ironmap_write(map, source->bytes, length, error);
    }
    uint64_t position = reserve(map, length);
    PyThreadState *thread = mmap_release_gil_for(map, length);
    int status = put_from(source, map, position, error);
    mmap_acquire_gil(map, thread);
    if (status != IRONMAP_OK) {
        cancel_reservation(map, position, length);
    }
    return status;
}

/* Writes the bytes of the source. Opening it may have run Python code, so the map is checked here.
 */
static PyObject *write_source(PyObject *self, const Source *source)
{
    ironmap_map *map = mmap_use_writable(self);
    if (map == NULL) {
        return NULL;
    }
    ironmap_error error;
    if (write_from(source, map, &error) != IRONMAP_OK) {
        return raise_error(error.in_source ? source->map : map, &error, "data out of range");
    }
    return PyLong_FromSize_t(source->length);
}

PyObject *mmap_write(PyObject *self, PyObject *data)
{
    Source source;
    if (!mmap_precheck_open(self) || !source_open(&source, data, self)) {
        return NULL;
    }
    PyObject *result = write_source(self, &source);
    source_close(&source);
    return result;
}

PyObject *mmap_write_byte(PyObject *self, PyObject *byte)
{
    uint8_t value = 0;
    if (!mmap_precheck_open(self) || !convert_byte(byte, &value)) {
        return NULL;
    }
    ironmap_map *map = mmap_use(self);
    if (map == NULL) {
        return NULL;
    }
    ironmap_error error;
    if (ironmap_write_byte(map, value, &error) != IRONMAP_OK) {
        return raise_error(map, &error, "write byte out of range");
    }
    Py_RETURN_NONE;
}
