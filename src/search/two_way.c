/* The two-way algorithm (Crochemore and Perrin, "Two-way string-matching", JACM 38, 1991). It is
 * linear for every needle and needs no extra memory. It continues a search where the haystack is
 * full of almost-matches.
 *
 * Backward search is forward search on the mirror image. Functions with a parameter `mirrored`, a
 * constant in each call, see index i of a text of n bytes as n - 1 - i.
 */
#include "two_way.h"

typedef struct two_way_text {
    const uint8_t *bytes;
    size_t length;
} two_way_text;

static inline uint8_t byte_at(two_way_text t, size_t i, bool mirrored)
{
    return mirrored ? t.bytes[t.length - 1 - i] : t.bytes[i];
}

typedef struct factorization {
    size_t cut;    /* start of the right part */
    size_t period; /* of the right part */
} factorization;

/* The maximal suffix of the needle under the order of bytes, or the reverse order. */
static inline factorization maximal_suffix(two_way_text needle, bool reverse_order, bool mirrored)
{
    size_t suffix = 0;    /* start of the best suffix so far */
    size_t candidate = 1; /* start of the suffix compared with it */
    size_t k = 0;         /* equal bytes so far */
    size_t period = 1;
    while (candidate + k < needle.length) {
        uint8_t ours = byte_at(needle, suffix + k, mirrored);
        uint8_t theirs = byte_at(needle, candidate + k, mirrored);
        if (ours == theirs) {
            k++;
            if (k == period) {
                candidate += period;
                k = 0;
            }
        } else if ((theirs < ours) != reverse_order) {
            candidate += k + 1;
            k = 0;
            period = candidate - suffix;
        } else {
            suffix = candidate;
            candidate++;
            k = 0;
            period = 1;
        }
    }
    return (factorization){suffix, period};
}

/* A critical factorization: the later of the two maximal suffixes. */
static inline factorization factorize(two_way_text needle, bool mirrored)
{
    factorization a = maximal_suffix(needle, false, mirrored);
    factorization b = maximal_suffix(needle, true, mirrored);
    return a.cut > b.cut ? a : b;
}

/* True if the left part of the needle repeats one period later. Then the whole needle is periodic.
 */
static inline bool is_periodic(two_way_text needle, factorization f, bool mirrored)
{
    if (f.cut + f.period > needle.length) {
        return false;
    }
    for (size_t i = 0; i < f.cut; i++) {
        if (byte_at(needle, i, mirrored) != byte_at(needle, i + f.period, mirrored)) {
            return false;
        }
    }
    return true;
}

/* The index of the needle's first byte from `i` on that differs from the haystack at `pos`, or the
 * needle's length. */
static inline size_t match_right(two_way_text haystack, size_t pos, two_way_text needle, size_t i,
                                 bool mirrored)
{
    while (i < needle.length &&
           byte_at(needle, i, mirrored) == byte_at(haystack, pos + i, mirrored)) {
        i++;
    }
    return i;
}

/* True if the bytes of the needle in [from, to) match the haystack at `pos`. */
static inline bool matches_left(two_way_text haystack, size_t pos, two_way_text needle, size_t from,
                                size_t to, bool mirrored)
{
    while (to > from &&
           byte_at(needle, to - 1, mirrored) == byte_at(haystack, pos + to - 1, mirrored)) {
        to--;
    }
    return to <= from;
}

/* The state of a search, between two matches. */
typedef struct two_way_search {
    two_way_text haystack;
    two_way_text needle;
    factorization f;
    bool periodic;
    size_t shift; /* after a match of the right part, at most the needle's period */
    size_t known; /* bytes at the needle's start known to match at pos */
    size_t pos;
} two_way_search;

static inline two_way_search begin_search(two_way_text haystack, two_way_text needle, bool mirrored)
{
    two_way_search s = {.haystack = haystack, .needle = needle, .f = factorize(needle, mirrored)};
    size_t left = s.f.cut;
    size_t right = needle.length - s.f.cut;
    s.periodic = is_periodic(needle, s.f, mirrored);
    s.shift = s.periodic ? s.f.period : (left > right ? left : right) + 1;
    return s;
}

/* The next match, which may overlap the one before. */
static inline size_t next_match(two_way_search *s, bool mirrored)
{
    while (s->pos + s->needle.length <= s->haystack.length) {
        size_t pos = s->pos;
        size_t first = s->known > s->f.cut ? s->known : s->f.cut;
        size_t i = match_right(s->haystack, pos, s->needle, first, mirrored);
        if (i < s->needle.length) {
            s->pos += i - s->f.cut + 1;
            s->known = 0;
            continue;
        }
        bool whole = matches_left(s->haystack, pos, s->needle, s->known, s->f.cut, mirrored);
        s->pos += s->shift;
        s->known = s->periodic ? s->needle.length - s->shift : 0;
        if (whole) {
            return pos;
        }
    }
    return IRONMAP__NO_MATCH;
}

static two_way_text two_way_needle(const ironmap__pattern *pattern)
{
    return (two_way_text){pattern->bytes, pattern->length};
}

void ironmap__two_way_forward(ironmap__match_sink *sink, const ironmap__pattern *pattern,
                              const uint8_t *haystack, size_t from, size_t to)
{
    two_way_text bytes = {haystack + from, to - from + pattern->length - 1};
    two_way_search s = begin_search(bytes, two_way_needle(pattern), false);
    size_t match = next_match(&s, false);
    while (match != IRONMAP__NO_MATCH) {
        if (from + match >= sink->next && ironmap__record_match(sink, from + match)) {
            return;
        }
        match = next_match(&s, false);
    }
}

size_t ironmap__two_way_backward(const ironmap__pattern *pattern, const uint8_t *haystack,
                                 size_t from, size_t to)
{
    two_way_text bytes = {haystack + from, to - from + pattern->length - 1};
    two_way_search s = begin_search(bytes, two_way_needle(pattern), true);
    size_t from_end = next_match(&s, true);
    return from_end == IRONMAP__NO_MATCH ? IRONMAP__NO_MATCH : to - 1 - from_end;
}
