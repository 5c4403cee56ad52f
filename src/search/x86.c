/* What this build has for x86-64. */
#include "internal.h"

extern const mapio__kernels mapio__avx512_kernels;
extern const mapio__kernels mapio__avx2_kernels;
extern const mapio__kernels mapio__sse2_kernels;

const mapio__kernels *const mapio__all_kernels[] = {
    &mapio__avx512_kernels,
    &mapio__avx2_kernels,
    &mapio__sse2_kernels,
    &mapio__scalar_kernels,
    NULL,
};
