/* The life of a map after it was opened: its shape, what it is, resize, close. The only file that
 * changes a map's shape. */
#include "map/map.h"
#include "map/mode.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Where an empty map's data points, so that data + 0 is an address. */
static uint8_t nothing[1];

/* ---- shape ---- */

int ironmap__map_new(ironmap_map **out, const ironmap_options *options, bool anonymous,
                     ironmap_error *error)
{
    ironmap__mode mode;
    ironmap_access access = IRONMAP_ACCESS_DEFAULT;
    int status = ironmap__mode_resolve(&mode, &access, options, anonymous, error);
    if (status != IRONMAP_OK) {
        return status;
    }
    ironmap_map *map = calloc(1, sizeof(*map));
    if (map == NULL) {
        return ironmap__fail(error, IRONMAP_E_NOMEM);
    }
    map->data = nothing;
    map->mode = mode;
    map->access = access;
    map->file = IRONMAP__NO_FILE;
    map->offset = options->offset;
    map->tracked = (options->open & IRONMAP_OPEN_NO_TRACK) == 0;
    map->preallocate = (options->open & IRONMAP_OPEN_PREALLOCATE) != 0;
    map->check = options->check;
    map->check_context = options->check_context;
    *out = map;
    return IRONMAP_OK;
}

int ironmap__map_unshape(ironmap_map *map, ironmap_error *error)
{
    ironmap__unregister(map);
    ironmap__health_free(map);
    map->data = nothing;
    map->length = 0;
    return ironmap__view_unmap(&map->view, error);
}

static int view_open(ironmap_map *map, ironmap__file file, uint64_t offset, size_t length,
                     ironmap_error *error)
{
    if (map->tag == NULL) {
        return ironmap__view_map(&map->view, &map->mode, file, offset, length, error);
    }
    return ironmap__tag_map(&map->view, &map->mode, map->tag, file, offset, length, error);
}

int ironmap__map_shape(ironmap_map *map, ironmap__file file, size_t length, ironmap_error *error)
{
    if (length == 0) {
        return IRONMAP_OK;
    }
    uint64_t aligned = map->mode.anonymous
                           ? map->offset
                           : ironmap__align_down(map->offset, ironmap__granularity());
    size_t lead = (size_t)(map->offset - aligned);
    size_t view_length = 0;
    if (!ironmap__add_size(&view_length, lead, length)) {
        return ironmap__fail(error, IRONMAP_E_OVERFLOW);
    }
    int status = view_open(map, file, aligned, view_length, error);
    if (status != IRONMAP_OK) {
        return status;
    }
    assert(map->view.base != NULL);
    map->data = map->view.base + lead;
    map->length = length;
    if (map->mode.anonymous) {
        return IRONMAP_OK;
    }
    status = ironmap__health_reserve(map, view_length, error);
    if (status == IRONMAP_OK) {
        status = ironmap__register(map, error);
    }
    if (status != IRONMAP_OK) {
        (void)ironmap__map_unshape(map, NULL);
    }
    return status;
}

int ironmap__map_reserve(const ironmap_map *map, ironmap__file file, size_t length,
                         ironmap_error *error)
{
    if (!map->preallocate || length == 0) {
        return IRONMAP_OK;
    }
    return ironmap__file_reserve(file, map->offset, length, error);
}

/* ---- closing ---- */

static int let_go_of_file(const ironmap_map *map, ironmap_error *error)
{
    bool own = map->file != IRONMAP__NO_FILE && !map->tag_memory;
    return own ? ironmap__file_close(map->file, error) : IRONMAP_OK;
}

static int let_go_of_tag(const ironmap_map *map, ironmap_error *error)
{
    return map->tag == NULL ? IRONMAP_OK : ironmap__tag_close(map->tag, error);
}

/* The tag comes last: when it is gone, nobody can store into its memory any more. The first failure
 * is the one that is reported. */
int ironmap__map_end(ironmap_map *map, ironmap_error *error)
{
    int unshaped = ironmap__map_unshape(map, error);
    error = unshaped == IRONMAP_OK ? error : NULL;
    int closed = let_go_of_file(map, error);
    error = closed == IRONMAP_OK ? error : NULL;
    int left = let_go_of_tag(map, error);
    free(map);
    if (unshaped != IRONMAP_OK) {
        return unshaped;
    }
    return closed != IRONMAP_OK ? closed : left;
}

