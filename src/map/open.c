/* Opening: from arguments and a file to a map. A failure undoes what was done for the map. */
#include <string.h>

#include "map/life.h"
#include "map/tag.h"

/* What to open. */
typedef struct open_request {
    ironmap_access access;
    ironmap_options options;
} open_request;

/* The file of a map to be, and what was done to it for the map. */
typedef struct map_source {
    ironmap__file file;
    const char *path;       /* NULL: by descriptor or handle */
    bool owned;             /* to be closed by this library */
    bool created;           /* by this call */
    bool extended;          /* by this call */
    uint64_t length_before; /* if extended */
    uint64_t length_after;
} map_source;

/* ---- arguments ---- */

static const char *invalid_access(const open_request *asked)
{
    if (asked->access < IRONMAP_READ || asked->access > IRONMAP_SYSTEM) {
        return "access is none of READ, WRITE, COPY and SYSTEM";
    }
    if (asked->access != IRONMAP_SYSTEM &&
        (asked->options.flags != 0 || asked->options.prot != 0)) {
        return "flags or prot without SYSTEM";
    }
    return NULL;
}

static const char *invalid_options(const ironmap_options *options)
{
    const uint32_t bits = IRONMAP_OPEN_CREATE | IRONMAP_OPEN_EXCLUSIVE | IRONMAP_OPEN_EXTEND |
                          IRONMAP_OPEN_NO_TRACK | IRONMAP_OPEN_NONEMPTY | IRONMAP_OPEN_PREALLOCATE;
    if ((options->open & ~bits) != 0) {
        return "open has an unknown bit";
    }
    if ((options->open & (IRONMAP_OPEN_CREATE | IRONMAP_OPEN_EXCLUSIVE)) ==
        IRONMAP_OPEN_EXCLUSIVE) {
        return "EXCLUSIVE without CREATE";
    }
    return options->tag == NULL ? NULL : ironmap__tag_refusal(options->tag);
}

/* Copies the arguments, with the defaults filled in, and checks them. */
static int open_request_read(open_request *asked, ironmap_access access,
                             const ironmap_options *given, ironmap_error *error)
{
    enum { DEFAULT_PERMISSION = 0666 };
    *asked = (open_request){.access = access};
    if (given != NULL) {
        asked->options = *given;
    }
    const ironmap_options *options = &asked->options;
    int status = ironmap__check_reserved(options->reserved,
                                         sizeof(options->reserved) / sizeof(uint64_t), error);
    if (status != IRONMAP_OK) {
        return status;
    }
    const char *what = invalid_access(asked);
    what = what == NULL ? invalid_options(options) : what;
    if (what != NULL) {
        return ironmap__fail_invalid(error, what);
    }
    if (options->permission == 0) {
        asked->options.permission = DEFAULT_PERMISSION;
    }
    return IRONMAP_OK;
}

/* ---- the length ---- */

/* True if a file that has the length 0 can be read. A buffer keeps its byte if there is none to
 * read. A pseudo file is not read, since that may have a side effect. */
static bool has_bytes(ironmap__file file)
{
    uint8_t zero = 0;
    uint8_t one = 1;
    if (ironmap__file_is_pseudo(file)) {
        return true;
    }
    (void)ironmap__file_read(&zero, file, 0, 1, NULL);
    (void)ironmap__file_read(&one, file, 0, 1, NULL);
    return zero != 0 || one != 1;
}

/* The length of an empty file, which another process may just have written to. */
static int empty_file_length(uint64_t *file_length, ironmap__file file, ironmap_error *error)
{
    bool sized = false;
    if (!has_bytes(file)) {
        return IRONMAP_OK;
    }
    int status = ironmap__file_length(file_length, &sized, file, error);
    if (status == IRONMAP_OK && *file_length == 0) {
        return ironmap__fail_invalid(error, "the file has bytes but no length");
    }
    return status;
}

/* The length of a map to the end of a file. */
static int length_from_file(size_t *length, ironmap__file file, uint64_t file_length,
                            const ironmap_options *options, ironmap_error *error)
{
    bool nonempty = (options->open & IRONMAP_OPEN_NONEMPTY) != 0;
    if (file_length == 0 && options->offset == 0) {
        int status = nonempty ? ironmap__fail(error, IRONMAP_E_EMPTY)
                              : empty_file_length(&file_length, file, error);
        if (status != IRONMAP_OK) {
            return status;
        }
    }
    if (options->offset > file_length || (options->offset == file_length && nonempty)) {
        return ironmap__fail_for(error, IRONMAP_E_BEYOND_FILE,
                                 "offset lies beyond the end of the file");
    }
    uint64_t rest = file_length - options->offset;
    if (rest > IRONMAP__MEMORY_MAX) {
        return ironmap__fail(error, IRONMAP_E_OVERFLOW);
    }
    *length = (size_t)rest;
    return IRONMAP_OK;
}

