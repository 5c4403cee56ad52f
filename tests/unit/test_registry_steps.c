/* Between any two atomic accesses of a thread that changes the registry, a signal handler can look
 * something up, and another thread can fork. Between any two of a lookup, another thread can change
 * the registry. Here each of them happens before each access in turn. */
#include "fault/registry.h"

#include <setjmp.h>

#include "interrupts.h"
#include "platform/platform.h"
#include "unit.h"

enum { STEADY = 6, LENGTH = 0x1000 };

void ironmap__yield(void)
{
    fail_msg("%s", "nothing here waits for another thread");
}

/* ---- mappings: some that stay, and one that moves ---- */

static char storage[STEADY + 1];
static ironmap__registry_entry *steady[STEADY];
static ironmap__registry_entry *moving;

static struct ironmap__mapping *mapping_number(size_t i)
{
    return (struct ironmap__mapping *)(void *)&storage[i];
}

#define MOVING mapping_number(STEADY)

/* The order in the registry's blocks is not that of the addresses. There is free space around
 * each. */
static uintptr_t steady_base(size_t i)
{
    static const uintptr_t places[STEADY] = {9, 3, 5, 11, 1, 7};
    return 0x100000 * places[i];
}

/* Below all, among them, and above all. */
static const uintptr_t moving_bases[] = {0x80000, 0x680000, 0xC00000};
enum { BASES = sizeof(moving_bases) / sizeof(moving_bases[0]) };

static uintptr_t moves_from; /* 0: from no address, and to none */
static uintptr_t moves_to;

static void place(uintptr_t base)
{
    ironmap__registry_set(moving, base, base == 0 ? 0 : LENGTH);
}

static void move(void)
{
    place(moves_to);
}

static int setup(void **state)
{
    (void)state;
    for (size_t i = 0; i < STEADY; i++) {
        steady[i] = ironmap__registry_enter(mapping_number(i));
        ironmap__registry_set(steady[i], steady_base(i), LENGTH);
    }
    moving = ironmap__registry_enter(MOVING);
    return moving == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    for (size_t i = 0; i < STEADY; i++) {
        ironmap__registry_exit(steady[i]);
    }
    ironmap__registry_exit(moving);
    return 0;
}

static bool is_moving_or_none(const struct ironmap__mapping *found)
{
    return found == NULL || found == MOVING;
}

/* The mappings that stay are found, the one that moves at its addresses only, and none between. */
static void look_at_all(void)
{
    for (size_t i = 0; i < STEADY; i++) {
        uintptr_t base = steady_base(i);
        assert_ptr_equal(ironmap__registry_find(base), mapping_number(i));
        assert_ptr_equal(ironmap__registry_find(base + LENGTH - 1), mapping_number(i));
        assert_ptr_equal(ironmap__registry_first(base - 1, base + LENGTH), mapping_number(i));
        assert_null(ironmap__registry_find(base - 1));
        assert_null(ironmap__registry_find(base + LENGTH));
    }
    for (size_t i = 0; i < BASES; i++) {
        struct ironmap__mapping *found = ironmap__registry_find(moving_bases[i]);
        bool may_be = moving_bases[i] == moves_from || moving_bases[i] == moves_to;
        assert_true(may_be ? is_moving_or_none(found) : found == NULL);
        assert_null(ironmap__registry_find(moving_bases[i] + LENGTH));
    }
    assert_null(ironmap__registry_find(0));
    assert_null(ironmap__registry_find(UINTPTR_MAX));
    assert_ptr_equal(ironmap__registry_first(moving_bases[0] + LENGTH, UINTPTR_MAX),
                     mapping_number(4));
}

/* Calls `check` for every move of the mapping between its addresses, and none. */
static void each_move(void (*check)(void))
{
    for (size_t from = 0; from <= BASES; from++) {
        for (size_t to = 0; to <= BASES; to++) {
            moves_from = from < BASES ? moving_bases[from] : 0;
            moves_to = to < BASES ? moving_bases[to] : 0;
            check();
        }
    }
}

/* ---- a handler in the middle of a change ---- */

static void check_lookups_in_a_move(void)
{
    bool interrupted = true;
    for (size_t at = 0; interrupted; at++) {
        place(moves_from);
        interrupted = interrupts(look_at_all, move, at);
    }
    look_at_all();
}

