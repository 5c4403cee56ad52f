/* The search with vectors, a template for all instruction sets. Each one's file includes it after
 * these definitions, where KERNEL(x) is x with the instruction set's prefix:
 *
 *   KERNEL(name), KERNEL_TARGET   the prefix, and the attribute that enables the instructions
 *   KERNEL(splat), KERNEL(mask)   types: a byte in all lanes; which of 64 bytes match
 *   KERNEL(splat_of)(byte)        the splat of a byte
 *   KERNEL(equal)(p, splat)       the mask of the 64 bytes at p that equal the byte
 *   KERNEL(both)(a, b), KERNEL(either)(a, b), KERNEL(any)(a)   of masks
 *   KERNEL(bits)(a)               the mask as a number, byte i as bit i
 *
 * A block is 64 positions. One byte of the needle is compared with the haystack at all of them,
 * then another one. Positions where all these probes match are candidates. The other probes, and
 * then the whole needle, are compared there. Most blocks have no candidate, so two blocks, a group,
 * are tested at once. All functions have the target attribute: only then the vector functions can
 * be inlined.
 */
#include "base/compiler.h"
#include "cursor.h"
#include "kernels.h"
#include "two_way.h"

#define SPLAT KERNEL(splat)
#define MASK KERNEL(mask)
#define PROBES KERNEL(probes)
#define KERNEL_INLINE KERNEL_TARGET static inline
/* For a function with a parameter that must be a constant: it is copied into each caller. */
#define KERNEL_CONSTANT KERNEL_TARGET __attribute__((always_inline)) static inline
/* For one of several ways to search: the function that picks one needs no stack frame. */
#define KERNEL_NOINLINE KERNEL_TARGET IRONMAP__NOINLINE static

/* ---- probes and candidates ---- */

/* The probes compared at every position. Their number is a constant in each loop, 1, 2, 3, 4, 6 or
 * 8. No loop goes over them, so that every compiler keeps them in registers. */
typedef struct PROBES {
    const uint8_t *haystack[IRONMAP__PROBES_MAX]; /* the byte compared at position 0 */
    SPLAT byte[IRONMAP__PROBES_MAX];
} PROBES;

KERNEL_CONSTANT void KERNEL(load_probe)(PROBES *probes, const ironmap__cursor *c, unsigned i)
{
    const ironmap__pattern *p = c->pattern;
    size_t offset = p->probes[i < p->probe_count ? i : 0];
    probes->haystack[i] = c->haystack + offset;
    probes->byte[i] = KERNEL(splat_of)(p->bytes[offset]);
}

KERNEL_CONSTANT PROBES KERNEL(load_probes)(const ironmap__cursor *c, unsigned count)
{
    PROBES probes;
    KERNEL(load_probe)(&probes, c, 0);
    if (count > 1) {
        KERNEL(load_probe)(&probes, c, 1);
    }
    if (count > 2) {
        KERNEL(load_probe)(&probes, c, 2);
    }
    if (count > 3) {
        KERNEL(load_probe)(&probes, c, 3);
    }
    if (count > 4) {
        KERNEL(load_probe)(&probes, c, 4);
        KERNEL(load_probe)(&probes, c, 5);
    }
    if (count > 6) {
        KERNEL(load_probe)(&probes, c, 6);
        KERNEL(load_probe)(&probes, c, 7);
    }
    return probes;
}

/* The positions of `all` at which probe i matches too. */
KERNEL_CONSTANT MASK KERNEL(and_probe)(MASK all, const PROBES *probes, size_t position, unsigned i)
{
    return KERNEL(both)(all, KERNEL(equal)(probes->haystack[i] + position, probes->byte[i]));
}

/* The positions of a block at which `count` probes match. */
KERNEL_CONSTANT MASK KERNEL(candidates)(const PROBES *probes, size_t position, unsigned count)
{
    MASK all = KERNEL(equal)(probes->haystack[0] + position, probes->byte[0]);
    if (count > 1) {
        all = KERNEL(and_probe)(all, probes, position, 1);
    }
    if (count > 2) {
        all = KERNEL(and_probe)(all, probes, position, 2);
    }
    if (count > 3) {
        all = KERNEL(and_probe)(all, probes, position, 3);
    }
    if (count > 4) {
        all = KERNEL(and_probe)(all, probes, position, 4);
        all = KERNEL(and_probe)(all, probes, position, 5);
    }
    if (count > 6) {
        all = KERNEL(and_probe)(all, probes, position, 6);
        all = KERNEL(and_probe)(all, probes, position, 7);
    }
    return all;
}

