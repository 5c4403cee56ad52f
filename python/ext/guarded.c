/* The class Guarded: a `with` block that raises FaultError if a page was lost in it. */
#include "guarded.h"

#include <ironmap/extra.h>

#include "mmap/damage.h"
#include "mmap/object.h"
#include "state.h"

/* The context manager of `with m.guarded():`. If the map is closed in the block, the end of the
 * block reports nothing. If another thread is resizing it, the end of the block is a BufferError.
 */
typedef struct {
    PyObject_HEAD PyObject *map;
    size_t depth; /* of nested blocks */
    size_t count; /* of damage when the outermost block began */
} Guarded;

static Guarded *guarded_object(PyObject *self)
{
    return (Guarded *)self;
}

PyObject *mmap_guarded(PyObject *self, PyObject *Py_UNUSED(unused))
{
    if (mmap_use(self) == NULL) {
        return NULL;
    }
    PyObject *type = module_object("Guarded");
    if (type == NULL) {
        return NULL;
    }
    PyObject *guarded = ((PyTypeObject *)type)->tp_alloc((PyTypeObject *)type, 0);
    Py_DECREF(type);
    if (guarded != NULL) {
        guarded_object(guarded)->map = Py_NewRef(self);
    }
    return guarded;
}

static PyObject *guarded_enter(PyObject *self, PyObject *Py_UNUSED(unused))
{
    Guarded *guarded = guarded_object(self);
    ironmap_map *map = mmap_use(guarded->map);
    if (map == NULL || !mmap_check_damage(map)) {
        return NULL;
    }
    if (guarded->depth == 0) {
        guarded->count = ironmap_damage_count(map);
    }
    guarded->depth++;
    return Py_NewRef(guarded->map);
}

static PyObject *guarded_exit(PyObject *self, PyObject *const *Py_UNUSED(args),
                              Py_ssize_t Py_UNUSED(count))
{
    Guarded *guarded = guarded_object(self);
    const MmapObject *object = mmap_object(guarded->map);
    ironmap_map *map = object->map;
    guarded->depth -= guarded->depth > 0 ? 1 : 0;
    if (object->resizing) {
        mmap_raise_not_open(object);
        return NULL;
    }
    if (map != NULL && ironmap_damage_count(map) != guarded->count) {
        mmap_raise_damage(map);
        return NULL;
    }
    Py_RETURN_FALSE;
}

static int guarded_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(guarded_object(self)->map);
    Py_VISIT(Py_TYPE(self));
    return 0;
}

static void guarded_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    Py_CLEAR(guarded_object(self)->map);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef guarded_methods[] = {
    {"__enter__", guarded_enter, METH_NOARGS, "__enter__($self, /)\n--\n\nReturn the map."},
    {"__exit__", AS_METHOD(guarded_exit), METH_FASTCALL,
     "__exit__($self, exc_type, exc_value, traceback, /)\n--\n\n"
     "Raise FaultError if a page was lost since __enter__."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc,
     AS_SLOT(
         "A context manager that raises FaultError if a page was lost in its block: m.guarded().")},
    {Py_tp_dealloc, AS_SLOT(guarded_dealloc)},
    {Py_tp_traverse, AS_SLOT(guarded_traverse)},
    {Py_tp_methods, guarded_methods},
    {0, NULL},
};

PyType_Spec guarded_spec = {
    .name = "ironmap.Guarded",
    .basicsize = sizeof(Guarded),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = slots,
};
