/* The constructor. */
#include "mmap/new.h"

#include <errno.h>
#include <ironmap/ironmap.h>
#include <stddef.h>

#include "args.h"
#include "constants.h"
#include "errors.h"
#include "gil.h"
#include "mmap/end.h"
#include "mmap/hold.h"
#include "mmap/object.h"

/* The arguments of mmap(). */
typedef struct {
    int fileno;
    Py_ssize_t length;
    int flags;
    int prot;
    int access;
    long long offset;
    bool trackfd;
    bool preallocate;
    const char *tagname; /* NULL: none */
} Arguments;

/* The parameters on Unix: those of the standard module, and `tagname` as a keyword. */
static const Parameter parameters_with_flags[] = {
    {"fileno", PARAMETER_INT, offsetof(Arguments, fileno)},
    {"length", PARAMETER_SIZE, offsetof(Arguments, length)},
    {"flags", PARAMETER_INT, offsetof(Arguments, flags)},
    {"prot", PARAMETER_INT, offsetof(Arguments, prot)},
    {"access", PARAMETER_INT, offsetof(Arguments, access)},
    {"offset", PARAMETER_LONG, offsetof(Arguments, offset)},
    {"trackfd", PARAMETER_BOOL, offsetof(Arguments, trackfd)},
    {"preallocate", PARAMETER_BOOL, offsetof(Arguments, preallocate)},
    {"tagname", PARAMETER_TEXT, offsetof(Arguments, tagname)},
};
static const Signature with_flags = {
    .function = "mmap",
    .parameters = parameters_with_flags,
    .count = sizeof(parameters_with_flags) / sizeof(Parameter),
    .required = 2,
    .positional = 6,
};

/* The parameters on Windows. */
static const Parameter parameters_without_flags[] = {
    {"fileno", PARAMETER_INT, offsetof(Arguments, fileno)},
    {"length", PARAMETER_SIZE, offsetof(Arguments, length)},
    {"tagname", PARAMETER_TEXT, offsetof(Arguments, tagname)},
    {"access", PARAMETER_INT, offsetof(Arguments, access)},
    {"offset", PARAMETER_LONG, offsetof(Arguments, offset)},
    {"trackfd", PARAMETER_BOOL, offsetof(Arguments, trackfd)},
    {"preallocate", PARAMETER_BOOL, offsetof(Arguments, preallocate)},
};
static const Signature without_flags = {
    .function = "mmap",
    .parameters = parameters_without_flags,
    .count = sizeof(parameters_without_flags) / sizeof(Parameter),
    .required = 2,
    .positional = 5,
};

/* Descriptor 0 means on Windows that there is no file, and an empty tag name that there is no tag,
 * as in the standard module. */
static bool parse_without_flags(Arguments *given, PyObject *args, PyObject *kwargs)
{
    if (!convert_arguments(given, &without_flags, args, kwargs)) {
        return false;
    }
    if (given->fileno == 0) {
        given->fileno = -1;
    }
    if (given->tagname != NULL && given->tagname[0] == '\0') {
        given->tagname = NULL;
    }
    return true;
}

/* The default of prot; 0 where the system has none. */
static int read_and_write(void)
{
    return system_constant("PROT_READ") | system_constant("PROT_WRITE");
}

static bool parse(Arguments *given, PyObject *args, PyObject *kwargs)
{
    *given = (Arguments){
        .flags = system_constant("MAP_SHARED"),
        .prot = read_and_write(),
        .access = ACCESS_DEFAULT,
        .trackfd = true,
    };
    return system_has_flags() ? convert_arguments(given, &with_flags, args, kwargs)
                              : parse_without_flags(given, args, kwargs);
}

/* True if flags or prot differ from their defaults. */
static bool flags_or_prot_given(const Arguments *given)
{
    return given->flags != system_constant("MAP_SHARED") || given->prot != read_and_write();
}

static bool check_range(const Arguments *given)
{
    if (given->length < 0) {
        PyErr_SetString(PyExc_OverflowError, "memory mapped length must be positive");
        return false;
    }
    if (given->offset < 0) {
        PyErr_SetString(PyExc_OverflowError, "memory mapped offset must be positive");
        return false;
    }
    return true;
}

static bool check_access(const Arguments *given)
{
    if (given->access != ACCESS_DEFAULT && flags_or_prot_given(given)) {
        PyErr_SetString(PyExc_ValueError, "mmap can't specify both access and flags, prot.");
        return false;
    }
    if (given->access < ACCESS_DEFAULT || given->access > IRONMAP_COPY) {
        PyErr_SetString(PyExc_ValueError, "mmap invalid access parameter.");
        return false;
    }
    return true;
}