static void all_are_found_at_any_access_of_a_change(void **state)
{
    (void)state;
    each_move(check_lookups_in_a_move);
}

static void leave_and_enter(void)
{
    ironmap__registry_exit(moving);
    moving = ironmap__registry_enter(MOVING);
}

static void all_are_found_while_a_mapping_leaves_and_enters(void **state)
{
    bool interrupted = true;
    (void)state;
    moves_to = 0;
    moves_from = moving_bases[1];
    for (size_t at = 0; interrupted; at++) {
        place(moves_from);
        interrupted = interrupts(look_at_all, leave_and_enter, at);
    }
}

/* Both its base and its length change, and no half of a change is seen. */
static void grow_or_shrink(void)
{
    static bool is_large;
    is_large = !is_large;
    ironmap__registry_set(moving, is_large ? 0x600000 : 0x680000, is_large ? 0xC0000 : LENGTH);
}

static void look_between(void)
{
    struct ironmap__mapping *found = ironmap__registry_find(0x680000 + LENGTH);
    assert_true(is_moving_or_none(found));
    assert_null(ironmap__registry_find(0x600000 + 0xC0000));
    assert_null(ironmap__registry_find(0x680000 + 0xC0000 - 1));
    assert_ptr_equal(ironmap__registry_find(steady_base(5)), mapping_number(5));
}

static void no_half_of_a_change_is_seen(void **state)
{
    bool interrupted = true;
    (void)state;
    for (size_t at = 0; interrupted; at++) {
        grow_or_shrink();
        interrupted = interrupts(look_between, grow_or_shrink, at);
    }
    interrupted = true;
    for (size_t at = 0; interrupted; at++) {
        interrupted = interrupts(grow_or_shrink, look_between, at);
    }
}

/* ---- a change in the middle of a lookup ---- */

static void check_moves_in_a_lookup(void)
{
    bool interrupted = true;
    for (size_t at = 0; interrupted; at++) {
        place(moves_from);
        interrupted = interrupts(move, look_at_all, at);
    }
}

static void all_are_found_although_others_move_in_the_middle(void **state)
{
    (void)state;
    each_move(check_moves_in_a_lookup);
}

/* As a part of a longer change: before and after it the sequence is the same odd number. */
static void move_inside_a_change(void)
{
    move();
    (void)atomic_fetch_sub(&ironmap__registry_sequence, 2);
}

static size_t wanted;

static void look_for_wanted(void)
{
    assert_ptr_equal(ironmap__registry_find(steady_base(wanted)), mapping_number(wanted));
    assert_null(ironmap__registry_find(steady_base(wanted) - 1));
}

/* The index is asked first. The look at all entries, in which nothing is passed by, is long. */
static void check_lookups_in_a_change(void)
{
    enum { OF_THE_INDEX = 100 };
    for (wanted = 0; wanted < STEADY; wanted++) {
        for (size_t at = 0; at < OF_THE_INDEX; at++) {
            place(moves_from);
            (void)atomic_fetch_add(&ironmap__registry_sequence, 1);
            assert_true(interrupts(move_inside_a_change, look_for_wanted, at));
            (void)atomic_fetch_sub(&ironmap__registry_sequence, 1);
        }
    }
}

static void miss_in_the_middle_of_a_change_does_not_count(void **state)
{
    (void)state;
    each_move(check_lookups_in_a_change);
}

/* ---- gaps ---- */

static bool is_free_up_to_mappings(const ironmap__registry_gap *gap)
{
    return ironmap__registry_first(gap->first, gap->last) == NULL &&
           (gap->first == 0 || ironmap__registry_find(gap->first - 1) != NULL) &&
           (gap->last == UINTPTR_MAX || ironmap__registry_find(gap->last + 1) != NULL);
}

static ironmap__registry_gap gap;
static bool gap_is_found;
static uintptr_t in_gap;

static void find_gap(void)
{
    gap_is_found = ironmap__registry_find_gap(&gap, in_gap);
}

static void look_at_gaps(void)
{
    for (size_t i = 0; i < BASES; i++) {
        in_gap = moving_bases[i];
        find_gap();
        if (gap_is_found) {
            assert_true(gap.first <= in_gap && in_gap <= gap.last);
            assert_true(is_free_up_to_mappings(&gap));
        }
    }
}

