/* What this build has for x86-64. */
#include "internal.h"

extern const ironmap__kernels ironmap__avx512_kernels;
extern const ironmap__kernels ironmap__avx2_kernels;
extern const ironmap__kernels ironmap__sse2_kernels;

const ironmap__kernels *const ironmap__all_kernels[] = {
    &ironmap__avx512_kernels,
    &ironmap__avx2_kernels,
    &ironmap__sse2_kernels,
    &ironmap__scalar_kernels,
    NULL,
};
