/* The guard: every access of the library to mapped bytes happens between begin and end, which get
 * the same range. After begin succeeds, the bytes of the range may be accessed. What was read, and
 * what was stored, counts only if end succeeds too. Both fail with IRONMAP_E_FAULT only. Between
 * them no foreign code runs and no other access begins.
 */
#ifndef IRONMAP_GUARD_H
#define IRONMAP_GUARD_H

#include "base/error.h"
#include "fault/guard_fast.h"

/* The bytes that an access needs, counted from the mapping's data. */
typedef struct ironmap__access_range {
    size_t offset;
    size_t length;
    bool store; /* it needs a block of the disk, which may be full */
} ironmap__access_range;

/* Slow half of begin: pages were lost, and may be zeros still. Restores what can be restored; fails
 * if the range has a page that is unavailable, or if the mapping is damaged. */
int ironmap__guard_begin_slow(ironmap__guard *guard, ironmap__access_range range,
                              ironmap_error *error);

/* Slow half of end: pages were lost since begin. Fails if one of them is in the range, and restores
 * them. It also fails if that cannot be known, since there were more losses than are logged. */
int ironmap__guard_end_slow(ironmap__guard guard, ironmap__access_range range,
                            ironmap_error *error);

/* The same for an access that can be done again: then the result is IRONMAP__UNKNOWN, which is no
 * status of the interface. */
enum { IRONMAP__UNKNOWN = 1 };
int ironmap__guard_end_if_known(ironmap__guard guard, ironmap__access_range range,
                                ironmap_error *error);

/* The same access again, with the restore lock held from begin to end, so that marks tell what was
 * lost, and no log is needed. If begin fails there is nothing to end. Between them no call waits
 * for another thread that uses the mapping. */
int ironmap__guard_begin_locked(ironmap__guard *guard, ironmap__access_range range,
                                ironmap_error *error);
int ironmap__guard_end_locked(ironmap__guard guard, ironmap__access_range range,
                              ironmap_error *error);

static inline int ironmap__guard_begin(ironmap__guard *guard, const ironmap__mapping *mapping,
                                       ironmap__access_range range, ironmap_error *error)
{
    if (!ironmap__guard_try(guard, mapping)) {
        int status = ironmap__guard_begin_slow(guard, range, error);
        if (status != IRONMAP_OK) {
            return status;
        }
    }
    ironmap__guard_enter(mapping);
    return IRONMAP_OK;
}

static inline int ironmap__guard_end(ironmap__guard guard, ironmap__access_range range,
                                     ironmap_error *error)
{
    ironmap__guard_exit();
    return ironmap__guard_held(guard, range.store) ? IRONMAP_OK
                                                   : ironmap__guard_end_slow(guard, range, error);
}

/* In the middle of long work: if pages outside the range were lost, the access begins anew and goes
 * on. After a failure there is nothing to end; so it is with IRONMAP__UNKNOWN. */
static inline int ironmap__guard_check(ironmap__guard *guard, ironmap__access_range range,
                                       ironmap_error *error)
{
    if (ironmap__guard_held(*guard, range.store)) {
        return IRONMAP_OK;
    }
    ironmap__guard_exit();
    int status = ironmap__guard_end_if_known(*guard, range, error);
    return status == IRONMAP_OK ? ironmap__guard_begin(guard, guard->mapping, range, error)
                                : status;
}

#endif /* IRONMAP_GUARD_H */
