/* The system's constants by name, and what advice means to it. */
#include "win32.h"

#include "../../status.h"

/* Windows has no MAP_*, PROT_*, MADV_* and MS_*. */
const mapio_constant *mapio_constants(size_t *count)
{
    static const mapio_constant none[] = {{NULL, 0}};
    *count = 0;
    return none;
}

/* Advice has no numbers of Windows' own: mapio__view_advise gets the portable ones. */
int mapio__advice_resolve(int *native, bool *keeps_content, int advice, mapio_error *error)
{
    if (advice < MAPIO_ADVICE_NORMAL) {
        return mapio__fail(error, MAPIO_E_UNSUPPORTED);
    }
    if (advice > MAPIO_ADVICE_DONTNEED) {
        return mapio__fail(error, MAPIO_E_INVALID);
    }
    *native = advice;
    *keeps_content = advice != MAPIO_ADVICE_DONTNEED;
    return MAPIO_OK;
}
