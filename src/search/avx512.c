/* The kernels with AVX-512: a block is one vector, its mask a register of its own. */
#include <immintrin.h>
#include <stdbool.h>
#include <stdint.h>

typedef __m512i splat;
typedef __mmask64 mask;

static inline splat splat_of(uint8_t byte)
{
    return _mm512_set1_epi8((char)byte);
}

static inline mask equal(const uint8_t *p, splat s)
{
    return _mm512_cmpeq_epi8_mask(_mm512_loadu_si512(p), s);
}

static inline mask both(mask a, mask b)
{
    return a & b;
}

static inline mask either(mask a, mask b)
{
    return a | b;
}

static inline bool any(mask m)
{
    return m != 0;
}

static inline uint64_t bits(mask m)
{
    return m;
}

#include "blocks.h"

/* The processors with VBMI, from 2018 on, have no need to slow down for vectors of this width, as
 * the first ones with AVX-512 did. */
static bool supported(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vbmi") &&
           __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt");
}

const ironmap__kernels ironmap__avx512_kernels = {"avx512", true, supported, blocks_forward,
                                                  blocks_backward};
