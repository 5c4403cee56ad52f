#include "map/leave.h"

#include "fault/shape.h"

enum { NEEDED = 2 }; /* what moves leaves its old view, and a tail behind the new one */

static bool is_unused(const ironmap__reservation *kept)
{
    return kept->mapping.view.base == NULL;
}

/* A handler that has found a reservation may still look at it, so only what never had an address is
 * freed before the map. */
static bool was_never_used(const ironmap__reservation *kept)
{
    return kept->mapping.reserved_for == NULL;
}

int ironmap__leave_prepare(ironmap_map *map, ironmap_error *error)
{
    size_t unused = 0;
    for (const ironmap__reservation *kept = map->left; kept != NULL; kept = kept->next) {
        unused += is_unused(kept);
    }
    for (; unused < NEEDED; unused++) {
        ironmap__reservation *made = NULL;
        int status = ironmap__reservation_new(&made, &map->mapping, error);
        if (status != IRONMAP_OK) {
            ironmap__leave_finish(map);
            return status;
        }
        made->next = map->left;
        map->left = made;
    }
    return IRONMAP_OK;
}

void ironmap__leave_finish(ironmap_map *map)
{
    ironmap__reservation **link = &map->left;
    while (*link != NULL) {
        ironmap__reservation *kept = *link;
        if (was_never_used(kept)) {
            *link = kept->next;
            ironmap__reservation_free(kept);
        } else {
            link = &kept->next;
        }
    }
}

static ironmap__reservation *find_unused(const ironmap_map *map)
{
    ironmap__reservation *kept = map->left;
    while (kept != NULL && !is_unused(kept)) {
        kept = kept->next;
    }
    return kept;
}

/* The reservation right behind the view, where the map may grow. One that the map has left when it
 * moved may lie there by chance: its addresses were those of other bytes. */
static ironmap__reservation *find_behind(const ironmap_map *map)
{
    const ironmap__view whole = ironmap__whole_view(&map->mapping);
    ironmap__reservation *kept = map->left;
    while (kept != NULL && (kept->mapping.view.base != whole.base + whole.length ||
                            kept->mapping.data != map->mapping.data)) {
        kept = kept->next;
    }
    return kept;
}

/* Keeps the pages of the view from `keep` on, together with what lies behind. */
static bool keep_tail(ironmap_map *map, size_t keep)
{
    ironmap__mapping *mapping = &map->mapping;
    const ironmap__view whole = ironmap__whole_view(mapping);
    ironmap__view tail = {whole.base + keep, whole.length - keep};
    ironmap__reservation *behind = find_behind(map);
    ironmap__reservation *kept = behind != NULL ? behind : find_unused(map);
    if (kept == NULL || ironmap__give_up_pages(&tail, &mapping->mode, NULL) != IRONMAP_OK) {
        return false;
    }
    tail.length += behind != NULL ? behind->mapping.view.length : 0;
    ironmap__reservation_set(kept, mapping, tail);
    return true;
}

void ironmap__leave_tail(ironmap_map *map, size_t length)
{
    ironmap__mapping *mapping = &map->mapping;
    ironmap__view view = mapping->view;
    size_t alignment = ironmap__alignment(mapping);
    size_t keep = ironmap__align_up(alignment + length, mapping->mode.page);
    ironmap__suspend(mapping);
    if (keep == ironmap__view_size_in_pages(mapping) || keep_tail(map, keep)) {
        view.length = alignment + length;
    }
    ironmap__replace_view(mapping, view, alignment, length);
}

int ironmap__return_to_tail(ironmap_map *map, size_t length, ironmap_error *error)
{
    const ironmap__mapping *mapping = &map->mapping;
    size_t alignment = ironmap__alignment(mapping);
    size_t from = ironmap__align_up(alignment + mapping->length, mapping->mode.page);
    size_t to = ironmap__align_up(alignment + length, mapping->mode.page);
    int status = IRONMAP_OK;
    if (from < to && !mapping->mode.shared) {
        const ironmap__view run = {mapping->view.base + from, to - from};
        status = ironmap__page_restore(&run, &mapping->mode, mapping->file,
                                       mapping->offset - alignment + from, error);
    }
    if (status == IRONMAP_OK) {
        ironmap__leave_tail(map, length);
    }
    return status;
}

/* Makes the old view a reservation. The mapping is suspended, and gets its new view before what the
 * old one shows is given up. */
static void keep_view(ironmap__reservation *kept, ironmap__mapping *mapping, ironmap__view next,
                      size_t alignment, size_t length)
{
    const ironmap__view old = ironmap__whole_view(mapping);
    ironmap__reservation_set(kept, mapping, old);
    ironmap__replace_view(mapping, next, alignment, length);
    (void)ironmap__give_up_pages(&old, &mapping->mode, NULL);
}

void ironmap__leave_view(ironmap_map *map)
{
    ironmap__suspend(&map->mapping);
    keep_view(find_unused(map), &map->mapping, (ironmap__view){.base = NULL, .length = 0}, 0, 0);
}

void ironmap__leave_for(ironmap_map *map, ironmap__mapping *next, size_t length)
{
    size_t alignment = ironmap__alignment(next);
    ironmap__suspend(&map->mapping);
    keep_view(find_unused(map), &map->mapping, ironmap__withdraw_view(next), alignment, length);
}

int ironmap__return_to_left(ironmap_map *map, size_t length, ironmap_error *error)
{
    ironmap__mapping *mapping = &map->mapping;
    const ironmap__view whole = ironmap__whole_view(mapping);
    size_t alignment = ironmap__alignment(mapping);
    size_t more = ironmap__align_up(alignment + length, mapping->mode.page) - whole.length;
    const ironmap__view run = {whole.base + whole.length, more};
    ironmap__reservation *behind = find_behind(map);
    if (behind == NULL || behind->mapping.view.length < more) {
        return ironmap__fail(error, IRONMAP_E_UNSUPPORTED);
    }
    ironmap__view rest = behind->mapping.view;
    ironmap__view view = mapping->view;
    ironmap__suspend(mapping);
    ironmap__suspend(&behind->mapping);
    bool done =
        ironmap__page_restore(&run, &mapping->mode, mapping->file,
                              mapping->offset - alignment + whole.length, NULL) == IRONMAP_OK;
    if (done) {
        bool all = rest.length == more;
        rest = (ironmap__view){all ? NULL : rest.base + more, rest.length - more};
        view.length = alignment + length;
    }
    ironmap__reservation_set(behind, mapping, rest);
    ironmap__replace_view(mapping, view, alignment, done ? length : mapping->length);
    return done ? IRONMAP_OK : ironmap__fail(error, IRONMAP_E_UNSUPPORTED);
}
