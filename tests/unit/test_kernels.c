/* The search kernels by themselves, each that this processor has, against a naive search: a literal
 * table, random texts of few letters (where everything is periodic), long almost-matches, and
 * haystacks that end where memory ends. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>

#include "search/internal.h"

/* ---- a search with one kernel, and the naive one ---- */

/* What is searched: the places [from, to) of a haystack. */
typedef struct task {
    const uint8_t *haystack;
    size_t from;
    size_t to;
    const uint8_t *needle;
    size_t m;
} task;

static task task_of(const void *haystack, size_t n, const void *needle, size_t m)
{
    return (task){haystack, 0, n - m + 1, needle, m};
}

static size_t naive_next(const task *t, size_t place)
{
    while (place < t->to && memcmp(t->haystack + place, t->needle, t->m) != 0) {
        place++;
    }
    return place < t->to ? place : IRONMAP__NOWHERE;
}

static size_t naive_find_all(size_t *indexes, const task *t, size_t step)
{
    size_t found = 0;

    for (size_t i = naive_next(t, t->from); i != IRONMAP__NOWHERE; i = naive_next(t, i + step)) {
        indexes[found++] = i;
    }
    return found;
}

static size_t naive_rfind(const task *t)
{
    for (size_t i = t->to; i-- > t->from;) {
        if (memcmp(t->haystack + i, t->needle, t->m) == 0) {
            return i;
        }
    }
    return IRONMAP__NOWHERE;
}

/* All matches in batches of `capacity`. */
static size_t kernel_find_all(size_t *indexes, size_t capacity, const ironmap__kernels *kernels,
                              const task *t, size_t step)
{
    ironmap__pattern pattern;
    ironmap__matches matches = {.step = step, .next = t->from};
    size_t total = 0;

    ironmap__pattern_init(&pattern, t->needle, t->m);
    do {
        matches.indexes = indexes + total;
        matches.capacity = capacity;
        matches.found = 0;
        if (matches.next < t->to) {
            ironmap__forward(kernels, &matches, &pattern, t->haystack, matches.next, t->to);
        }
        total += matches.found;
    } while (matches.found == capacity);
    return total;
}

static size_t kernel_count(const ironmap__kernels *kernels, const task *t, size_t step)
{
    ironmap__pattern pattern;
    ironmap__matches matches = {.capacity = SIZE_MAX, .step = step};

    ironmap__pattern_init(&pattern, t->needle, t->m);
    ironmap__forward(kernels, &matches, &pattern, t->haystack, t->from, t->to);
    return matches.found;
}

static size_t kernel_rfind(const ironmap__kernels *kernels, const task *t)
{
    ironmap__pattern pattern;

    ironmap__pattern_init(&pattern, t->needle, t->m);
    return ironmap__backward(kernels, &pattern, t->haystack, t->from, t->to);
}

/* ---- every kernel finds what the naive search finds ---- */

enum { MOST = 1 << 17 };
static size_t expected[MOST];
static size_t actual[MOST];

static void check_indexes(const ironmap__kernels *kernels, const task *t, size_t step,
                          size_t capacity)
{
    size_t found = naive_find_all(expected, t, step);
    size_t ours = kernel_find_all(actual, capacity, kernels, t, step);

    if (ours != found || memcmp(actual, expected, found * sizeof(size_t)) != 0 ||
        kernel_count(kernels, t, step) != found) {
        fail_msg("%s: %zu places of %zu, needle of %zu, step %zu", kernels->name, ours, found, t->m,
                 step);
    }
}

static void check_task(const task *t, size_t capacity)
{
    for (size_t i = 0; ironmap__all_kernels[i] != NULL; i++) {
        const ironmap__kernels *kernels = ironmap__all_kernels[i];

        if (kernels->supported()) {
            check_indexes(kernels, t, 1, capacity);
            check_indexes(kernels, t, t->m, capacity);
            assert_u64(kernel_rfind(kernels, t), naive_rfind(t));
        }
    }
}

