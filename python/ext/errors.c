#include "errors.h"

#include <errno.h>
#include <ironmap/extra.h>

PyObject *raise_errno(int code)
{
    errno = code;
    return PyErr_SetFromErrno(PyExc_OSError);
}

PyObject *raise_invalid(const char *what)
{
    PyObject *text = PyUnicode_FromFormat("Invalid argument: %s", what);
    PyObject *exception =
        text == NULL ? NULL : PyObject_CallFunction(PyExc_OSError, "iN", EINVAL, text);
    if (exception != NULL) {
        PyErr_SetObject(PyExc_OSError, exception);
        Py_DECREF(exception);
    }
    return NULL;
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

PyObject *raise_no_file(const ModuleState *state, const char *operation)
{
    PyObject *class = state->unsupported_operation;
    PyObject *text = PyUnicode_FromFormat("can't %s with trackfd=False", operation);
    PyObject *exception = text == NULL ? NULL : PyObject_CallFunction(class, "iO", EBADF, text);
    Py_XDECREF(text);
    if (exception != NULL) {
        PyErr_SetObject(class, exception);
        Py_DECREF(exception);
    }
    return NULL;
}

void fault_describe(Fault *fault, const ironmap_map *map, const ironmap_error *error)
{
    fault->error = *error;
    fault->named =
        map != NULL && ironmap_file_path(map, fault->name, sizeof(fault->name), NULL) == IRONMAP_OK;
}

void fault_describe_closed(Fault *fault, const char *name, const ironmap_error *error)
{
    fault->error = *error;
    fault->named = name != NULL;
    if (name != NULL) {
        (void)snprintf(fault->name, sizeof(fault->name), "%s", name);
    }
}

/* FaultError(code, message, name) with the attribute `offset`. */
static PyObject *make_fault(const Fault *fault, PyObject *class, int code)
{
    char message[512];
    (void)ironmap_error_text(message, sizeof(message), &fault->error);
    PyObject *name = fault->named ? PyUnicode_DecodeFSDefault(fault->name) : Py_NewRef(Py_None);
    PyObject *text = PyUnicode_DecodeLocale(message, "surrogateescape");
    bool known = fault->error.offset != IRONMAP_NOT_FOUND;
    PyObject *offset =
        known ? PyLong_FromUnsignedLongLong(fault->error.offset) : Py_NewRef(Py_None);
    PyObject *exception = NULL;
    if (name != NULL && text != NULL && offset != NULL) {
        exception = PyObject_CallFunction(class, "iOO", code, text, name);
    }
    if (exception != NULL && PyObject_SetAttrString(exception, "offset", offset) == -1) {
        Py_CLEAR(exception);
    }
    Py_XDECREF(name);
    Py_XDECREF(text);
    Py_XDECREF(offset);
    return exception;
}

PyObject *fault_raise(const ModuleState *state, const Fault *fault)
{
    PyObject *class = state->fault_error;
    int code = fault_errno(fault->error.system_code);
    PyObject *exception = code == -1 ? NULL : make_fault(fault, class, code);
    if (exception != NULL) {
        PyErr_SetObject(class, exception);
        Py_DECREF(exception);
    }
    return NULL;
}

/* Notes that the program is told of the map's damage if `error` is about a damaged page. */
static void note_told(ironmap_map *map, const ironmap_error *error)
{
    size_t count = ironmap_damage_count(map);
    uint64_t damaged = IRONMAP_NOT_FOUND;
    size_t length = 0;
    if (ironmap_damage(&damaged, &length, map, error->offset, NULL) == IRONMAP_OK &&
        damaged == error->offset) {
        ironmap_note_told_damage(map, count);
    }
}

static PyObject *raise_fault(const ModuleState *state, ironmap_map *map, const ironmap_error *error)
{
    Fault fault;
    fault_describe(&fault, map, error);
    if (map != NULL) {
        note_told(map, error);
    }
    return fault_raise(state, &fault);
}

PyObject *raise_error_in(const ModuleState *state, ironmap_map *map, const ironmap_error *error,
                         const char *range_message)
{
    switch (error->status) {
    case IRONMAP_E_SYSTEM:
        return raise_system(error->system_code, NULL);
    case IRONMAP_E_INVALID:
        return raise_errno(EINVAL);
    case IRONMAP_E_UNSUPPORTED:
        return raise_errno(ENOTSUP);
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
        return raise_no_file(state, "reach the file");
    case IRONMAP_E_INTERRUPTED: /* a signal handler has set the exception */
        return NULL;
    case IRONMAP_E_FAULT:
        return raise_fault(state, map, error);
    default:
        PyErr_SetString(PyExc_OSError, ironmap_status_message((int)error->status));
        return NULL;
    }
}
