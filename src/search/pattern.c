/* Prepares a needle.
 *
 * The probes, a few bytes of the needle, are compared before the whole needle. The first choice is
 * arbitrary and right for most needles: the ends, then the middle. If it leaves too many
 * candidates, a sample of the haystack shows what is rare. The first probe is the needle's rarest
 * byte there, and each further one is where the text around the others differs most. Nothing is
 * assumed about languages or formats.
 */
#include "pattern.h"

#include <string.h>

enum {
    PROBE_OFFSETS_MAX = 1024,     /* needle offsets among which probes are chosen */
    FIRST_RETUNE_INTERVAL = 64,   /* cost before the first retune */
    RETUNE_INTERVAL_GROWTH = 4,   /* a retune takes as long as some hundred candidates */
    COMPARED_BYTES_MAX = 1 << 15, /* compared with the needle for each probe */
    HALF_SAMPLE = IRONMAP__SAMPLE_POSITIONS / 2,
    /* The cost of one more probe at every position, in candidates among half a sample's positions.
     * Measured (Zen 4, in the cache): 1 ns for a probe at 64 positions, 25 ns for a candidate. */
    PROBE_COST = 2,
    MANY_CANDIDATES = 2 /* more than this among half a sample's positions */
};

/* The ends, then the middles of the gaps. */
static void spread_probes(ironmap__pattern *pattern)
{
    size_t last = pattern->length - 1;
    const size_t eighths[IRONMAP__PROBES_MAX] = {0, 8, 4, 2, 6, 1, 3, 7};
    for (unsigned i = 0; i < IRONMAP__PROBES_MAX; i++) {
        pattern->probes[i] = last / 8 * eighths[i] + last % 8 * eighths[i] / 8;
    }
    pattern->probe_count = IRONMAP__PROBES_MAX;
}

