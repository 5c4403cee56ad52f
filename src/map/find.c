/* Searching a map: the range, then the kernels, chunk by chunk. */
#include <stdlib.h>
#include <string.h>

#include "map/access_loop.h"
#include "map/own_memory.h"
#include "map/source.h"
#include "search/search.h"

/* The positions [from, to) at which a match may begin. */
typedef struct positions {
    size_t from;
    size_t to;
} positions;

/* A search in progress. */
typedef struct search {
    const ironmap_map *map;
    const ironmap__kernels *kernels;
    ironmap__pattern pattern;
    positions left;
    bool forward;
    ironmap__match_sink matches; /* forward */
    size_t last;                 /* backward: the match, or IRONMAP__NO_MATCH */
} search;

/* As many positions as the kernels search without a loop. */
enum { NEAR_POSITIONS = 128 };

/* How many positions a chunk has: many more than the bytes that two chunks share. */
static size_t chunk_positions(size_t needle_size)
{
    bool large = needle_size > IRONMAP__CHUNK_BYTES / 8 && needle_size < SIZE_MAX / 8;
    return large ? needle_size * 8 : IRONMAP__CHUNK_BYTES;
}

/* Bytes from the first position that is left to the end of a match at the last. */
static size_t bytes_left(const search *s)
{
    return s->left.to - s->left.from + s->pattern.length - 1;
}

/* Removes the first `count` of the positions that are left, in the direction of the search. */
static positions next_positions(search *s, size_t count)
{
    positions next = s->left;
    if (next.to - next.from > count) {
        if (s->forward) {
            next.to = next.from + count;
        } else {
            next.from = next.to - count;
        }
    }
    if (s->forward) {
        s->left.from = next.to;
    } else {
        s->left.to = next.from;
    }
    return next;
}

/* Searches the next `count` positions. */
static void search_positions(search *s, size_t count)
{
    const uint8_t *data = s->map->mapping.data;
    positions next = next_positions(s, count);
    if (s->forward) {
        ironmap__search_forward(s->kernels, &s->matches, &s->pattern, data, next.from, next.to);
    } else {
        s->last = ironmap__search_backward(s->kernels, &s->pattern, data, next.from, next.to);
    }
}

static bool is_over(const search *s)
{
    return s->left.from >= s->left.to || s->last != IRONMAP__NO_MATCH ||
           s->matches.found == s->matches.capacity;
}

/* How far a search has come. */
typedef struct progress {
    positions left;
    ironmap__match_sink matches;
} progress;

static progress progress_of(const search *s)
{
    return (progress){s->left, s->matches};
}

/* What was searched since then does not count. The next positions set the match backward anew. */
static void go_back(search *s, progress to)
{
    s->left = to.left;
    s->matches = to.matches;
}

/* The bytes that the search needs. A needle in the map's own memory may be lost as well. */
static ironmap__access_range search_range(const search *s)
{
    const ironmap__mapping *mapping = &s->map->mapping;
    const ironmap__pattern *pattern = &s->pattern;
    const size_t haystack = bytes_left(s);
    if (!ironmap__map_contains(mapping, pattern->bytes, pattern->length)) {
        return (ironmap__access_range){s->left.from, haystack, false};
    }
    return ironmap__bounding_range(mapping, pattern->bytes, pattern->length,
                                   mapping->data + s->left.from, haystack);
}

/* Chunk by chunk, until the search is over or a page was lost. */
static int search_slow(search *s, ironmap_error *error)
{
    ironmap__access_loop loop;
    const ironmap__mapping *mapping = &s->map->mapping;
    ironmap__access_prepare(&loop, mapping, s->map, search_range(s), error);
    loop.total = s->left.to - s->left.from;
    loop.chunk = chunk_positions(s->pattern.length);
    ironmap__readahead_begin(&loop.readahead, mapping, s->left.from, s->left.from + bytes_left(s),
                             !s->forward);
    ironmap__access_start(&loop);
    progress before = progress_of(s);
    while (ironmap__access_next(&loop)) {
        if (loop.again) {
            go_back(s, before);
        }
        before = progress_of(s);
        if (loop.done == 0 || loop.again) {
            ironmap__pattern_init(&s->pattern, s->pattern.bytes, s->pattern.length);
        }
        search_positions(s, loop.count);
        if (is_over(s)) {
            ironmap__access_stop(&loop);
        }
    }
    return ironmap__access_end(&loop);
}

/* True if the nearest positions come first, by themselves: one match is wanted and is often there,
 * and for so few positions everything else takes longer to begin. */
static bool begins_near(const search *s)
{
    enum { MANY_POSITIONS = 32 * NEAR_POSITIONS };
    bool single = s->matches.capacity == 1 || !s->forward;
    return single && s->pattern.length > 1 && s->left.to - s->left.from > MANY_POSITIONS;
}

/* Fast path, if no page of the map is lost, also none of a needle in it: the nearest positions, and
 * the rest if it is no more than a chunk. False if something is left, and if a page was lost; then
 * the search is as before. */
