#include "keeper.h"

typedef struct {
    KEEPER_HEAD
} Keeper;

PyObject *keeper_new(PyTypeObject *type, PyObject *map)
{
    PyObject *self = type->tp_alloc(type, 0);
    if (self != NULL) {
        ((Keeper *)self)->map = Py_NewRef(map);
    }
    return self;
}

int keeper_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(((Keeper *)self)->map);
    Py_VISIT(Py_TYPE(self));
    return 0;
}

void keeper_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    Py_CLEAR(((Keeper *)self)->map);
    type->tp_free(self);
    Py_DECREF(type);
}
