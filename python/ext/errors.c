#include "errors.h"

#include <errno.h>

PyObject *raise_errno(int code)
{
    errno = code;
    return PyErr_SetFromErrno(PyExc_OSError);
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

PyObject *raise_no_file(void)
{
    PyObject *io = PyImport_ImportModule("io");
    if (io == NULL) {
        return NULL;
    }
    PyObject *class = PyObject_GetAttrString(io, "UnsupportedOperation");
    Py_DECREF(io);
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

PyObject *raise_error(const mapio_error *error, const char *range_message)
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
    default:
        PyErr_SetString(PyExc_OSError, mapio_status_message((int)error->status));
        return NULL;
    }
}
