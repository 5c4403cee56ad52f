/* Lost pages under the caller's own code: the guard around it, and damage. */
#include "fault/cause.h"
#include "fault/guard.h"
#include "fault/handler.h"
#include "fault/lost.h"
#include "fault/restore.h"
#include "map/map.h"

#include <ironmap/extra.h>

static ironmap__access_range whole_map(const ironmap__mapping *mapping)
{
    return (ironmap__access_range){0, mapping->length, mapping->mode.writable};
}

/* The frame tells the handler that a loss in the caller's code is noticed here. The hold keeps the
 * map as it is until the end. In the caller's code a signal without an address may mean anything,
 * so the handler is reinstalled first. If that fails, the signal is as it was. */
int ironmap_guard_begin(ironmap_guard *guard, ironmap_map *map, ironmap_error *error)
{
    ironmap__guard begun;
    const ironmap__mapping *mapping = &map->mapping;
    ironmap__handler_ensure(mapping);
    int status = ironmap__guard_begin(&begun, mapping, whole_map(mapping), error);
    if (status != IRONMAP_OK) {
        return status;
    }
    ironmap__guard_exit();
    *guard = (ironmap_guard){.map = map, .losses = begun.losses};
    ironmap_hold(map);
    ironmap__frame_enter(&guard->frame, mapping);
    return IRONMAP_OK;
}

int ironmap_guard_end(ironmap_guard *guard, ironmap_error *error)
{
    ironmap_map *map = guard->map;
    if (map == NULL || !ironmap__frame_exit(&guard->frame)) {
        return ironmap__fail_invalid(error, "the guard has not begun on this thread");
    }
    const ironmap__guard begun = {.mapping = &map->mapping, .losses = guard->losses};
    int status = ironmap__guard_end(begun, whole_map(&map->mapping), error);
    guard->map = NULL;
    ironmap_release(map);
    return status;
}

void ironmap_protect(const ironmap_map *map)
{
    ironmap__handler_ensure(&map->mapping);
}

ironmap_protection ironmap_thread_protection(void)
{
    static const ironmap_protection protections[] = {
        [IRONMAP__SIGNAL_OURS] = IRONMAP_PROTECTED,
        [IRONMAP__SIGNAL_NOT_INSTALLED] = IRONMAP_UNPROTECTED_NO_MAP,
        [IRONMAP__SIGNAL_HANDLER] = IRONMAP_UNPROTECTED_HANDLER,
        [IRONMAP__SIGNAL_DEFAULT] = IRONMAP_UNPROTECTED_DEFAULT,
        [IRONMAP__SIGNAL_IGNORED] = IRONMAP_UNPROTECTED_IGNORED,
        [IRONMAP__SIGNAL_BLOCKED] = IRONMAP_UNPROTECTED_BLOCKED};
    return protections[ironmap__fault_signal_owner()];
}

bool ironmap_is_damaged(const ironmap_map *map)
{
    return ironmap__is_damaged(&map->mapping.state);
}

size_t ironmap_damage_count(const ironmap_map *map)
{
    return ironmap__damage_count(&map->mapping.state);
}

int ironmap_check_damage(const ironmap_map *map, ironmap_error *error)
{
    return ironmap__check_damage(&map->mapping, error);
}

int ironmap_check_file_end(const ironmap_map *map, ironmap_error *error)
{
    const ironmap__mapping *mapping = &map->mapping;
    size_t first = ironmap__first_byte_behind_file(mapping);
    if (first == mapping->length) {
        return IRONMAP_OK;
    }
    return ironmap__fail_fault(mapping, first, false, error);
}

void ironmap_note_told_damage(ironmap_map *map, size_t count)
{
    if (count > map->told_damage) {
        map->told_damage = count;
    }
}

bool ironmap_has_untold_damage(const ironmap_map *map)
{
    return ironmap_damage_count(map) > map->told_damage && ironmap_is_damaged(map);
}

int ironmap_damage(uint64_t *offset, size_t *length, const ironmap_map *map, uint64_t from,
                   ironmap_error *error)
{
    if (from > map->mapping.length && from > atomic_load(&map->mapping.state.stale)) {
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
    int status = ironmap__restore(&map->mapping, true, error);
    for (ironmap__reservation *kept = map->left; kept != NULL && status == IRONMAP_OK;
         kept = kept->next) {
        ironmap__reservation_renew(kept);
    }
    return status;
}
