/* Why no zeros pass for data.
 *
 * An access reads `losses`, then `restored`, then the bytes, then `losses` again. Suppose that it
 * read a zero that is not the file's, from a page that a handler replaced.
 * - The handler counted the loss before it replaced the page. If it did so after the access began,
 *   the second look at `losses` differs from the first: the page-table change that shows the zero
 *   comes after the count, and the load of the byte comes before the second look.
 * - Otherwise `losses` included it when the access began. `restored` was then below (slow half), or
 *   it included the loss too. But `restored` moves to n only when, after n was read, no handler was
 *   active and all marked pages were restored. So the page was the file's again, and only a later
 *   handler with a later count can have made it zeros: the first case.
 * - In the slow half the access waits until no handler is active, and restores while it holds the
 *   restore lock. So it does not overtake a thread that took the mark off a page and has not put
 *   the page back yet.
 */
#include "fault/guard.h"

#include "base/compiler.h"
#include "fault/cause.h"
#include "fault/lost.h"
#include "fault/restore.h"

/* The page of byte `lost` is zeros. Pages of the range before it, which no access has met yet, may
 * be behind the end of the file as well. */
static size_t first_unavailable(const ironmap__mapping *mapping, ironmap__access_range range,
                                size_t lost)
{
    size_t behind = (size_t)ironmap__max(ironmap__first_byte_behind_file(mapping), range.offset);
    return (size_t)ironmap__min(lost, behind);
}

/* Under the restore lock: looks for damage and for what is still lost. */
static int begin_under_lock(ironmap__guard *guard, ironmap__access_range range,
                            ironmap_error *error)
{
    const ironmap__mapping *mapping = guard->mapping;
    size_t end = range.offset + range.length;
    guard->losses = atomic_load(&mapping->state.losses);
    (void)ironmap__restore_locked(ironmap__mutable(mapping), false, NULL);
    size_t damage = ironmap__first_damaged_byte(mapping, 0);
    size_t lost = ironmap__first_marked_byte(mapping, IRONMAP__LOSS_GUARDED, range.offset, end);
    if (damage < mapping->length) {
        return ironmap__fail_damage(mapping, damage, error);
    }
    if (atomic_load(&mapping->state.stale) != 0) {
        return ironmap__fail_stale(mapping, error);
    }
    return lost < end ? ironmap__fail_fault(mapping, first_unavailable(mapping, range, lost),
                                            range.store, error)
                      : IRONMAP_OK;
}

/* The lock is released after the look: another thread may then take marks off, and fail to restore
 * the pages. */
IRONMAP__COLD int ironmap__guard_begin_slow(ironmap__guard *guard, ironmap__access_range range,
                                            ironmap_error *error)
{
    ironmap__restore_lock(ironmap__mutable(guard->mapping));
    int status = begin_under_lock(guard, range, error);
    ironmap__restore_unlock(ironmap__mutable(guard->mapping));
    return status;
}

/* Every loss that this access can have seen is counted, but its handler may still be at work. */
IRONMAP__COLD int ironmap__guard_end_if_known(ironmap__guard guard, ironmap__access_range range,
                                              ironmap_error *error)
{
    const ironmap__mapping *mapping = guard.mapping;
    size_t end = range.offset + range.length;
    size_t losses = atomic_load(&mapping->state.losses);
    size_t lost = 0;
    ironmap__wait_for_handlers(mapping);
    if (!ironmap__first_lost_byte(&lost, mapping, guard.losses, losses, range.offset, end)) {
        return IRONMAP__UNKNOWN;
    }
    int status = lost < end ? ironmap__fail_fault(mapping, lost, range.store, error) : IRONMAP_OK;
    (void)ironmap__restore(ironmap__mutable(mapping), false, NULL);
    return status;
}

IRONMAP__COLD int ironmap__guard_end_slow(ironmap__guard guard, ironmap__access_range range,
                                          ironmap_error *error)
{
    const ironmap__mapping *mapping = guard.mapping;
    size_t end = range.offset + range.length;
    int status = ironmap__guard_end_if_known(guard, range, error);
    if (status != IRONMAP__UNKNOWN) {
        return status;
    }
    size_t marked = ironmap__first_marked_byte_of_any_kind(mapping, range.offset, end);
    size_t lost = first_unavailable(mapping, range, marked);
    status = ironmap__fail_fault(mapping, lost < end ? lost : range.offset, range.store, error);
    (void)ironmap__restore(ironmap__mutable(mapping), false, NULL);
    return status;
}

/* ---- with the restore lock ---- */

/* Begin itself may take off the first mark of a handler that has not replaced the page yet. From
 * then on no thread takes a mark off. So when end has waited for handlers, which mark the page
 * again, the marks have all that the access can have seen. */
IRONMAP__COLD int ironmap__guard_begin_locked(ironmap__guard *guard, ironmap__access_range range,
                                              ironmap_error *error)
{
    ironmap__restore_lock(ironmap__mutable(guard->mapping));
    int status = begin_under_lock(guard, range, error);
    if (status != IRONMAP_OK) {
        ironmap__restore_unlock(ironmap__mutable(guard->mapping));
        return status;
    }
    ironmap__guard_enter(guard->mapping);
    return IRONMAP_OK;
}

IRONMAP__COLD int ironmap__guard_end_locked(ironmap__guard guard, ironmap__access_range range,
                                            ironmap_error *error)
{
    const ironmap__mapping *mapping = guard.mapping;
    size_t end = range.offset + range.length;
    size_t lost = end;
    ironmap__guard_exit();
    if (!ironmap__guard_held(guard, range.store)) {
        ironmap__wait_for_handlers(mapping);
        lost = ironmap__first_marked_byte_of_any_kind(mapping, range.offset, end);
        (void)ironmap__restore_locked(ironmap__mutable(mapping), false, NULL);
    }
    ironmap__restore_unlock(ironmap__mutable(mapping));
    return lost < end ? ironmap__fail_fault(mapping, lost, range.store, error) : IRONMAP_OK;
}
