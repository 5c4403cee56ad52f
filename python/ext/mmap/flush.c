/* Writing changes to the disk: flush(). */
#include "mmap/flush.h"

#include <errno.h>
#include <stddef.h>

#include "args.h"
#include "constants.h"
#include "errors.h"
#include "gil.h"
#include "mmap/hold.h"
#include "mmap/object.h"

/* The arguments of flush(), in bytes. Size -1 means to the end. */
typedef struct {
    Py_ssize_t offset;
    Py_ssize_t size;
    int flags;
} Flush;

static const Parameter keywords[] = {{"flags", PARAMETER_INT, offsetof(Flush, flags)}};
static const Signature signature = {.function = "flush", .parameters = keywords, .count = 1};

static bool flush_arguments(PyObject *self, Flush *flush, PyObject *const *args, Py_ssize_t count,
                            PyObject *names)
{
    *flush = (Flush){.size = -1};
    return check_count("flush", count, 0, 2) &&
           (count < 1 || convert_size(args[0], &flush->offset)) &&
           (FLUSH_SIZE_COMES_FIRST || mmap_check_open(self)) &&
           (count < 2 || convert_optional_size(args[1], &flush->size)) &&
           convert_keywords(flush, &signature, args + count, names);
}

/* True if the range lies inside the map. Negative values become so large that it does not. */
static bool is_inside(const Flush *flush, const ironmap_map *map)
{
    size_t length = ironmap_length(map);
    size_t offset = (size_t)flush->offset;
    return offset <= length && (flush->size == -1 || (size_t)flush->size <= length - offset);
}

/* True if the standard module would get an error from the system: for flags beyond the system's
 * own, and for an anonymous map from an offset inside a page. Portable tests rely on the second.
 * Maps of files can be flushed from any byte. Maps without stores to write never ask the system. */
static bool flush_refused(const Flush *flush, const MmapObject *object)
{
    ironmap_access access = ironmap_map_access(object->map);
    if (access == IRONMAP_READ || access == IRONMAP_COPY) {
        return false;
    }
    return flush->flags < 0 || flush->flags > SYSTEM_BITS ||
           (object->anonymous && (size_t)flush->offset % ironmap_page_size() != 0);
}

static PyObject *flush_map(PyObject *self, const Flush *flush)
{
    ironmap_map *map = mmap_use(self);
    if (map == NULL) {
        return NULL;
    }
    size_t size = flush->size == -1 ? IRONMAP_TO_END : (size_t)flush->size;
    if (is_inside(flush, map) && flush_refused(flush, mmap_object(self))) {
        return raise_errno(EINVAL);
    }
    Hold hold;
    ironmap_error error;
    if (!hold_begin(&hold, self, LOCK_LOOK)) {
        return NULL;
    }
    gil_release();
    int status = ironmap_flush(hold.map, (uint64_t)flush->offset, size, flush->flags, &error);
    gil_acquire();
    hold_end(&hold);
    if (status != IRONMAP_OK) {
        return raise_error(self, hold.map, &error, "flush values out of range");
    }
    Py_RETURN_NONE;
}

PyObject *mmap_flush(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    Flush flush;
    if (!mmap_precheck_open(self) || !flush_arguments(self, &flush, args, count, names)) {
        return NULL;
    }
    PyObject *result = NULL;
    IN_SECTION(self, result = flush_map(self, &flush));
    return result;
}
