/* The state of pages: marks in room that comes with the first loss of a single page, and the state
 * in a child of fork. Another handler comes before each atomic access in turn. */
#include "fault/page_state.h"

#include <stdlib.h>

#include "interrupts.h"
#include "platform/platform.h"
#include "unit.h"

enum { PAGES = 300 };

/* Another handler that makes room in the middle of the call. */
static ironmap__page_state *of_other_handler;
static size_t bytes_in_use;

void *ironmap__zeros_allocate(size_t length)
{
    ironmap__page_state *other = of_other_handler;
    of_other_handler = NULL;
    if (other != NULL) {
        assert_true(ironmap__page_state_make_room(other));
        ironmap__mark_pages(other, IRONMAP__LOSS_GUARDED, (ironmap__page_run){5, 6});
    }
    void *zeros = calloc(length, 1);
    bytes_in_use += zeros == NULL ? 0 : length;
    return zeros;
}

void ironmap__zeros_free(void *zeros, size_t length)
{
    bytes_in_use -= length;
    free(zeros);
}

/* ---- the pages ---- */

#define GUARDED IRONMAP__LOSS_GUARDED
#define EXPORTED IRONMAP__LOSS_EXPORTED

/* That of each test. What happens in the middle finds it here. */
static ironmap__page_state the_pages;

static int setup(void **state)
{
    the_pages = (ironmap__page_state){.losses = 0};
    *state = &the_pages;
    ironmap__page_state_set_pages(&the_pages, PAGES);
    return ironmap__page_state_make_room(&the_pages) ? 0 : -1;
}

static int teardown(void **state)
{
    ironmap__page_state_set_pages(*state, 0);
    return bytes_in_use == 0 ? 0 : -1;
}

static void mark(ironmap__page_state *pages, ironmap__loss_kind kind, size_t from, size_t to)
{
    ironmap__mark_pages(pages, kind, (ironmap__page_run){from, to});
}

static void assert_next(const ironmap__page_state *pages, size_t from, size_t to,
                        ironmap__page_run expected)
{
    ironmap__page_run run = ironmap__next_marked(pages, GUARDED, (ironmap__page_run){from, to});
    assert_int_equal(run.from, expected.from);
    assert_int_equal(run.to, expected.to);
}

static void kinds_are_independent(void **state)
{
    mark(*state, EXPORTED, 0, PAGES);
    mark(*state, EXPORTED, 9, 12);
    assert_next(*state, 0, PAGES, (ironmap__page_run){PAGES, PAGES});
    mark(*state, GUARDED, 7, 8);
    ironmap__unmark_pages(*state, EXPORTED, (ironmap__page_run){0, PAGES});
    assert_next(*state, 0, PAGES, (ironmap__page_run){7, 8});
}

/* With the marks of 4 TiB. */
static void mark_in_a_large_mapping_is_found(void **state)
{
    const size_t many = sizeof(size_t) < 8 ? (size_t)1 << 20 : (size_t)1 << 30;
    ironmap__page_state_set_pages(*state, many);
    assert_true(ironmap__page_state_make_room(*state));
    mark(*state, GUARDED, many - 2, many - 1);
    assert_next(*state, 0, many, (ironmap__page_run){many - 2, many - 1});
    ironmap__unmark_pages(*state, GUARDED, (ironmap__page_run){many - 2, many - 1});
    assert_next(*state, 0, many, (ironmap__page_run){many, many});
}

static void without_room_all_pages_can_be_marked(void **state)
{
    ironmap__page_state_set_pages(*state, 0);
    ironmap__page_state_set_pages(*state, PAGES);
    assert_next(*state, 0, PAGES, (ironmap__page_run){PAGES, PAGES});
    mark(*state, GUARDED, 0, PAGES);
    assert_next(*state, 3, PAGES, (ironmap__page_run){3, PAGES});
}

