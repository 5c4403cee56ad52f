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

/* ---- a model ---- */

/* One word, one summary and one summary of summaries: around the end of each, and far from it. */
static const size_t sizes[] = {
    1, 2, WORD - 1, WORD, WORD + 1, 2 * WORD, WORD * WORD - 1, WORD * WORD, WORD * WORD + 1, PAGES,
};

/* A plain array, and the tail beside it. */
typedef struct model {
    bool in_levels[PAGES];
    size_t pages;
    size_t tail;
} model;

static uint64_t next_random(uint64_t *random, size_t below)
{
    *random = *random * 6364136223846793005U + 1442695040888963407U;
    return (*random >> 33) % below;
}

/* Few pages or many, and often up to the last page. */
static ironmap__page_run random_run(uint64_t *random, size_t pages)
{
    size_t from = (size_t)next_random(random, pages);
    size_t most = (size_t)1 << next_random(random, 14);
    size_t length = 1 + (size_t)next_random(random, most);
    return (ironmap__page_run){from, length < pages - from ? from + length : pages};
}

static void model_add(model *m, ironmap__page_run run)
{
    if (run.to == m->pages) {
        m->tail = run.from < m->tail ? run.from : m->tail;
    } else {
        memset(m->in_levels + run.from, true, run.to - run.from);
    }
}

static void model_remove(model *m, ironmap__page_run run)
{
    if (run.to == m->pages && m->tail >= run.from) {
        m->tail = SIZE_MAX;
    }
    memset(m->in_levels + run.from, false, run.to - run.from);
}

static ironmap__page_run model_next(const model *m, ironmap__page_run within)
{
    ironmap__page_run run = within;
    while (run.from < within.to && !m->in_levels[run.from] && run.from < m->tail) {
        run.from++;
    }
    run.to = run.from;
    while (run.to < within.to && (m->in_levels[run.to] || run.to >= m->tail)) {
        run.to++;
    }
    return run;
}

/* Adds a run, removes one that was found, or removes any. */
static void random_change(fixture *f, model *m, uint64_t *random)
{
    ironmap__page_run run = random_run(random, m->pages);
    if (next_random(random, 2) == 0) {
        ironmap__page_set_add(&f->set, run);
        model_add(m, run);
        return;
    }
    if (next_random(random, 2) == 0) {
        run = model_next(m, (ironmap__page_run){run.from, m->pages});
    }
    if (run.from < run.to) {
        ironmap__page_set_remove(&f->set, run);
        model_remove(m, run);
    }
}

static void set_of_any_size_is_as_a_plain_array(void **state)
{
    static model m;
    fixture *f = *state;
    uint64_t seed = (uint64_t)time(NULL);
    uint64_t random = seed * 2 + 1;
    print_message("seed %llu\n", (unsigned long long)seed);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        m = (model){.pages = sizes[i], .tail = SIZE_MAX};
        memset(f->words, 0, ironmap__page_set_words(PAGES) * sizeof(*f->words));
        ironmap__page_set_init(&f->set, m.pages);
        ironmap__page_set_give(&f->set, f->words);
        for (int change = 0; change < 3000; change++) {
            random_change(f, &m, &random);
            ironmap__page_run within = random_run(&random, m.pages);
            ironmap__page_run expected = model_next(&m, within);
            assert_next(f, within.from, within.to, expected.from, expected.to);
        }
        for (size_t word = ironmap__page_set_words(m.pages); word < ironmap__page_set_words(PAGES);
             word++) {
            assert_int_equal(f->words[word], 0);
        }
    }
}

/* No word more than the bits need, and none where the one of the set is enough. */
static void levels_take_a_bit_for_each_page_and_each_word(void **state)
{
    (void)state;
    assert_int_equal(ironmap__page_set_words(0), 0);
    assert_int_equal(ironmap__page_set_words(1), 0);
    assert_int_equal(ironmap__page_set_words(WORD), 0);
    assert_int_equal(ironmap__page_set_words(WORD + 1), 2 + 1);
    assert_int_equal(ironmap__page_set_words(WORD * WORD), WORD + 1);
    assert_int_equal(ironmap__page_set_words(WORD * WORD + 1), WORD + 1 + 2 + 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(empty_set_has_no_page),
        TEST(run_that_was_added_is_found),
        TEST(runs_cross_words_of_every_level),
        TEST(tail_goes_to_the_end),
        TEST(tail_that_became_longer_stays),
        TEST(tail_takes_the_pages_in_it_along),
        TEST(set_without_words_has_a_tail),
        TEST(set_of_any_size_is_as_a_plain_array),
        TEST(levels_take_a_bit_for_each_page_and_each_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
