/* The cursor: what is left of one search through blocks, and what it has found. This is the part of
 * it that needs no vectors. */
#ifndef IRONMAP_CURSOR_H
#define IRONMAP_CURSOR_H

#include "candidate.h"
#include "match_sink.h"

enum {
    /* Positions of a block, one for each bit of a mask, and of a group of blocks. */
    IRONMAP__BLOCK = 64,
    IRONMAP__GROUP = 2 * IRONMAP__BLOCK,
    /* A range of fewer positions than a block is searched as one if it has the bytes of a block and
     * the needle is no longer than this. The cost of comparisons is not reviewed there. */
    IRONMAP__SHORT_RANGE_NEEDLE_MAX = 4096,
    /* A search for one match begins with memchr over this many bytes, if it has this many
     * positions. */
    IRONMAP__MEMCHR_BYTES = 4096,
    IRONMAP__MEMCHR_POSITIONS_MIN = 4 * IRONMAP__BLOCK,
    /* Hardware prefetches what comes next, but not beyond its pages of 4 KiB. So the first lines of
     * each page are prefetched this far ahead. To prefetch all lines stops the hardware. Measured
     * (EPYC, Zen 4, 1 GiB, medians of 61 rounds, GB/s): a search 31.4 with and without prefetch,
     * 27.3 with all lines; backward 30.6, 30.7 and 27.5. Groups of four blocks were as fast
     * forward, and at 0.94 backward. On Zen 5, which reads faster, such groups ran at 0.80 without
     * prefetch and at 0.97 with all lines. */
    IRONMAP__PREFETCH_PAGE_BYTES = 4096,
    IRONMAP__PREFETCH_HEAD_BYTES = 512,
    IRONMAP__PREFETCH_AHEAD_BYTES = 2048
};

typedef struct ironmap__cursor {
    const uint8_t *haystack;
    size_t from; /* the positions [from, to) are left */
    size_t to;
    ironmap__pattern *pattern;
    ironmap__match_sink *sink; /* NULL: backward */
    bool done;                 /* the sink has as many matches as are wanted */
    size_t review_at;          /* cost from which another method may be faster */
} ironmap__cursor;

/* ---- the cost of comparisons ---- */

static inline void ironmap__cursor_set_review(ironmap__cursor *cursor)
{
    size_t soon = cursor->pattern->cost + IRONMAP__COST_ALLOWANCE;
    size_t retune_at = cursor->pattern->retune_at;
    cursor->review_at = soon < retune_at ? soon : retune_at;
}

static inline bool ironmap__cursor_needs_review(const ironmap__cursor *cursor)
{
    return cursor->pattern->cost > cursor->review_at;
}

/* Retunes the pattern if it is time, `positions` into this search. False if two-way must continue
 * instead. */
static inline bool ironmap__cursor_review(ironmap__cursor *cursor, size_t positions,
                                          const uint8_t *sample, size_t sample_positions)
{
    ironmap__pattern *pattern = cursor->pattern;
    if (ironmap__cost_too_high(pattern, positions)) {
        return false;
    }
    if (pattern->cost > pattern->retune_at) {
        ironmap__pattern_retune(pattern, sample, sample_positions);
    }
    ironmap__cursor_set_review(cursor);
    return true;
}

static inline ironmap__cursor ironmap__cursor_init(ironmap__match_sink *sink,
                                                   ironmap__pattern *pattern,
                                                   const uint8_t *haystack, size_t from, size_t to)
{
    ironmap__cursor cursor = {
        .haystack = haystack,
        .from = from,
        .to = to,
        .pattern = pattern,
        .sink = sink,
    };
    ironmap__cursor_set_review(&cursor);
    return cursor;
}

/* The sample for a backward search: the positions that it searches next. */
static inline const uint8_t *ironmap__cursor_sample_below(const ironmap__cursor *cursor,
                                                          size_t *positions)
{
    size_t left = cursor->to - cursor->from;
    *positions = left < IRONMAP__SAMPLE_POSITIONS ? left : IRONMAP__SAMPLE_POSITIONS;
    return cursor->haystack + cursor->to - *positions;
}

/* ---- candidates ---- */

/* True if the needle is at a position where all probes match. */
static inline bool ironmap__cursor_is_match(const ironmap__cursor *cursor, size_t position)
{
    return cursor->pattern->exact ||
           ironmap__compare_needle(cursor->pattern, cursor->haystack, position);
}

/* Records the matches among the candidates of the block at `position`, in ascending order. */
static inline void ironmap__cursor_record(ironmap__cursor *cursor, size_t position,
                                          uint64_t candidates)
{
    while (candidates != 0) {
        size_t candidate = position + (size_t)__builtin_ctzll(candidates);
        candidates &= candidates - 1;
        if (candidate >= cursor->sink->next && ironmap__cursor_is_match(cursor, candidate) &&
            ironmap__record_match(cursor->sink, candidate)) {
            cursor->done = true;
            return;
        }
    }
}

