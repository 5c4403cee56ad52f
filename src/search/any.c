/* What a build has for every other processor. */
#include "internal.h"

const mapio__kernels *const mapio__all_kernels[] = {
    &mapio__scalar_kernels,
    NULL,
};
