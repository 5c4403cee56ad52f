/* The methods about the map's memory and its file: flush, madvise, move, resize, size, set_name. */
#include "convert.h"
#include "mmap_object.h"

#include <errno.h>
#include <string.h>

/* Bits of the system are below those that the library defines itself, which are not for Python. */
enum { SYSTEM_BITS = 0xffff };

/* ---- flush ---- */

/* The arguments of flush(): size -1 is to the end. */
typedef struct {
    Py_ssize_t offset;
    Py_ssize_t size;
    int flags;
} Flush;

static bool flush_keywords(Flush *flush, PyObject *const *values, PyObject *names)
{
    Py_ssize_t count = names == NULL ? 0 : PyTuple_GET_SIZE(names);
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *name = PyTuple_GET_ITEM(names, i);
        if (PyUnicode_CompareWithASCIIString(name, "flags") != 0) {
            PyErr_Format(PyExc_TypeError, "flush() got an unexpected keyword argument '%U'", name);
            return false;
        }
        if (!convert_int(values[i], &flush->flags)) {
            return false;
        }
    }
    return true;
}

static bool flush_arguments(PyObject *self, Flush *flush, PyObject *const *args, Py_ssize_t count,
                            PyObject *names)
{
    *flush = (Flush){.size = -1};
    return check_count("flush", count, 0, 2) &&
           (count < 1 || convert_size(args[0], &flush->offset)) &&
           (FLUSH_SIZE_COMES_FIRST || mmap_use(self) != NULL) &&
           (count < 2 || convert_optional_size(args[1], &flush->size)) &&
           flush_keywords(flush, args + count, names);
}

/* Whether the system has to refuse: it knows no flags beyond its own, and an anonymous map, which
 * has no place on a disk, must be flushed by whole pages. (Maps of files may be flushed from any
 * byte, which harms nothing; but that this here fails is what portable tests of flush rely on.) */
static bool flush_refused(const Flush *flush, const MmapObject *object)
{
    if (flush->flags < 0 || flush->flags > SYSTEM_BITS) {
        return true;
    }
    ironmap_access access = ironmap_access_of(object->map);
    return object->anonymous && (size_t)flush->offset % ironmap_page_size() != 0 &&
           access != IRONMAP_ACCESS_READ && access != IRONMAP_ACCESS_COPY;
}

PyObject *mmap_flush(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    Flush flush;
    if (!mmap_first_look(self) || !flush_arguments(self, &flush, args, count, names)) {
        return NULL;
    }
    ironmap_map *map = mmap_use(self);
    if (map == NULL) {
        return NULL;
    }
    if (flush.offset < 0 || flush.size < -1) {
        PyErr_SetString(PyExc_ValueError, "flush values out of range");
        return NULL;
    }
    size_t size = flush.size == -1 ? IRONMAP_TO_END : (size_t)flush.size;
    bool inside = (size_t)flush.offset <= ironmap_length(map);
    if (inside && flush_refused(&flush, mmap_object(self))) {
        return raise_errno(EINVAL);
    }
    ironmap_error error;
    PyThreadState *thread = mmap_let_go(map);
    int status = ironmap_flush(map, (uint64_t)flush.offset, size, flush.flags, &error);
    mmap_take_back(map, thread);
    if (status != IRONMAP_OK) {
        return raise_error(map, &error, "flush values out of range");
    }
    Py_RETURN_NONE;
}

/* ---- madvise ---- */

/* The arguments of madvise(): to the end, if no length is given. */
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
           (count < 2 || convert_size(args[1], &advice->start)) && mmap_use(self) != NULL &&
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
    if (advice->option < 0 || advice->option > SYSTEM_BITS) {
        raise_errno(EINVAL);
        return false;
    }
    return true;
}

PyObject *mmap_madvise(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    Advice advice;
    if (!mmap_first_look(self) || !advice_arguments(self, &advice, args, count)) {
        return NULL;
    }
    ironmap_map *map = mmap_use(self);
    if (map == NULL || !advice_check(&advice, map)) {
        return NULL;
    }
    size_t length = advice.length_given ? (size_t)advice.length : IRONMAP_TO_END;
    ironmap_error error;
    PyThreadState *thread = mmap_let_go(map);
    int status = ironmap_advise(map, (uint64_t)advice.start, length, advice.option, &error);
    mmap_take_back(map, thread);
    if (status != IRONMAP_OK) {
        return raise_error(map, &error, "madvise start out of bounds");
    }
    Py_RETURN_NONE;
}

/* ---- move ---- */

PyObject *mmap_move(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    Py_ssize_t target = 0;
    Py_ssize_t source = 0;
    Py_ssize_t length = 0;
    if (!mmap_first_look(self) || !check_count("move", count, 3, 3) ||
        !convert_size(args[0], &target) || !convert_size(args[1], &source) ||
        !convert_size(args[2], &length)) {
        return NULL;
    }
    ironmap_map *map = mmap_use_writable(self);
    if (map == NULL) {
        return NULL;
    }
    static const char message[] = "source, destination, or count out of range";
    if (target < 0 || source < 0 || length < 0) {
        PyErr_SetString(PyExc_ValueError, message);
        return NULL;
    }
    ironmap_error error;
    PyThreadState *thread = mmap_let_go_for(map, (size_t)length);
    int status = ironmap_move(map, (uint64_t)target, (uint64_t)source, (size_t)length, &error);
    mmap_take_back(map, thread);
    if (status != IRONMAP_OK) {
        return raise_error(map, &error, message);
    }
    Py_RETURN_NONE;
}

