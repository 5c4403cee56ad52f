/* The life of a map: open, resize, flush, close. The only file that changes a map's shape. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* Where an empty map's data points, so that data + 0 is an address. */
static uint8_t nothing[1];

/* ---- opening ---- */

/* The file of a map to be, and what was done to it for the map's sake. */
typedef struct map_source {
    mapio__file file;
    const char *path;       /* NULL: by descriptor */
    bool owned;             /* file is ours to close */
    bool created;           /* by us */
    bool extended;          /* by us */
    uint64_t length_before; /* where extended */
} map_source;

/* The options as this library knows them: those of an older or a newer header, or none. */
static int options_read(mapio_options *known, const mapio_options *given, mapio_error *error)
{
    *known = (mapio_options)MAPIO_OPTIONS_INIT;
    if (given == NULL) {
        return MAPIO_OK;
    }
    if (given->size < sizeof(given->size)) {
        return mapio__fail(error, MAPIO_E_INVALID);
    }
    memcpy(known, given, (size_t)mapio__min(given->size, sizeof(*known)));
    const unsigned bits = MAPIO_OPEN_CREATE | MAPIO_OPEN_EXCLUSIVE | MAPIO_OPEN_EXTEND |
                          MAPIO_OPEN_NO_TRACK | MAPIO_OPEN_NONEMPTY | MAPIO_OPEN_PREALLOCATE;
    bool exclusive_alone =
        (known->open & (MAPIO_OPEN_CREATE | MAPIO_OPEN_EXCLUSIVE)) == MAPIO_OPEN_EXCLUSIVE;
    if ((known->open & ~bits) != 0 || exclusive_alone) {
        return mapio__fail(error, MAPIO_E_INVALID);
    }
    return MAPIO_OK;
}

/* An empty map of the mode that `options` ask for. */
static int map_new(mapio_map **out, const mapio_options *options, bool anonymous,
                   mapio_error *error)
{
    mapio__mode mode;
    int status = mapio__mode_resolve(&mode, options, anonymous, error);
    if (status != MAPIO_OK) {
        return status;
    }
    mapio_map *map = calloc(1, sizeof(*map));
    if (map == NULL) {
        return mapio__fail(error, MAPIO_E_NOMEM);
    }
    map->data = nothing;
    map->mode = mode;
    map->file = MAPIO__NO_FILE;
    map->offset = options->offset;
    map->tracked = (options->open & MAPIO_OPEN_NO_TRACK) == 0;
    map->preallocate = (options->open & MAPIO_OPEN_PREALLOCATE) != 0;
    *out = map;
    return MAPIO_OK;
}

/* Lets go of the memory and of what is known about it. */
static int map_unshape(mapio_map *map, mapio_error *error)
{
    mapio__unregister(map);
    mapio__health_free(map);
    map->data = nothing;
    map->length = 0;
    return mapio__view_unmap(&map->view, error);
}

/* Maps [offset, offset + length) of `file` into the map, which is empty. */
static int map_shape(mapio_map *map, mapio__file file, size_t length, mapio_error *error)
{
    if (length == 0) {
        return MAPIO_OK;
    }
    uint64_t aligned =
        map->mode.anonymous ? map->offset : mapio__align_down(map->offset, mapio__granularity());
    size_t lead = (size_t)(map->offset - aligned);
    size_t view_length = 0;
    if (!mapio__add_size(&view_length, lead, length)) {
        return mapio__fail(error, MAPIO_E_OVERFLOW);
    }
    int status = mapio__view_map(&map->view, &map->mode, file, aligned, view_length, error);
    if (status != MAPIO_OK) {
        return status;
    }
    assert(map->view.base != NULL);
    map->data = map->view.base + lead;
    map->length = length;
    status = map->mode.anonymous ? MAPIO_OK : mapio__register(map, error);
    if (status != MAPIO_OK) {
        (void)map_unshape(map, NULL);
    }
    return status;
}