/* The last match among the candidates of the block at `position`, or NO_MATCH. */
static inline size_t ironmap__cursor_last(const ironmap__cursor *cursor, size_t position,
                                          uint64_t candidates)
{
    while (candidates != 0) {
        unsigned top = IRONMAP__BLOCK - 1 - (unsigned)__builtin_clzll(candidates);
        candidates ^= UINT64_C(1) << top;
        if (ironmap__cursor_is_match(cursor, position + top)) {
            return position + top;
        }
    }
    return IRONMAP__NO_MATCH;
}

/* Skips the positions below sink->next. */
static inline void ironmap__cursor_skip(ironmap__cursor *cursor)
{
    size_t next = cursor->sink->next;
    if (next > cursor->from) {
        cursor->from = next < cursor->to ? next : cursor->to;
    }
}

/* Advances `*from` to the needle's first byte, or to where memchr stops. False if no position is
 * left. */
static inline bool ironmap__advance_by_memchr(const ironmap__pattern *pattern,
                                              const uint8_t *haystack, size_t *from, size_t to)
{
    size_t n = to - *from < IRONMAP__MEMCHR_BYTES ? to - *from : IRONMAP__MEMCHR_BYTES;
    const uint8_t *first = memchr(haystack + *from, pattern->bytes[0], n);
    *from = first == NULL ? *from + n : (size_t)(first - haystack);
    return *from < to;
}

/* True for a range of at least one position and less than a block that is searched as a block. */
static inline bool ironmap__is_short_range(const ironmap__pattern *pattern, size_t positions)
{
    return positions > 0 && positions < IRONMAP__BLOCK &&
           positions + pattern->length > IRONMAP__BLOCK &&
           pattern->length <= IRONMAP__SHORT_RANGE_NEEDLE_MAX;
}

/* Prefetches `size` bytes if they are among those of their page that the search reads first. They
 * may lie outside the haystack. Always inlined: GCC sees a function without effect and drops calls
 * of it. */
__attribute__((always_inline)) static inline void ironmap__prefetch_head(const uint8_t *bytes,
                                                                         size_t size, bool forward)
{
    enum { PAGE = IRONMAP__PREFETCH_PAGE_BYTES, HEAD = IRONMAP__PREFETCH_HEAD_BYTES };
    size_t in_page = (uintptr_t)bytes % PAGE;
    if (forward ? in_page < HEAD : in_page >= PAGE - HEAD) {
        for (size_t i = 0; i < size; i += IRONMAP__BLOCK) {
            __builtin_prefetch(bytes + i);
        }
    }
}

/* ---- counting matches that do not overlap, in masks of a block ---- */

/* True if matches are only counted, all of them, and the probes are the whole needle. */
static inline bool ironmap__cursor_counts_all(const ironmap__cursor *cursor)
{
    const ironmap__match_sink *sink = cursor->sink;
    return sink->offsets == NULL && sink->capacity == SIZE_MAX && cursor->pattern->exact;
}

/* The matches of a block that may overlap an earlier one, in this block or the one before. Bit d of
 * `borders` is set if two matches at distance d can overlap. */
static inline uint64_t ironmap__may_overlap(uint64_t before, uint64_t matches, unsigned borders)
{
    uint64_t overlapping = 0;
    for (; borders != 0; borders &= borders - 1) {
        unsigned d = (unsigned)__builtin_ctz(borders);
        overlapping |= matches & (matches << d | before >> (IRONMAP__BLOCK - d));
    }
    return overlapping;
}

/* Drops the matches less than `step` behind a kept one, from the left. `before` has the matches
 * kept in the block before. */
static inline uint64_t ironmap__drop_overlapping(uint64_t before, uint64_t matches, size_t step)
{
    size_t from = before == 0 ? 0 : (size_t)(IRONMAP__BLOCK - __builtin_clzll(before)) - 1 + step;
    uint64_t left =
        from > IRONMAP__BLOCK ? matches & UINT64_MAX << (from - IRONMAP__BLOCK) : matches;
    uint64_t kept = 0;
    while (left != 0) {
        size_t i = (size_t)__builtin_ctzll(left);
        kept |= UINT64_C(1) << i;
        left = i + step < IRONMAP__BLOCK ? left & UINT64_MAX << (i + step) : 0;
    }
    return kept;
}

/* The matches of a block that count. */
static inline uint64_t ironmap__counted(uint64_t before, uint64_t matches, unsigned borders,
                                        size_t step)
{
    return borders != 0 && ironmap__may_overlap(before, matches, borders) != 0
               ? ironmap__drop_overlapping(before, matches, step)
               : matches;
}

/* Sets sink->next by the last of the matches `kept` of the block that ends at `end`. A match in an
 * earlier block cannot overlap one behind this block. */
static inline void ironmap__set_next(ironmap__match_sink *sink, size_t end, uint64_t kept)
{
    if (kept != 0) {
        sink->next = end - 1 - (size_t)__builtin_clzll(kept) + sink->step;
    }
}

#endif /* IRONMAP_CURSOR_H */
