/* What a build has for every other processor. */
#include "internal.h"

const ironmap__kernels *const ironmap__all_kernels[] = {
    &ironmap__scalar_kernels,
    NULL,
};
