/* The kernels of a build for x86-64. */
#include "kernels.h"

const ironmap__kernels *const ironmap__all_kernels[] = {
    &ironmap__avx512_kernels,
    &ironmap__avx2_kernels,
    &ironmap__sse2_kernels,
    &ironmap__scalar_kernels,
    NULL,
};