/* A gap that is found is one at the end of the search. */
static void check_gaps_in_a_move(void)
{
    bool interrupted = true;
    for (size_t at = 0; interrupted; at++) {
        place(moves_from);
        interrupted = interrupts(look_at_gaps, move, at);
    }
    for (size_t i = 0; i < BASES; i++) {
        interrupted = true;
        for (size_t at = 0; interrupted; at++) {
            place(moves_from);
            in_gap = moving_bases[i];
            interrupted = interrupts(move, find_gap, at);
            assert_true(!gap_is_found || ironmap__registry_is_as_at(&gap));
            look_at_gaps();
        }
    }
}

static void gap_is_free_as_long_as_nothing_changes(void **state)
{
    (void)state;
    each_move(check_gaps_in_a_move);
    place(0);
    assert_true(ironmap__registry_find_gap(&gap, moving_bases[1]));
    assert_true(gap.first == steady_base(2) + LENGTH && gap.last == steady_base(5) - 1);
    (void)atomic_fetch_add(&ironmap__registry_sequence, 1);
    assert_false(ironmap__registry_find_gap(&gap, moving_bases[1]));
    (void)atomic_fetch_add(&ironmap__registry_sequence, 1);
    assert_false(ironmap__registry_find_gap(&gap, steady_base(2) + LENGTH - 1));
}

/* ---- a fork in the middle of a change ---- */

static jmp_buf child;

/* The thread that changes does not exist in the child. */
static void fork_here(void)
{
    longjmp(child, 1);
}

static bool moving_is_registered;

static void look_for_moving(struct ironmap__mapping *mapping)
{
    moving_is_registered = moving_is_registered || mapping == MOVING;
}

/* False if the change has no such access. */
static bool forks_at(void (*change)(void), size_t at)
{
    if (setjmp(child) == 0) {
        return interrupts(fork_here, change, at);
    }
    ironmap__registry_after_fork();
    assert_int_equal(ironmap__registry_sequence % 2, 0);
    look_at_all();
    moving_is_registered = false;
    ironmap__registry_each(look_for_moving);
    if (!moving_is_registered) {
        moving = ironmap__registry_enter(MOVING);
    }
    return true;
}

/* More than a block has, each with an entry of its own. */
static void check_free_entries(void)
{
    enum { MANY = 150 };
    ironmap__registry_entry *entries[MANY];
    const uintptr_t above = 0x1000000;
    for (size_t i = 0; i < MANY; i++) {
        entries[i] = ironmap__registry_enter(MOVING);
        ironmap__registry_set(entries[i], above + i * LENGTH, LENGTH);
    }
    for (size_t i = 0; i < MANY; i++) {
        assert_ptr_equal(ironmap__registry_find(above + i * LENGTH), MOVING);
    }
    for (size_t i = 0; i < MANY; i++) {
        ironmap__registry_exit(entries[i]);
    }
}

static void check_forks_in_a_move(void)
{
    bool interrupted = true;
    for (size_t at = 0; interrupted; at++) {
        place(moves_from);
        interrupted = forks_at(move, at);
    }
    place(moving_bases[0]);
    assert_ptr_equal(ironmap__registry_find(moving_bases[0]), MOVING);
    check_free_entries();
}

static void leave(void)
{
    ironmap__registry_exit(moving);
}

static void child_of_fork_has_a_whole_registry(void **state)
{
    bool interrupted = true;
    (void)state;
    each_move(check_forks_in_a_move);
    moves_to = 0;
    moves_from = moving_bases[1];
    for (size_t at = 0; interrupted; at++) {
        place(moves_from);
        interrupted = forks_at(leave, at);
    }
    moving = ironmap__registry_enter(MOVING);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_are_found_at_any_access_of_a_change),
        TEST(all_are_found_while_a_mapping_leaves_and_enters),
        TEST(no_half_of_a_change_is_seen),
        TEST(all_are_found_although_others_move_in_the_middle),
        TEST(miss_in_the_middle_of_a_change_does_not_count),
        TEST(gap_is_free_as_long_as_nothing_changes),
        TEST(child_of_fork_has_a_whole_registry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
