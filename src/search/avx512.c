/* The AVX-512 kernel. A block is one vector, and its mask a mask register. */
#include <immintrin.h>
#include <stdbool.h>
#include <stdint.h>

#define KERNEL(name) avx512_##name
#define KERNEL_TARGET __attribute__((target("avx512f,avx512bw,bmi,bmi2,lzcnt,popcnt")))

typedef __m512i avx512_splat;
typedef __mmask64 avx512_mask;

KERNEL_TARGET static inline avx512_splat avx512_splat_of(uint8_t byte)
{
    return _mm512_set1_epi8((char)byte);
}

KERNEL_TARGET static inline avx512_mask avx512_equal(const uint8_t *p, avx512_splat s)
{
    return _mm512_cmpeq_epi8_mask(_mm512_loadu_si512(p), s);
}

KERNEL_TARGET static inline avx512_mask avx512_both(avx512_mask a, avx512_mask b)
{
    return a & b;
}

KERNEL_TARGET static inline avx512_mask avx512_either(avx512_mask a, avx512_mask b)
{
    return a | b;
}

KERNEL_TARGET static inline bool avx512_any(avx512_mask m)
{
    return m != 0;
}

KERNEL_TARGET static inline uint64_t avx512_bits(avx512_mask m)
{
    return m;
}

#include "blocks.h"

#undef KERNEL
#undef KERNEL_TARGET

/* Processors with VBMI, from 2018 on, do not lower their frequency for 512-bit vectors as the first
 * ones with AVX-512 did. */
static bool avx512_supported(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vbmi") &&
           __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt");
}

const ironmap__kernels ironmap__avx512_kernels = {"avx512", true, avx512_supported, avx512_forward,
                                                  avx512_backward};
