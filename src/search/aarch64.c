/* What this build has for 64-bit ARM, little-endian. */
#include "internal.h"

extern const ironmap__kernels ironmap__neon_kernels;

const ironmap__kernels *const ironmap__all_kernels[] = {
    &ironmap__neon_kernels,
    &ironmap__scalar_kernels,
    NULL,
};
