/* The module ironmap._ironmap: the class, the constants, the version. */
#include <ironmap/ironmap.h>

#include "compat.h"
#include "constants.h"
#include "find_all.h"
#include "guarded.h"
#include "lines.h"
#include "mmap/hold.h"
#include "mmap/type.h"
#include "state.h"

/* Makes a class of the module's state. */
static int add_class(PyTypeObject **class, PyObject *module, PyType_Spec *spec)
{
    *class = (PyTypeObject *)PyType_FromModuleAndSpec(module, spec, NULL);
    return *class == NULL ? -1 : PyModule_AddType(module, *class);
}

static int add_classes(PyObject *module, ModuleState *state)
{
    if (add_class(&state->guarded, module, &guarded_spec) == -1 ||
        add_class(&state->find_all, module, &find_all_spec) == -1 ||
        add_class(&state->lines, module, &lines_spec) == -1) {
        return -1;
    }
    PyObject *mmap = mmap_type(module);
    int status = mmap == NULL ? -1 : PyModule_AddType(module, (PyTypeObject *)mmap);
    Py_XDECREF(mmap);
    return status;
}

/* FaultError is an OSError with the attribute `offset`, which is None unless the module made it. */
static int add_fault_error(PyObject *module, ModuleState *state)
{
    PyObject *attributes = Py_BuildValue("{s:O}", "offset", Py_None);
    if (attributes == NULL) {
        return -1;
    }
    PyObject *class = PyErr_NewExceptionWithDoc(
        "ironmap.FaultError",
        "A page of a map is unavailable: the file was truncated, the disk fails or is full.\n\n"
        "An OSError. `errno` is EIO, or ENOSPC if a full disk is the cause. `filename` is the "
        "name\n"
        "of the file, or None if it has none or it is not known. `offset` is the byte of the map,\n"
        "counted from its start, that could not be accessed; None if it is not known any more.",
        PyExc_OSError, attributes);
    Py_DECREF(attributes);
    state->fault_error = class;
    return class == NULL ? -1 : PyModule_AddObjectRef(module, "FaultError", class);
}

static int add_unsupported_operation(ModuleState *state)
{
    PyObject *io = PyImport_ImportModule("io");
    state->unsupported_operation = io == NULL ? NULL : get_attribute(io, "UnsupportedOperation");
    Py_XDECREF(io);
    return state->unsupported_operation == NULL ? -1 : 0;
}

static PyMethodDef after_fork = {"_after_fork", hold_after_fork, METH_NOARGS, NULL};

/* Has os.fork() call hold_after_fork in the child, on systems that fork. */
static int call_after_fork(PyObject *os)
{
    PyObject *function = PyCFunction_New(&after_fork, NULL);
    PyObject *keywords =
        function == NULL ? NULL : Py_BuildValue("{s:O}", "after_in_child", function);
    PyObject *registers = keywords == NULL ? NULL : PyObject_GetAttrString(os, "register_at_fork");
    PyObject *none = PyTuple_New(0);
    PyObject *result =
        registers == NULL || none == NULL ? NULL : PyObject_Call(registers, none, keywords);
    Py_XDECREF(function);
    Py_XDECREF(keywords);
    Py_XDECREF(registers);
    Py_XDECREF(none);
    Py_XDECREF(result);
    return result == NULL ? -1 : 0;
}

static int add_after_fork(void)
{
    PyObject *os = PyImport_ImportModule("os");
    if (os == NULL) {
        return -1;
    }
    int status = PyObject_HasAttrString(os, "register_at_fork") ? call_after_fork(os) : 0;
    Py_DECREF(os);
    return status;
}

static int module_exec(PyObject *module)
{
    ModuleState *state = state_of_module(module);
    state->module = module;
    if (add_classes(module, state) == -1 || add_fault_error(module, state) == -1 ||
        add_unsupported_operation(state) == -1 || add_after_fork() == -1 ||
        constants_add(module) == -1 ||
        PyModule_AddObjectRef(module, "error", PyExc_OSError) == -1) {
        return -1;
    }
    return PyModule_AddStringConstant(module, "__version__", ironmap_version_string());
}

/* A map that the garbage collector finds together with its module still raises FaultError when it
 * ends. So the exceptions are not visited: the collector would clear them, in any order. They do
 * not refer to the module, and are freed with it. */
static int module_traverse(PyObject *module, visitproc visit, void *arg)
{
    const ModuleState *state = state_of_module(module);
    Py_VISIT(state->find_all);
    Py_VISIT(state->guarded);
    Py_VISIT(state->lines);
    return 0;
}

/* There is no m_clear, for the same reason. Clearing the classes ends their cycles with the module.
 */
static void module_free(void *module)
{
    ModuleState *state = state_of_module(module);
    Py_CLEAR(state->find_all);
    Py_CLEAR(state->guarded);
    Py_CLEAR(state->lines);
    Py_CLEAR(state->fault_error);
    Py_CLEAR(state->unsupported_operation);
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
    .m_size = sizeof(ModuleState),
    .m_slots = slots,
    .m_traverse = module_traverse,
    .m_free = module_free,
};

PyMODINIT_FUNC PyInit__ironmap(void);

PyMODINIT_FUNC PyInit__ironmap(void)
{
    return PyModuleDef_Init(&definition);
}
