/* The life of an object, its buffer, and the type that holds everything together. */
#include "mmap_object.h"

#include <stddef.h>
#include <string.h>

void mmap_raise_absent(const MmapObject *object)
{
    if (object->resizing) {
        PyErr_SetString(PyExc_BufferError, "mmap is being resized by another thread");
    } else {
        raise_closed();
    }
}

/* ---- the end of an object ---- */

/* Unmapping much memory takes a while, and so does the last descriptor of a file that has no name
 * any more; neither needs the GIL. */
int mmap_close_map(ironmap_map *map, ironmap_error *error)
{
    PyThreadState *thread = PyEval_SaveThread();
    int status = ironmap_close(map, error);
    PyEval_RestoreThread(thread);
    return status;
}

/* The map leaves the object first: for all other threads it is closed from then on. Nothing pins
 * it, so that it is gone afterwards, whatever is reported. */
static int detach_and_close(MmapObject *self, ironmap_error *error)
{
    ironmap_map *map = self->map;
    self->map = NULL;
    return mmap_close_map(map, error);
}

PyObject *mmap_close(PyObject *self, PyObject *Py_UNUSED(unused))
{
    MmapObject *object = mmap_object(self);
    if (object->resizing) {
        mmap_raise_absent(object);
        return NULL;
    }
    if (object->map == NULL) {
        Py_RETURN_NONE;
    }
    if (ironmap_busy(object->map)) {
        PyErr_SetString(PyExc_BufferError, "cannot close exported pointers exist");
        return NULL;
    }
    ironmap_error error;
    if (detach_and_close(object, &error) != IRONMAP_OK) {
        return raise_error(NULL, &error, "");
    }
    Py_RETURN_NONE;
}

static int mmap_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    return 0;
}

static void mmap_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    MmapObject *object = mmap_object(self);
    PyObject_GC_UnTrack(self);
    if (object->weakrefs != NULL) {
        PyObject_ClearWeakRefs(self);
    }
    /* Whoever pins, holds or resizes a map has a reference to its object: nobody does any more. An
     * error has nobody to go to. */
    if (object->map != NULL) {
        (void)detach_and_close(object, NULL);
    }
    type->tp_free(self);
    Py_DECREF(type);
}

/* ---- the buffer ---- */

/* The one place where an address of mapped memory leaves the library. Every buffer is a pin, so
 * while there are any, the map can be neither closed nor resized. */
static int mmap_getbuffer(PyObject *self, Py_buffer *view, int flags)
{
    view->obj = NULL;
    ironmap_map *map = mmap_use(self);
    if (map == NULL) {
        return -1;
    }
    if (!ironmap_readable(map)) {
        PyErr_SetString(PyExc_BufferError, "mmap has no read permission");
        return -1;
    }
    if (!mmap_check_damage(map)) {
        return -1;
    }
    if (PyBuffer_FillInfo(view, self, ironmap_data(map), (Py_ssize_t)ironmap_length(map),
                          !ironmap_writable(map), flags) == -1) {
        return -1;
    }
    ironmap_pin(map);
    return 0;
}

static void mmap_releasebuffer(PyObject *self, Py_buffer *Py_UNUSED(view))
{
    ironmap_unpin(mmap_object(self)->map);
}

/* ---- about an object ---- */

static const char *access_name(ironmap_access access)
{
    switch (access) {
    case IRONMAP_ACCESS_READ:
        return "ACCESS_READ";
    case IRONMAP_ACCESS_WRITE:
        return "ACCESS_WRITE";
    case IRONMAP_ACCESS_COPY:
        return "ACCESS_COPY";
    default:
        return "ACCESS_DEFAULT";
    }
}

/* The class itself, the only one whose base is object, names itself as the standard one does, which
 * programs and tests look for. Subclasses have their own name. */
static const char *class_name(PyTypeObject *type)
{
    return type->tp_base == &PyBaseObject_Type ? "mmap.mmap" : type->tp_name;
}