int ironmap_close(ironmap_map *map, ironmap_error *error)
{
    if (map == NULL) {
        return IRONMAP_OK;
    }
    if (ironmap_busy(map)) {
        return ironmap__fail(error, IRONMAP_E_BUSY);
    }
    return ironmap__map_end(map, error);
}

/* ---- about a map ---- */

size_t ironmap_length(const ironmap_map *map)
{
    return map->length;
}

uint64_t ironmap_offset(const ironmap_map *map)
{
    return map->tag_memory ? map->offset - map->tag->start : map->offset;
}

ironmap_access ironmap_access_of(const ironmap_map *map)
{
    return map->access;
}

bool ironmap_readable(const ironmap_map *map)
{
    return map->mode.readable;
}

bool ironmap_writable(const ironmap_map *map)
{
    return map->mode.writable;
}

size_t ironmap_overhead(const ironmap_map *map)
{
    return sizeof(*map);
}

int ironmap_size(uint64_t *size, const ironmap_map *map, ironmap_error *error)
{
    if (!map->tracked) {
        return ironmap__fail(error, IRONMAP_E_NO_FILE);
    }
    if (map->mode.anonymous || map->tag_memory) {
        *size = map->tag_memory ? map->tag->length : map->length;
        return IRONMAP_OK;
    }
    bool sized = false;
    return ironmap__file_length(size, &sized, map->file, error);
}

int ironmap_path(char *buffer, size_t capacity, const ironmap_map *map, ironmap_error *error)
{
    if (map->file == IRONMAP__NO_FILE || map->tag_memory) {
        return ironmap__fail(error, IRONMAP_E_NO_FILE);
    }
    return ironmap__file_path(buffer, capacity, map->file, error);
}

void *ironmap_data(const ironmap_map *map)
{
    return map->length == 0 ? NULL : map->data;
}

/* Counted before looking: a handler that still found no pin is at work or has been, and is seen.
 * From here on every loss is damage, of which others than the library learn; so the signal is taken
 * back from whoever took it since. If that fails, it is as it was. */
void ironmap_pin(ironmap_map *map)
{
    atomic_fetch_add(&map->pins, 1);
    if (map->slot != NULL) {
        (void)ironmap__fault_guard_process(NULL);
    }
    ironmap__health_settle(map);
}

/* Release, so that what was done under the pin is over before resize or close sees it gone. */
void ironmap_unpin(ironmap_map *map)
{
    atomic_fetch_sub_explicit(&map->pins, 1, memory_order_release);
}

size_t ironmap_pins(const ironmap_map *map)
{
    return atomic_load_explicit(&map->pins, memory_order_acquire);
}

void ironmap_hold(ironmap_map *map)
{
    atomic_fetch_add_explicit(&map->holds, 1, memory_order_relaxed);
}

void ironmap_release(ironmap_map *map)
{
    atomic_fetch_sub_explicit(&map->holds, 1, memory_order_release);
}

bool ironmap_busy(const ironmap_map *map)
{
    return ironmap_pins(map) != 0 || atomic_load_explicit(&map->holds, memory_order_acquire) != 0;
}

/* ---- resizing ---- */

/* Whether the map's file can reach so far; an anonymous map has none. */
static bool end_fits(const ironmap_map *map, size_t length)
{
    uint64_t end = 0;
    return map->mode.anonymous ||
           (ironmap__add(&end, map->offset, length) && end <= IRONMAP__FILE_MAX);
}

