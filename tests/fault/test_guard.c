/* Guards around the caller's own code, as pairs of calls: order, misuse, and what they keep. */
#include "fault_support.h"

enum { LENGTH = 65536, KEPT = 4096, LOST = 60000 };

static void map_to_lose(fixture *f)
{
    file_make(f, LENGTH);
    map_file(f, IRONMAP_WRITE);
}

/* A load of the caller's own code. */
static uint8_t load(const fixture *f, size_t offset)
{
    return ((volatile const uint8_t *)ironmap_data(f->map))[offset];
}

static void resize_and_close_are_refused_inside_a_guard(void **state)
{
    fixture *f = *state;
    ironmap_guard guard;

    map_to_lose(f);
    assert_ok(ironmap_guard_begin(&guard, f->map, &failure));
    assert_fails(ironmap_resize(f->map, KEPT, &failure), IRONMAP_E_BUSY);
    assert_fails(ironmap_close(f->map, &failure), IRONMAP_E_BUSY);
    assert_ok(ironmap_guard_end(&guard, &failure));
    assert_ok(ironmap_resize(f->map, KEPT, &failure));
}

static void guards_may_end_in_any_order(void **state)
{
    fixture *f = *state;
    ironmap_guard outer;
    ironmap_guard inner;

    map_to_lose(f);
    assert_ok(ironmap_guard_begin(&outer, f->map, &failure));
    assert_ok(ironmap_guard_begin(&inner, f->map, &failure));
    assert_ok(ironmap_guard_end(&outer, &failure));
    file_truncate(f, KEPT);
    assert_int_equal(load(f, LOST), 0);
    assert_status(ironmap_guard_end(&inner, &failure), IRONMAP_E_FAULT);
    assert_false(ironmap_is_damaged(f->map));
}

/* After a guard has ended out of order, its frame is in no chain: a loss is damage again. */
static void ended_guards_do_not_hide_a_loss(void **state)
{
    fixture *f = *state;
    ironmap_guard outer;
    ironmap_guard inner;

    map_to_lose(f);
    assert_ok(ironmap_guard_begin(&outer, f->map, &failure));
    assert_ok(ironmap_guard_begin(&inner, f->map, &failure));
    assert_ok(ironmap_guard_end(&outer, &failure));
    assert_ok(ironmap_guard_end(&inner, &failure));
    file_truncate(f, KEPT);
    assert_int_equal(load(f, LOST), 0);
    assert_true(ironmap_is_damaged(f->map));
}

static void guard_that_has_not_begun_cannot_end(void **state)
{
    fixture *f = *state;
    ironmap_guard guard = {.map = NULL};
    ironmap_error error = {.what = NULL};

    map_to_lose(f);
    assert_fails(ironmap_guard_end(&guard, &failure), IRONMAP_E_INVALID);
    assert_ok(ironmap_guard_begin(&guard, f->map, &failure));
    assert_ok(ironmap_guard_end(&guard, &failure));
    assert_null(guard.map);
    assert_int_equal(ironmap_guard_end(&guard, &error), IRONMAP_E_INVALID);
    assert_string_equal(error.what, "the guard has not begun on this thread");
}

/* A guard of this map that another thread has begun. */
static void end_of_another_thread(void *argument)
{
    ironmap_guard *guard = argument;
    ironmap_error error = {.what = NULL};
    ironmap_map *map = guard->map;
    ironmap_guard own;

    assert_int_equal(ironmap_guard_begin(&own, map, NULL), IRONMAP_OK);
    assert_int_equal(ironmap_guard_end(guard, &error), IRONMAP_E_INVALID);
    assert_string_equal(error.what, "the guard has not begun on this thread");
    assert_int_equal(ironmap_guard_end(&own, NULL), IRONMAP_OK);
    assert_int_equal(ironmap_guard_end(guard, NULL), IRONMAP_E_INVALID);
}

static void guard_ends_on_the_thread_that_began_it(void **state)
{
    fixture *f = *state;
    ironmap_guard guard;
    test_thread other;

    map_to_lose(f);
    assert_ok(ironmap_guard_begin(&guard, f->map, &failure));
    thread_start(&other, end_of_another_thread, &guard);
    thread_join(&other);
    assert_true(ironmap_is_busy(f->map));
    assert_ok(ironmap_guard_end(&guard, &failure));
    assert_false(ironmap_is_busy(f->map));
}

/* The file is whole again when the guard ends, but the code has seen zeros. */
static void loss_is_told_although_the_file_is_long_again(void **state)
{
    fixture *f = *state;
    ironmap_guard guard;
    ironmap_error error = {.offset = 0};

    map_to_lose(f);
    assert_ok(ironmap_guard_begin(&guard, f->map, &failure));
    file_truncate(f, KEPT);
    assert_int_equal(load(f, LOST), 0);
    file_truncate(f, LENGTH);
    assert_int_equal(ironmap_guard_end(&guard, &error), IRONMAP_E_FAULT);
    assert_in_range(error.offset, 0, LOST);
    assert_int_equal(error.file_length, LENGTH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_fixture(resize_and_close_are_refused_inside_a_guard),
        with_fixture(guards_may_end_in_any_order),
        with_fixture(ended_guards_do_not_hide_a_loss),
        with_fixture(guard_that_has_not_begun_cannot_end),
        with_fixture(guard_ends_on_the_thread_that_began_it),
        with_fixture(loss_is_told_although_the_file_is_long_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
