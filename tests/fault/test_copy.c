/* From one map into another: a lost page of the source is an error, and no byte made up for it
 * reaches the target. */
#include "fault_support.h"

#define MIB ((size_t)1 << 20)

/* The target has solid bytes up to `copied`, and BACKGROUND from there on. */
static void assert_target(const ironmap_map *target, size_t copied)
{
    const uint8_t *bytes = ironmap_data((ironmap_map *)(uintptr_t)target);

    assert_true(is_solid(bytes, 0, copied));
    assert_true(is_filled(bytes + copied, ironmap_length(target) - copied, BACKGROUND));
}

static void short_copy_from_a_lost_page_stores_nothing(void **state)
{
    fixture *f = *state;
    const size_t length = MIB;
    ironmap_error error;

    (void)map_source(f, length);
    ironmap_map *target = make_target(length);
    file_truncate(f, length / 2);
    assert_fault(ironmap_copy(target, 0, f->map, 0, length, &error), &error, length / 2,
                 codes.lost_page);
    assert_true(error.in_source);
    assert_target(target, 0);
    assert_ok(ironmap_close(target, &failure));
}

static void long_copy_keeps_the_pieces_before_a_lost_page(void **state)
{
    fixture *f = *state;
    const size_t length = 4 * MIB;
    ironmap_error error;

    skip_if_whole_views_are_lost();
    (void)map_source(f, length);
    ironmap_map *target = make_target(length);
    file_truncate(f, 5 * MIB / 2);
    assert_fault(ironmap_copy(target, 0, f->map, 0, length, &error), &error, 5 * MIB / 2,
                 codes.lost_page);
    assert_true(error.in_source);
    assert_target(target, 2 * MIB);
    assert_ok(ironmap_close(target, &failure));
}

static void lost_page_of_the_target_is_told_as_such(void **state)
{
    fixture *f = *state;
    const size_t length = 64 * 1024;
    ironmap_error error;

    (void)map_source(f, 2 * length);
    ironmap_map *source = make_target(2 * length);
    file_truncate(f, length);
    assert_fault(ironmap_copy(f->map, 0, source, 0, 2 * length, &error), &error, length,
                 codes.lost_page);
    assert_false(error.in_source);
    assert_ok(ironmap_close(source, &failure));
}

/* No caller asks for the error. */
static void lost_source_is_a_fault_without_an_error(void **state)
{
    fixture *f = *state;
    const size_t length = 64 * 1024;

    (void)map_source(f, length);
    ironmap_map *target = make_target(length);
    file_truncate(f, 0);
    assert_int_equal(ironmap_copy(target, 0, f->map, 0, length, NULL), IRONMAP_E_FAULT);
    assert_target(target, 0);
    assert_ok(ironmap_close(target, &failure));
}

/* Zeros that an exported address has shown before are not copied either. */
static void damaged_source_stores_nothing(void **state)
{
    fixture *f = *state;
    const size_t length = 64 * 1024;
    ironmap_error error;

    (void)map_source(f, length);
    ironmap_map *target = make_target(length);
    file_truncate(f, 0);
    assert_int_equal(peek(f->map, length - 1), 0);
    assert_int_equal(ironmap_copy(target, 0, f->map, 0, length, &error), IRONMAP_E_FAULT);
    assert_true(error.in_source);
    assert_target(target, 0);
    assert_ok(ironmap_close(target, &failure));
}

/* Must be the first test of the process: no page was lost before. */
static void needle_that_is_the_first_loss_is_an_error(void **state)
{
    fixture *f = *state;
    const size_t length = 64 * 1024;
    uint64_t index = 0;
    ironmap_error error;

    (void)map_source(f, length);
    ironmap_map *target = make_target(length);
    assert_ok(ironmap_fill(target, 100, 0, 100, &failure));
    const uint8_t *needle = (const uint8_t *)ironmap_data(f->map) + length / 2;
    file_truncate(f, length / 2);
    assert_int_equal(ironmap_find(&index, target, needle, 5, 0, IRONMAP_TO_END, &error),
                     IRONMAP_E_FAULT);
    assert_true(error.in_source);
    assert_u64(error.offset, length / 2);
    assert_ok(ironmap_close(target, &failure));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_fixture(needle_that_is_the_first_loss_is_an_error),
        with_fixture(short_copy_from_a_lost_page_stores_nothing),
        with_fixture(long_copy_keeps_the_pieces_before_a_lost_page),
        with_fixture(lost_page_of_the_target_is_told_as_such),
        with_fixture(lost_source_is_a_fault_without_an_error),
        with_fixture(damaged_source_stores_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
