/* count and find_all: matches over batches and chunks, and interruption. */
#include "support.h"

#include <stdlib.h>

enum { MIB = 1 << 20 };

static size_t count(const ironmap_map *map, const char *needle, uint64_t start, uint64_t end)
{
    size_t result = 0;

    assert_ok(ironmap_count(&result, map, needle, strlen(needle), start, length_between(start, end),
                            &failure));
    return result;
}

/* All offsets from `start` on, in batches of `batch`. Returns their number. */
static size_t find_all(uint64_t *offsets, size_t batch, const ironmap_map *map, const char *needle,
                       uint64_t start, uint64_t end, bool overlapping)
{
    ironmap_matches matches = {.offsets = offsets, .capacity = batch, .overlapping = overlapping};
    size_t total = 0;

    do {
        assert_ok(ironmap_find_all(&matches, map, needle, strlen(needle), start,
                                   length_between(start, end), &failure));
        assert_true(matches.found <= batch);
        total += matches.found;
        matches.offsets += matches.found;
    } while (matches.found > 0);
    assert_true(matches.next > ironmap_length(map));
    return total;
}

/* ---- the table ---- */

#define END IRONMAP_TO_END

typedef struct find_all_case {
    const char *haystack;
    const char *needle;
    uint64_t start;
    uint64_t end;
    const char *apart; /* offsets as letters: a is 0 */
    const char *overlapping;
} find_all_case;

static const find_all_case cases[] = {
    /* haystack, needle, start, end, apart, overlapping */
    {"abcabc", "abc", 0, END, "ad", "ad"},
    {"abcabc", "c", 0, END, "cf", "cf"},
    {"abcabc", "x", 0, END, "", ""},
    {"aaaaa", "a", 0, END, "abcde", "abcde"},
    {"aaaaa", "aa", 0, END, "ac", "abcd"},
    {"aaaaa", "aa", 1, END, "bd", "bcd"},
    {"aaaaa", "aa", 0, 4, "ac", "abc"},
    {"abababa", "aba", 0, END, "ae", "ace"},
    {"abcabcabcabc", "abcabcabc", 0, END, "a", "ad"},
    /* the whole needle lies in the range, which is clipped to the map */
    {"abcabc", "abc", 1, 5, "", ""},
    {"abcabc", "abc", 3, 99, "d", "d"},
    {"abcabc", "abc", 7, END, "", ""},
    {"abc", "abcd", 0, END, "", ""},
    /* the empty needle is at every byte, and at the end */
    {"abc", "", 0, END, "abcd", "abcd"},
    {"abc", "", 1, 2, "bc", "bc"},
    {"abc", "", 3, END, "d", "d"},
    {"abc", "", 4, END, "", ""},
    {"", "", 0, END, "a", "a"},
    {"", "a", 0, END, "", ""},
};

static void check_case(const ironmap_map *map, const find_all_case *row, bool overlapping)
{
    const char *expected = overlapping ? row->overlapping : row->apart;

    for (size_t batch = 1; batch <= 7; batch++) {
        uint64_t offsets[16];
        size_t found =
            find_all(offsets, batch, map, row->needle, row->start, row->end, overlapping);

        assert_u64(found, strlen(expected));
        for (size_t i = 0; i < found; i++) {
            assert_u64('a' + offsets[i], (uint8_t)expected[i]);
        }
    }
}

static void count_and_find_all_match_the_table(void **state)
{
    fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        map_text(f, cases[i].haystack);
        check_case(f->map, &cases[i], false);
        check_case(f->map, &cases[i], true);
        assert_u64(count(f->map, cases[i].needle, cases[i].start, cases[i].end),
                   strlen(cases[i].apart));
        map_close(f);
    }
}

static void batch_may_begin_inside_its_range(void **state)
{
    fixture *f = *state;
    uint64_t offsets[4];
    ironmap_matches matches = {.offsets = offsets, .capacity = 4, .next = 2};

    map_text(f, "aaaaa");
    assert_ok(ironmap_find_all(&matches, f->map, "a", 1, 0, 4, &failure));
    assert_u64(matches.found, 2);
    assert_u64(offsets[0], 2);
    assert_u64(offsets[1], 3);
}

/* ---- errors ---- */

static void batch_without_capacity_is_an_error(void **state)
{
    fixture *f = *state;
    static const char no_capacity[] = "matches without room for an offset";
    uint64_t offsets[1];
    ironmap_matches matches = {.next = 1, .found = 5};

    map_text(f, "abc");
    assert_invalid(ironmap_find_all(&matches, f->map, "a", 1, 0, END, &failure), no_capacity);
    matches.offsets = offsets;
    assert_invalid(ironmap_find_all(&matches, f->map, "a", 1, 0, END, &failure), no_capacity);
    matches.capacity = 1;
    matches.reserved[0] = 1;
    assert_fails(ironmap_find_all(&matches, f->map, "a", 1, 0, END, &failure),
                 IRONMAP_E_UNSUPPORTED);
    assert_u64(matches.next, 1);
    assert_u64(matches.found, 5);
}

/* ---- long searches ---- */

/* Matches cross the borders of chunks. Matches in a run of one letter depend on all earlier
 * ones. */
