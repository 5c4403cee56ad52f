#include "errors.h"

#include <errno.h>
#include <string.h>

#include "state.h"

PyObject *raise_errno(int code)
{
    errno = code;
    return PyErr_SetFromErrno(PyExc_OSError);
}

/* The library's system codes are errno, or GetLastError() where OSError knows these codes, too. */
static bool codes_are_windows(void)
{
    PyObject *winerror = get_attribute(PyExc_OSError, "winerror");
    if (winerror == NULL) {
        PyErr_Clear();
    }
    Py_XDECREF(winerror);
    return winerror != NULL;
}

/* OSError(errno, message, filename, winerror, None), as the standard module makes it: Python finds
 * the errno by itself. The text of an error has the system's words behind the status's message. */
static PyObject *make_winerror(int code, const char *name)
{
    char text[512];
    const ironmap_error error = {IRONMAP_E_SYSTEM, code, NULL, 0};
    (void)ironmap_error_text(text, sizeof(text), &error);
    const char *words = text + strlen(ironmap_status_message(IRONMAP_E_SYSTEM)) + strlen(": ");
    return PyObject_CallFunction(PyExc_OSError, "iszis", 0, words, name, code, NULL);
}

PyObject *raise_system(int code, const char *name)
{
    if (!codes_are_windows()) {
        errno = code;
        return PyErr_SetFromErrnoWithFilename(PyExc_OSError, name);
    }
    PyObject *exception = make_winerror(code, name);
    if (exception != NULL) {
        PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
        Py_DECREF(exception);
    }
    return NULL;
}

/* An errno: of Windows' codes, ENOSPC where the disk is full, else EIO; -1 with an exception. */
static int errno_of_fault(int code)
{
    if (!codes_are_windows()) {
        return code;
    }
    PyObject *exception = make_winerror(code, NULL);
    PyObject *number = exception == NULL ? NULL : get_attribute(exception, "errno");
    long value = number == NULL ? -1 : PyLong_AsLong(number);
    Py_XDECREF(number);
    Py_XDECREF(exception);
    if (value == -1 && PyErr_Occurred()) {
        return -1;
    }
    return value == ENOSPC ? ENOSPC : EIO;
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

PyObject *raise_no_file(const char *doing)
{
    PyObject *class = imported_object("io", "UnsupportedOperation");
    if (class == NULL) {
        return NULL;
    }
    PyObject *text = PyUnicode_FromFormat("can't %s with trackfd=False", doing);
    PyObject *exception = text == NULL ? NULL : PyObject_CallFunction(class, "iO", EBADF, text);
    Py_XDECREF(text);
    if (exception != NULL) {
        PyErr_SetObject(class, exception);
        Py_DECREF(exception);
    }
    Py_DECREF(class);
    return NULL;
}

/* The name of the map's file; None where nobody knows. */
static PyObject *file_name(const ironmap_map *map)
{
    enum { CAPACITY = 4097 }; /* PATH_MAX of Linux, and the zero */
    char name[CAPACITY];
    if (ironmap_path(name, sizeof(name), map, NULL) != IRONMAP_OK) {
        return Py_NewRef(Py_None);
    }
    return PyUnicode_DecodeFSDefault(name);
}

/* FaultError(code, message, name), with its offset. */
static PyObject *make_fault(PyObject *class, PyObject *name, int code, uint64_t offset)
{
    PyObject *text =
        PyUnicode_FromFormat("%s, at byte %llu of the map", ironmap_status_message(IRONMAP_E_FAULT),
                             (unsigned long long)offset);
    PyObject *place = PyLong_FromUnsignedLongLong(offset);
    PyObject *exception = NULL;
    if (text != NULL && place != NULL) {
        exception = PyObject_CallFunction(class, "iOO", code, text, name);
    }
    if (exception != NULL && PyObject_SetAttrString(exception, "offset", place) == -1) {
        Py_CLEAR(exception);
    }
    Py_XDECREF(text);
    Py_XDECREF(place);
    return exception;
}

static void raise_fault_of(PyObject *name, int code, uint64_t offset)
{
    PyObject *class = module_object("FaultError");
    PyObject *exception = class == NULL ? NULL : make_fault(class, name, code, offset);
    if (exception != NULL) {
        PyErr_SetObject(class, exception);
        Py_DECREF(exception);
    }
    Py_XDECREF(class);
}

/* The map is asked for its name before anything else: importing and making objects may run code
 * that closes it. */
PyObject *raise_fault(const ironmap_map *map, int code, uint64_t offset)
{
    PyObject *name = file_name(map);
    if (name != NULL) {
        raise_fault_of(name, code, offset);
        Py_DECREF(name);
    }
    return NULL;
}

/* As raise_fault, of an error of the library. */
static PyObject *raise_lost(const ironmap_map *map, const ironmap_error *error)
{
    PyObject *name = file_name(map);
    int code = name == NULL ? -1 : errno_of_fault(error->system_code);
    if (code != -1) {
        raise_fault_of(name, code, error->offset);
    }
    Py_XDECREF(name);
    return NULL;
}

PyObject *raise_error(const ironmap_map *map, const ironmap_error *error, const char *range_message)
{
    switch (error->status) {
    case IRONMAP_E_SYSTEM:
        return raise_system(error->system_code, NULL);
    case IRONMAP_E_INVALID:
        return raise_errno(EINVAL);
    case IRONMAP_E_UNSUPPORTED:
        return error->system_code != 0 ? raise_system(error->system_code, NULL)
                                       : raise_errno(ENOTSUP);
    case IRONMAP_E_NOMEM:
        return PyErr_NoMemory();
    case IRONMAP_E_RANGE:
    case IRONMAP_E_OVERFLOW:
    case IRONMAP_E_END:
        PyErr_SetString(PyExc_ValueError, range_message);
        return NULL;
    case IRONMAP_E_READONLY:
        return raise_readonly();
    case IRONMAP_E_NOT_READABLE:
        PyErr_SetString(PyExc_TypeError, "mmap can't read a memory map without read permission.");
        return NULL;
    case IRONMAP_E_NOT_RESIZABLE:
        return raise_not_resizable();
    case IRONMAP_E_BUSY:
        PyErr_SetString(PyExc_BufferError, "mmap is in use");
        return NULL;
    case IRONMAP_E_NO_FILE:
        return raise_no_file("reach the file");
    case IRONMAP_E_INTERRUPTED: /* the handler of a signal has raised */
        return NULL;
    case IRONMAP_E_FAULT:
        return raise_lost(map, error);
    default:
        PyErr_SetString(PyExc_OSError, ironmap_status_message((int)error->status));
        return NULL;
    }
}
