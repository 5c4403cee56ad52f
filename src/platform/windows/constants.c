/* The system's constants by name, and its advice. */
#include "features.h"

#include "platform/platform.h"

#include "base/error.h"

/* Windows has no MAP_*, PROT_*, MADV_* and MS_*. */
const ironmap__constant *ironmap__constants(size_t *count)
{
    static const ironmap__constant none[] = {{NULL, 0}};
    *count = 0;
    return none;
}

/* Windows has no values for advice: ironmap__view_advise gets the portable ones. */
ironmap__advice ironmap__advice_for(ironmap__usage usage)
{
    return (ironmap__advice){.value = (int)usage, .is_hint = usage != IRONMAP__USE_LATER};
}

int ironmap__advice_from_system(ironmap__advice *advice, int value, ironmap_error *error)
{
    (void)advice;
    (void)value;
    return ironmap__fail(error, IRONMAP_E_UNSUPPORTED);
}
