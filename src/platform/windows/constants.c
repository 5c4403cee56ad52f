/* The system's constants by name, and what advice means to it. */
#include "win32.h"

#include "base/error.h"

/* Windows has no MAP_*, PROT_*, MADV_* and MS_*. */
const ironmap_constant *ironmap_constants(size_t *count)
{
    static const ironmap_constant none[] = {{NULL, 0}};
    *count = 0;
    return none;
}

/* Advice has no numbers of Windows' own: ironmap__view_advise gets the portable ones. */
int ironmap__advice_resolve(int *native, bool *keeps_content, int advice, ironmap_error *error)
{
    if (advice < IRONMAP_ADVICE_NORMAL) {
        return ironmap__fail(error, IRONMAP_E_UNSUPPORTED);
    }
    if (advice > IRONMAP_ADVICE_DONTNEED) {
        return ironmap__fail(error, IRONMAP_E_INVALID);
    }
    *native = advice;
    *keeps_content = advice != IRONMAP_ADVICE_DONTNEED;
    return IRONMAP_OK;
}
