/* Errors: every function that fails ends in one of these. */
#ifndef IRONMAP_STATUS_H
#define IRONMAP_STATUS_H

#include <ironmap/ironmap.h>

/* Each fills `error` (may be NULL) and returns the status. */

static inline int ironmap__fail(ironmap_error *error, ironmap_status status)
{
    if (error != NULL) {
        *error = (ironmap_error){.status = status};
    }
    return status;
}

/* `what` is a static string: which argument is wrong, and why. */
static inline int ironmap__fail_for(ironmap_error *error, ironmap_status status, const char *what)
{
    if (error != NULL) {
        *error = (ironmap_error){.status = status, .what = what};
    }
    return status;
}

static inline int ironmap__fail_invalid(ironmap_error *error, const char *what)
{
    return ironmap__fail_for(error, IRONMAP_E_INVALID, what);
}

/* For a system call: `code` is errno or GetLastError(), captured before any clean-up, and `call`
 * its name. */
static inline int ironmap__fail_system(ironmap_error *error, int32_t code, const char *call)
{
    if (error != NULL) {
        *error = (ironmap_error){.status = IRONMAP_E_SYSTEM, .system_code = code, .call = call};
    }
    return IRONMAP_E_SYSTEM;
}

/* The same if the code says that the system lacks the feature. */
static inline int ironmap__fail_unsupported(ironmap_error *error, int32_t code, const char *call)
{
    if (error != NULL) {
        *error =
            (ironmap_error){.status = IRONMAP_E_UNSUPPORTED, .system_code = code, .call = call};
    }
    return IRONMAP_E_UNSUPPORTED;
}

/* Fails unless the `count` reserved words of a caller's struct are 0: the fields that a newer
 * header has there are never ignored. */
int ironmap__check_reserved(const uint64_t *words, size_t count, ironmap_error *error);

#endif /* IRONMAP_STATUS_H */
