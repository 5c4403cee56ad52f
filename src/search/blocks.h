/* The search with vectors, the same for every instruction set. Included by the file of one of them,
 * which has defined before what a block is:
 *
 *   splat       a vector, or several, of one byte; splat_of(byte) makes it
 *   mask        which bytes of a block of 64 are equal to something
 *   equal(p, s)          the mask of the 64 bytes at p
 *   both(a, b), either(a, b), any(a), bits(a)  of masks; bits gives byte i as bit i
 *
 * Places are taken 64 at a time. For each, one byte of the needle is compared with the haystack's
 * bytes there, then another, and more where two are not enough; where all are equal is a candidate,
 * at which the other probes and at last the whole needle are compared. Most blocks have none, so
 * two are asked at once, in the order of the search.
 */
#ifndef IRONMAP_SEARCH_BLOCKS_H
#define IRONMAP_SEARCH_BLOCKS_H

#include "internal.h"

/* For a way of its own, that its registers stay out of those beside it. */
#define APART __attribute__((noinline))
/* For a loop of which an argument is a constant: left to itself, the compiler may make one function
 * of all of them, in which it is none. */
#define FOR_EACH_CONSTANT static inline __attribute__((always_inline))

enum {
    BLOCK = 64,
    GROUP = 2 * BLOCK,
    FEW = 2 * BLOCK, /* places that are searched without a loop */
    /* Processors ask for what comes next on their own, but not beyond the page, and their pages are
     * of 4 KiB. So the first lines of each are asked for as far ahead as AHEAD. To ask for all
     * lines keeps the processor from asking itself. Measured (EPYC, Zen 4, 1 GiB, medians of 61
     * rounds, GB/s): a search 31.4 with and without asking, 27.3 when all lines were asked for;
     * downward 30.6, 30.7 and 27.5. Groups of four blocks were as fast upward, and at 0.94
     * downward. On Zen 5, where reading was faster, such groups were at 0.80 of it without asking
     * and at 0.97 when all lines were asked for: so it is kept. */
    PAGE = 4096,
    FIRST = 8 * BLOCK,
    AHEAD = 2048,
    NEAR = 4096,        /* how far a memchr goes before the blocks take over */
    ENOUGH = 4 * BLOCK, /* places for which that memchr pays */
    TIGHT_NEEDLE = 4096 /* the longest that is compared at every tight place if need be */
};

typedef struct scan {
    const uint8_t *haystack;
    size_t from; /* places that are left: the search takes them off one end */
    size_t to;
    ironmap__pattern *pattern;
    ironmap__matches *matches;
    bool done;         /* as many matches as are wanted */
    size_t reconsider; /* when so much is spent, look whether it is worth it */
} scan;

/* What blocks are compared with, in registers: two probes, or more where two leave too much, or the
 * one that the needle has. How many is a constant in each loop, so that it has no other loop
 * inside; so not every number has a loop of its own. */
typedef struct lead {
    const uint8_t *haystack[IRONMAP__PROBES]; /* the byte that meets the probe at place 0 */
    splat byte[IRONMAP__PROBES];
} lead;

static inline lead lead_of(const scan *s, unsigned count)
{
    const ironmap__pattern *p = s->pattern;
    lead l;
    for (unsigned i = 0; i < count; i++) {
        size_t offset = p->probes[i < p->probe_count ? i : 0];
        l.haystack[i] = s->haystack + offset;
        l.byte[i] = splat_of(p->bytes[offset]);
    }
    return l;
}

static inline mask meets(const lead *l, size_t place, unsigned i)
{
    return equal(l->haystack[i] + place, l->byte[i]);
}

static inline mask candidates(const lead *l, size_t place, unsigned count)
{
    mask all = meets(l, place, 0);
    for (unsigned i = 1; i < count; i++) {
        all = both(all, meets(l, place, i));
    }
    return all;
}

/* The candidates of a block, by `count` of the probes, that the others leave. */
static inline uint64_t probe(const scan *s, size_t place, uint64_t left, unsigned count)
{
    ironmap__pattern *p = s->pattern;
    p->spent += p->probe_count > count;
    for (unsigned i = count; i < IRONMAP__PROBES && i < p->probe_count && left != 0; i++) {
        size_t offset = p->probes[i];
        left &= bits(equal(s->haystack + place + offset, splat_of(p->bytes[offset])));
    }
    return left;
}

/* Whether the whole needle is at `place`, where all probes are right. */
static inline bool is_match(const scan *s, size_t place)
{
    return s->pattern->exact || ironmap__verify(s->pattern, s->haystack, place);
}

