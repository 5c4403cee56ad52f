/* Lines: one after the other from the position, all of them, and an iterator that leaves the
 * position alone. */
#include "convert.h"
#include "mmap_object.h"

/* ---- one line ---- */

/* Lines up to this length are found and copied at once. */
enum { SHORT_LINE = 512 };

static APART PyObject *raise_line(const ironmap_map *map, const ironmap_error *error)
{
    return raise_error(map, error, "read out of range");
}

/* The length of the line at `start` that has no newline before `from`. For the rest of a long one
 * the GIL is released. */
static int find_end(size_t *length, ironmap_map *map, uint64_t start, uint64_t from, uint64_t end,
                    ironmap_error *error)
{
    uint64_t newline = IRONMAP_NOT_FOUND;
    uint64_t near = end - from < MMAP_LONG_WORK ? end : from + MMAP_LONG_WORK;
    int status = ironmap_find(&newline, map, "\n", 1, from, near, error);
    if (status == IRONMAP_OK && newline == IRONMAP_NOT_FOUND && near < end) {
        PyThreadState *thread = mmap_let_go(map);
        status = ironmap_find(&newline, map, "\n", 1, near, end, error);
        mmap_take_back(map, thread);
    }
    *length = (size_t)((newline == IRONMAP_NOT_FOUND ? end : newline + 1) - start);
    return status;
}

/* Copies `length` bytes from `start`. */
static PyObject *copy_bytes(ironmap_map *map, uint64_t start, size_t length)
{
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)length);
    if (bytes == NULL) {
        return NULL;
    }
    ironmap_error error;
    PyThreadState *thread = mmap_let_go_for(map, length);
    int status = ironmap_get(PyBytes_AS_STRING(bytes), map, start, length, &error);
    mmap_take_back(map, thread);
    if (status != IRONMAP_OK) {
        Py_DECREF(bytes);
        return raise_line(map, &error);
    }
    return bytes;
}

/* A line of SHORT_LINE bytes or more. */
static APART PyObject *long_line(size_t *length, ironmap_map *map, uint64_t start, uint64_t end,
                                 bool keep_end)
{
    ironmap_error error;
    uint8_t last = 0;
    end = end < ironmap_length(map) ? end : ironmap_length(map);
    if (find_end(length, map, start, start + SHORT_LINE - 1, end, &error) != IRONMAP_OK ||
        ironmap_get_byte(&last, map, start + *length - 1, &error) != IRONMAP_OK) {
        return raise_line(map, &error);
    }
    return copy_bytes(map, start, *length - (!keep_end && last == '\n' ? 1 : 0));
}

/* A line as it is made. */
typedef struct {
    PyObject *bytes;
} Line;

static void *line_room(void *context, size_t length)
{
    Line *line = context;
    Py_XDECREF(line->bytes);
    line->bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)length);
    return line->bytes == NULL ? NULL : PyBytes_AS_STRING(line->bytes);
}

/* The line at `start`, of which `end` is the end at the latest; `*length` is its length with its
 * newline, be that kept or not. The GIL may have been free meanwhile, and another thread have taken
 * the same line: the caller looks whether that one still is the next. */
static inline PyObject *read_line(size_t *length, ironmap_map *map, uint64_t start, uint64_t end,
                                  bool keep_end)
{
    ironmap_error error;
    Line line = {NULL};
    uint64_t near = end < start + SHORT_LINE ? end : start + SHORT_LINE;
    int status = ironmap_take_line(length, map, start, near, keep_end, line_room, &line, &error);
    if (status != IRONMAP_OK) {
        Py_XDECREF(line.bytes);
        return raise_line(map, &error);
    }
    if (*length == SHORT_LINE) {
        Py_DECREF(line.bytes);
        return long_line(length, map, start, end, keep_end);
    }
    return line.bytes;
}

/* ---- from the position ---- */

/* A position beyond the end, which a resize may have left there, stays. */
static void set_position(ironmap_map *map, uint64_t position)
{
    (void)ironmap_seek(map, (int64_t)position, IRONMAP_SEEK_SET, NULL);
}

/* The next line, or b"" at the end. Where another thread has moved the position in the middle of a
 * long line, it is a new one that is asked for. */
static PyObject *next_line(ironmap_map *map)
{
    for (;;) {
        uint64_t start = ironmap_tell(map);
        size_t length = 0;
        PyObject *line = read_line(&length, map, start, ironmap_length(map), true);
        if (line == NULL) {
            return NULL;
        }
        if (ironmap_tell(map) == start) {
            set_position(map, start + length);
            return line;
        }
        Py_DECREF(line);
    }
}

PyObject *mmap_readline(PyObject *self, PyObject *const *Py_UNUSED(args), Py_ssize_t count)
{
    if (!check_count("readline", count, 0, 0)) {
        return NULL;
    }
    ironmap_map *map = mmap_use(self);
    return map == NULL ? NULL : next_line(map);
}

/* Appends lines to `list` until there are no more, or more than `hint` bytes of them. `*reached` is
 * the position after the last. */
