/* Long work that makes a bytes object of what is in a map: slices, read() and lines. */
#ifndef IRONMAP_EXT_MMAP_HELD_READ_H
#define IRONMAP_EXT_MMAP_HELD_READ_H

#include "mmap/hold.h"

/* Reads from the map as it is once it is held. `*bytes` is NULL, and becomes a new object, or stays
 * NULL with an exception. It may stay NULL without one if the status is an error. */
typedef int HeldReader(PyObject **bytes, const Hold *hold, void *context, ironmap_error *error);

/* Holds the map of `self`, and reads. Begins anew if a signal handler has changed the map's shape.
 * NULL with an exception: statuses that mean "out of range" are ValueError(`range_message`). */
COLD PyObject *held_read(PyObject *self, HeldReader *reader, void *context,
                         const char *range_message);

#endif /* IRONMAP_EXT_MMAP_HELD_READ_H */
