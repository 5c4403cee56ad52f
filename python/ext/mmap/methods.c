/* What Python sees of the class: the names, signatures and documentation of its methods. */
#include "mmap/methods.h"

#include <ironmap/extra.h>
#include <string.h>

#include "constants.h"
#include "find_all.h"
#include "guarded.h"
#include "lines.h"
#include "mmap/advise.h"
#include "mmap/close.h"
#include "mmap/damage.h"
#include "mmap/flush.h"
#include "mmap/move.h"
#include "mmap/name.h"
#include "mmap/object.h"
#include "mmap/readline.h"
#include "mmap/resize.h"
#include "mmap/search.h"
#include "mmap/stream.h"

#define SIGNATURE_WITH_FLAGS                                                                       \
    "mmap(fileno, length, flags=MAP_SHARED, prot=PROT_WRITE|PROT_READ, access=ACCESS_DEFAULT, "    \
    "offset=0, *, trackfd=True, preallocate=False, tagname=None)\n"                                \
    "--\n\n"
#define SIGNATURE_WITHOUT_FLAGS                                                                    \
    "mmap(fileno, length, tagname=None, access=ACCESS_DEFAULT, offset=0, *, trackfd=True, "        \
    "preallocate=False)\n"                                                                         \
    "--\n\n"
#define DOCUMENTATION                                                                              \
    "A map of a file in memory, which behaves like a bytearray and like a file object.\n\n"        \
    "Maps `length` bytes of the file that the descriptor `fileno` is open for, from byte\n"        \
    "`offset`. Length 0 maps from the offset to the file's present end. Any offset works.\n"       \
    "The descriptor stays the caller's to close, and the map stays valid after that.\n"            \
    "`fileno` -1 maps new memory, all zero, which a child of fork shares.\n\n"                     \
    "access=ACCESS_READ, ACCESS_WRITE or ACCESS_COPY says what writes do: they are an\n"           \
    "error, they change memory and file, or they change memory only. Instead, the system's\n"      \
    "own `flags` (MAP_*) and `prot` (PROT_*) can be given, but not both. With trackfd=False\n"     \
    "the map keeps no duplicate of the descriptor, and size() and resize() do not work.\n"         \
    "With preallocate=True the file is extended to the end of the range, and its blocks are\n"     \
    "reserved on the disk, now and in every resize(). A full disk is then an OSError here\n"       \
    "and not a lost page later.\n\n"                                                               \
    "`tagname` names memory that processes share. With `fileno` -1, the memory of that name\n"     \
    "is mapped if it exists (length 0 maps all of it), and otherwise created. It exists\n"         \
    "until its last map is closed or the process that has it ends. A name is any text of 1 to\n"   \
    "200 bytes in UTF-8, on Windows what the system takes. A map of a file with a tagname\n"       \
    "shares the tag with other maps of that file. FileExistsError if the tag is in use with\n"     \
    "another file or none. Maps with a tagname cannot be resized.\n\n"                             \
    "ValueError if the file is empty or ends before the range, OverflowError for a negative\n"     \
    "length or offset, OSError if the system refuses. If a page is unavailable because the\n"      \
    "file was truncated, the disk fails or the disk is full, the operation that needs the\n"       \
    "page raises FaultError, and the map stays usable. For buffers of the map, see\n"              \
    "`damaged`.\n\n"                                                                               \
    "Threads may share a map: their operations come one after the other. Work on more than\n"      \
    "some tens of kilobytes runs without the GIL. Readers run together. Stores, close() and\n"     \
    "resize() wait for them, and what comes later waits for these. A signal handler that runs\n"   \
    "while a thread works on a map may use the same map."

const char *mmap_doc(void)
{
    return system_has_flags() ? SIGNATURE_WITH_FLAGS DOCUMENTATION
                              : SIGNATURE_WITHOUT_FLAGS DOCUMENTATION;
}

static PyObject *enter_block(PyObject *self, PyObject *Py_UNUSED(unused))
{
    return mmap_check_open(self) ? Py_NewRef(self) : NULL;
}