static PyObject *mmap_repr(PyObject *self)
{
    const char *name = class_name(Py_TYPE(self));
    const ironmap_map *map = mmap_object(self)->map;
    if (map == NULL) {
        const char *state = mmap_object(self)->resizing ? "closed=False, resizing" : "closed=True";
        return PyUnicode_FromFormat("<%s %s>", name, state);
    }
    const char *tag = ironmap_tag(map);
    return PyUnicode_FromFormat(
        "<%s closed=False, access=%s, length=%zu, pos=%llu, offset=%llu%s%s%s>", name,
        access_name(ironmap_access_of(map)), ironmap_length(map),
        (unsigned long long)ironmap_tell(map), (unsigned long long)ironmap_offset(map),
        tag == NULL ? "" : ", tagname='", tag == NULL ? "" : tag, tag == NULL ? "" : "'");
}

static PyObject *mmap_get_tagname(PyObject *self, void *Py_UNUSED(closure))
{
    const ironmap_map *map = mmap_use(self);
    if (map == NULL) {
        return NULL;
    }
    const char *tag = ironmap_tag(map);
    return tag == NULL ? Py_NewRef(Py_None) : PyUnicode_FromString(tag);
}

static PyObject *mmap_get_closed(PyObject *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(mmap_object(self)->map == NULL && !mmap_object(self)->resizing);
}

/* ---- the type ---- */

static PyGetSetDef getters[] = {
    {"closed", mmap_get_closed, NULL, "True once the map has been closed.", NULL},
    {"damaged", mmap_get_damaged, NULL,
     "The runs (start, end) of bytes whose pages were lost under a buffer of the map: a tuple,\n"
     "empty if all is well. They read as zeros, and other operations raise FaultError, until\n"
     "clear_damage().",
     NULL},
    {"tagname", mmap_get_tagname, NULL,
     "The name of the memory that the map shares with other processes; None without one.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef members[] = {
    {"__weaklistoffset__", MEMBER_SSIZE, offsetof(MmapObject, weakrefs), MEMBER_READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static const PyType_Slot slots[] = {
    {Py_tp_doc, NULL},     /* stands first; see mmap_type */
    {Py_tp_methods, NULL}, /* stands second */
    {Py_tp_new, AS_SLOT(mmap_new)},
    {Py_tp_dealloc, AS_SLOT(mmap_dealloc)},
    {Py_tp_traverse, AS_SLOT(mmap_traverse)},
    {Py_tp_repr, AS_SLOT(mmap_repr)},
    {Py_tp_getset, getters},
    {Py_tp_members, members},
    {Py_bf_getbuffer, AS_SLOT(mmap_getbuffer)},
    {Py_bf_releasebuffer, AS_SLOT(mmap_releasebuffer)},
    {Py_sq_length, AS_SLOT(mmap_length)},
    {Py_sq_item, AS_SLOT(mmap_item)},
    {Py_sq_ass_item, AS_SLOT(mmap_set_item)},
    {Py_mp_length, AS_SLOT(mmap_length)},
    {Py_mp_subscript, AS_SLOT(mmap_subscript)},
    {Py_mp_ass_subscript, AS_SLOT(mmap_set_subscript)},
    {0, NULL},
};

PyObject *mmap_type(PyObject *module)
{
    PyType_Slot whole[sizeof(slots) / sizeof(slots[0])];
    memcpy(whole, slots, sizeof(slots));
    whole[0].pfunc = AS_SLOT(mmap_doc());
    whole[1].pfunc = mmap_methods();
    PyType_Spec spec = {
        .name = "ironmap.mmap",
        .basicsize = sizeof(MmapObject),
        .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC |
                 Py_TPFLAGS_IMMUTABLETYPE,
        .slots = whole,
    };
    return PyType_FromModuleAndSpec(module, &spec, NULL);
}
