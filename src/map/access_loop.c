#include "map/access_loop.h"

#include <string.h>

#include "base/compiler.h"
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

/* Ends the guard's view of the chunk, and begins the next. With the restore lock it is known what
 * was lost, so that is held for one chunk at most. */
static int check_chunk(ironmap__access_loop *loop)
{
    if (!loop->locked) {
        return ironmap__guard_check(&loop->guard, loop->range, loop->error);
    }
    loop->locked = false;
    int status = ironmap__guard_end_locked(loop->guard, loop->range, loop->error);
    return status == IRONMAP_OK
               ? ironmap__guard_begin(&loop->guard, loop->guard.mapping, loop->range, loop->error)
               : status;
}

/* Sets `again` if the chunk has to be done again, for which the guard has begun then. */
static void end_chunk(ironmap__access_loop *loop)
{
    int status = check_chunk(loop);
    loop->again = status == IRONMAP__UNKNOWN;
    if (loop->again) {
        status = ironmap__guard_begin_locked(&loop->guard, loop->range, loop->error);
        loop->locked = status == IRONMAP_OK;
    }
    loop->status = status;
}

bool ironmap__access_check(ironmap__access_loop *loop)
{
    end_chunk(loop);
    loop->ended = loop->again;
    return loop->status == IRONMAP_OK && !loop->again;
}

void ironmap__access_stop(ironmap__access_loop *loop)
{
    loop->total = loop->done + loop->count;
}

/* Asks the map's owner whether to go on. That is foreign code, and runs outside the guard. */
static bool ask_to_go_on(ironmap__access_loop *loop)
{
    size_t done = loop->done + loop->count;
    if (loop->check == NULL || (done - loop->asked) * loop->unit_size < IRONMAP__CHUNK_BYTES) {
        return true;
    }
    loop->asked = done;
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
    if (loop->status == IRONMAP_OK && loop->count > 0 && !loop->ended) {
        end_chunk(loop);
    }
    loop->ended = false;
    if (loop->status != IRONMAP_OK || loop->again) {
        return loop->status == IRONMAP_OK;
    }
    size_t done = loop->done + loop->count;
    if (done >= loop->total || (done > 0 && !ask_to_go_on(loop))) {
        return false;
    }
    loop->done = done;
    loop->count = (size_t)ironmap__min(loop->chunk, loop->total - done);
    ironmap__readahead_next(&loop->readahead, done * loop->unit_size);
    return true;
}

/* The last chunk has been checked already. */
int ironmap__access_end(const ironmap__access_loop *loop)
{
    if (loop->status == IRONMAP_OK) {
        ironmap__guard_exit();
    }
    return loop->status;
}

IRONMAP__NOINLINE int ironmap__access_copy_out(void *buffer, const ironmap__mapping *mapping,
                                               const ironmap_map *map, size_t offset, size_t length,
                                               ironmap_error *error)
{
    ironmap__access_loop loop;
    const uint8_t *source = mapping->data + offset;
    ironmap__access_prepare(&loop, mapping, map, (ironmap__access_range){offset, length, false},
                            error);
    ironmap__access_start(&loop);
    while (ironmap__access_next(&loop)) {
        memcpy((uint8_t *)buffer + loop.done, source + loop.done, loop.count);
    }
    return ironmap__access_end(&loop);
}
