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

int state_add_bytes(PyObject *module)
{
    ModuleState *state = state_of_module(module);
    for (int i = 0; i < 256; i++) {
        const uint8_t byte = (uint8_t)i;
        state->byte_ints[i] = PyLong_FromLong(i);
        state->byte_items[i] = PyBytes_FromStringAndSize((const char *)&byte, 1);
        if (state->byte_ints[i] == NULL || state->byte_items[i] == NULL) {
            return -1;
        }
    }
    return 0;
}

void state_clear_bytes(ModuleState *state)
{
    for (int i = 0; i < 256; i++) {
        Py_CLEAR(state->byte_ints[i]);
        Py_CLEAR(state->byte_items[i]);
    }
}