/* Whether comparing has taken so long that something else may be better. */
static inline bool in_doubt(const scan *s)
{
    return s->pattern->spent > s->reconsider;
}

/* Asks for the lines of `size` bytes that come later, if they are among those of their page that
 * come first; no harm if they never do. */
static inline void ask_for(const uint8_t *later, size_t size, bool forward)
{
    size_t way = (uintptr_t)later % PAGE;
    if (forward ? way < FIRST : way >= PAGE - FIRST) {
        for (size_t i = 0; i < size; i += BLOCK) {
            __builtin_prefetch(later + i);
        }
    }
}

/* The matches among the candidates of the block at `place`, from the lowest on. */
static inline void take_forward(scan *s, size_t place, uint64_t left)
{
    while (left != 0) {
        size_t candidate = place + (size_t)__builtin_ctzll(left);
        left &= left - 1;
        if (candidate >= s->matches->next && is_match(s, candidate) &&
            ironmap__take_match(s->matches, candidate)) {
            s->done = true;
            return;
        }
    }
}

static inline void block_forward(scan *s, size_t place, mask found, unsigned count)
{
    uint64_t left = bits(found);
    if (left != 0 && !s->done) {
        take_forward(s, place, probe(s, place, left, count));
    }
}

/* Groups while there are enough places, until the last match is taken or there is a doubt. */
FOR_EACH_CONSTANT void groups_forward(scan *s, unsigned count)
{
    const lead l = lead_of(s, count);
    while (s->to - s->from >= GROUP) {
        size_t place = s->from;
        ask_for(l.haystack[0] + place + AHEAD, GROUP, true);
        mask low = candidates(&l, place, count);
        mask high = candidates(&l, place + BLOCK, count);
        s->from += GROUP;
        if (any(either(low, high))) {
            block_forward(s, place, low, count);
            block_forward(s, place + BLOCK, high, count);
            if (s->done || in_doubt(s)) {
                return;
            }
        }
    }
}

/* Groups, by as many probes as the pattern has found to be best, or one more. */
static inline void run_groups_forward(scan *s)
{
    const unsigned leading = s->pattern->leading;
    if (leading > 6) {
        groups_forward(s, IRONMAP__PROBES);
    } else if (leading > 4) {
        groups_forward(s, 6);
    } else if (leading == 4) {
        groups_forward(s, 4);
    } else if (leading == 3) {
        groups_forward(s, 3);
    } else {
        groups_forward(s, 2);
    }
}

/* ---- counting all matches, where the probes are the whole needle ---- */

/* Of the matches `now` of a block, those that lie as near behind another one, in this block or in
 * the one before with its matches `before`, as two can that overlap: bit d of `distances` is set
 * where they can lie d apart. */
static inline uint64_t near_another(uint64_t before, uint64_t now, unsigned distances)
{
    uint64_t near = 0;
    for (; distances != 0; distances &= distances - 1) {
        unsigned d = (unsigned)__builtin_ctz(distances);
        near |= now & (now << d | before >> (BLOCK - d));
    }
    return near;
}

/* The matches of a block that count, from the left, where each keeps the next away by `step`. */
static inline uint64_t keep_apart(uint64_t before, uint64_t now, size_t step)
{
    size_t from = before == 0 ? 0 : (size_t)(BLOCK - __builtin_clzll(before)) - 1 + step;
    uint64_t left = from > BLOCK ? now & UINT64_MAX << (from - BLOCK) : now;
    uint64_t kept = 0;
    while (left != 0) {
        size_t i = (size_t)__builtin_ctzll(left);
        kept |= UINT64_C(1) << i;
        left = i + step < BLOCK ? left & UINT64_MAX << (i + step) : 0;
    }
    return kept;
}

/* Those of the matches `now` that count. */
static inline uint64_t that_count(uint64_t before, uint64_t now, unsigned distances, size_t step)
{
    return distances != 0 && near_another(before, now, distances) != 0
               ? keep_apart(before, now, step)
               : now;
}

/* The last of the matches `kept` of a block that ends at `end`. One in an earlier block keeps
 * nothing away behind this one, so it need not be noted. */
static inline void note_last(ironmap__matches *matches, size_t end, uint64_t kept)
{
    if (kept != 0) {
        matches->next = end - 1 - (size_t)__builtin_clzll(kept) + matches->step;
    }
}

/* All places that are left. `count`, of the probes, is a constant, and `distances` where it is 0.
 * No branch depends on where the matches are, unless they overlap. */
