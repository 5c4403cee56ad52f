/* Resizing: a map and its file get a new length, both or neither. */
#include <stdlib.h>
#include <string.h>

#include "fault/shape.h"
#include "map/access.h"
#include "map/leave.h"
#include "map/life.h"

/* True if the map's file may be so long; an anonymous map has none. */
static bool end_fits(const ironmap__mapping *mapping, size_t length)
{
    uint64_t end = 0;
    return mapping->mode.anonymous ||
           (ironmap__add(&end, mapping->offset, length) && end <= IRONMAP__FILE_MAX);
}

static int check_resize(const ironmap_map *map, size_t length, ironmap_error *error)
{
    const ironmap__mapping *mapping = &map->mapping;
    bool grows = mapping->length != 0 && length > mapping->length;
    ironmap_status status = IRONMAP_OK;
    if (ironmap_is_busy(map)) {
        status = IRONMAP_E_BUSY;
    } else if (!map->tracked) {
        status = IRONMAP_E_NO_FILE;
    } else if (map->tag != NULL || map->access == IRONMAP_READ || map->access == IRONMAP_COPY) {
        status = IRONMAP_E_NOT_RESIZABLE;
    } else if (length > IRONMAP__MEMORY_MAX || !end_fits(mapping, length)) {
        status = IRONMAP_E_OVERFLOW;
    } else if (grows && !ironmap__view_can_grow(&mapping->mode)) {
        status = IRONMAP_E_UNSUPPORTED;
    }
    return status == IRONMAP_OK ? IRONMAP_OK : ironmap__fail(error, status);
}

/* ---- the view ---- */

/* Makes the view longer or shorter where it is, or where the system moves it to.
 * IRONMAP_E_UNSUPPORTED if it can only become longer by being mapped again. Becoming shorter never
 * fails. */
static int resize_view(ironmap__mapping *mapping, size_t length, bool may_move,
                       ironmap_error *error)
{
    ironmap__view view = mapping->view;
    size_t alignment = ironmap__alignment(mapping);
    ironmap__suspend(mapping);
    int status = ironmap__view_resize(&view, alignment + length, may_move, error);
    ironmap__replace_view(mapping, view, alignment,
                          status == IRONMAP_OK ? length : mapping->length);
    return status;
}

/* The same, where the view's addresses are kept: it never moves, and grows over what it left. */
static int resize_exported(ironmap_map *map, size_t length, ironmap_error *error)
{
    ironmap__mapping *mapping = &map->mapping;
    if (!ironmap__view_can_be_cut()) {
        return resize_view(mapping, length, false, error);
    }
    if (length <= mapping->length) {
        ironmap__leave_tail(map, length);
        return IRONMAP_OK;
    }
    if (ironmap__alignment(mapping) + length <= ironmap__view_size_in_pages(mapping)) {
        return ironmap__return_to_tail(map, length, error);
    }
    int status = ironmap__return_to_left(map, length, error);
    return status == IRONMAP_E_UNSUPPORTED ? resize_view(mapping, length, false, error) : status;
}

static int resize_in_place(ironmap_map *map, size_t length, ironmap_error *error)
{
    size_t view_length = 0;
    if (!ironmap__add_size(&view_length, ironmap__alignment(&map->mapping), length)) {
        return ironmap__fail(error, IRONMAP_E_OVERFLOW);
    }
    return ironmap_was_exported(map) ? resize_exported(map, length, error)
                                     : resize_view(&map->mapping, length, true, error);
}

/* Exchanges the views of a mapping and of its longer successor. */
static void take_over(ironmap__mapping *mapping, ironmap__mapping *next, size_t length)
{
    ironmap__view old = mapping->view;
    size_t alignment = ironmap__alignment(next);
    ironmap__suspend(mapping);
    ironmap__replace_view(mapping, ironmap__withdraw_view(next), alignment, length);
    next->view = old;
}

/* Maps the file into `next`. A map whose old addresses are kept gets a view twice as long as
 * needed, if there is one, to grow there without leaving that as well. So all that a map leaves is
 * at most what it has. Huge pages would be taken for it. */
