/* Searching a map: the range, then the kernels, piece after piece. */
#include "map/internal.h"
#include "map/readahead.h"
#include "search/search.h"

/* The places [from, to) at which a needle may begin. */
typedef struct places {
    size_t from;
    size_t to;
} places;

/* A search on its way. */
typedef struct hunt {
    const ironmap_map *map;
    const ironmap__kernels *kernels;
    ironmap__pattern pattern;
    places left;
    bool forward;
    ironmap__matches matches; /* forward */
    size_t last;              /* backward: the match, or IRONMAP__NOWHERE */
} hunt;

/* NEAR: as many places as the kernels search without a loop. */
enum { PIECE = IRONMAP__PIECE, NEAR = 128 };

/* How many places a piece has: many more than the bytes that two pieces share. */
static size_t piece_size(size_t m)
{
    return m > PIECE / 8 && m < SIZE_MAX / 8 ? m * 8 : PIECE;
}

/* Bytes from the first place that is left to the end of a match at the last. */
static size_t bytes_left(const hunt *h)
{
    return h->left.to - h->left.from + h->pattern.length - 1;
}

/* The first piece of what is left in the direction of the search; it is taken off. */
static places take_piece(hunt *h, size_t size)
{
    places piece = h->left;
    if (piece.to - piece.from > size) {
        if (h->forward) {
            piece.to = piece.from + size;
        } else {
            piece.from = piece.to - size;
        }
    }
    if (h->forward) {
        h->left.from = piece.to;
    } else {
        h->left.to = piece.from;
    }
    return piece;
}

/* Searches a piece. */
static void search_piece(hunt *h, places piece)
{
    const uint8_t *data = h->map->data;
    if (h->forward) {
        ironmap__forward(h->kernels, &h->matches, &h->pattern, data, piece.from, piece.to);
    } else {
        h->last = ironmap__backward(h->kernels, &h->pattern, data, piece.from, piece.to);
    }
}

static bool is_over(const hunt *h)
{
    return h->left.from >= h->left.to || h->last != IRONMAP__NOWHERE ||
           h->matches.found == h->matches.capacity;
}

/* Piece after piece, until the search is over or a page was lost. */
static int hunt_guarded(hunt *h, ironmap_error *error)
{
    const ironmap_map *map = h->map;
    const size_t size = piece_size(h->pattern.length);
    const size_t n = bytes_left(h);
    /* A needle out of the map itself may be lost as well. */
    const ironmap__touch touch =
        ironmap__overlaps(map, h->pattern.bytes, h->pattern.length)
            ? ironmap__hull(map, h->pattern.bytes, h->pattern.length, map->data + h->left.from, n)
            : (ironmap__touch){h->left.from, n, false};
    const places all = h->left;
    ironmap__scan scan;
    ironmap__guard guard;
    ironmap__scan_begin(&scan, map, all.from, all.from + n, h->forward);
    int status = ironmap__guard_begin(&guard, map, touch, error);
    if (status == IRONMAP_OK) {
        ironmap__pattern_init(&h->pattern, h->pattern.bytes, h->pattern.length);
    }
    bool over = false;
    while (status == IRONMAP_OK && !over) {
        ironmap__scan_next(&scan, h->forward ? h->left.from - all.from : all.to - h->left.to);
        search_piece(h, take_piece(h, size));
        over = is_over(h);
        status = ironmap__scan_check(&guard, touch, over, error);
    }
    return status == IRONMAP_OK ? ironmap__guard_end(guard, touch, error) : status;
}

/* Whether the nearest places come first, by themselves: one match is wanted and often is there, and
 * in so many places all else takes longer to begin. */
static bool begins_near(const hunt *h)
{
    enum { MANY = 32 * NEAR };
    bool single = h->matches.capacity == 1 || !h->forward;
    return single && h->pattern.length > 1 && h->left.to - h->left.from > MANY;
}

/* The short way, of a map in which all is well: the nearest places, and the rest if that is no more
 * than a piece. False where all is not well, or something is left. */
static bool hunt_quick(hunt *h)
{
    ironmap__guard guard;
    bool near = begins_near(h);
    if ((!near && bytes_left(h) > PIECE) || h->pattern.length > PIECE ||
        ironmap__overlaps(h->map, h->pattern.bytes, h->pattern.length) ||
        !ironmap__guard_try(&guard, h->map)) {
        return false;
    }
    const ironmap__matches before = h->matches;
    const places all = h->left;
    ironmap__pattern_init(&h->pattern, h->pattern.bytes, h->pattern.length);
    ironmap__guard_enter(h->map);
    search_piece(h, take_piece(h, near ? NEAR : PIECE));
    if (near && !is_over(h) && bytes_left(h) <= PIECE) {
        search_piece(h, take_piece(h, PIECE));
    }
    ironmap__guard_leave();
    if (!ironmap__guard_whole(guard)) {
        h->matches = before;
        h->left = all;
        h->last = IRONMAP__NOWHERE;
        return false;
    }
    return is_over(h);
}