/* Makes the file at least `end` bytes long if EXTEND allows it. */
static int lengthen_file(map_source *source, uint64_t file_length, uint64_t end, uint32_t open,
                         ironmap_error *error)
{
    if (end <= file_length) {
        return IRONMAP_OK;
    }
    if ((open & IRONMAP_OPEN_EXTEND) == 0) {
        return ironmap__fail_for(error, IRONMAP_E_BEYOND_FILE,
                                 "offset + length lies beyond the end of the file");
    }
    int status = ironmap__file_set_length(source->file, end, error);
    if (status == IRONMAP_OK) {
        source->extended = true;
        source->length_before = file_length;
        source->length_after = end;
    }
    return status;
}

/* The length of a file without one, such as a device. */
static int length_of_unsized(size_t *length, ironmap__file file, const ironmap_options *options,
                             ironmap_error *error)
{
    if (options->length == 0) {
        return ironmap__fail_invalid(error, ironmap__file_is_directory(file)
                                                ? "is a directory"
                                                : "length 0 of a file without a length");
    }
    *length = options->length;
    return IRONMAP_OK;
}

/* Resolves options->length against the file, and extends it if asked to. */
static int length_resolve(size_t *length, map_source *source, const ironmap_options *options,
                          ironmap_error *error)
{
    uint64_t end = 0;
    if (!ironmap__add(&end, options->offset, options->length) || end > IRONMAP__FILE_MAX) {
        return ironmap__fail(error, IRONMAP_E_OVERFLOW);
    }
    uint64_t file_length = 0;
    bool sized = false;
    int status = ironmap__file_length(&file_length, &sized, source->file, error);
    if (status != IRONMAP_OK) {
        return status;
    }
    if (!sized) {
        return length_of_unsized(length, source->file, options, error);
    }
    if (options->length == 0) {
        return length_from_file(length, source->file, file_length, options, error);
    }
    *length = options->length;
    return lengthen_file(source, file_length, end, options->open, error);
}

/* ---- the map ---- */

/* Puts the file back as it was and closes it. What another process has appended meanwhile stays,
 * and so does a file that was made here. These calls report no error: the one that led here stays.
 */
static void source_undo(const map_source *source)
{
    uint64_t length = source->extended ? source->length_after : 0;
    bool changed = source->created || source->extended;
    if (changed && ironmap__can_undo_extension(source->file, length)) {
        if (source->created) {
            ironmap__file_remove(source->path, source->file);
        } else {
            (void)ironmap__file_set_length(source->file, source->length_before, NULL);
        }
    }
    if (source->owned) {
        (void)ironmap__file_close(source->file, NULL);
    }
}

/* Gives the map a descriptor of its own: the source's if this library opened it, else a duplicate,
 * and none if the map is not tracked. */
static int map_keep_file(ironmap_map *map, map_source *source, ironmap_error *error)
{
    if (!map->tracked) {
        bool close = source->owned;
        source->owned = false;
        return close ? ironmap__file_close(source->file, error) : IRONMAP_OK;
    }
    if (!source->owned) {
        return ironmap__file_duplicate(&map->mapping.file, source->file, error);
    }
    map->mapping.file = source->file;
    source->owned = false;
    return IRONMAP_OK;
}

/* Maps what `options` ask of the source. */
static int map_fill(ironmap_map *map, map_source *source, const ironmap_options *options,
                    ironmap_error *error)
{
    size_t length = 0;
    int status = length_resolve(&length, source, options, error);
    if (status == IRONMAP_OK) {
        status = ironmap__tag_join(&length, map, source->file, options, error);
    }
    if (status == IRONMAP_OK) {
        status = ironmap__map_reserve(map, source->file, length, error);
    }
    if (status == IRONMAP_OK) {
        status = ironmap__map_view(map, source->file, length, error);
    }
    if (status == IRONMAP_OK) {
        status = map_keep_file(map, source, error);
    }
    return status;
}

/* Fills the map and returns it, or undoes both. */
static int map_finish(ironmap_map **map, ironmap_map *made, map_source *source,
                      const ironmap_options *options, ironmap_error *error)
{
    int status = map_fill(made, source, options, error);
    if (status != IRONMAP_OK) {
        (void)ironmap__map_end(made, NULL);
        source_undo(source);
        return status;
    }
    *map = made;
    return IRONMAP_OK;
}

static bool writes_to_file(const ironmap_map *map)
{
    return map->mapping.mode.shared && map->mapping.mode.writable;
}

static const uint32_t for_writers =
    IRONMAP_OPEN_CREATE | IRONMAP_OPEN_EXTEND | IRONMAP_OPEN_PREALLOCATE;

