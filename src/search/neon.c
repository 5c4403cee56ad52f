/* The NEON kernel, for every 64-bit ARM processor. A block is four vectors. */
#include <arm_neon.h>
#include <stdbool.h>
#include <stdint.h>

#define KERNEL(name) neon_##name
#define KERNEL_TARGET

typedef uint8x16_t neon_splat;
typedef struct neon_mask {
    uint8x16_t a, b, c, d;
} neon_mask;

static inline neon_splat neon_splat_of(uint8_t byte)
{
    return vdupq_n_u8(byte);
}

static inline uint8x16_t neon_equal_16(const uint8_t *p, neon_splat s)
{
    return vceqq_u8(vld1q_u8(p), s);
}

static inline neon_mask neon_equal(const uint8_t *p, neon_splat s)
{
    return (neon_mask){neon_equal_16(p, s), neon_equal_16(p + 16, s), neon_equal_16(p + 32, s),
                       neon_equal_16(p + 48, s)};
}

static inline neon_mask neon_both(neon_mask x, neon_mask y)
{
    return (neon_mask){vandq_u8(x.a, y.a), vandq_u8(x.b, y.b), vandq_u8(x.c, y.c),
                       vandq_u8(x.d, y.d)};
}

static inline neon_mask neon_either(neon_mask x, neon_mask y)
{
    return (neon_mask){vorrq_u8(x.a, y.a), vorrq_u8(x.b, y.b), vorrq_u8(x.c, y.c),
                       vorrq_u8(x.d, y.d)};
}

static inline bool neon_any(neon_mask m)
{
    return vmaxvq_u8(vorrq_u8(vorrq_u8(m.a, m.b), vorrq_u8(m.c, m.d))) != 0;
}

/* Each byte keeps one bit, by its index modulo eight. Three pairwise additions put eight of them
 * into one byte. */
static inline uint64_t neon_bits(neon_mask m)
{
    const uint8x16_t bit_of_byte = vreinterpretq_u8_u64(vdupq_n_u64(UINT64_C(0x8040201008040201)));
    uint8x16_t low = vpaddq_u8(vandq_u8(m.a, bit_of_byte), vandq_u8(m.b, bit_of_byte));
    uint8x16_t high = vpaddq_u8(vandq_u8(m.c, bit_of_byte), vandq_u8(m.d, bit_of_byte));
    uint8x16_t sum = vpaddq_u8(low, high);
    sum = vpaddq_u8(sum, sum);
    return vgetq_lane_u64(vreinterpretq_u64_u8(sum), 0);
}

#include "blocks.h"

#undef KERNEL
#undef KERNEL_TARGET

static bool neon_supported(void)
{
    return true;
}

const ironmap__kernels ironmap__neon_kernels = {"neon", false, neon_supported, neon_forward,
                                                neon_backward};
