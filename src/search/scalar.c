/* The scalar kernel, for processors without another one and for very few positions.
 *
 * memchr finds the needle's first byte, and the needle is compared there. Where comparisons cost
 * too much, two-way continues.
 */
#include "candidate.h"
#include "kernels.h"
#include "two_way.h"

/* True if one of the eight bytes is zero (Mycroft's test, exact for the word as a whole). */
static inline bool has_zero_byte(uint64_t word)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    return ((word - ones) & ~word & (ones << 7)) != 0;
}

/* The first index in [from, to) of the byte, or NO_MATCH. */
static size_t first_index(const uint8_t *bytes, size_t from, size_t to, uint8_t byte)
{
    const uint8_t *hit = from < to ? memchr(bytes + from, byte, to - from) : NULL;
    return hit == NULL ? IRONMAP__NO_MATCH : (size_t)(hit - bytes);
}

/* The last index in [from, to) of the byte, or NO_MATCH. memrchr is not standard C. */
static size_t last_index(const uint8_t *bytes, size_t from, size_t to, uint8_t byte)
{
    const uint64_t repeated = UINT64_C(0x0101010101010101) * byte;
    while (to - from >= sizeof(uint64_t) &&
           !has_zero_byte(ironmap__load_word(bytes + to - sizeof(uint64_t)) ^ repeated)) {
        to -= sizeof(uint64_t);
    }
    while (to > from) {
        to--;
        if (bytes[to] == byte) {
            return to;
        }
    }
    return IRONMAP__NO_MATCH;
}

static void scalar_forward(ironmap__match_sink *sink, ironmap__pattern *pattern,
                           const uint8_t *haystack, size_t from, size_t to)
{
    size_t position = sink->next > from ? sink->next : from;
    for (;;) {
        position = first_index(haystack, position, to, pattern->bytes[0]);
        if (position == IRONMAP__NO_MATCH) {
            return;
        }
        if (!ironmap__compare_needle(pattern, haystack, position)) {
            position++;
        } else if (ironmap__record_match(sink, position)) {
            return;
        } else {
            position = sink->next;
        }
        if (ironmap__cost_too_high(pattern, position - from) && position < to) {
            ironmap__two_way_forward(sink, pattern, haystack, position, to);
            return;
        }
    }
}

static size_t scalar_backward(ironmap__pattern *pattern, const uint8_t *haystack, size_t from,
                              size_t to)
{
    size_t end = to;
    for (;;) {
        size_t position = last_index(haystack, from, end, pattern->bytes[0]);
        if (position == IRONMAP__NO_MATCH || ironmap__compare_needle(pattern, haystack, position)) {
            return position;
        }
        end = position;
        if (ironmap__cost_too_high(pattern, to - end) && end > from) {
            return ironmap__two_way_backward(pattern, haystack, from, end);
        }
    }
}

static bool scalar_supported(void)
{
    return true;
}

const ironmap__kernels ironmap__scalar_kernels = {"scalar", false, scalar_supported, scalar_forward,
                                                  scalar_backward};