static bool search_fast(search *s)
{
    ironmap__guard guard;
    const ironmap__mapping *mapping = &s->map->mapping;
    bool is_near = begins_near(s);
    if ((!is_near && bytes_left(s) > IRONMAP__CHUNK_BYTES) ||
        s->pattern.length > IRONMAP__CHUNK_BYTES || !ironmap__guard_try(&guard, mapping)) {
        return false;
    }
    const progress before = progress_of(s);
    ironmap__pattern_init(&s->pattern, s->pattern.bytes, s->pattern.length);
    ironmap__guard_enter(mapping);
    search_positions(s, is_near ? NEAR_POSITIONS : IRONMAP__CHUNK_BYTES);
    if (is_near && !is_over(s) && bytes_left(s) <= IRONMAP__CHUNK_BYTES) {
        search_positions(s, IRONMAP__CHUNK_BYTES);
    }
    ironmap__guard_exit();
    if (!ironmap__guard_held(guard, false)) {
        go_back(s, before);
        return false;
    }
    return is_over(s);
}

static int search_bytes(search *s, ironmap_error *error)
{
    return search_fast(s) ? IRONMAP_OK : search_slow(s, error);
}

/* Searches for a needle that is, in part or whole, the memory of another map: for a copy of it. */
static IRONMAP__COLD int search_mapped(search *s, ironmap_error *error)
{
    size_t length = s->pattern.length;
    uint8_t *needle = malloc(length);
    if (needle == NULL) {
        return ironmap__fail(error, IRONMAP_E_NOMEM);
    }
    int status = ironmap__load(needle, s->pattern.bytes, length, error);
    if (status == IRONMAP_OK) {
        s->pattern.bytes = needle;
        status = search_bytes(s, error);
    }
    free(needle);
    return status;
}

/* A needle in the map's own memory has the same guard as the haystack. */
static int search_run(search *s, ironmap_error *error)
{
    const ironmap__pattern *needle = &s->pattern;
    bool mapped = ironmap__is_mapped(needle->bytes, needle->length) &&
                  !ironmap__map_contains_all(&s->map->mapping, needle->bytes, needle->length);
    return IRONMAP__RARE(mapped) ? search_mapped(s, error) : search_bytes(s, error);
}

/* What the caller asked for. */
typedef struct request {
    const ironmap_map *map;
    const void *needle;
    size_t length;
    uint64_t start;
    uint64_t end;
} request;

/* `*possible` tells if the needle can be in the range, which is cut to the map. */
static int request_check(request *r, bool *possible, ironmap_error *error)
{
    *possible = r->start <= r->end && r->length <= r->end - r->start;
    return r->map->mapping.mode.readable ? IRONMAP_OK
                                         : ironmap__fail(error, IRONMAP_E_NOT_READABLE);
}

static request request_of(const ironmap_map *map, const void *needle, size_t size, uint64_t offset,
                          size_t length)
{
    return (request){map, needle, size, offset,
                     ironmap__range_end(offset, length, map->mapping.length)};
}

/* A search as requested, the needle not empty; its pattern is made under the guard. */
static void search_init(search *s, const request *r, bool forward, ironmap__match_sink matches)
{
    s->map = r->map;
    s->kernels = ironmap__best_kernels(ironmap__keeps_wide_registers());
    s->pattern.bytes = r->needle;
    s->pattern.length = r->length;
    s->left = (positions){(size_t)r->start, (size_t)r->end - r->length + 1};
    s->forward = forward;
    s->matches = matches;
    s->last = IRONMAP__NO_MATCH;
}

/* ---- a match nearby ---- */

/* The first, or last, of the positions with that byte. The count if there is none. */
static size_t first_position(const uint8_t *bytes, positions within, uint8_t byte)
{
    const uint8_t *hit = memchr(bytes + within.from, byte, within.to - within.from);
    return hit == NULL ? within.to : (size_t)(hit - bytes);
}

static size_t last_position(const uint8_t *bytes, positions within, uint8_t byte)
{
    size_t at = within.to;
    while (at > within.from && bytes[at - 1] != byte) {
        at--;
    }
    return at > within.from ? at - 1 : within.to;
}

/* Sets the match among the positions, or NO_MATCH. False if it is not known: the needle's first
 * byte is frequent. */
static bool try_few(size_t *match, const request *r, const uint8_t *bytes, positions left,
                    bool forward)
{
    enum { POSITIONS_TRIED = 3 };
    const uint8_t *needle = r->needle;
    for (int i = 0; i < POSITIONS_TRIED; i++) {
        size_t at = forward ? first_position(bytes, left, needle[0])
                            : last_position(bytes, left, needle[0]);
        bool none = at == left.to;
        if (none || memcmp(bytes + at, needle, r->length) == 0) {
            *match = none ? IRONMAP__NO_MATCH : at;
            return true;
        }
        left = forward ? (positions){at + 1, left.to} : (positions){left.from, at};
    }
    return false;
}

/* Fast path: a short needle that is the memory of no map, among the nearest positions. There a
 * search by the kernels takes longer to begin than to end. False if the search is as usual. */