/* The candidates of a block by `count` probes at which the other probes match too. */
KERNEL_CONSTANT uint64_t KERNEL(filter)(const ironmap__cursor *c, size_t position,
                                        uint64_t candidates, unsigned count)
{
    ironmap__pattern *p = c->pattern;
    p->cost += p->probe_count > count;
    for (unsigned i = count; i < IRONMAP__PROBES_MAX && i < p->probe_count && candidates != 0;
         i++) {
        size_t offset = p->probes[i];
        SPLAT byte = KERNEL(splat_of)(p->bytes[offset]);
        candidates &= KERNEL(bits)(KERNEL(equal)(c->haystack + position + offset, byte));
    }
    return candidates;
}

/* ---- forward ---- */

KERNEL_CONSTANT void KERNEL(block_forward)(ironmap__cursor *c, size_t position, MASK found,
                                           unsigned count)
{
    uint64_t candidates = KERNEL(bits)(found);
    if (candidates != 0 && !c->done) {
        ironmap__cursor_record(c, position, KERNEL(filter)(c, position, candidates, count));
    }
}

/* Searches groups until fewer positions are left, the search is done or needs a review. */
KERNEL_CONSTANT void KERNEL(groups_forward)(ironmap__cursor *c, unsigned count)
{
    const PROBES probes = KERNEL(load_probes)(c, count);
    while (c->to - c->from >= IRONMAP__GROUP) {
        size_t position = c->from;
        ironmap__prefetch_head(probes.haystack[0] + position + IRONMAP__PREFETCH_AHEAD_BYTES,
                               IRONMAP__GROUP, true);
        MASK low = KERNEL(candidates)(&probes, position, count);
        MASK high = KERNEL(candidates)(&probes, position + IRONMAP__BLOCK, count);
        c->from += IRONMAP__GROUP;
        if (IRONMAP__RARE(KERNEL(any)(KERNEL(either)(low, high)))) {
            KERNEL(block_forward)(c, position, low, count);
            KERNEL(block_forward)(c, position + IRONMAP__BLOCK, high, count);
            if (c->done || ironmap__cursor_needs_review(c)) {
                return;
            }
        }
    }
}

/* Searches groups with as many probes as the pattern asks for, or one more. */
KERNEL_INLINE void KERNEL(all_groups_forward)(ironmap__cursor *c)
{
    const unsigned count = c->pattern->block_probes;
    if (count > 6) {
        KERNEL(groups_forward)(c, IRONMAP__PROBES_MAX);
    } else if (count > 4) {
        KERNEL(groups_forward)(c, 6);
    } else if (count == 4) {
        KERNEL(groups_forward)(c, 4);
    } else if (count == 3) {
        KERNEL(groups_forward)(c, 3);
    } else {
        KERNEL(groups_forward)(c, 2);
    }
}

/* Counts the matches at all positions left. `count` is a constant, and `borders` if it is 0. No
 * branch depends on where the matches are unless they overlap. */
KERNEL_CONSTANT void KERNEL(count_by)(ironmap__cursor *c, unsigned count, unsigned borders)
{
    const PROBES probes = KERNEL(load_probes)(c, count);
    const size_t step = c->sink->step;
    size_t position = c->from;
    size_t found = 0;
    uint64_t kept = 0;
    for (; c->to - position >= IRONMAP__BLOCK; position += IRONMAP__BLOCK) {
        ironmap__prefetch_head(probes.haystack[0] + position + IRONMAP__PREFETCH_AHEAD_BYTES,
                               IRONMAP__BLOCK, true);
        uint64_t matches = KERNEL(bits)(KERNEL(candidates)(&probes, position, count));
        kept = ironmap__counted(kept, matches, borders, step);
        found += (size_t)__builtin_popcountll(kept);
    }
    c->sink->found += found;
    ironmap__set_next(c->sink, position, kept);
    if (position < c->to) {
        /* The last 64 positions, without those that are counted. */
        MASK last = KERNEL(candidates)(&probes, c->to - IRONMAP__BLOCK, count);
        uint64_t matches = KERNEL(bits)(last) >> (IRONMAP__BLOCK - (c->to - position));
        kept = ironmap__counted(kept, matches, borders, step);
        c->sink->found += (size_t)__builtin_popcountll(kept);
        ironmap__set_next(c->sink, position + IRONMAP__BLOCK, kept);
    }
    c->from = c->to;
}