/* How much of a file to map that has a length. */
static int length_from_file(size_t *length, uint64_t file_length, const mapio_options *options,
                            mapio_error *error)
{
    if (options->offset > file_length) {
        return mapio__fail(error, MAPIO_E_BEYOND_FILE);
    }
    uint64_t rest = file_length - options->offset;
    if (rest == 0 && (options->open & MAPIO_OPEN_NONEMPTY) != 0) {
        return mapio__fail(error, file_length == 0 ? MAPIO_E_EMPTY : MAPIO_E_BEYOND_FILE);
    }
    if (rest > MAPIO__MEMORY_MAX) {
        return mapio__fail(error, MAPIO_E_OVERFLOW);
    }
    *length = (size_t)rest;
    return MAPIO_OK;
}

/* Makes the file of `source` at least `end` bytes long, or says that it is not. */
static int reach(map_source *source, uint64_t file_length, uint64_t end, unsigned open,
                 mapio_error *error)
{
    if (end <= file_length) {
        return MAPIO_OK;
    }
    if ((open & MAPIO_OPEN_EXTEND) == 0) {
        return mapio__fail(error, MAPIO_E_BEYOND_FILE);
    }
    int status = mapio__file_set_length(source->file, end, error);
    if (status == MAPIO_OK) {
        source->extended = true;
        source->length_before = file_length;
    }
    return status;
}

/* Resolves options->length against the file, extending it if asked to. */
static int length_resolve(size_t *length, map_source *source, const mapio_options *options,
                          mapio_error *error)
{
    uint64_t end = 0;
    if (!mapio__add(&end, options->offset, options->length) || end > MAPIO__FILE_MAX) {
        return mapio__fail(error, MAPIO_E_OVERFLOW);
    }
    uint64_t file_length = 0;
    bool sized = false;
    int status = mapio__file_length(&file_length, &sized, source->file, error);
    if (status != MAPIO_OK) {
        return status;
    }
    if (!sized) {
        *length = options->length;
        return *length == 0 ? mapio__fail(error, MAPIO_E_INVALID) : MAPIO_OK;
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
        mapio__file_remove(source->path);
    } else if (source->extended) {
        (void)mapio__file_set_length(source->file, source->length_before, NULL);
    }
    if (source->owned) {
        (void)mapio__file_close(source->file, NULL);
    }
}

/* The map's own descriptor: the source's where it is ours, else a duplicate; none if not tracked.
 */
static int map_take_file(mapio_map *map, map_source *source, mapio_error *error)
{
    if (!map->tracked) {
        bool close = source->owned;
        source->owned = false;
        return close ? mapio__file_close(source->file, error) : MAPIO_OK;
    }
    if (!source->owned) {
        return mapio__file_duplicate(&map->file, source->file, error);
    }
    map->file = source->file;
    source->owned = false;
    return MAPIO_OK;
}

static void map_free(mapio_map *map)
{
    (void)map_unshape(map, NULL);
    free(map);
}

/* Reserves the disk's blocks for a map of this length, if it was asked for. */
static int reserve(const mapio_map *map, mapio__file file, size_t length, mapio_error *error)
{
    if (!map->preallocate || length == 0) {
        return MAPIO_OK;
    }
    return mapio__file_reserve(file, map->offset, length, error);
}

/* Maps what `options` ask of the source. */
static int map_fill(mapio_map *map, map_source *source, const mapio_options *options,
                    mapio_error *error)
{
    size_t length = 0;
    int status = length_resolve(&length, source, options, error);
    if (status == MAPIO_OK) {
        status = reserve(map, source->file, length, error);
    }
    if (status == MAPIO_OK) {
        status = map_shape(map, source->file, length, error);
    }
    if (status == MAPIO_OK) {
        status = map_take_file(map, source, error);
    }
    return status;
}

/* Whether the options suit a map that does or does not write to its file. */
static int check_writes(const mapio_map *map, unsigned open, mapio_error *error)
{
    bool writes = map->mode.shared && map->mode.writable;
    const unsigned for_writers = MAPIO_OPEN_CREATE | MAPIO_OPEN_EXTEND | MAPIO_OPEN_PREALLOCATE;
    if (!writes && (open & for_writers) != 0) {
        return mapio__fail(error, MAPIO_E_INVALID);
    }
    return MAPIO_OK;
}

/* An empty map for a file, with the options checked. */
static int map_for_file(mapio_map **map, mapio_options *known, const mapio_options *options,
                        mapio_error *error)
{
    int status = options_read(known, options, error);
    if (status == MAPIO_OK) {
        status = map_new(map, known, false, error);
    }
    if (status != MAPIO_OK) {
        return status;
    }
    status = check_writes(*map, known->open, error);
    if (status != MAPIO_OK) {
        map_free(*map);
    }
    return status;
}