/* The best comes first; plain C is last and always there. */
static void plain_c_is_the_last(void **state)
{
    size_t last = 0;

    (void)state;
    while (ironmap__all_kernels[last + 1] != NULL) {
        last++;
    }
    assert_string_equal(ironmap__all_kernels[last]->name, "scalar");
    assert_true(ironmap__all_kernels[last]->supported());
    for (size_t i = 0; ironmap__all_kernels[i] != NULL; i++) {
        const ironmap__kernels *kernels = ironmap__all_kernels[i];

        print_message("%s: %s\n", kernels->name, kernels->supported() ? "here" : "not here");
        if (kernels->supported()) {
            assert_ptr_equal(kernels, ironmap__best_kernels(true));
            break;
        }
    }
}

typedef struct kernel_case {
    const char *haystack;
    const char *needle;
    size_t count; /* without overlapping */
    size_t overlapping;
    size_t first;
    size_t last;
} kernel_case;

#define NONE IRONMAP__NOWHERE
#define TEN "0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

static const kernel_case kernel_cases[] = {
    /* haystack, needle, count, overlapping, first, last */
    {"a", "a", 1, 1, 0, 0},
    {"a", "b", 0, 0, NONE, NONE},
    {"aaaa", "a", 4, 4, 0, 3},
    {"aaaa", "aa", 2, 3, 0, 2},
    {"aaaaa", "aa", 2, 4, 0, 3},
    {"aaaaa", "aaaaa", 1, 1, 0, 0},
    {"abababa", "aba", 2, 3, 0, 4},
    {"abcabcab", "abcab", 1, 2, 0, 3},
    {"mississippi", "issi", 1, 2, 1, 4},
    {"mississippi", "ssippi", 1, 1, 5, 5},
    {"mississippi", "ssippix", 0, 0, NONE, NONE},
    /* as long as the probes, and one more */
    {"xabcdefghx", "abcdefgh", 1, 1, 1, 1},
    {"xabcdefghix", "abcdefghi", 1, 1, 1, 1},
    {"xabcdefghix", "abcdefghj", 0, 0, NONE, NONE},
    {"aaaaaaaaaaaa", "aaaaaaaa", 1, 5, 0, 4},
    {"aaaaaaaaaaaa", "aaaaaaaaa", 1, 4, 0, 3},
    {"abababababab", "abababab", 1, 3, 0, 4},
    /* around a block and a group of blocks */
    {HUNDRED, "0", 10, 10, 0, 90},
    {HUNDRED, "9", 10, 10, 9, 99},
    {HUNDRED, "90", 9, 9, 9, 89},
    {HUNDRED, "0123456789", 10, 10, 0, 90},
    {HUNDRED, "01234567890", 5, 9, 0, 80},
    {HUNDRED, "3456789012x", 0, 0, NONE, NONE},
    {HUNDRED HUNDRED HUNDRED, "90123456789", 15, 29, 9, 289},
    {HUNDRED HUNDRED HUNDRED "x", "9x", 1, 1, 299, 299},
    {"x" HUNDRED HUNDRED HUNDRED, "x0", 1, 1, 0, 0},
};

static void table_of_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(kernel_cases); i++) {
        const kernel_case *row = &kernel_cases[i];
        task t = task_of(row->haystack, strlen(row->haystack), row->needle, strlen(row->needle));

        check_task(&t, 3);
        assert_u64(naive_find_all(expected, &t, t.m), row->count);
        assert_u64(naive_find_all(expected, &t, 1), row->overlapping);
        assert_u64(row->count > 0 ? expected[0] : NONE, row->first);
        assert_u64(naive_rfind(&t), row->last);
    }
}

/* ---- random texts ---- */

static void random_letters(random_source *random, uint8_t *bytes, size_t n, uint64_t letters)
{
    for (size_t i = 0; i < n; i++) {
        bytes[i] = (uint8_t)('a' + random_below(random, letters));
    }
}

