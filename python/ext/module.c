/* The module ironmap._ironmap: its classes, its constants, its version. */
#include <ironmap/ironmap.h>

#include "classes.h"
#include "compat.h"
#include "constants.h"
#include "mmap/hold.h"
#include "state.h"

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
    state_of_module(module)->module = module;
    if (classes_add(module) == -1 || state_add_bytes(module) == -1 || add_after_fork() == -1 ||
        constants_add(module) == -1 ||
        PyModule_AddObjectRef(module, "error", PyExc_OSError) == -1) {
        return -1;
    }
    return PyModule_AddStringConstant(module, "__version__", ironmap_version_string());
}

/* A map that the garbage collector finds together with its module still raises FaultError when it
 * ends. So the exceptions are not visited: the collector would clear them, in any order. They do
 * not refer to the module, unless a program makes them, and are freed with it. */
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
    state_clear_bytes(state);
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, AS_SLOT(module_exec)},
    INTERPRETERS_SLOT,
    GIL_SLOT,
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