KERNEL_INLINE void KERNEL(count_all)(ironmap__cursor *c)
{
    const ironmap__pattern *p = c->pattern;
    unsigned borders = c->sink->step < p->length ? 0 : ironmap__needle_borders(p);
    if (p->probe_count > 6) {
        KERNEL(count_by)(c, IRONMAP__PROBES_MAX, borders);
    } else if (p->probe_count > 4) {
        KERNEL(count_by)(c, 6, borders);
    } else if (p->probe_count > 2) {
        KERNEL(count_by)(c, 4, borders);
    } else if (borders != 0) {
        KERNEL(count_by)(c, 2, borders);
    } else if (p->probe_count == 2) {
        KERNEL(count_by)(c, 2, 0);
    } else {
        KERNEL(count_by)(c, 1, 0);
    }
}

/* Searches whole blocks until fewer positions are left, the search is done or needs a review. All
 * probes are compared everywhere only if two of them leave many candidates. */
KERNEL_INLINE void KERNEL(blocks_forward)(ironmap__cursor *c)
{
    ironmap__cursor_skip(c);
    if ((c->pattern->probe_count <= 2 || c->pattern->many_candidates) &&
        ironmap__cursor_counts_all(c)) {
        KERNEL(count_all)(c);
    } else {
        KERNEL(all_groups_forward)(c);
    }
    const PROBES probes = KERNEL(load_probes)(c, 2);
    while (c->to - c->from >= IRONMAP__BLOCK && !c->done && !ironmap__cursor_needs_review(c)) {
        c->from += IRONMAP__BLOCK;
        size_t position = c->from - IRONMAP__BLOCK;
        KERNEL(block_forward)(c, position, KERNEL(candidates)(&probes, position, 2), 2);
    }
}

/* Searches the fewer than 64 positions left of a range of at least 64. */
KERNEL_CONSTANT void KERNEL(tail_forward)(ironmap__cursor *c, const PROBES *probes, unsigned count)
{
    size_t n = c->to - c->from;
    if (n == 0 || c->done) {
        return;
    }
    /* The last 64 positions, without those that are searched. */
    size_t position = c->to - IRONMAP__BLOCK;
    uint64_t candidates = KERNEL(bits)(KERNEL(candidates)(probes, position, count)) &
                          (UINT64_MAX << (IRONMAP__BLOCK - n));
    if (candidates != 0) {
        ironmap__cursor_record(c, position, KERNEL(filter)(c, position, candidates, count));
    }
}

KERNEL_NOINLINE void KERNEL(long_forward)(ironmap__match_sink *sink, ironmap__pattern *pattern,
                                          const uint8_t *haystack, size_t from, size_t to)
{
    if (sink->capacity == 1 && to - from >= IRONMAP__MEMCHR_POSITIONS_MIN &&
        !ironmap__advance_by_memchr(pattern, haystack, &from, to)) {
        return;
    }
    ironmap__cursor c = ironmap__cursor_init(sink, pattern, haystack, from, to);
    KERNEL(blocks_forward)(&c);
    while (c.to - c.from >= IRONMAP__BLOCK && !c.done) {
        if (!ironmap__cursor_review(&c, c.from - from, haystack + c.from, c.to - c.from)) {
            ironmap__two_way_forward(sink, pattern, haystack, c.from, to);
            return;
        }
        KERNEL(blocks_forward)(&c);
    }
    const PROBES probes = KERNEL(load_probes)(&c, 2);
    KERNEL(tail_forward)(&c, &probes, 2);
}

/* Finds the first match in two blocks at most. */
KERNEL_NOINLINE void KERNEL(group_forward)(ironmap__match_sink *sink, ironmap__pattern *pattern,
                                           const uint8_t *haystack, size_t from, size_t to)
{
    ironmap__cursor c = ironmap__cursor_init(sink, pattern, haystack, from, to);
    const PROBES probes = KERNEL(load_probes)(&c, 4);
    c.from += IRONMAP__BLOCK;
    KERNEL(block_forward)(&c, from, KERNEL(candidates)(&probes, from, 4), 4);
    KERNEL(tail_forward)(&c, &probes, 4);
}

/* ---- short ranges: fewer positions than a block, with the bytes of one ---- */

/* The positions [from, to) at which probe i matches, from bit 0 on. The block is read further left
 * where it would end behind the range's last byte. */