/* Lines with the same words in the same places, the last one cut. */
static void log_lines(random_source *random, uint8_t *bytes, size_t n)
{
    static const char *const VERBS[] = {"GET", "POST", "PUT"};
    char line[128];

    for (size_t at = 0; at < n;) {
        int length = snprintf(
            line, sizeof(line),
            "2024-02-29T12:%02u:%02u.%03uZ app[%u]: %s /api/v1/items/%08x status=200 took %u ms\n",
            (unsigned)random_below(random, 60), (unsigned)random_below(random, 60),
            (unsigned)random_below(random, 1000), (unsigned)random_below(random, 10000),
            VERBS[random_below(random, COUNT_OF(VERBS))], (unsigned)random_below(random, 1U << 31),
            (unsigned)random_below(random, 300));
        size_t left = n - at;
        size_t part = (size_t)length < left ? (size_t)length : left;
        memcpy(bytes + at, line, part);
        at += part;
    }
}

/* Haystacks of every short length, at both ends of memory that may not be left, and needles that
 * are in them or not. */
static void texts_end_where_memory_ends(void **state)
{
    enum { ROUNDS = 20000, LONGEST = 700 };
    random_source random = random_start();
    size_t size = LONGEST;
    uint8_t *memory = edged_memory(&size);

    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        size_t n = 1 + (size_t)random_below(&random, LONGEST);
        size_t m = 1 + (size_t)random_below(&random, random_below(&random, 2) == 0 ? n : 1 + n / 8);
        uint64_t letters = 1 + random_below(&random, 4);
        uint8_t *haystack = random_below(&random, 2) == 0 ? memory : memory + size - n;
        uint8_t *needle = malloc(m);

        assert_non_null(needle);
        random_letters(&random, haystack, n, letters);
        random_letters(&random, needle, m, letters);
        if (random_below(&random, 2) == 0) {
            memcpy(needle, haystack + random_below(&random, n - m + 1), m);
        }
        task t = task_of(haystack, n, needle, m);
        t.from = (size_t)random_below(&random, random_below(&random, 2) == 0 ? 1 : t.to);
        check_task(&t, 1 + (size_t)random_below(&random, 20));
        free(needle);
    }
    edged_free(memory, size);
}

/* Short needles in texts that are full of them, with borders and without: so many candidates that
 * whole needles are compared everywhere, and matches that would overlap across blocks. */
static void frequent_matches_are_counted_right(void **state)
{
    enum { ROUNDS = 300, LONG = 20000, LONGEST_NEEDLE = 10 };
    random_source random = random_start();
    uint8_t *haystack = malloc(LONG);
    uint8_t needle[LONGEST_NEEDLE];

    (void)state;
    assert_non_null(haystack);
    for (int round = 0; round < ROUNDS; round++) {
        size_t m = 1 + (size_t)random_below(&random, LONGEST_NEEDLE);
        uint64_t letters = 1 + random_below(&random, 3);

        random_letters(&random, needle, m, letters);
        random_letters(&random, haystack, LONG, 1 + random_below(&random, 4));
        for (uint64_t copies = random_below(&random, 2000); copies > 0; copies--) {
            memcpy(haystack + random_below(&random, LONG - m + 1), needle, m);
        }
        task t = task_of(haystack, LONG, needle, m);
        t.from = (size_t)random_below(&random, 100);
        check_task(&t, 1 + (size_t)random_below(&random, 200));
    }
    free(haystack);
}

/* However many probes are compared everywhere, the same is found; count sees whole needles by
 * themselves, find_all does not. */
