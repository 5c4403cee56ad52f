/* The state of pages: marks, losses, and the state in a child of fork. */
#include "fault/page_state.h"

#include <time.h>

#include "unit.h"

enum { PAGES = 300, WORD = sizeof(size_t) * 8 };

#define GUARDED IRONMAP__LOSS_GUARDED
#define EXPORTED IRONMAP__LOSS_EXPORTED

static int setup(void **state)
{
    static ironmap__page_state pages;
    pages = (ironmap__page_state){.losses = 0};
    *state = &pages;
    return ironmap__page_state_reserve(&pages, PAGES) ? 0 : -1;
}

static int teardown(void **state)
{
    ironmap__page_state_free(*state);
    return 0;
}

static void mark(ironmap__page_state *pages, ironmap__loss_kind kind, size_t from, size_t to)
{
    ironmap__mark_pages(pages, kind, (ironmap__page_run){from, to});
}

static void unmark(ironmap__page_state *pages, ironmap__loss_kind kind, size_t from, size_t to)
{
    ironmap__unmark_pages(pages, kind, (ironmap__page_run){from, to});
}

static void assert_next(const ironmap__page_state *pages, size_t from, size_t to,
                        ironmap__page_run expected)
{
    ironmap__page_run run = ironmap__next_marked(pages, GUARDED, (ironmap__page_run){from, to});
    assert_int_equal(run.from, expected.from);
    assert_int_equal(run.to, expected.to);
}

static void run_that_was_marked_is_found(void **state)
{
    mark(*state, GUARDED, 5, 9);
    assert_next(*state, 0, PAGES, (ironmap__page_run){5, 9});
    assert_next(*state, 6, 8, (ironmap__page_run){6, 8});
    assert_next(*state, 9, PAGES, (ironmap__page_run){PAGES, PAGES});
}

/* Runs cross from one word to the next, and over whole words. */
static void runs_cross_words(void **state)
{
    mark(*state, GUARDED, WORD - 1, WORD + 1);
    assert_next(*state, 0, PAGES, (ironmap__page_run){WORD - 1, WORD + 1});
    unmark(*state, GUARDED, WORD - 1, WORD);
    assert_next(*state, 0, PAGES, (ironmap__page_run){WORD, WORD + 1});
    mark(*state, GUARDED, WORD, 4 * WORD);
    assert_next(*state, 0, PAGES, (ironmap__page_run){WORD, 4 * WORD});
    unmark(*state, GUARDED, 2 * WORD, 3 * WORD);
    assert_next(*state, 0, PAGES, (ironmap__page_run){WORD, 2 * WORD});
    assert_next(*state, 2 * WORD, PAGES, (ironmap__page_run){3 * WORD, 4 * WORD});
}

static void last_page_can_be_marked(void **state)
{
    mark(*state, GUARDED, PAGES - 1, PAGES);
    assert_next(*state, 0, PAGES, (ironmap__page_run){PAGES - 1, PAGES});
}

static void kinds_are_independent(void **state)
{
    mark(*state, EXPORTED, 0, PAGES);
    assert_next(*state, 0, PAGES, (ironmap__page_run){PAGES, PAGES});
    mark(*state, GUARDED, 7, 8);
    unmark(*state, EXPORTED, 0, PAGES);
    assert_next(*state, 0, PAGES, (ironmap__page_run){7, 8});
}

static void state_without_room_has_no_marks(void **state)
{
    (void)state;
    ironmap__page_state none = {.losses = 0};
    assert_next(&none, 0, PAGES, (ironmap__page_run){PAGES, PAGES});
}

static void room_is_kept_for_fewer_pages(void **state)
{
    ironmap__page_state *pages = *state;
    const atomic_size_t *marks = pages->marks;
    assert_true(ironmap__page_state_reserve(pages, 1));
    assert_ptr_equal(pages->marks, marks);
    assert_true(ironmap__page_state_reserve(pages, 10 * (size_t)PAGES));
    mark(pages, GUARDED, 10 * (size_t)PAGES - 1, 10 * (size_t)PAGES);
    assert_next(pages, 0, 10 * (size_t)PAGES,
                (ironmap__page_run){10 * (size_t)PAGES - 1, 10 * (size_t)PAGES});
}

