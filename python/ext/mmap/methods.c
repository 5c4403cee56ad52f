/* What Python sees of the class: the names, signatures and documentation of its methods. */
#include "mmap/methods.h"

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
    "A file in memory, which behaves like a bytearray and like a file object.\n\n"                 \
    "Maps `length` bytes of the file that the descriptor `fileno` is open for, from the byte\n"    \
    "`offset` on; length 0 takes what there is up to the file's present end. Any offset will\n"    \
    "do. The descriptor stays yours to close, and the map outlives its closing. `fileno` -1\n"     \
    "maps fresh memory, all zero, which a child of fork shares.\n\n"                               \
    "access=ACCESS_READ, ACCESS_WRITE or ACCESS_COPY says what may be done: read only, write\n"    \
    "memory and file, write memory only. In its place the system's own `flags` (MAP_*) and\n"      \
    "`prot` (PROT_*) may be given, not both. trackfd=False saves the duplicate of the\n"           \
    "descriptor that a map keeps; size() and resize() then do not work. preallocate=True makes\n"  \
    "the file as long as the range and reserves its blocks on the disk, now and at every\n"        \
    "resize(), so that a full disk is an OSError there and not a lost page later.\n\n"             \
    "`tagname` names memory that processes share: with `fileno` -1 the memory of that name is\n"   \
    "mapped if there is such, all of it if the length is 0, and else made. It is gone with its\n"  \
    "last map, also where processes are killed. A name is 1 to 120 of A-Z a-z 0-9 . _ - and\n"     \
    "does not begin with a full stop. A map of a file with a tagname shares the tag with other\n"  \
    "maps of that file (FileExistsError with another or none). Such maps cannot be resized.\n\n"   \
    "Raises ValueError if the file is empty or ends before the range, OverflowError for a\n"       \
    "negative length or offset, OSError for what the system refuses. A page that cannot be had\n"  \
    "(the file was cut short, the disk fails or is full) is a FaultError from the operation\n"     \
    "that needs it; the map stays usable. See `damaged` for buffers of the map.\n\n"               \
    "Threads may share a map. Work on more than some tens of kilobytes does not stop the\n"        \
    "others; close() and resize() are a BufferError while another thread is at such work, as\n"    \
    "they are while a memoryview or another buffer of the map is alive. These two do not stop\n"   \
    "the others either: while one thread resizes the map, everything but `closed` and repr() is\n" \
    "a BufferError in the others; once one closes it, it is closed for all. In a child of\n"       \
    "fork, a map that another thread was just working on or resizing stays busy."

const char *mmap_doc(void)
{
    return system_has_flags() ? SIGNATURE_WITH_FLAGS DOCUMENTATION
                              : SIGNATURE_WITHOUT_FLAGS DOCUMENTATION;
}

static PyObject *enter(PyObject *self, PyObject *Py_UNUSED(unused))
{
    return mmap_use(self) == NULL ? NULL : Py_NewRef(self);
}

static PyObject *leave(PyObject *self, PyObject *const *Py_UNUSED(args), Py_ssize_t Py_UNUSED(n))
{
    return mmap_close(self, NULL);
}

static PyObject *size_of(PyObject *self, PyObject *Py_UNUSED(unused))
{
    const ironmap_map *map = mmap_object(self)->map;
    size_t size = (size_t)Py_TYPE(self)->tp_basicsize;
    return PyLong_FromSize_t(map == NULL ? size : size + ironmap_overhead(map));
}

/* read_byte, readline and tell take no arguments, and are called in loops: in the manner of those
 * that take some, they are called without a detour by the interpreters that specialise calls. */
