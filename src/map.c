/* The life of a map after it was opened: its shape, what it is, resize, close. The only file that
 * changes a map's shape. */
#include "map.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Where an empty map's data points, so that data + 0 is an address. */
static uint8_t nothing[1];

/* ---- shape ---- */

int mapio__map_new(mapio_map **out, const mapio_options *options, bool anonymous,
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
    map->check = options->check;
    map->check_context = options->check_context;
    *out = map;
    return MAPIO_OK;
}

int mapio__map_unshape(mapio_map *map, mapio_error *error)
{
    mapio__unregister(map);
    mapio__health_free(map);
    map->data = nothing;
    map->length = 0;
    return mapio__view_unmap(&map->view, error);
}

static int view_open(mapio_map *map, mapio__file file, uint64_t offset, size_t length,
                     mapio_error *error)
{
    if (map->tag == NULL) {
        return mapio__view_map(&map->view, &map->mode, file, offset, length, error);
    }
    return mapio__tag_map(&map->view, &map->mode, map->tag, file, offset, length, error);
}

int mapio__map_shape(mapio_map *map, mapio__file file, size_t length, mapio_error *error)
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
    int status = view_open(map, file, aligned, view_length, error);
    if (status != MAPIO_OK) {
        return status;
    }
    assert(map->view.base != NULL);
    map->data = map->view.base + lead;
    map->length = length;
    if (map->mode.anonymous) {
        return MAPIO_OK;
    }
    status = mapio__health_reserve(map, view_length, error);
    if (status == MAPIO_OK) {
        status = mapio__register(map, error);
    }
    if (status != MAPIO_OK) {
        (void)mapio__map_unshape(map, NULL);
    }
    return status;
}

int mapio__map_reserve(const mapio_map *map, mapio__file file, size_t length, mapio_error *error)
{
    if (!map->preallocate || length == 0) {
        return MAPIO_OK;
    }
    return mapio__file_reserve(file, map->offset, length, error);
}

/* ---- closing ---- */

static int let_go_of_file(const mapio_map *map, mapio_error *error)
{
    bool own = map->file != MAPIO__NO_FILE && !map->tag_memory;
    return own ? mapio__file_close(map->file, error) : MAPIO_OK;
}

static int let_go_of_tag(const mapio_map *map, mapio_error *error)
{
    return map->tag == NULL ? MAPIO_OK : mapio__tag_close(map->tag, error);
}

/* The tag comes last: when it is gone, nobody can store into its memory any more. The first failure
 * is the one that is reported. */
int mapio__map_end(mapio_map *map, mapio_error *error)
{
    int unshaped = mapio__map_unshape(map, error);
    error = unshaped == MAPIO_OK ? error : NULL;
    int closed = let_go_of_file(map, error);
    error = closed == MAPIO_OK ? error : NULL;
    int left = let_go_of_tag(map, error);
    free(map);
    if (unshaped != MAPIO_OK) {
        return unshaped;
    }
    return closed != MAPIO_OK ? closed : left;
}

int mapio_close(mapio_map *map, mapio_error *error)
{
    if (map == NULL) {
        return MAPIO_OK;
    }
    if (mapio_busy(map)) {
        return mapio__fail(error, MAPIO_E_BUSY);
    }
    return mapio__map_end(map, error);
}

/* ---- about a map ---- */

size_t mapio_length(const mapio_map *map)
{
    return map->length;
}

uint64_t mapio_offset(const mapio_map *map)
{
    return map->tag_memory ? map->offset - map->tag->start : map->offset;
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
    if (map->mode.anonymous || map->tag_memory) {
        *size = map->tag_memory ? map->tag->length : map->length;
        return MAPIO_OK;
    }
    bool sized = false;
    return mapio__file_length(size, &sized, map->file, error);
}

int mapio_path(char *buffer, size_t capacity, const mapio_map *map, mapio_error *error)
{
    if (map->file == MAPIO__NO_FILE || map->tag_memory) {
        return mapio__fail(error, MAPIO_E_NO_FILE);
    }
    return mapio__file_path(buffer, capacity, map->file, error);
}

void *mapio_data(const mapio_map *map)
{
    return map->length == 0 ? NULL : map->data;
}

/* Counted before looking: a handler that still found no pin is at work or has been, and is seen.
 * From here on every loss is damage, of which others than the library learn; so the signal is taken
 * back from whoever took it since. If that fails, it is as it was. */
