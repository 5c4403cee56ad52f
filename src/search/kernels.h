/* A kernel: the search functions of one instruction set. */
#ifndef IRONMAP_KERNELS_H
#define IRONMAP_KERNELS_H

#include "match_sink.h"
#include "pattern.h"

/* Both functions search the positions [from, to) of the haystack, where from <= to. They read the
 * bytes from `from` up to the end of a match at the last position, to + length - 1. */
typedef struct ironmap__kernels {
    const char *name;
    bool wide;               /* uses 512-bit or mask registers */
    bool (*supported)(void); /* by this processor */

    /* Records matches in ascending order, from max(from, sink->next) on, until none is left or
     * sink->capacity is reached. */
    void (*forward)(ironmap__match_sink *sink, ironmap__pattern *pattern, const uint8_t *haystack,
                    size_t from, size_t to);

    /* Returns the position of the last match, or IRONMAP__NO_MATCH. */
    size_t (*backward)(ironmap__pattern *pattern, const uint8_t *haystack, size_t from, size_t to);
} ironmap__kernels;

/* Each is defined in the file of its name. A build has those of its processor. */
extern const ironmap__kernels ironmap__avx512_kernels;
extern const ironmap__kernels ironmap__avx2_kernels;
extern const ironmap__kernels ironmap__sse2_kernels;
extern const ironmap__kernels ironmap__neon_kernels;
extern const ironmap__kernels ironmap__scalar_kernels;

/* The kernels of this build, the fastest first, NULL at the end. The last one is scalar, which is
 * always supported. Defined in x86.c, aarch64.c or any.c, of which the build picks one. */
extern const ironmap__kernels *const ironmap__all_kernels[];

#endif /* IRONMAP_KERNELS_H */
