/* Opening: from options and a file to a map, with everything undone that was done for a map that is
 * not to be. */
#include <string.h>

#include "map/life.h"
#include "map/tag.h"

/* The file of a map to be, and what was done to it for the map's sake. */
typedef struct map_source {
    ironmap__file file;
    const char *path;       /* NULL: by descriptor */
    bool owned;             /* file is ours to close */
    bool created;           /* by us */
    bool extended;          /* by us */
    uint64_t length_before; /* where extended */
} map_source;

/* Whether a newer header's options ask for something that this library does not know: fields behind
 * those that it knows, with a value other than the default, which is zero bytes. */
static bool asks_for_more(const ironmap_options *given)
{
    const uint8_t *bytes = (const uint8_t *)given;
    for (size_t i = sizeof(*given); i < given->size; i++) {
        if (bytes[i] != 0) {
            return true;
        }
    }
    return false;
}

/* The options as this library knows them: those of an older or a newer header, or none. */
static int options_read(ironmap_options *known, const ironmap_options *given, ironmap_error *error)
{
    *known = (ironmap_options)IRONMAP_OPTIONS_INIT;
    if (given == NULL) {
        return IRONMAP_OK;
    }
    if (given->size < sizeof(given->size)) {
        return ironmap__fail(error, IRONMAP_E_INVALID);
    }
    if (asks_for_more(given)) {
        return ironmap__fail(error, IRONMAP_E_UNSUPPORTED);
    }
    memcpy(known, given, (size_t)ironmap__min(given->size, sizeof(*known)));
    const unsigned bits = IRONMAP_OPEN_CREATE | IRONMAP_OPEN_EXCLUSIVE | IRONMAP_OPEN_EXTEND |
                          IRONMAP_OPEN_NO_TRACK | IRONMAP_OPEN_NONEMPTY | IRONMAP_OPEN_PREALLOCATE;
    bool exclusive_alone =
        (known->open & (IRONMAP_OPEN_CREATE | IRONMAP_OPEN_EXCLUSIVE)) == IRONMAP_OPEN_EXCLUSIVE;
    bool bad_tag = known->tag != NULL && !ironmap_is_tag(known->tag);
    if ((known->open & ~bits) != 0 || exclusive_alone || bad_tag) {
        return ironmap__fail(error, IRONMAP_E_INVALID);
    }
    return IRONMAP_OK;
}

/* How much of a file to map that has a length. */
static int length_from_file(size_t *length, uint64_t file_length, const ironmap_options *options,
                            ironmap_error *error)
{
    if (options->offset > file_length) {
        return ironmap__fail(error, IRONMAP_E_BEYOND_FILE);
    }
    uint64_t rest = file_length - options->offset;
    if (rest == 0 && (options->open & IRONMAP_OPEN_NONEMPTY) != 0) {
        return ironmap__fail(error, file_length == 0 ? IRONMAP_E_EMPTY : IRONMAP_E_BEYOND_FILE);
    }
    if (rest > IRONMAP__MEMORY_MAX) {
        return ironmap__fail(error, IRONMAP_E_OVERFLOW);
    }
    *length = (size_t)rest;
    return IRONMAP_OK;
}

/* Makes the file of `source` at least `end` bytes long, or says that it is not. */
static int reach(map_source *source, uint64_t file_length, uint64_t end, unsigned open,
                 ironmap_error *error)
{
    if (end <= file_length) {
        return IRONMAP_OK;
    }
    if ((open & IRONMAP_OPEN_EXTEND) == 0) {
        return ironmap__fail(error, IRONMAP_E_BEYOND_FILE);
    }
    int status = ironmap__file_set_length(source->file, end, error);
    if (status == IRONMAP_OK) {
        source->extended = true;
        source->length_before = file_length;
    }
    return status;
}

/* Resolves options->length against the file, extending it if asked to. */
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
        *length = options->length;
        return *length == 0 ? ironmap__fail(error, IRONMAP_E_INVALID) : IRONMAP_OK;
    }
    if (options->length == 0) {
        return length_from_file(length, file_length, options, error);
    }
    *length = options->length;
    return reach(source, file_length, end, options->open, error);
}

/* Puts the file back as it was and lets go of it. What was captured of the failure that led here
 * stays: these calls report nowhere. */
static void source_undo(const map_source *source)
{
    if (source->created) {
        ironmap__file_remove(source->path, source->file);
    } else if (source->extended) {
        (void)ironmap__file_set_length(source->file, source->length_before, NULL);
    }
    if (source->owned) {
        (void)ironmap__file_close(source->file, NULL);
    }
}