static void any_number_of_probes_finds_the_same(void **state)
{
    enum { ROUNDS = 200, LONG = 3000, LONGEST_NEEDLE = 20 };
    random_source random = random_start();
    uint8_t haystack[LONG];
    uint8_t needle[LONGEST_NEEDLE];

    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        size_t m = 1 + (size_t)random_below(&random, LONGEST_NEEDLE);
        uint64_t letters = 1 + random_below(&random, 4);

        random_letters(&random, haystack, LONG, letters);
        random_letters(&random, needle, m, letters);
        memcpy(haystack + random_below(&random, LONG - m + 1), needle, m);
        task t = task_of(haystack, LONG, needle, m);
        size_t found = naive_find_all(expected, &t, 1);
        for (size_t i = 0; ironmap__all_kernels[i] != NULL; i++) {
            const ironmap__kernels *kernels = ironmap__all_kernels[i];

            for (unsigned leading = 1; kernels->supported() && leading <= IRONMAP__PROBES;
                 leading++) {
                ironmap__pattern pattern;
                ironmap__matches matches = {.indexes = actual, .capacity = MOST, .step = 1};

                ironmap__pattern_init(&pattern, needle, m);
                pattern.leading = leading;
                pattern.adapt_at = SIZE_MAX;
                kernels->forward(&matches, &pattern, haystack, t.from, t.to);
                assert_u64(matches.found, found);
                assert_memory_equal(actual, expected, found * sizeof(size_t));
                assert_u64(kernels->backward(&pattern, haystack, t.from, t.to), naive_rfind(&t));
            }
        }
    }
}

/* The needle is the last thing in memory as well. */
static void needles_end_where_memory_ends(void **state)
{
    enum { LONGEST = 300 };
    size_t size = LONGEST;
    uint8_t *memory = edged_memory(&size);
    uint8_t haystack[2 * LONGEST];

    (void)state;
    memset(haystack, 'a', sizeof(haystack));
    memset(memory, 'a', size);
    for (size_t m = 1; m <= LONGEST; m++) {
        task t = task_of(haystack, sizeof(haystack), memory + size - m, m);

        check_task(&t, MOST);
        t.needle = memory;
        check_task(&t, MOST);
    }
    edged_free(memory, size);
}

/* ---- almost-matches ---- */

/* A long haystack of one letter, or of a short period, with a few flaws, in which the needle may
 * be: comparing is given up in the middle, and long needles are skipped with. */
static void almost_matches_are_searched_right(void **state)
{
    enum { ROUNDS = 150, LONG = 100000 };
    random_source random = random_start();
    uint8_t *haystack = malloc(LONG);
    uint8_t *needle = malloc(LONG);

    (void)state;
    assert_non_null(haystack);
    assert_non_null(needle);
    for (int round = 0; round < ROUNDS; round++) {
        size_t m = 2 + (size_t)random_below(&random, 3000);
        size_t period = 1 + (size_t)random_below(&random, 5);

        for (size_t i = 0; i < LONG; i++) {
            haystack[i] = (uint8_t)('a' + i % period);
        }
        memcpy(needle, haystack, m);
        needle[random_below(&random, m)] = 'z';
        for (uint64_t flaws = random_below(&random, 40); flaws > 0; flaws--) {
            haystack[random_below(&random, LONG)] = 'z';
        }
        if (random_below(&random, 2) == 0) {
            memcpy(haystack + random_below(&random, LONG - m), needle, m);
        }
        task t = task_of(haystack, LONG, needle, m);
        check_task(&t, 100);
    }
    free(haystack);
    free(needle);
}

/* Random bytes with needles of every length out of them: what is skipped is never a match. */
static void long_needles_are_found_by_skipping(void **state)
{
    enum { ROUNDS = 60, LONG = 100000 };
    random_source random = random_start();
    uint8_t *haystack = malloc(LONG);

    (void)state;
    assert_non_null(haystack);
    for (int round = 0; round < ROUNDS; round++) {
        size_t m = 1 + (size_t)random_below(&random, 4000);
        size_t place = (size_t)random_below(&random, LONG - m + 1);
        task t = task_of(haystack, LONG, haystack + place, m);

        for (size_t i = 0; i < LONG; i++) {
            haystack[i] = (uint8_t)random_below(&random, 256);
        }
        memmove(haystack + random_below(&random, LONG - m + 1), t.needle, m);
        check_task(&t, 100);
    }
    free(haystack);
}