/* An empty map for a file, with the arguments checked. */
static int map_for_file(ironmap_map **map, open_request *asked, ironmap_access access,
                        const ironmap_options *options, ironmap_error *error)
{
    int status = open_request_read(asked, access, options, error);
    if (status == IRONMAP_OK) {
        status = ironmap__map_new(map, asked->access, &asked->options, false, error);
    }
    if (status != IRONMAP_OK) {
        return status;
    }
    if ((asked->options.open & for_writers) != 0 && !writes_to_file(*map)) {
        (void)ironmap__map_end(*map, NULL);
        return ironmap__fail_invalid(
            error, "CREATE, EXTEND or PREALLOCATE for a map that does not write to its file");
    }
    return IRONMAP_OK;
}

/* ---- the ways to open ---- */

static ironmap__disposition disposition_of(uint32_t open)
{
    if ((open & IRONMAP_OPEN_EXCLUSIVE) != 0) {
        return IRONMAP__CREATE_NEW;
    }
    return (open & IRONMAP_OPEN_CREATE) != 0 ? IRONMAP__OPEN_OR_CREATE : IRONMAP__OPEN_EXISTING;
}

int ironmap_open_path(ironmap_map **map, const char *path, ironmap_access access,
                      const ironmap_options *options, ironmap_error *error)
{
    open_request asked;
    ironmap_map *made = NULL;
    if (path == NULL) {
        return ironmap__fail_invalid(error, "path is NULL");
    }
    int status = map_for_file(&made, &asked, access, options, error);
    if (status != IRONMAP_OK) {
        return status;
    }
    map_source source = {.file = IRONMAP__NO_FILE, .path = path};
    status =
        ironmap__file_open(&source.file, &source.created, path, writes_to_file(made),
                           disposition_of(asked.options.open), asked.options.permission, error);
    if (status != IRONMAP_OK) {
        (void)ironmap__map_end(made, NULL);
        return status;
    }
    source.owned = true;
    return map_finish(map, made, &source, &asked.options, error);
}

/* Gets the caller's file from a descriptor or a handle. */
typedef int file_getter(ironmap__file *file, const void *from, ironmap_error *error);

static int file_of_fd(ironmap__file *file, const void *from, ironmap_error *error)
{
    return ironmap__file_from_fd(file, *(const int *)from, error);
}

static int file_of_handle(ironmap__file *file, const void *from, ironmap_error *error)
{
    return ironmap__file_from_handle(file, *(void *const *)from, error);
}

static int open_existing(ironmap_map **map, file_getter *get, const void *from,
                         ironmap_access access, const ironmap_options *options,
                         ironmap_error *error)
{
    open_request asked;
    ironmap_map *made = NULL;
    map_source source = {.file = IRONMAP__NO_FILE};
    int status = map_for_file(&made, &asked, access, options, error);
    if (status != IRONMAP_OK) {
        return status;
    }
    status = (asked.options.open & IRONMAP_OPEN_CREATE) != 0
                 ? ironmap__fail_invalid(error, "CREATE without a path")
                 : get(&source.file, from, error);
    if (status != IRONMAP_OK) {
        (void)ironmap__map_end(made, NULL);
        return status;
    }
    return map_finish(map, made, &source, &asked.options, error);
}

int ironmap_open_fd(ironmap_map **map, int fd, ironmap_access access,
                    const ironmap_options *options, ironmap_error *error)
{
    return open_existing(map, file_of_fd, &fd, access, options, error);
}

int ironmap_open_handle(ironmap_map **map, void *handle, ironmap_access access,
                        const ironmap_options *options, ironmap_error *error)
{
    return open_existing(map, file_of_handle, (const void *)&handle, access, options, error);
}

int ironmap_open_anonymous(ironmap_map **map, ironmap_access access, const ironmap_options *options,
                           ironmap_error *error)
{
    open_request asked;
    ironmap_map *made = NULL;
    int status = open_request_read(&asked, access, options, error);
    if (status != IRONMAP_OK) {
        return status;
    }
    const ironmap_options *known = &asked.options;
    if ((known->open & for_writers) != 0) {
        return ironmap__fail_invalid(error, "CREATE, EXTEND or PREALLOCATE for anonymous memory");
    }
    if (known->length == 0 && known->tag == NULL && (known->open & IRONMAP_OPEN_NONEMPTY) != 0) {
        return ironmap__fail(error, IRONMAP_E_EMPTY);
    }
    status = ironmap__map_new(&made, access, known, true, error);
    if (status != IRONMAP_OK) {
        return status;
    }
    size_t length = known->length;
    status = ironmap__tag_join(&length, made, IRONMAP__NO_FILE, known, error);
    if (status == IRONMAP_OK) {
        status = ironmap__map_view(made, made->mapping.file, length, error);
    }
    if (status != IRONMAP_OK) {
        (void)ironmap__map_end(made, NULL);
        return status;
    }
    *map = made;
    return IRONMAP_OK;
}