static void room_that_no_memory_has_is_refused(void **state)
{
    ironmap__page_state *pages = *state;
    if (sizeof(size_t) < 8) {
        print_message("skipped: with 32 bits there is memory for the marks of all pages\n");
        skip();
    }
    mark(pages, GUARDED, 3, 4);
    assert_false(ironmap__page_state_reserve(pages, SIZE_MAX));
    assert_next(pages, 0, PAGES, (ironmap__page_run){3, 4});
}

/* Random operations match a plain array of bools. */
static void marks_match_an_array(void **state)
{
    bool model[PAGES] = {false};
    uint64_t seed = (uint64_t)time(NULL);
    uint64_t random = seed * 2 + 1;
    print_message("seed %llu\n", (unsigned long long)seed);
    for (int i = 0; i < 20000; i++) {
        random = random * 6364136223846793005U + 1442695040888963407U;
        size_t from = (size_t)(random >> 33) % PAGES;
        size_t to = from + (size_t)(random >> 45) % (PAGES - from) + 1;
        bool set = (random >> 60 & 1) != 0;
        (set ? mark : unmark)(*state, GUARDED, from, to);
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
        assert_next(*state, first, PAGES, (ironmap__page_run){begin, end});
    }
}

static void log_keeps_the_last_losses(void **state)
{
    ironmap__page_state *pages = *state;
    for (size_t number = 0; number < 2 * IRONMAP__LOSS_LOG_CAPACITY; number++) {
        ironmap__log_loss(pages, number, number + 1, (ironmap__page_run){number, number + 3});
    }
    for (size_t i = 0; i < IRONMAP__LOSS_LOG_CAPACITY; i++) {
        size_t number = IRONMAP__LOSS_LOG_CAPACITY + i;
        assert_int_equal(pages->log[i].failed, number + 1);
        assert_int_equal(pages->log[i].from, number);
        assert_int_equal(pages->log[i].to, number + 3);
    }
}

static void child_of_fork_marks_the_run_that_was_being_restored(void **state)
{
    ironmap__page_state *pages = *state;
    ironmap__note_restoring(pages, GUARDED, (ironmap__page_run){4, 6});
    atomic_store(&pages->handlers, 2);
    (void)atomic_flag_test_and_set(&pages->restoring);
    ironmap__page_state_after_fork(pages);
    assert_next(pages, 0, PAGES, (ironmap__page_run){4, 6});
    assert_int_equal(pages->handlers, 0);
    assert_false(atomic_flag_test_and_set(&pages->restoring));
}

static void child_of_fork_marks_nothing_when_nothing_was_restored(void **state)
{
    ironmap__page_state *pages = *state;
    ironmap__note_restoring(pages, GUARDED, (ironmap__page_run){4, 6});
    ironmap__note_restoring(pages, GUARDED, (ironmap__page_run){0, 0});
    ironmap__page_state_after_fork(pages);
    assert_next(pages, 0, PAGES, (ironmap__page_run){PAGES, PAGES});
}

static void exported_losses_are_damage_until_cleared(void **state)
{
    ironmap__page_state *pages = *state;
    assert_false(ironmap__is_damaged(pages));
    atomic_store(&pages->exported, 3);
    assert_true(ironmap__is_damaged(pages));
    atomic_store(&pages->cleared, 3);
    assert_false(ironmap__is_damaged(pages));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(run_that_was_marked_is_found),
        TEST(runs_cross_words),
        TEST(last_page_can_be_marked),
        TEST(kinds_are_independent),
        TEST(state_without_room_has_no_marks),
        TEST(room_is_kept_for_fewer_pages),
        TEST(room_that_no_memory_has_is_refused),
        TEST(marks_match_an_array),
        TEST(log_keeps_the_last_losses),
        TEST(child_of_fork_marks_the_run_that_was_being_restored),
        TEST(child_of_fork_marks_nothing_when_nothing_was_restored),
        TEST(exported_losses_are_damage_until_cleared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
