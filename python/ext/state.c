#include "state.h"

ModuleState *state_of_module(PyObject *module)
{
    return PyModule_GetState(module);
}

/* The memory layout of a class comes from tp_base, so the chain of these leads to ironmap.mmap. The
 * __mro__ need not: a metaclass may change it. */
ModuleState *state_of_type(PyTypeObject *type)
{
    while (type->tp_base != &PyBaseObject_Type) {
        type = type->tp_base;
    }
    return PyType_GetModuleState(type);
}

/* The name is interned: the attribute cache keeps a reference to every name object. */
PyObject *get_attribute(PyObject *object, const char *name)
{
    PyObject *key = PyUnicode_InternFromString(name);
    PyObject *value = key == NULL ? NULL : PyObject_GetAttr(object, key);
    Py_XDECREF(key);
    return value;
}
