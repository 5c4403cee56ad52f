/* The AVX2 kernel. A block is two vectors. */
#include <immintrin.h>
#include <stdbool.h>
#include <stdint.h>

#define KERNEL(name) avx2_##name
#define KERNEL_TARGET __attribute__((target("avx2,bmi,bmi2,lzcnt,popcnt")))

typedef __m256i avx2_splat;
typedef struct avx2_mask {
    __m256i low;
    __m256i high;
} avx2_mask;

KERNEL_TARGET static inline avx2_splat avx2_splat_of(uint8_t byte)
{
    return _mm256_set1_epi8((char)byte);
}

KERNEL_TARGET static inline __m256i avx2_load(const uint8_t *p)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

KERNEL_TARGET static inline avx2_mask avx2_equal(const uint8_t *p, avx2_splat s)
{
    return (avx2_mask){_mm256_cmpeq_epi8(avx2_load(p), s), _mm256_cmpeq_epi8(avx2_load(p + 32), s)};
}

KERNEL_TARGET static inline avx2_mask avx2_both(avx2_mask a, avx2_mask b)
{
    return (avx2_mask){_mm256_and_si256(a.low, b.low), _mm256_and_si256(a.high, b.high)};
}

KERNEL_TARGET static inline avx2_mask avx2_either(avx2_mask a, avx2_mask b)
{
    return (avx2_mask){_mm256_or_si256(a.low, b.low), _mm256_or_si256(a.high, b.high)};
}

KERNEL_TARGET static inline bool avx2_any(avx2_mask m)
{
    __m256i all = _mm256_or_si256(m.low, m.high);
    return !_mm256_testz_si256(all, all);
}

KERNEL_TARGET static inline uint64_t avx2_bits(avx2_mask m)
{
    uint32_t low = (uint32_t)_mm256_movemask_epi8(m.low);
    uint32_t high = (uint32_t)_mm256_movemask_epi8(m.high);
    return low | (uint64_t)high << 32;
}

#include "blocks.h"

#undef KERNEL
#undef KERNEL_TARGET

static bool avx2_supported(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
           __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt");
}

const ironmap__kernels ironmap__avx2_kernels = {"avx2", false, avx2_supported, avx2_forward,
                                                avx2_backward};