static int open_next(ironmap__mapping *next, ironmap__file file, size_t length, bool exported,
                     ironmap_error *error)
{
    bool twice = exported && ironmap__view_can_be_cut() && length <= IRONMAP__MEMORY_MAX / 2 &&
                 ironmap__view_page_size(&next->mode, file) == ironmap__page_size();
    if (twice && ironmap__mapping_open(next, NULL, file, 2 * length, NULL) == IRONMAP_OK) {
        return IRONMAP_OK;
    }
    return ironmap__mapping_open(next, NULL, file, length, error);
}

/* Makes the map longer by mapping its file again, at the new length. What a private map has in
 * memory only is copied: nothing tells which of its pages were stored into, so all of them are. The
 * second mapping is on the heap: a child of fork may find it in the registry. */
static int map_again(ironmap_map *map, size_t length, ironmap_error *error)
{
    ironmap__mapping *mapping = &map->mapping;
    bool exported = ironmap_was_exported(map);
    ironmap__mapping *next = malloc(sizeof(*next));
    if (next == NULL) {
        return ironmap__fail(error, IRONMAP_E_NOMEM);
    }
    ironmap__mapping_init(next, &mapping->mode, mapping->file, mapping->offset);
    int status = open_next(next, mapping->file, length, exported, error);
    if (status == IRONMAP_OK && (!mapping->mode.shared || mapping->mode.anonymous)) {
        status = ironmap__copy_between(next, mapping, mapping->length, error);
    }
    if (status == IRONMAP_OK && exported) {
        ironmap__leave_for(map, next, length);
        ironmap__leave_tail(map, length);
    } else if (status == IRONMAP_OK) {
        take_over(mapping, next, length);
    }
    ironmap__view unused = next->view;
    (void)ironmap__withdraw_view(next);
    (void)ironmap__view_unmap(&unused, NULL);
    free(next);
    return status;
}

/* Gives the map's memory its new length; the file has it already. On failure nothing changed. */
static int fit_view(ironmap_map *map, size_t length, ironmap_error *error)
{
    ironmap__mapping *mapping = &map->mapping;
    if (mapping->length == 0) {
        return ironmap__map_view(map, mapping->file, length, error);
    }
    if (length == 0 && ironmap_was_exported(map)) {
        ironmap__leave_view(map);
        return IRONMAP_OK;
    }
    if (length == 0) {
        /* A view that the system does not unmap now is unmapped before the next, or at the end. */
        (void)ironmap__unmap(map, NULL);
        return IRONMAP_OK;
    }
    ironmap_error refusal = {.status = IRONMAP_OK};
    int status = resize_in_place(map, length, &refusal);
    if (status == IRONMAP_E_UNSUPPORTED) {
        return map_again(map, length, error);
    }
    if (status != IRONMAP_OK && error != NULL) {
        *error = refusal;
    }
    return status;
}

/* ---- the file ---- */

/* Truncates the file of a map that is or is about to be `length` bytes long. If the system had to
 * unmap the view for it, and cannot map it again, the map is empty. */
static int cut_file(ironmap_map *map, size_t length, uint64_t end, ironmap_error *error)
{
    ironmap__mapping *mapping = &map->mapping;
    if (mapping->view.base == NULL) {
        return ironmap__file_set_length(mapping->file, end, error);
    }
    ironmap__suspend(mapping);
    size_t alignment = ironmap__alignment(mapping);
    ironmap__view view = mapping->view;
    size_t keep = length == 0 ? 0 : alignment + length;
    int status = ironmap__view_cut(&view, mapping->file, keep, end, error);
    ironmap__replace_view(mapping, view, alignment, mapping->length);
    if (view.base == NULL) {
        (void)ironmap__unmap(map, NULL);
    }
    return status;
}

/* Makes the file `before` bytes long again after it was extended to `end` for a map that stays as
 * it is. Keeps what another process has appended meanwhile. */
static void undo_extension(ironmap_map *map, uint64_t before, uint64_t end)
{
    if (end > before && ironmap__can_undo_extension(map->mapping.file, end)) {
        (void)cut_file(map, map->mapping.length, before, NULL);
    }
}

