#include "classes.h"

#include "find_all.h"
#include "guarded.h"
#include "lines.h"
#include "mmap/type.h"
#include "state.h"

/* Sets the __module__ of a class, where programs and pickle look for it. The one that comes from
 * the name in its PyType_Spec is wrong if the package is a part of another one. */
static int set_module(PyTypeObject *class, PyObject *name)
{
    int status = PyDict_SetItemString(class->tp_dict, "__module__", name);
    PyType_Modified(class);
    return status;
}

/* A class of the module's state, which the package does not have. Its instances come from methods
 * of maps. */
static int add_internal(PyTypeObject **class, PyObject *module, PyType_Spec *spec)
{
    *class = (PyTypeObject *)PyType_FromModuleAndSpec(module, spec, NULL);
    PyObject *name = *class == NULL ? NULL : PyModule_GetNameObject(module);
    int status = name == NULL ? -1 : set_module(*class, name);
    Py_XDECREF(name);
    return status == -1 ? -1 : PyModule_AddType(module, *class);
}

static int add_mmap(PyObject *module, PyObject *package)
{
    PyTypeObject *class = (PyTypeObject *)mmap_type(module);
    int status =
        class == NULL || set_module(class, package) == -1 ? -1 : PyModule_AddType(module, class);
    Py_XDECREF(class);
    return status;
}

/* FaultError is an OSError with the attribute `offset`, which is None unless the module made it. */
static PyObject *new_fault_error(const char *name)
{
    PyObject *attributes = Py_BuildValue("{s:O}", "offset", Py_None);
    if (attributes == NULL) {
        return NULL;
    }
    PyObject *class = PyErr_NewExceptionWithDoc(
        name,
        "A page of a map is unavailable: the file was truncated, the disk fails or is full.\n\n"
        "An OSError. `errno` is EIO, or ENOSPC if a full disk is the cause. `filename` is the "
        "name\n"
        "of the file, or None if it has none or it is not known. `offset` is the byte of the map,\n"
        "counted from its start, that could not be accessed; None if it is not known any more.",
        PyExc_OSError, attributes);
    Py_DECREF(attributes);
    return class;
}

static int add_fault_error(PyObject *module, ModuleState *state, PyObject *package)
{
    PyObject *name = PyUnicode_FromFormat("%U.FaultError", package);
    const char *text = name == NULL ? NULL : PyUnicode_AsUTF8(name);
    state->fault_error = text == NULL ? NULL : new_fault_error(text);
    Py_XDECREF(name);
    return state->fault_error == NULL
               ? -1
               : PyModule_AddObjectRef(module, "FaultError", state->fault_error);
}

static int add_unsupported_operation(ModuleState *state)
{
    PyObject *io = PyImport_ImportModule("io");
    state->unsupported_operation = io == NULL ? NULL : get_attribute(io, "UnsupportedOperation");
    Py_XDECREF(io);
    return state->unsupported_operation == NULL ? -1 : 0;
}

/* The package that the module is in: "ironmap", or where a program keeps a copy of it. */
static PyObject *package_of(PyObject *module)
{
    PyObject *name = PyModule_GetNameObject(module);
    if (name == NULL) {
        return NULL;
    }
    Py_ssize_t length = PyUnicode_GetLength(name);
    Py_ssize_t dot = PyUnicode_FindChar(name, '.', 0, length, -1);
    PyObject *package = PyUnicode_Substring(name, 0, dot < 0 ? length : dot);
    Py_DECREF(name);
    return package;
}

int classes_add(PyObject *module)
{
    ModuleState *state = state_of_module(module);
    PyObject *package = package_of(module);
    if (package == NULL) {
        return -1;
    }
    bool added = add_internal(&state->find_all, module, &find_all_spec) == 0 &&
                 add_internal(&state->guarded, module, &guarded_spec) == 0 &&
                 add_internal(&state->lines, module, &lines_spec) == 0 &&
                 add_mmap(module, package) == 0 && add_fault_error(module, state, package) == 0 &&
                 add_unsupported_operation(state) == 0;
    Py_DECREF(package);
    return added ? 0 : -1;
}