static bool append_lines(PyObject *list, uint64_t *reached, ironmap_map *map, size_t hint)
{
    size_t total = 0;
    size_t work = 0;
    while (total <= hint && ironmap_tell(map) < ironmap_length(map)) {
        PyObject *line = next_line(map);
        if (line == NULL || PyList_Append(list, line) == -1) {
            Py_XDECREF(line);
            return false;
        }
        size_t length = (size_t)PyBytes_GET_SIZE(line);
        Py_DECREF(line);
        *reached = ironmap_tell(map);
        total += length;
        if (!interrupt_turn(&work, length)) {
            return false;
        }
    }
    return true;
}

PyObject *mmap_readlines(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    Py_ssize_t hint = -1;
    if (!mmap_first_look(self) || !check_count("readlines", count, 0, 1) ||
        (count > 0 && !convert_read_size(args[0], &hint))) {
        return NULL;
    }
    /* The list first: making one may run the collector, and so anyone's code. */
    PyObject *list = PyList_New(0);
    ironmap_map *map = list == NULL ? NULL : mmap_use(self);
    if (map == NULL) {
        Py_XDECREF(list);
        return NULL;
    }
    uint64_t start = ironmap_tell(map);
    uint64_t reached = start;
    ironmap_hold(map);
    bool done = append_lines(list, &reached, map, hint > 0 ? (size_t)hint : SIZE_MAX);
    ironmap_release(map);
    if (!done) {
        if (ironmap_tell(map) == reached) {
            set_position(map, start);
        }
        Py_CLEAR(list);
    }
    return list;
}

/* ---- the iterator ---- */

/* What m.lines() returns. It keeps the object alive and does not pin the map. */
typedef struct {
    PyObject_HEAD PyObject *map;
    uint64_t position;
    uint64_t end;  /* 0 once it is exhausted */
    size_t length; /* of the line before */
    size_t work;
    bool keep_ends;
} Lines;

static Lines *lines_object(PyObject *self)
{
    return (Lines *)self;
}

static bool lines_keywords(bool *keep_ends, PyObject *const *values, PyObject *names)
{
    Py_ssize_t count = names == NULL ? 0 : PyTuple_GET_SIZE(names);
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *name = PyTuple_GET_ITEM(names, i);
        if (PyUnicode_CompareWithASCIIString(name, "keepends") != 0) {
            PyErr_Format(PyExc_TypeError, "lines() got an unexpected keyword argument '%U'", name);
            return false;
        }
        int truth = PyObject_IsTrue(values[i]);
        if (truth == -1) {
            return false;
        }
        *keep_ends = truth == 1;
    }
    return true;
}

static PyObject *lines_new(PyObject *map, uint64_t start, uint64_t end, bool keep_ends)
{
    PyObject *type = own_object("Lines");
    if (type == NULL) {
        return NULL;
    }
    PyObject *self = ((PyTypeObject *)type)->tp_alloc((PyTypeObject *)type, 0);
    Py_DECREF(type);
    if (self != NULL) {
        Lines *lines = lines_object(self);
        lines->map = Py_NewRef(map);
        lines->position = start;
        lines->end = end;
        lines->keep_ends = keep_ends;
    }
    return self;
}

PyObject *mmap_lines(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    Py_ssize_t start = 0;
    Py_ssize_t end = PY_SSIZE_T_MAX;
    bool keep_ends = true;
    if (!mmap_first_look(self) || !check_count("lines", count, 0, 2) ||
        (count > 0 && !convert_optional_size(args[0], &start)) ||
        (count > 1 && !convert_optional_size(args[1], &end)) ||
        !lines_keywords(&keep_ends, args + count, names)) {
        return NULL;
    }
    const ironmap_map *map = mmap_use(self);
    if (map == NULL) {
        return NULL;
    }
    (void)PySlice_AdjustIndices((Py_ssize_t)ironmap_length(map), &start, &end, 1);
    return lines_new(self, (uint64_t)start, (uint64_t)end, keep_ends);
}

static PyObject *lines_next(PyObject *self)
{
    Lines *lines = lines_object(self);
    if (!interrupt_turn(&lines->work, lines->length)) {
        return NULL;
    }
    while (lines->position < lines->end) {
        ironmap_map *map = mmap_use(lines->map);
        if (map == NULL) {
            return NULL;
        }
        if (lines->position >= ironmap_length(map)) {
            lines->end = 0;
            break;
        }
        uint64_t start = lines->position;
        size_t length = 0;
        PyObject *line = read_line(&length, map, start, lines->end, lines->keep_ends);
        if (line == NULL) {
            return NULL;
        }
        if (lines->position == start) {
            lines->position = start + length;
            lines->length = length;
            return line;
        }
        Py_DECREF(line);
    }
    return NULL;
}

static int lines_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(lines_object(self)->map);
    Py_VISIT(Py_TYPE(self));
    return 0;
}

static void lines_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    Py_CLEAR(lines_object(self)->map);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyType_Slot slots[] = {
    {Py_tp_doc, AS_SLOT("The lines of a map, one after the other: m.lines().")},
    {Py_tp_dealloc, AS_SLOT(lines_dealloc)},
    {Py_tp_traverse, AS_SLOT(lines_traverse)},
    {Py_tp_iter, AS_SLOT(PyObject_SelfIter)},
    {Py_tp_iternext, AS_SLOT(lines_next)},
    {0, NULL},
};

PyType_Spec lines_spec = {
    .name = "ironmap.Lines",
    .basicsize = sizeof(Lines),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = slots,
};
