/* The life of a map: made, mapped, closed. */
#include "map/life.h"

#include <assert.h>
#include <stdlib.h>

#include "fault/handler.h"
#include "fault/lost.h"
#include "fault/restore.h"
#include "fault/shape.h"
#include "map/mode.h"

/* ---- the view ---- */

int ironmap__map_new(ironmap_map **out, ironmap_access access, const ironmap_options *options,
                     bool anonymous, ironmap_error *error)
{
    ironmap__mode mode;
    int status = ironmap__mode_resolve(&mode, &access, options, anonymous, error);
    if (status != IRONMAP_OK) {
        return status;
    }
    ironmap_map *map = calloc(1, sizeof(*map));
    if (map == NULL) {
        return ironmap__fail(error, IRONMAP_E_NOMEM);
    }
    ironmap__mapping_init(&map->mapping, &mode, IRONMAP__NO_FILE, options->offset);
    map->access = access;
    map->tracked = (options->open & IRONMAP_OPEN_NO_TRACK) == 0;
    map->preallocate = (options->open & IRONMAP_OPEN_PREALLOCATE) != 0;
    map->check = options->check;
    map->check_context = options->context;
    *out = map;
    return IRONMAP_OK;
}

int ironmap__unmap(ironmap_map *map, ironmap_error *error)
{
    map->mapping.view = ironmap__withdraw_view(&map->mapping);
    return ironmap__view_unmap(&map->mapping.view, error);
}

static int view_open(ironmap__view *view, const ironmap__mapping *mapping, const ironmap__tag *tag,
                     ironmap__file file, size_t length, ironmap_error *error)
{
    uint64_t offset = ironmap__view_offset(mapping);
    return tag == NULL ? ironmap__view_map(view, &mapping->mode, file, offset, length, error)
                       : ironmap__tag_map(view, &mapping->mode, tag, file, offset, length, error);
}

int ironmap__mapping_open(ironmap__mapping *mapping, const ironmap__tag *tag, ironmap__file file,
                          size_t length, ironmap_error *error)
{
    ironmap__view view = {NULL, 0};
    size_t view_length = 0;
    assert(mapping->view.base == NULL);
    mapping->mode.page = ironmap__view_page_size(&mapping->mode, file);
    size_t alignment = (size_t)(mapping->offset - ironmap__view_offset(mapping));
    if (!ironmap__add_size(&view_length, alignment, length)) {
        return ironmap__fail(error, IRONMAP_E_OVERFLOW);
    }
    int status = view_open(&view, mapping, tag, file, view_length, error);
    if (status != IRONMAP_OK) {
        return status;
    }
    assert(view.base != NULL);
    status = ironmap__enter(mapping, error);
    if (status != IRONMAP_OK) {
        (void)ironmap__withdraw_view(mapping);
        (void)ironmap__view_unmap(&view, NULL);
        return status;
    }
    ironmap__replace_view(mapping, view, alignment, length);
    return IRONMAP_OK;
}

int ironmap__map_view(ironmap_map *map, ironmap__file file, size_t length, ironmap_error *error)
{
    /* A view that could not be unmapped when the map became empty. */
    int status = ironmap__view_unmap(&map->mapping.view, error);
    if (status != IRONMAP_OK || length == 0) {
        return status;
    }
    return ironmap__mapping_open(&map->mapping, map->tag, file, length, error);
}

int ironmap__map_reserve(const ironmap_map *map, ironmap__file file, size_t length,
                         ironmap_error *error)
{
    if (!map->preallocate || length == 0) {
        return IRONMAP_OK;
    }
    return ironmap__file_reserve(file, map->mapping.offset, length, error);
}

bool ironmap__can_undo_extension(ironmap__file file, uint64_t length)
{
    uint64_t now = 0;
    bool sized = false;
    return ironmap__file_length(&now, &sized, file, NULL) == IRONMAP_OK && sized && now == length;
}

/* ---- closing ---- */

/* True if the map holds a file of its own; that of a tag's memory is the tag's. */
static bool owns_file(const ironmap_map *map)
{
    return map->mapping.file != IRONMAP__NO_FILE && !map->tag_memory;
}

/* Closes the file, if it is not IRONMAP__NO_FILE, and the tag. The tag comes last: nothing may
 * store into its memory after it is closed. `first` is what the steps before have returned. The
 * first failure is the one that is reported. */
static int close_file_and_tag(ironmap_map *map, ironmap__file file, int first, ironmap_error *error)
{
    int status = first;
    if (file != IRONMAP__NO_FILE) {
        int closed = ironmap__file_close(file, status == IRONMAP_OK ? error : NULL);
        status = status == IRONMAP_OK ? closed : status;
    }
    if (map->tag != NULL) {
        int left = ironmap__tag_close(map->tag, status == IRONMAP_OK ? error : NULL);
        status = status == IRONMAP_OK ? left : status;
        map->tag = NULL;
    }
    return status;
}

/* Nothing may use the addresses that resizes have left. */
static void free_map(ironmap_map *map)
{
    while (map->left != NULL) {
        ironmap__reservation *next = map->left->next;
        ironmap__reservation_free(map->left);
        map->left = next;
    }
    free(map);
}

int ironmap__map_end(ironmap_map *map, ironmap_error *error)
{
    ironmap__file file = owns_file(map) ? map->mapping.file : IRONMAP__NO_FILE;
    int status = ironmap__unmap(map, error);
    status = close_file_and_tag(map, file, status, error);
    free_map(map);
    return status;
}

int ironmap_close(ironmap_map *map, ironmap_error *error)
{
    if (map == NULL) {
        return IRONMAP_OK;
    }
    if (ironmap_is_busy(map)) {
        return ironmap__fail(error, IRONMAP_E_BUSY);
    }
    return ironmap__map_end(map, error);
}

