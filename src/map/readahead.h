/* A scan: a long access that goes through a map from one end of a range to the other, piece by
 * piece, such as a search or a copy. What the system can be told meanwhile so that a file that is
 * not in memory comes as fast as by reading it, and pushes no more out of memory than that: scan.c.
 */
#ifndef IRONMAP_SCAN_H
#define IRONMAP_SCAN_H

#include "fault/fault.h"

/* The piece by which long work goes: between two, the guard is asked whether pages were lost. At
 * the speed of memory it takes some 70 us. */
enum { IRONMAP__PIECE = 1 << 20 };

/* Made by ironmap__scan_begin; the fields are scan.c's. It needs no end, and holds nothing. */
typedef struct ironmap__scan {
    const ironmap_map *map;
    size_t from; /* the range, in bytes of the map */
    size_t to;
    bool forward;
    bool helped;     /* the system reads too little ahead by itself */
    bool asked;      /* whether it does is known */
    size_t look;     /* how far the access may go before there is something to do */
    size_t looked;   /* how much of the way has been looked at */
    size_t expected; /* how much of it was asked for, or needs not to be */
    uint32_t cold;   /* which of the last windows were not in memory, the newest in bit 0 */
} ironmap__scan;

/* A scan of [from, to) of the map is about to begin, upward or downward. For short ranges all that
 * follows is nothing. */
void ironmap__scan_begin(ironmap__scan *scan, const ironmap_map *map, size_t from, size_t to,
                         bool forward);

/* The slow half of the next. */
void ironmap__scan_look(ironmap__scan *scan, size_t done);

/* The access is about to go on, with `done` bytes of its way behind it: to be said before each
 * piece. Never fails, changes no byte and touches none. */
static inline void ironmap__scan_next(ironmap__scan *scan, size_t done)
{
    if (done >= scan->look) {
        ironmap__scan_look(scan, done);
    }
}

/* After a piece: whether pages were lost and, unless it was the last, whether whoever opened the
 * map wants to go on. After a failure there is no guard to end. */
int ironmap__scan_check(ironmap__guard *guard, ironmap__touch touch, bool over,
                        ironmap_error *error);

#endif /* IRONMAP_SCAN_H */
