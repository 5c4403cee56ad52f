/* How a function reports failure: every failing path of the library ends in one of these. */
#ifndef MAPIO_STATUS_H
#define MAPIO_STATUS_H

#include <mapio/mapio.h>

/* Fills `error` (may be NULL) and returns `status`. */
static inline int mapio__fail(mapio_error *error, mapio_status status)
{
    if (error != NULL) {
        *error = (mapio_error){.status = status};
    }
    return status;
}

/* The same for a system call: `code` is what it left (errno, GetLastError), captured before any
 * clean-up, `call` its name. */
static inline int mapio__fail_system(mapio_error *error, int32_t code, const char *call)
{
    if (error != NULL) {
        *error = (mapio_error){.status = MAPIO_E_SYSTEM, .system_code = code, .call = call};
    }
    return MAPIO_E_SYSTEM;
}

/* The same where the code says that the system has no such thing. */
static inline int mapio__fail_unsupported(mapio_error *error, int32_t code, const char *call)
{
    if (error != NULL) {
        *error = (mapio_error){.status = MAPIO_E_UNSUPPORTED, .system_code = code, .call = call};
    }
    return MAPIO_E_UNSUPPORTED;
}

#endif /* MAPIO_STATUS_H */
