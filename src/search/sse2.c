/* The kernels with SSE2, which every x86-64 processor has: a block is four vectors. */
#include <emmintrin.h>
#include <stdbool.h>
#include <stdint.h>

typedef __m128i splat;
typedef struct mask {
    __m128i a, b, c, d;
} mask;

static inline splat splat_of(uint8_t byte)
{
    return _mm_set1_epi8((char)byte);
}

static inline __m128i equal_16(const uint8_t *p, splat s)
{
    return _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(const void *)p), s);
}

static inline mask equal(const uint8_t *p, splat s)
{
    return (mask){equal_16(p, s), equal_16(p + 16, s), equal_16(p + 32, s), equal_16(p + 48, s)};
}

static inline mask both(mask x, mask y)
{
    return (mask){_mm_and_si128(x.a, y.a), _mm_and_si128(x.b, y.b), _mm_and_si128(x.c, y.c),
                  _mm_and_si128(x.d, y.d)};
}

static inline mask either(mask x, mask y)
{
    return (mask){_mm_or_si128(x.a, y.a), _mm_or_si128(x.b, y.b), _mm_or_si128(x.c, y.c),
                  _mm_or_si128(x.d, y.d)};
}

static inline bool any(mask m)
{
    __m128i all = _mm_or_si128(_mm_or_si128(m.a, m.b), _mm_or_si128(m.c, m.d));
    return _mm_movemask_epi8(all) != 0;
}

static inline uint64_t bits_16(__m128i part)
{
    return (uint32_t)_mm_movemask_epi8(part);
}

static inline uint64_t bits(mask m)
{
    return bits_16(m.a) | bits_16(m.b) << 16 | bits_16(m.c) << 32 | bits_16(m.d) << 48;
}

#include "blocks.h"

static bool supported(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("sse2");
}

const ironmap__kernels ironmap__sse2_kernels = {"sse2", false, supported, blocks_forward,
                                                blocks_backward};
