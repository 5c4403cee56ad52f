/* The matches that a forward search finds. */
#ifndef IRONMAP_MATCH_SINK_H
#define IRONMAP_MATCH_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ironmap__match_sink {
    uint64_t *offsets; /* `capacity` of them; NULL: matches are only counted */
    size_t capacity;   /* the search ends with this many matches; not 0 */
    size_t step;  /* from a match to the first position of the next: 1 or the needle's length */
    size_t found; /* matches so far */
    size_t next;  /* matches below it are ignored: `step` behind the last match, or lower where
                     no position is left below that */
} ironmap__match_sink;

/* Records a match. True if it was the last one wanted. */
static inline bool ironmap__record_match(ironmap__match_sink *sink, size_t position)
{
    if (sink->offsets != NULL) {
        sink->offsets[sink->found] = position;
    }
    sink->found++;
    sink->next = position + sink->step;
    return sink->found == sink->capacity;
}

#endif /* IRONMAP_MATCH_SINK_H */