int mapio_open_path(mapio_map **map, const char *path, const mapio_options *options,
                    mapio_error *error)
{
    mapio_options known;
    mapio_map *made = NULL;
    int status = map_for_file(&made, &known, options, error);
    if (status != MAPIO_OK) {
        return status;
    }
    map_source source = {.file = MAPIO__NO_FILE, .path = path};
    bool write = made->mode.shared && made->mode.writable;
    status = mapio__file_open(&source.file, &source.created, path, write, known.open,
                              known.permission, error);
    if (status != MAPIO_OK) {
        goto fail;
    }
    source.owned = true;
    status = map_fill(made, &source, &known, error);
    if (status != MAPIO_OK) {
        source_undo(&source);
        goto fail;
    }
    *map = made;
    return MAPIO_OK;

fail:
    map_free(made);
    return status;
}

int mapio_open_fd(mapio_map **map, int fd, const mapio_options *options, mapio_error *error)
{
    mapio_options known;
    mapio_map *made = NULL;
    int status = map_for_file(&made, &known, options, error);
    if (status != MAPIO_OK) {
        return status;
    }
    if ((known.open & MAPIO_OPEN_CREATE) != 0) {
        status = mapio__fail(error, MAPIO_E_INVALID);
        goto fail;
    }
    map_source source = {.file = MAPIO__NO_FILE};
    status = mapio__file_from_fd(&source.file, fd, error);
    if (status != MAPIO_OK) {
        goto fail;
    }
    status = map_fill(made, &source, &known, error);
    if (status != MAPIO_OK) {
        source_undo(&source);
        goto fail;
    }
    *map = made;
    return MAPIO_OK;

fail:
    map_free(made);
    return status;
}

int mapio_open_anonymous(mapio_map **map, const mapio_options *options, mapio_error *error)
{
    mapio_options known;
    mapio_map *made = NULL;
    int status = options_read(&known, options, error);
    if (status != MAPIO_OK) {
        return status;
    }
    const unsigned for_files = MAPIO_OPEN_CREATE | MAPIO_OPEN_EXTEND | MAPIO_OPEN_PREALLOCATE;
    if ((known.open & for_files) != 0) {
        return mapio__fail(error, MAPIO_E_INVALID);
    }
    if (known.length == 0 && (known.open & MAPIO_OPEN_NONEMPTY) != 0) {
        return mapio__fail(error, MAPIO_E_EMPTY);
    }
    status = map_new(&made, &known, true, error);
    if (status != MAPIO_OK) {
        return status;
    }
    status = map_shape(made, MAPIO__NO_FILE, known.length, error);
    if (status != MAPIO_OK) {
        map_free(made);
        return status;
    }
    *map = made;
    return MAPIO_OK;
}

/* ---- closing ---- */

int mapio_close(mapio_map *map, mapio_error *error)
{
    if (map == NULL) {
        return MAPIO_OK;
    }
    if (mapio_pins(map) != 0) {
        return mapio__fail(error, MAPIO_E_BUSY);
    }
    int status = map_unshape(map, error);
    if (map->file != MAPIO__NO_FILE) {
        int closed = mapio__file_close(map->file, status == MAPIO_OK ? error : NULL);
        status = status == MAPIO_OK ? closed : status;
    }
    free(map);
    return status;
}

/* ---- about a map ---- */

size_t mapio_length(const mapio_map *map)
{
    return map->length;
}

uint64_t mapio_offset(const mapio_map *map)
{
    return map->offset;
}

mapio_access mapio_access_of(const mapio_map *map)
{
    return map->mode.access;
}

bool mapio_readable(const mapio_map *map)
{
    return map->mode.readable;
}

bool mapio_writable(const mapio_map *map)
{
    return map->mode.writable;
}

size_t mapio_overhead(const mapio_map *map)
{
    return sizeof(*map);
}

