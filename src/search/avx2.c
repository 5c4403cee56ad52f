/* The kernels with AVX2: a block is two vectors. */
#include <immintrin.h>
#include <stdbool.h>
#include <stdint.h>

typedef __m256i splat;
typedef struct mask {
    __m256i low;
    __m256i high;
} mask;

static inline splat splat_of(uint8_t byte)
{
    return _mm256_set1_epi8((char)byte);
}

static inline __m256i load(const uint8_t *p)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

static inline mask equal(const uint8_t *p, splat s)
{
    return (mask){_mm256_cmpeq_epi8(load(p), s), _mm256_cmpeq_epi8(load(p + 32), s)};
}

static inline mask both(mask a, mask b)
{
    return (mask){_mm256_and_si256(a.low, b.low), _mm256_and_si256(a.high, b.high)};
}

static inline mask either(mask a, mask b)
{
    return (mask){_mm256_or_si256(a.low, b.low), _mm256_or_si256(a.high, b.high)};
}

static inline bool any(mask m)
{
    __m256i all = _mm256_or_si256(m.low, m.high);
    return !_mm256_testz_si256(all, all);
}

static inline uint64_t bits(mask m)
{
    uint32_t low = (uint32_t)_mm256_movemask_epi8(m.low);
    uint32_t high = (uint32_t)_mm256_movemask_epi8(m.high);
    return low | (uint64_t)high << 32;
}

#include "blocks.h"

static bool supported(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
           __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt");
}

const ironmap__kernels ironmap__avx2_kernels = {"avx2", false, supported, blocks_forward,
                                                blocks_backward};
