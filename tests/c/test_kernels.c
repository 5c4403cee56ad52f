/* The search kernels by themselves. The source is included to reach the two-way algorithm, which
 * the public functions turn to only where a haystack is full of almost-matches. */
#include "support.h"

#include <stdlib.h>
#include <string.h>

#include "../../src/search/scalar.c"

enum { ROUNDS = 300000, SHORT = 24, LONG_ROUNDS = 60, LONG = 100000 };

static size_t naive_find(const uint8_t *haystack, size_t n, const uint8_t *needle, size_t m)
{
    for (size_t i = 0; i + m <= n; i++) {
        if (memcmp(haystack + i, needle, m) == 0) {
            return i;
        }
    }
    return MAPIO__NOWHERE;
}

static size_t naive_rfind(const uint8_t *haystack, size_t n, const uint8_t *needle, size_t m)
{
    for (size_t i = n - m + 1; i-- > 0;) {
        if (memcmp(haystack + i, needle, m) == 0) {
            return i;
        }
    }
    return MAPIO__NOWHERE;
}

static size_t mirrored_two_way(const uint8_t *haystack, size_t n, const uint8_t *needle, size_t m)
{
    size_t from_end = two_way((text){haystack, n}, (text){needle, m}, true);

    return from_end == MAPIO__NOWHERE ? MAPIO__NOWHERE : n - m - from_end;
}

static void random_letters(random_source *random, uint8_t *bytes, size_t n, uint64_t letters)
{
    for (size_t i = 0; i < n; i++) {
        bytes[i] = (uint8_t)('a' + random_below(random, letters));
    }
}

/* Over two or three letters, where everything is periodic, both directions find what a naive search
 * finds. */
static void two_way_is_right(void **state)
{
    random_source random = random_start();

    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        uint8_t haystack[SHORT];
        uint8_t needle[SHORT];
        uint64_t letters = 2 + random_below(&random, 2);
        size_t n = 1 + (size_t)random_below(&random, SHORT);
        size_t m = 1 + (size_t)random_below(&random, n);

        random_letters(&random, haystack, n, letters);
        random_letters(&random, needle, m, letters);
        if (random_below(&random, 2) == 0) {
            memcpy(needle, haystack + random_below(&random, n - m + 1), m);
        }
        assert_u64(two_way((text){haystack, n}, (text){needle, m}, false),
                   naive_find(haystack, n, needle, m));
        assert_u64(mirrored_two_way(haystack, n, needle, m), naive_rfind(haystack, n, needle, m));
    }
}

/* A long haystack of one letter with a few flaws, in which the needle may be: what is spent on
 * almost-matches makes both directions turn to the two-way algorithm in the middle. */
static void almost_matches_are_searched_right(void **state)
{
    random_source random = random_start();
    uint8_t *haystack = malloc(LONG);
    uint8_t *needle = malloc(LONG);

    (void)state;
    assert_non_null(haystack);
    assert_non_null(needle);
    for (int round = 0; round < LONG_ROUNDS; round++) {
        size_t m = 2 + (size_t)random_below(&random, 3000);

        memset(haystack, 'a', LONG);
        memset(needle, 'a', m);
        needle[random_below(&random, m)] = 'b';
        for (uint64_t flaws = random_below(&random, 40); flaws > 0; flaws--) {
            haystack[random_below(&random, LONG)] = 'b';
        }
        if (random_below(&random, 2) == 0) {
            memcpy(haystack + random_below(&random, LONG - m), needle, m);
        }
        assert_u64(mapio__find(haystack, LONG, needle, m), naive_find(haystack, LONG, needle, m));
        assert_u64(mapio__rfind(haystack, LONG, needle, m), naive_rfind(haystack, LONG, needle, m));
    }
    free(haystack);
    free(needle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_way_is_right),
        cmocka_unit_test(almost_matches_are_searched_right),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
