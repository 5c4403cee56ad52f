/* The type of the class ironmap.mmap, its attributes and its text form. */
#include "mmap/type.h"

#include <stddef.h>
#include <string.h>

#include "mmap/buffer.h"
#include "mmap/close.h"
#include "mmap/damage.h"
#include "mmap/items.h"
#include "mmap/methods.h"
#include "mmap/new.h"
#include "mmap/object.h"

static const char *access_name(const MmapObject *object)
{
    switch (object->plain ? IRONMAP_SYSTEM : ironmap_map_access(object->map)) {
    case IRONMAP_READ:
        return "ACCESS_READ";
    case IRONMAP_WRITE:
        return "ACCESS_WRITE";
    case IRONMAP_COPY:
        return "ACCESS_COPY";
    default:
        return "ACCESS_DEFAULT";
    }
}

/* The class itself has the name of the standard one, which programs and tests look for. It is the
 * only one whose base is object. Subclasses have their own name. */
static const char *class_name(PyTypeObject *type)
{
    return type->tp_base == &PyBaseObject_Type ? "mmap.mmap" : type->tp_name;
}

/* The tag as repr() shows it: any text may be one. */
static PyObject *repr_tagname(const char *tag)
{
    PyObject *name = PyUnicode_FromString(tag);
    PyObject *text = name == NULL ? NULL : PyUnicode_FromFormat(", tagname=%R", name);
    Py_XDECREF(name);
    return text;
}

/* Formatting text runs no Python code and waits for nothing, so the map stays. */
static PyObject *describe(PyObject *self)
{
    const char *name = class_name(Py_TYPE(self));
    ironmap_map *map = NULL;
    if (!mmap_use_if_open(&map, self)) {
        return NULL;
    }
    if (map == NULL) {
        return PyUnicode_FromFormat("<%s closed=True>", name);
    }
    const char *tag = ironmap_tag(map);
    PyObject *tagname = tag == NULL ? PyUnicode_FromString("") : repr_tagname(tag);
    if (tagname == NULL) {
        return NULL;
    }
    PyObject *text = PyUnicode_FromFormat(
        "<%s closed=False, access=%s, length=%zu, pos=%llu, offset=%llu%U>", name,
        access_name(mmap_object(self)), ironmap_length(map), (unsigned long long)ironmap_tell(map),
        (unsigned long long)ironmap_offset(map), tagname);
    Py_DECREF(tagname);
    return text;
}

static PyObject *mmap_repr(PyObject *self)
{
    PyObject *text = NULL;
    IN_SECTION(self, text = describe(self));
    return text;
}

/* A closed map shares no memory, so it has no tagname. */
static PyObject *tagname_of(PyObject *self)
{
    ironmap_map *map = NULL;
    if (!mmap_use_if_open(&map, self)) {
        return NULL;
    }
    const char *tag = map == NULL ? NULL : ironmap_tag(map);
    return tag == NULL ? Py_NewRef(Py_None) : PyUnicode_FromString(tag);
}

static PyObject *mmap_get_tagname(PyObject *self, void *Py_UNUSED(closure))
{
    PyObject *tagname = NULL;
    IN_SECTION(self, tagname = tagname_of(self));
    return tagname;
}

static PyObject *mmap_get_closed(PyObject *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(mmap_is_closed(self));
}

/* ---- the type ---- */

static PyGetSetDef getters[] = {
    {"closed", mmap_get_closed, NULL, "True once the map has been closed.", NULL},
    {"damaged", mmap_get_damaged, NULL,
     "The ranges (start, end) of bytes whose pages were lost under a buffer of the map.\n\n"
     "A tuple, in bytes from the start of the map; empty without damage, and once the map is\n"
     "closed. Until clear_damage() these bytes read as zeros through buffers, and other\n"
     "operations raise FaultError.",
     NULL},
    {"tagname", mmap_get_tagname, NULL,
     "The name of the memory that the map shares with other processes. None without a name, and\n"
     "once the map is closed.",
     NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef members[] = {
    {"__weaklistoffset__", MEMBER_SSIZE, offsetof(MmapObject, weakrefs), MEMBER_READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static const PyType_Slot slots[] = {
    {Py_tp_doc, NULL},     /* [0], set by mmap_type */
    {Py_tp_methods, NULL}, /* [1], set by mmap_type */
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