/* If several arguments are wrong, the standard module reports the range first, but on Windows the
 * access. */
static bool check(const Arguments *given)
{
    return system_has_flags() ? check_range(given) && check_access(given)
                              : check_access(given) && check_range(given);
}

/* True if the map has no file. With MAP_ANONYMOUS, mmap(2) ignores the descriptor. */
static bool is_anonymous(const Arguments *given)
{
    int bit = system_constant("MAP_ANONYMOUS");
    return given->fileno == -1 || (given->flags & bit) != 0;
}

/* True if a file that is too short is extended. Windows does so for maps that write to the file. */
static bool extends(const Arguments *given)
{
    bool writes = given->access == ACCESS_DEFAULT || given->access == IRONMAP_WRITE;
    return given->preallocate || (!system_has_flags() && writes && !is_anonymous(given));
}

/* Without an access, flags and prot decide where the system has them. */
static ironmap_access access_from(const Arguments *given)
{
    if (given->access != ACCESS_DEFAULT) {
        return (ironmap_access)given->access;
    }
    return system_has_flags() ? IRONMAP_SYSTEM : IRONMAP_WRITE;
}

static ironmap_options options_from(const Arguments *given)
{
    ironmap_options options = IRONMAP_OPTIONS_INIT;
    if (access_from(given) == IRONMAP_SYSTEM) {
        options.flags = given->flags;
        options.prot = given->prot;
    }
    options.offset = (uint64_t)given->offset;
    options.length = (size_t)given->length;
    options.check = hold_check;
    options.open = IRONMAP_OPEN_NONEMPTY;
    if (!given->trackfd) {
        options.open |= IRONMAP_OPEN_NO_TRACK;
    }
    options.open |= given->preallocate ? IRONMAP_OPEN_PREALLOCATE : 0U;
    options.open |= extends(given) ? IRONMAP_OPEN_EXTEND : 0U;
    options.tag = given->tagname;
    return options;
}

/* OSError of the subclass for `code`, with our own message and the tag as filename. */
static void raise_tag(int code, const char *message, const char *tagname)
{
    PyObject *exception = PyObject_CallFunction(PyExc_OSError, "iss", code, message, tagname);
    if (exception != NULL) {
        PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
        Py_DECREF(exception);
    }
}

/* Raises the system's error for a tag, with the reason if it is known. */
static void raise_tag_system(const ironmap_error *error, const char *tagname)
{
    if (error->what != NULL) {
        raise_tag(error->system_code, error->what, tagname);
    } else {
        raise_system(error->system_code, tagname);
    }
}

/* Raises errors that only a tag can cause. False, and nothing raised, for all others. */
static bool raise_for_tag(const ironmap_error *error, const Arguments *given)
{
    bool memory = given->tagname != NULL && is_anonymous(given);
    const char *message = ironmap_status_message((int)error->status);
    if (error->status == IRONMAP_E_NO_TAG) {
        raise_tag(ENOENT, message, given->tagname);
    } else if (error->status == IRONMAP_E_TAG_TAKEN) {
        raise_tag(EEXIST, message, given->tagname);
    } else if (memory && error->status == IRONMAP_E_BEYOND_FILE) {
        PyErr_Format(PyExc_ValueError, "mmap %s is greater than the length of the tag '%s'",
                     given->length == 0 ? "offset" : "length", given->tagname);
    } else if (memory && error->status == IRONMAP_E_SYSTEM) {
        raise_tag_system(error, given->tagname);
    } else if (error->status == IRONMAP_E_INVALID && given->tagname != NULL &&
               !ironmap_is_valid_tag(given->tagname)) {
        PyErr_SetString(PyExc_ValueError, error->what);
    } else {
        return false;
    }
    return true;
}

static PyObject *raise_open(const ModuleState *state, const ironmap_error *error,
                            const Arguments *given)
{
    if (raise_for_tag(error, given)) {
        return NULL;
    }
    const char *message = "mmap length is too large";
    switch (error->status) {
    case IRONMAP_E_EMPTY:
        message = "cannot mmap an empty file";
        break;
    case IRONMAP_E_BEYOND_FILE:
        message = given->length == 0 ? "mmap offset is greater than file size"
                                     : "mmap length is greater than file size";
        break;
    case IRONMAP_E_OVERFLOW:
        /* On Windows no file is too short, since files are extended. */
        if (!system_has_flags()) {
            return raise_errno(EINVAL);
        }
        /* A length was given, so report that the file ends before the range. Only length 0 maps
         * all of the file and can find it too large. */
        if (given->length != 0 && given->fileno != -1) {
            message = "mmap length is greater than file size";
        }
        break;
    default:
        return raise_error_in(state, NULL, error, message);
    }
    PyErr_SetString(PyExc_ValueError, message);
    return NULL;
}