int mapio_size(uint64_t *size, const mapio_map *map, mapio_error *error)
{
    if (!map->tracked) {
        return mapio__fail(error, MAPIO_E_NO_FILE);
    }
    if (map->mode.anonymous) {
        *size = map->length;
        return MAPIO_OK;
    }
    bool sized = false;
    return mapio__file_length(size, &sized, map->file, error);
}

int mapio_path(char *buffer, size_t capacity, const mapio_map *map, mapio_error *error)
{
    if (map->file == MAPIO__NO_FILE) {
        return mapio__fail(error, MAPIO_E_NO_FILE);
    }
    return mapio__file_path(buffer, capacity, map->file, error);
}

void *mapio_data(const mapio_map *map)
{
    return map->length == 0 ? NULL : map->data;
}

void mapio_pin(mapio_map *map)
{
    atomic_fetch_add_explicit(&map->pins, 1, memory_order_relaxed);
}

/* Release, so that what was done under the pin is over before resize or close sees it gone. */
void mapio_unpin(mapio_map *map)
{
    atomic_fetch_sub_explicit(&map->pins, 1, memory_order_release);
}

size_t mapio_pins(const mapio_map *map)
{
    return atomic_load_explicit(&map->pins, memory_order_acquire);
}

/* ---- resizing ---- */

static int resize_check(const mapio_map *map, size_t length, mapio_error *error)
{
    uint64_t end = 0;
    mapio_status status = MAPIO_OK;
    if (mapio_pins(map) != 0) {
        status = MAPIO_E_BUSY;
    } else if (!map->tracked) {
        status = MAPIO_E_NO_FILE;
    } else if (map->mode.access == MAPIO_ACCESS_READ || map->mode.access == MAPIO_ACCESS_COPY) {
        status = MAPIO_E_NOT_RESIZABLE;
    } else if (length > MAPIO__MEMORY_MAX || !mapio__add(&end, map->offset, length) ||
               end > MAPIO__FILE_MAX) {
        status = MAPIO_E_OVERFLOW;
    } else if (length > map->length && !mapio__view_can_grow(&map->mode)) {
        status = MAPIO_E_UNSUPPORTED;
    }
    return status == MAPIO_OK ? MAPIO_OK : mapio__fail(error, status);
}

/* Makes the map longer by mapping its file once more, at the new length, and carrying over what
 * lives in a private map's memory alone; nothing tells which of its pages were stored into, so all
 * are copied. */
static int view_replace(mapio_map *map, size_t length, mapio_error *error)
{
    mapio_map next = {.data = nothing, .mode = map->mode, .file = map->file, .offset = map->offset};
    int status = map_shape(&next, map->file, length, error);
    if (status == MAPIO_OK && !map->mode.shared) {
        status = mapio__copy_between(&next, map, map->length, error);
    }
    if (status != MAPIO_OK) {
        (void)map_unshape(&next, NULL);
        return status;
    }
    mapio__view old = map->view;
    mapio__unregister(&next);
    mapio__health_free(&next);
    map->view = next.view;
    map->data = next.data;
    map->length = length;
    (void)mapio__view_unmap(&old, NULL);
    return MAPIO_OK;
}

/* Makes the view longer or shorter in its place, or where the system moves it to. */
static int view_resize(mapio_map *map, size_t length, mapio_error *error)
{
    size_t lead = (size_t)(map->data - map->view.base);
    size_t view_length = 0;
    if (!mapio__add_size(&view_length, lead, length)) {
        return mapio__fail(error, MAPIO_E_OVERFLOW);
    }
    int status = mapio__view_resize(&map->view, view_length, error);
    if (status == MAPIO_OK) {
        map->data = map->view.base + lead;
        map->length = length;
    }
    return status;
}

/* Gives the map's memory its new length; the file has it already. On failure nothing changed. The
 * pages are all the file's own, so what is known about lost ones can go. */
static int view_fit(mapio_map *map, size_t length, mapio_error *error)
{
    if (map->length == 0) {
        return map_shape(map, map->file, length, error);
    }
    if (length == 0) {
        return map_unshape(map, error);
    }
    mapio__health_free(map);
    mapio__hide(map);
    mapio_error refusal = {.status = MAPIO_OK};
    int status = view_resize(map, length, &refusal);
    mapio__show(map);
    if (status == MAPIO_E_UNSUPPORTED) {
        status = view_replace(map, length, error);
        mapio__show(map);
    } else if (status != MAPIO_OK && error != NULL) {
        *error = refusal;
    }
    return status;
}

