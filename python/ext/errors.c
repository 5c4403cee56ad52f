#include "errors.h"

#include <errno.h>

PyObject *raise_errno(int code)
{
    errno = code;
    return PyErr_SetFromErrno(PyExc_OSError);
}

PyObject *raise_errno_of(int code, const char *name)
{
    errno = code;
    return PyErr_SetFromErrnoWithFilename(PyExc_OSError, name);
}

PyObject *raise_closed(void)
{
    PyErr_SetString(PyExc_ValueError, "mmap closed or invalid");
    return NULL;
}

PyObject *raise_readonly(void)
{
    PyErr_SetString(PyExc_TypeError, "mmap can't modify a readonly memory map.");
    return NULL;
}

PyObject *raise_not_resizable(void)
{
    PyErr_SetString(PyExc_TypeError, "mmap can't resize a readonly or copy-on-write memory map.");
    return NULL;
}

PyObject *raise_index(void)
{
    PyErr_SetString(PyExc_IndexError, "mmap index out of range");
    return NULL;
}

/* The object of that name in a module, which is imported if it is not there yet: exceptions are not
 * worth a place in every map, and belong to the interpreter that runs. */
static PyObject *object_of(const char *module, const char *name)
{
    /* Interned: the cache of attributes keeps every name object that it was ever asked for. */
    PyObject *attribute = PyUnicode_InternFromString(name);
    PyObject *from = attribute == NULL ? NULL : PyImport_ImportModule(module);
    PyObject *object = from == NULL ? NULL : PyObject_GetAttr(from, attribute);
    Py_XDECREF(from);
    Py_XDECREF(attribute);
    return object;
}

PyObject *own_object(const char *name)
{
    return object_of("mapio._mapio", name);
}

PyObject *raise_no_file(void)
{
    PyObject *class = object_of("io", "UnsupportedOperation");
    if (class == NULL) {
        return NULL;
    }
    PyObject *exception =
        PyObject_CallFunction(class, "is", EBADF, "can't get size with trackfd=False");
    if (exception != NULL) {
        PyErr_SetObject(class, exception);
        Py_DECREF(exception);
    }
    Py_DECREF(class);
    return NULL;
}

/* The name of the map's file; None where nobody knows. */
static PyObject *file_name(const mapio_map *map)
{
    enum { CAPACITY = 4097 }; /* PATH_MAX of Linux, and the zero */
    char name[CAPACITY];
    if (mapio_path(name, sizeof(name), map, NULL) != MAPIO_OK) {
        return Py_NewRef(Py_None);
    }
    return PyUnicode_DecodeFSDefault(name);
}

/* FaultError(code, message, name), with its offset. */
static PyObject *make_fault(PyObject *class, const mapio_map *map, int code, uint64_t offset)
{
    PyObject *name = file_name(map);
    PyObject *text =
        PyUnicode_FromFormat("%s, at byte %llu of the map", mapio_status_message(MAPIO_E_FAULT),
                             (unsigned long long)offset);
    PyObject *place = PyLong_FromUnsignedLongLong(offset);
    PyObject *exception = NULL;
    if (name != NULL && text != NULL && place != NULL) {
        exception = PyObject_CallFunction(class, "iOO", code, text, name);
    }
    if (exception != NULL && PyObject_SetAttrString(exception, "offset", place) == -1) {
        Py_CLEAR(exception);
    }
    Py_XDECREF(name);
    Py_XDECREF(text);
    Py_XDECREF(place);
    return exception;
}

PyObject *raise_fault(const mapio_map *map, int code, uint64_t offset)
{
    PyObject *class = own_object("FaultError");
    if (class == NULL) {
        return NULL;
    }
    PyObject *exception = make_fault(class, map, code, offset);
    if (exception != NULL) {
        PyErr_SetObject(class, exception);
        Py_DECREF(exception);
    }
    Py_DECREF(class);
    return NULL;
}

PyObject *raise_error(const mapio_map *map, const mapio_error *error, const char *range_message)
{
    switch (error->status) {
    case MAPIO_E_SYSTEM:
        return raise_errno(error->system_code);
    case MAPIO_E_INVALID:
        return raise_errno(EINVAL);
    case MAPIO_E_UNSUPPORTED:
        return raise_errno(error->system_code != 0 ? error->system_code : ENOTSUP);
    case MAPIO_E_NOMEM:
        return PyErr_NoMemory();
    case MAPIO_E_RANGE:
    case MAPIO_E_OVERFLOW:
    case MAPIO_E_END:
        PyErr_SetString(PyExc_ValueError, range_message);
        return NULL;
    case MAPIO_E_READONLY:
        return raise_readonly();
    case MAPIO_E_NOT_READABLE:
        PyErr_SetString(PyExc_TypeError, "mmap can't read a memory map without read permission.");
        return NULL;
    case MAPIO_E_NOT_RESIZABLE:
        return raise_not_resizable();
    case MAPIO_E_BUSY:
        PyErr_SetString(PyExc_BufferError, "mmap is in use");
        return NULL;
    case MAPIO_E_NO_FILE:
        return raise_no_file();
    case MAPIO_E_INTERRUPTED: /* the handler of a signal has raised */
        return NULL;
    case MAPIO_E_FAULT:
        return raise_fault(map, error->system_code, error->offset);
    default:
        PyErr_SetString(PyExc_OSError, mapio_status_message((int)error->status));
        return NULL;
    }
}
