/* Puts the file's pages back where they were replaced by zeros. */
#ifndef IRONMAP_RESTORE_H
#define IRONMAP_RESTORE_H

#include "fault/mapping.h"

/* The restore lock. While a thread holds it, no other takes a mark off a page. */
void ironmap__restore_lock(ironmap__mapping *mapping);
void ironmap__restore_unlock(ironmap__mapping *mapping);

/* Returns when no handler of the mapping is active. */
void ironmap__wait_for_handlers(const ironmap__mapping *mapping);

/* Restores the pages that guarded accesses lost, and with `clear` those under exported addresses as
 * well. What cannot be restored stays marked, and the damage as well. Fails for the pages under
 * exported addresses only. The restore lock must be held. */
int ironmap__restore_locked(ironmap__mapping *mapping, bool clear, ironmap_error *error);

/* The same, acquiring the lock. */
int ironmap__restore(ironmap__mapping *mapping, bool clear, ironmap_error *error);

/* Restores what guarded accesses lost, if anything is pending. */
void ironmap__restore_pending(ironmap__mapping *mapping);

#endif /* IRONMAP_RESTORE_H */
