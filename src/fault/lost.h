/* Where a mapping has lost pages and damage, in bytes from its data. */
#ifndef IRONMAP_LOST_H
#define IRONMAP_LOST_H

#include "base/error.h"
#include "fault/mapping.h"

/* The first byte in [from, to) that lies in a page marked with `kind`, or `to`. */
size_t ironmap__first_marked_byte(const ironmap__mapping *mapping, ironmap__loss_kind kind,
                                  size_t from, size_t to);

size_t ironmap__first_marked_byte_of_any_kind(const ironmap__mapping *mapping, size_t from,
                                              size_t to);

/* `*lost` is the first byte in [from, to) that one of the losses [first, last) took, or `to`. False
 * if the log does not have them all. */
bool ironmap__first_lost_byte(size_t *lost, const ironmap__mapping *mapping, size_t first,
                              size_t last, size_t from, size_t to);

/* The first damaged byte at or after `from`, or the mapping's length. The restore lock must be
 * held. */
size_t ironmap__first_damaged_byte(const ironmap__mapping *mapping, size_t from);

/* `*begin` and `*end` of the first damage at or after `from`; both the length if there is none. */
void ironmap__damaged_range(size_t *begin, size_t *end, const ironmap__mapping *mapping,
                            size_t from);

/* IRONMAP_E_FAULT for damage that was not cleared. */
int ironmap__check_damage(const ironmap__mapping *mapping, ironmap_error *error);
int ironmap__fail_damage(const ironmap__mapping *mapping, size_t offset, ironmap_error *error);

/* The same for the stale use that was noted. */
int ironmap__fail_stale(const ironmap__mapping *mapping, ironmap_error *error);

/* The same for a use of the reservation `mapping` at `offset` of the map, which needs no note. */
int ironmap__fail_stale_at(const ironmap__mapping *mapping, uint64_t offset, ironmap_error *error);

#endif /* IRONMAP_LOST_H */