static int resize_check(const ironmap_map *map, size_t length, ironmap_error *error)
{
    bool grows = map->length != 0 && length > map->length;
    ironmap_status status = IRONMAP_OK;
    if (ironmap_busy(map)) {
        status = IRONMAP_E_BUSY;
    } else if (!map->tracked) {
        status = IRONMAP_E_NO_FILE;
    } else if (map->tag != NULL || map->access == IRONMAP_ACCESS_READ ||
               map->access == IRONMAP_ACCESS_COPY) {
        status = IRONMAP_E_NOT_RESIZABLE;
    } else if (length > IRONMAP__MEMORY_MAX || !end_fits(map, length)) {
        status = IRONMAP_E_OVERFLOW;
    } else if (grows && !ironmap__view_can_grow(&map->mode)) {
        status = IRONMAP_E_UNSUPPORTED;
    }
    return status == IRONMAP_OK ? IRONMAP_OK : ironmap__fail(error, status);
}

/* Makes the map longer by mapping its file once more, at the new length, and carrying over what
 * lives in a private map's memory alone; nothing tells which of its pages were stored into, so all
 * are copied. */
static int view_replace(ironmap_map *map, size_t length, ironmap_error *error)
{
    ironmap_map next = {
        .data = nothing, .mode = map->mode, .file = map->file, .offset = map->offset};
    int status = ironmap__map_shape(&next, map->file, length, error);
    if (status == IRONMAP_OK && !map->mode.shared) {
        status = ironmap__copy_between(&next, map, map->length, error);
    }
    if (status != IRONMAP_OK) {
        (void)ironmap__map_unshape(&next, NULL);
        return status;
    }
    ironmap__view old = map->view;
    ironmap__unregister(&next);
    ironmap__health_take(map, &next);
    map->view = next.view;
    map->data = next.data;
    map->length = length;
    (void)ironmap__view_unmap(&old, NULL);
    return IRONMAP_OK;
}

/* Makes the view longer or shorter in its place, or where the system moves it to. */
static int view_resize(ironmap_map *map, size_t length, ironmap_error *error)
{
    size_t lead = ironmap__lead(map);
    size_t old_length = map->view.length;
    size_t view_length = 0;
    if (!ironmap__add_size(&view_length, lead, length)) {
        return ironmap__fail(error, IRONMAP_E_OVERFLOW);
    }
    int status = ironmap__view_resize(&map->view, view_length, error);
    if (status == IRONMAP_OK) {
        status = ironmap__health_reserve(map, view_length, error);
        if (status != IRONMAP_OK) {
            (void)ironmap__view_resize(&map->view, old_length, NULL);
            map->data = map->view.base + lead;
        }
    }
    if (status == IRONMAP_OK) {
        map->data = map->view.base + lead;
        map->length = length;
    }
    return status;
}

/* Gives the map's memory its new length; the file has it already. On failure nothing changed. */
static int view_fit(ironmap_map *map, size_t length, ironmap_error *error)
{
    if (map->length == 0) {
        return ironmap__map_shape(map, map->file, length, error);
    }
    if (length == 0) {
        return ironmap__map_unshape(map, error);
    }
    ironmap_error refusal = {.status = IRONMAP_OK};
    ironmap__hide(map);
    int status = view_resize(map, length, &refusal);
    ironmap__show(map);
    if (status == IRONMAP_E_UNSUPPORTED) {
        status = view_replace(map, length, error);
        ironmap__show(map);
    } else if (status != IRONMAP_OK && error != NULL) {
        *error = refusal;
    }
    return status;
}

/* Stores what the file has at [from, to) of the map into a private page that no longer shows it:
 * zeros behind the file's end, and all zeros for an anonymous map. */
static int refresh(ironmap_map *map, size_t from, size_t to, ironmap_error *error)
{
    uint8_t bytes[512];
    while (from < to) {
        size_t count = (size_t)ironmap__min(sizeof(bytes), to - from);
        memset(bytes, 0, count);
        int status = map->mode.anonymous
                         ? IRONMAP_OK
                         : ironmap__file_read(bytes, map->file, map->offset + from, count, error);
        if (status == IRONMAP_OK) {
            status = ironmap_put(map, from, bytes, count, error);
        }
        if (status != IRONMAP_OK) {
            return status;
        }
        from += count;
    }
    return IRONMAP_OK;
}

/* A page of a private map that was cut short still holds what was stored behind the cut, and would
 * show it when the map grows again; the file's own pages are cleared by the system. If the page or
 * the file cannot be read, there is nothing better to show. */
