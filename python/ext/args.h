/* From Python arguments to C values. Each function returns false with an exception set where the
 * argument does not fit, and leaves `*value` alone then. All of them may run Python code
 * (__index__, __buffer__), which may close or resize any map: look at the map afterwards. */
#ifndef IRONMAP_EXT_ARGS_H
#define IRONMAP_EXT_ARGS_H

#include "compat.h"

/* For a method `name` that was given the wrong number of arguments: TypeError. */
bool check_count_slow(const char *name, Py_ssize_t given, Py_ssize_t least, Py_ssize_t most);

static inline bool check_count(const char *name, Py_ssize_t given, Py_ssize_t least,
                               Py_ssize_t most)
{
    return (given >= least && given <= most) || check_count_slow(name, given, least, most);
}

/* Any integer: OverflowError where it is too large. */
bool convert_size_slow(PyObject *object, Py_ssize_t *value);

static inline bool convert_size(PyObject *object, Py_ssize_t *value)
{
    if (PyLong_CheckExact(object)) {
        Py_ssize_t number = PyLong_AsSsize_t(object);
        if (number != -1 || !PyErr_Occurred()) {
            *value = number;
            return true;
        }
        return false;
    }
    return convert_size_slow(object, value);
}

/* As convert_size, but None leaves `*value` as it is. */
bool convert_optional_size(PyObject *object, Py_ssize_t *value);

/* The argument of read(): as convert_optional_size, with the words of file objects. */
bool convert_read_size(PyObject *object, Py_ssize_t *value);

/* An index, of an object for which PyIndex_Check holds: IndexError where it is too large. */
bool convert_index_slow(PyObject *object, Py_ssize_t *value);

static inline bool convert_index(PyObject *object, Py_ssize_t *value)
{
    if (PyLong_CheckExact(object)) {
        Py_ssize_t number = PyLong_AsSsize_t(object);
        if (number != -1 || !PyErr_Occurred()) {
            *value = number;
            return true;
        }
        PyErr_Clear();
    }
    return convert_index_slow(object, value);
}

/* A C int: OverflowError where it is too large. */
bool convert_int(PyObject *object, int *value);

/* An int in range(256), without the way that all other objects go. No exception otherwise. */
static inline bool try_convert_byte(PyObject *object, uint8_t *value)
{
    if (!PyLong_CheckExact(object)) {
        return false;
    }
    int overflow = 0;
    long number = PyLong_AsLongAndOverflow(object, &overflow);
    if (number < 0 || number > UINT8_MAX) {
        return false;
    }
    *value = (uint8_t)number;
    return true;
}

/* A plain integer that fits into a C long. No exception otherwise. */
static inline bool try_convert_small(PyObject *object, Py_ssize_t *value)
{
    if (!PyLong_CheckExact(object)) {
        return false;
    }
    int overflow = 0;
    *value = PyLong_AsLongAndOverflow(object, &overflow);
    return overflow == 0;
}

/* A byte to store as an item: an integer in range(256), else ValueError, or a bytes-like object of
 * length 1. TypeError for everything else. */
bool convert_item_slow(PyObject *object, uint8_t *value);

static inline bool convert_item(PyObject *object, uint8_t *value)
{
    return try_convert_byte(object, value) || convert_item_slow(object, value);
}

/* The same for write_byte, with OverflowError for integers that are too large. */
bool convert_byte_slow(PyObject *object, uint8_t *value);

static inline bool convert_byte(PyObject *object, uint8_t *value)
{
    return try_convert_byte(object, value) || convert_byte_slow(object, value);
}

#endif /* IRONMAP_EXT_ARGS_H */