KERNEL_INLINE uint64_t KERNEL(short_match_probe)(const ironmap__pattern *p, const uint8_t *haystack,
                                                 size_t from, size_t to, unsigned i)
{
    size_t offset = p->probes[i];
    size_t available = to - from + p->length - 1 - offset;
    size_t back = available < IRONMAP__BLOCK ? IRONMAP__BLOCK - available : 0;
    SPLAT byte = KERNEL(splat_of)(p->bytes[offset]);
    return KERNEL(bits)(KERNEL(equal)(haystack + from + offset - back, byte)) >> back;
}

KERNEL_INLINE uint64_t KERNEL(short_candidates)(const ironmap__pattern *pattern,
                                                const uint8_t *haystack, size_t from, size_t to)
{
    uint64_t candidates = UINT64_MAX >> (IRONMAP__BLOCK - (to - from));
    for (unsigned i = 0; i < pattern->probe_count && candidates != 0; i++) {
        candidates &= KERNEL(short_match_probe)(pattern, haystack, from, to, i);
    }
    return candidates;
}

KERNEL_NOINLINE void KERNEL(short_forward)(ironmap__match_sink *sink, ironmap__pattern *pattern,
                                           const uint8_t *haystack, size_t from, size_t to)
{
    ironmap__cursor c = ironmap__cursor_init(sink, pattern, haystack, from, to);
    ironmap__cursor_record(&c, from, KERNEL(short_candidates)(pattern, haystack, from, to));
}

KERNEL_NOINLINE size_t KERNEL(short_backward)(ironmap__pattern *pattern, const uint8_t *haystack,
                                              size_t from, size_t to)
{
    ironmap__cursor c = ironmap__cursor_init(NULL, pattern, haystack, from, to);
    return ironmap__cursor_last(&c, from, KERNEL(short_candidates)(pattern, haystack, from, to));
}

/* ---- backward ---- */

KERNEL_CONSTANT size_t KERNEL(block_backward)(ironmap__cursor *c, size_t position, MASK found,
                                              unsigned count)
{
    uint64_t candidates = KERNEL(bits)(found);
    return candidates == 0
               ? IRONMAP__NO_MATCH
               : ironmap__cursor_last(c, position, KERNEL(filter)(c, position, candidates, count));
}

KERNEL_CONSTANT size_t KERNEL(groups_backward)(ironmap__cursor *c, unsigned count)
{
    const PROBES probes = KERNEL(load_probes)(c, count);
    while (c->to - c->from >= IRONMAP__GROUP) {
        size_t position = c->to - IRONMAP__GROUP;
        ironmap__prefetch_head(probes.haystack[0] + position - IRONMAP__PREFETCH_AHEAD_BYTES,
                               IRONMAP__GROUP, false);
        MASK high = KERNEL(candidates)(&probes, position + IRONMAP__BLOCK, count);
        MASK low = KERNEL(candidates)(&probes, position, count);
        c->to = position;
        if (IRONMAP__RARE(KERNEL(any)(KERNEL(either)(high, low)))) {
            size_t match = KERNEL(block_backward)(c, position + IRONMAP__BLOCK, high, count);
            if (match == IRONMAP__NO_MATCH) {
                match = KERNEL(block_backward)(c, position, low, count);
            }
            if (match != IRONMAP__NO_MATCH || ironmap__cursor_needs_review(c)) {
                return match;
            }
        }
    }
    return IRONMAP__NO_MATCH;
}

KERNEL_INLINE size_t KERNEL(all_groups_backward)(ironmap__cursor *c)
{
    const unsigned count = c->pattern->block_probes;
    if (count > 6) {
        return KERNEL(groups_backward)(c, IRONMAP__PROBES_MAX);
    }
    if (count > 4) {
        return KERNEL(groups_backward)(c, 6);
    }
    if (count == 4) {
        return KERNEL(groups_backward)(c, 4);
    }
    if (count == 3) {
        return KERNEL(groups_backward)(c, 3);
    }
    return count == 2 ? KERNEL(groups_backward)(c, 2) : KERNEL(groups_backward)(c, 1);
}

