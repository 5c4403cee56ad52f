/* Lost pages under the caller's own code: the guard around it, and damage. */
#include "fault/guard.h"
#include "fault/handler.h"
#include "fault/lost.h"
#include "fault/restore.h"
#include "map/map.h"

/* The frame tells the handler that a loss inside `work` is noticed here. In the caller's code a
 * signal without an address may mean anything, so the handler is reinstalled first. If that fails,
 * the signal is as it was. */
int ironmap_guard(ironmap_map *map, void (*work)(void *context), void *context,
                  ironmap_error *error)
{
    ironmap__guard guard;
    ironmap__frame frame;
    const ironmap__mapping *mapping = &map->mapping;
    const ironmap__access_range whole = {0, mapping->length, mapping->mode.writable};
    if (mapping->entry != NULL) {
        (void)ironmap__handler_install(NULL);
    }
    int status = ironmap__guard_begin(&guard, mapping, whole, error);
    if (status != IRONMAP_OK) {
        return status;
    }
    ironmap__guard_exit();
    ironmap__frame_enter(&frame, mapping);
    work(context);
    ironmap__frame_exit(&frame);
    return ironmap__guard_end(guard, whole, error);
}

bool ironmap_is_damaged(const ironmap_map *map)
{
    return ironmap__is_damaged(&map->mapping.state);
}

size_t ironmap_damage_count(const ironmap_map *map)
{
    return atomic_load(&map->mapping.state.exported);
}

int ironmap_damage(uint64_t *offset, size_t *length, const ironmap_map *map, uint64_t from,
                   ironmap_error *error)
{
    if (from > map->mapping.length) {
        return ironmap__fail(error, IRONMAP_E_RANGE);
    }
    size_t begin = 0;
    size_t end = 0;
    ironmap__damaged_range(&begin, &end, &map->mapping, (size_t)from);
    *offset = begin < end ? begin : IRONMAP_NOT_FOUND;
    *length = end - begin;
    return IRONMAP_OK;
}

int ironmap_clear_damage(ironmap_map *map, ironmap_error *error)
{
    ironmap__restore(&map->mapping, true);
    bool stuck = map->mapping.file == IRONMAP__NO_FILE && ironmap_is_damaged(map);
    return stuck ? ironmap__fail(error, IRONMAP_E_NO_FILE) : IRONMAP_OK;
}
