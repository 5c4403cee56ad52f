/* How a function reports failure: every failing path of the library ends in one of these. */
#ifndef IRONMAP_STATUS_H
#define IRONMAP_STATUS_H

#include <ironmap/ironmap.h>

/* Fills `error` (may be NULL) and returns `status`. */
static inline int ironmap__fail(ironmap_error *error, ironmap_status status)
{
    if (error != NULL) {
        *error = (ironmap_error){.status = status};
    }
    return status;
}

/* The same for a system call: `code` is what it left (errno, GetLastError), captured before any
 * clean-up, `call` its name. */
static inline int ironmap__fail_system(ironmap_error *error, int32_t code, const char *call)
{
    if (error != NULL) {
        *error = (ironmap_error){.status = IRONMAP_E_SYSTEM, .system_code = code, .call = call};
    }
    return IRONMAP_E_SYSTEM;
}

/* The same where the code says that the system has no such thing. */
static inline int ironmap__fail_unsupported(ironmap_error *error, int32_t code, const char *call)
{
    if (error != NULL) {
        *error =
            (ironmap_error){.status = IRONMAP_E_UNSUPPORTED, .system_code = code, .call = call};
    }
    return IRONMAP_E_UNSUPPORTED;
}

#endif /* IRONMAP_STATUS_H */
