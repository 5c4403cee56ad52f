/* Skipping with long needles.
 *
 * The window is the needle's first 1024 bytes. For any `stride` consecutive positions, the same 64
 * haystack bytes lie inside the window. If one of their grams, groups of eight bytes, is not in the
 * window, all those positions are ruled out. Lines of a log share most grams with the needle, but
 * not all, so all eight grams of the common bytes are looked up. The table of grams is a bitmap
 * with a few bits set by chance. Positions that are not ruled out are searched by a kernel.
 */
#include "skip.h"

#include "candidate.h"

enum {
    GRAM_BYTES = sizeof(uint64_t),
    COMMON_BYTES = 8 * GRAM_BYTES,
    WINDOW_BYTES_MAX = 1024, /* sets one bit in sixteen */
    BATCH_STRIDES_MAX = 64,  /* strides that the kernel searches at once */
    /* Hardware does not prefetch steps this long. Measured (Zen 4, a needle of 1 KiB in 128 MiB of
     * text): 67 GB/s without prefetch, 90 with 8 strides ahead. */
    PREFETCH_STRIDES = 8,
    GRAM_TABLE_BITS = IRONMAP__GRAM_TABLE_WORDS * 64
};

static inline size_t gram_hash(const uint8_t *bytes)
{
    /* Multiplicative hashing (Knuth, TAOCP 3, 6.4) with 2^64 divided by the golden ratio. */
    return (size_t)(ironmap__load_word(bytes) * UINT64_C(0x9E3779B97F4A7C15) >> 50) %
           GRAM_TABLE_BITS;
}

static size_t window_bytes(const ironmap__pattern *pattern)
{
    return pattern->length < WINDOW_BYTES_MAX ? pattern->length : WINDOW_BYTES_MAX;
}

static size_t stride_positions(const ironmap__pattern *pattern)
{
    return window_bytes(pattern) - COMMON_BYTES + 1;
}

static void fill_grams(ironmap__pattern *pattern)
{
    if (pattern->has_grams) {
        return;
    }
    memset(pattern->grams, 0, sizeof(pattern->grams));
    for (size_t i = 0; i + GRAM_BYTES <= window_bytes(pattern); i++) {
        size_t bit = gram_hash(pattern->bytes + i);
        pattern->grams[bit / 64] |= UINT64_C(1) << bit % 64;
    }
    pattern->has_grams = true;
}

static inline bool has_gram(const ironmap__pattern *pattern, const uint8_t *bytes)
{
    size_t bit = gram_hash(bytes);
    return (pattern->grams[bit / 64] >> bit % 64 & 1) != 0;
}

/* True if no position whose window holds the common bytes is a match. */
static inline bool ruled_out(const ironmap__pattern *pattern, const uint8_t *common)
{
    for (size_t i = 0; i < COMMON_BYTES; i += GRAM_BYTES) {
        if (!has_gram(pattern, common + i)) {
            return true;
        }
    }
    return false;
}

/* The next batch of positions for the kernel. It doubles, since what follows text like the needle
 * is probably like it too. */
static size_t grow_batch(size_t batch, size_t stride)
{
    return batch < BATCH_STRIDES_MAX * stride ? batch * 2 : batch;
}

void ironmap__skip_forward(const ironmap__kernels *kernels, ironmap__match_sink *sink,
                           ironmap__pattern *pattern, const uint8_t *haystack, size_t from,
                           size_t to)
{
    fill_grams(pattern);
    const size_t stride = stride_positions(pattern);
    size_t batch = stride;
    while (from < to && sink->found < sink->capacity) {
        const uint8_t *common = haystack + from + stride - 1;
        size_t step = stride;
        __builtin_prefetch(common + PREFETCH_STRIDES * stride);
        if (to - from < stride || !ruled_out(pattern, common)) {
            step = batch < to - from ? batch : to - from;
            kernels->forward(sink, pattern, haystack, from, from + step);
            batch = grow_batch(batch, stride);
        } else {
            batch = stride;
        }
        from += step;
        pattern->searched += step;
    }
}

size_t ironmap__skip_backward(const ironmap__kernels *kernels, ironmap__pattern *pattern,
                              const uint8_t *haystack, size_t from, size_t to)
{
    fill_grams(pattern);
    const size_t stride = stride_positions(pattern);
    size_t batch = stride;
    size_t match = IRONMAP__NO_MATCH;
    while (from < to && match == IRONMAP__NO_MATCH) {
        const uint8_t *common = haystack + to - 1;
        size_t step = stride;
        __builtin_prefetch(common - PREFETCH_STRIDES * stride);
        if (to - from < stride || !ruled_out(pattern, common)) {
            step = batch < to - from ? batch : to - from;
            match = kernels->backward(pattern, haystack, to - step, to);
            batch = grow_batch(batch, stride);
        } else {
            batch = stride;
        }
        to -= step;
        pattern->searched += step;
    }
    return match;
}
