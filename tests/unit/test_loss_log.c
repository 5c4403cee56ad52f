/* The log of the last losses of all mappings. Another handler comes before each atomic access in
 * turn. */
#include "fault/loss_log.h"

#include "interrupts.h"
#include "unit.h"

enum { CAPACITY = IRONMAP__LOSS_LOG_CAPACITY };

/* ---- losses ---- */

static ironmap__loss_owner one;
static ironmap__loss_owner other;

static void log_loss(ironmap__loss_owner *owner, size_t number, size_t failed)
{
    const ironmap__loss loss = {failed, {failed - 1, failed + 2}};
    ironmap__log_loss(owner, number, &loss);
}

static void add_failed(void *sum, const ironmap__loss *loss)
{
    *(size_t *)sum += loss->failed;
    assert_int_equal(loss->replaced.from, loss->failed - 1);
    assert_int_equal(loss->replaced.to, loss->failed + 2);
}

/* True if the log has the loss, and then it is whole. */
static bool has_loss(const ironmap__loss_owner *owner, size_t number, size_t failed)
{
    size_t sum = 0;
    size_t count = ironmap__logged_losses(owner, number, number + 1, add_failed, &sum);
    assert_true(count <= 1);
    assert_int_equal(sum, count * failed);
    return count == 1;
}

static int setup(void **state)
{
    (void)state;
    atomic_init(&one, 0);
    atomic_init(&other, 0);
    return 0;
}

static void log_keeps_the_last_losses(void **state)
{
    size_t sum = 0;
    (void)state;
    for (size_t number = 0; number < 2 * CAPACITY; number++) {
        log_loss(&one, number, number + 10);
    }
    for (size_t number = 0; number < 2 * CAPACITY; number++) {
        assert_int_equal(has_loss(&one, number, number + 10), number >= CAPACITY);
    }
    assert_false(has_loss(&one, 2 * CAPACITY, 0));
    assert_int_equal(ironmap__logged_losses(&one, 0, 2 * CAPACITY, add_failed, &sum), CAPACITY);
}

static void losses_in_a_range_are_visited_once(void **state)
{
    size_t sum = 0;
    (void)state;
    for (size_t number = 0; number < 10; number++) {
        log_loss(&one, number, (size_t)1 << number);
        log_loss(&other, number, 1000);
    }
    assert_int_equal(ironmap__logged_losses(&one, 3, 7, add_failed, &sum), 4);
    assert_int_equal(sum, (1 << 7) - (1 << 3));
    assert_int_equal(ironmap__logged_losses(&one, 4, 4, add_failed, &sum), 0);
    assert_int_equal(ironmap__logged_losses(&one, 8, 12, add_failed, &sum), 2);
}

/* Numbers may go past the highest one. */
static void numbers_go_around(void **state)
{
    size_t sum = 0;
    (void)state;
    log_loss(&one, SIZE_MAX, 3);
    log_loss(&one, 0, 4);
    log_loss(&one, 1, 100);
    assert_int_equal(ironmap__logged_losses(&one, SIZE_MAX, 1, add_failed, &sum), 2);
    assert_int_equal(sum, 3 + 4);
}

static void mappings_do_not_see_the_losses_of_each_other(void **state)
{
    ironmap__loss_owner none = 0;
    (void)state;
    log_loss(&one, 8, 30);
    assert_false(has_loss(&other, 8, 0));
    log_loss(&other, 8, 50);
    assert_true(has_loss(&one, 8, 30));
    assert_true(has_loss(&other, 8, 50));
    assert_false(has_loss(&none, 8, 0));
    assert_false(has_loss(&none, 0, 0));
}

/* The first loss of as many mappings as there are places is there. */
static void first_losses_of_many_mappings_are_kept(void **state)
{
    static ironmap__loss_owner many[CAPACITY];
    (void)state;
    for (size_t i = 0; i < CAPACITY; i++) {
        log_loss(&many[i], 0, i + 1);
    }
    for (size_t i = 0; i < CAPACITY; i++) {
        assert_true(has_loss(&many[i], 0, i + 1));
    }
}

/* ---- two handlers ---- */

static ironmap__loss_owner fresh;

static void log_first_loss(void)
{
    log_loss(&fresh, 1, 12);
}

static void two_handlers_give_a_mapping_one_number(void **state)
{
    bool interrupted = true;
    (void)state;
    for (size_t at = 0; interrupted; at++) {
        atomic_init(&fresh, 0);
        interrupt_at(log_first_loss, at);
        log_loss(&fresh, 0, 11);
        interrupted = was_interrupted();
        assert_true(has_loss(&fresh, 0, 11));
        assert_int_equal(has_loss(&fresh, 1, 12), interrupted);
    }
}

