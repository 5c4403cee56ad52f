/* The kernels in plain C, for processors that have no others, and for texts too short for those.
 *
 * A needle is found by its first byte: memchr runs at the speed of memory over everything else on
 * most systems, and what it finds is compared. Where too much is compared in vain, two-way goes on.
 */
#include "internal.h"

/* Whether one of the eight bytes of `word` is zero (Mycroft's test: no false answer as a whole). */
static inline bool has_zero(uint64_t word)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    return ((word - ones) & ~word & (ones << 7)) != 0;
}

/* The highest index in [from, to) of the byte, or IRONMAP__NOWHERE: memrchr is no standard. */
static size_t last_byte(const uint8_t *bytes, size_t from, size_t to, uint8_t byte)
{
    const uint64_t pattern = UINT64_C(0x0101010101010101) * byte;
    while (to - from >= sizeof(uint64_t) &&
           !has_zero(ironmap__load_word(bytes + to - sizeof(uint64_t)) ^ pattern)) {
        to -= sizeof(uint64_t);
    }
    while (to > from) {
        to--;
        if (bytes[to] == byte) {
            return to;
        }
    }
    return IRONMAP__NOWHERE;
}

static size_t first_byte(const uint8_t *bytes, size_t from, size_t to, uint8_t byte)
{
    const uint8_t *hit = from < to ? memchr(bytes + from, byte, to - from) : NULL;
    return hit == NULL ? IRONMAP__NOWHERE : (size_t)(hit - bytes);
}

static void forward(ironmap__matches *matches, ironmap__pattern *pattern, const uint8_t *haystack,
                    size_t from, size_t to)
{
    size_t place = matches->next > from ? matches->next : from;
    for (;;) {
        place = first_byte(haystack, place, to, pattern->bytes[0]);
        if (place == IRONMAP__NOWHERE) {
            return;
        }
        if (!ironmap__verify(pattern, haystack, place)) {
            place++;
        } else if (ironmap__take_match(matches, place)) {
            return;
        } else {
            place = matches->next;
        }
        if (ironmap__spent_too_much(pattern, place - from) && place < to) {
            ironmap__two_way_forward(matches, pattern, haystack, place, to);
            return;
        }
    }
}

static size_t backward(ironmap__pattern *pattern, const uint8_t *haystack, size_t from, size_t to)
{
    size_t end = to;
    for (;;) {
        size_t place = last_byte(haystack, from, end, pattern->bytes[0]);
        if (place == IRONMAP__NOWHERE || ironmap__verify(pattern, haystack, place)) {
            return place;
        }
        end = place;
        if (ironmap__spent_too_much(pattern, to - end) && end > from) {
            return ironmap__two_way_backward(pattern, haystack, from, end);
        }
    }
}

static bool always(void)
{
    return true;
}

const ironmap__kernels ironmap__scalar_kernels = {"scalar", false, always, forward, backward};