/* A page of a private map that was cut short and grows again still holds what was stored behind
 * its end; the file's own pages are cleared by the system. Clears [from, to) as far as it lies in
 * the page in which the map ended; if that page cannot be had, there is nothing to clear. */
static void clear_stale(mapio_map *map, size_t old_length, uint64_t from)
{
    size_t page = mapio__page_size();
    size_t lead = (size_t)(map->data - map->view.base);
    uint64_t page_end = mapio__align_down(lead + (uint64_t)old_length + page - 1, page) - lead;
    uint64_t to = mapio__min(page_end, map->length);
    if (from < to) {
        (void)mapio_fill(map, from, (size_t)(to - from), 0, NULL);
    }
}

static int resize_anonymous(mapio_map *map, size_t length, mapio_error *error)
{
    size_t old_length = map->length;
    int status = view_fit(map, length, error);
    if (status == MAPIO_OK && length > old_length && old_length > 0) {
        clear_stale(map, old_length, old_length);
    }
    return status;
}

/* Makes the file reach to the end of a map of `length` bytes, with blocks on the disk if that was
 * asked for. On failure it has its old length. */
static int file_reach(const mapio_map *map, size_t length, uint64_t file_length, mapio_error *error)
{
    uint64_t end = map->offset + length;
    int status = end > file_length ? mapio__file_set_length(map->file, end, error) : MAPIO_OK;
    if (status != MAPIO_OK) {
        return status;
    }
    status = reserve(map, map->file, length, error);
    if (status != MAPIO_OK && end > file_length) {
        (void)mapio__file_set_length(map->file, file_length, NULL);
    }
    return status;
}

/* Steps that can be taken back come first, and a file is cut last: what is cut off cannot be put
 * back. A file that gets longer, and a view, can have their old length again; a view never fails to
 * get shorter. */
static int resize_both(mapio_map *map, size_t length, uint64_t file_length, mapio_error *error)
{
    size_t old_length = map->length;
    uint64_t end = map->offset + length;
    int status = file_reach(map, length, file_length, error);
    if (status == MAPIO_OK && length > old_length) {
        status = view_fit(map, length, error);
        if (status != MAPIO_OK && end > file_length) {
            (void)mapio__file_set_length(map->file, file_length, NULL);
        }
    }
    if (status == MAPIO_OK && end < file_length) {
        status = mapio__file_set_length(map->file, end, error);
        if (status != MAPIO_OK && length > old_length) {
            (void)view_fit(map, old_length, NULL);
        }
    }
    if (status == MAPIO_OK && length < old_length) {
        status = view_fit(map, length, error);
    }
    return status;
}

static int resize_file(mapio_map *map, size_t length, mapio_error *error)
{
    uint64_t file_length = 0;
    bool sized = false;
    size_t old_length = map->length;
    int status = mapio__file_length(&file_length, &sized, map->file, error);
    if (status == MAPIO_OK) {
        status = resize_both(map, length, file_length, error);
    }
    if (status == MAPIO_OK && !map->mode.shared && length > old_length && old_length > 0) {
        uint64_t old_end = file_length > map->offset ? file_length - map->offset : 0;
        clear_stale(map, old_length, mapio__max(old_length, old_end));
    }
    return status;
}

/* Sees to it that a failing page would come to us, and that every page is the file's own. */
static int make_whole(mapio_map *map, mapio_error *error)
{
    mapio__guard guard;
    const mapio__touch touch = {0, map->length, false};
    int status = map->slot == NULL ? MAPIO_OK : mapio__register(map, error);
    if (status == MAPIO_OK) {
        status = mapio__guard_begin(&guard, map, touch, error);
    }
    return status == MAPIO_OK ? mapio__guard_end(guard, touch, error) : status;
}

int mapio_resize(mapio_map *map, size_t length, mapio_error *error)
{
    int status = resize_check(map, length, error);
    if (status == MAPIO_OK) {
        status = make_whole(map, error);
    }
    if (status != MAPIO_OK) {
        return status;
    }
    return map->mode.anonymous ? resize_anonymous(map, length, error)
                               : resize_file(map, length, error);
}