static void borders_of_chunks_hide_no_match(void **state)
{
    enum { LENGTH = 5 * MIB + 123, NEEDLE = 7 };
    fixture *f = *state;
    uint64_t *offsets = malloc(LENGTH * sizeof(*offsets));
    size_t found;

    assert_non_null(offsets);
    map_anonymous(f, IRONMAP_WRITE, LENGTH);
    assert_ok(ironmap_fill(f->map, 0, 'a', LENGTH, &failure));
    found = find_all(offsets, LENGTH, f->map, "aaaaaaa", 0, END, false);
    assert_u64(found, LENGTH / NEEDLE);
    for (size_t i = 0; i < found; i++) {
        assert_u64(offsets[i], i * NEEDLE);
    }
    assert_u64(count(f->map, "aaaaaaa", 0, END), found);
    assert_u64(find_all(offsets, 1000, f->map, "aaaaaaa", 0, END, true), LENGTH - NEEDLE + 1);
    assert_u64(count(f->map, "a", 0, END), LENGTH);
    free(offsets);
}

static void needles_longer_than_a_chunk_are_found(void **state)
{
    enum { LENGTH = 6 * MIB };
    fixture *f = *state;
    uint8_t *data;
    size_t result = 0;

    map_anonymous(f, IRONMAP_WRITE, LENGTH);
    data = ironmap_data(f->map);
    for (size_t i = 0; i < LENGTH; i++) {
        data[i] = (uint8_t)(i % (2 * MIB) * 2654435761U >> 13);
    }
    assert_ok(ironmap_count(&result, f->map, data, 2 * MIB, 0, END, &failure));
    assert_u64(result, 3);
    assert_ok(ironmap_count(&result, f->map, data, 2 * MIB - 1, 1, END - 1, &failure));
    assert_u64(result, 2);
}

/* ---- interruption ---- */

typedef struct checked {
    const ironmap_map *map;
    int times;
    int stop_at; /* 0: never */
} checked;

/* The map may be used in the check. */
static int check(void *context)
{
    checked *a = context;
    uint8_t byte = 0;

    a->times++;
    assert_ok(ironmap_get_byte(&byte, a->map, 0, &failure));
    return a->times == a->stop_at;
}

static void map_with_check(fixture *f, checked *a, size_t length)
{
    ironmap_options options = options_of(0, length);

    options.check = check;
    options.context = a;
    assert_ok(ironmap_open_anonymous(&f->map, IRONMAP_WRITE, &options, &failure));
    a->map = f->map;
}

static void long_searches_call_the_check(void **state)
{
    enum { LENGTH = 16 * MIB };
    fixture *f = *state;
    checked a = {0};
    uint64_t index = 0;

    map_with_check(f, &a, LENGTH);
    assert_ok(ironmap_find(&index, f->map, "ab", 2, 0, END, &failure));
    assert_true(a.times >= 8 && a.times <= 64);
    a.times = 0;
    assert_ok(ironmap_rfind(&index, f->map, "ab", 2, 0, END, &failure));
    assert_true(a.times >= 8 && a.times <= 64);
    a.times = 0;
    assert_u64(count(f->map, "ab", 0, END), 0);
    assert_true(a.times >= 8 && a.times <= 64);
    a.times = 0;
    assert_ok(ironmap_find(&index, f->map, "ab", 2, 0, 1000, &failure));
    assert_int_equal(a.times, 0);
}

static void search_can_be_interrupted(void **state)
{
    fixture *f = *state;
    checked a = {.stop_at = 3};
    uint64_t index = 77;
    uint64_t offsets[1];
    size_t result = 77;
    ironmap_matches matches = {.offsets = offsets, .capacity = 1};

    map_with_check(f, &a, 16 * MIB);
    assert_fails(ironmap_find(&index, f->map, "ab", 2, 0, END, &failure), IRONMAP_E_INTERRUPTED);
    a.times = 0;
    assert_fails(ironmap_rfind(&index, f->map, "ab", 2, 0, END, &failure), IRONMAP_E_INTERRUPTED);
    a.times = 0;
    assert_fails(ironmap_count(&result, f->map, "ab", 2, 0, END, &failure), IRONMAP_E_INTERRUPTED);
    a.times = 0;
    assert_fails(ironmap_find_all(&matches, f->map, "ab", 2, 0, END, &failure),
                 IRONMAP_E_INTERRUPTED);
    assert_int_equal(a.times, 3);
    assert_u64(index, 77);
    assert_u64(result, 77);
    assert_u64(matches.next, 0);
    /* the map can still be used */
    a.stop_at = 0;
    assert_ok(ironmap_find(&index, f->map, "ab", 2, 0, END, &failure));
    assert_u64(index, IRONMAP_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_fixture(count_and_find_all_match_the_table),
        with_fixture(batch_may_begin_inside_its_range),
        with_fixture(batch_without_capacity_is_an_error),
        with_fixture(borders_of_chunks_hide_no_match),
        with_fixture(needles_longer_than_a_chunk_are_found),
        with_fixture(long_searches_call_the_check),
        with_fixture(search_can_be_interrupted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
