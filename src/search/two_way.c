/* The two-way algorithm (Crochemore and Perrin, "Two-way string-matching", JACM 38, 1991): linear
 * for every needle and without extra memory. It takes over where a haystack is full of
 * almost-matches.
 *
 * Backward is forward on the mirror image: the functions that take `mirrored`, a constant in each
 * call, see index i of a text of n bytes as n - 1 - i.
 */
#include "internal.h"

typedef struct text {
    const uint8_t *bytes;
    size_t length;
} text;

static inline uint8_t at(text t, size_t i, bool mirrored)
{
    return mirrored ? t.bytes[t.length - 1 - i] : t.bytes[i];
}

typedef struct factorization {
    size_t cut;    /* where the right part begins */
    size_t period; /* of the right part */
} factorization;

/* The maximal suffix of the needle under the order of bytes, or the reverse order. */
static inline factorization maximal_suffix(text needle, bool reverse_order, bool mirrored)
{
    size_t suffix = 0;    /* the best suffix so far begins here */
    size_t candidate = 1; /* the one that is compared with it */
    size_t k = 0;         /* bytes that are equal so far */
    size_t period = 1;
    while (candidate + k < needle.length) {
        uint8_t ours = at(needle, suffix + k, mirrored);
        uint8_t theirs = at(needle, candidate + k, mirrored);
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
static inline factorization factorize(text needle, bool mirrored)
{
    factorization a = maximal_suffix(needle, false, mirrored);
    factorization b = maximal_suffix(needle, true, mirrored);
    return a.cut > b.cut ? a : b;
}

/* Whether the left part of the needle repeats one period on, so that the needle as a whole is
 * periodic. */
static inline bool is_periodic(text needle, factorization f, bool mirrored)
{
    if (f.cut + f.period > needle.length) {
        return false;
    }
    for (size_t i = 0; i < f.cut; i++) {
        if (at(needle, i, mirrored) != at(needle, i + f.period, mirrored)) {
            return false;
        }
    }
    return true;
}

/* How many bytes of the needle from `i` on match the haystack at `pos`: the index of the first that
 * does not, or the needle's length. */
static inline size_t match_right(text haystack, size_t pos, text needle, size_t i, bool mirrored)
{
    while (i < needle.length && at(needle, i, mirrored) == at(haystack, pos + i, mirrored)) {
        i++;
    }
    return i;
}

/* Whether the bytes of the needle in [from, to) match the haystack at `pos`. */
static inline bool matches_left(text haystack, size_t pos, text needle, size_t from, size_t to,
                                bool mirrored)
{
    while (to > from && at(needle, to - 1, mirrored) == at(haystack, pos + to - 1, mirrored)) {
        to--;
    }
    return to <= from;
}

/* A search that can go on behind each match. */
typedef struct search {
    text haystack;
    text needle;
    factorization f;
    bool periodic;
    size_t shift; /* after a match of the right part; never more than the needle's period */
    size_t known; /* bytes at the needle's start that are known to match at pos */
    size_t pos;
} search;

static inline search begin(text haystack, text needle, bool mirrored)
{
    search s = {.haystack = haystack, .needle = needle, .f = factorize(needle, mirrored)};
    size_t left = s.f.cut;
    size_t right = needle.length - s.f.cut;
    s.periodic = is_periodic(needle, s.f, mirrored);
    s.shift = s.periodic ? s.f.period : (left > right ? left : right) + 1;
    return s;
}

/* The next match; it may overlap the one before. */
static inline size_t next_match(search *s, bool mirrored)
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
    return IRONMAP__NOWHERE;
}

static text text_of(const ironmap__pattern *pattern)
{
    return (text){pattern->bytes, pattern->length};
}

void ironmap__two_way_forward(ironmap__matches *matches, const ironmap__pattern *pattern,
                              const uint8_t *haystack, size_t from, size_t to)
{
    text places = {haystack + from, to - from + pattern->length - 1};
    search s = begin(places, text_of(pattern), false);
    size_t match = next_match(&s, false);
    while (match != IRONMAP__NOWHERE) {
        if (from + match >= matches->next && ironmap__take_match(matches, from + match)) {
            return;
        }
        match = next_match(&s, false);
    }
}

size_t ironmap__two_way_backward(const ironmap__pattern *pattern, const uint8_t *haystack,
                                 size_t from, size_t to)
{
    text places = {haystack + from, to - from + pattern->length - 1};
    search s = begin(places, text_of(pattern), true);
    size_t from_end = next_match(&s, true);
    return from_end == IRONMAP__NOWHERE ? IRONMAP__NOWHERE : to - 1 - from_end;
}