/* ---- closing, with the addresses kept ---- */

bool ironmap_was_exported(const ironmap_map *map)
{
    return atomic_load_explicit(&map->mapping.was_exported, memory_order_relaxed);
}

/* What is left of the map, in the map's own memory. */
struct ironmap_reservation {
    ironmap_map map;
};

/* Damage that was cleared counts as told. So from here on damage that was not told is a use of the
 * addresses, or was there before. */
static void forget_told_damage(ironmap_map *map)
{
    size_t count = ironmap_damage_count(map);
    if (!ironmap_is_damaged(map)) {
        ironmap_note_told_damage(map, count);
    }
    if (count <= map->told_damage) {
        atomic_store(&map->mapping.state.stale, 0);
    }
}

int ironmap_close_reserving(ironmap_reservation **kept, ironmap_map *map, ironmap_error *error)
{
    *kept = NULL;
    if (map == NULL || !ironmap_was_exported(map)) {
        return ironmap_close(map, error);
    }
    if (ironmap_is_busy(map)) {
        return ironmap__fail(error, IRONMAP_E_BUSY);
    }
    ironmap__file file = owns_file(map) ? map->mapping.file : IRONMAP__NO_FILE;
    int status = ironmap__become_reservation(&map->mapping, error);
    forget_told_damage(map);
    status = close_file_and_tag(map, file, status, error);
    *kept = (ironmap_reservation *)map;
    return status;
}

int ironmap_reservation_check(const ironmap_reservation *kept, ironmap_error *error)
{
    const ironmap_map *map = &kept->map;
    return ironmap_damage_count(map) > map->told_damage ? ironmap__fail_stale(&map->mapping, error)
                                                        : IRONMAP_OK;
}

size_t ironmap_reservation_overhead(const ironmap_reservation *kept)
{
    return ironmap_overhead(&kept->map);
}

void ironmap_reservation_free(ironmap_reservation *kept)
{
    if (kept != NULL) {
        (void)ironmap__unmap(&kept->map, NULL);
        free_map(&kept->map);
    }
}

/* ---- about a map ---- */

size_t ironmap_length(const ironmap_map *map)
{
    return map->mapping.length;
}

uint64_t ironmap_offset(const ironmap_map *map)
{
    return map->tag_memory ? map->mapping.offset - map->tag->start : map->mapping.offset;
}

ironmap_access ironmap_map_access(const ironmap_map *map)
{
    return map->access;
}

bool ironmap_is_readable(const ironmap_map *map)
{
    return map->mapping.mode.readable;
}

bool ironmap_is_writable(const ironmap_map *map)
{
    return map->mapping.mode.writable;
}

size_t ironmap_overhead(const ironmap_map *map)
{
    size_t size = sizeof(*map) + ironmap__mapping_overhead(&map->mapping);
    size += map->tag == NULL ? 0 : map->tag->bytes;
    for (const ironmap__reservation *kept = map->left; kept != NULL; kept = kept->next) {
        size += sizeof(*kept) + ironmap__mapping_overhead(&kept->mapping);
    }
    return size;
}

int ironmap_file_size(uint64_t *size, const ironmap_map *map, ironmap_error *error)
{
    if (!map->tracked) {
        return ironmap__fail(error, IRONMAP_E_NO_FILE);
    }
    if (map->mapping.mode.anonymous || map->tag_memory) {
        *size = map->tag_memory ? map->tag->length : map->mapping.length;
        return IRONMAP_OK;
    }
    bool sized = false;
    return ironmap__file_length(size, &sized, map->mapping.file, error);
}

int ironmap_file_path(const ironmap_map *map, char *buffer, size_t capacity, ironmap_error *error)
{
    if (!owns_file(map)) {
        return ironmap__fail(error, IRONMAP_E_NO_FILE);
    }
    return ironmap__file_path(buffer, capacity, map->mapping.file, error);
}

int ironmap_file_handle(intptr_t *handle, const ironmap_map *map, ironmap_error *error)
{
    if (!owns_file(map)) {
        return ironmap__fail(error, IRONMAP_E_NO_FILE);
    }
    *handle = map->mapping.file;
    return IRONMAP_OK;
}

void *ironmap_data(const ironmap_map *map)
{
    return map->mapping.length == 0 ? NULL : map->mapping.data;
}

/* Counts first and looks then: a handler that found no pin is active or has finished, and is seen.
 * From here on every loss is damage, which is not the library's alone to notice: so it reinstalls
 * the fault handler. If that fails, the signal is as it was. */
void ironmap_pin(ironmap_map *map)
{
    atomic_fetch_add(&map->mapping.pins, 1);
    atomic_store_explicit(&map->mapping.was_exported, true, memory_order_relaxed);
    ironmap__handler_ensure(&map->mapping);
    ironmap__restore_pending(&map->mapping);
}

/* Release order: what was done under the pin is over before resize or close sees it gone. */
void ironmap_unpin(ironmap_map *map)
{
    atomic_fetch_sub_explicit(&map->mapping.pins, 1, memory_order_release);
}

size_t ironmap_pins(const ironmap_map *map)
{
    return atomic_load_explicit(&map->mapping.pins, memory_order_acquire);
}

void ironmap_hold(ironmap_map *map)
{
    atomic_fetch_add_explicit(&map->holds, 1, memory_order_relaxed);
}

void ironmap_release(ironmap_map *map)
{
    atomic_fetch_sub_explicit(&map->holds, 1, memory_order_release);
}

bool ironmap_is_busy(const ironmap_map *map)
{
    return ironmap_pins(map) != 0 || atomic_load_explicit(&map->holds, memory_order_acquire) != 0;
}
