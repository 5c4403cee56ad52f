#include "map/access_loop.h"

#include "fault/handler.h"

void ironmap__access_prepare(ironmap__access_loop *loop, const ironmap__mapping *mapping,
                             const ironmap_map *map, ironmap__access_range range,
                             ironmap_error *error)
{
    *loop = (ironmap__access_loop){.total = range.length,
                                   .chunk = IRONMAP__CHUNK_BYTES,
                                   .unit_size = 1,
                                   .guard = {.mapping = mapping},
                                   .range = range,
                                   .check = map == NULL ? NULL : map->check,
                                   .check_context = map == NULL ? NULL : map->check_context,
                                   .error = error};
    ironmap__readahead_begin(&loop->readahead, mapping, range.offset, range.offset + range.length,
                             false);
}

void ironmap__access_start(ironmap__access_loop *loop)
{
    if (loop->total > loop->chunk) {
        ironmap__handler_ensure(loop->guard.mapping);
    }
    loop->status =
        ironmap__guard_begin(&loop->guard, loop->guard.mapping, loop->range, loop->error);
}

void ironmap__access_begin(ironmap__access_loop *loop, const ironmap_map *map,
                           ironmap__access_range range, ironmap_error *error)
{
    ironmap__access_prepare(loop, &map->mapping, map, range, error);
    ironmap__access_start(loop);
}

bool ironmap__access_check(ironmap__access_loop *loop)
{
    loop->status = ironmap__guard_check(&loop->guard, loop->range, loop->error);
    return loop->status == IRONMAP_OK;
}

/* Asks the map's owner whether to go on. That is foreign code, and runs outside the guard. */
static bool ask_to_go_on(ironmap__access_loop *loop)
{
    if (loop->check == NULL) {
        return true;
    }
    ironmap__guard_exit();
    if (loop->check(loop->check_context) != 0) {
        loop->status = ironmap__fail(loop->error, IRONMAP_E_INTERRUPTED);
        return false;
    }
    ironmap__guard_enter(loop->guard.mapping);
    return true;
}

bool ironmap__access_next(ironmap__access_loop *loop)
{
    size_t done = loop->done + loop->count;
    if (loop->status != IRONMAP_OK || done >= loop->total) {
        return false;
    }
    if (done > 0 && (!ironmap__access_check(loop) || !ask_to_go_on(loop))) {
        return false;
    }
    loop->done = done;
    loop->count = (size_t)ironmap__min(loop->chunk, loop->total - done);
    ironmap__readahead_next(&loop->readahead, done * loop->unit_size);
    return true;
}

int ironmap__access_end(const ironmap__access_loop *loop)
{
    return loop->status == IRONMAP_OK ? ironmap__guard_end(loop->guard, loop->range, loop->error)
                                      : loop->status;
}
