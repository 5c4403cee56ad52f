/* The class ironmap.mmap as the files of the extension know it.
 *
 * The order of things in every method, on which the safety of the class rests:
 *   1. mmap_first_look: a closed map is an error before anything else is looked at, where the
 *      running interpreter's own class does it in this order;
 *   2. convert the arguments, which may run Python code that closes or resizes this very map;
 *   3. mmap_use again, and check ranges against the length that the map has now;
 *   4. work, under the GIL if it is short, else held and without it (mmap_let_go). */
#ifndef IRONMAP_EXT_MMAP_OBJECT_H
#define IRONMAP_EXT_MMAP_OBJECT_H

#include <ironmap/ironmap.h>

#include "compat.h"
#include "errors.h"
#include "interrupt.h"

/* ---- the object ---- */

typedef struct {
    PyObject_HEAD ironmap_map *map; /* NULL: closed, or in the hands of a thread that resizes it */
    PyObject *weakrefs;
    bool resizing;  /* a thread resizes the map, without the GIL; it puts the map back */
    bool anonymous; /* made with descriptor -1 */
    bool tracked;   /* made with trackfd=True */
    bool readonly;  /* made for reading only; known after closing, too */
} MmapObject;

static inline MmapObject *mmap_object(PyObject *self)
{
    return (MmapObject *)self;
}

/* Why there is no map: ValueError where it is closed, BufferError while it is resized. */
void mmap_raise_absent(const MmapObject *object);

/* The open map of `self`, or NULL and an exception. Good until Python code may run again. */
static inline ironmap_map *mmap_use(PyObject *self)
{
    ironmap_map *map = mmap_object(self)->map;
    if (map == NULL) {
        mmap_raise_absent(mmap_object(self));
    }
    return map;
}

/* Whether a method may go on to its arguments; an exception where not. */
static inline bool mmap_first_look(PyObject *self)
{
    return ARGUMENTS_COME_FIRST || mmap_use(self) != NULL;
}

/* As mmap_use, for a map that is about to be changed. */
static inline ironmap_map *mmap_use_writable(PyObject *self)
{
    ironmap_map *map = mmap_use(self);
    if (map != NULL && !ironmap_writable(map)) {
        raise_readonly();
        return NULL;
    }
    return map;
}

/* ---- long work ---- */

/* Work on this many bytes and more lets other threads run meanwhile: a little below it, copying
 * costs what handing the GIL over and back costs. */
#define MMAP_LONG_WORK ((size_t)64 * 1024)

/* Holds the map, so that no other thread can close or resize it (BufferError there), and releases
 * the GIL. */
static inline PyThreadState *mmap_let_go(ironmap_map *map)
{
    ironmap_hold(map);
    return interrupt_let_go();
}

/* As mmap_let_go if `bytes` are much, else nothing and NULL. */
static inline PyThreadState *mmap_let_go_for(ironmap_map *map, size_t bytes)
{
    return bytes < MMAP_LONG_WORK ? NULL : mmap_let_go(map);
}

/* Ends what mmap_let_go or mmap_let_go_for began. */
static inline void mmap_take_back(ironmap_map *map, PyThreadState *thread)
{
    if (thread != NULL) {
        interrupt_take_back(thread);
        ironmap_release(map);
    }
}

/* ---- what the files give each other ---- */

/* mmap_object.c */
PyObject *mmap_type(PyObject *module); /* makes the class */
PyObject *mmap_close(PyObject *self, PyObject *unused);
int mmap_close_map(ironmap_map *map, ironmap_error *error); /* without the GIL */

/* mmap_new.c */
PyObject *mmap_new(PyTypeObject *type, PyObject *args, PyObject *kwargs);
bool mmap_has_flags(void); /* whether the system's maps have flags and prot, as on Unix */

/* mmap_items.c */
Py_ssize_t mmap_length(PyObject *self);
PyObject *mmap_item(PyObject *self, Py_ssize_t index);
int mmap_set_item(PyObject *self, Py_ssize_t index, PyObject *value);
PyObject *mmap_subscript(PyObject *self, PyObject *key);
int mmap_set_subscript(PyObject *self, PyObject *key, PyObject *value);

/* mmap_stream.c */
PyObject *mmap_read(PyObject *self, PyObject *const *args, Py_ssize_t count);
PyObject *mmap_read_byte(PyObject *self, PyObject *const *args, Py_ssize_t count);
PyObject *mmap_readinto(PyObject *self, PyObject *target);
PyObject *mmap_write(PyObject *self, PyObject *data);
PyObject *mmap_write_byte(PyObject *self, PyObject *byte);
PyObject *mmap_seek(PyObject *self, PyObject *const *args, Py_ssize_t count);
PyObject *mmap_tell(PyObject *self, PyObject *const *args, Py_ssize_t count);
PyObject *mmap_seekable(PyObject *self, PyObject *unused);

/* mmap_lines.c */
extern PyType_Spec lines_spec;
PyObject *mmap_readline(PyObject *self, PyObject *const *args, Py_ssize_t count);
PyObject *mmap_readlines(PyObject *self, PyObject *const *args, Py_ssize_t count);
PyObject *mmap_lines(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names);

/* mmap_search.c */
PyObject *mmap_find(PyObject *self, PyObject *const *args, Py_ssize_t count);
PyObject *mmap_rfind(PyObject *self, PyObject *const *args, Py_ssize_t count);
PyObject *mmap_count(PyObject *self, PyObject *const *args, Py_ssize_t count);
bool mmap_bounds(PyObject *self, uint64_t *start, uint64_t *end, PyObject *const *args,
                 Py_ssize_t count);

/* mmap_find_all.c */
extern PyType_Spec find_all_spec;
PyObject *mmap_find_all(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names);

/* mmap_memory.c */
PyObject *mmap_flush(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names);
PyObject *mmap_madvise(PyObject *self, PyObject *const *args, Py_ssize_t count);
PyObject *mmap_move(PyObject *self, PyObject *const *args, Py_ssize_t count);
PyObject *mmap_resize(PyObject *self, PyObject *size);
PyObject *mmap_size(PyObject *self, PyObject *unused);
PyObject *mmap_set_name(PyObject *self, PyObject *name);

/* mmap_damage.c */
extern PyType_Spec guarded_spec;
bool mmap_check_damage(const ironmap_map *map); /* false, and FaultError, where it is damaged */
PyObject *mmap_get_damaged(PyObject *self, void *closure);
PyObject *mmap_clear_damage(PyObject *self, PyObject *unused);
PyObject *mmap_guarded(PyObject *self, PyObject *unused);

/* mmap_table.c: what Python sees of all this */
const char *mmap_doc(void); /* with the order of arguments that the system has */
PyMethodDef *mmap_methods(void);

#endif /* IRONMAP_EXT_MMAP_OBJECT_H */
