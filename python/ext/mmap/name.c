/* The name that the system shows for the memory: set_name(). */
#include "mmap/name.h"

#include <string.h>

#include "errors.h"
#include "gil.h"
#include "mmap/hold.h"
#include "mmap/object.h"

/* The prefix of names that Python programs give, which tools that show a process's memory look for.
 */
#define NAME_PREFIX "cpython:mmap:"
enum { NAME_MAX_LENGTH = IRONMAP_NAME_MAX - (sizeof(NAME_PREFIX) - 1) };

static PyObject *set_name(PyObject *self, PyObject *name)
{
    const ironmap_map *map = mmap_use(self);
    if (map == NULL) {
        return NULL;
    }
    if (!PyUnicode_Check(name)) {
        return PyErr_Format(PyExc_TypeError, "set_name() argument must be str, not %.50s",
                            Py_TYPE(name)->tp_name);
    }
    Py_ssize_t length = 0;
    const char *text = PyUnicode_AsUTF8AndSize(name, &length);
    /* Converting the text may have blocked. */
    if (text == NULL || (map = mmap_use(self)) == NULL) {
        return NULL;
    }
    const char *message = strlen(text) != (size_t)length ? "embedded null character"
                          : length > NAME_MAX_LENGTH     ? "name is too long"
                          : !mmap_object(self)->anonymous || ironmap_tag(map) != NULL
                              ? "Cannot set annotation on non-anonymous mappings"
                              : NULL;
    if (message != NULL) {
        PyErr_SetString(PyExc_ValueError, message);
        return NULL;
    }
    char whole[IRONMAP_NAME_MAX + 1] = NAME_PREFIX;
    memcpy(whole + sizeof(NAME_PREFIX) - 1, text, (size_t)length + 1);
    Hold hold;
    /* The system waits for other threads that change the process's memory map. */
    if (!hold_begin(&hold, self, LOCK_LOOK)) {
        return NULL;
    }
    gil_release();
    /* A name is only information. If the system has no names, or does not take this one, that is no
     * error, as in the standard module. */
    (void)ironmap_set_name(hold.map, whole, NULL);
    gil_acquire();
    hold_end(&hold);
    Py_RETURN_NONE;
}

PyObject *mmap_set_name(PyObject *self, PyObject *name)
{
    PyObject *result = NULL;
    IN_SECTION(self, result = set_name(self, name));
    return result;
}
