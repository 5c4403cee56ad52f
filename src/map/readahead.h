/* Read-ahead for a long access that goes through a mapping from one end of a range to the other: so
 * that a cold file comes as fast as by reading it, and pushes no more out of memory than that.
 */
#ifndef IRONMAP_READAHEAD_H
#define IRONMAP_READAHEAD_H

#include "fault/mapping.h"

/* The chunk by which long work goes. At the speed of memory it takes some 70 us. */
enum { IRONMAP__CHUNK_BYTES = 1 << 20 };

/* Made by ironmap__readahead_begin. It needs no end and owns nothing. "The way" is the range in the
 * direction of the access, so byte 0 of it is the one that is accessed first. */
typedef struct ironmap__readahead {
    const ironmap__mapping *mapping;
    size_t from; /* the range, in bytes from the mapping's data */
    size_t to;
    bool backward;
    bool known;       /* whether the system reads too little ahead by itself is known */
    bool needed;      /* it does */
    size_t next_look; /* how far the access may go before there is something to do */
    size_t examined;  /* bytes of the way whose windows were looked at */
    size_t requested; /* bytes of the way that were requested, or need not be */
    uint32_t cold;    /* which of the last windows were not in memory, the newest in bit 0 */
} ironmap__readahead;

/* An access of [from, to) is about to begin. For short ranges all that follows does nothing. */
void ironmap__readahead_begin(ironmap__readahead *readahead, const ironmap__mapping *mapping,
                              size_t from, size_t to, bool backward);

/* Slow path of the next. */
void ironmap__readahead_look(ironmap__readahead *readahead, size_t done);

/* Called before each chunk, when `done` bytes of the way are behind the access. Never fails, and
 * neither changes nor touches a byte. */
static inline void ironmap__readahead_next(ironmap__readahead *readahead, size_t done)
{
    if (done >= readahead->next_look) {
        ironmap__readahead_look(readahead, done);
    }
}

#endif /* IRONMAP_READAHEAD_H */
