/* What the kernels share. */
#ifndef IRONMAP_SEARCH_INTERNAL_H
#define IRONMAP_SEARCH_INTERNAL_H

#include <string.h>

#include "search.h"

extern const ironmap__kernels ironmap__scalar_kernels;

/* pattern.c: chooses the probes anew, and how many of them are compared everywhere, by what is
 * rare at the first IRONMAP__SAMPLE of the `places`, at least two, from `sample` on, and by where
 * comparing failed late. Bytes up to a match at the last place are read. */
enum { IRONMAP__SAMPLE = 4096 };
void ironmap__pattern_adapt(ironmap__pattern *pattern, const uint8_t *sample, size_t places);

/* pattern.c: how far apart two matches of an exact needle can lie that overlap: bit d is set where
 * its first length - d bytes are its last ones, too. */
unsigned ironmap__overlaps(const ironmap__pattern *pattern);

/* two_way.c: forward and backward of search.h in time linear for every content. */
void ironmap__two_way_forward(ironmap__matches *matches, const ironmap__pattern *pattern,
                              const uint8_t *haystack, size_t from, size_t to);
size_t ironmap__two_way_backward(const ironmap__pattern *pattern, const uint8_t *haystack,
                                 size_t from, size_t to);

/* skip.c: forward and backward, with `kernels` for what cannot be skipped. */
void ironmap__skip_forward(const ironmap__kernels *kernels, ironmap__matches *matches,
                           ironmap__pattern *pattern, const uint8_t *haystack, size_t from,
                           size_t to);
size_t ironmap__skip_backward(const ironmap__kernels *kernels, ironmap__pattern *pattern,
                              const uint8_t *haystack, size_t from, size_t to);

/* Notes a match at `index`; true where that was the last one that is wanted. */
static inline bool ironmap__take_match(ironmap__matches *matches, size_t index)
{
    if (matches->indexes != NULL) {
        matches->indexes[matches->found] = index;
    }
    matches->found++;
    matches->next = index + matches->step;
    return matches->found == matches->capacity;
}

static inline uint64_t ironmap__load_word(const uint8_t *bytes)
{
    uint64_t word = 0;
    memcpy(&word, bytes, sizeof(word));
    return word;
}

/* How many bytes two texts have in common from the front, at most n. A short rest of a long text is
 * compared together with bytes before it. */
static inline size_t ironmap__common_front(const uint8_t *a, const uint8_t *b, size_t n)
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

/* ---- how much comparing in vain is borne ---- */

/* Comparing is counted in candidates, and in lines of 64 bytes that were compared. One takes some
 * 2 ns; so with one to every two places the search still does 1 GB/s. */
enum { IRONMAP__SPENT_AT_ONCE = 2048, IRONMAP__PLACES_PER_SPENT = 2, IRONMAP__LINE = 64 };

/* Whether so much was spent, `now` places into this search, that two-way is the better way. */
static inline bool ironmap__spent_too_much(const ironmap__pattern *pattern, size_t now)
{
    return pattern->spent >
           IRONMAP__SPENT_AT_ONCE + (pattern->passed + now) / IRONMAP__PLACES_PER_SPENT;
}

/* Compares the needle at `place`, and keeps account of it. */
static inline bool ironmap__verify(ironmap__pattern *pattern, const uint8_t *haystack, size_t place)
{
    size_t common = ironmap__common_front(haystack + place, pattern->bytes, pattern->length);
    pattern->spent += 1 + common / IRONMAP__LINE;
    if (common == pattern->length) {
        return true;
    }
    pattern->surprise = common < IRONMAP__LINE / 4 ? pattern->surprise : common;
    return false;
}

#endif /* IRONMAP_SEARCH_INTERNAL_H */
