/* The class Lines: the iterator that lines() returns. */
#include "lines.h"

#include "args.h"
#include "gil.h"
#include "keeper.h"
#include "mmap/items.h"
#include "mmap/line.h"
#include "mmap/object.h"

/* The iterator of m.lines(). */
typedef struct {
    KEEPER_HEAD
    uint64_t position;
    uint64_t end;  /* 0 once the iterator is exhausted */
    size_t length; /* of the previous line */
    size_t work;   /* since the eval breaker was checked */
    bool keep_ends;
} Lines;

static Lines *lines_object(PyObject *self)
{
    return (Lines *)self;
}

static const Parameter keywords[] = {{"keepends", PARAMETER_BOOL, 0}};
static const Signature signature = {.function = "lines", .parameters = keywords, .count = 1};

static PyObject *lines_new(PyObject *map, uint64_t start, uint64_t end, bool keep_ends)
{
    PyObject *self = keeper_new(mmap_object(map)->state->lines, map);
    if (self != NULL) {
        Lines *lines = lines_object(self);
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
    if (!mmap_precheck_open(self) || !check_count("lines", count, 0, 2) ||
        (count > 0 && !convert_optional_size(args[0], &start)) ||
        (count > 1 && !convert_optional_size(args[1], &end)) ||
        !convert_keywords(&keep_ends, &signature, args + count, names)) {
        return NULL;
    }
    Py_ssize_t length = mmap_length(self);
    if (length == -1) {
        return NULL;
    }
    (void)PySlice_AdjustIndices(length, &start, &end, 1);
    return lines_new(self, (uint64_t)start, (uint64_t)end, keep_ends);
}

/* The next line, or NULL if there is none. NULL with `*due` instead if it is time to check the eval
 * breaker first. */
static PyObject *next_line(bool *due, Lines *lines)
{
    *due = eval_breaker_is_due(&lines->work, lines->length);
    if (*due) {
        return NULL;
    }
    while (lines->position < lines->end) {
        ironmap_map *map = mmap_use_to_read(lines->map);
        if (map == NULL) {
            return NULL;
        }
        if (lines->position >= ironmap_length(map)) {
            lines->end = 0;
            break;
        }
        uint64_t start = lines->position;
        size_t length = 0;
        PyObject *line = line_read(&length, lines->map, map, start, lines->end, lines->keep_ends);
        if (line == NULL) {
            return NULL;
        }
        if (lines->position == start && length > 0) {
            lines->position = start + length;
            lines->length = length;
            return line;
        }
        Py_DECREF(line);
    }
    return NULL;
}

static PyObject *lines_next(PyObject *self)
{
    PyObject *line = NULL;
    bool due = false;
    do {
        IN_SECTION2(self, lines_object(self)->map, line = next_line(&due, lines_object(self)));
    } while (due && eval_breaker_check_now());
    return line;
}

static PyType_Slot slots[] = {
    {Py_tp_doc, AS_SLOT("An iterator over the lines of a map: m.lines().")},
    {Py_tp_dealloc, AS_SLOT(keeper_dealloc)},
    {Py_tp_traverse, AS_SLOT(keeper_traverse)},
    {Py_tp_iter, AS_SLOT(PyObject_SelfIter)},
    {Py_tp_iternext, AS_SLOT(lines_next)},
    {0, NULL},
};

PyType_Spec lines_spec = {
    .name = "ironmap._ironmap.Lines",
    .basicsize = sizeof(Lines),
    .flags = KEEPER_FLAGS,
    .slots = slots,
};
