/* find and rfind: their results, their ranges, and linear worst cases. */
#include "support.h"

static uint64_t find(const ironmap_map *map, const void *needle, size_t length, uint64_t start,
                     uint64_t end)
{
    uint64_t index = 0;

    assert_ok(
        ironmap_find(&index, map, needle, length, start, length_between(start, end), &failure));
    return index;
}

static uint64_t rfind(const ironmap_map *map, const void *needle, size_t length, uint64_t start,
                      uint64_t end)
{
    uint64_t index = 0;

    assert_ok(
        ironmap_rfind(&index, map, needle, length, start, length_between(start, end), &failure));
    return index;
}

/* ---- the table ---- */

#define NONE IRONMAP_NOT_FOUND
#define END IRONMAP_TO_END

typedef struct search_case {
    const char *haystack;
    const char *needle;
    uint64_t start;
    uint64_t end;
    uint64_t find;
    uint64_t rfind;
} search_case;

static const search_case search_cases[] = {
    /* one byte: first, last, middle, twice, missing */
    {"abc", "a", 0, END, 0, 0},
    {"abc", "b", 0, END, 1, 1},
    {"abc", "c", 0, END, 2, 2},
    {"abcabc", "b", 0, END, 1, 4},
    {"abc", "d", 0, END, NONE, NONE},
    /* several bytes: self-overlapping, at both ends, as long as the map, longer */
    {"abcabc", "bc", 0, END, 1, 4},
    {"aaaaa", "aa", 0, END, 0, 3},
    {"abababa", "aba", 0, END, 0, 4},
    {"abc", "abc", 0, END, 0, 0},
    {"abc", "abcd", 0, END, NONE, NONE},
    {"abc", "bcd", 0, END, NONE, NONE},
    {"abc", "xab", 0, END, NONE, NONE},
    {"hello, world", "world", 0, END, 7, 7},
    {"hello, world", "wordl", 0, END, NONE, NONE},
    /* false starts */
    {"aabaabaaab", "aaab", 0, END, 6, 6},
    {"abcabcabd", "abcabd", 0, END, 3, 3},
    {"mississippi", "issip", 0, END, 4, 4},
    {"mississippi", "issi", 0, END, 1, 4},
    /* periodic needles */
    {"abababababab", "abab", 0, END, 0, 8},
    {"xabababababx", "ababab", 0, END, 1, 5},
    {"abababac", "ababac", 0, END, 2, 2},
    {"cababab", "cabab", 0, END, 0, 0},
    {"aaaaaaab", "aaab", 0, END, 4, 4},
    {"baaaaaaa", "baaa", 0, END, 0, 0},
    {"abaababaabaab", "abaab", 0, END, 0, 8},
    /* the whole needle lies in [start, end) */
    {"abcabc", "abc", 1, END, 3, 3},
    {"abcabc", "abc", 0, 5, 0, 0},
    {"abcabc", "abc", 1, 5, NONE, NONE},
    {"abcabc", "abc", 3, 6, 3, 3},
    {"abcabc", "abc", 4, END, NONE, NONE},
    {"abcabc", "c", 0, 2, NONE, NONE},
    {"abcabc", "c", 2, 3, 2, 2},
    {"abcabc", "a", 3, 4, 3, 3},
    {"abcabc", "a", 3, 3, NONE, NONE},
    {"abcabc", "a", 6, 6, NONE, NONE},
    /* bounds are clipped to the map */
    {"abcabc", "abc", 0, 7, 0, 3},
    {"abcabc", "abc", 0, UINT64_MAX, 0, 3},
    {"abcabc", "abc", 0, INT64_MAX, 0, 3},
    {"abcabc", "abc", 3, UINT64_C(1) << 32, 3, 3},
    {"abcabc", "abc", 7, END, NONE, NONE},
    {"abcabc", "abc", UINT64_MAX, UINT64_MAX, NONE, NONE},
    {"abcabc", "abc", UINT64_C(1) << 32, UINT64_MAX, NONE, NONE},
    /* the empty needle: at start and at end, the ends of the range */
    {"abc", "", 0, END, 0, 3},
    {"abc", "", 1, END, 1, 3},
    {"abc", "", 1, 2, 1, 2},
    {"abc", "", 2, 2, 2, 2},
    {"abc", "", 3, 3, 3, 3},
    {"abc", "", 0, 0, 0, 0},
    {"abc", "", 3, END, 3, 3},
    /* the empty map */
    {"", "a", 0, END, NONE, NONE},
    {"", "ab", 0, END, NONE, NONE},
    {"", "", 0, END, 0, 0},
    {"", "", 0, 0, 0, 0},
};