/* The log goes once around, but for what is logged now: it comes to the same place. */
static void go_around(void)
{
    for (size_t i = 0; i < CAPACITY - 1; i++) {
        log_loss(&other, 1000 + i, 5);
    }
}

static void log_loss_of_other(void)
{
    go_around();
    log_loss(&other, 6, 206);
}

static void log_a_later_loss(void)
{
    go_around();
    log_loss(&one, 8, 108);
}

static void log_two_losses(void)
{
    log_loss_of_other();
    log_a_later_loss();
}

/* Another loss of the same place comes in the middle: the reader gets all of one loss, or none. */
static void loss_that_is_overwritten_is_read_whole_or_not(void **state)
{
    void (*const middles[])(void) = {log_a_later_loss, log_loss_of_other, log_two_losses};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        bool interrupted = true;
        for (size_t at = 0; interrupted && at < 10; at++) {
            log_loss(&one, 7, 7);
            interrupt_at(middles[i], at);
            bool known = has_loss(&one, 7, 7);
            interrupted = was_interrupted();
            assert_true(known || interrupted);
        }
    }
}

static void read_losses(void)
{
    (void)has_loss(&one, 7, 7);
    (void)has_loss(&one, 8, 108);
    (void)has_loss(&other, 6, 206);
}

static void log_and_read_losses(void)
{
    log_a_later_loss();
    read_losses();
    log_loss_of_other();
    read_losses();
}

static void no_half_of_a_loss_is_read(void **state)
{
    void (*const middles[])(void) = {read_losses, log_and_read_losses};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        bool interrupted = true;
        for (size_t at = 0; interrupted; at++) {
            log_loss_of_other();
            go_around();
            interrupt_at(middles[i], at);
            log_loss(&one, 7, 7);
            interrupted = was_interrupted();
            read_losses();
        }
    }
}

/* ---- fork ---- */

static void fork_in_the_middle(void)
{
    ironmap__loss_log_after_fork();
    read_losses();
    log_a_later_loss();
    assert_true(has_loss(&one, 8, 108));
}

/* A child of fork whose parent was writing a place uses it again. */
static void place_that_was_being_written_is_used_in_a_child_of_fork(void **state)
{
    bool interrupted = true;
    (void)state;
    for (size_t at = 0; interrupted; at++) {
        log_loss_of_other();
        go_around();
        interrupt_at(fork_in_the_middle, at);
        log_loss(&one, 7, 7);
        interrupted = was_interrupted();
    }
}

static void unexpected(void)
{
    fail();
}

/* Most programs fork and lose nothing. Their children do not look at the places. */
static void fork_looks_at_no_place_that_was_never_used(void **state)
{
    (void)state;
    interrupt_at(unexpected, 1);
    ironmap__loss_log_after_fork();
    assert_false(was_interrupted());
    log_loss(&one, 0, 3);
    interrupt_at(unexpected, 2);
    ironmap__loss_log_after_fork();
    assert_false(was_interrupted());
    assert_true(has_loss(&one, 0, 3));
}

/* The place of the process's last loss, in a log that has not gone around. */
static void last_place_that_was_used_is_given_back_in_a_child_of_fork(void **state)
{
    (void)state;
    interrupt_at(fork_in_the_middle, 8);
    log_loss(&one, 7, 7);
    assert_true(was_interrupted());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* First, since the log is empty then, or most of it. */
        cmocka_unit_test_setup(fork_looks_at_no_place_that_was_never_used, setup),
        cmocka_unit_test_setup(mappings_do_not_see_the_losses_of_each_other, setup),
        cmocka_unit_test_setup(last_place_that_was_used_is_given_back_in_a_child_of_fork, setup),
        cmocka_unit_test_setup(log_keeps_the_last_losses, setup),
        cmocka_unit_test_setup(losses_in_a_range_are_visited_once, setup),
        cmocka_unit_test_setup(numbers_go_around, setup),
        cmocka_unit_test_setup(first_losses_of_many_mappings_are_kept, setup),
        cmocka_unit_test_setup(two_handlers_give_a_mapping_one_number, setup),
        cmocka_unit_test_setup(loss_that_is_overwritten_is_read_whole_or_not, setup),
        cmocka_unit_test_setup(no_half_of_a_loss_is_read, setup),
        cmocka_unit_test_setup(place_that_was_being_written_is_used_in_a_child_of_fork, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
