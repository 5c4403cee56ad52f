/* Long work on a map: the map is held and the GIL released. */
#ifndef IRONMAP_EXT_MMAP_LONG_WORK_H
#define IRONMAP_EXT_MMAP_LONG_WORK_H

#include <ironmap/ironmap.h>

#include "compat.h"
#include "gil.h"

/* Work on this many bytes and more lets other threads run meanwhile: a little below it, copying
 * costs what handing the GIL over and back costs. */
#define LONG_WORK_BYTES ((size_t)64 * 1024)

/* Holds the map, so that no other thread can close or resize it (BufferError there), and releases
 * the GIL. */
static inline PyThreadState *mmap_release_gil(ironmap_map *map)
{
    ironmap_hold(map);
    return gil_release();
}

/* As mmap_release_gil if `bytes` are much, else nothing and NULL. */
static inline PyThreadState *mmap_release_gil_for(ironmap_map *map, size_t bytes)
{
    return bytes < LONG_WORK_BYTES ? NULL : mmap_release_gil(map);
}

/* Ends what mmap_release_gil or mmap_release_gil_for began. */
static inline void mmap_acquire_gil(ironmap_map *map, PyThreadState *thread)
{
    if (thread != NULL) {
        gil_acquire(thread);
        ironmap_release(map);
    }
}

#endif /* IRONMAP_EXT_MMAP_LONG_WORK_H */
