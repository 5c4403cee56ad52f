#include "args.h"

#include <ironmap/extra.h>
#include <limits.h>
#include <string.h>

#include "errors.h"
#include "mmap/object.h"
#include "mmap/source.h"

bool check_count_slow(const char *name, Py_ssize_t given, Py_ssize_t least, Py_ssize_t most)
{
    const char *bound = least == most ? "exactly" : given < least ? "at least" : "at most";
    Py_ssize_t wanted = given < least ? least : most;
    PyErr_Format(PyExc_TypeError, "%s() takes %s %zd argument%s (%zd given)", name, bound, wanted,
                 wanted == 1 ? "" : "s", given);
    return false;
}

/* ---- arguments with names ---- */

/* The arguments by parameter; NULL: not given. Borrowed. */
typedef struct {
    PyObject *of[PARAMETERS_MAX];
} Given;

/* Enters an argument that was given by name. */
static bool enter(Given *given, const Signature *signature, PyObject *name, PyObject *object)
{
    for (Py_ssize_t i = 0; i < signature->count; i++) {
        if (PyUnicode_CompareWithASCIIString(name, signature->parameters[i].name) != 0) {
            continue;
        }
        if (given->of[i] != NULL) {
            PyErr_Format(PyExc_TypeError, "%s() got multiple values for argument '%U'",
                         signature->function, name);
            return false;
        }
        given->of[i] = object;
        return true;
    }
    PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument '%U'",
                 signature->function, name);
    return false;
}

static bool enter_all(Given *given, const Signature *signature, PyObject *kwargs)
{
    Py_ssize_t at = 0;
    PyObject *name = NULL;
    PyObject *object = NULL;
    while (PyDict_Next(kwargs, &at, &name, &object)) {
        if (!PyUnicode_Check(name)) {
            PyErr_SetString(PyExc_TypeError, "keywords must be strings");
            return false;
        }
        if (!enter(given, signature, name, object)) {
            return false;
        }
    }
    return true;
}

static bool convert_bool(PyObject *object, bool *value)
{
    int truth = PyObject_IsTrue(object);
    if (truth == -1) {
        return false;
    }
    *value = truth != 0;
    return true;
}

static bool convert_long(PyObject *object, long long *value)
{
    long long number = PyLong_AsLongLong(object);
    if (number == -1 && PyErr_Occurred()) {
        return false;
    }
    *value = number;
    return true;
}

static bool convert_text(PyObject *object, const char **value, const char *name)
{
    if (object == Py_None) {
        *value = NULL;
        return true;
    }
    if (!PyUnicode_Check(object)) {
        PyErr_Format(PyExc_TypeError, "%s must be str or None, not %.50s", name,
                     Py_TYPE(object)->tp_name);
        return false;
    }
    Py_ssize_t length = 0;
    const char *text = PyUnicode_AsUTF8AndSize(object, &length);
    if (text != NULL && strlen(text) != (size_t)length) {
        PyErr_SetString(PyExc_ValueError, "embedded null character");
        return false;
    }
    *value = text;
    return text != NULL;
}

static bool convert_to(void *value, const Parameter *parameter, PyObject *object)
{
    switch (parameter->kind) {
    case PARAMETER_BOOL:
        return convert_bool(object, value);
    case PARAMETER_INT:
        return convert_int(object, value);
    case PARAMETER_SIZE:
        return convert_size(object, value);
    case PARAMETER_LONG:
        return convert_long(object, value);
    case PARAMETER_TEXT:
    default:
        return convert_text(object, (const char **)value, parameter->name);
    }
}

static bool convert_given(void *values, const Signature *signature, const Given *given)
{
    for (Py_ssize_t i = 0; i < signature->count; i++) {
        const Parameter *parameter = &signature->parameters[i];
        if (given->of[i] == NULL && i < signature->required) {
            PyErr_Format(PyExc_TypeError, "%s() missing required argument '%s' (pos %zd)",
                         signature->function, parameter->name, i + 1);
            return false;
        }
        if (given->of[i] != NULL &&
            !convert_to((char *)values + parameter->offset, parameter, given->of[i])) {
            return false;
        }
    }
    return true;
}

bool convert_arguments(void *values, const Signature *signature, PyObject *args, PyObject *kwargs)
{
    Given given = {{NULL}};
    Py_ssize_t count = PyTuple_GET_SIZE(args);
    if (!check_count(signature->function, count, 0, signature->positional)) {
        return false;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        given.of[i] = PyTuple_GET_ITEM(args, i);
    }
    return (kwargs == NULL || enter_all(&given, signature, kwargs)) &&
           convert_given(values, signature, &given);
}

bool convert_keywords_slow(void *values, const Signature *signature, PyObject *const *objects,
                           PyObject *names)
{
    Given given = {{NULL}};
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(names); i++) {
        if (!enter(&given, signature, PyTuple_GET_ITEM(names, i), objects[i])) {
            return false;
        }
    }
    return convert_given(values, signature, &given);
}

/* ---- single arguments ---- */

bool convert_size_slow(PyObject *object, Py_ssize_t *value)
{
    PyObject *number = PyNumber_Index(object);
    if (number == NULL) {
        return false;
    }
    Py_ssize_t size = PyLong_AsSsize_t(number);
    Py_DECREF(number);
    if (size == -1 && PyErr_Occurred()) {
        return false;
    }
    *value = size;
    return true;
}

