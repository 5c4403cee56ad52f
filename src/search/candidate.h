/* Comparing the needle at a candidate, a position where all probes match, and what that may cost.
 */
#ifndef IRONMAP_CANDIDATE_H
#define IRONMAP_CANDIDATE_H

#include <string.h>

#include "pattern.h"

/* A comparison costs 1, and 1 more for each COST_BYTES that it compares. A unit takes about 2 ns.
 * With one unit for every two positions a search still runs at 1 GB/s. */
enum {
    IRONMAP__COST_BYTES = 64,
    IRONMAP__COST_ALLOWANCE = 2048,
    IRONMAP__POSITIONS_PER_COST = 2,
    IRONMAP__LATE_MISMATCH_MIN = 16 /* bytes of a long common prefix */
};

static inline uint64_t ironmap__load_word(const uint8_t *bytes)
{
    uint64_t word = 0;
    memcpy(&word, bytes, sizeof(word));
    return word;
}

/* The length of the common prefix of a and b, at most n. */
static inline size_t ironmap__common_prefix(const uint8_t *a, const uint8_t *b, size_t n)
{
    size_t i = 0;
    while (n - i >= sizeof(uint64_t) && ironmap__load_word(a + i) == ironmap__load_word(b + i)) {
        i += sizeof(uint64_t);
    }
    while (i < n && a[i] == b[i]) {
        i++;
    }
    return i;
}

/* True if comparisons have cost so much, `positions` into this search, that two-way is faster. */
static inline bool ironmap__cost_too_high(const ironmap__pattern *pattern, size_t positions)
{
    return pattern->cost >
           IRONMAP__COST_ALLOWANCE + (pattern->searched + positions) / IRONMAP__POSITIONS_PER_COST;
}

/* True if the needle is at `position`. Adds to the cost. */
static inline bool ironmap__compare_needle(ironmap__pattern *pattern, const uint8_t *haystack,
                                           size_t position)
{
    size_t common = ironmap__common_prefix(haystack + position, pattern->bytes, pattern->length);
    pattern->cost += 1 + common / IRONMAP__COST_BYTES;
    if (common == pattern->length) {
        return true;
    }
    /* No branch: whether it is late cannot be predicted. */
    bool late = common >= IRONMAP__LATE_MISMATCH_MIN;
    pattern->late_mismatch = late ? common : pattern->late_mismatch;
    return false;
}

#endif /* IRONMAP_CANDIDATE_H */
