/* Copying inside the map: move(). */
#include "mmap/move.h"

#include "args.h"
#include "errors.h"
#include "mmap/long_work.h"
#include "mmap/object.h"

PyObject *mmap_move(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    Py_ssize_t target = 0;
    Py_ssize_t source = 0;
    Py_ssize_t length = 0;
    if (!mmap_precheck_open(self) || !check_count("move", count, 3, 3) ||
        !convert_size(args[0], &target) || !convert_size(args[1], &source) ||
        !convert_size(args[2], &length)) {
        return NULL;
    }
    ironmap_map *map = mmap_use(self);
    if (map == NULL) {
        return NULL;
    }
    /* The library refuses a read-only map, and negative values, which become very large. */
    ironmap_error error;
    PyThreadState *thread = mmap_release_gil_for(map, (size_t)length);
    int status = ironmap_move(map, (uint64_t)target, (uint64_t)source, (size_t)length, &error);
    mmap_acquire_gil(map, thread);
    if (status != IRONMAP_OK) {
        return raise_error(map, &error, "source, destination, or count out of range");
    }
    Py_RETURN_NONE;
}