/* find returns the lowest offset in [start, end), rfind the highest. */
static void find_and_rfind_match_the_table(void **state)
{
    fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(search_cases); i++) {
        const search_case *row = &search_cases[i];
        size_t length = strlen(row->needle);
        uint64_t first;
        uint64_t last;

        map_text(f, row->haystack);
        first = find(f->map, row->needle, length, row->start, row->end);
        last = rfind(f->map, row->needle, length, row->start, row->end);
        if (first != row->find || last != row->rfind) {
            print_error("\"%s\" in \"%s\"[%" PRIu64 ":%" PRIu64 "]\n", row->needle, row->haystack,
                        row->start, row->end);
        }
        assert_u64(first, row->find);
        assert_u64(last, row->rfind);
        map_close(f);
    }
}

/* An empty needle is found at the end of the map, and not beyond. */
static void start_beyond_the_map_finds_nothing(void **state)
{
    fixture *f = *state;

    map_text(f, "abc");
    assert_u64(find(f->map, "", 0, 3, END), 3);
    assert_u64(find(f->map, "", 0, 4, END), IRONMAP_NOT_FOUND);
    assert_u64(rfind(f->map, "", 0, UINT64_MAX, UINT64_MAX), IRONMAP_NOT_FOUND);
}

/* Zero bytes and bytes above 127 too. */
static void every_byte_can_be_found(void **state)
{
    fixture *f = *state;
    uint8_t bytes[256];

    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)i;
    }
    map_anonymous(f, IRONMAP_WRITE, 512);
    assert_ok(ironmap_put(f->map, 0, bytes, 256, &failure));
    assert_ok(ironmap_put(f->map, 256, bytes, 256, &failure));
    for (size_t i = 0; i < sizeof(bytes); i++) {
        assert_u64(find(f->map, &bytes[i], 1, 0, END), i);
        assert_u64(rfind(f->map, &bytes[i], 1, 0, END), 256 + i);
        assert_u64(find(f->map, &bytes[i], 256 - i, 0, END), i);
        assert_u64(rfind(f->map, &bytes[i], 256 - i, 0, END), 256 + i);
    }
}

static void needle_may_lie_in_the_map(void **state)
{
    fixture *f = *state;
    const char *data;

    map_text(f, "abcdefabcdef");
    data = ironmap_data(f->map);
    assert_u64(find(f->map, data + 8, 3, 0, END), 2);
    assert_u64(rfind(f->map, data + 2, 3, 0, END), 8);
    assert_u64(find(f->map, data, 12, 0, END), 0);
}

/* ---- against a naive reference ---- */

typedef struct trial {
    uint8_t haystack[700];
    size_t n;
    uint8_t needle[700];
    size_t m;
    uint64_t start; /* both inside the haystack */
    uint64_t end;
} trial;

static uint64_t naive(const trial *t, bool last)
{
    uint64_t found = NONE;

    for (uint64_t i = t->start; i <= t->end && t->m <= t->end - i; i++) {
        if (memcmp(t->haystack + i, t->needle, t->m) == 0) {
            found = i;
            if (!last) {
                break;
            }
        }
    }
    return found;
}