FOR_EACH_CONSTANT void tally(scan *s, unsigned count, unsigned distances)
{
    const lead l = lead_of(s, count);
    const size_t step = s->matches->step;
    size_t place = s->from;
    size_t found = 0;
    uint64_t kept = 0;
    for (; s->to - place >= BLOCK; place += BLOCK) {
        ask_for(l.haystack[0] + place + AHEAD, BLOCK, true);
        kept = that_count(kept, bits(candidates(&l, place, count)), distances, step);
        found += (size_t)__builtin_popcountll(kept);
    }
    s->matches->found += found;
    note_last(s->matches, place, kept);
    if (place < s->to) {
        /* Once more the last 64 places, without those that were seen. */
        uint64_t now = bits(candidates(&l, s->to - BLOCK, count)) >> (BLOCK - (s->to - place));
        kept = that_count(kept, now, distances, step);
        s->matches->found += (size_t)__builtin_popcountll(kept);
        note_last(s->matches, place + BLOCK, kept);
    }
    s->from = s->to;
}

static inline bool counts_all(const scan *s)
{
    const ironmap__matches *m = s->matches;
    return m->indexes == NULL && m->capacity == SIZE_MAX && s->pattern->exact;
}

/* Whether to compare all probes everywhere: not while two of them leave next to nothing. */
static inline bool can_tally(const scan *s)
{
    return (s->pattern->probe_count <= 2 || s->pattern->crowded) && counts_all(s);
}

static inline void run_tally(scan *s)
{
    const ironmap__pattern *p = s->pattern;
    unsigned distances = s->matches->step < p->length ? 0 : ironmap__overlaps(p);
    if (p->probe_count > 6) {
        tally(s, IRONMAP__PROBES, distances);
    } else if (p->probe_count > 4) {
        tally(s, 6, distances);
    } else if (p->probe_count > 2) {
        tally(s, 4, distances);
    } else if (distances != 0) {
        tally(s, 2, distances);
    } else if (p->probe_count == 2) {
        tally(s, 2, 0);
    } else {
        tally(s, 1, 0);
    }
}

/* Places that the last match keeps the next away from. */
static inline void pass_over_match(scan *s)
{
    if (s->matches->next > s->from) {
        s->from = s->matches->next < s->to ? s->matches->next : s->to;
    }
}

/* Whole blocks, until fewer places are left, the last match is taken or there is a doubt. */
static inline void run_forward(scan *s)
{
    pass_over_match(s);
    if (can_tally(s)) {
        run_tally(s);
    } else {
        run_groups_forward(s);
    }
    const lead l = lead_of(s, 2);
    while (s->to - s->from >= BLOCK && !s->done && !in_doubt(s)) {
        s->from += BLOCK;
        block_forward(s, s->from - BLOCK, candidates(&l, s->from - BLOCK, 2), 2);
    }
}

/* Fewer than 64 places that are left of more. */
static inline void rest_forward(scan *s, const lead *l, unsigned count)
{
    size_t n = s->to - s->from;
    if (n == 0 || s->done) {
        return;
    }
    /* Once more the last 64 places, without those that were seen. */
    size_t place = s->to - BLOCK;
    uint64_t left = bits(candidates(l, place, count)) & (UINT64_MAX << (BLOCK - n));
    if (left != 0) {
        take_forward(s, place, probe(s, place, left, count));
    }
}

/* What was spent says whether another choice of probes, or two-way, may be better; asked again
 * after some more. */
static inline void set_reconsider(scan *s)
{
    size_t soon = s->pattern->spent + IRONMAP__SPENT_AT_ONCE;
    s->reconsider = soon < s->pattern->adapt_at ? soon : s->pattern->adapt_at;
}

/* In doubt after `passed` places: the probes are chosen anew if it is time for that. False where
 * two-way is to go on. */
static inline bool go_on(scan *s, size_t passed, const uint8_t *sample, size_t places)
{
    ironmap__pattern *p = s->pattern;
    if (ironmap__spent_too_much(p, passed)) {
        return false;
    }
    if (p->spent > p->adapt_at) {
        ironmap__pattern_adapt(p, sample, places);
    }
    set_reconsider(s);
    return true;
}

static inline scan scan_of(ironmap__matches *matches, ironmap__pattern *pattern,
                           const uint8_t *haystack, size_t from, size_t to)
{
    scan s = {
        .haystack = haystack,
        .from = from,
        .to = to,
        .pattern = pattern,
        .matches = matches,
    };
    set_reconsider(&s);
    return s;
}

/* Begins as plain C does, with the needle's first byte, which may be nowhere near: false where it
 * is not at any of the places. */
