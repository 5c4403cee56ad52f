/* Lost pages under memory that was handed out: damaged, clear_damage() and guarded(). */
#include <errno.h>

#include "mmap_object.h"

/* ---- what is damaged ---- */

/* Raises FaultError with the place of the first damage. */
static void raise_damage(const ironmap_map *map)
{
    uint64_t offset = 0;
    size_t length = 0;
    (void)ironmap_damage(&offset, &length, map, 0, NULL);
    raise_fault(map, EIO, offset == IRONMAP_NOT_FOUND ? 0 : offset);
}

bool mmap_check_damage(const ironmap_map *map)
{
    if (!ironmap_damaged(map)) {
        return true;
    }
    raise_damage(map);
    return false;
}

/* Appends (start, end) of each damaged run to `list`. */
static bool append_damage(PyObject *list, const ironmap_map *map)
{
    uint64_t offset = 0;
    size_t length = 0;
    (void)ironmap_damage(&offset, &length, map, 0, NULL);
    while (offset != IRONMAP_NOT_FOUND) {
        uint64_t end = offset + length;
        PyObject *run = Py_BuildValue("KK", (unsigned long long)offset, (unsigned long long)end);
        if (run == NULL || PyList_Append(list, run) == -1) {
            Py_XDECREF(run);
            return false;
        }
        Py_DECREF(run);
        (void)ironmap_damage(&offset, &length, map, end, NULL);
    }
    return true;
}

PyObject *mmap_get_damaged(PyObject *self, void *Py_UNUSED(closure))
{
    /* The list first: making one may run the collector, and so anyone's code; and so may making
     * what comes into it, while the map is held. */
    PyObject *list = PyList_New(0);
    ironmap_map *map = list == NULL ? NULL : mmap_use(self);
    if (map == NULL) {
        Py_XDECREF(list);
        return NULL;
    }
    ironmap_hold(map);
    bool done = append_damage(list, map);
    ironmap_release(map);
    PyObject *runs = done ? PyList_AsTuple(list) : NULL;
    Py_DECREF(list);
    return runs;
}

PyObject *mmap_clear_damage(PyObject *self, PyObject *Py_UNUSED(unused))
{
    ironmap_map *map = mmap_use(self);
    ironmap_error error;
    if (map == NULL) {
        return NULL;
    }
    PyThreadState *thread = mmap_let_go(map);
    int status = ironmap_clear_damage(map, &error);
    mmap_take_back(map, thread);
    if (status != IRONMAP_OK) {
        return raise_error(map, &error, "");
    }
    Py_RETURN_NONE;
}

/* ---- guarded() ---- */

/* What `with m.guarded():` holds. The map may be closed in the block; its losses are then nobody's
 * business any more. One that another thread resizes just then cannot be asked: BufferError. */
typedef struct {
    PyObject_HEAD PyObject *map;
    size_t depth; /* how often it is entered */
    size_t count; /* of the damage as the outermost block began */
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
    PyObject *type = own_object("Guarded");
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
    const ironmap_map *map = mmap_use(guarded->map);
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
    const ironmap_map *map = object->map;
    guarded->depth -= guarded->depth > 0 ? 1 : 0;
    if (object->resizing) {
        mmap_raise_absent(object);
        return NULL;
    }
    if (map != NULL && ironmap_damage_count(map) != guarded->count) {
        raise_damage(map);
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
    {Py_tp_doc, AS_SLOT("A block of code that sees no lost page without an error: m.guarded().")},
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
