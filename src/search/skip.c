/* Long needles: most of the haystack need not be read.
 *
 * Take the first `reach` bytes of the needle. A match at one of reach - 7 places in a row has the
 * same eight bytes of the haystack, a gram, somewhere within them. So if that gram is not one of
 * the needle's, none of the places is a match, and one load has settled them all. Which grams the
 * needle has is told by a table of bits, in which a few others are set by chance. What is not
 * settled so is searched as ever.
 */
#include "internal.h"

enum {
    GRAM = sizeof(uint64_t),
    REACH = 1024, /* so one bit in sixteen is set */
    WIDEST = 64,  /* strides that are searched as ever at once */
    TABLE_BITS = MAPIO__GRAM_WORDS * 64
};

static inline size_t gram_slot(const uint8_t *bytes)
{
    /* Multiplicative hashing (Knuth, TAOCP 3, 6.4) with 2^64 divided by the golden ratio. */
    return (size_t)(mapio__load_word(bytes) * UINT64_C(0x9E3779B97F4A7C15) >> 50) % TABLE_BITS;
}

static size_t reach_of(const mapio__pattern *pattern)
{
    return pattern->length < REACH ? pattern->length : REACH;
}

static void make_grams(mapio__pattern *pattern)
{
    if (pattern->has_grams) {
        return;
    }
    memset(pattern->grams, 0, sizeof(pattern->grams));
    for (size_t i = 0; i + GRAM <= reach_of(pattern); i++) {
        size_t slot = gram_slot(pattern->bytes + i);
        pattern->grams[slot / 64] |= UINT64_C(1) << slot % 64;
    }
    pattern->has_grams = true;
}

static inline bool has_gram(const mapio__pattern *pattern, const uint8_t *bytes)
{
    size_t slot = gram_slot(bytes);
    return (pattern->grams[slot / 64] >> slot % 64 & 1) != 0;
}

/* How many places to search as ever where a gram is one of the needle's: more each time, since in
 * such a text the next one probably is, too. */
static size_t widen(size_t window, size_t stride)
{
    return window < WIDEST * stride ? window * 2 : window;
}

void mapio__skip_forward(const mapio__kernels *kernels, mapio__matches *matches,
                         mapio__pattern *pattern, const uint8_t *haystack, size_t from, size_t to)
{
    make_grams(pattern);
    const size_t stride = reach_of(pattern) - GRAM + 1;
    size_t window = stride;
    while (from < to && matches->found < matches->capacity) {
        size_t step = stride;
        if (to - from < stride || has_gram(pattern, haystack + from + stride - 1)) {
            step = window < to - from ? window : to - from;
            kernels->forward(matches, pattern, haystack, from, from + step);
            window = widen(window, stride);
        } else {
            window = stride;
        }
        from += step;
        pattern->passed += step;
    }
}

size_t mapio__skip_backward(const mapio__kernels *kernels, mapio__pattern *pattern,
                            const uint8_t *haystack, size_t from, size_t to)
{
    make_grams(pattern);
    const size_t stride = reach_of(pattern) - GRAM + 1;
    size_t window = stride;
    size_t match = MAPIO__NOWHERE;
    while (from < to && match == MAPIO__NOWHERE) {
        size_t step = stride;
        if (to - from < stride || has_gram(pattern, haystack + to - 1)) {
            step = window < to - from ? window : to - from;
            match = kernels->backward(pattern, haystack, to - step, to);
            window = widen(window, stride);
        } else {
            window = stride;
        }
        to -= step;
        pattern->passed += step;
    }
    return match;
}