static PyObject *size_of(PyObject *self)
{
    const MmapObject *object = mmap_object(self);
    ironmap_map *map = NULL;
    if (!mmap_use_if_open(&map, self)) {
        return NULL;
    }
    size_t size = (size_t)Py_TYPE(self)->tp_basicsize;
    size += map == NULL ? 0 : ironmap_overhead(map);
    size += object->kept == NULL ? 0 : ironmap_reservation_overhead(object->kept);
    size += object->kept_name == NULL ? 0 : strlen(object->kept_name) + 1;
    return PyLong_FromSize_t(size);
}

static PyObject *size_in_memory(PyObject *self, PyObject *Py_UNUSED(unused))
{
    PyObject *size = NULL;
    IN_SECTION(self, size = size_of(self));
    return size;
}

/* Methods without arguments are METH_NOARGS: CPython specialises `m.tell()` for these only. Methods
 * that were looked up before it specialises for METH_FASTCALL only, and calls these more slowly, as
 * it does those of the standard module. */
static PyMethodDef methods[] = {
    /* [0], which mmap_methods() skips on Windows. */
    {"madvise", AS_METHOD(mmap_madvise), METH_FASTCALL,
     "madvise($self, option, start=0, length=None, /)\n--\n\n"
     "Advise the system how `length` bytes from offset `start` will be used.\n\n"
     "`option` is one of MADV_*. Without `length`, or with None, the range ends at the end of the\n"
     "map. The range is widened to whole pages. ValueError if `start` lies outside the map or\n"
     "`length` is negative, OverflowError if `length` is too large, OSError if the system\n"
     "refuses."},
    {"close", mmap_close, METH_NOARGS,
     "close($self, /)\n--\n\n"
     "Unmap the memory. Afterwards only the attributes, repr(), seekable() and close() work.\n\n"
     "All other operations then raise ValueError. Changes of a shared map reach the file later,\n"
     "when the system writes them. Call flush() first to make them durable: an error of the\n"
     "system at closing is ignored, as by the standard module. BufferError while a buffer of\n"
     "the map exists. Waits for other threads that work on the map. FaultError if pages were lost\n"
     "under a buffer and nothing has told so before: no FaultError, no look at `damaged`. The map\n"
     "is closed all the same. For a map that is collected, the FaultError goes to\n"
     "sys.unraisablehook."},
    {"clear_damage", mmap_clear_damage, METH_NOARGS,
     "clear_damage($self, /)\n--\n\n"
     "Clear the damage, so that operations work again.\n\n"
     "The file's pages replace the zeros. A page that is still unavailable is lost again at the\n"
     "next access. io.UnsupportedOperation for a damaged map with trackfd=False, which stays\n"
     "damaged."},
    {"guarded", mmap_guarded, METH_NOARGS,
     "guarded($self, /)\n--\n\n"
     "Return a context manager that raises FaultError if a page is lost in its block.\n\n"
     "The error is raised at the end of the block, and at its start if the map is damaged\n"
     "already. Use it around code that works on a buffer of the map (re, numpy, struct, hashlib),\n"
     "for which a lost page reads as zeros: with m.guarded(): found = pattern.search(m)\n\n"
     "A system call on a page behind the end of a truncated file, as in os.write(fd, m), is an\n"
     "OSError with errno EFAULT. If it leaves the block, FaultError is raised from it."},
    {"find", AS_METHOD(mmap_find), METH_FASTCALL,
     "find($self, view, start=None, end=None, /)\n--\n\n"
     "Return the lowest index in [start, end) at which `view` occurs, or -1.\n\n"
     "`view` is a bytes-like object that must lie wholly inside the range. `start` and `end` are\n"
     "offsets in bytes, as in slices. They default to the position and the end of the map."},
    {"rfind", AS_METHOD(mmap_rfind), METH_FASTCALL,
     "rfind($self, view, start=None, end=None, /)\n--\n\n"
     "Return the highest index in [start, end) at which `view` occurs, or -1.\n\n"
     "`view` is a bytes-like object that must lie wholly inside the range. `start` and `end` are\n"
     "offsets in bytes, as in slices. They default to the position and the end of the map."},
    {"count", AS_METHOD(mmap_count), METH_FASTCALL,
     "count($self, view, start=None, end=None, /)\n--\n\n"
     "Return how often `view` occurs in [start, end), without overlaps.\n\n"
     "`view` is a bytes-like object. `start` and `end` are offsets in bytes, as in slices. They\n"
     "default to the whole map. b'' occurs at every byte and after the last one, as in bytes."},
    {"find_all", AS_METHOD(mmap_find_all), METH_FASTCALL | METH_KEYWORDS,
     "find_all($self, view, start=None, end=None, /, *, overlapping=False)\n--\n\n"
     "Return an iterator over the indexes in [start, end) at which `view` occurs.\n\n"
     "`view` is a bytes-like object. `start` and `end` are offsets in bytes, as in slices. They\n"
     "default to the whole map. The indexes are ascending. Matches that overlap an earlier match\n"
     "are left out unless `overlapping` is true. The iterator searches ahead in small batches, "
     "and\n"
     "does not use the position. ValueError from the iterator once the map is closed."},
    {"flush", AS_METHOD(mmap_flush), METH_FASTCALL | METH_KEYWORDS,
     "flush($self, offset=0, size=-1, /, *, flags=0)\n--\n\n"
     "Write changes in `size` bytes from `offset` to the disk. Size -1 means to the end.\n\n"
     "The changes are durable when flush() returns, unless `flags` (MS_*) ask for less. The range\n"
     "is widened to whole pages. ValueError if it lies outside the map, OSError if the system\n"
     "refuses or the disk fails. Other threads run meanwhile."},
    {"move", AS_METHOD(mmap_move), METH_FASTCALL,
     "move($self, dest, src, count, /)\n--\n\n"
     "Copy `count` bytes from offset `src` to offset `dest`. The two ranges may overlap.\n\n"
     "ValueError if a range lies outside the map, TypeError if the map is read-only."},
    {"read", AS_METHOD(mmap_read), METH_FASTCALL,
     "read($self, n=None, /)\n--\n\n"
     "Read up to `n` bytes from the position as bytes, and advance the position.\n\n"
     "Without `n`, with None or with a negative number, read to the end. b'' at the end."},
    {"read_byte", mmap_read_byte, METH_NOARGS,
     "read_byte($self, /)\n--\n\n"
     "Read the byte at the position as an int, and advance the position.\n\n"
     "ValueError at the end."},
    {"readinto", mmap_readinto, METH_O,
     "readinto($self, buffer, /)\n--\n\n"
     "Read bytes from the position into `buffer`, and return their number.\n\n"
     "`buffer` is a writable bytes-like object, which is filled unless the map ends before. It "
     "may\n"
     "be memory of the same map. The position advances. 0 at the end."},
    {"readline", mmap_readline, METH_NOARGS,
     "readline($self, /)\n--\n\n"
     "Read the line at the position, with its newline, and advance the position.\n\n"
     "Only the last line can lack the newline. b'' at the end."},
    {"readlines", AS_METHOD(mmap_readlines), METH_FASTCALL,
     "readlines($self, hint=-1, /)\n--\n\n"
     "Read lines from the position, and return them as a list.\n\n"
     "With a `hint` above 0, stop once the lines have more than `hint` bytes; otherwise read to\n"
     "the end. The position advances by the lines that are returned. If a page is lost, the\n"
     "position does not change."},
    {"lines", AS_METHOD(mmap_lines), METH_FASTCALL | METH_KEYWORDS,
     "lines($self, start=0, end=None, /, *, keepends=True)\n--\n\n"
     "Return an iterator over the lines in [start, end).\n\n"
     "`start` and `end` are offsets in bytes, as in slices. They default to the whole map, with\n"
     "its length at the time of the call. Each line is bytes. With keepends=False its b'\\n' is\n"
     "left out. A last line without a newline counts as a line. The position is not used.\n\n"
     "Each line is read when the iterator is asked for it. The iteration ends where the map ends,\n"
     "if that was resized. ValueError once the map is closed. After a FaultError the next step\n"
     "tries the same line again."},
    {"resize", mmap_resize, METH_O,
     "resize($self, newsize, /)\n--\n\n"
     "Make the map, and its file if it has one, `newsize` bytes long.\n\n"
     "New bytes are zero. TypeError for read-only, copy-on-write and tagged maps. ValueError with\n"
     "trackfd=False, and for a shared anonymous map that the system cannot make longer. OSError\n"
     "for `newsize` 0, or if the system refuses; map and file are then unchanged. BufferError\n"
     "while a buffer of the map exists or another thread works on the map."},
    {"seek", AS_METHOD(mmap_seek), METH_FASTCALL,
     "seek($self, pos, whence=0, /)\n--\n\n"
     "Set the position in bytes and return it.\n\n"
     "`pos` counts from the start (whence 0), the position (1) or the end (2). ValueError if the\n"
     "new position lies outside the map."},
    {"seekable", mmap_seekable, METH_NOARGS,
     "seekable($self, /)\n--\n\n"
     "Return True: the position of a map can be set."},
    {"set_name", mmap_set_name, METH_O,
     "set_name($self, name, /)\n--\n\n"
     "Name an anonymous map for tools that show the memory of a process.\n\n"
     "On Linux, /proc/PID/maps shows the name as cpython:mmap:NAME. Nothing happens on systems\n"
     "without such names. ValueError for the map of a file, and for more than 66 bytes."},
    {"size", mmap_size, METH_NOARGS,
     "size($self, /)\n--\n\n"
     "Return the length of the file in bytes, which can differ from the length of the map.\n\n"
     "For an anonymous map, return its own length. io.UnsupportedOperation with trackfd=False."},
    {"tell", mmap_tell, METH_NOARGS,
     "tell($self, /)\n--\n\n"
     "Return the position, in bytes from the start of the map."},
    {"write", mmap_write, METH_O,
     "write($self, bytes, /)\n--\n\n"
     "Write `bytes`, a bytes-like object, at the position, and return their number.\n\n"
     "The position advances. ValueError, with nothing written, if they do not fit. TypeError if\n"
     "the map is read-only."},
    {"write_byte", mmap_write_byte, METH_O,
     "write_byte($self, byte, /)\n--\n\n"
     "Write one byte at the position, and advance the position.\n\n"
     "`byte` is an integer in range(256) or a bytes-like object of length 1. OverflowError for\n"
     "other integers, ValueError at the end, TypeError if the map is read-only."},
    {"__enter__", enter_block, METH_NOARGS,
     "__enter__($self, /)\n--\n\n"
     "Return the map itself."},
    {"__exit__", AS_METHOD(mmap_exit), METH_FASTCALL,
     "__exit__($self, exc_type, exc_value, traceback, /)\n--\n\n"
     "Close the map.\n\n"
     "An exception that leaves the block is never replaced. FaultError for damage then goes to\n"
     "sys.unraisablehook. A map that is in use stays open, with a ResourceWarning."},
    {"__sizeof__", size_in_memory, METH_NOARGS,
     "__sizeof__($self, /)\n--\n\n"
     "Return the memory that the map takes beside its pages, in bytes.\n\n"
     "It counts all that the library keeps for the map, also after close(), but no addresses\n"
     "that are only reserved. It is less than 1 KiB, for a map of any length. If single pages of\n"
     "more than 64 were lost, it is up to a page and a 15000th of the length more."},
    {NULL, NULL, 0, NULL},
};

/* Windows has no MADV_*. Programs find that out by the missing method. */
PyMethodDef *mmap_methods(void)
{
    return system_has_flags() ? methods : methods + 1;
}
