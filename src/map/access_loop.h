/* The access loop: every long access to mapped bytes. It holds the guard, goes by chunks, reads
 * ahead, and asks between two chunks whether to go on.
 *
 *     ironmap__access_begin(&loop, map, range, error);
 *     while (ironmap__access_next(&loop)) {
 *         ... access loop.count bytes from loop.done of the range ...
 *     }
 *     return ironmap__access_end(&loop);
 *
 * It stops after the chunk in which a page of the range was lost: what follows may be lost too, and
 * each lost page costs a signal.
 *
 * If so many other pages were lost during a chunk that nothing tells whether one of the range was,
 * next returns the same chunk again, with `again` set. The second time it is known for certain. A
 * chunk whose work cannot be repeated looks at `again`.
 */
#ifndef IRONMAP_ACCESS_LOOP_H
#define IRONMAP_ACCESS_LOOP_H

#include "fault/guard.h"
#include "map/map.h"
#include "map/readahead.h"

typedef struct ironmap__access_loop {
    size_t done;  /* units before this chunk */
    size_t count; /* units of this chunk */
    int status;   /* IRONMAP_OK while the access goes on */
    bool again;   /* this chunk was done before, and what it did may not count */

    size_t total;     /* units of the whole access */
    size_t chunk;     /* units of a full chunk */
    size_t unit_size; /* bytes from one unit to the next */
    ironmap__guard guard;
    bool locked; /* the guard has the restore lock */
    bool ended;  /* the chunk has ended in its middle, and comes again */
    ironmap__access_range range;
    ironmap__readahead readahead;
    ironmap_check *check; /* NULL: do not ask */
    void *check_context;
    size_t asked; /* units before the last question: there is one for each MiB at most */
    ironmap_error *error;
} ironmap__access_loop;

/* Begins an access of all bytes of the range, from front to back. Units are bytes. */
void ironmap__access_begin(ironmap__access_loop *loop, const ironmap_map *map,
                           ironmap__access_range range, ironmap_error *error);

/* What differs from that is set between the two halves of begin: ironmap__access_prepare fills the
 * loop, ironmap__access_start begins the guard. Without a map there is nothing to ask. */
void ironmap__access_prepare(ironmap__access_loop *loop, const ironmap__mapping *mapping,
                             const ironmap_map *map, ironmap__access_range range,
                             ironmap_error *error);
void ironmap__access_start(ironmap__access_loop *loop);

/* The next chunk; false at the end, and after a failure. */
bool ironmap__access_next(ironmap__access_loop *loop);

/* In the middle of a chunk: true if no page of the range was lost so far. Else the chunk ends here:
 * the access has failed, or the next chunk is this one again. */
bool ironmap__access_check(ironmap__access_loop *loop);

/* In the middle of a chunk: there is no chunk after this one. */
void ironmap__access_stop(ironmap__access_loop *loop);

/* Ends the access, after next was false: what was accessed counts only if this is IRONMAP_OK. */
int ironmap__access_end(const ironmap__access_loop *loop);

/* A whole access: copies `length` bytes of the mapping, which it has, from `offset` on. `map` is
 * asked whether to go on; NULL: nothing is asked. */
int ironmap__access_copy_out(void *buffer, const ironmap__mapping *mapping, const ironmap_map *map,
                             size_t offset, size_t length, ironmap_error *error);

#endif /* IRONMAP_ACCESS_LOOP_H */
