/* The search kernels. Every kernel that this processor supports runs through one literal table, and
 * is compared with a naive search in random texts of few letters, which are full of periods, in
 * long almost-matches, and in haystacks at the edges of memory. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>

#include "search/candidate.h"
#include "search/search.h"
#include "search/skip.h"
#include "search/two_way.h"

/* ---- the naive search, and searches with one kernel ---- */

/* The positions [from, to) of a haystack, and what to search for. */
typedef struct task {
    const uint8_t *haystack;
    size_t from;
    size_t to;
    const uint8_t *needle;
    size_t m;
} task;

/* Fewer rounds where the processor is emulated: one in so many. */
static int rounds(int all)
{
    const char *share = getenv("IRONMAP_KERNEL_SHARE");
    int divisor = share == NULL ? 1 : atoi(share);

    return divisor > 1 ? all / divisor : all;
}

static task task_of(const void *haystack, size_t n, const void *needle, size_t m)
{
    return (task){haystack, 0, n - m + 1, needle, m};
}

static size_t naive_next(const task *t, size_t position)
{
    while (position < t->to && memcmp(t->haystack + position, t->needle, t->m) != 0) {
        position++;
    }
    return position < t->to ? position : IRONMAP__NO_MATCH;
}

static size_t naive_find_all(uint64_t *offsets, const task *t, size_t step)
{
    size_t found = 0;

    for (size_t i = naive_next(t, t->from); i != IRONMAP__NO_MATCH; i = naive_next(t, i + step)) {
        offsets[found++] = i;
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
    return IRONMAP__NO_MATCH;
}

/* All matches in batches of `capacity`. */
static size_t kernel_find_all(uint64_t *offsets, size_t capacity, const ironmap__kernels *kernels,
                              const task *t, size_t step)
{
    ironmap__pattern pattern;
    ironmap__match_sink sink = {.step = step, .next = t->from};
    size_t total = 0;

    ironmap__pattern_init(&pattern, t->needle, t->m);
    do {
        sink.offsets = offsets + total;
        sink.capacity = capacity;
        sink.found = 0;
        if (sink.next < t->to) {
            ironmap__search_forward(kernels, &sink, &pattern, t->haystack, sink.next, t->to);
        }
        total += sink.found;
    } while (sink.found == capacity);
    return total;
}

/* The number of matches, at most `capacity`. */
static size_t kernel_count(const ironmap__kernels *kernels, const task *t, size_t step,
                           size_t capacity)
{
    ironmap__pattern pattern;
    ironmap__match_sink sink = {.capacity = capacity, .step = step};

    ironmap__pattern_init(&pattern, t->needle, t->m);
    ironmap__search_forward(kernels, &sink, &pattern, t->haystack, t->from, t->to);
    return sink.found;
}

/* The number of matches, where each search goes on behind the one before. */
static size_t kernel_count_in_parts(const ironmap__kernels *kernels, const task *t, size_t part)
{
    ironmap__pattern pattern;
    ironmap__match_sink sink = {.capacity = SIZE_MAX, .step = t->m};

    ironmap__pattern_init(&pattern, t->needle, t->m);
    for (size_t from = t->from; from < t->to; from += part) {
        size_t to = part < t->to - from ? from + part : t->to;

        ironmap__search_forward(kernels, &sink, &pattern, t->haystack, from, to);
    }
    return sink.found;
}

static size_t kernel_rfind(const ironmap__kernels *kernels, const task *t)
{
    ironmap__pattern pattern;

    ironmap__pattern_init(&pattern, t->needle, t->m);
    return ironmap__search_backward(kernels, &pattern, t->haystack, t->from, t->to);
}

/* ---- every kernel finds what the naive search finds ---- */

enum { MATCHES_MAX = 1 << 17 };
static uint64_t expected[MATCHES_MAX];
static uint64_t actual[MATCHES_MAX];

static void check_matches(const ironmap__kernels *kernels, const task *t, size_t step,
                          size_t capacity)
{
    size_t found = naive_find_all(expected, t, step);
    size_t ours = kernel_find_all(actual, capacity, kernels, t, step);

    if (ours != found || memcmp(actual, expected, found * sizeof(uint64_t)) != 0 ||
        kernel_count(kernels, t, step, SIZE_MAX) != found ||
        kernel_count(kernels, t, step, capacity) != (found < capacity ? found : capacity)) {
        fail_msg("%s: %zu matches of %zu, needle of %zu, step %zu", kernels->name, ours, found,
                 t->m, step);
    }
}

static void check_task(const task *t, size_t capacity)
{
    for (size_t i = 0; ironmap__all_kernels[i] != NULL; i++) {
        const ironmap__kernels *kernels = ironmap__all_kernels[i];

        if (kernels->supported()) {
            check_matches(kernels, t, 1, capacity);
            check_matches(kernels, t, t->m, capacity);
            assert_u64(kernel_rfind(kernels, t), naive_rfind(t));
        }
    }
}

/* The kernels alone, without the choice that a search makes. No match below `next` counts. */
static void check_kernels(const task *t, size_t next)
{
    const task counted = {t->haystack, next, t->to, t->needle, t->m};
    size_t found = naive_find_all(expected, &counted, 1);

    for (size_t i = 0; ironmap__all_kernels[i] != NULL; i++) {
        const ironmap__kernels *kernels = ironmap__all_kernels[i];
        ironmap__pattern pattern;
        ironmap__match_sink sink = {
            .offsets = actual, .capacity = MATCHES_MAX, .step = 1, .next = next};

        if (kernels->supported()) {
            ironmap__pattern_init(&pattern, t->needle, t->m);
            kernels->forward(&sink, &pattern, t->haystack, t->from, t->to);
            assert_u64(sink.found, found);
            assert_memory_equal(actual, expected, found * sizeof(uint64_t));
            assert_u64(kernels->backward(&pattern, t->haystack, t->from, t->to), naive_rfind(t));
        }
    }
}

static void scalar_is_last_and_the_first_supported_is_best(void **state)
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

        print_message("%s: %s\n", kernels->name,
                      kernels->supported() ? "supported" : "not supported");
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

#define NONE IRONMAP__NO_MATCH
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
    /* exactly as long as the probes, and one byte longer */
    {"xabcdefghx", "abcdefgh", 1, 1, 1, 1},
    {"xabcdefghix", "abcdefghi", 1, 1, 1, 1},
    {"xabcdefghix", "abcdefghj", 0, 0, NONE, NONE},
    {"aaaaaaaaaaaa", "aaaaaaaa", 1, 5, 0, 4},
    {"aaaaaaaaaaaa", "aaaaaaaaa", 1, 4, 0, 3},
    {"abababababab", "abababab", 1, 3, 0, 4},
    /* across a block and a group */
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

static void every_kernel_finds_what_the_table_says(void **state)
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

/* Lines with the same words at the same columns. The last line is cut. */
static void log_lines(random_source *random, uint8_t *bytes, size_t n)
{
    static const char *const VERBS[] = {"GET", "POST", "PUT"};
    char line[128];

    for (size_t written = 0; written < n;) {
        int length = snprintf(
            line, sizeof(line),
            "2024-02-29T12:%02u:%02u.%03uZ app[%u]: %s /api/v1/items/%08x status=200 took %u ms\n",
            (unsigned)random_below(random, 60), (unsigned)random_below(random, 60),
            (unsigned)random_below(random, 1000), (unsigned)random_below(random, 10000),
            VERBS[random_below(random, COUNT_OF(VERBS))], (unsigned)random_below(random, 1U << 31),
            (unsigned)random_below(random, 300));
        size_t left = n - written;
        size_t part = (size_t)length < left ? (size_t)length : left;
        memcpy(bytes + written, line, part);
        written += part;
    }
}

/* Haystacks of every short length at both edges of accessible memory, with and without a match. */
static void no_kernel_reads_outside_the_haystack(void **state)
{
    enum { ROUNDS = 20000, LENGTH_MAX = 700 };
    random_source random = random_start();
    size_t size = LENGTH_MAX;
    uint8_t *memory = fenced_memory(&size);

    (void)state;
    for (int round = 0; round < rounds(ROUNDS); round++) {
        size_t n = 1 + (size_t)random_below(&random, LENGTH_MAX);
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
        check_kernels(&t, t.from + (size_t)random_below(&random, t.to - t.from));
        free(needle);
    }
    fenced_free(memory, size);
}

/* The first byte of the needle is nowhere. A search for one match looks for that alone. */
static void search_for_an_absent_byte_ends_with_the_haystack(void **state)
{
    enum { LENGTH_MAX = 700 };
    size_t size = LENGTH_MAX;
    uint8_t *memory = fenced_memory(&size);

    (void)state;
    memset(memory, 'a', size);
    for (size_t n = 2; n <= LENGTH_MAX; n += 7) {
        task t = task_of(memory + size - n, n, "za", 2);

        check_task(&t, 1);
    }
    fenced_free(memory, size);
}

/* Short needles, with borders and without, in texts full of them. There are so many candidates that
 * all probes are compared everywhere, and matches that would overlap across blocks. */
static void frequent_matches_are_counted_correctly(void **state)
{
    enum { ROUNDS = 300, LENGTH = 20000, NEEDLE_MAX = 10 };
    random_source random = random_start();
    uint8_t *haystack = malloc(LENGTH);
    uint8_t needle[NEEDLE_MAX];

    (void)state;
    assert_non_null(haystack);
    for (int round = 0; round < rounds(ROUNDS); round++) {
        size_t m = 1 + (size_t)random_below(&random, NEEDLE_MAX);
        uint64_t letters = 1 + random_below(&random, 3);

        random_letters(&random, needle, m, letters);
        random_letters(&random, haystack, LENGTH, 1 + random_below(&random, 4));
        for (uint64_t copies = random_below(&random, 2000); copies > 0; copies--) {
            memcpy(haystack + random_below(&random, LENGTH - m + 1), needle, m);
        }
        task t = task_of(haystack, LENGTH, needle, m);
        t.from = (size_t)random_below(&random, 100);
        check_task(&t, 1 + (size_t)random_below(&random, 200));
        for (size_t i = 0; ironmap__all_kernels[i] != NULL; i++) {
            if (ironmap__all_kernels[i]->supported()) {
                assert_u64(kernel_count_in_parts(ironmap__all_kernels[i], &t, 1000),
                           naive_find_all(expected, &t, m));
            }
        }
    }
    free(haystack);
}

/* Any number of probes compared at every position finds the same matches. */
static void any_number_of_probes_finds_the_same(void **state)
{
    enum { ROUNDS = 200, LENGTH = 3000, NEEDLE_MAX = 20 };
    random_source random = random_start();
    uint8_t haystack[LENGTH];
    uint8_t needle[NEEDLE_MAX];

    (void)state;
    for (int round = 0; round < rounds(ROUNDS); round++) {
        size_t m = 1 + (size_t)random_below(&random, NEEDLE_MAX);
        uint64_t letters = 1 + random_below(&random, 4);

        random_letters(&random, haystack, LENGTH, letters);
        random_letters(&random, needle, m, letters);
        memcpy(haystack + random_below(&random, LENGTH - m + 1), needle, m);
        task t = task_of(haystack, LENGTH, needle, m);
        size_t found = naive_find_all(expected, &t, 1);
        for (size_t i = 0; ironmap__all_kernels[i] != NULL; i++) {
            const ironmap__kernels *kernels = ironmap__all_kernels[i];

            for (unsigned probes = 1; kernels->supported() && probes <= IRONMAP__PROBES_MAX;
                 probes++) {
                ironmap__pattern pattern;
                ironmap__match_sink sink = {.offsets = actual, .capacity = MATCHES_MAX, .step = 1};

                ironmap__pattern_init(&pattern, needle, m);
                pattern.block_probes = probes;
                pattern.retune_at = SIZE_MAX;
                kernels->forward(&sink, &pattern, haystack, t.from, t.to);
                assert_u64(sink.found, found);
                assert_memory_equal(actual, expected, found * sizeof(uint64_t));
                assert_u64(kernels->backward(&pattern, haystack, t.from, t.to), naive_rfind(&t));
            }
        }
    }
}

static void no_kernel_reads_outside_the_needle(void **state)
{
    enum { LENGTH_MAX = 300 };
    size_t size = LENGTH_MAX;
    uint8_t *memory = fenced_memory(&size);
    uint8_t haystack[2 * LENGTH_MAX];

    (void)state;
    memset(haystack, 'a', sizeof(haystack));
    memset(memory, 'a', size);
    for (size_t m = 1; m <= LENGTH_MAX; m++) {
        task t = task_of(haystack, sizeof(haystack), memory + size - m, m);

        check_task(&t, MATCHES_MAX);
        t.needle = memory;
        check_task(&t, MATCHES_MAX);
    }
    fenced_free(memory, size);
}

/* ---- almost-matches ---- */

/* A long haystack with a short period and a few flaws, with and without a match. Two-way takes over
 * in the middle, and long needles skip. */
static void almost_matches_are_told_from_matches(void **state)
{
    enum { ROUNDS = 150, LENGTH = 100000 };
    random_source random = random_start();
    uint8_t *haystack = malloc(LENGTH);
    uint8_t *needle = malloc(LENGTH);

    (void)state;
    assert_non_null(haystack);
    assert_non_null(needle);
    for (int round = 0; round < rounds(ROUNDS); round++) {
        size_t m = 2 + (size_t)random_below(&random, 3000);
        size_t period = 1 + (size_t)random_below(&random, 5);

        for (size_t i = 0; i < LENGTH; i++) {
            haystack[i] = (uint8_t)('a' + i % period);
        }
        memcpy(needle, haystack, m);
        needle[random_below(&random, m)] = 'z';
        for (uint64_t flaws = random_below(&random, 40); flaws > 0; flaws--) {
            haystack[random_below(&random, LENGTH)] = 'z';
        }
        if (random_below(&random, 2) == 0) {
            memcpy(haystack + random_below(&random, LENGTH - m), needle, m);
        }
        task t = task_of(haystack, LENGTH, needle, m);
        check_task(&t, 100);
    }
    free(haystack);
    free(needle);
}

/* Needles of every length, taken from random bytes. */
static void no_match_is_skipped_in_random_bytes(void **state)
{
    enum { ROUNDS = 60, LENGTH = 100000 };
    random_source random = random_start();
    uint8_t *haystack = malloc(LENGTH);

    (void)state;
    assert_non_null(haystack);
    for (int round = 0; round < rounds(ROUNDS); round++) {
        size_t m = 1 + (size_t)random_below(&random, 4000);
        size_t position = (size_t)random_below(&random, LENGTH - m + 1);
        task t = task_of(haystack, LENGTH, haystack + position, m);

        for (size_t i = 0; i < LENGTH; i++) {
            haystack[i] = (uint8_t)random_below(&random, 256);
        }
        memmove(haystack + random_below(&random, LENGTH - m + 1), t.needle, m);
        check_task(&t, 100);
    }
    free(haystack);
}

/* From one byte to the first lengths that skip, in a haystack that is just long enough for that. */
static void needles_of_all_lengths_are_found(void **state)
{
    enum { LENGTH_MAX = IRONMAP__SKIP_NEEDLE_MIN + 2, HAYSTACK_MAX = 17 * LENGTH_MAX };
    random_source random = random_start();
    uint8_t haystack[HAYSTACK_MAX];

    (void)state;
    random_letters(&random, haystack, sizeof(haystack), 256);
    for (size_t m = 1; m <= LENGTH_MAX; m++) {
        size_t n = 17 * m;
        task t = task_of(haystack, n, haystack + random_below(&random, n - m + 1), m);

        check_task(&t, 100);
    }
}

/* The common bytes of a stride lie anywhere in the needle. */
static void long_needle_is_found_at_every_position(void **state)
{
    enum { M = IRONMAP__SKIP_NEEDLE_MIN, LENGTH = 17 * M };
    random_source random = random_start();
    uint8_t haystack[LENGTH];
    uint8_t background[LENGTH];
    uint8_t needle[M];

    (void)state;
    random_letters(&random, background, sizeof(background), 256);
    random_letters(&random, needle, sizeof(needle), 256);
    task t = task_of(haystack, sizeof(haystack), needle, sizeof(needle));
    for (size_t position = 0; position < t.to; position++) {
        memcpy(haystack, background, sizeof(haystack));
        memcpy(haystack + position, needle, sizeof(needle));
        assert_u64(kernel_count(ironmap__best_kernels(true), &t, 1, 1), 1);
        assert_u64(kernel_rfind(ironmap__best_kernels(true), &t), position);
    }
}

static void skip_ends_with_the_matches_that_are_wanted(void **state)
{
    enum { M = IRONMAP__SKIP_NEEDLE_MIN, COPIES = 5, LENGTH = 8 * M * COPIES };
    random_source random = random_start();
    uint8_t haystack[LENGTH];
    uint8_t needle[M];

    (void)state;
    random_letters(&random, haystack, sizeof(haystack), 256);
    random_letters(&random, needle, sizeof(needle), 256);
    for (size_t i = 0; i < COPIES; i++) {
        memcpy(haystack + 8 * M * i + 77, needle, sizeof(needle));
    }
    task t = task_of(haystack, sizeof(haystack), needle, sizeof(needle));
    for (size_t capacity = 1; capacity <= COPIES; capacity++) {
        check_task(&t, capacity);
    }
}

/* Log lines share some grams with the needle. The haystack is at both edges of memory. */
static void no_match_is_skipped_in_log_lines(void **state)
{
    enum { ROUNDS = 200, LENGTH_MAX = 40000 };
    random_source random = random_start();
    size_t size = LENGTH_MAX;
    uint8_t *memory = fenced_memory(&size);

    (void)state;
    for (int round = 0; round < rounds(ROUNDS); round++) {
        size_t m = IRONMAP__SKIP_NEEDLE_MIN - 2 + (size_t)random_below(&random, 1000);
        size_t n = 17 * m + (size_t)random_below(&random, LENGTH_MAX - 17 * m);
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
    fenced_free(memory, size);
}

/* ---- the cost of comparisons ---- */

/* The cost of a search for an absent needle: find (way 0), count (1) or rfind (2). */
static size_t cost_of_absent(const ironmap__kernels *kernels, const task *t, int way)
{
    ironmap__pattern pattern;
    uint64_t offset = 0;
    ironmap__match_sink sink = {.capacity = SIZE_MAX, .step = t->m};

    if (way == 0) {
        sink.offsets = &offset;
        sink.capacity = 1;
    }
    ironmap__pattern_init(&pattern, t->needle, t->m);
    if (way < 2) {
        ironmap__search_forward(kernels, &sink, &pattern, t->haystack, t->from, t->to);
    } else {
        sink.found =
            ironmap__search_backward(kernels, &pattern, t->haystack, t->from, t->to) != NONE;
    }
    assert_u64(sink.found, 0);
    return pattern.cost;
}

/* Checks that fewer than one position in `positions_per_cost` is compared. */
static void check_few_candidates(const task *t, size_t positions_per_cost)
{
    for (size_t i = 0; ironmap__all_kernels[i] != &ironmap__scalar_kernels; i++) {
        for (int way = 0; ironmap__all_kernels[i]->supported() && way < 3; way++) {
            size_t cost = cost_of_absent(ironmap__all_kernels[i], t, way);

            if (cost > (t->to - t->from) / positions_per_cost) {
                fail_msg("%s, way %d, needle of %zu: %zu candidates", ironmap__all_kernels[i]->name,
                         way, t->m, cost);
            }
        }
    }
}

/* Where any two bytes of the needle are frequent, more probes are compared everywhere. Here two
 * would leave one position in 16, and three one in 64. The sample decides how many, at least four.
 * The most seen in 180,000 such searches is one in 275. */
static void few_letters_leave_few_candidates(void **state)
{
    enum { LENGTH = 1 << 20 };
    random_source random = random_start();
    uint8_t *haystack = malloc(LENGTH);
    uint8_t needle[256];

    (void)state;
    assert_non_null(haystack);
    random_letters(&random, haystack, LENGTH, 4);
    for (size_t m = 16; m <= sizeof(needle); m *= 4) {
        random_letters(&random, needle, m, 4);
        task t = task_of(haystack, LENGTH, needle, m);
        check_few_candidates(&t, 128);
    }
    free(haystack);
}

/* Each byte of a pair is rare, but they come together. */
static void similar_lines_leave_few_candidates(void **state)
{
    static const char *const NEEDLES[] = {"Z app[1715]a GE", "2024-02-29T12:17:x7",
                                          " status=200 tok", "POST /api/v2/items/"};
    enum { LENGTH = 1 << 20 };
    random_source random = random_start();
    uint8_t *haystack = malloc(LENGTH);

    (void)state;
    assert_non_null(haystack);
    log_lines(&random, haystack, LENGTH);
    for (size_t i = 0; i < COUNT_OF(NEEDLES); i++) {
        task t = task_of(haystack, LENGTH, NEEDLES[i], strlen(NEEDLES[i]));
        check_few_candidates(&t, 1024);
    }
    free(haystack);
}

/* The bytes that tell are those around. The sample is taken where the search goes on, not in the
 * half of the haystack that is like nothing in the needle. */
static void each_half_has_its_own_sample(void **state)
{
    enum { LENGTH = 1 << 20 };
    random_source random = random_start();
    uint8_t *haystack = malloc(LENGTH);
    uint8_t needle[64];

    (void)state;
    assert_non_null(haystack);
    random_letters(&random, needle, sizeof(needle), 4);
    for (size_t half = 0; half < 2; half++) {
        memset(haystack, 0, LENGTH);
        random_letters(&random, haystack + half * (LENGTH / 2), LENGTH / 2, 4);
        task t = task_of(haystack, LENGTH, needle, sizeof(needle));
        check_few_candidates(&t, 256);
    }
    free(haystack);
}

/* The needle has one byte that tells, far behind those among which probes are chosen. */
static void late_difference_leaves_few_candidates(void **state)
{
    enum { LENGTH = 1 << 20, NEEDLE_LENGTH = 3000, PLACE = 2000 };
    uint8_t *haystack = malloc(LENGTH);
    uint8_t needle[NEEDLE_LENGTH];

    (void)state;
    assert_non_null(haystack);
    for (size_t i = 0; i < LENGTH; i++) {
        haystack[i] = (uint8_t)('a' + i % 2);
    }
    memcpy(needle, haystack, NEEDLE_LENGTH);
    needle[PLACE] ^= 'a' ^ 'b';
    task t = task_of(haystack, LENGTH, needle, NEEDLE_LENGTH);
    check_few_candidates(&t, 256);
    free(haystack);
}

static void long_comparison_costs_more(void **state)
{
    enum { M = 100 * IRONMAP__COST_BYTES };
    uint8_t haystack[M];
    uint8_t needle[M];
    ironmap__pattern pattern;

    (void)state;
    memset(needle, 'a', sizeof(needle));
    memcpy(haystack, needle, sizeof(haystack));
    haystack[M - 1] = 'b';
    ironmap__pattern_init(&pattern, needle, sizeof(needle));
    assert_false(ironmap__compare_needle(&pattern, haystack, 0));
    assert_true(pattern.cost >= M / IRONMAP__COST_BYTES);
}

/* Beyond the limit two-way takes over, which is linear by proof. */
static void check_cost_limit(const task *t)
{
    size_t limit = (t->to - t->from) / IRONMAP__POSITIONS_PER_COST + t->m / IRONMAP__COST_BYTES;

    for (size_t i = 0; ironmap__all_kernels[i] != NULL; i++) {
        for (int way = 0; ironmap__all_kernels[i]->supported() && way < 3; way++) {
            size_t cost = cost_of_absent(ironmap__all_kernels[i], t, way);

            if (cost > limit + 3 * IRONMAP__COST_ALLOWANCE) {
                fail_msg("%s, way %d, needle of %zu: cost %zu of %zu positions",
                         ironmap__all_kernels[i]->name, way, t->m, cost, t->to - t->from);
            }
        }
    }
}

/* The needle's flaw is in the haystack nowhere. */
static void comparisons_have_a_limit(void **state)
{
    enum { LENGTH = 1 << 20, NEEDLE_LENGTH = 1000 };
    uint8_t *haystack = malloc(LENGTH);
    uint8_t needle[NEEDLE_LENGTH];

    (void)state;
    assert_non_null(haystack);
    for (size_t i = 0; i < LENGTH; i++) {
        haystack[i] = (uint8_t)('a' + i % 2);
    }
    for (size_t flaw = 0; flaw < NEEDLE_LENGTH; flaw += 100) {
        memcpy(needle, haystack, NEEDLE_LENGTH);
        needle[flaw] ^= 'a' ^ 'b';
        task t = task_of(haystack, LENGTH, needle, NEEDLE_LENGTH);
        check_cost_limit(&t);
    }
    free(haystack);
}

/* Runs that are almost as long as the needle, which has no rare byte: every probe matches, and each
 * comparison goes on to the end of the run. */
static void comparisons_of_runs_have_a_limit(void **state)
{
    enum { LENGTH = 1 << 20 };
    uint8_t *haystack = malloc(LENGTH);
    uint8_t *needle = malloc(LENGTH / 16);

    (void)state;
    assert_non_null(haystack);
    assert_non_null(needle);
    memset(needle, 'a', LENGTH / 16);
    for (size_t m = 1000; m <= LENGTH / 16; m *= 4) {
        memset(haystack, 'a', LENGTH);
        for (size_t i = m - 1; i < LENGTH; i += m) {
            haystack[i] = 'b';
        }
        task t = task_of(haystack, LENGTH, needle, m);
        check_cost_limit(&t);
    }
    free(needle);
    free(haystack);
}

/* The needle differs in its last byte but one. Each comparison goes on to there. */
static void comparisons_of_few_positions_have_a_limit(void **state)
{
    enum { POSITIONS = 63, NEEDLE_LENGTH = 1 << 20, LENGTH = NEEDLE_LENGTH + POSITIONS - 1 };
    uint8_t *haystack = malloc(LENGTH);
    uint8_t *needle = malloc(NEEDLE_LENGTH);

    (void)state;
    assert_non_null(haystack);
    assert_non_null(needle);
    memset(haystack, 'a', LENGTH);
    memset(needle, 'a', NEEDLE_LENGTH);
    needle[NEEDLE_LENGTH - 2] = 'b';
    task t = task_of(haystack, LENGTH, needle, NEEDLE_LENGTH);
    check_cost_limit(&t);
    free(needle);
    free(haystack);
}

/* The cost of a search for an absent needle in parts, as a map makes it. */
static size_t cost_in_parts(const ironmap__kernels *kernels, const task *t, size_t part,
                            bool forward)
{
    ironmap__pattern pattern;
    ironmap__match_sink sink = {.capacity = SIZE_MAX, .step = t->m};

    ironmap__pattern_init(&pattern, t->needle, t->m);
    for (size_t done = 0; done < t->to; done += part) {
        size_t cost = pattern.cost;
        size_t left = t->to - done;
        size_t n = part < left ? part : left;

        if (forward) {
            ironmap__search_forward(kernels, &sink, &pattern, t->haystack, done, done + n);
        } else {
            assert_u64(ironmap__search_backward(kernels, &pattern, t->haystack, left - n, left),
                       NONE);
        }
        assert_true(pattern.cost >= cost);
    }
    assert_u64(sink.found, 0);
    return pattern.cost;
}

/* One position in four is compared, which is below the limit, of all parts as of the whole. */
static void parts_of_a_search_have_one_limit(void **state)
{
    enum { LENGTH = 1 << 18, PART = 1000 };
    const ironmap__kernels *kernels = &ironmap__scalar_kernels;
    uint8_t *haystack = malloc(LENGTH);

    (void)state;
    assert_non_null(haystack);
    for (size_t i = 0; i < LENGTH; i++) {
        haystack[i] = i % 4 == 0 ? 'a' : 'c';
    }
    task t = task_of(haystack, LENGTH, (const uint8_t *)"ab", 2);
    assert_u64(cost_in_parts(kernels, &t, LENGTH, true), LENGTH / 4);
    assert_u64(cost_in_parts(kernels, &t, PART, true), LENGTH / 4);
    assert_u64(cost_in_parts(kernels, &t, PART, false), LENGTH / 4);
    free(haystack);
}

/* Part after part goes over the limit. */
static void costs_are_never_forgotten(void **state)
{
    enum { LENGTH = 1 << 18, PART = 10000, M = 1000 };
    uint8_t *haystack = malloc(LENGTH);
    uint8_t needle[M];

    (void)state;
    assert_non_null(haystack);
    memset(haystack, 'a', LENGTH);
    memset(needle, 'a', sizeof(needle));
    for (size_t i = M - 1; i < LENGTH; i += M) {
        haystack[i] = 'b';
    }
    task t = task_of(haystack, LENGTH, needle, sizeof(needle));
    for (size_t i = 0; ironmap__all_kernels[i] != NULL; i++) {
        if (ironmap__all_kernels[i]->supported()) {
            assert_true(cost_in_parts(ironmap__all_kernels[i], &t, PART, true) > 0);
            assert_true(cost_in_parts(ironmap__all_kernels[i], &t, PART, false) > 0);
        }
    }
    free(haystack);
}

/* ---- two-way ---- */

static void two_way_finds_what_the_naive_search_finds(void **state)
{
    enum { ROUNDS = 200000, LENGTH_MAX = 24 };
    random_source random = random_start();

    (void)state;
    for (int round = 0; round < rounds(ROUNDS); round++) {
        uint8_t haystack[LENGTH_MAX];
        uint8_t needle[LENGTH_MAX];
        uint64_t ours[LENGTH_MAX];
        uint64_t letters = 2 + random_below(&random, 2);
        size_t n = 1 + (size_t)random_below(&random, LENGTH_MAX);
        size_t m = 1 + (size_t)random_below(&random, n);
        ironmap__pattern pattern;
        ironmap__match_sink sink = {.offsets = ours, .capacity = LENGTH_MAX + 1};

        random_letters(&random, haystack, n, letters);
        random_letters(&random, needle, m, letters);
        if (random_below(&random, 2) == 0) {
            memcpy(needle, haystack + random_below(&random, n - m + 1), m);
        }
        task t = task_of(haystack, n, needle, m);
        sink.step = random_below(&random, 2) == 0 ? 1 : m;
        ironmap__pattern_init(&pattern, needle, m);
        ironmap__two_way_forward(&sink, &pattern, haystack, t.from, t.to);
        assert_u64(sink.found, naive_find_all(expected, &t, sink.step));
        assert_memory_equal(ours, expected, sink.found * sizeof(uint64_t));
        assert_u64(ironmap__two_way_backward(&pattern, haystack, t.from, t.to), naive_rfind(&t));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalar_is_last_and_the_first_supported_is_best),
        cmocka_unit_test(every_kernel_finds_what_the_table_says),
        cmocka_unit_test(no_kernel_reads_outside_the_haystack),
        cmocka_unit_test(search_for_an_absent_byte_ends_with_the_haystack),
        cmocka_unit_test(frequent_matches_are_counted_correctly),
        cmocka_unit_test(any_number_of_probes_finds_the_same),
        cmocka_unit_test(no_kernel_reads_outside_the_needle),
        cmocka_unit_test(almost_matches_are_told_from_matches),
        cmocka_unit_test(no_match_is_skipped_in_random_bytes),
        cmocka_unit_test(needles_of_all_lengths_are_found),
        cmocka_unit_test(long_needle_is_found_at_every_position),
        cmocka_unit_test(skip_ends_with_the_matches_that_are_wanted),
        cmocka_unit_test(no_match_is_skipped_in_log_lines),
        cmocka_unit_test(few_letters_leave_few_candidates),
        cmocka_unit_test(similar_lines_leave_few_candidates),
        cmocka_unit_test(each_half_has_its_own_sample),
        cmocka_unit_test(late_difference_leaves_few_candidates),
        cmocka_unit_test(long_comparison_costs_more),
        cmocka_unit_test(comparisons_have_a_limit),
        cmocka_unit_test(comparisons_of_runs_have_a_limit),
        cmocka_unit_test(comparisons_of_few_positions_have_a_limit),
        cmocka_unit_test(parts_of_a_search_have_one_limit),
        cmocka_unit_test(costs_are_never_forgotten),
        cmocka_unit_test(two_way_finds_what_the_naive_search_finds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
