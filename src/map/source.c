#include "map/source.h"

#include <ironmap/extra.h>
#include <string.h>

#include "fault/lost.h"
#include "map/access_loop.h"

static const ironmap__mapping *first_mapping(const uint8_t *bytes, size_t length)
{
    return ironmap__registry_first((uintptr_t)bytes, (uintptr_t)bytes + (length - 1));
}

IRONMAP__THREAD_LOCAL ironmap__registry_gap ironmap__known_gap;

IRONMAP__NOINLINE bool ironmap__is_mapped_slow(uintptr_t first, uintptr_t last)
{
    ironmap__registry_gap gap;
    if (ironmap__registry_find_gap(&gap, first)) {
        ironmap__known_gap = gap;
        return last > gap.last;
    }
    return ironmap__registry_first(first, last) != NULL;
}

/* How many of the bytes come before `address`. */
static size_t bytes_before(const uint8_t *bytes, size_t length, uintptr_t address)
{
    uintptr_t from = (uintptr_t)bytes;
    return from >= address ? 0 : (size_t)ironmap__min(address - from, length);
}

/* Says of a fault that it was met in bytes that were given. */
static int in_source(int status, ironmap_error *error)
{
    if (status == IRONMAP_E_FAULT && error != NULL) {
        error->in_source = true;
    }
    return status;
}

/* Copies bytes of the mapping, all of which count. */
static int load_guarded(uint8_t *buffer, const ironmap__mapping *mapping, size_t offset,
                        size_t length, ironmap_error *error)
{
    return in_source(ironmap__access_copy_out(buffer, mapping, NULL, offset, length, error), error);
}

/* The bytes of a reservation are gone. They are not read: the error is all that there is to tell.
 * Bytes that begin in front of it begin in front of the map: in front of a tail is the map. */
static int fail_to_load_reserved(const ironmap__mapping *mapping, const uint8_t *bytes,
                                 ironmap_error *error)
{
    size_t place = ironmap__place_in_map(mapping, (uintptr_t)bytes);
    return in_source(ironmap__fail_stale_at(mapping, place, error), error);
}

/* How many of the bytes are of one kind: `*guarded`, or not a mapping's. The rest of a mapping's
 * first and last page is not guarded, since it has no offset in the map. */
static size_t next_piece(bool *guarded, const ironmap__mapping *mapping, const uint8_t *bytes,
                         size_t length)
{
    uintptr_t from = (uintptr_t)bytes;
    uintptr_t data = (uintptr_t)mapping->data;
    uintptr_t end = data + mapping->length;
    uintptr_t view_end = (uintptr_t)mapping->view.base + ironmap__view_size_in_pages(mapping);
    *guarded = from >= data && from < end;
    return bytes_before(bytes, length, from < data ? data : from < end ? end : view_end);
}

int ironmap__load(void *buffer, const void *bytes, size_t length, ironmap_error *error)
{
    uint8_t *to = buffer;
    const uint8_t *from = bytes;
    while (length > 0) {
        const ironmap__mapping *mapping = first_mapping(from, length);
        bool guarded = false;
        if (mapping != NULL && mapping->reserved_for != NULL) {
            return fail_to_load_reserved(mapping, from, error);
        }
        size_t count = mapping == NULL ? length : next_piece(&guarded, mapping, from, length);
        if (!guarded) {
            memcpy(to, from, count);
        } else {
            size_t offset = (size_t)(from - mapping->data);
            int status = load_guarded(to, mapping, offset, count, error);
            if (status != IRONMAP_OK) {
                return status;
            }
        }
        to += count;
        from += count;
        length -= count;
    }
    return IRONMAP_OK;
}

int ironmap_load(void *buffer, const void *bytes, size_t length, ironmap_error *error)
{
    if (length == 0) {
        return IRONMAP_OK; /* without an address, perhaps */
    }
    if (ironmap__is_mapped(bytes, length)) {
        return ironmap__load(buffer, bytes, length, error);
    }
    memcpy(buffer, bytes, length);
    return IRONMAP_OK;
}
