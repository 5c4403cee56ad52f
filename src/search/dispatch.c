/* Which kernel a search gets. */
#include <stdatomic.h>

#include "internal.h"

const mapio__kernels *mapio__best_kernels(bool wide)
{
    static _Atomic(const mapio__kernels *) best[2];
    const mapio__kernels *kernels = atomic_load_explicit(&best[wide], memory_order_relaxed);
    if (kernels == NULL) {
        const mapio__kernels *const *next = mapio__all_kernels;
        while (((*next)->wide && !wide) || !(*next)->supported()) {
            next++;
        }
        kernels = *next;
        atomic_store_explicit(&best[wide], kernels, memory_order_relaxed);
    }
    return kernels;
}

/* Skipping pays from a few strides on. */
static bool can_skip(const mapio__pattern *pattern, size_t from, size_t to)
{
    return pattern->length >= MAPIO__SKIP_FROM && (to - from) / 16 >= pattern->length;
}

void mapio__forward(const mapio__kernels *kernels, mapio__matches *matches, mapio__pattern *pattern,
                    const uint8_t *haystack, size_t from, size_t to)
{
    if (can_skip(pattern, from, to)) {
        mapio__skip_forward(kernels, matches, pattern, haystack, from, to);
    } else {
        kernels->forward(matches, pattern, haystack, from, to);
        pattern->passed += to - from;
    }
}

size_t mapio__backward(const mapio__kernels *kernels, mapio__pattern *pattern,
                       const uint8_t *haystack, size_t from, size_t to)
{
    if (can_skip(pattern, from, to)) {
        return mapio__skip_backward(kernels, pattern, haystack, from, to);
    }
    size_t match = kernels->backward(pattern, haystack, from, to);
    pattern->passed += to - from;
    return match;
}
