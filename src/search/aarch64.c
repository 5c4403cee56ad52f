/* The kernels of a build for 64-bit ARM, little-endian. */
#include "kernels.h"

const ironmap__kernels *const ironmap__all_kernels[] = {
    &ironmap__neon_kernels,
    &ironmap__scalar_kernels,
    NULL,
};