/* ---- the length of map and file ---- */

static bool resize_check(const MmapObject *object, Py_ssize_t length)
{
    const ironmap_map *map = object->map;
    ironmap_access access = ironmap_access_of(map);
    if (ironmap_busy(map)) {
        PyErr_SetString(PyExc_BufferError, "mmap can't resize with extant buffers exported.");
        return false;
    }
    if (!object->tracked) {
        PyErr_SetString(PyExc_ValueError, "mmap can't resize with trackfd=False.");
        return false;
    }
    if (ironmap_tag(map) != NULL) {
        PyErr_SetString(PyExc_TypeError, "mmap can't resize a memory map with a tagname.");
        return false;
    }
    if (access == IRONMAP_ACCESS_READ || access == IRONMAP_ACCESS_COPY) {
        raise_not_resizable();
        return false;
    }
    uint64_t offset = object->anonymous ? 0 : ironmap_offset(map);
    if (length < 0 || offset > (uint64_t)(PY_SSIZE_T_MAX - length)) {
        PyErr_SetString(PyExc_ValueError, "new size out of range");
        return false;
    }
    if (length == 0) {
        raise_errno(EINVAL);
        return false;
    }
    return true;
}

/* Resizes without the GIL: to cut much off, or to have blocks reserved on a disk, takes a while.
 * Nobody may look at the map while its shape changes, so it is taken out of the object meanwhile;
 * all who find it absent ask why, and are refused (mmap_raise_absent). The caller has a reference
 * to the object. In a child that is forked just then, the map stays absent: the thread that would
 * put it back is not there, and nobody knows what shape it has. */
static int resize_absent(MmapObject *object, size_t length, ironmap_error *error)
{
    ironmap_map *map = object->map;
    object->map = NULL;
    object->resizing = true;
    PyThreadState *thread = PyEval_SaveThread();
    int status = ironmap_resize(map, length, error);
    PyEval_RestoreThread(thread);
    object->map = map;
    object->resizing = false;
    return status;
}

PyObject *mmap_resize(PyObject *self, PyObject *size)
{
    Py_ssize_t length = 0;
    if (!mmap_first_look(self) || !convert_size(size, &length)) {
        return NULL;
    }
    MmapObject *object = mmap_object(self);
    if (mmap_use(self) == NULL || !resize_check(object, length)) {
        return NULL;
    }
    ironmap_error error;
    int status = resize_absent(object, (size_t)length, &error);
    if (status == IRONMAP_E_UNSUPPORTED) {
        PyErr_SetString(PyExc_ValueError, "mmap: can't expand a shared anonymous mapping");
        return NULL;
    }
    if (status != IRONMAP_OK) {
        return raise_error(object->map, &error, "new size out of range");
    }
    Py_RETURN_NONE;
}

/* Of memory without a file it is the length of the map; but on Unix, where the standard module has
 * no tags, of a tag its own. */
PyObject *mmap_size(PyObject *self, PyObject *Py_UNUSED(unused))
{
    ironmap_map *map = mmap_use(self);
    if (map == NULL) {
        return NULL;
    }
    if (!mmap_object(self)->tracked) {
        return raise_no_file("get size");
    }
    if (mmap_object(self)->anonymous && !mmap_has_flags()) {
        return PyLong_FromSize_t(ironmap_length(map));
    }
    uint64_t size = 0;
    ironmap_error error;
    PyThreadState *thread = mmap_let_go(map);
    int status = ironmap_size(&size, map, &error);
    mmap_take_back(map, thread);
    return status == IRONMAP_OK ? PyLong_FromUnsignedLongLong(size) : raise_error(map, &error, "");
}

/* ---- the name ---- */

/* What tools that show a process's memory look for in front of names given by Python programs. */
#define NAME_PREFIX "cpython:mmap:"
enum { NAME_MAX_LENGTH = IRONMAP_NAME_MAX - (sizeof(NAME_PREFIX) - 1) };

PyObject *mmap_set_name(PyObject *self, PyObject *name)
{
    ironmap_map *map = mmap_use(self);
    if (map == NULL) {
        return NULL;
    }
    if (!PyUnicode_Check(name)) {
        return PyErr_Format(PyExc_TypeError, "set_name() argument must be str, not %.50s",
                            Py_TYPE(name)->tp_name);
    }
    Py_ssize_t length = 0;
    const char *text = PyUnicode_AsUTF8AndSize(name, &length);
    if (text == NULL) {
        return NULL;
    }
    const char *message = strlen(text) != (size_t)length ? "embedded null character"
                          : length > NAME_MAX_LENGTH     ? "name is too long"
                          : !mmap_object(self)->anonymous || ironmap_tag(map) != NULL
                              ? "Cannot set annotation on non-anonymous mappings"
                              : NULL;
    if (message != NULL) {
        PyErr_SetString(PyExc_ValueError, message);
        return NULL;
    }
    char whole[IRONMAP_NAME_MAX + 1] = NAME_PREFIX;
    memcpy(whole + sizeof(NAME_PREFIX) - 1, text, (size_t)length + 1);
    ironmap_error error;
    /* The system waits for others that change the process's memory. */
    PyThreadState *thread = mmap_let_go(map);
    int status = ironmap_set_name(map, whole, &error);
    mmap_take_back(map, thread);
    /* A name is for those who look: where the system has none, that is no reason to stop. */
    if (status != IRONMAP_OK && status != IRONMAP_E_UNSUPPORTED) {
        return raise_error(map, &error, "");
    }
    Py_RETURN_NONE;
}
