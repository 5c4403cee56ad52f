#include "map/source.h"

#include <string.h>

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

/* Copies bytes of the mapping, all of which count. */
static int load_guarded(uint8_t *buffer, const ironmap__mapping *mapping, size_t offset,
                        size_t length, ironmap_error *error)
{
    int status = ironmap__access_copy_out(buffer, mapping, NULL, offset, length, error);
    if (status == IRONMAP_E_FAULT && error != NULL) {
        error->in_source = true;
    }
    return status;
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
