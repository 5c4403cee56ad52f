/* The kernels of a build for any other processor. */
#include "kernels.h"

const ironmap__kernels *const ironmap__all_kernels[] = {
    &ironmap__scalar_kernels,
    NULL,
};
