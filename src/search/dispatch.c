/* Which kernel a search gets. */
#include <stdatomic.h>

#include "internal.h"

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

/* Skipping pays from a few strides on. */
static bool can_skip(const ironmap__pattern *pattern, size_t from, size_t to)
{
    return pattern->length >= IRONMAP__SKIP_FROM && (to - from) / 16 >= pattern->length;
}

/* Very few places are plain C's, as are fewer bytes than one block of the others has. (Measured, a
 * needle of 64 bytes at one place: 4 to 6 ns, and 5 to 7 as a block.) */
static const ironmap__kernels *fitting(const ironmap__kernels *kernels,
                                       const ironmap__pattern *pattern, size_t places)
{
    enum { BLOCK = 64, VERY_FEW = 8 };
    bool plain = places < VERY_FEW || places + pattern->length <= BLOCK;
    return plain ? &ironmap__scalar_kernels : kernels;
}

/* Whether the C library has a kernel of its own for this, which plain C calls (measured: at 64
 * bytes 6 ns for 20). */
static bool is_memchr(const ironmap__matches *matches, const ironmap__pattern *pattern)
{
    return pattern->length == 1 && matches->capacity == 1;
}

void ironmap__forward(const ironmap__kernels *kernels, ironmap__matches *matches,
                      ironmap__pattern *pattern, const uint8_t *haystack, size_t from, size_t to)
{
    if (can_skip(pattern, from, to)) {
        ironmap__skip_forward(kernels, matches, pattern, haystack, from, to);
        return;
    }
    kernels = is_memchr(matches, pattern) ? &ironmap__scalar_kernels
                                          : fitting(kernels, pattern, to - from);
    kernels->forward(matches, pattern, haystack, from, to);
    pattern->passed += to - from;
}

size_t ironmap__backward(const ironmap__kernels *kernels, ironmap__pattern *pattern,
                         const uint8_t *haystack, size_t from, size_t to)
{
    if (can_skip(pattern, from, to)) {
        return ironmap__skip_backward(kernels, pattern, haystack, from, to);
    }
    size_t match = fitting(kernels, pattern, to - from)->backward(pattern, haystack, from, to);
    pattern->passed += to - from;
    return match;
}