/* A haystack of few letters, and a needle that occurs in it or almost. */
static void make_trial(trial *t, random_source *random)
{
    uint64_t letters = 1 + random_below(random, 4);

    t->n = (size_t)random_below(random, random_below(random, 4) == 0 ? sizeof(t->haystack) : 60);
    for (size_t i = 0; i < t->n; i++) {
        t->haystack[i] = (uint8_t)('a' + random_below(random, letters));
    }
    t->m = (size_t)random_below(random, random_below(random, 2) == 0 ? t->n + 2 : 6);
    for (size_t i = 0, from = (size_t)random_below(random, t->n + 1); i < t->m; i++) {
        t->needle[i] = from + i < t->n ? t->haystack[from + i]
                                       : (uint8_t)('a' + random_below(random, letters));
    }
    if (t->m > 0 && random_below(random, 3) == 0) {
        t->needle[random_below(random, t->m)] = (uint8_t)('a' + random_below(random, letters));
    }
    t->start = random_below(random, 3) == 0 ? random_below(random, t->n + 1) : 0;
    t->end =
        random_below(random, 3) == 0 ? t->start + random_below(random, t->n - t->start + 1) : t->n;
}

/* `index` is the result of the naive search. The haystack begins at `alignment` in the map. */
static void assert_found(const trial *t, uint64_t index, size_t alignment, bool last)
{
    uint64_t expected = naive(t, last);

    if (index != (expected == NONE ? NONE : expected + alignment)) {
        fail_msg("%s of \"%.*s\" in \"%.*s\"[%" PRIu64 ":%" PRIu64 "] is %" PRIu64 ", not %" PRIu64,
                 last ? "rfind" : "find", (int)t->m, (const char *)t->needle, (int)t->n,
                 (const char *)t->haystack, t->start, t->end, index - alignment, expected);
    }
}

/* Property: in random haystacks, at any alignment. */
static void random_searches_match_a_naive_one(void **state)
{
    fixture *f = *state;
    random_source random = random_start();
    static trial t;

    map_anonymous(f, IRONMAP_WRITE, sizeof(t.haystack) + 64);
    for (int round = 0; round < 30000; round++) {
        size_t alignment = (size_t)random_below(&random, 64);

        make_trial(&t, &random);
        assert_ok(ironmap_put(f->map, alignment, t.haystack, t.n, &failure));
        assert_found(&t, find(f->map, t.needle, t.m, alignment + t.start, alignment + t.end),
                     alignment, false);
        assert_found(&t, rfind(f->map, t.needle, t.m, alignment + t.start, alignment + t.end),
                     alignment, true);
    }
}

/* ---- memory at the edges ---- */

enum { EDGE = 80 };

/* A map of three pages. Returns the second one. The others are not accessible. */
static uint8_t *map_between_revoked_pages(fixture *f)
{
    size_t page = ironmap_page_size();
    uint8_t *data;

    map_anonymous(f, IRONMAP_WRITE, 3 * page);
    data = ironmap_data(f->map);
    memset(data + page, 'a', page);
    memory_revoke(data, page);
    memory_revoke(data + 2 * page, page);
    return data + page;
}

/* One or two matches lie near the beginning of the range. */
static void nearest_match_of_a_long_range_is_found(void **state)
{
    static const size_t lengths[] = {5000, 100000, 3000000};
    fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        const size_t n = lengths[i];

        map_anonymous(f, IRONMAP_WRITE, n);
        for (size_t place = 0; place < 300; place++) {
            const size_t back = n - 4 - place;

            assert_ok(ironmap_put(f->map, place, "need", 4, &failure));
            assert_ok(ironmap_put(f->map, back, "need", 4, &failure));
            assert_u64(find(f->map, "need", 4, 0, IRONMAP_TO_END), place);
            assert_u64(rfind(f->map, "need", 4, 0, IRONMAP_TO_END), back);
            assert_u64(find(f->map, "need", 4, place + 1, IRONMAP_TO_END), back);
            assert_u64(rfind(f->map, "need", 4, 0, back + 3), place);
            assert_ok(ironmap_fill(f->map, place, 0, 4, &failure));
            assert_ok(ironmap_fill(f->map, back, 0, 4, &failure));
        }
        assert_u64(find(f->map, "need", 4, 0, IRONMAP_TO_END), IRONMAP_NOT_FOUND);
        map_close(f);
    }
}

