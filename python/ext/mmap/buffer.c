/* The buffer of a map: memoryview(m). */
#include "mmap/buffer.h"

#include <ironmap/ironmap.h>

#include "mmap/damage.h"
#include "mmap/object.h"

/* Exports the mapped memory. This is the only place that does. Every buffer pins the map, so the
 * map cannot be closed or resized while there are any. */
static int export(PyObject *self, Py_buffer *view, int flags)
{
    ironmap_map *map = mmap_use(self);
    if (map == NULL) {
        return -1;
    }
    if (!ironmap_is_readable(map)) {
        PyErr_SetString(PyExc_BufferError, "mmap has no read permission");
        return -1;
    }
    if (!mmap_check_damage(self, map)) {
        return -1;
    }
    if (PyBuffer_FillInfo(view, self, ironmap_data(map), (Py_ssize_t)ironmap_length(map),
                          !ironmap_is_writable(map), flags) == -1) {
        return -1;
    }
    ironmap_pin(map);
    return 0;
}

int mmap_getbuffer(PyObject *self, Py_buffer *view, int flags)
{
    int status = -1;
    view->obj = NULL;
    IN_SECTION(self, status = export(self, view, flags));
    return status;
}

/* Needs no section: the map stays as long as it is pinned, and unpinning is atomic. */
void mmap_releasebuffer(PyObject *self, Py_buffer *Py_UNUSED(view))
{
    ironmap_unpin(mmap_object(self)->map);
}
