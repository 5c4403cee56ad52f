/* Long work on a map: the map is held and the GIL released. */
#ifndef IRONMAP_EXT_MMAP_LONG_WORK_H
#define IRONMAP_EXT_MMAP_LONG_WORK_H

#include <ironmap/extra.h>

#include "compat.h"
#include "gil.h"

/* Work on this many bytes or more runs without the GIL. Copying a little less costs about as much
 * as releasing and acquiring the GIL. */
#define LONG_WORK_BYTES ((size_t)64 * 1024)

/* Holds the map and releases the GIL. While the map is held, close() and resize() in another thread
 * are a BufferError. */
static inline PyThreadState *mmap_release_gil(ironmap_map *map)
{
    ironmap_hold(map);
    return gil_release();
}

/* As mmap_release_gil for LONG_WORK_BYTES or more. For less it does nothing and returns NULL. */
static inline PyThreadState *mmap_release_gil_for(ironmap_map *map, size_t bytes)
{
    return bytes < LONG_WORK_BYTES ? NULL : mmap_release_gil(map);
}

/* Acquires the GIL and releases the map, if mmap_release_gil or mmap_release_gil_for did the
 * opposite. */
static inline void mmap_acquire_gil(ironmap_map *map, PyThreadState *thread)
{
    if (thread != NULL) {
        gil_acquire(thread);
        ironmap_release(map);
    }
}

#endif /* IRONMAP_EXT_MMAP_LONG_WORK_H */
