/* Chooses the kernel, and decides how each search runs. */
#include "search.h"

#include <stdatomic.h>

#include "skip.h"

const ironmap__kernels *ironmap__best_kernels(bool wide)
{
    static _Atomic(const ironmap__kernels *) best[2];
    const ironmap__kernels *kernels = atomic_load_explicit(&best[wide], memory_order_relaxed);
    if (kernels == NULL) {
        const ironmap__kernels *const *next = ironmap__all_kernels;
        while (((*next)->wide && !wide) || !(*next)->supported()) {
            next++;
        }
        kernels = *next;
        atomic_store_explicit(&best[wide], kernels, memory_order_relaxed);
    }
    return kernels;
}

/* Skipping is faster from a few strides on. */
static bool can_skip(const ironmap__pattern *pattern, size_t from, size_t to)
{
    return pattern->length >= IRONMAP__SKIP_NEEDLE_MIN && (to - from) / 16 >= pattern->length;
}

/* The scalar kernel for very few positions, or fewer bytes than a block. Measured (a needle of 64
 * bytes at one position): 4 to 6 ns, and 5 to 7 as a block. */
static const ironmap__kernels *kernels_for_positions(const ironmap__kernels *kernels,
                                                     const ironmap__pattern *pattern,
                                                     size_t positions)
{
    enum { BLOCK_BYTES = 64, SCALAR_POSITIONS = 8 };
    bool scalar = positions < SCALAR_POSITIONS || positions + pattern->length <= BLOCK_BYTES;
    return scalar ? &ironmap__scalar_kernels : kernels;
}

/* True if the search is a memchr, which the scalar kernel calls. Measured (64 bytes): 6 ns, and 20
 * by the other kernels. */
static bool is_memchr(const ironmap__match_sink *sink, const ironmap__pattern *pattern)
{
    return pattern->length == 1 && sink->capacity == 1;
}

void ironmap__search_forward(const ironmap__kernels *kernels, ironmap__match_sink *sink,
                             ironmap__pattern *pattern, const uint8_t *haystack, size_t from,
                             size_t to)
{
    if (can_skip(pattern, from, to)) {
        ironmap__skip_forward(kernels, sink, pattern, haystack, from, to);
        return;
    }
    kernels = is_memchr(sink, pattern) ? &ironmap__scalar_kernels
                                       : kernels_for_positions(kernels, pattern, to - from);
    kernels->forward(sink, pattern, haystack, from, to);
    pattern->searched += to - from;
}

size_t ironmap__search_backward(const ironmap__kernels *kernels, ironmap__pattern *pattern,
                                const uint8_t *haystack, size_t from, size_t to)
{
    if (can_skip(pattern, from, to)) {
        return ironmap__skip_backward(kernels, pattern, haystack, from, to);
    }
    kernels = kernels_for_positions(kernels, pattern, to - from);
    size_t match = kernels->backward(pattern, haystack, from, to);
    pattern->searched += to - from;
    return match;
}