static inline bool plain_begin(const ironmap__pattern *pattern, const uint8_t *haystack,
                               size_t *from, size_t to)
{
    size_t near = to - *from < NEAR ? to - *from : NEAR;
    const uint8_t *first = memchr(haystack + *from, pattern->bytes[0], near);
    *from = first == NULL ? *from + near : (size_t)(first - haystack);
    return *from < to;
}

static APART void many_forward(ironmap__matches *matches, ironmap__pattern *pattern,
                               const uint8_t *haystack, size_t from, size_t to)
{
    if (matches->capacity == 1 && to - from >= ENOUGH &&
        !plain_begin(pattern, haystack, &from, to)) {
        return;
    }
    scan s = scan_of(matches, pattern, haystack, from, to);
    run_forward(&s);
    while (s.to - s.from >= BLOCK && !s.done) {
        if (!go_on(&s, s.from - from, haystack + s.from, s.to - s.from)) {
            ironmap__two_way_forward(matches, pattern, haystack, s.from, to);
            return;
        }
        run_forward(&s);
    }
    const lead l = lead_of(&s, 2);
    rest_forward(&s, &l, 2);
}

/* The first match in two blocks at most. */
static inline void few_forward(ironmap__matches *matches, ironmap__pattern *pattern,
                               const uint8_t *haystack, size_t from, size_t to)
{
    scan s = scan_of(matches, pattern, haystack, from, to);
    const lead l = lead_of(&s, 4);
    s.from += BLOCK;
    block_forward(&s, from, candidates(&l, from, 4), 4);
    rest_forward(&s, &l, 4);
}

/* Whether places, fewer than a block has but one at least, have the bytes of a block all the same.
 * Nothing asks there whether too much is compared in vain, so the needle is not long. */
static inline bool is_tight(const ironmap__pattern *pattern, size_t places)
{
    return places > 0 && places < BLOCK && places + pattern->length > BLOCK &&
           pattern->length <= TIGHT_NEEDLE;
}

/* Which of the tight places [from, to) are right at a probe. The block is not read from the first
 * of them on where it would go beyond the bytes that there are. */
static inline uint64_t tight_meets(const ironmap__pattern *p, const uint8_t *haystack, size_t from,
                                   size_t to, unsigned i)
{
    size_t offset = p->probes[i];
    size_t beyond = to - from + p->length - 1 - offset;
    size_t back = beyond < BLOCK ? BLOCK - beyond : 0;
    return bits(equal(haystack + from + offset - back, splat_of(p->bytes[offset]))) >> back;
}

/* The candidates among tight places. */
static inline uint64_t tight_candidates(const ironmap__pattern *pattern, const uint8_t *haystack,
                                        size_t from, size_t to)
{
    uint64_t left = UINT64_MAX >> (BLOCK - (to - from));
    for (unsigned i = 0; i < pattern->probe_count && left != 0; i++) {
        left &= tight_meets(pattern, haystack, from, to, i);
    }
    return left;
}

static APART void tight_forward(ironmap__matches *matches, ironmap__pattern *pattern,
                                const uint8_t *haystack, size_t from, size_t to)
{
    scan s = scan_of(matches, pattern, haystack, from, to);
    take_forward(&s, from, tight_candidates(pattern, haystack, from, to));
}

static inline void blocks_forward(ironmap__matches *matches, ironmap__pattern *pattern,
                                  const uint8_t *haystack, size_t from, size_t to)
{
    if (is_tight(pattern, to - from)) {
        tight_forward(matches, pattern, haystack, from, to);
    } else if (to - from < BLOCK) {
        ironmap__scalar_kernels.forward(matches, pattern, haystack, from, to);
    } else if (to - from <= FEW && matches->capacity == 1) {
        few_forward(matches, pattern, haystack, from, to);
    } else {
        many_forward(matches, pattern, haystack, from, to);
    }
}

/* ---- from the end ---- */

/* The highest match among the candidates of the block at `place`, or IRONMAP__NOWHERE. */
static inline size_t take_backward(scan *s, size_t place, uint64_t left)
{
    while (left != 0) {
        unsigned top = 63 - (unsigned)__builtin_clzll(left);
        left ^= UINT64_C(1) << top;
        if (is_match(s, place + top)) {
            return place + top;
        }
    }
    return IRONMAP__NOWHERE;
}

static inline size_t block_backward(scan *s, size_t place, mask found, unsigned count)
{
    uint64_t left = bits(found);
    return left == 0 ? IRONMAP__NOWHERE : take_backward(s, place, probe(s, place, left, count));
}

