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

/* Looks for damage and for what is still lost before it releases the restore lock: another thread
 * may then take marks off, and fail to restore the pages. */
IRONMAP__COLD int ironmap__guard_begin_slow(ironmap__guard *guard, ironmap__access_range range,
                                            ironmap_error *error)
{
    const ironmap__mapping *mapping = guard->mapping;
    size_t end = range.offset + range.length;
    guard->losses = atomic_load(&mapping->state.losses);
    ironmap__restore_lock(ironmap__mutable(mapping));
    (void)ironmap__restore_locked(ironmap__mutable(mapping), false, NULL);
    size_t damage = ironmap__first_damaged_byte(mapping, 0);
    size_t lost = ironmap__first_marked_byte(mapping, IRONMAP__LOSS_GUARDED, range.offset, end);
    ironmap__restore_unlock(ironmap__mutable(mapping));
    if (damage < mapping->length) {
        return ironmap__fail_damage(mapping, damage, error);
    }
    if (atomic_load(&mapping->state.stale) != 0) {
        return ironmap__fail_stale(mapping, error);
    }
    return lost < end ? ironmap__fail_fault(mapping, lost, range.store, error) : IRONMAP_OK;
}

/* Losses may go on while it looks for them: then it looks again. */
IRONMAP__COLD int ironmap__guard_end_slow(ironmap__guard guard, ironmap__access_range range,
                                          ironmap_error *error)
{
    const ironmap__mapping *mapping = guard.mapping;
    size_t end = range.offset + range.length;
    size_t losses = 0;
    size_t lost = 0;
    do {
        losses = atomic_load(&mapping->state.losses);
        ironmap__wait_for_handlers(mapping);
        lost = ironmap__first_lost_byte(mapping, guard.losses, losses, range.offset, end);
    } while (atomic_load(&mapping->state.losses) != losses);
    int status = lost < end ? ironmap__fail_fault(mapping, lost, range.store, error) : IRONMAP_OK;
    (void)ironmap__restore(ironmap__mutable(mapping), false, NULL);
    return status;
}
