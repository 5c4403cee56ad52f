/* What this build has for 64-bit ARM, little-endian. */
#include "internal.h"

extern const mapio__kernels mapio__neon_kernels;

const mapio__kernels *const mapio__all_kernels[] = {
    &mapio__neon_kernels,
    &mapio__scalar_kernels,
    NULL,
};