/* Searches whole blocks, as blocks_forward. `count` probes are compared outside groups. */
KERNEL_CONSTANT size_t KERNEL(blocks_backward)(ironmap__cursor *c, unsigned count)
{
    size_t match = IRONMAP__NO_MATCH;
    if (c->to - c->from >= IRONMAP__GROUP) {
        match = KERNEL(all_groups_backward)(c);
    }
    const PROBES probes = KERNEL(load_probes)(c, count);
    while (match == IRONMAP__NO_MATCH && c->to - c->from >= IRONMAP__BLOCK &&
           !ironmap__cursor_needs_review(c)) {
        c->to -= IRONMAP__BLOCK;
        match = KERNEL(block_backward)(c, c->to, KERNEL(candidates)(&probes, c->to, count), count);
    }
    return match;
}

KERNEL_CONSTANT size_t KERNEL(tail_backward)(ironmap__cursor *c, const PROBES *probes,
                                             unsigned count)
{
    size_t n = c->to - c->from;
    if (n == 0) {
        return IRONMAP__NO_MATCH;
    }
    uint64_t candidates = KERNEL(bits)(KERNEL(candidates)(probes, c->from, count)) &
                          (UINT64_MAX >> (IRONMAP__BLOCK - n));
    return candidates == 0
               ? IRONMAP__NO_MATCH
               : ironmap__cursor_last(c, c->from, KERNEL(filter)(c, c->from, candidates, count));
}

KERNEL_NOINLINE size_t KERNEL(long_backward)(ironmap__pattern *pattern, const uint8_t *haystack,
                                             size_t from, size_t to)
{
    ironmap__cursor c = ironmap__cursor_init(NULL, pattern, haystack, from, to);
    size_t match =
        pattern->length == 1 ? KERNEL(blocks_backward)(&c, 1) : KERNEL(blocks_backward)(&c, 2);
    while (match == IRONMAP__NO_MATCH && c.to - c.from >= IRONMAP__BLOCK) {
        size_t positions = 0;
        const uint8_t *sample = ironmap__cursor_sample_below(&c, &positions);
        if (!ironmap__cursor_review(&c, to - c.to, sample, positions)) {
            return ironmap__two_way_backward(pattern, haystack, from, c.to);
        }
        match = KERNEL(blocks_backward)(&c, 2);
    }
    const PROBES probes = KERNEL(load_probes)(&c, 2);
    return match == IRONMAP__NO_MATCH ? KERNEL(tail_backward)(&c, &probes, 2) : match;
}

/* Finds the last match in two blocks at most. */
KERNEL_NOINLINE size_t KERNEL(group_backward)(ironmap__pattern *pattern, const uint8_t *haystack,
                                              size_t from, size_t to)
{
    ironmap__cursor c = ironmap__cursor_init(NULL, pattern, haystack, from, to);
    const PROBES probes = KERNEL(load_probes)(&c, 4);
    c.to -= IRONMAP__BLOCK;
    MASK found = KERNEL(candidates)(&probes, c.to, 4);
    size_t match = KERNEL(block_backward)(&c, c.to, found, 4);
    return match == IRONMAP__NO_MATCH ? KERNEL(tail_backward)(&c, &probes, 4) : match;
}

/* ---- the functions of the kernel ---- */

KERNEL_TARGET static void KERNEL(forward)(ironmap__match_sink *sink, ironmap__pattern *pattern,
                                          const uint8_t *haystack, size_t from, size_t to)
{
    size_t positions = to - from;
    if (ironmap__is_short_range(pattern, positions)) {
        KERNEL(short_forward)(sink, pattern, haystack, from, to);
    } else if (positions < IRONMAP__BLOCK) {
        ironmap__scalar_kernels.forward(sink, pattern, haystack, from, to);
    } else if (positions <= IRONMAP__GROUP && sink->capacity == 1) {
        KERNEL(group_forward)(sink, pattern, haystack, from, to);
    } else {
        KERNEL(long_forward)(sink, pattern, haystack, from, to);
    }
}

KERNEL_TARGET static size_t KERNEL(backward)(ironmap__pattern *pattern, const uint8_t *haystack,
                                             size_t from, size_t to)
{
    size_t positions = to - from;
    if (ironmap__is_short_range(pattern, positions)) {
        return KERNEL(short_backward)(pattern, haystack, from, to);
    }
    if (positions < IRONMAP__BLOCK) {
        return ironmap__scalar_kernels.backward(pattern, haystack, from, to);
    }
    return positions > IRONMAP__GROUP ? KERNEL(long_backward)(pattern, haystack, from, to)
                                      : KERNEL(group_backward)(pattern, haystack, from, to);
}

#undef SPLAT
#undef MASK
#undef PROBES
#undef KERNEL_INLINE
#undef KERNEL_CONSTANT
#undef KERNEL_NOINLINE