/* The map's own descriptor: the source's where it is ours, else a duplicate; none if not tracked.
 */
static int map_take_file(ironmap_map *map, map_source *source, ironmap_error *error)
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
        status = map_take_file(map, source, error);
    }
    return status;
}

/* Whether the options suit a map that does or does not write to its file. */
static int check_writes(const ironmap_map *map, unsigned open, ironmap_error *error)
{
    bool writes = map->mapping.mode.shared && map->mapping.mode.writable;
    const unsigned for_writers =
        IRONMAP_OPEN_CREATE | IRONMAP_OPEN_EXTEND | IRONMAP_OPEN_PREALLOCATE;
    if (!writes && (open & for_writers) != 0) {
        return ironmap__fail(error, IRONMAP_E_INVALID);
    }
    return IRONMAP_OK;
}

/* An empty map for a file, with the options checked. */
static int map_for_file(ironmap_map **map, ironmap_options *known, const ironmap_options *options,
                        ironmap_error *error)
{
    int status = options_read(known, options, error);
    if (status == IRONMAP_OK) {
        status = ironmap__map_new(map, known, false, error);
    }
    if (status != IRONMAP_OK) {
        return status;
    }
    status = check_writes(*map, known->open, error);
    if (status != IRONMAP_OK) {
        (void)ironmap__map_end(*map, NULL);
    }
    return status;
}

/* Fills the map from the source and hands it out, or undoes both. */
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

static ironmap__disposition disposition_of(unsigned open)
{
    if ((open & IRONMAP_OPEN_EXCLUSIVE) != 0) {
        return IRONMAP__CREATE_NEW;
    }
    return (open & IRONMAP_OPEN_CREATE) != 0 ? IRONMAP__OPEN_OR_CREATE : IRONMAP__OPEN_EXISTING;
}

int ironmap_open_path(ironmap_map **map, const char *path, const ironmap_options *options,
                      ironmap_error *error)
{
    ironmap_options known;
    ironmap_map *made = NULL;
    if (path == NULL) {
        return ironmap__fail(error, IRONMAP_E_INVALID);
    }
    int status = map_for_file(&made, &known, options, error);
    if (status != IRONMAP_OK) {
        return status;
    }
    map_source source = {.file = IRONMAP__NO_FILE, .path = path};
    bool write = made->mapping.mode.shared && made->mapping.mode.writable;
    status = ironmap__file_open(&source.file, &source.created, path, write,
                                disposition_of(known.open), known.permission, error);
    if (status != IRONMAP_OK) {
        (void)ironmap__map_end(made, NULL);
        return status;
    }
    source.owned = true;
    return map_finish(map, made, &source, &known, error);
}

int ironmap_open_fd(ironmap_map **map, int fd, const ironmap_options *options, ironmap_error *error)
{
    ironmap_options known;
    ironmap_map *made = NULL;
    int status = map_for_file(&made, &known, options, error);
    if (status != IRONMAP_OK) {
        return status;
    }
    map_source source = {.file = IRONMAP__NO_FILE};
    status = (known.open & IRONMAP_OPEN_CREATE) != 0
                 ? ironmap__fail(error, IRONMAP_E_INVALID)
                 : ironmap__file_from_fd(&source.file, fd, error);
    if (status != IRONMAP_OK) {
        (void)ironmap__map_end(made, NULL);
        return status;
    }
    return map_finish(map, made, &source, &known, error);
}

int ironmap_open_anonymous(ironmap_map **map, const ironmap_options *options, ironmap_error *error)
{
    ironmap_options known;
    ironmap_map *made = NULL;
    int status = options_read(&known, options, error);
    if (status != IRONMAP_OK) {
        return status;
    }
    const unsigned for_files = IRONMAP_OPEN_CREATE | IRONMAP_OPEN_EXTEND | IRONMAP_OPEN_PREALLOCATE;
    if ((known.open & for_files) != 0) {
        return ironmap__fail(error, IRONMAP_E_INVALID);
    }
    if (known.length == 0 && known.tag == NULL && (known.open & IRONMAP_OPEN_NONEMPTY) != 0) {
        return ironmap__fail(error, IRONMAP_E_EMPTY);
    }
    status = ironmap__map_new(&made, &known, true, error);
    if (status != IRONMAP_OK) {
        return status;
    }
    size_t length = known.length;
    status = ironmap__tag_join(&length, made, IRONMAP__NO_FILE, &known, error);
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