static void search_stops_at_its_end(void **state)
{
    fixture *f = *state;
    size_t page = ironmap_page_size();
    uint8_t *middle = map_between_revoked_pages(f);
    uint8_t needle[EDGE];

    memset(needle, 'a', sizeof(needle));
    for (size_t m = 1; m <= EDGE; m++) {
        for (size_t n = 0; n <= EDGE; n++) {
            uint64_t start = 2 * page - n;
            uint64_t end = 2 * page;

            needle[m - 1] = 'b';
            assert_u64(find(f->map, needle, m, start, end), NONE);
            assert_u64(rfind(f->map, needle, m, start, end), NONE);
            middle[page - 1] = 'b';
            assert_u64(find(f->map, needle, m, start, end), m <= n ? end - m : NONE);
            assert_u64(rfind(f->map, needle, m, start, end), m <= n ? end - m : NONE);
            middle[page - 1] = 'a';
            needle[m - 1] = 'a';
            assert_u64(find(f->map, needle, m, start, end), m <= n ? start : NONE);
        }
    }
}

static void search_stops_at_its_start(void **state)
{
    fixture *f = *state;
    size_t page = ironmap_page_size();
    uint8_t *middle = map_between_revoked_pages(f);
    uint8_t needle[EDGE];

    memset(needle, 'a', sizeof(needle));
    for (size_t m = 1; m <= EDGE; m++) {
        for (size_t n = 0; n <= EDGE; n++) {
            uint64_t end = page + n;

            needle[0] = 'b';
            assert_u64(find(f->map, needle, m, page, end), NONE);
            assert_u64(rfind(f->map, needle, m, page, end), NONE);
            middle[0] = 'b';
            assert_u64(find(f->map, needle, m, page, end), m <= n ? page : NONE);
            assert_u64(rfind(f->map, needle, m, page, end), m <= n ? page : NONE);
            middle[0] = 'a';
            needle[0] = 'a';
            assert_u64(rfind(f->map, needle, m, page, end), m <= n ? end - m : NONE);
        }
    }
}

static void search_reads_nothing_around_its_needle(void **state)
{
    fixture *f = *state;
    size_t page = ironmap_page_size();
    uint8_t *middle = map_between_revoked_pages(f);
    ironmap_map *haystack = NULL;
    ironmap_options options = options_of(0, 1000);

    assert_ok(ironmap_open_anonymous(&haystack, IRONMAP_WRITE, &options, &failure));
    assert_ok(ironmap_fill(haystack, 100, 'a', 900, &failure));
    for (size_t m = 1; m <= EDGE; m++) {
        assert_u64(find(haystack, middle, m, 0, END), 100);
        assert_u64(rfind(haystack, middle, m, 0, END), 1000 - m);
        assert_u64(find(haystack, middle + page - m, m, 0, END), 100);
        assert_u64(rfind(haystack, middle + page - m, m, 0, END), 1000 - m);
    }
    assert_ok(ironmap_close(haystack, &failure));
}

/* The file ends with a page. */
static void file_is_searched_to_its_last_byte(void **state)
{
    fixture *f = *state;
    size_t page = ironmap_page_size();
    static const char last[] = "and these are its very last bytes";

    file_make(f, page);
    file_store(f, page - sizeof(last), last, sizeof(last));
    map_file(f, IRONMAP_READ);
    assert_u64(find(f->map, last, sizeof(last), 0, END), page - sizeof(last));
    assert_u64(rfind(f->map, last, sizeof(last), 0, END), page - sizeof(last));
    assert_u64(find(f->map, "not there at all", 16, 0, END), NONE);
    assert_u64(rfind(f->map, "not there at all", 16, 0, END), NONE);
}

