/* The class Guarded: a `with` block that raises FaultError if a page was lost in it. */
#include "guarded.h"

#include <errno.h>
#include <ironmap/extra.h>

#include "errors.h"
#include "keeper.h"
#include "mmap/damage.h"
#include "mmap/object.h"

/* The context manager of `with m.guarded():`. If the map is closed in the block, the end of the
 * block reports nothing. */
typedef struct {
    KEEPER_HEAD
    size_t depth; /* of nested blocks */
    size_t count; /* of damage when the outermost block began */
} Guarded;

static Guarded *guarded_object(PyObject *self)
{
    return (Guarded *)self;
}

PyObject *mmap_guarded(PyObject *self, PyObject *Py_UNUSED(unused))
{
    if (!mmap_check_open(self)) {
        return NULL;
    }
    return keeper_new(mmap_object(self)->state->guarded, self);
}

static PyObject *begin_block(Guarded *guarded)
{
    ironmap_map *map = mmap_use(guarded->map);
    if (map == NULL || !mmap_check_damage(guarded->map, map)) {
        return NULL;
    }
    ironmap_protect(map);
    if (guarded->depth == 0) {
        guarded->count = ironmap_damage_count(map);
    }
    guarded->depth++;
    return Py_NewRef(guarded->map);
}

static PyObject *guarded_enter(PyObject *self, PyObject *Py_UNUSED(unused))
{
    PyObject *map = NULL;
    IN_SECTION2(self, guarded_object(self)->map, map = begin_block(guarded_object(self)));
    return map;
}

/* True for an OSError with errno EFAULT, which a system call reports of an unavailable page. May
 * run Python code. */
static bool is_bad_address(PyObject *exception)
{
    if (!PyObject_TypeCheck(exception, (PyTypeObject *)PyExc_OSError)) {
        return false;
    }
    PyObject *number = get_attribute(exception, "errno");
    long code = number == NULL ? -1 : PyLong_AsLong(number);
    Py_XDECREF(number);
    if (code == -1) {
        PyErr_Clear();
    }
    return code == EFAULT;
}

/* Raises FaultError from `cause` if the file ends before the last page of the map. */
static bool raise_unavailable(PyObject *self, ironmap_map *map, PyObject *cause)
{
    ironmap_error error;
    if (ironmap_check_file_end(map, &error) == IRONMAP_OK) {
        return false;
    }
    PyObject *type = NULL;
    PyObject *value = NULL;
    PyObject *traceback = NULL;
    raise_error(self, map, &error, "");
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    PyException_SetCause(value, Py_NewRef(cause));
    PyErr_Restore(type, value, traceback);
    return true;
}

/* `bad_address` is the OSError with EFAULT that leaves the block, or NULL. */
static PyObject *end_block(Guarded *guarded, PyObject *bad_address)
{
    ironmap_map *map = NULL;
    if (guarded->depth == 0) { /* no block was begun */
        Py_RETURN_FALSE;
    }
    guarded->depth--;
    if (!mmap_use_if_open(&map, guarded->map)) {
        return NULL;
    }
    if (map != NULL && ironmap_damage_count(map) != guarded->count) {
        mmap_raise_damage(guarded->map, map);
        return NULL;
    }
    if (map != NULL && bad_address != NULL && raise_unavailable(guarded->map, map, bad_address)) {
        return NULL;
    }
    Py_RETURN_FALSE;
}

static PyObject *guarded_exit(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    PyObject *bad_address = count > 1 && is_bad_address(args[1]) ? args[1] : NULL;
    PyObject *result = NULL;
    IN_SECTION2(self, guarded_object(self)->map,
                result = end_block(guarded_object(self), bad_address));
    return result;
}

static PyMethodDef guarded_methods[] = {
    {"__enter__", guarded_enter, METH_NOARGS, "__enter__($self, /)\n--\n\nReturn the map."},
    {"__exit__", AS_METHOD(guarded_exit), METH_FASTCALL,
     "__exit__($self, exc_type, exc_value, traceback, /)\n--\n\n"
     "Raise FaultError if a page was lost since __enter__, and in the place of an OSError with\n"
     "errno EFAULT if the file ends before the map."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc,
     AS_SLOT(
         "A context manager that raises FaultError if a page was lost in its block: m.guarded().")},
    {Py_tp_dealloc, AS_SLOT(keeper_dealloc)},
    {Py_tp_traverse, AS_SLOT(keeper_traverse)},
    {Py_tp_methods, guarded_methods},
    {0, NULL},
};

PyType_Spec guarded_spec = {
    .name = "ironmap._ironmap.Guarded",
    .basicsize = sizeof(Guarded),
    .flags = KEEPER_FLAGS,
    .slots = slots,
};