void mapio_pin(mapio_map *map)
{
    atomic_fetch_add(&map->pins, 1);
    if (map->slot != NULL) {
        (void)mapio__fault_guard_process(NULL);
    }
    mapio__health_settle(map);
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

void mapio_hold(mapio_map *map)
{
    atomic_fetch_add_explicit(&map->holds, 1, memory_order_relaxed);
}

void mapio_release(mapio_map *map)
{
    atomic_fetch_sub_explicit(&map->holds, 1, memory_order_release);
}

bool mapio_busy(const mapio_map *map)
{
    return mapio_pins(map) != 0 || atomic_load_explicit(&map->holds, memory_order_acquire) != 0;
}

/* ---- resizing ---- */

/* Whether the map's file can reach so far; an anonymous map has none. */
static bool end_fits(const mapio_map *map, size_t length)
{
    uint64_t end = 0;
    return map->mode.anonymous || (mapio__add(&end, map->offset, length) && end <= MAPIO__FILE_MAX);
}

static int resize_check(const mapio_map *map, size_t length, mapio_error *error)
{
    bool grows = map->length != 0 && length > map->length;
    mapio_status status = MAPIO_OK;
    if (mapio_busy(map)) {
        status = MAPIO_E_BUSY;
    } else if (!map->tracked) {
        status = MAPIO_E_NO_FILE;
    } else if (map->tag != NULL || map->mode.access == MAPIO_ACCESS_READ ||
               map->mode.access == MAPIO_ACCESS_COPY) {
        status = MAPIO_E_NOT_RESIZABLE;
    } else if (length > MAPIO__MEMORY_MAX || !end_fits(map, length)) {
        status = MAPIO_E_OVERFLOW;
    } else if (grows && !mapio__view_can_grow(&map->mode)) {
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
    int status = mapio__map_shape(&next, map->file, length, error);
    if (status == MAPIO_OK && !map->mode.shared) {
        status = mapio__copy_between(&next, map, map->length, error);
    }
    if (status != MAPIO_OK) {
        (void)mapio__map_unshape(&next, NULL);
        return status;
    }
    mapio__view old = map->view;
    mapio__unregister(&next);
    mapio__health_take(map, &next);
    map->view = next.view;
    map->data = next.data;
    map->length = length;
    (void)mapio__view_unmap(&old, NULL);
    return MAPIO_OK;
}

/* Makes the view longer or shorter in its place, or where the system moves it to. */
static int view_resize(mapio_map *map, size_t length, mapio_error *error)
{
    size_t lead = mapio__lead(map);
    size_t old_length = map->view.length;
    size_t view_length = 0;
    if (!mapio__add_size(&view_length, lead, length)) {
        return mapio__fail(error, MAPIO_E_OVERFLOW);
    }
    int status = mapio__view_resize(&map->view, view_length, error);
    if (status == MAPIO_OK) {
        status = mapio__health_reserve(map, view_length, error);
        if (status != MAPIO_OK) {
            (void)mapio__view_resize(&map->view, old_length, NULL);
            map->data = map->view.base + lead;
        }
    }
    if (status == MAPIO_OK) {
        map->data = map->view.base + lead;
        map->length = length;
    }
    return status;
}

/* Gives the map's memory its new length; the file has it already. On failure nothing changed. */
static int view_fit(mapio_map *map, size_t length, mapio_error *error)
{
    if (map->length == 0) {
        return mapio__map_shape(map, map->file, length, error);
    }
    if (length == 0) {
        return mapio__map_unshape(map, error);
    }
    mapio_error refusal = {.status = MAPIO_OK};
    mapio__hide(map);
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

/* Stores what the file has at [from, to) of the map into a private page that no longer shows it:
 * zeros behind the file's end, and all zeros for an anonymous map. */
static int refresh(mapio_map *map, size_t from, size_t to, mapio_error *error)
{
    uint8_t bytes[512];
    while (from < to) {
        size_t count = (size_t)mapio__min(sizeof(bytes), to - from);
        memset(bytes, 0, count);
        int status = map->mode.anonymous
                         ? MAPIO_OK
                         : mapio__file_read(bytes, map->file, map->offset + from, count, error);
        if (status == MAPIO_OK) {
            status = mapio_put(map, from, bytes, count, error);
        }
        if (status != MAPIO_OK) {
            return status;
        }
        from += count;
    }
    return MAPIO_OK;
}

/* A page of a private map that was cut short still holds what was stored behind the cut, and would
 * show it when the map grows again; the file's own pages are cleared by the system. If the page or
 * the file cannot be read, there is nothing better to show. */
static void refresh_cut_page(mapio_map *map, size_t old_length)
{
    if (map->mode.shared || old_length == 0 || old_length >= map->length) {
        return;
    }
    size_t lead = mapio__lead(map);
    size_t page_end = mapio__align_up(lead + old_length, mapio__page_size()) - lead;
    (void)refresh(map, old_length, (size_t)mapio__min(page_end, map->length), NULL);
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
    status = mapio__map_reserve(map, map->file, length, error);
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
    int status = mapio__file_length(&file_length, &sized, map->file, error);
    return status == MAPIO_OK ? resize_both(map, length, file_length, error) : status;
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
    size_t old_length = map->length;
    status = map->mode.anonymous ? view_fit(map, length, error) : resize_file(map, length, error);
    if (status == MAPIO_OK) {
        refresh_cut_page(map, old_length);
    }
    return status;
}