/* Without the GIL: the file may be on a slow disk or a network, or another process may be making
 * the tag. */
static ironmap_map *open_map(const ModuleState *state, const Arguments *given)
{
    const ironmap_options options = options_from(given);
    const ironmap_access access = access_from(given);
    ironmap_map *map = NULL;
    ironmap_error error;
    gil_release();
    int status = is_anonymous(given)
                     ? ironmap_open_anonymous(&map, access, &options, &error)
                     : ironmap_open_fd(&map, given->fileno, access, &options, &error);
    gil_acquire();
    if (status != IRONMAP_OK) {
        raise_open(state, &error, given);
        return NULL;
    }
    return map;
}

/* The access that `prot` means, for which the event of the standard module has no argument. */
static int audited_access(const Arguments *given)
{
    int permitted = given->prot & read_and_write();
    if (given->access != ACCESS_DEFAULT || permitted == read_and_write()) {
        return given->access;
    }
    return permitted == system_constant("PROT_WRITE") ? IRONMAP_WRITE : IRONMAP_READ;
}

/* Programs that audit see the event of the standard module, and one of ours for a name. */
static bool audit(const Arguments *given)
{
    return PySys_Audit("mmap.__new__", "iniL", given->fileno, given->length, audited_access(given),
                       given->offset) == 0 &&
           (given->tagname == NULL ||
            PySys_Audit("ironmap.tagname", "si", given->tagname, given->fileno) == 0);
}

/* The st_size of the file; -1 with an exception. */
static long long file_length(int fileno)
{
    PyObject *os = PyImport_ImportModule("os");
    PyObject *status = os == NULL ? NULL : PyObject_CallMethod(os, "fstat", "i", fileno);
    PyObject *size = status == NULL ? NULL : get_attribute(status, "st_size");
    long long length = size == NULL ? -1 : PyLong_AsLongLong(size);
    Py_XDECREF(os);
    Py_XDECREF(status);
    Py_XDECREF(size);
    return length;
}

/* With MAP_ANONYMOUS the descriptor has no meaning, except that length 0 is the length of its file,
 * as in the standard module. */
static COLD bool take_length_of_file(Arguments *given)
{
    long long length = file_length(given->fileno);
    if (length == -1) {
        return false;
    }
    if (given->offset >= length) {
        PyErr_SetString(PyExc_ValueError, length == 0 ? "cannot mmap an empty file"
                                                      : "mmap offset is greater than file size");
        return false;
    }
    if (length - given->offset > PY_SSIZE_T_MAX) {
        PyErr_SetString(PyExc_ValueError, "mmap length is too large");
        return false;
    }
    given->length = (Py_ssize_t)(length - given->offset);
    return true;
}

/* What new memory cannot have. */
static bool check_anonymous(Arguments *given)
{
    if (!is_anonymous(given)) {
        return true;
    }
    if (given->length == 0 && given->tagname == NULL && given->fileno != -1 &&
        !take_length_of_file(given)) {
        return false;
    }
    if (given->length == 0 && given->tagname == NULL) {
        raise_invalid("length 0 needs a file or a tagname");
        return false;
    }
    if (given->preallocate) {
        raise_invalid("preallocate needs a file");
        return false;
    }
    return true;
}

PyObject *mmap_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    Arguments given;
    if (!parse(&given, args, kwargs) || !check(&given) || !audit(&given) ||
        !check_anonymous(&given)) {
        return NULL;
    }
    ModuleState *state = state_of_type(type);
    ironmap_map *map = state == NULL ? NULL : open_map(state, &given);
    if (map == NULL) {
        return NULL;
    }
    PyObject *self = type->tp_alloc(type, 0);
    if (self == NULL) {
        (void)mmap_close_map(map, NULL);
        return NULL;
    }
    MmapObject *object = mmap_object(self);
    object->map = map;
    object->state = state;
    Py_INCREF(state->module);
    mmap_lock_changed(object);
    object->anonymous = is_anonymous(&given);
    object->tracked = given.trackfd;
    object->readonly = ironmap_map_access(map) == IRONMAP_READ;
    object->plain = given.access == ACCESS_DEFAULT && !system_has_flags();
    return self;
}
