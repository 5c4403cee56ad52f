/* A prepared needle. */
#ifndef IRONMAP_PATTERN_H
#define IRONMAP_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "No position": not an index of any haystack. */
#define IRONMAP__NO_MATCH SIZE_MAX

enum {
    IRONMAP__PROBES_MAX = 8,          /* bytes of the needle compared before the whole needle */
    IRONMAP__SAMPLE_POSITIONS = 4096, /* positions of the haystack that choose the probes */
    IRONMAP__GRAM_TABLE_WORDS = 256   /* 64-bit words of the gram table */
};

/* A needle with what the search has learned about it. It serves any number of searches, by one
 * thread at a time. The needle's bytes remain the caller's. */
typedef struct ironmap__pattern {
    const uint8_t *bytes;
    size_t length;                      /* not 0 */
    size_t probes[IRONMAP__PROBES_MAX]; /* offsets in the needle, the most selective first */
    unsigned probe_count;               /* at least 1 */
    unsigned block_probes;              /* probes compared at every position */
    bool many_candidates;               /* candidates remain frequent after these */
    bool exact;                         /* the probes cover the whole needle */
    bool has_grams;                     /* `grams` is filled */
    size_t late_mismatch; /* needle offset of a mismatch after a long common prefix, or NO_MATCH */
    size_t cost;          /* comparisons in all searches so far, see candidate.h */
    size_t searched;      /* positions of all searches before this one */
    size_t retune_at;     /* cost from which the probes are chosen anew */
    size_t retune_interval;                    /* cost between two such times */
    uint64_t grams[IRONMAP__GRAM_TABLE_WORDS]; /* see skip.c */
} ironmap__pattern;

void ironmap__pattern_init(ironmap__pattern *pattern, const void *needle, size_t length);

/* Chooses the probes, and how many to compare at every position, by what is rare in a sample of the
 * haystack and by the last late mismatch. Of the `positions`, at least two, from `sample` on, it
 * uses IRONMAP__SAMPLE_POSITIONS at most. It reads up to the end of a match at the last of them. */
void ironmap__pattern_retune(ironmap__pattern *pattern, const uint8_t *sample, size_t positions);

/* Distances at which two matches of an exact pattern can overlap. Bit d is set if the needle's
 * first length - d bytes are also its last ones. */
unsigned ironmap__needle_borders(const ironmap__pattern *pattern);

#endif /* IRONMAP_PATTERN_H */
