/* Converts Python arguments to C values. Each function returns false with an exception set if the
 * argument does not fit, and leaves `*value` unchanged then. Each may run Python code (__index__,
 * __buffer__) that closes or resizes any map, so the caller checks the map afterwards. */
#ifndef IRONMAP_EXT_ARGS_H
#define IRONMAP_EXT_ARGS_H

#include "compat.h"

/* TypeError unless the method `name` was given from `least` to `most` arguments. */
bool check_count_slow(const char *name, Py_ssize_t given, Py_ssize_t least, Py_ssize_t most);

static inline bool check_count(const char *name, Py_ssize_t given, Py_ssize_t least,
                               Py_ssize_t most)
{
    return (given >= least && given <= most) || check_count_slow(name, given, least, most);
}

/* How the argument of a parameter is converted, and to which type. */
typedef enum {
    PARAMETER_BOOL, /* bool: the truth of any object */
    PARAMETER_INT,  /* int, as convert_int */
    PARAMETER_SIZE, /* Py_ssize_t, as convert_size */
    PARAMETER_LONG, /* long long */
    PARAMETER_TEXT, /* const char *: text without a zero byte, valid as long as the argument; None
                       is NULL */
} ParameterKind;

/* A parameter that may be given by name. Its value goes to this offset in the caller's struct,
 * which has the default. */
typedef struct {
    const char *name;
    ParameterKind kind;
    size_t offset;
} Parameter;

/* The parameters of a function. The first `required` of them must be given, and the first
 * `positional` may be given by position. */
typedef struct {
    const char *function;
    const Parameter *parameters;
    Py_ssize_t count; /* PARAMETERS_MAX at most */
    Py_ssize_t required;
    Py_ssize_t positional;
} Signature;

enum { PARAMETERS_MAX = 9 };

/* Converts the arguments of a call, in the order of the parameters. TypeError for those that do not
 * fit together. */
bool convert_arguments(void *values, const Signature *signature, PyObject *args, PyObject *kwargs);

/* Converts those that the caller of a METH_FASTCALL method gave by name, in the order of `names`.
 */
bool convert_keywords_slow(void *values, const Signature *signature, PyObject *const *objects,
                           PyObject *names);

static inline bool convert_keywords(void *values, const Signature *signature,
                                    PyObject *const *objects, PyObject *names)
{
    return names == NULL || convert_keywords_slow(values, signature, objects, names);
}

/* Fast path: an int that fits into a C long. False without an exception for everything else. */
static inline bool try_convert_small(PyObject *object, Py_ssize_t *value)
{
    return PyLong_CheckExact(object) && long_try_small(object, value);
}

/* Any integer. OverflowError if it is too large. */
bool convert_size_slow(PyObject *object, Py_ssize_t *value);

static inline bool convert_size(PyObject *object, Py_ssize_t *value)
{
    return try_convert_small(object, value) || convert_size_slow(object, value);
}

/* As convert_size, but None leaves `*value` unchanged. */
bool convert_optional_size(PyObject *object, Py_ssize_t *value);

/* The argument of read(): as convert_optional_size, with the error messages of file objects. */
bool convert_read_size(PyObject *object, Py_ssize_t *value);

/* An index, of an object that passes PyIndex_Check. IndexError if it is too large. */
bool convert_index_slow(PyObject *object, Py_ssize_t *value);

static inline bool convert_index(PyObject *object, Py_ssize_t *value)
{
    return try_convert_small(object, value) || convert_index_slow(object, value);
}

/* A C int. OverflowError if it is too large. */
bool convert_int(PyObject *object, int *value);

/* Fast path: an int in range(256). False without an exception for everything else. */
static inline bool try_convert_byte(PyObject *object, uint8_t *value)
{
    Py_ssize_t number = 0;
    if (!try_convert_small(object, &number) || number < 0 || number > UINT8_MAX) {
        return false;
    }
    *value = (uint8_t)number;
    return true;
}

/* A byte to store as an item of the map `self`: an integer in range(256) or a bytes-like object of
 * length 1. ValueError for other integers, TypeError for everything else. */
bool convert_item_slow(PyObject *self, PyObject *object, uint8_t *value);

static inline bool convert_item(PyObject *self, PyObject *object, uint8_t *value)
{
    return try_convert_byte(object, value) || convert_item_slow(self, object, value);
}

/* As convert_item, for write_byte(): OverflowError for other integers. */
bool convert_byte_slow(PyObject *self, PyObject *object, uint8_t *value);

static inline bool convert_byte(PyObject *self, PyObject *object, uint8_t *value)
{
    return try_convert_byte(object, value) || convert_byte_slow(self, object, value);
}

#endif /* IRONMAP_EXT_ARGS_H */
