/* The module ironmap._ironmap: the class, the constants, the version. */
#include <ironmap/ironmap.h>

#include "compat.h"
#include "constants.h"
#include "find_all.h"
#include "gil.h"
#include "guarded.h"
#include "lines.h"
#include "mmap/type.h"

/* Adds the new class `type`. NULL means that making it failed. */
static int add_type(PyObject *module, PyObject *type)
{
    if (type == NULL) {
        return -1;
    }
    int status = PyModule_AddType(module, (PyTypeObject *)type);
    Py_DECREF(type);
    return status;
}

static int add_class(PyObject *module, PyType_Spec *spec)
{
    return add_type(module, PyType_FromModuleAndSpec(module, spec, NULL));
}

/* FaultError is an OSError with the attribute `offset`. */
static int add_fault_error(PyObject *module)
{
    PyObject *class = PyErr_NewExceptionWithDoc(
        "ironmap.FaultError",
        "A page of a map is unavailable: the file was truncated, the disk fails or is full.\n\n"
        "An OSError. `errno` is EIO, or ENOSPC if a full disk is the cause. `filename` is the "
        "name\n"
        "of the file, or None if it is not known. `offset` is the byte of the map, counted from\n"
        "its start, that could not be accessed.",
        PyExc_OSError, NULL);
    if (class == NULL) {
        return -1;
    }
    int status = PyModule_AddObjectRef(module, "FaultError", class);
    Py_DECREF(class);
    return status;
}

static int add_eval_breaker(PyObject *module)
{
    PyObject *function = eval_breaker_new();
    if (function == NULL) {
        return -1;
    }
    int status = PyModule_AddObjectRef(module, EVAL_BREAKER_NAME, function);
    Py_DECREF(function);
    return status;
}

static int module_exec(PyObject *module)
{
    if (add_type(module, mmap_type(module)) == -1 || add_class(module, &guarded_spec) == -1 ||
        add_class(module, &find_all_spec) == -1 || add_class(module, &lines_spec) == -1 ||
        add_fault_error(module) == -1 || add_eval_breaker(module) == -1 ||
        constants_add(module) == -1 ||
        PyModule_AddObjectRef(module, "error", PyExc_OSError) == -1) {
        return -1;
    }
    return PyModule_AddStringConstant(module, "__version__", ironmap_version_string());
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, AS_SLOT(module_exec)},
    INTERPRETERS_SLOT,
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "ironmap._ironmap",
    .m_doc = "The C part of ironmap. Import ironmap instead.",
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__ironmap(void);

PyMODINIT_FUNC PyInit__ironmap(void)
{
    return PyModuleDef_Init(&definition);
}
