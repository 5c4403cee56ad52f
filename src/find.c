/* Searching a map: the range, then the kernel. */
#include "internal.h"
#include "search/search.h"

typedef size_t kernel(const uint8_t *haystack, size_t n, const uint8_t *needle, size_t m);

/* The places [from, to) at which a needle of m bytes may begin, one piece of them. */
typedef struct places {
    size_t from;
    size_t to;
} places;

enum { PIECE = 1 << 20 };

/* How many places a piece has: many more than the bytes that two pieces share. */
static size_t piece_size(size_t m)
{
    return m > PIECE / 8 && m < SIZE_MAX / 8 ? m * 8 : PIECE;
}

/* The first piece of `left` in the direction of the search; it is taken off. */
static places take_piece(places *left, size_t size, bool forward)
{
    places piece = *left;
    if (left->to - left->from > size) {
        if (forward) {
            piece.to = left->from + size;
        } else {
            piece.from = left->to - size;
        }
    }
    if (forward) {
        left->from = piece.to;
    } else {
        left->to = piece.from;
    }
    return piece;
}

/* The needle, of at least one byte, at one of the places: piece after piece, until it is found or
 * a page was lost. */
static int search_guarded(uint64_t *index, const mapio_map *map, places left, const void *needle,
                          size_t m, bool forward, mapio_error *error)
{
    kernel *find = forward ? mapio__find : mapio__rfind;
    size_t size = piece_size(m);
    size_t hit = MAPIO__NOWHERE;
    mapio__guard guard;
    size_t n = left.to - left.from + m - 1;
    /* A needle out of the map itself may be lost as well. */
    const mapio__touch touch = mapio__overlaps(map, needle, m)
                                   ? mapio__hull(map, needle, m, map->data + left.from, n)
                                   : (mapio__touch){left.from, n, false};
    int status = mapio__guard_begin(&guard, map, touch, error);
    while (left.from < left.to && hit == MAPIO__NOWHERE && status == MAPIO_OK) {
        places piece = take_piece(&left, size, forward);
        hit = find(map->data + piece.from, piece.to - piece.from + m - 1, needle, m);
        hit = hit == MAPIO__NOWHERE ? hit : piece.from + hit;
        status = mapio__guard_check(&guard, touch, error);
    }
    if (status == MAPIO_OK) {
        status = mapio__guard_end(guard, touch, error);
    }
    if (status == MAPIO_OK) {
        *index = hit == MAPIO__NOWHERE ? MAPIO_NOT_FOUND : hit;
    }
    return status;
}

/* The short way, for one piece of a map in which all is well; false where it is not, or more. */
static bool search_quick(uint64_t *index, const mapio_map *map, places all, const void *needle,
                         size_t m, bool forward)
{
    mapio__guard guard;
    size_t n = all.to - all.from + m - 1;
    if (n > PIECE || mapio__overlaps(map, needle, m) || !mapio__guard_try(&guard, map)) {
        return false;
    }
    mapio__guard_enter(map);
    size_t hit = forward ? mapio__find(map->data + all.from, n, needle, m)
                         : mapio__rfind(map->data + all.from, n, needle, m);
    mapio__guard_leave();
    *index = hit == MAPIO__NOWHERE ? MAPIO_NOT_FOUND : all.from + hit;
    return mapio__guard_whole(guard);
}

static int search(uint64_t *index, const mapio_map *map, const void *needle, size_t m,
                  uint64_t start, uint64_t end, bool forward, mapio_error *error)
{
    end = mapio__min(end, map->length);
    if (!map->mode.readable) {
        return mapio__fail(error, MAPIO_E_NOT_READABLE);
    }
    if (start > end || m > end - start) {
        *index = MAPIO_NOT_FOUND;
        return MAPIO_OK;
    }
    if (m == 0) {
        *index = forward ? start : end;
        return MAPIO_OK;
    }
    places all = {(size_t)start, (size_t)end - m + 1};
    return search_quick(index, map, all, needle, m, forward)
               ? MAPIO_OK
               : search_guarded(index, map, all, needle, m, forward, error);
}

int mapio_find(uint64_t *index, const mapio_map *map, const void *needle, size_t length,
               uint64_t start, uint64_t end, mapio_error *error)
{
    return search(index, map, needle, length, start, end, true, error);
}

int mapio_rfind(uint64_t *index, const mapio_map *map, const void *needle, size_t length,
                uint64_t start, uint64_t end, mapio_error *error)
{
    return search(index, map, needle, length, start, end, false, error);
}
