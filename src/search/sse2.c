/* The SSE2 kernel, for every x86-64 processor. A block is four vectors. */
#include <emmintrin.h>
#include <stdbool.h>
#include <stdint.h>

#define KERNEL(name) sse2_##name
#define KERNEL_TARGET

typedef __m128i sse2_splat;
typedef struct sse2_mask {
    __m128i a, b, c, d;
} sse2_mask;

static inline sse2_splat sse2_splat_of(uint8_t byte)
{
    return _mm_set1_epi8((char)byte);
}

static inline __m128i sse2_equal_16(const uint8_t *p, sse2_splat s)
{
    return _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(const void *)p), s);
}

static inline sse2_mask sse2_equal(const uint8_t *p, sse2_splat s)
{
    return (sse2_mask){sse2_equal_16(p, s), sse2_equal_16(p + 16, s), sse2_equal_16(p + 32, s),
                       sse2_equal_16(p + 48, s)};
}

static inline sse2_mask sse2_both(sse2_mask x, sse2_mask y)
{
    return (sse2_mask){_mm_and_si128(x.a, y.a), _mm_and_si128(x.b, y.b), _mm_and_si128(x.c, y.c),
                       _mm_and_si128(x.d, y.d)};
}

static inline sse2_mask sse2_either(sse2_mask x, sse2_mask y)
{
    return (sse2_mask){_mm_or_si128(x.a, y.a), _mm_or_si128(x.b, y.b), _mm_or_si128(x.c, y.c),
                       _mm_or_si128(x.d, y.d)};
}

static inline bool sse2_any(sse2_mask m)
{
    __m128i all = _mm_or_si128(_mm_or_si128(m.a, m.b), _mm_or_si128(m.c, m.d));
    return _mm_movemask_epi8(all) != 0;
}

static inline uint64_t sse2_bits_16(__m128i part)
{
    return (uint32_t)_mm_movemask_epi8(part);
}

static inline uint64_t sse2_bits(sse2_mask m)
{
    return sse2_bits_16(m.a) | sse2_bits_16(m.b) << 16 | sse2_bits_16(m.c) << 32 |
           sse2_bits_16(m.d) << 48;
}

#include "blocks.h"

#undef KERNEL
#undef KERNEL_TARGET

static bool sse2_supported(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("sse2");
}

const ironmap__kernels ironmap__sse2_kernels = {"sse2", false, sse2_supported, sse2_forward,
                                                sse2_backward};