FOR_EACH_CONSTANT size_t groups_backward(scan *s, unsigned count)
{
    const lead l = lead_of(s, count);
    while (s->to - s->from >= GROUP) {
        size_t place = s->to - GROUP;
        ask_for(l.haystack[0] + place - AHEAD, GROUP, false);
        mask high = candidates(&l, place + BLOCK, count);
        mask low = candidates(&l, place, count);
        s->to = place;
        if (any(either(high, low))) {
            size_t match = block_backward(s, place + BLOCK, high, count);
            if (match == IRONMAP__NOWHERE) {
                match = block_backward(s, place, low, count);
            }
            if (match != IRONMAP__NOWHERE || in_doubt(s)) {
                return match;
            }
        }
    }
    return IRONMAP__NOWHERE;
}

/* Groups, as run_groups_forward. */
static inline size_t run_groups_backward(scan *s)
{
    const unsigned leading = s->pattern->leading;
    if (leading > 6) {
        return groups_backward(s, IRONMAP__PROBES);
    }
    if (leading > 4) {
        return groups_backward(s, 6);
    }
    if (leading == 4) {
        return groups_backward(s, 4);
    }
    if (leading == 3) {
        return groups_backward(s, 3);
    }
    return leading == 2 ? groups_backward(s, 2) : groups_backward(s, 1);
}

/* Whole blocks, as run_forward; `count` of the probes, a constant. */
FOR_EACH_CONSTANT size_t run_backward(scan *s, unsigned count)
{
    size_t match = IRONMAP__NOWHERE;
    if (s->to - s->from >= GROUP) {
        match = run_groups_backward(s);
    }
    const lead l = lead_of(s, count);
    while (match == IRONMAP__NOWHERE && s->to - s->from >= BLOCK && !in_doubt(s)) {
        s->to -= BLOCK;
        match = block_backward(s, s->to, candidates(&l, s->to, count), count);
    }
    return match;
}

static inline size_t rest_backward(scan *s, const lead *l, unsigned count)
{
    size_t n = s->to - s->from;
    if (n == 0) {
        return IRONMAP__NOWHERE;
    }
    uint64_t left = bits(candidates(l, s->from, count)) & (UINT64_MAX >> (BLOCK - n));
    return left == 0 ? IRONMAP__NOWHERE : take_backward(s, s->from, probe(s, s->from, left, count));
}

/* The places that are searched next, as many as a sample has. */
static inline const uint8_t *sample_before(const scan *s, size_t *places)
{
    size_t left = s->to - s->from;
    *places = left < IRONMAP__SAMPLE ? left : IRONMAP__SAMPLE;
    return s->haystack + s->to - *places;
}

static APART size_t many_backward(ironmap__pattern *pattern, const uint8_t *haystack, size_t from,
                                  size_t to)
{
    scan s = scan_of(NULL, pattern, haystack, from, to);
    size_t match = pattern->length == 1 ? run_backward(&s, 1) : run_backward(&s, 2);
    while (match == IRONMAP__NOWHERE && s.to - s.from >= BLOCK) {
        size_t places = 0;
        const uint8_t *sample = sample_before(&s, &places);
        if (!go_on(&s, to - s.to, sample, places)) {
            return ironmap__two_way_backward(pattern, haystack, from, s.to);
        }
        match = run_backward(&s, 2);
    }
    const lead l = lead_of(&s, 2);
    return match == IRONMAP__NOWHERE ? rest_backward(&s, &l, 2) : match;
}

/* Two blocks at most, the match or IRONMAP__NOWHERE. */
static inline size_t few_backward(ironmap__pattern *pattern, const uint8_t *haystack, size_t from,
                                  size_t to)
{
    scan s = scan_of(NULL, pattern, haystack, from, to);
    const lead l = lead_of(&s, 4);
    s.to -= BLOCK;
    size_t match = block_backward(&s, s.to, candidates(&l, s.to, 4), 4);
    return match == IRONMAP__NOWHERE ? rest_backward(&s, &l, 4) : match;
}

static APART size_t tight_backward(ironmap__pattern *pattern, const uint8_t *haystack, size_t from,
                                   size_t to)
{
    scan s = scan_of(NULL, pattern, haystack, from, to);
    return take_backward(&s, from, tight_candidates(pattern, haystack, from, to));
}

static inline size_t blocks_backward(ironmap__pattern *pattern, const uint8_t *haystack,
                                     size_t from, size_t to)
{
    if (is_tight(pattern, to - from)) {
        return tight_backward(pattern, haystack, from, to);
    }
    if (to - from < BLOCK) {
        return ironmap__scalar_kernels.backward(pattern, haystack, from, to);
    }
    return to - from > FEW ? many_backward(pattern, haystack, from, to)
                           : few_backward(pattern, haystack, from, to);
}

#endif /* IRONMAP_SEARCH_BLOCKS_H */