/* Makes the file long enough for a map of `length` bytes, with blocks on the disk if that was asked
 * for. On failure it has its old length. */
static int ensure_file_size(ironmap_map *map, size_t length, uint64_t file_length,
                            ironmap_error *error)
{
    uint64_t end = map->mapping.offset + length;
    int status =
        end > file_length ? ironmap__file_set_length(map->mapping.file, end, error) : IRONMAP_OK;
    if (status != IRONMAP_OK) {
        return status;
    }
    status = ironmap__map_reserve(map, map->mapping.file, length, error);
    if (status != IRONMAP_OK) {
        undo_extension(map, file_length, end);
    }
    return status;
}

/* ---- both ---- */

/* Steps that can be undone come first, and the file is truncated last: what is cut off cannot be
 * put back. A file that became longer, and a view, can have their old length again; a view never
 * fails to become shorter. */
static int resize_both(ironmap_map *map, size_t length, uint64_t file_length, ironmap_error *error)
{
    size_t old_length = map->mapping.length;
    uint64_t end = map->mapping.offset + length;
    int status = ensure_file_size(map, length, file_length, error);
    if (status == IRONMAP_OK && length > old_length) {
        status = fit_view(map, length, error);
        if (status != IRONMAP_OK) {
            undo_extension(map, file_length, end);
        }
    }
    if (status == IRONMAP_OK && end < file_length) {
        status = cut_file(map, length, end, error);
        if (status != IRONMAP_OK && length > old_length && map->mapping.length == length) {
            (void)fit_view(map, old_length, NULL);
        }
    }
    if (status == IRONMAP_OK && length < old_length) {
        status = fit_view(map, length, error);
    }
    return status;
}

static int resize_with_file(ironmap_map *map, size_t length, ironmap_error *error)
{
    uint64_t file_length = 0;
    bool sized = false;
    int status = ironmap__file_length(&file_length, &sized, map->mapping.file, error);
    return status == IRONMAP_OK ? resize_both(map, length, file_length, error) : status;
}

/* ---- the page that was cut in the middle ---- */

/* Stores what the file has at [from, to) of the map into a private page: zeros behind the file's
 * end, and all zeros for an anonymous map. */
static int refresh(ironmap_map *map, size_t from, size_t to, ironmap_error *error)
{
    uint8_t bytes[512];
    const ironmap__mapping *mapping = &map->mapping;
    while (from < to) {
        size_t count = (size_t)ironmap__min(sizeof(bytes), to - from);
        memset(bytes, 0, count);
        int status =
            mapping->mode.anonymous
                ? IRONMAP_OK
                : ironmap__file_read(bytes, mapping->file, mapping->offset + from, count, error);
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

/* A page of a private map that was cut in the middle still holds what was stored behind the cut,
 * and would show it when the map grows again. The system clears a file's own pages. If the page or
 * the file cannot be read, there is nothing better to show. */
static void refresh_cut_page(ironmap_map *map, size_t old_length)
{
    const ironmap__mapping *mapping = &map->mapping;
    if (mapping->mode.shared || old_length == 0 || old_length >= mapping->length) {
        return;
    }
    size_t alignment = ironmap__alignment(mapping);
    size_t page_end = ironmap__align_up(alignment + old_length, mapping->mode.page) - alignment;
    (void)refresh(map, old_length, (size_t)ironmap__min(page_end, mapping->length), NULL);
}

int ironmap_resize(ironmap_map *map, size_t length, ironmap_error *error)
{
    int status = check_resize(map, length, error);
    if (status == IRONMAP_OK) {
        status = ironmap__restore_or_fail(&map->mapping, error);
    }
    if (status == IRONMAP_OK && ironmap_was_exported(map)) {
        status = ironmap__leave_prepare(map, error);
    }
    if (status != IRONMAP_OK) {
        return status;
    }
    size_t old_length = map->mapping.length;
    status = map->mapping.mode.anonymous ? fit_view(map, length, error)
                                         : resize_with_file(map, length, error);
    ironmap__leave_finish(map);
    if (status == IRONMAP_OK) {
        refresh_cut_page(map, old_length);
    }
    return status;
}
