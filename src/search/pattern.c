/* A needle made ready.
 *
 * A few bytes of the needle, the probes, are looked at before all of it is compared. Which ones is
 * at first arbitrary: the ends, then the middle, which is right for most needles. Where too many
 * candidates come of it, the haystack itself says what is rare in it: bytes of a few KiB of it are
 * counted. So nothing has to be assumed about texts, in whatever language or format.
 */
#include "internal.h"

enum {
    OFFSETS = 1024,      /* offsets of the needle among which the probes are chosen */
    FIRST_PATIENCE = 64, /* candidates before the probes are chosen anew */
    PATIENCE_GROWTH = 4, /* choosing takes as long as some hundred candidates */
    /* More candidates than one in 1024 places, as MAPIO__SAMPLE squared times that. */
    CROWD = MAPIO__SAMPLE / 1024 * MAPIO__SAMPLE
};

/* The ends, then what halves the gaps. */
static void spread_probes(mapio__pattern *pattern)
{
    size_t last = pattern->length - 1;
    const size_t eighths[MAPIO__PROBES] = {0, 8, 4, 2, 6, 1, 3, 7};
    for (unsigned i = 0; i < MAPIO__PROBES; i++) {
        pattern->probes[i] = last / 8 * eighths[i] + last % 8 * eighths[i] / 8;
    }
    pattern->probe_count = MAPIO__PROBES;
}

void mapio__pattern_init(mapio__pattern *pattern, const void *needle, size_t length)
{
    pattern->bytes = needle;
    pattern->length = length;
    pattern->exact = length <= MAPIO__PROBES;
    pattern->crowded = false;
    pattern->has_grams = false;
    pattern->surprise = MAPIO__NOWHERE;
    pattern->spent = 0;
    pattern->passed = 0;
    pattern->adapt_at = FIRST_PATIENCE;
    pattern->patience = FIRST_PATIENCE;
    if (!pattern->exact) {
        spread_probes(pattern);
        return;
    }
    pattern->probe_count = (unsigned)length;
    pattern->probes[0] = length - 1;
    for (unsigned i = 1; i < length; i++) {
        pattern->probes[i] = i - 1;
    }
}

/* What is known of the haystack while probes are chosen. */
typedef struct choice {
    uint32_t counts[256]; /* of each byte in the sample, as if it were rarer the less it was used */
    bool taken[OFFSETS];
} choice;

static void take(mapio__pattern *pattern, choice *c, unsigned i, size_t offset)
{
    uint32_t *count = &c->counts[pattern->bytes[offset]];
    pattern->probes[i] = offset;
    *count += *count + MAPIO__SAMPLE / 256;
    if (offset < OFFSETS) {
        c->taken[offset] = true;
    }
}

/* The offset of the rarest byte that is not taken. */
static size_t rarest(const mapio__pattern *pattern, const choice *c)
{
    size_t end = pattern->length < OFFSETS ? pattern->length : OFFSETS;
    size_t best = 0;
    uint32_t best_count = UINT32_MAX;
    for (size_t i = 0; i < end; i++) {
        uint32_t count = c->counts[pattern->bytes[i]];
        if (count < best_count && !c->taken[i]) {
            best = i;
            best_count = count;
        }
    }
    return best;
}

void mapio__pattern_adapt(mapio__pattern *pattern, const uint8_t *sample, size_t n)
{
    pattern->patience *= pattern->patience < SIZE_MAX / PATIENCE_GROWTH ? PATIENCE_GROWTH : 1;
    pattern->adapt_at = pattern->spent + pattern->patience;
    choice c = {0};
    for (size_t i = 0; i < n && i < MAPIO__SAMPLE; i++) {
        c.counts[sample[i]]++;
    }
    unsigned chosen = 0;
    /* What was different where all before it was the same tells more than anything. */
    if (pattern->surprise != MAPIO__NOWHERE) {
        take(pattern, &c, chosen++, pattern->surprise);
    }
    uint64_t pair = 1;
    for (; chosen < pattern->probe_count; chosen++) {
        size_t offset = rarest(pattern, &c);
        pair *= chosen < 2 ? c.counts[pattern->bytes[offset]] : 1;
        take(pattern, &c, chosen, offset);
    }
    pattern->crowded = pattern->probe_count > 2 && pair > CROWD;
}

unsigned mapio__overlaps(const mapio__pattern *pattern)
{
    const size_t m = pattern->length;
    uint64_t needle = 0; /* its byte i is byte i from the low end */
    for (size_t i = m; i-- > 0;) {
        needle = needle << 8 | pattern->bytes[i];
    }
    unsigned distances = 0;
    for (size_t d = 1; d < m; d++) {
        uint64_t end = needle >> 8 * d;
        uint64_t beginning = needle & UINT64_MAX >> 8 * (sizeof(needle) - m + d);
        distances |= (unsigned)(beginning == end) << d;
    }
    return distances;
}
