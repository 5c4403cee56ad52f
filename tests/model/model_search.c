/* Searches, beside naive ones. */
#include "model.h"

/* Matches of a needle in m->expected, which is what the map shows in [from, to). */
typedef struct search {
    span range;
    const uint8_t *needle;
    size_t size;
} search;

static bool is_match(const model *m, const search *s, size_t at)
{
    return memcmp(m->expected + (at - s->range.from), s->needle, s->size) == 0;
}

/* The first match at or behind `at`, or SIZE_MAX. */
static size_t next_match(const model *m, const search *s, size_t at)
{
    for (; at + s->size <= s->range.to; at++) {
        if (is_match(m, s, at)) {
            return at;
        }
    }
    return SIZE_MAX;
}

/* True if a match at or behind `start` depends on lost bytes: all that is there of some place is
 * the needle's. Of other places, a search may see that they do not match without the lost bytes. */
static bool needs_lost(const model *m, const search *s, size_t start)
{
    size_t lost = model_lost(m);
    size_t at = lost > start + s->size ? lost - s->size + 1 : start;

    for (; at + s->size <= s->range.to; at++) {
        size_t end = at + s->size < lost ? at + s->size : lost;

        if (at + s->size > lost &&
            (at >= lost || memcmp(m->expected + (at - s->range.from), s->needle, end - at) == 0)) {
            return true;
        }
    }
    return false;
}

/* A needle that is often in the range: one of its pieces, sometimes changed, or at random. */
static search some_search(model *m)
{
    static uint8_t needle[200];
    span range = model_span(m);
    size_t size = 1 + model_below(m, model_chance(m, 3) ? sizeof(needle) : 3);
    size_t at = 0;

    if (range.to - range.from < 3 * sizeof(needle)) {
        size_t to = range.from + 3 * sizeof(needle);

        range.to = to < m->length ? to : m->length;
    }
    size = size < range.to - range.from ? size : range.to - range.from;
    model_expect(m, m->expected, range.from, range.to);
    at = model_below(m, range.to - range.from - size + 1);
    memcpy(needle, m->expected + at, size);
    if (model_chance(m, 3)) {
        needle[model_below(m, size)] ^= 1;
    }
    return (search){range, needle, size};
}

/* Two thirds of the needles are memory of the test, the others of the map. */
static const void *needle_of(model *m, const search *s)
{
    size_t at = next_match(m, s, s->range.from);

    if (at != SIZE_MAX && at + s->size <= model_lost(m) && !model_is_damaged(m) &&
        model_chance(m, 3)) {
        return (const uint8_t *)ironmap_data(m->map) + at;
    }
    return s->needle;
}

void model_find(model *m)
{
    search s = some_search(m);
    size_t right = next_match(m, &s, s.range.from);
    uint64_t found = 0;
    bool is_sure = right != SIZE_MAX && right + s.size <= model_lost(m);

    model_note(m, "find", s.range.from, s.range.to);
    int status = ironmap_find(&found, m->map, needle_of(m, &s), s.size, s.range.from,
                              s.range.to - s.range.from, &m->error);
    if (model_judge_search(m, status, s.range.from, s.range.to,
                           !is_sure && needs_lost(m, &s, s.range.from))) {
        model_check(m, found == (right == SIZE_MAX ? IRONMAP_NOT_FOUND : right), "find");
    }
}

void model_rfind(model *m)
{
    search s = some_search(m);
    size_t right = SIZE_MAX;
    uint64_t found = 0;

    for (size_t at = s.range.to - s.size + 1; at-- > s.range.from && right == SIZE_MAX;) {
        right = is_match(m, &s, at) ? at : SIZE_MAX;
    }
    model_note(m, "rfind", s.range.from, s.range.to);
    int status = ironmap_rfind(&found, m->map, needle_of(m, &s), s.size, s.range.from,
                               s.range.to - s.range.from, &m->error);
    if (model_judge_search(m, status, s.range.from, s.range.to, needs_lost(m, &s, s.range.from))) {
        model_check(m, found == (right == SIZE_MAX ? IRONMAP_NOT_FOUND : right), "rfind");
    }
}

void model_count(model *m)
{
    search s = some_search(m);
    size_t right = 0;
    size_t count = 0;
    size_t next = s.range.from; /* behind the last match that needs no lost byte */

    for (size_t at = next_match(m, &s, s.range.from); at != SIZE_MAX;
         at = next_match(m, &s, at + s.size)) {
        right++;
        next = at + s.size <= model_lost(m) ? at + s.size : next;
    }
    model_note(m, "count", s.range.from, s.range.to);
    int status = ironmap_count(&count, m->map, needle_of(m, &s), s.size, s.range.from,
                               s.range.to - s.range.from, &m->error);
    if (model_judge_search(m, status, s.range.from, s.range.to, needs_lost(m, &s, next))) {
        model_check(m, count == right, "count");
    }
}

/* Batches until nothing is found. A batch before the lost pages is right. */
void model_find_all(model *m)
{
    enum { BATCH = 7 };
    search s = some_search(m);
    uint64_t offsets[BATCH];
    ironmap_matches matches = {.offsets = offsets,
                               .capacity = 1 + model_below(m, BATCH),
                               .overlapping = model_chance(m, 2)};
    size_t step = matches.overlapping ? 1 : s.size;
    size_t right = next_match(m, &s, s.range.from);
    size_t next = s.range.from;

    model_note(m, "find_all", s.range.from, s.range.to);
    for (size_t batch = 0; batch < 20; batch++) {
        size_t sure = 0;

        for (size_t at = right;
             sure < matches.capacity && at != SIZE_MAX && at + s.size <= model_lost(m);
             at = next_match(m, &s, next)) {
            next = at + step;
            sure++;
        }
        bool is_sure = sure == matches.capacity;
        int status = ironmap_find_all(&matches, m->map, s.needle, s.size, s.range.from,
                                      s.range.to - s.range.from, &m->error);
        if (!model_judge_search(m, status, s.range.from, s.range.to,
                                !is_sure && needs_lost(m, &s, next))) {
            return;
        }
        for (size_t i = 0; i < matches.found; i++) {
            model_check(m, offsets[i] == right, "find_all");
            right = next_match(m, &s, right + step);
        }
        if (matches.found < matches.capacity) {
            model_check(m, right == SIZE_MAX, "find_all ends too early");
            return;
        }
    }
}

void model_lines(model *m)
{
    enum { BATCH = 5 };
    span range = model_span(m);
    uint64_t offsets[BATCH];
    size_t lengths[BATCH];
    ironmap_lines lines = {.offsets = offsets, .lengths = lengths, .capacity = BATCH};
    size_t at = range.from;

    model_note(m, "lines", range.from, range.to);
    model_expect(m, m->expected, range.from, range.to);
    for (size_t batch = 0; batch < 20; batch++) {
        int status =
            ironmap_find_lines(&lines, m->map, range.from, range.to - range.from, &m->error);

        if (!model_judge_search(m, status, range.from, range.to, false)) {
            return;
        }
        for (size_t i = 0; i < lines.found; i++) {
            const uint8_t *line = m->expected + (at - range.from);
            const uint8_t *newline = memchr(line, '\n', range.to - at);
            size_t length = newline == NULL ? range.to - at : (size_t)(newline - line) + 1;

            model_check(m, at + length <= model_lost(m), "lines: no error for a lost page");
            model_check(m, offsets[i] == at && lengths[i] == length, "lines");
            at += length;
        }
        if (lines.found < BATCH) {
            model_check(m, at == range.to, "lines end too early");
            return;
        }
    }
}