/* As many pages as a word has bits need no room, and one more does. */
static void few_pages_need_no_room(void **state)
{
    ironmap__page_state *pages = *state;
    const size_t bits = sizeof(size_t) * 8;
    for (size_t count = bits - 1; count <= bits + 1; count++) {
        ironmap__page_state_set_pages(pages, count);
        assert_int_equal(ironmap__page_state_room(pages), 0);
        assert_true(ironmap__page_state_make_room(pages));
        assert_int_equal(ironmap__page_state_room(pages),
                         count > bits ? IRONMAP__LOSS_KINDS * (2 + 1) * sizeof(size_t) : 0);
        assert_int_equal(ironmap__page_state_room(pages), bytes_in_use);
        assert_true((pages->room != NULL) == (count > bits));
        mark(pages, GUARDED, 1, 2);
        mark(pages, EXPORTED, 2, count - 1);
        mark(pages, GUARDED, count - 2, count - 1);
        assert_next(pages, 0, count, (ironmap__page_run){1, 2});
        assert_next(pages, 2, count, (ironmap__page_run){count - 2, count - 1});
        ironmap__unmark_pages(pages, GUARDED, (ironmap__page_run){0, count});
        assert_next(pages, 0, count, (ironmap__page_run){count, count});
        ironmap__page_state_set_pages(pages, 0);
        ironmap__page_state_set_pages(pages, count);
        assert_next(pages, 0, count, (ironmap__page_run){count, count});
        assert_int_equal(bytes_in_use, 0);
    }
}

static void room_is_kept_for_as_many_pages(void **state)
{
    ironmap__page_state *pages = *state;
    const atomic_size_t *room = pages->room;
    ironmap__page_state_set_pages(pages, PAGES);
    assert_ptr_equal(pages->room, room);
    assert_true(ironmap__page_state_make_room(pages));
    assert_ptr_equal(pages->room, room);
    ironmap__page_state_set_pages(pages, 2 * (size_t)PAGES);
    assert_null(pages->room);
}

static void room_that_no_memory_has_is_refused(void **state)
{
    if (sizeof(size_t) < 8) {
        print_message("skipped: with 32 bits there is memory for the marks of all pages\n");
        skip();
    }
    ironmap__page_state_set_pages(*state, SIZE_MAX / 64);
    assert_false(ironmap__page_state_make_room(*state));
}

static ironmap__page_run noted;

/* As a child would find it: the note, or none. */
static void look_at_note(void)
{
    const ironmap__page_state *pages = &the_pages;
    bool is_there = pages->run_to != 0;
    assert_true(!is_there || (pages->run_from == noted.from && pages->run_to == noted.to));
    assert_true(!is_there || pages->run_kind == (noted.from == 4 ? GUARDED : EXPORTED));
}

static void note_is_whole_in_a_child_of_fork(void **state)
{
    const ironmap__page_run none = {0, 0};
    for (size_t at = 0; at < 12; at++) {
        noted = (ironmap__page_run){4, 6};
        interrupt_at(look_at_note, at);
        ironmap__note_restoring(*state, GUARDED, noted);
        ironmap__note_restoring(*state, GUARDED, none);
        (void)was_interrupted();
        noted = (ironmap__page_run){1, 3};
        interrupt_at(look_at_note, at);
        ironmap__note_restoring(*state, EXPORTED, noted);
        ironmap__note_restoring(*state, EXPORTED, none);
        (void)was_interrupted();
    }
}

static void use_another_address(void)
{
    ironmap__note_stale_use(&the_pages, 4);
}

/* The first place is told, and the next access takes the slow path. */
static void stale_use_in_the_middle_of_another_is_told(void **state)
{
    ironmap__page_state *pages = *state;
    bool interrupted = true;
    for (size_t at = 0; interrupted; at++) {
        atomic_store(&pages->stale, 0);
        ironmap__note_restored(pages, 0);
        interrupt_at(use_another_address, at);
        ironmap__note_stale_use(pages, 9);
        interrupted = was_interrupted();
        assert_int_equal(pages->stale, (interrupted ? 4 : 9) + 1);
        assert_true(pages->restored != pages->losses);
    }
    interrupted = true;
    for (size_t at = 0; interrupted; at++) {
        atomic_store(&pages->stale, 0);
        interrupt_at(use_another_address, at);
        ironmap__note_restored(pages, 0);
        interrupted = was_interrupted();
        assert_true(interrupted == (pages->restored != pages->losses));
    }
}

