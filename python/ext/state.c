/* Objects of the module and of other modules, in the running interpreter. */
#include "state.h"

/* The name is interned: the attribute cache keeps a reference to every name object. */
PyObject *get_attribute(PyObject *object, const char *name)
{
    PyObject *key = PyUnicode_InternFromString(name);
    PyObject *value = key == NULL ? NULL : PyObject_GetAttr(object, key);
    Py_XDECREF(key);
    return value;
}

PyObject *imported_object(const char *module, const char *name)
{
    PyObject *from = PyImport_ImportModule(module);
    PyObject *object = from == NULL ? NULL : get_attribute(from, name);
    Py_XDECREF(from);
    return object;
}

PyObject *module_object(const char *name)
{
    return imported_object("ironmap._ironmap", name);
}

/* The memory layout of a class comes from tp_base, so the chain of these leads to ironmap.mmap. */
ModuleState *module_state(PyTypeObject *type)
{
    while (type->tp_base != &PyBaseObject_Type) {
        type = type->tp_base;
    }
    return PyType_GetModuleState(type);
}