/* The same in log lines, whose grams are the needle's in part; and at both ends of memory. */
static void long_needles_share_grams_with_the_haystack(void **state)
{
    enum { ROUNDS = 200, LONGEST = 40000 };
    random_source random = random_start();
    size_t size = LONGEST;
    uint8_t *memory = edged_memory(&size);

    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        size_t m = IRONMAP__SKIP_FROM - 2 + (size_t)random_below(&random, 1000);
        size_t n = 17 * m + (size_t)random_below(&random, LONGEST - 17 * m);
        uint8_t *haystack = random_below(&random, 2) == 0 ? memory : memory + size - n;
        uint8_t *needle = malloc(m);

        assert_non_null(needle);
        log_lines(&random, haystack, n);
        memcpy(needle, haystack + random_below(&random, n - m + 1), m);
        if (random_below(&random, 2) == 0) {
            memcpy(haystack + random_below(&random, 2) * (n - m), needle, m);
        } else if (random_below(&random, 2) == 0) {
            needle[random_below(&random, m)] ^= 1;
        }
        task t = task_of(haystack, n, needle, m);
        check_task(&t, 100);
        free(needle);
    }
    edged_free(memory, size);
}

/* ---- how much is compared ---- */

/* What a kernel spends on candidates, in all three ways to search for what is not there. */
static size_t spent_in_vain(const ironmap__kernels *kernels, const task *t, int way)
{
    ironmap__pattern pattern;
    size_t index = 0;
    ironmap__matches matches = {.capacity = SIZE_MAX, .step = t->m};

    if (way == 0) {
        matches.indexes = &index;
        matches.capacity = 1;
    }
    ironmap__pattern_init(&pattern, t->needle, t->m);
    if (way < 2) {
        ironmap__forward(kernels, &matches, &pattern, t->haystack, t->from, t->to);
    } else {
        matches.found = ironmap__backward(kernels, &pattern, t->haystack, t->from, t->to) != NONE;
    }
    assert_u64(matches.found, 0);
    return pattern.spent;
}

/* Fewer than one place in `places` is compared. */
static void check_few_candidates(const task *t, size_t places)
{
    for (size_t i = 0; ironmap__all_kernels[i] != &ironmap__scalar_kernels; i++) {
        for (int way = 0; ironmap__all_kernels[i]->supported() && way < 3; way++) {
            size_t spent = spent_in_vain(ironmap__all_kernels[i], t, way);

            if (spent > (t->to - t->from) / places) {
                fail_msg("%s, way %d, needle of %zu: %zu candidates", ironmap__all_kernels[i]->name,
                         way, t->m, spent);
            }
        }
    }
}

/* Where any two bytes of the needle are frequent, more are compared everywhere: two would leave one
 * place in 16 here, three one in 64. How many it is depends on a sample, four at the least: the
 * most that was seen in 180,000 such searches is one in 275. */
static void few_letters_leave_few_candidates(void **state)
{
    enum { LONG = 1 << 20 };
    random_source random = random_start();
    uint8_t *haystack = malloc(LONG);
    uint8_t needle[256];

    (void)state;
    assert_non_null(haystack);
    random_letters(&random, haystack, LONG, 4);
    for (size_t m = 16; m <= sizeof(needle); m *= 4) {
        random_letters(&random, needle, m, 4);
        task t = task_of(haystack, LONG, needle, m);
        check_few_candidates(&t, 128);
    }
    free(haystack);
}

/* Where a pair of bytes is rare by each of them, but comes together. */
static void lines_alike_leave_few_candidates(void **state)
{
    static const char *const NEEDLES[] = {"Z app[1715]a GE", "2024-02-29T12:17:x7",
                                          " status=200 tok", "POST /api/v2/items/"};
    enum { LONG = 1 << 20 };
    random_source random = random_start();
    uint8_t *haystack = malloc(LONG);

    (void)state;
    assert_non_null(haystack);
    log_lines(&random, haystack, LONG);
    for (size_t i = 0; i < COUNT_OF(NEEDLES); i++) {
        task t = task_of(haystack, LONG, NEEDLES[i], strlen(NEEDLES[i]));
        check_few_candidates(&t, 1024);
    }
    free(haystack);
}

