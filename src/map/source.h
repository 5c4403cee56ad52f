/* Bytes that the caller gives to a function of a map. They may be the memory of another map, where
 * a page can be lost: then they are read under that map's guard, or the loss would pass zeros for
 * data. They may be at addresses of a map that was closed or resized: those have no bytes. */
#ifndef IRONMAP_SOURCE_H
#define IRONMAP_SOURCE_H

#include "base/compiler.h"
#include "base/error.h"
#include "fault/registry.h"
#include "platform/thread_local.h"

/* The gap between two mappings in which this thread last found bytes: bytes of plain memory are
 * mostly in the same one again. */
extern IRONMAP__THREAD_LOCAL ironmap__registry_gap ironmap__known_gap;

bool ironmap__is_mapped_slow(uintptr_t first, uintptr_t last);

/* True if some of the `length` (not 0) bytes lie in a mapping that can lose pages, or in a
 * reservation. */
static inline bool ironmap__is_mapped(const void *bytes, size_t length)
{
    uintptr_t first = (uintptr_t)bytes;
    uintptr_t last = first + (length - 1);
    const ironmap__registry_gap *gap = &ironmap__known_gap;
    bool known = first >= gap->first && last <= gap->last && ironmap__registry_is_as_at(gap);
    return IRONMAP__RARE(!known) && ironmap__is_mapped_slow(first, last);
}

/* Copies `length` bytes into plain memory. Fails with IRONMAP_E_FAULT, and error->in_source, if one
 * of them lies in a lost page, or at an address that a map has left (fault/reservation.h). */
int ironmap__load(void *buffer, const void *bytes, size_t length, ironmap_error *error);

#endif /* IRONMAP_SOURCE_H */