/* ---- worst cases ---- */

enum { HUGE_LENGTH = 8 << 20, NEEDLE_LENGTH = 4097 };

/* These searches must end: in quadratic time they take hours. */
static void assert_ends(const ironmap_map *map, const uint8_t *needle, size_t length)
{
    assert_u64(find(map, needle, length, 0, END), NONE);
    assert_u64(rfind(map, needle, length, 0, END), NONE);
}

/* A needle of equal bytes with one other at its end, start or middle. */
static void needle_that_almost_matches_everywhere_is_linear(void **state)
{
    static const size_t odd[] = {NEEDLE_LENGTH - 1, 0, NEEDLE_LENGTH / 2, NEEDLE_LENGTH - 2, 1};
    fixture *f = *state;
    uint8_t needle[NEEDLE_LENGTH];

    map_anonymous(f, IRONMAP_WRITE, HUGE_LENGTH);
    assert_ok(ironmap_fill(f->map, 0, 'a', HUGE_LENGTH, &failure));
    for (size_t i = 0; i < COUNT_OF(odd); i++) {
        memset(needle, 'a', sizeof(needle));
        needle[odd[i]] = 'b';
        assert_ends(f->map, needle, sizeof(needle));
    }
}

/* Each run is one byte shorter than the needle. */
static void runs_that_almost_match_are_linear(void **state)
{
    fixture *f = *state;
    uint8_t needle[NEEDLE_LENGTH];

    map_anonymous(f, IRONMAP_WRITE, HUGE_LENGTH);
    assert_ok(ironmap_fill(f->map, 0, 'a', HUGE_LENGTH, &failure));
    for (uint64_t i = 0; i < HUGE_LENGTH; i += NEEDLE_LENGTH) {
        assert_ok(ironmap_put_byte(f->map, i, 'b', &failure));
    }
    memset(needle, 'a', sizeof(needle));
    assert_ends(f->map, needle, sizeof(needle));
}

/* The haystack has the same period. */
static void periodic_needle_with_a_mismatch_is_linear(void **state)
{
    fixture *f = *state;
    uint8_t needle[NEEDLE_LENGTH];
    uint8_t *data;

    map_anonymous(f, IRONMAP_WRITE, HUGE_LENGTH);
    data = ironmap_data(f->map);
    for (size_t i = 0; i < HUGE_LENGTH; i++) {
        data[i] = (uint8_t)('a' + i % 3);
    }
    for (size_t flaw = 0; flaw < NEEDLE_LENGTH; flaw += NEEDLE_LENGTH / 4) {
        memcpy(needle, data, sizeof(needle));
        needle[flaw] = 'z';
        assert_ends(f->map, needle, sizeof(needle));
        needle[flaw] = needle[flaw > 0 ? flaw - 1 : 1];
        assert_ends(f->map, needle, sizeof(needle));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_fixture(find_and_rfind_match_the_table),
        with_fixture(start_beyond_the_map_finds_nothing),
        with_fixture(every_byte_can_be_found),
        with_fixture(needle_may_lie_in_the_map),
        with_fixture(random_searches_match_a_naive_one),
        with_fixture(nearest_match_of_a_long_range_is_found),
        with_fixture(search_stops_at_its_end),
        with_fixture(search_stops_at_its_start),
        with_fixture(search_reads_nothing_around_its_needle),
        with_fixture(file_is_searched_to_its_last_byte),
        with_fixture(needle_that_almost_matches_everywhere_is_linear),
        with_fixture(runs_that_almost_match_are_linear),
        with_fixture(periodic_needle_with_a_mismatch_is_linear),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