bool convert_optional_size(PyObject *object, Py_ssize_t *value)
{
    return object == Py_None || convert_size(object, value);
}

bool convert_read_size(PyObject *object, Py_ssize_t *value)
{
    if (object == Py_None || try_convert_small(object, value)) {
        return true;
    }
    if (!PyIndex_Check(object)) {
        PyErr_Format(PyExc_TypeError, "argument should be integer or None, not '%.200s'",
                     Py_TYPE(object)->tp_name);
        return false;
    }
    Py_ssize_t size = PyNumber_AsSsize_t(object, PyExc_OverflowError);
    if (size == -1 && PyErr_Occurred()) {
        return false;
    }
    *value = size;
    return true;
}

bool convert_index_slow(PyObject *object, Py_ssize_t *value)
{
    Py_ssize_t index = PyNumber_AsSsize_t(object, PyExc_IndexError);
    if (index == -1 && PyErr_Occurred()) {
        return false;
    }
    *value = index;
    return true;
}

bool convert_int(PyObject *object, int *value)
{
    long number = PyLong_AsLong(object);
    if (number == -1 && PyErr_Occurred()) {
        return false;
    }
    if (number < INT_MIN || number > INT_MAX) {
        PyErr_Format(PyExc_OverflowError, "signed integer is %s",
                     number < 0 ? "less than minimum" : "greater than maximum");
        return false;
    }
    *value = (int)number;
    return true;
}

/* The byte at `offset` of the map of `owner`. False with an exception. */
static bool load_byte_of(uint8_t *value, PyObject *self, PyObject *owner, uint64_t offset)
{
    ironmap_map *map = mmap_use_to_read(owner);
    ironmap_error error;
    if (map == NULL) {
        return false;
    }
    if (ironmap_get_byte(value, map, offset, &error) != IRONMAP_OK) {
        raise_error(self, map, &error, "");
        return false;
    }
    return true;
}

/* The byte of a buffer of length 1, under the guard of the map whose memory it is. Behind another
 * buffer that map is not known, and the error has no file name. */
static bool load_byte(uint8_t *value, PyObject *self, PyObject *object, const Py_buffer *view)
{
    ironmap_error error;
    uint64_t offset = 0;
    PyObject *owner = source_owner(&offset, object, view, NULL);
    bool loaded = false;
    if (owner != NULL) {
        IN_SECTION(owner, loaded = load_byte_of(value, self, owner, offset));
        return loaded;
    }
    loaded = ironmap_load(value, view->buf, 1, &error) == IRONMAP_OK;
    if (!loaded) {
        raise_error(self, NULL, &error, "");
    }
    return loaded;
}

/* The byte of a bytes-like object of length 1. For other lengths `*fits` is false and no exception
 * is set. */
static bool convert_single_byte(PyObject *self, PyObject *object, uint8_t *value, bool *fits)
{
    Py_buffer view;
    if (PyObject_GetBuffer(object, &view, PyBUF_SIMPLE) == -1) {
        /* A buffer that is not contiguous is not a single byte. */
        *fits = false;
        bool not_contiguous = PyErr_ExceptionMatches(PyExc_BufferError) != 0;
        if (not_contiguous) {
            PyErr_Clear();
        }
        return not_contiguous;
    }
    *fits = view.len == 1;
    bool loaded = !*fits || load_byte(value, self, object, &view);
    PyBuffer_Release(&view);
    return loaded;
}

bool convert_item_slow(PyObject *self, PyObject *object, uint8_t *value)
{
    if (PyIndex_Check(object)) {
        Py_ssize_t number = PyNumber_AsSsize_t(object, PyExc_TypeError);
        if (number == -1 && PyErr_Occurred()) {
            return false;
        }
        if (number < 0 || number > UINT8_MAX) {
            PyErr_SetString(PyExc_ValueError, "mmap item value must be in range(0, 256)");
            return false;
        }
        *value = (uint8_t)number;
        return true;
    }
    bool fits = false;
    if (PyObject_CheckBuffer(object) && !convert_single_byte(self, object, value, &fits)) {
        return false;
    }
    if (!fits) {
        PyErr_SetString(PyExc_TypeError, "mmap item value must be an int or a single byte");
    }
    return fits;
}

bool convert_byte_slow(PyObject *self, PyObject *object, uint8_t *value)
{
    if (!PyIndex_Check(object) && PyObject_CheckBuffer(object)) {
        bool fits = false;
        if (!convert_single_byte(self, object, value, &fits)) {
            return false;
        }
        if (!fits) {
            PyErr_SetString(PyExc_TypeError, "write_byte() takes an int or a single byte");
        }
        return fits;
    }
    long number = PyLong_AsLong(object);
    if (number == -1 && PyErr_Occurred()) {
        return false;
    }
    if (number < 0 || number > UINT8_MAX) {
        PyErr_Format(PyExc_OverflowError, "unsigned byte integer is %s",
                     number < 0 ? "less than minimum" : "greater than maximum");
        return false;
    }
    *value = (uint8_t)number;
    return true;
}
