#include "errors.h"

#include <errno.h>
#include <string.h>

#include "state.h"

PyObject *raise_errno(int code)
{
    errno = code;
    return PyErr_SetFromErrno(PyExc_OSError);
}

/* True if the library's system codes are those of GetLastError(), which OSError has in winerror;
 * false if they are errno. */
static bool codes_are_winerror(void)
{
    PyObject *winerror = get_attribute(PyExc_OSError, "winerror");
    if (winerror == NULL) {
        PyErr_Clear();
    }
    Py_XDECREF(winerror);
    return winerror != NULL;
}

/* OSError(errno, message, filename, winerror, None), as the standard module makes it. Python
 * derives the errno. */
static PyObject *make_winerror(int code, const char *name)
{
    char text[512];
    const ironmap_error error = {.status = IRONMAP_E_SYSTEM, .system_code = code};
    (void)ironmap_error_text(text, sizeof(text), &error);
    return PyObject_CallFunction(PyExc_OSError, "iszis", 0, text, name, code, NULL);
}

PyObject *raise_system(int code, const char *name)
{
    if (!codes_are_winerror()) {
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

/* The errno of a FaultError. For codes of Windows it is ENOSPC if the disk is full, else EIO. -1
 * with an exception. */
static int fault_errno(int code)
{
    if (!codes_are_winerror()) {
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

PyObject *raise_no_file(const char *operation)
{
    PyObject *class = imported_object("io", "UnsupportedOperation");
    if (class == NULL) {
        return NULL;
    }
    PyObject *text = PyUnicode_FromFormat("can't %s with trackfd=False", operation);
    PyObject *exception = text == NULL ? NULL : PyObject_CallFunction(class, "iO", EBADF, text);
    Py_XDECREF(text);
    if (exception != NULL) {
        PyErr_SetObject(class, exception);
        Py_DECREF(exception);
    }
    Py_DECREF(class);
    return NULL;
}

/* The name of the map's file; None if it is not known. */
static PyObject *file_name(const ironmap_map *map)
{
    enum { CAPACITY = 4097 }; /* PATH_MAX of Linux, and the zero */
    char name[CAPACITY];
    if (ironmap_file_path(map, name, sizeof(name), NULL) != IRONMAP_OK) {
        return Py_NewRef(Py_None);
    }
    return PyUnicode_DecodeFSDefault(name);
}

/* FaultError(code, message, name) with the attribute `offset`. */
static PyObject *make_fault(PyObject *class, PyObject *name, int code, const ironmap_error *error)
{
    char message[512];
    (void)ironmap_error_text(message, sizeof(message), error);
    PyObject *text = PyUnicode_DecodeLocale(message, "surrogateescape");
    PyObject *index = PyLong_FromUnsignedLongLong(error->offset);
    PyObject *exception = NULL;
    if (text != NULL && index != NULL) {
        exception = PyObject_CallFunction(class, "iOO", code, text, name);
    }
    if (exception != NULL && PyObject_SetAttrString(exception, "offset", index) == -1) {
        Py_CLEAR(exception);
    }
    Py_XDECREF(text);
    Py_XDECREF(index);
    return exception;
}

static void raise_named_fault(PyObject *name, int code, const ironmap_error *error)
{
    PyObject *class = module_object("FaultError");
    PyObject *exception = class == NULL ? NULL : make_fault(class, name, code, error);
    if (exception != NULL) {
        PyErr_SetObject(class, exception);
        Py_DECREF(exception);
    }
    Py_XDECREF(class);
}

/* Gets the file's name first: importing and allocating may run Python code that closes the map. */
PyObject *raise_fault(const ironmap_map *map, int code, uint64_t offset)
{
    const ironmap_error error = {
        .status = IRONMAP_E_FAULT, .offset = offset, .file_length = IRONMAP_UNKNOWN};
    PyObject *name = file_name(map);
    if (name != NULL) {
        raise_named_fault(name, code, &error);
        Py_DECREF(name);
    }
    return NULL;
}

/* As raise_fault, for an error of the library. */
static PyObject *raise_fault_error(const ironmap_map *map, const ironmap_error *error)
{
    PyObject *name = file_name(map);
    int code = name == NULL ? -1 : fault_errno(error->system_code);
    if (code != -1) {
        raise_named_fault(name, code, error);
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
    case IRONMAP_E_INTERRUPTED: /* a signal handler has set the exception */
        return NULL;
    case IRONMAP_E_FAULT:
        return raise_fault_error(map, error);
    default:
        PyErr_SetString(PyExc_OSError, ironmap_status_message((int)error->status));
        return NULL;
    }
}
