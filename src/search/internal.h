/* What the kernels share. */
#ifndef MAPIO_SEARCH_INTERNAL_H
#define MAPIO_SEARCH_INTERNAL_H

#include <string.h>

#include "search.h"

extern const mapio__kernels mapio__scalar_kernels;

/* pattern.c: chooses the probes anew, and how many of them are compared everywhere, by what is
 * rare at the first MAPIO__SAMPLE of the `places`, at least two, from `sample` on, and by where
 * comparing failed late. Bytes up to a match at the last place are read. */
enum { MAPIO__SAMPLE = 4096 };
void mapio__pattern_adapt(mapio__pattern *pattern, const uint8_t *sample, size_t places);

/* pattern.c: how far apart two matches of an exact needle can lie that overlap: bit d is set where
 * its first length - d bytes are its last ones, too. */
unsigned mapio__overlaps(const mapio__pattern *pattern);

/* two_way.c: forward and backward of search.h in time linear for every content. */
void mapio__two_way_forward(mapio__matches *matches, const mapio__pattern *pattern,
                            const uint8_t *haystack, size_t from, size_t to);
size_t mapio__two_way_backward(const mapio__pattern *pattern, const uint8_t *haystack, size_t from,
                               size_t to);

/* skip.c: forward and backward, with `kernels` for what cannot be skipped. */
void mapio__skip_forward(const mapio__kernels *kernels, mapio__matches *matches,
                         mapio__pattern *pattern, const uint8_t *haystack, size_t from, size_t to);
size_t mapio__skip_backward(const mapio__kernels *kernels, mapio__pattern *pattern,
                            const uint8_t *haystack, size_t from, size_t to);

/* Notes a match at `index`; true where that was the last one that is wanted. */
static inline bool mapio__take_match(mapio__matches *matches, size_t index)
{
    if (matches->indexes != NULL) {
        matches->indexes[matches->found] = index;
    }
    matches->found++;
    matches->next = index + matches->step;
    return matches->found == matches->capacity;
}

static inline uint64_t mapio__load_word(const uint8_t *bytes)
{
    uint64_t word = 0;
    memcpy(&word, bytes, sizeof(word));
    return word;
}

/* How many bytes two texts have in common from the front, at most n. A short rest of a long text is
 * compared together with bytes before it. */
static inline size_t mapio__common_front(const uint8_t *a, const uint8_t *b, size_t n)
{
    size_t i = 0;
    while (n - i >= sizeof(uint64_t) && mapio__load_word(a + i) == mapio__load_word(b + i)) {
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
enum { MAPIO__SPENT_AT_ONCE = 2048, MAPIO__PLACES_PER_SPENT = 2, MAPIO__LINE = 64 };

/* Whether so much was spent, `now` places into this search, that two-way is the better way. */
static inline bool mapio__spent_too_much(const mapio__pattern *pattern, size_t now)
{
    return pattern->spent >
           MAPIO__SPENT_AT_ONCE + (pattern->passed + now) / MAPIO__PLACES_PER_SPENT;
}

/* Compares the needle at `place`, and keeps account of it. */
static inline bool mapio__verify(mapio__pattern *pattern, const uint8_t *haystack, size_t place)
{
    size_t common = mapio__common_front(haystack + place, pattern->bytes, pattern->length);
    pattern->spent += 1 + common / MAPIO__LINE;
    if (common == pattern->length) {
        return true;
    }
    pattern->surprise = common < MAPIO__LINE / 4 ? pattern->surprise : common;
    return false;
}

#endif /* MAPIO_SEARCH_INTERNAL_H */
