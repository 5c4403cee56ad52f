/* The end of a map: close() and deallocation. */
#include "mmap/close.h"

#include <ironmap/extra.h>

#include "errors.h"
#include "mmap/end.h"
#include "mmap/hold.h"
#include "mmap/object.h"

/* How a map ended, and what is to be raised about it. */
typedef struct {
    bool untold; /* there was damage that the program was not told of */
    Fault fault; /* that damage */
} Ending;

/* Takes the map, which is to be closed, from the object, which is closed from then on. The map is
 * not pinned, so closing it ends it even if the system reports an error. The standard module
 * ignores that error, of close(2) as a rule, and so does this one. Runs no Python code of this
 * thread. */
static ironmap_map *detach(Ending *ending, MmapObject *object)
{
    ironmap_map *map = object->map;
    ironmap_error error;
    size_t count = ironmap_damage_count(map);
    ending->untold =
        ironmap_has_untold_damage(map) && ironmap_check_damage(map, &error) == IRONMAP_E_FAULT;
    if (ending->untold) {
        fault_describe(&ending->fault, map, &error);
        ironmap_note_told_damage(map, count);
    }
    WRITE_SHARED(object->map, NULL);
    object->shape++;
    return map;
}

static PyObject *close_map(PyObject *self)
{
    MmapObject *object = mmap_object(self);
    Hold hold;
    HoldResult result = hold_try(&hold, self, LOCK_SHAPE);
    if (result == HOLD_CLOSED) { /* before, or while this thread waited */
        Py_RETURN_NONE;
    }
    if (result == HOLD_STOPPED) {
        return NULL;
    }
    if (ironmap_is_busy(hold.map)) {
        hold_end(&hold);
        PyErr_SetString(PyExc_BufferError, "cannot close exported pointers exist");
        return NULL;
    }
    Ending ending;
    object->ended = detach(&ending, object);
    hold_end(&hold);
    if (object->suspended == 0) {
        mmap_end(object);
    }
    if (ending.untold) {
        return fault_raise(object->state, &ending.fault);
    }
    Py_RETURN_NONE;
}

PyObject *mmap_close(PyObject *self, PyObject *Py_UNUSED(unused))
{
    PyObject *result = NULL;
    IN_SECTION(self, result = close_map(self));
    return result;
}

/* The end of a `with` block that an exception leaves, which the map's own errors do not replace. A
 * map that is exported stays open. NULL with what a signal handler raised while this thread waited.
 */
static PyObject *close_after_exception(PyObject *self)
{
    PyObject *result = mmap_close(self, NULL);
    if (result != NULL) {
        return result;
    }
    if (mmap_is_closed(self)) {
        PyErr_WriteUnraisable(self);
        Py_RETURN_NONE;
    }
    if (!PyErr_ExceptionMatches(PyExc_BufferError)) {
        return NULL;
    }
    PyErr_Clear();
    const char *message = "%R stays open: it was in use when an exception left its with block";
    if (PyErr_ResourceWarning(self, 1, message, self) == -1) {
        PyErr_WriteUnraisable(self);
    }
    Py_RETURN_NONE;
}

PyObject *mmap_exit(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    return count == 0 || args[0] == Py_None ? mmap_close(self, NULL) : close_after_exception(self);
}

int mmap_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(mmap_object(self)->state->module);
    return 0;
}

/* Tells of the damage of a collected map. The object is not given to the hook, which could keep
 * it. Keeps an exception that is set. */
static COLD void report_untold(const Ending *ending, const MmapObject *object)
{
    PyObject *exception = NULL;
    PyObject *value = NULL;
    PyObject *traceback = NULL;
    PyErr_Fetch(&exception, &value, &traceback);
    fault_raise(object->state, &ending->fault);
    PyErr_WriteUnraisable((PyObject *)Py_TYPE(object));
    PyErr_Restore(exception, value, traceback);
}

/* Frees the addresses that close() has kept, and tells if one was used since. */
static void free_kept(MmapObject *object)
{
    Ending ending;
    ironmap_error error;
    ending.untold = ironmap_reservation_check(object->kept, &error) == IRONMAP_E_FAULT;
    if (ending.untold) {
        fault_describe_closed(&ending.fault, object->kept_name, &error);
    }
    ironmap_reservation_free(object->kept);
    PyMem_RawFree(object->kept_name);
    if (ending.untold) {
        report_untold(&ending, object);
    }
}

/* No array uses the map's addresses any more: it would have a reference to the object. */
void mmap_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    MmapObject *object = mmap_object(self);
    PyObject_GC_UnTrack(self);
    PyObject_ClearWeakRefs(self);
    /* A thread that works on the map has a reference to the object, so there is none. */
    if (object->map != NULL) {
        Ending ending;
        (void)mmap_close_map(detach(&ending, object), NULL);
        if (ending.untold) {
            report_untold(&ending, object);
        }
    }
    if (object->kept != NULL) {
        free_kept(object);
    }
    PyObject *module = object->state->module;
    type->tp_free(self);
    Py_DECREF(type);
    Py_DECREF(module);
}