static int hunt_run(hunt *h, ironmap_error *error)
{
    return hunt_quick(h) ? IRONMAP_OK : hunt_guarded(h, error);
}

/* What every search is told. */
typedef struct request {
    const ironmap_map *map;
    const void *needle;
    size_t length;
    uint64_t start;
    uint64_t end;
} request;

/* Cuts the range to the map. `*possible` tells whether the needle can be in it. */
static int request_check(request *r, bool *possible, ironmap_error *error)
{
    r->end = ironmap__min(r->end, r->map->length);
    *possible = r->start <= r->end && r->length <= r->end - r->start;
    return r->map->mode.readable ? IRONMAP_OK : ironmap__fail(error, IRONMAP_E_NOT_READABLE);
}

/* A search as requested, the needle not empty; its pattern is made under the guard. */
static void hunt_init(hunt *h, const request *r, bool forward, ironmap__matches matches)
{
    h->map = r->map;
    h->kernels = ironmap__best_kernels(ironmap__keeps_wide_registers());
    h->pattern.bytes = r->needle;
    h->pattern.length = r->length;
    h->left = (places){(size_t)r->start, (size_t)r->end - r->length + 1};
    h->forward = forward;
    h->matches = matches;
    h->last = IRONMAP__NOWHERE;
}

/* ---- one match ---- */

static int find_one(uint64_t *index, request r, bool forward, ironmap_error *error)
{
    bool possible = false;
    int status = request_check(&r, &possible, error);
    if (status != IRONMAP_OK) {
        return status;
    }
    if (!possible || r.length == 0) {
        *index = !possible ? IRONMAP_NOT_FOUND : forward ? r.start : r.end;
        return IRONMAP_OK;
    }
    hunt h;
    size_t match = 0; /* what a search that failed left there counts for nothing */
    hunt_init(&h, &r, forward, (ironmap__matches){.indexes = &match, .capacity = 1, .step = 1});
    status = hunt_run(&h, error);
    if (status == IRONMAP_OK) {
        bool found = h.matches.found > 0 || h.last != IRONMAP__NOWHERE;
        *index = !found ? IRONMAP_NOT_FOUND : forward ? match : h.last;
    }
    return status;
}

int ironmap_find(uint64_t *index, const ironmap_map *map, const void *needle, size_t length,
                 uint64_t start, uint64_t end, ironmap_error *error)
{
    return find_one(index, (request){map, needle, length, start, end}, true, error);
}

int ironmap_rfind(uint64_t *index, const ironmap_map *map, const void *needle, size_t length,
                  uint64_t start, uint64_t end, ironmap_error *error)
{
    return find_one(index, (request){map, needle, length, start, end}, false, error);
}

/* ---- many ---- */

int ironmap_count(size_t *count, const ironmap_map *map, const void *needle, size_t length,
                  uint64_t start, uint64_t end, ironmap_error *error)
{
    request r = {map, needle, length, start, end};
    bool possible = false;
    int status = request_check(&r, &possible, error);
    if (status != IRONMAP_OK) {
        return status;
    }
    if (!possible || length == 0) {
        *count = possible ? (size_t)(r.end - r.start) + 1 : 0;
        return IRONMAP_OK;
    }
    hunt h;
    hunt_init(&h, &r, true, (ironmap__matches){.capacity = SIZE_MAX, .step = length});
    status = hunt_run(&h, error);
    if (status == IRONMAP_OK) {
        *count = h.matches.found;
    }
    return status;
}

/* The empty needle is everywhere, behind the last byte, too. */
static void find_empty(ironmap__matches *matches, const request *r)
{
    matches->next = (size_t)r->start;
    while (matches->found < matches->capacity && matches->next <= r->end) {
        matches->indexes[matches->found++] = matches->next++;
    }
}

int ironmap_find_all(ironmap_matches *matches, const ironmap_map *map, const void *needle,
                     size_t length, uint64_t end, ironmap_error *error)
{
    request r = {map, needle, length, matches->next, end};
    bool possible = false;
    int status = matches->capacity > 0 ? request_check(&r, &possible, error)
                                       : ironmap__fail(error, IRONMAP_E_INVALID);
    if (status != IRONMAP_OK) {
        return status;
    }
    hunt h = {.map = map};
    if (possible) {
        size_t step = matches->overlapping || length == 0 ? 1 : length;
        hunt_init(&h, &r, true,
                  (ironmap__matches){matches->offsets, matches->capacity, step, 0, 0});
        if (length == 0) {
            find_empty(&h.matches, &r);
        } else {
            status = hunt_run(&h, error);
        }
    }
    if (status == IRONMAP_OK) {
        bool more = h.matches.found == matches->capacity;
        matches->found = h.matches.found;
        matches->next = more ? h.matches.next : (uint64_t)map->length + 1;
    }
    return status;
}
