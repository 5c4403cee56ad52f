/* A fault handler can add pages between any two atomic accesses of a thread that adds or removes
 * others, and the thread can remove some between any two of the handler. Here that happens before
 * each of them in turn. The accesses are also counted: what the set
 * promises about time is a number of them. */
#include "fault/page_set.h"

#include <setjmp.h>
#include <stdlib.h>

#include "unit.h"

/* Three levels on every system. */
enum { WORD = sizeof(size_t) * 8, PAGES = 2 * WORD * WORD + 5, STEPS_MAX = 1000 };

static ironmap__page_set set;

/* ---- the handler ---- */

typedef void change(ironmap__page_set *pages, ironmap__page_run run);

static change *in_the_middle; /* NULL: a fork */
static ironmap__page_run of_handler;
static jmp_buf child;
static size_t steps;      /* atomic accesses so far */
static size_t handled_at; /* it happens before this one; SIZE_MAX: never */

void atomic_step(void)
{
    if (steps++ == handled_at) {
        if (in_the_middle == NULL) {
            longjmp(child, 1);
        }
        in_the_middle(&set, of_handler);
    }
}

static int setup(void **state)
{
    size_t count = ironmap__page_set_words(PAGES);
    atomic_size_t *words = calloc(count, sizeof(*words));
    *state = words;
    handled_at = SIZE_MAX;
    in_the_middle = ironmap__page_set_add;
    ironmap__page_set_init(&set, PAGES);
    ironmap__page_set_give(&set, words);
    return words == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

static void assert_has(ironmap__page_run run)
{
    ironmap__page_run found = ironmap__page_set_next(&set, (ironmap__page_run){0, PAGES});
    while (found.from < PAGES && found.to <= run.from) {
        found = ironmap__page_set_next(&set, (ironmap__page_run){found.to, PAGES});
    }
    assert_true(found.from <= run.from && run.to <= found.to);
}

static void clear(void)
{
    ironmap__page_set_remove(&set, (ironmap__page_run){0, PAGES});
}

/* The thread's page. A look that begins at page 0 comes to it by the summaries. */
enum { PAGE = WORD * WORD + WORD + 5 };
static const ironmap__page_run of_thread = {PAGE, PAGE + 1};

/* In the same word, in the same words of a higher level, and elsewhere. */
static const ironmap__page_run handled[] = {
    {PAGE - 2, PAGE - 1}, {PAGE + WORD, PAGE + WORD + 2}, {PAGE - WORD, PAGE},
    {WORD + 3, WORD + 4}, {PAGES - 9, PAGES - 8},         {PAGE + 2, PAGES},
};
enum { HANDLED = sizeof(handled) / sizeof(handled[0]) };

/* The change, with the other one before access number `at`. False if it has no such access. */
static bool is_interrupted(change *work, ironmap__page_run run, size_t at)
{
    assert_true(at < STEPS_MAX);
    steps = 0;
    handled_at = at;
    work(&set, run);
    handled_at = SIZE_MAX;
    return steps > at;
}

static void page_added_in_the_middle_of_a_removal_stays(void **state)
{
    (void)state;
    for (size_t i = 0; i < HANDLED; i++) {
        of_handler = handled[i];
        ironmap__page_set_add(&set, of_thread);
        for (size_t at = 0; is_interrupted(ironmap__page_set_remove, of_thread, at); at++) {
            assert_has(of_handler);
            clear();
            ironmap__page_set_add(&set, of_thread);
        }
    }
}

static void page_added_in_the_middle_of_an_addition_stays(void **state)
{
    const ironmap__page_run added = {PAGE, PAGE + WORD};
    (void)state;
    for (size_t i = 0; i < HANDLED; i++) {
        of_handler = handled[i];
        for (size_t at = 0; is_interrupted(ironmap__page_set_add, added, at); at++) {
            assert_has(added);
            assert_has(of_handler);
            clear();
        }
        clear();
    }
}

/* The handler is on another processor. */
static void page_stays_although_another_is_removed_in_the_middle(void **state)
{
    (void)state;
    in_the_middle = ironmap__page_set_remove;
    of_handler = of_thread;
    for (size_t i = 0; i < HANDLED; i++) {
        ironmap__page_set_add(&set, of_thread);
        for (size_t at = 0; is_interrupted(ironmap__page_set_add, handled[i], at); at++) {
            assert_has(handled[i]);
            clear();
            ironmap__page_set_add(&set, of_thread);
        }
        clear();
    }
}

/* The handler's tail is longer than the one that is added or removed. */
static void longer_tail_added_in_the_middle_stays(void **state)
{
    const ironmap__page_run tail = {PAGE, PAGES};
    (void)state;
    of_handler = (ironmap__page_run){8, PAGES};
    for (size_t at = 0; is_interrupted(ironmap__page_set_add, tail, at); at++) {
        assert_has(of_handler);
        clear();
    }
    for (size_t at = 0; is_interrupted(ironmap__page_set_remove, tail, at); at++) {
        assert_has(of_handler);
        clear();
        ironmap__page_set_add(&set, tail);
    }
}

static void add_all_handled(void)
{
    for (size_t i = 0; i < HANDLED; i++) {
        ironmap__page_set_add(&set, handled[i]);
    }
}

/* A fork in the middle of the removal, in which the thread does not exist. False if that has no
 * such access. */
static bool forks_at(size_t at)
{
    if (setjmp(child) == 0) {
        return is_interrupted(ironmap__page_set_remove, of_thread, at);
    }
    handled_at = SIZE_MAX;
    return true;
}

/* The child marks the run again, and has all other marks. */
static void child_of_fork_has_all_marks(void **state)
{
    bool forked = true;
    (void)state;
    in_the_middle = NULL;
    for (size_t at = 0; forked; at++) {
        add_all_handled();
        ironmap__page_set_add(&set, of_thread);
        forked = forks_at(at);
        ironmap__page_set_add(&set, of_thread);
        assert_has(of_thread);
        for (size_t i = 0; i < HANDLED; i++) {
            assert_has(handled[i]);
        }
        clear();
        ironmap__page_set_add(&set, of_thread);
        forked = forks_at(at) || forked;
        ironmap__page_set_add(&set, of_thread);
        assert_has(of_thread);
        clear();
    }
}

/* ---- time ---- */

/* At most so many accesses for a look, an addition of a page, and a removal of it: a few for each
 * level. */
enum { FEW = 8 * 3 };

static void assert_looks_quickly(void)
{
    steps = 0;
    ironmap__page_run found = ironmap__page_set_next(&set, (ironmap__page_run){0, PAGES});
    assert_true(found.from == PAGES || found.from == PAGES - 2);
    assert_in_range(steps, 1, FEW);
}

/* What the summaries say after a removal sends no look astray. */
static void empty_words_are_skipped_after_their_pages_are_gone(void **state)
{
    (void)state;
    for (size_t page = 0; page < PAGES - 1; page += WORD / 2) {
        ironmap__page_set_add(&set, (ironmap__page_run){page, page + 1});
    }
    ironmap__page_set_add(&set, (ironmap__page_run){PAGES - 2, PAGES - 1});
    for (size_t page = 0; page < PAGES - 2; page += WORD / 2) {
        steps = 0;
        ironmap__page_set_remove(&set, (ironmap__page_run){page, page + 1});
        assert_in_range(steps, 1, FEW);
    }
    assert_looks_quickly();
    ironmap__page_set_remove(&set, (ironmap__page_run){PAGES - 2, PAGES - 1});
    assert_looks_quickly();
}

static void tail_is_added_and_removed_at_once(void **state)
{
    (void)state;
    steps = 0;
    ironmap__page_set_add(&set, (ironmap__page_run){1, PAGES});
    ironmap__page_set_remove(&set, (ironmap__page_run){1, PAGES});
    assert_in_range(steps, 1, FEW);
    assert_looks_quickly();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(page_added_in_the_middle_of_a_removal_stays),
        TEST(page_added_in_the_middle_of_an_addition_stays),
        TEST(page_stays_although_another_is_removed_in_the_middle),
        TEST(longer_tail_added_in_the_middle_stays),
        TEST(child_of_fork_has_all_marks),
        TEST(empty_words_are_skipped_after_their_pages_are_gone),
        TEST(tail_is_added_and_removed_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