static void refresh_cut_page(ironmap_map *map, size_t old_length)
{
    if (map->mode.shared || old_length == 0 || old_length >= map->length) {
        return;
    }
    size_t lead = ironmap__lead(map);
    size_t page_end = ironmap__align_up(lead + old_length, ironmap__page_size()) - lead;
    (void)refresh(map, old_length, (size_t)ironmap__min(page_end, map->length), NULL);
}

/* Cuts the file of a map that is or is about to be `length` bytes long. Where the view had to go
 * meanwhile and did not come back, the map is empty. */
static int file_cut(ironmap_map *map, size_t length, uint64_t end, ironmap_error *error)
{
    if (map->view.base == NULL) {
        return ironmap__file_set_length(map->file, end, error);
    }
    size_t lead = ironmap__lead(map);
    ironmap__hide(map);
    int status =
        ironmap__view_cut(&map->view, map->file, length == 0 ? 0 : lead + length, end, error);
    ironmap__show(map);
    if (map->view.base == NULL) {
        (void)ironmap__map_unshape(map, NULL);
    } else {
        map->data = map->view.base + lead;
    }
    return status;
}

/* Makes the file reach to the end of a map of `length` bytes, with blocks on the disk if that was
 * asked for. On failure it has its old length. */
static int file_reach(ironmap_map *map, size_t length, uint64_t file_length, ironmap_error *error)
{
    uint64_t end = map->offset + length;
    int status = end > file_length ? ironmap__file_set_length(map->file, end, error) : IRONMAP_OK;
    if (status != IRONMAP_OK) {
        return status;
    }
    status = ironmap__map_reserve(map, map->file, length, error);
    if (status != IRONMAP_OK && end > file_length) {
        (void)file_cut(map, map->length, file_length, NULL);
    }
    return status;
}

/* Steps that can be taken back come first, and a file is cut last: what is cut off cannot be put
 * back. A file that gets longer, and a view, can have their old length again; a view never fails to
 * get shorter. */
static int resize_both(ironmap_map *map, size_t length, uint64_t file_length, ironmap_error *error)
{
    size_t old_length = map->length;
    uint64_t end = map->offset + length;
    int status = file_reach(map, length, file_length, error);
    if (status == IRONMAP_OK && length > old_length) {
        status = view_fit(map, length, error);
        if (status != IRONMAP_OK && end > file_length) {
            (void)file_cut(map, map->length, file_length, NULL);
        }
    }
    if (status == IRONMAP_OK && end < file_length) {
        status = file_cut(map, length, end, error);
        if (status != IRONMAP_OK && length > old_length && map->length == length) {
            (void)view_fit(map, old_length, NULL);
        }
    }
    if (status == IRONMAP_OK && length < old_length) {
        status = view_fit(map, length, error);
    }
    return status;
}

static int resize_file(ironmap_map *map, size_t length, ironmap_error *error)
{
    uint64_t file_length = 0;
    bool sized = false;
    int status = ironmap__file_length(&file_length, &sized, map->file, error);
    return status == IRONMAP_OK ? resize_both(map, length, file_length, error) : status;
}

/* Sees to it that a failing page would come to us, and that every page is the file's own. */
static int make_whole(ironmap_map *map, ironmap_error *error)
{
    ironmap__guard guard;
    const ironmap__touch touch = {0, map->length, false};
    int status = map->slot == NULL ? IRONMAP_OK : ironmap__register(map, error);
    if (status == IRONMAP_OK) {
        status = ironmap__guard_begin(&guard, map, touch, error);
    }
    return status == IRONMAP_OK ? ironmap__guard_end(guard, touch, error) : status;
}

int ironmap_resize(ironmap_map *map, size_t length, ironmap_error *error)
{
    int status = resize_check(map, length, error);
    if (status == IRONMAP_OK) {
        status = make_whole(map, error);
    }
    if (status != IRONMAP_OK) {
        return status;
    }
    size_t old_length = map->length;
    status = map->mode.anonymous ? view_fit(map, length, error) : resize_file(map, length, error);
    if (status == IRONMAP_OK) {
        refresh_cut_page(map, old_length);
    }
    return status;
}
