/* A needle made ready.
 *
 * A few bytes of the needle, the probes, are looked at before all of it is compared. Which ones is
 * at first arbitrary: the ends, then the middle, which is right for most needles. Where too many
 * candidates come of it, the haystack itself says what is rare in it: bytes of a few KiB of it are
 * counted, and where the rarest of the needle's is found, what is different around it. So nothing
 * has to be assumed about texts, in whatever language or format.
 */
#include "internal.h"

enum {
    OFFSETS = 1024,      /* offsets of the needle among which the probes are chosen */
    FIRST_PATIENCE = 64, /* candidates before the probes are chosen anew */
    PATIENCE_GROWTH = 4, /* choosing takes as long as some hundred candidates */
    HALF = IRONMAP__SAMPLE / 2,
    MOST_WORK = 1 << 15, /* bytes that are compared with the needle for each probe */
    /* What it costs to compare one more probe everywhere, in candidates among half a sample's
     * places. Measured (Zen 4, in the cache): 1 ns in 64 places for a probe, 25 ns for a candidate.
     */
    PROBE_COST = 2,
    CROWD = 2 /* more candidates among half a sample's places are many */
};

/* The ends, then what halves the gaps. */
static void spread_probes(ironmap__pattern *pattern)
{
    size_t last = pattern->length - 1;
    const size_t eighths[IRONMAP__PROBES] = {0, 8, 4, 2, 6, 1, 3, 7};
    for (unsigned i = 0; i < IRONMAP__PROBES; i++) {
        pattern->probes[i] = last / 8 * eighths[i] + last % 8 * eighths[i] / 8;
    }
    pattern->probe_count = IRONMAP__PROBES;
}

void ironmap__pattern_init(ironmap__pattern *pattern, const void *needle, size_t length)
{
    pattern->bytes = needle;
    pattern->length = length;
    pattern->exact = length <= IRONMAP__PROBES;
    pattern->leading = length < 2 ? 1 : 2;
    pattern->crowded = false;
    pattern->has_grams = false;
    pattern->surprise = IRONMAP__NOWHERE;
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

/* Places of a sample at which all probes so far are right. */
typedef struct subset {
    uint16_t places[HALF];
    size_t count;
} subset;

/* What is known of the haystack while probes are chosen. What is chosen to be rare in one half of
 * the sample is less so elsewhere; so the other half tells how rare it is. */
typedef struct choice {
    const ironmap__pattern *pattern;
    const uint8_t *sample;
    size_t half;             /* places of the sample in each, at which the needle may begin */
    size_t offsets;          /* how many of the needle's are considered */
    uint32_t counts[256];    /* of each byte in the sample */
    uint8_t used[256];       /* how many probes have it */
    bool taken[OFFSETS];     /* a probe is there */
    uint16_t agree[OFFSETS]; /* at how many of the places that choose the needle's byte is right */
    subset choosing;
    subset telling;
} choice;

static void begin_choice(choice *c, const ironmap__pattern *pattern, const uint8_t *sample,
                         size_t places)
{
    c->pattern = pattern;
    c->sample = sample;
    c->half = places / 2 < HALF ? places / 2 : HALF;
    c->offsets = pattern->length < OFFSETS ? pattern->length : OFFSETS;
    c->choosing.count = 0;
    c->telling.count = 0;
    memset(c->counts, 0, sizeof(c->counts));
    memset(c->used, 0, sizeof(c->used));
    memset(c->taken, 0, sizeof(c->taken));
    memset(c->agree, 0, sizeof(c->agree));
    for (size_t i = 0; i < 2 * c->half; i++) {
        c->counts[sample[i]]++;
    }
}

/* The offset where the fewest of the places agree; of several, the rarest byte, as if one were
 * twice as frequent with each probe that has it. */
static size_t best_offset(const choice *c)
{
    size_t best = 0;
    uint64_t best_score = UINT64_MAX;
    for (size_t i = 0; i < c->offsets; i++) {
        uint8_t byte = c->pattern->bytes[i];
        uint64_t weight = (uint64_t)(c->counts[byte] + IRONMAP__SAMPLE / 256) << c->used[byte];
        uint64_t score = (uint64_t)c->agree[i] << 32 | weight;
        if (score < best_score && !c->taken[i]) {
            best = i;
            best_score = score;
        }
    }
    return best;
}

/* The places of [from, to) where the needle's byte at `offset` is right, up to `most`. */
static void find_places(subset *s, const choice *c, size_t offset, size_t from, size_t to,
                        size_t most)
{
    const uint8_t byte = c->pattern->bytes[offset];
    for (size_t i = from; i < to && s->count < most; i++) {
        s->places[s->count] = (uint16_t)i;
        s->count += c->sample[i + offset] == byte;
    }
}

/* Those of them where one more is right. */
static void narrow(subset *s, const choice *c, size_t offset)
{
    const uint8_t byte = c->pattern->bytes[offset];
    size_t kept = 0;
    for (size_t i = 0; i < s->count; i++) {
        uint16_t place = s->places[i];
        s->places[kept] = place;
        kept += c->sample[place + offset] == byte;
    }
    s->count = kept;
}

static void count_agreeing(choice *c)
{
    const uint8_t *needle = c->pattern->bytes;
    memset(c->agree, 0, c->offsets * sizeof(c->agree[0]));
    for (size_t i = 0; i < c->choosing.count; i++) {
        const uint8_t *place = c->sample + c->choosing.places[i];
        for (size_t k = 0; k < c->offsets; k++) {
            c->agree[k] = (uint16_t)(c->agree[k] + (place[k] == needle[k]));
        }
    }
}

/* One more probe. */
static void take(choice *c, size_t offset, bool first)
{
    if (first) {
        find_places(&c->choosing, c, offset, 0, c->half, MOST_WORK / c->offsets);
        find_places(&c->telling, c, offset, c->half, 2 * c->half, HALF);
    } else {
        narrow(&c->choosing, c, offset);
        narrow(&c->telling, c, offset);
    }
    count_agreeing(c);
    c->used[c->pattern->bytes[offset]]++;
    if (offset < c->offsets) {
        c->taken[offset] = true;
    }
}

void ironmap__pattern_adapt(ironmap__pattern *pattern, const uint8_t *sample, size_t places)
{
    pattern->patience *= pattern->patience < SIZE_MAX / PATIENCE_GROWTH ? PATIENCE_GROWTH : 1;
    pattern->adapt_at = pattern->spent + pattern->patience;
    choice c;
    begin_choice(&c, pattern, sample, places);
    size_t least = 0;
    for (unsigned i = 0; i < pattern->probe_count; i++) {
        /* What was different where all before it was the same tells more than anything. */
        bool surprised = i == 0 && pattern->surprise != IRONMAP__NOWHERE;
        pattern->probes[i] = surprised ? pattern->surprise : best_offset(&c);
        take(&c, pattern->probes[i], i == 0);
        size_t candidates = c.telling.count * HALF / c.half;
        size_t cost = candidates + (size_t)PROBE_COST * (i + 1);
        if (i < 2 || cost < least) {
            least = cost;
            pattern->leading = i + 1;
            pattern->crowded = candidates > CROWD;
        }
    }
}

unsigned ironmap__overlaps(const ironmap__pattern *pattern)
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
