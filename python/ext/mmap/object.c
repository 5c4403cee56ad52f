/* The object of the class ironmap.mmap. */
#include "mmap/object.h"

#include "errors.h"

void mmap_raise_not_open(const MmapObject *object)
{
    if (object->resizing) {
        PyErr_SetString(PyExc_BufferError, "mmap is being resized by another thread");
    } else {
        raise_closed();
    }
}
