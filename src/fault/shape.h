/* What the fault engine is told when a mapping changes shape: suspend before its view changes, and
 * replace by the new view after. In between no address is the mapping's, so the system may give the
 * old ones to something else. One thread at a time for a mapping; no access may be running.
 */
#ifndef IRONMAP_SHAPE_H
#define IRONMAP_SHAPE_H

#include "base/error.h"
#include "fault/mapping.h"

/* Makes `mapping` one without a view, of the file from `offset` on. */
void ironmap__mapping_init(ironmap__mapping *mapping, const ironmap__mode *mode, ironmap__file file,
                           uint64_t offset);

/* Before a mapping gets its first view: installs the fault handler and enters the registry, without
 * an address. Anonymous memory can be lost as well: huge pages that are not there, swap that cannot
 * be read, memory that fails. */
int ironmap__enter(ironmap__mapping *mapping, ironmap_error *error);

/* Withdraws the mapping's addresses, and waits for handlers. An access of code that still uses one
 * of them, if it fails, is retried until the mapping has its new view. Never fails. */
void ironmap__suspend(ironmap__mapping *mapping);

/* Says that `view` is the mapping's from now on. `length` bytes of it count, behind the first
 * `alignment` bytes. The caller has restored all pages. If another thread has lost one since,
 * through an exported address, all pages count as damaged. Never fails. */
void ironmap__replace_view(ironmap__mapping *mapping, ironmap__view view, size_t alignment,
                           size_t length);

/* Says that `view` are the addresses of a reservation (reservation.h), or none; `data` is where the
 * map's first byte was. Never fails. */
void ironmap__set_reserved(ironmap__mapping *mapping, ironmap__view view, uint8_t *data);

/* Suspends the mapping for good and gives its room back. Returns the view, which is the caller's to
 * unmap; the mapping has none. */
ironmap__view ironmap__withdraw_view(ironmap__mapping *mapping);

/* The memory that the mapping takes beside its own fields and its pages. */
size_t ironmap__mapping_overhead(const ironmap__mapping *mapping);

/* Before a mapping changes shape: installs the fault handler, and restores all pages or fails with
 * IRONMAP_E_FAULT. */
int ironmap__restore_or_fail(ironmap__mapping *mapping, ironmap_error *error);

#endif /* IRONMAP_SHAPE_H */
