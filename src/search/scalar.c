/* find and rfind in plain C.
 *
 * Most needles are found by their first byte: memchr runs at memory speed over everything else, and
 * what it finds is compared. A haystack full of almost-matches would make that quadratic, so the
 * comparing has a budget, in proportion to the bytes passed; once it is spent, the rest is searched
 * with the two-way algorithm (Crochemore and Perrin, "Two-way string-matching", JACM 38, 1991),
 * linear for every needle and without extra memory. rfind is find on the mirror image: the
 * functions that take `mirrored`, a constant in each call, see index i of a text of n bytes as
 * n - 1 - i.
 */
#include <stdbool.h>
#include <string.h>

#include "search.h"

typedef struct text {
    const uint8_t *bytes;
    size_t length;
} text;

static inline uint8_t at(text t, size_t i, bool mirrored)
{
    return mirrored ? t.bytes[t.length - 1 - i] : t.bytes[i];
}

/* ---- two-way ---- */

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

static inline size_t two_way(text haystack, text needle, bool mirrored)
{
    factorization f = factorize(needle, mirrored);
    bool periodic = is_periodic(needle, f, mirrored);
    size_t left = f.cut;
    size_t right = needle.length - f.cut;
    size_t shift = periodic ? f.period : (left > right ? left : right) + 1;
    size_t known = 0; /* bytes at the needle's start that are known to match at pos */
    size_t pos = 0;
    while (pos + needle.length <= haystack.length) {
        size_t begin = known > f.cut ? known : f.cut;
        size_t i = match_right(haystack, pos, needle, begin, mirrored);
        if (i < needle.length) {
            pos += i - f.cut + 1;
            known = 0;
        } else if (matches_left(haystack, pos, needle, known, f.cut, mirrored)) {
            return pos;
        } else {
            pos += shift;
            known = periodic ? needle.length - shift : 0;
        }
    }
    return MAPIO__NOWHERE;
}

/* ---- by the first byte ---- */

/* Bytes that may be compared in vain: some at once, then so many for each byte passed. */
enum { BUDGET_START = 4096, BUDGET_PER_BYTE = 4 };

/* How many bytes two texts have in common from the front, at most n. */
static size_t common_front(const uint8_t *a, const uint8_t *b, size_t n)
{
    size_t i = 0;
    while (i < n && a[i] == b[i]) {
        i++;
    }
    return i;
}

static size_t find_byte(const uint8_t *haystack, size_t n, uint8_t byte)
{
    const uint8_t *hit = memchr(haystack, byte, n);
    return hit == NULL ? MAPIO__NOWHERE : (size_t)(hit - haystack);
}

/* Whether one of the eight bytes of `word` is zero (Mycroft's test: no false answer as a whole). */
static inline bool has_zero(uint64_t word)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    return ((word - ones) & ~word & (ones << 7)) != 0;
}

static size_t rfind_byte(const uint8_t *haystack, size_t n, uint8_t byte)
{
    const uint64_t pattern = UINT64_C(0x0101010101010101) * byte;
    while (n >= sizeof(uint64_t)) {
        uint64_t word = 0;
        memcpy(&word, haystack + n - sizeof(word), sizeof(word));
        if (has_zero(word ^ pattern)) {
            break;
        }
        n -= sizeof(word);
    }
    while (n > 0) {
        n--;
        if (haystack[n] == byte) {
            return n;
        }
    }
    return MAPIO__NOWHERE;
}

size_t mapio__find(const uint8_t *haystack, size_t n, const uint8_t *needle, size_t m)
{
    if (m == 0) {
        return 0;
    }
    if (m > n) {
        return MAPIO__NOWHERE;
    }
    if (m == 1) {
        return find_byte(haystack, n, needle[0]);
    }
    size_t spent = 0;
    size_t last = n - m; /* the last index where the needle fits */
    for (size_t pos = 0; pos <= last; pos++) {
        size_t hit = find_byte(haystack + pos, last - pos + 1, needle[0]);
        if (hit == MAPIO__NOWHERE) {
            return MAPIO__NOWHERE;
        }
        pos += hit;
        size_t common = 1 + common_front(haystack + pos + 1, needle + 1, m - 1);
        if (common == m) {
            return pos;
        }
        spent += common;
        if (spent / BUDGET_PER_BYTE > BUDGET_START + pos) {
            size_t rest = two_way((text){haystack + pos, n - pos}, (text){needle, m}, false);
            return rest == MAPIO__NOWHERE ? MAPIO__NOWHERE : pos + rest;
        }
    }
    return MAPIO__NOWHERE;
}

size_t mapio__rfind(const uint8_t *haystack, size_t n, const uint8_t *needle, size_t m)
{
    if (m == 0) {
        return n;
    }
    if (m > n) {
        return MAPIO__NOWHERE;
    }
    if (m == 1) {
        return rfind_byte(haystack, n, needle[0]);
    }
    size_t spent = 0;
    size_t places = n - m + 1; /* the needle may begin at an index below */
    while (places > 0) {
        size_t pos = rfind_byte(haystack, places, needle[0]);
        if (pos == MAPIO__NOWHERE) {
            return MAPIO__NOWHERE;
        }
        size_t common = 1 + common_front(haystack + pos + 1, needle + 1, m - 1);
        if (common == m) {
            return pos;
        }
        spent += common;
        places = pos;
        if (spent / BUDGET_PER_BYTE > BUDGET_START + (n - places)) {
            size_t length = places + m - 1;
            size_t from_end = two_way((text){haystack, length}, (text){needle, m}, true);
            return from_end == MAPIO__NOWHERE ? MAPIO__NOWHERE : length - m - from_end;
        }
    }
    return MAPIO__NOWHERE;
}