static PyMethodDef methods[] = {
    /* Stands first, see mmap_methods(). */
    {"madvise", AS_METHOD(mmap_madvise), METH_FASTCALL,
     "madvise($self, option, start=0, length=None, /)\n--\n\n"
     "Advise the system about `length` bytes from `start`; `option` is one of MADV_*.\n\n"
     "Without `length`, to the end. ValueError if `start` lies outside the map, OSError for\n"
     "what the system refuses."},
    {"close", mmap_close, METH_NOARGS,
     "close($self, /)\n--\n\n"
     "Unmap. Everything but `closed`, repr() and close() is a ValueError afterwards.\n\n"
     "Changes of a shared map reach the file, in the system's own time; flush() first makes\n"
     "them durable. BufferError while a buffer of the map is alive or another thread works on\n"
     "it."},
    {"clear_damage", mmap_clear_damage, METH_NOARGS,
     "clear_damage($self, /)\n--\n\n"
     "Forget the damage, so that operations go on.\n\n"
     "The file's pages are back in the place of the zeros; one that still cannot be had is\n"
     "lost again by the next access. io.UnsupportedOperation for a damaged map with\n"
     "trackfd=False, which stays damaged."},
    {"guarded", mmap_guarded, METH_NOARGS,
     "guarded($self, /)\n--\n\n"
     "Return a context manager that raises FaultError at its end if a page was lost inside it.\n\n"
     "For code that reads or writes a buffer of the map (re, numpy, struct, hashlib), to which\n"
     "a lost page is zeros: with m.guarded(): found = pattern.search(m)"},
    {"find", AS_METHOD(mmap_find), METH_FASTCALL,
     "find($self, view, start=None, end=None, /)\n--\n\n"
     "Return the lowest index in [start, end) at which the bytes-like `view` is found, or -1.\n\n"
     "`start` and `end` are as in slices; by default from the position to the end."},
    {"rfind", AS_METHOD(mmap_rfind), METH_FASTCALL,
     "rfind($self, view, start=None, end=None, /)\n--\n\n"
     "Return the highest index in [start, end) at which the bytes-like `view` is found, or -1.\n\n"
     "`start` and `end` are as in slices; by default from the position to the end."},
    {"count", AS_METHOD(mmap_count), METH_FASTCALL,
     "count($self, view, start=None, end=None, /)\n--\n\n"
     "Return how often the bytes-like `view` is found in [start, end), without overlapping.\n\n"
     "`start` and `end` are as in slices; by default the whole map. b'' is found at every byte\n"
     "and behind the last one, as in bytes."},
    {"find_all", AS_METHOD(mmap_find_all), METH_FASTCALL | METH_KEYWORDS,
     "find_all($self, view, start=None, end=None, /, *, overlapping=False)\n--\n\n"
     "Return an iterator over the indexes in [start, end) at which the bytes-like `view` is "
     "found.\n\n"
     "Ascending, and found as they are asked for, some at once. `start` and `end` are as in\n"
     "slices; by default the whole map. Two that share bytes are both found only if\n"
     "`overlapping`. The position stays. Going on after the map was closed is ValueError."},
    {"flush", AS_METHOD(mmap_flush), METH_FASTCALL | METH_KEYWORDS,
     "flush($self, offset=0, size=-1, /, *, flags=0)\n--\n\n"
     "Write changes in `size` bytes from `offset` to the disk; -1 is to the end.\n\n"
     "Has them durable on return, unless `flags` (MS_*) ask for less. ValueError for a range\n"
     "outside the map, OSError if the disk fails. Other threads run meanwhile."},
    {"move", AS_METHOD(mmap_move), METH_FASTCALL,
     "move($self, dest, src, count, /)\n--\n\n"
     "Copy `count` bytes from offset `src` to offset `dest`; the two may overlap.\n\n"
     "ValueError if either lies outside the map, TypeError if it is read-only."},
    {"read", AS_METHOD(mmap_read), METH_FASTCALL,
     "read($self, n=None, /)\n--\n\n"
     "Return up to `n` bytes from the position, which moves on.\n\n"
     "Without `n`, with None or a negative number: all bytes to the end. b'' at the end."},
    {"read_byte", AS_METHOD(mmap_read_byte), METH_FASTCALL,
     "read_byte($self, /)\n--\n\n"
     "Return the byte at the position as an integer. The position moves on.\n\n"
     "ValueError at the end."},
    {"readinto", mmap_readinto, METH_O,
     "readinto($self, buffer, /)\n--\n\n"
     "Read bytes from the position, which moves on, into `buffer`; return their number.\n\n"
     "As many as `buffer` has room for, 0 at the end. It may be memory of this very map."},
    {"readline", AS_METHOD(mmap_readline), METH_FASTCALL,
     "readline($self, /)\n--\n\n"
     "Return the line at the position, with its newline. The position moves on.\n\n"
     "The last line may lack the newline. b'' at the end."},
    {"readlines", AS_METHOD(mmap_readlines), METH_FASTCALL,
     "readlines($self, hint=-1, /)\n--\n\n"
     "Return a list of the lines from the position, which moves on.\n\n"
     "With a `hint` above 0, no more lines are read once they have more than that many bytes\n"
     "altogether; else all, to the end. Where a page is lost, the position stays."},
    {"lines", AS_METHOD(mmap_lines), METH_FASTCALL | METH_KEYWORDS,
     "lines($self, start=0, end=None, /, *, keepends=True)\n--\n\n"
     "Return an iterator of the lines in [start, end), whose bounds are as in slices.\n\n"
     "By default those of the whole map, as long as it is now. A last line without a newline\n"
     "counts; without `keepends`, the b'\\n' at the end of a line is left out. The position has\n"
     "no part in it.\n\n"
     "Each line is read when it is asked for, as the map is then. The map may be resized\n"
     "meanwhile: where it ends before the next line, the iteration is over. It may be closed:\n"
     "ValueError. After a FaultError the iterator stands where it stood, and the next step tries\n"
     "that line again."},
    {"resize", mmap_resize, METH_O,
     "resize($self, newsize, /)\n--\n\n"
     "Make the map, and its file if it has one, `newsize` bytes long.\n\n"
     "New bytes are zero. TypeError for read-only and copy-on-write maps, ValueError with\n"
     "trackfd=False and for a shared anonymous map that would have to grow, OSError if the\n"
     "system refuses (map and file are then unchanged), BufferError while a buffer of the map\n"
     "is alive or another thread works on it."},
    {"seek", AS_METHOD(mmap_seek), METH_FASTCALL,
     "seek($self, pos, whence=0, /)\n--\n\n"
     "Set the position and return it.\n\n"
     "`pos` counts from the start (whence 0), the position (1) or the end (2). ValueError\n"
     "outside the map."},
    {"seekable", mmap_seekable, METH_NOARGS,
     "seekable($self, /)\n--\n\n"
     "Return True: a map has a position that can be set."},
    {"set_name", mmap_set_name, METH_O,
     "set_name($self, name, /)\n--\n\n"
     "Name an anonymous map for tools that show the memory of a process.\n\n"
     "On Linux, /proc/PID/maps shows it as cpython:mmap:NAME. Where the system has no such\n"
     "names nothing happens. ValueError for the map of a file and for more than 66 bytes."},
    {"size", mmap_size, METH_NOARGS,
     "size($self, /)\n--\n\n"
     "Return the length of the file in bytes, which can differ from that of the map.\n\n"
     "Of an anonymous map, its own length. io.UnsupportedOperation with trackfd=False."},
    {"tell", AS_METHOD(mmap_tell), METH_FASTCALL,
     "tell($self, /)\n--\n\n"
     "Return the position, in bytes from the start of the map."},
    {"write", mmap_write, METH_O,
     "write($self, bytes, /)\n--\n\n"
     "Store the bytes-like `bytes` at the position, which moves on, and return their number.\n\n"
     "ValueError, and nothing stored, if they do not fit; TypeError if the map is read-only."},
    {"write_byte", mmap_write_byte, METH_O,
     "write_byte($self, byte, /)\n--\n\n"
     "Store one byte at the position, which moves on.\n\n"
     "`byte` is an integer in range(256) or a bytes-like object of length 1. ValueError at the\n"
     "end, TypeError if the map is read-only."},
    {"__enter__", enter, METH_NOARGS, "__enter__($self, /)\n--\n\nReturn the map itself."},
    {"__exit__", AS_METHOD(leave), METH_FASTCALL,
     "__exit__($self, exc_type, exc_value, traceback, /)\n--\n\nClose the map."},
    {"__sizeof__", size_of, METH_NOARGS,
     "__sizeof__($self, /)\n--\n\n"
     "Return the bytes of memory that the object uses, its mapped pages not counted."},
    {NULL, NULL, 0, NULL},
};

/* Windows has no MADV_*, and programs ask for the method to know whether there are such. */
PyMethodDef *mmap_methods(void)
{
    return system_has_flags() ? methods : methods + 1;
}