void ironmap__pattern_init(ironmap__pattern *pattern, const void *needle, size_t length)
{
    pattern->bytes = needle;
    pattern->length = length;
    pattern->exact = length <= IRONMAP__PROBES_MAX;
    pattern->block_probes = length < 2 ? 1 : 2;
    pattern->many_candidates = false;
    pattern->has_grams = false;
    pattern->late_mismatch = IRONMAP__NO_MATCH;
    pattern->cost = 0;
    pattern->searched = 0;
    pattern->retune_at = FIRST_RETUNE_INTERVAL;
    pattern->retune_interval = FIRST_RETUNE_INTERVAL;
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

/* ---- choosing the probes by a sample ---- */

/* Positions of the sample at which all probes chosen so far match. */
typedef struct candidate_set {
    uint16_t positions[HALF_SAMPLE];
    size_t count;
} candidate_set;

/* The state of a retune. Probes are chosen to be rare in one half of the sample, so they are less
 * rare elsewhere. The other half tells how rare they are. */
typedef struct retune {
    const ironmap__pattern *pattern;
    const uint8_t *sample;
    size_t half;                          /* positions in each half of the sample */
    size_t offsets;                       /* needle offsets considered */
    uint32_t byte_count[256];             /* occurrences of each byte in the sample */
    uint8_t probes_with[256];             /* probes that have the byte */
    bool is_probe[PROBE_OFFSETS_MAX];     /* a probe has the offset */
    uint16_t agreeing[PROBE_OFFSETS_MAX]; /* candidates of the training half at which the needle's
                                             byte at the offset matches */
    candidate_set training;
    candidate_set testing;
} retune;

static void retune_init(retune *r, const ironmap__pattern *pattern, const uint8_t *sample,
                        size_t positions)
{
    r->pattern = pattern;
    r->sample = sample;
    r->half = positions / 2 < HALF_SAMPLE ? positions / 2 : HALF_SAMPLE;
    r->offsets = pattern->length < PROBE_OFFSETS_MAX ? pattern->length : PROBE_OFFSETS_MAX;
    r->training.count = 0;
    r->testing.count = 0;
    memset(r->byte_count, 0, sizeof(r->byte_count));
    memset(r->probes_with, 0, sizeof(r->probes_with));
    memset(r->is_probe, 0, sizeof(r->is_probe));
    memset(r->agreeing, 0, sizeof(r->agreeing));
    for (size_t i = 0; i < 2 * r->half; i++) {
        r->byte_count[sample[i]]++;
    }
}

/* The offset at which the fewest candidates agree. Ties go to the rarest byte, where each probe
 * that has the byte doubles its count. */
static size_t most_selective_offset(const retune *r)
{
    size_t best = 0;
    uint64_t best_score = UINT64_MAX;
    for (size_t i = 0; i < r->offsets; i++) {
        uint8_t byte = r->pattern->bytes[i];
        uint64_t weight = (uint64_t)(r->byte_count[byte] + IRONMAP__SAMPLE_POSITIONS / 256)
                          << r->probes_with[byte];
        uint64_t score = (uint64_t)r->agreeing[i] << 32 | weight;
        if (score < best_score && !r->is_probe[i]) {
            best = i;
            best_score = score;
        }
    }
    return best;
}

/* Collects the positions in [from, to), at most `max`, at which the probe matches. */
static void collect_candidates(candidate_set *set, const retune *r, size_t probe, size_t from,
                               size_t to, size_t max)
{
    const uint8_t byte = r->pattern->bytes[probe];
    for (size_t i = from; i < to && set->count < max; i++) {
        set->positions[set->count] = (uint16_t)i;
        set->count += r->sample[i + probe] == byte;
    }
}

/* Keeps the candidates at which another probe matches too. */
static void filter_candidates(candidate_set *set, const retune *r, size_t probe)
{
    const uint8_t byte = r->pattern->bytes[probe];
    size_t kept = 0;
    for (size_t i = 0; i < set->count; i++) {
        uint16_t position = set->positions[i];
        set->positions[kept] = position;
        kept += r->sample[position + probe] == byte;
    }
    set->count = kept;
}

static void count_agreeing(retune *r)
{
    const uint8_t *needle = r->pattern->bytes;
    memset(r->agreeing, 0, r->offsets * sizeof(r->agreeing[0]));
    for (size_t i = 0; i < r->training.count; i++) {
        const uint8_t *bytes = r->sample + r->training.positions[i];
        for (size_t k = 0; k < r->offsets; k++) {
            r->agreeing[k] = (uint16_t)(r->agreeing[k] + (bytes[k] == needle[k]));
        }
    }
}

static void add_probe(retune *r, size_t probe, bool first)
{
    if (first) {
        collect_candidates(&r->training, r, probe, 0, r->half, COMPARED_BYTES_MAX / r->offsets);
        collect_candidates(&r->testing, r, probe, r->half, 2 * r->half, HALF_SAMPLE);
    } else {
        filter_candidates(&r->training, r, probe);
        filter_candidates(&r->testing, r, probe);
    }
    count_agreeing(r);
    r->probes_with[r->pattern->bytes[probe]]++;
    if (probe < r->offsets) {
        r->is_probe[probe] = true;
    }
}

void ironmap__pattern_retune(ironmap__pattern *pattern, const uint8_t *sample, size_t positions)
{
    bool can_grow = pattern->retune_interval < SIZE_MAX / RETUNE_INTERVAL_GROWTH;
    pattern->retune_interval *= can_grow ? RETUNE_INTERVAL_GROWTH : 1;
    pattern->retune_at = pattern->cost + pattern->retune_interval;
    retune r;
    retune_init(&r, pattern, sample, positions);
    size_t least_cost = 0;
    for (unsigned i = 0; i < pattern->probe_count; i++) {
        /* A byte that differed after a long common prefix is the most selective one. */
        bool is_late = i == 0 && pattern->late_mismatch != IRONMAP__NO_MATCH;
        pattern->probes[i] = is_late ? pattern->late_mismatch : most_selective_offset(&r);
        add_probe(&r, pattern->probes[i], i == 0);
        size_t candidates = r.testing.count * HALF_SAMPLE / r.half;
        size_t cost = candidates + (size_t)PROBE_COST * (i + 1);
        if (i < 2 || cost < least_cost) {
            least_cost = cost;
            pattern->block_probes = i + 1;
            pattern->many_candidates = candidates > MANY_CANDIDATES;
        }
    }
}

unsigned ironmap__needle_borders(const ironmap__pattern *pattern)
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