static bool find_near(uint64_t *index, const request *r, bool forward)
{
    enum { NEAR_NEEDLE_MAX = 16, NEAR_BACKWARD = 64 };
    ironmap_short_read read;
    uint64_t count = r->end - r->start - r->length + 1;
    size_t near_count = (size_t)ironmap__min(count, forward ? NEAR_POSITIONS : NEAR_BACKWARD);
    uint64_t first = forward ? r->start : r->start + (count - near_count);
    if (r->length > NEAR_NEEDLE_MAX || ironmap__is_mapped(r->needle, r->length) ||
        !ironmap_short_read_begin(&read, r->map, first, near_count + r->length - 1)) {
        return false;
    }
    size_t match = IRONMAP__NO_MATCH;
    bool known = try_few(&match, r, read.bytes, (positions){0, near_count}, forward);
    known = known && (match != IRONMAP__NO_MATCH || near_count == count);
    if (!ironmap_short_read_end(&read, r->map) || !known) {
        return false;
    }
    *index = match == IRONMAP__NO_MATCH ? IRONMAP_NOT_FOUND : first + match;
    return true;
}

/* ---- one match ---- */

/* Slow path, by the kernels. */
static IRONMAP__NOINLINE int find_far(uint64_t *index, const request *r, bool forward,
                                      ironmap_error *error)
{
    search s;
    uint64_t match = 0; /* what a search that failed left there counts for nothing */
    search_init(&s, r, forward, (ironmap__match_sink){.offsets = &match, .capacity = 1, .step = 1});
    int status = search_run(&s, error);
    if (status == IRONMAP_OK) {
        bool found = s.matches.found > 0 || s.last != IRONMAP__NO_MATCH;
        *index = !found ? IRONMAP_NOT_FOUND : forward ? match : s.last;
    }
    return status;
}

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
    if (find_near(index, &r, forward)) {
        return IRONMAP_OK;
    }
    return find_far(index, &r, forward, error);
}

int ironmap_find(uint64_t *index, const ironmap_map *map, const void *needle, size_t size,
                 uint64_t offset, size_t length, ironmap_error *error)
{
    return find_one(index, request_of(map, needle, size, offset, length), true, error);
}

int ironmap_rfind(uint64_t *index, const ironmap_map *map, const void *needle, size_t size,
                  uint64_t offset, size_t length, ironmap_error *error)
{
    return find_one(index, request_of(map, needle, size, offset, length), false, error);
}

/* ---- many ---- */

int ironmap_count(size_t *count, const ironmap_map *map, const void *needle, size_t size,
                  uint64_t offset, size_t length, ironmap_error *error)
{
    request r = request_of(map, needle, size, offset, length);
    bool possible = false;
    int status = request_check(&r, &possible, error);
    if (status != IRONMAP_OK) {
        return status;
    }
    if (!possible || size == 0) {
        *count = possible ? (size_t)(r.end - r.start) + 1 : 0;
        return IRONMAP_OK;
    }
    search s;
    search_init(&s, &r, true, (ironmap__match_sink){.capacity = SIZE_MAX, .step = size});
    status = search_run(&s, error);
    if (status == IRONMAP_OK) {
        *count = s.matches.found;
    }
    return status;
}

/* An empty needle matches at every byte and at the end. */
static void find_empty(ironmap__match_sink *matches, const request *r)
{
    matches->next = (size_t)r->start;
    while (matches->found < matches->capacity && matches->next <= r->end) {
        matches->offsets[matches->found++] = matches->next++;
    }
}

static int check_matches(const ironmap_matches *matches, ironmap_error *error)
{
    if (matches->offsets == NULL || matches->capacity == 0) {
        return ironmap__fail_invalid(error, "matches without room for an offset");
    }
    return ironmap__check_reserved(matches->reserved, sizeof(matches->reserved) / sizeof(uint64_t),
                                   error);
}

int ironmap_find_all(ironmap_matches *matches, const ironmap_map *map, const void *needle,
                     size_t size, uint64_t offset, size_t length, ironmap_error *error)
{
    request r = request_of(map, needle, size, offset, length);
    bool possible = false;
    int status = check_matches(matches, error);
    r.start = ironmap__max(offset, matches->next);
    if (status == IRONMAP_OK) {
        status = request_check(&r, &possible, error);
    }
    if (status != IRONMAP_OK) {
        return status;
    }
    search s = {.map = map};
    if (possible) {
        size_t step = matches->overlapping || size == 0 ? 1 : size;
        search_init(&s, &r, true,
                    (ironmap__match_sink){matches->offsets, matches->capacity, step, 0, 0});
        if (size == 0) {
            find_empty(&s.matches, &r);
        } else {
            status = search_run(&s, error);
        }
    }
    if (status == IRONMAP_OK) {
        bool more = s.matches.found == matches->capacity;
        matches->found = s.matches.found;
        matches->next = more ? s.matches.next : IRONMAP_NOT_FOUND;
    }
    return status;
}
