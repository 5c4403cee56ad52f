/* find and rfind: what they find, where they look, and that no needle makes them slow. */
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
    /* one byte, first, last, middle, twice, missing */
    {"abc", "a", 0, END, 0, 0},
    {"abc", "b", 0, END, 1, 1},
    {"abc", "c", 0, END, 2, 2},
    {"abcabc", "b", 0, END, 1, 4},
    {"abc", "d", 0, END, NONE, NONE},
    /* several bytes, overlapping with themselves, at both ends, as long as the map, longer */
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
    /* start and end: the whole needle lies inside them */
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
    /* bounds outside the map are cut to it */
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

/* find gives the lowest place, rfind the highest, inside [start, end). */
static void table_of_cases(void **state)
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

/* An empty needle is at the end of the map too, and nowhere behind it. */
static void start_behind_the_map_finds_nothing(void **state)
{
    fixture *f = *state;

    map_text(f, "abc");
    assert_u64(find(f->map, "", 0, 3, END), 3);
    assert_u64(find(f->map, "", 0, 4, END), IRONMAP_NOT_FOUND);
    assert_u64(rfind(f->map, "", 0, UINT64_MAX, UINT64_MAX), IRONMAP_NOT_FOUND);
}

/* Zero bytes and bytes above 127 are bytes like others. */
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

/* The needle may be memory of the map itself. */
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

/* A haystack of few letters, and a needle that is likely to be in it or almost. */
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

/* `index`, found in a map where the haystack begins at `lead`, is what the naive search says. */
static void assert_found(const trial *t, uint64_t index, size_t lead, bool last)
{
    uint64_t expected = naive(t, last);

    if (index != (expected == NONE ? NONE : expected + lead)) {
        fail_msg("%s of \"%.*s\" in \"%.*s\"[%" PRIu64 ":%" PRIu64 "] is %" PRIu64 ", not %" PRIu64,
                 last ? "rfind" : "find", (int)t->m, (const char *)t->needle, (int)t->n,
                 (const char *)t->haystack, t->start, t->end, index - lead, expected);
    }
}

/* Property: in random haystacks of few letters, at any alignment, both find what a naive search
 * finds. */
static void random_searches_match_a_naive_one(void **state)
{
    fixture *f = *state;
    random_source random = random_start();
    static trial t;

    map_anonymous(f, IRONMAP_WRITE, sizeof(t.haystack) + 64);
    for (int round = 0; round < 30000; round++) {
        size_t lead = (size_t)random_below(&random, 64);

        make_trial(&t, &random);
        assert_ok(ironmap_put(f->map, lead, t.haystack, t.n, &failure));
        assert_found(&t, find(f->map, t.needle, t.m, lead + t.start, lead + t.end), lead, false);
        assert_found(&t, rfind(f->map, t.needle, t.m, lead + t.start, lead + t.end), lead, true);
    }
}

/* ---- memory at the edges ---- */

enum { EDGE = 80 };

/* A map of three pages whose first and last one cannot be touched; returns the middle one. */
static uint8_t *map_between_guards(fixture *f)
{
    size_t page = ironmap_page_size();
    uint8_t *data;

    map_anonymous(f, IRONMAP_WRITE, 3 * page);
    data = ironmap_data(f->map);
    memset(data + page, 'a', page);
    memory_forbid(data, page);
    memory_forbid(data + 2 * page, page);
    return data + page;
}

/* One match near the beginning of a long range, at every place there and a little further; with two
 * it is the nearer one. */
static void nearest_match_of_a_long_range(void **state)
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

/* A search reads nothing behind its end, even where the next page would fault. */
static void search_stops_at_its_end(void **state)
{
    fixture *f = *state;
    size_t page = ironmap_page_size();
    uint8_t *middle = map_between_guards(f);
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

/* A search reads nothing before its start, even where the page before would fault. */
static void search_stops_at_its_start(void **state)
{
    fixture *f = *state;
    size_t page = ironmap_page_size();
    uint8_t *middle = map_between_guards(f);
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

/* A search reads nothing around its needle either. */
static void search_reads_the_needle_alone(void **state)
{
    fixture *f = *state;
    size_t page = ironmap_page_size();
    uint8_t *middle = map_between_guards(f);
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

/* A file that ends at the end of a page can be searched to its last byte. */
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

/* Needles that drive a quadratic search to hours: it is enough that these searches end. */
static void assert_ends(const ironmap_map *map, const uint8_t *needle, size_t length)
{
    assert_u64(find(map, needle, length, 0, END), NONE);
    assert_u64(rfind(map, needle, length, 0, END), NONE);
}

/* One odd byte at the end, the front or in the middle of a needle of equal bytes. */
static void needle_that_almost_fits_everywhere(void **state)
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

/* A haystack of long runs, each one short of the needle. */
static void runs_that_almost_fit(void **state)
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

/* A periodic haystack and a needle of the same period with one flaw. */
static void periodic_needle_with_a_flaw(void **state)
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
        with_fixture(table_of_cases),
        with_fixture(start_behind_the_map_finds_nothing),
        with_fixture(every_byte_can_be_found),
        with_fixture(needle_may_lie_in_the_map),
        with_fixture(random_searches_match_a_naive_one),
        with_fixture(nearest_match_of_a_long_range),
        with_fixture(search_stops_at_its_end),
        with_fixture(search_stops_at_its_start),
        with_fixture(search_reads_the_needle_alone),
        with_fixture(file_is_searched_to_its_last_byte),
        with_fixture(needle_that_almost_fits_everywhere),
        with_fixture(runs_that_almost_fit),
        with_fixture(periodic_needle_with_a_flaw),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
