/* What is done when a map has been closed. */
#include "mmap/end.h"

#include <string.h>

#include "errors.h"

/* Unmapping much memory is slow, and so is closing the last descriptor of a deleted file. */
int mmap_close_map(ironmap_map *map, ironmap_error *error)
{
    PyThreadState *thread = PyEval_SaveThread();
    int status = ironmap_close(map, error);
    PyEval_RestoreThread(thread);
    return status;
}

/* The name of the file of a map whose addresses will be kept, for a use that is told much later.
 * NULL if it has none, or if memory is out. */
static char *name_to_keep(const ironmap_map *map)
{
    char name[sizeof(((Fault *)NULL)->name)];
    if (!ironmap_was_exported(map) ||
        ironmap_file_path(map, name, sizeof(name), NULL) != IRONMAP_OK) {
        return NULL;
    }
    size_t size = strlen(name) + 1;
    char *kept = PyMem_RawMalloc(size);
    if (kept != NULL) {
        memcpy(kept, name, size);
    }
    return kept;
}

/* An array may still use an address that was exported: numpy gives its buffer back at once. So
 * these addresses are kept as long as the object, to which such an array has a reference. */
void mmap_end(MmapObject *object)
{
    ironmap_map *map = object->ended;
    ironmap_reservation *kept = NULL;
    object->ended = NULL;
    PyThreadState *thread = PyEval_SaveThread();
    char *name = name_to_keep(map);
    (void)ironmap_close_reserving(&kept, map, NULL);
    PyEval_RestoreThread(thread);
    object->kept = kept;
    object->kept_name = name;
}