static void child_of_fork_marks_the_run_that_was_being_restored(void **state)
{
    ironmap__page_state *pages = *state;
    ironmap__note_restoring(pages, GUARDED, (ironmap__page_run){4, 6});
    atomic_store(&pages->handlers, 2);
    atomic_store(&pages->restoring, true);
    ironmap__page_state_after_fork(pages);
    assert_next(pages, 0, PAGES, (ironmap__page_run){4, 6});
    assert_int_equal(pages->handlers, 0);
    assert_false(pages->restoring);
    ironmap__unmark_pages(pages, GUARDED, (ironmap__page_run){4, 6});
    ironmap__page_state_after_fork(pages);
    assert_next(pages, 0, PAGES, (ironmap__page_run){PAGES, PAGES});
}

/* A store would make the child copy the page that the state is in. Another access is an atomic
 * step, and its number tells that it was one. */
static void state_at_rest_stays_as_it_is_in_a_child_of_fork(void **state)
{
    interrupt_at(use_another_address, 2);
    ironmap__page_state_after_fork(*state);
    assert_false(was_interrupted());
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

/* The first place is told. The fast path of an access sees the use, and goes on after it is
 * cleared.
 */
static void stale_use_is_damage_until_cleared(void **state)
{
    ironmap__page_state *pages = *state;

    ironmap__note_restored(pages, 0);
    assert_int_equal(pages->restored, pages->losses);
    ironmap__note_stale_use(pages, 70);
    assert_true(ironmap__is_damaged(pages));
    assert_int_equal(ironmap__damage_count(pages), 1);
    assert_true(pages->restored != pages->losses);
    ironmap__note_stale_use(pages, 0);
    ironmap__note_stale_use(pages, 80);
    assert_int_equal(pages->stale, 1);
    assert_int_equal(ironmap__damage_count(pages), 3);
    ironmap__note_restored(pages, 0);
    assert_true(pages->restored != pages->losses);
    atomic_store(&pages->stale, 0);
    ironmap__note_restored(pages, 0);
    assert_int_equal(pages->restored, pages->losses);
    assert_false(ironmap__is_damaged(pages));
    assert_int_equal(ironmap__damage_count(pages), 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* One of them wins, and both use its room. */
static void two_handlers_make_one_room(void **state)
{
    ironmap__page_state *pages = *state;

    ironmap__page_state_set_pages(pages, PAGES + 1);
    assert_int_equal(bytes_in_use, 0);
    of_other_handler = pages;
    assert_true(ironmap__page_state_make_room(pages));
    mark(pages, GUARDED, 6, 7);
    assert_next(pages, 0, PAGES, (ironmap__page_run){5, 7});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(kinds_are_independent),
        TEST(two_handlers_make_one_room),
        TEST(mark_in_a_large_mapping_is_found),
        TEST(without_room_all_pages_can_be_marked),
        TEST(few_pages_need_no_room),
        TEST(room_is_kept_for_as_many_pages),
        TEST(room_that_no_memory_has_is_refused),
        TEST(note_is_whole_in_a_child_of_fork),
        TEST(stale_use_in_the_middle_of_another_is_told),
        TEST(child_of_fork_marks_the_run_that_was_being_restored),
        TEST(state_at_rest_stays_as_it_is_in_a_child_of_fork),
        TEST(child_of_fork_marks_nothing_when_nothing_was_restored),
        TEST(exported_losses_are_damage_until_cleared),
        TEST(stale_use_is_damage_until_cleared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
