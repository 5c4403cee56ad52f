/* Sets of pages: what is added is found, whatever the level, and the tail goes to the end. */
#include "fault/page_set.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "unit.h"

/* Three levels on every system. */
enum { WORD = sizeof(size_t) * 8, PAGES = 2 * WORD * WORD + 5 };

typedef struct fixture {
    ironmap__page_set set;
    atomic_size_t *words;
} fixture;

static int setup(void **state)
{
    static fixture f;
    f.words = calloc(ironmap__page_set_words(PAGES), sizeof(*f.words));
    ironmap__page_set_init(&f.set, PAGES);
    ironmap__page_set_give(&f.set, f.words);
    *state = &f;
    return f.words == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    free(((fixture *)*state)->words);
    return 0;
}

static void add(fixture *f, size_t from, size_t to)
{
    ironmap__page_set_add(&f->set, (ironmap__page_run){from, to});
}

static void drop(fixture *f, size_t from, size_t to)
{
    ironmap__page_set_remove(&f->set, (ironmap__page_run){from, to});
}

static void assert_next(const fixture *f, size_t from, size_t to, size_t begin, size_t end)
{
    ironmap__page_run run = ironmap__page_set_next(&f->set, (ironmap__page_run){from, to});
    assert_int_equal(run.from, begin);
    assert_int_equal(run.to, end);
}

static void empty_set_has_no_page(void **state)
{
    assert_next(*state, 0, PAGES, PAGES, PAGES);
    assert_next(*state, 5, 9, 9, 9);
}

static void run_that_was_added_is_found(void **state)
{
    add(*state, 5, 9);
    assert_next(*state, 0, PAGES, 5, 9);
    assert_next(*state, 6, 8, 6, 8);
    assert_next(*state, 9, PAGES, PAGES, PAGES);
    assert_next(*state, 0, 5, 5, 5);
}

static void runs_cross_words_of_every_level(void **state)
{
    add(*state, WORD - 1, WORD + 1);
    assert_next(*state, 0, PAGES, WORD - 1, WORD + 1);
    drop(*state, WORD - 1, WORD + 1);
    add(*state, WORD * WORD - 1, WORD * WORD + 1);
    assert_next(*state, 0, PAGES, WORD * WORD - 1, WORD * WORD + 1);
    assert_next(*state, WORD * WORD, PAGES, WORD * WORD, WORD * WORD + 1);
    add(*state, 3, 4);
    assert_next(*state, 0, PAGES, 3, 4);
    assert_next(*state, 4, PAGES, WORD * WORD - 1, WORD * WORD + 1);
}

static void tail_goes_to_the_end(void **state)
{
    add(*state, 7, PAGES);
    assert_next(*state, 0, PAGES, 7, PAGES);
    assert_next(*state, 9, 11, 9, 11);
    assert_next(*state, 3, 5, 5, 5);
    drop(*state, 7, PAGES);
    assert_next(*state, 0, PAGES, PAGES, PAGES);
}

static void tail_that_became_longer_stays(void **state)
{
    add(*state, 9, PAGES);
    add(*state, 4, PAGES);
    add(*state, 6, PAGES);
    drop(*state, 9, PAGES);
    assert_next(*state, 0, PAGES, 4, PAGES);
}

static void tail_takes_the_pages_in_it_along(void **state)
{
    add(*state, 20, 21);
    add(*state, 7, 8);
    add(*state, 8, PAGES);
    assert_next(*state, 0, PAGES, 7, PAGES);
    drop(*state, 7, PAGES);
    assert_next(*state, 0, PAGES, PAGES, PAGES);
}

static void set_without_words_has_a_tail(void **state)
{
    fixture *f = *state;
    ironmap__page_set_init(&f->set, PAGES);
    assert_next(f, 0, PAGES, PAGES, PAGES);
    add(f, 0, PAGES);
    assert_next(f, 0, PAGES, 0, PAGES);
    drop(f, 0, PAGES);
    assert_next(f, 0, PAGES, PAGES, PAGES);
}

/* Random operations match a plain array of bools. */
static void set_matches_an_array(void **state)
{
    static bool model[PAGES];
    uint64_t seed = (uint64_t)time(NULL);
    uint64_t random = seed * 2 + 1;
    print_message("seed %llu\n", (unsigned long long)seed);
    memset(model, 0, sizeof(model));
    for (int i = 0; i < 20000; i++) {
        random = random * 6364136223846793005U + 1442695040888963407U;
        size_t from = (size_t)(random >> 33) % (PAGES - 1);
        size_t most = (size_t)1 << (random >> 60);
        size_t length = (size_t)(random >> 45) % most + 1;
        size_t to = length < PAGES - 1 - from ? from + length : PAGES - 1;
        bool set = (random >> 59 & 1) != 0;
        (set ? add : drop)(*state, from, to);
        memset(model + from, set, to - from);
        size_t first = (size_t)(random >> 25) % PAGES;
        size_t begin = first;
        while (begin < PAGES && !model[begin]) {
            begin++;
        }
        size_t end = begin;
        while (end < PAGES && model[end]) {
            end++;
        }
        assert_next(*state, first, PAGES, begin, end);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(empty_set_has_no_page),           TEST(run_that_was_added_is_found),
        TEST(runs_cross_words_of_every_level), TEST(tail_goes_to_the_end),
        TEST(tail_that_became_longer_stays),   TEST(tail_takes_the_pages_in_it_along),
        TEST(set_without_words_has_a_tail),    TEST(set_matches_an_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
