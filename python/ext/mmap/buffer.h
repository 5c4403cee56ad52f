/* The buffer of a map: memoryview(m). */
#ifndef IRONMAP_EXT_MMAP_BUFFER_H
#define IRONMAP_EXT_MMAP_BUFFER_H

#include "compat.h"

int mmap_getbuffer(PyObject *self, Py_buffer *view, int flags);
void mmap_releasebuffer(PyObject *self, Py_buffer *view);

#endif /* IRONMAP_EXT_MMAP_BUFFER_H */
