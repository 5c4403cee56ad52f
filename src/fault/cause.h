/* Why a page is unavailable. */
#ifndef IRONMAP_CAUSE_H
#define IRONMAP_CAUSE_H

#include "base/error.h"
#include "fault/mapping.h"

/* Where in the view the file ends now, in bytes rounded up to the page. SIZE_MAX if it does not end
 * inside the view, or if that is unknown. Async-signal-safe. */
size_t ironmap__file_end_in_view(const ironmap__mapping *mapping);

/* The first byte of the mapping in a page that lies behind the end of its file, or the length. */
size_t ironmap__first_byte_behind_file(const ironmap__mapping *mapping);

/* Fills `error` for the unavailable byte `offset` of the mapping, which a store (`store`) or a load
 * met. Returns IRONMAP_E_FAULT. */
int ironmap__fail_fault(const ironmap__mapping *mapping, size_t offset, bool store,
                        ironmap_error *error);

#endif /* IRONMAP_CAUSE_H */