/* No text makes a kernel compare more than so much for each place: what takes over then is linear
 * by proof. */
static void comparing_has_a_limit(void **state)
{
    enum { LONG = 1 << 20, NEEDLE = 1000 };
    uint8_t *haystack = malloc(LONG);
    uint8_t needle[NEEDLE];

    (void)state;
    assert_non_null(haystack);
    for (size_t i = 0; i < LONG; i++) {
        haystack[i] = (uint8_t)('a' + i % 2);
    }
    for (size_t flaw = 0; flaw < NEEDLE; flaw += 100) {
        memcpy(needle, haystack, NEEDLE);
        needle[flaw] ^= 'a' ^ 'b';
        for (size_t i = 0; ironmap__all_kernels[i] != NULL; i++) {
            const ironmap__kernels *kernels = ironmap__all_kernels[i];
            ironmap__pattern pattern;
            ironmap__matches matches = {.capacity = SIZE_MAX, .step = 1};

            if (kernels->supported()) {
                ironmap__pattern_init(&pattern, needle, NEEDLE);
                ironmap__forward(kernels, &matches, &pattern, haystack, 0, LONG - NEEDLE + 1);
                assert_u64(matches.found, 0);
                assert_true(pattern.spent <=
                            LONG / IRONMAP__PLACES_PER_SPENT + 3 * IRONMAP__SPENT_AT_ONCE);
            }
        }
    }
    free(haystack);
}

/* ---- two-way ---- */

/* What takes over, by itself. */
static void two_way_is_right(void **state)
{
    enum { ROUNDS = 200000, SHORT = 24 };
    random_source random = random_start();

    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        uint8_t haystack[SHORT];
        uint8_t needle[SHORT];
        size_t ours[SHORT];
        uint64_t letters = 2 + random_below(&random, 2);
        size_t n = 1 + (size_t)random_below(&random, SHORT);
        size_t m = 1 + (size_t)random_below(&random, n);
        ironmap__pattern pattern;
        ironmap__matches matches = {.indexes = ours, .capacity = SHORT + 1};

        random_letters(&random, haystack, n, letters);
        random_letters(&random, needle, m, letters);
        if (random_below(&random, 2) == 0) {
            memcpy(needle, haystack + random_below(&random, n - m + 1), m);
        }
        task t = task_of(haystack, n, needle, m);
        matches.step = random_below(&random, 2) == 0 ? 1 : m;
        ironmap__pattern_init(&pattern, needle, m);
        ironmap__two_way_forward(&matches, &pattern, haystack, t.from, t.to);
        assert_u64(matches.found, naive_find_all(expected, &t, matches.step));
        assert_memory_equal(ours, expected, matches.found * sizeof(size_t));
        assert_u64(ironmap__two_way_backward(&pattern, haystack, t.from, t.to), naive_rfind(&t));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_c_is_the_last),
        cmocka_unit_test(table_of_cases),
        cmocka_unit_test(texts_end_where_memory_ends),
        cmocka_unit_test(frequent_matches_are_counted_right),
        cmocka_unit_test(any_number_of_probes_finds_the_same),
        cmocka_unit_test(needles_end_where_memory_ends),
        cmocka_unit_test(almost_matches_are_searched_right),
        cmocka_unit_test(long_needles_are_found_by_skipping),
        cmocka_unit_test(long_needles_share_grams_with_the_haystack),
        cmocka_unit_test(few_letters_leave_few_candidates),
        cmocka_unit_test(lines_alike_leave_few_candidates),
        cmocka_unit_test(comparing_has_a_limit),
        cmocka_unit_test(two_way_is_right),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
