/* The kernels with NEON, which every 64-bit ARM processor has: a block is four vectors. */
#include <arm_neon.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8x16_t splat;
typedef struct mask {
    uint8x16_t a, b, c, d;
} mask;

static inline splat splat_of(uint8_t byte)
{
    return vdupq_n_u8(byte);
}

static inline uint8x16_t equal_16(const uint8_t *p, splat s)
{
    return vceqq_u8(vld1q_u8(p), s);
}

static inline mask equal(const uint8_t *p, splat s)
{
    return (mask){equal_16(p, s), equal_16(p + 16, s), equal_16(p + 32, s), equal_16(p + 48, s)};
}

static inline mask both(mask x, mask y)
{
    return (mask){vandq_u8(x.a, y.a), vandq_u8(x.b, y.b), vandq_u8(x.c, y.c), vandq_u8(x.d, y.d)};
}

static inline mask either(mask x, mask y)
{
    return (mask){vorrq_u8(x.a, y.a), vorrq_u8(x.b, y.b), vorrq_u8(x.c, y.c), vorrq_u8(x.d, y.d)};
}

static inline bool any(mask m)
{
    return vmaxvq_u8(vorrq_u8(vorrq_u8(m.a, m.b), vorrq_u8(m.c, m.d))) != 0;
}

/* Each byte keeps the bit of its place among eight; adding neighbours three times puts eight of
 * them into one byte. */
static inline uint64_t bits(mask m)
{
    const uint8x16_t place = vreinterpretq_u8_u64(vdupq_n_u64(UINT64_C(0x8040201008040201)));
    uint8x16_t low = vpaddq_u8(vandq_u8(m.a, place), vandq_u8(m.b, place));
    uint8x16_t high = vpaddq_u8(vandq_u8(m.c, place), vandq_u8(m.d, place));
    uint8x16_t sum = vpaddq_u8(low, high);
    sum = vpaddq_u8(sum, sum);
    return vgetq_lane_u64(vreinterpretq_u64_u8(sum), 0);
}

#include "blocks.h"

static bool supported(void)
{
    return true;
}

const ironmap__kernels ironmap__neon_kernels = {"neon", false, supported, blocks_forward,
                                                blocks_backward};
