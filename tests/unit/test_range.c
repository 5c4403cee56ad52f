/* Arithmetic on offsets and lengths, at both ends of the numbers. */
#include "base/range.h"

#include "unit.h"

#define LAST UINT64_MAX

/* Numbers around those at which a sum wraps. */
static const uint64_t numbers[] = {
    0,         1,        2,        9,   10, 11, INT64_MAX - 1, INT64_MAX, (uint64_t)INT64_MAX + 1,
    LAST - 10, LAST - 9, LAST - 1, LAST};
enum { NUMBERS = sizeof(numbers) / sizeof(numbers[0]) };

static void sum_that_wraps_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < NUMBERS; i++) {
        for (size_t j = 0; j < NUMBERS; j++) {
            uint64_t sum = 7;
            uint64_t expected = numbers[i] + numbers[j];
            bool wraps = expected < numbers[i];
            assert_true(ironmap__add(&sum, numbers[i], numbers[j]) == !wraps);
            assert_true(sum == (wraps ? 7 : expected));
        }
    }
}

static void length_beyond_memory_is_refused(void **state)
{
    size_t size = 7;
    const uint64_t most = (uint64_t)PTRDIFF_MAX;
    (void)state;
    assert_true(ironmap__add_size(&size, most - 1, 1));
    assert_true(size == most);
    size = 7;
    assert_false(ironmap__add_size(&size, most, 1));
    assert_false(ironmap__add_size(&size, LAST, 1));
    assert_int_equal(size, 7);
}

typedef struct range_case {
    uint64_t offset;
    uint64_t length;
    ironmap_status status;
} range_case;

/* In [0, 10). */
static const range_case range_cases[] = {
    {0, 0, IRONMAP_OK},
    {0, 10, IRONMAP_OK},
    {0, 11, IRONMAP_E_RANGE},
    {9, 1, IRONMAP_OK},
    {9, 2, IRONMAP_E_RANGE},
    {10, 0, IRONMAP_OK},
    {10, 1, IRONMAP_E_RANGE},
    {11, 0, IRONMAP_E_RANGE},
    {1, LAST - 1, IRONMAP_E_RANGE},
    {1, LAST, IRONMAP_E_OVERFLOW},
    {LAST, 0, IRONMAP_E_RANGE},
    {LAST, 1, IRONMAP_E_OVERFLOW},
};

static void range_lies_inside_its_limit_or_is_an_error(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(range_cases) / sizeof(range_cases[0]); i++) {
        const range_case *row = &range_cases[i];
        assert_int_equal(ironmap__range_check(row->offset, row->length, 10), row->status);
    }
    assert_int_equal(ironmap__range_check(0, LAST, LAST), IRONMAP_OK);
    assert_int_equal(ironmap__range_check(LAST, 0, LAST), IRONMAP_OK);
}

static void range_without_a_length_goes_to_the_end(void **state)
{
    (void)state;
    assert_int_equal(ironmap__to_end(3, 9, 10), 3);
    assert_int_equal(ironmap__to_end(IRONMAP_TO_END, 0, 10), 10);
    assert_int_equal(ironmap__to_end(IRONMAP_TO_END, 9, 10), 1);
    assert_int_equal(ironmap__to_end(IRONMAP_TO_END, 10, 10), 0);
    assert_int_equal(ironmap__to_end(IRONMAP_TO_END, 11, 10), 0);
    assert_int_equal(ironmap__to_end(IRONMAP_TO_END, LAST, 10), 0);
}

static void range_that_is_cut_ends_at_its_limit(void **state)
{
    (void)state;
    assert_true(ironmap__range_end(3, 6, 10) == 9);
    assert_true(ironmap__range_end(3, 7, 10) == 10);
    assert_true(ironmap__range_end(3, 8, 10) == 10);
    assert_true(ironmap__range_end(12, 1, 10) == 10);
    assert_true(ironmap__range_end(LAST, 0, 10) == 10);
    assert_true(ironmap__range_end(LAST, 1, 10) == 10);
    assert_true(ironmap__range_end(LAST, SIZE_MAX, 10) == 10);
}

static void span_that_wraps_is_refused(void **state)
{
    uint64_t span = 7;
    (void)state;
    assert_true(ironmap__span(&span, 1, LAST));
    assert_true(span == 0);
    assert_true(ironmap__span(&span, 4, 5));
    assert_true(span == 15);
    assert_true(ironmap__span(&span, LAST, 1));
    assert_true(span == LAST - 1);
    assert_true(ironmap__span(&span, LAST / 5 + 1, 5));
    assert_true(span == LAST / 5 * 5);
    span = 7;
    assert_false(ironmap__span(&span, LAST / 5 + 2, 5));
    assert_false(ironmap__span(&span, 3, LAST / 2 + 1));
    assert_false(ironmap__span(&span, LAST, LAST));
    assert_true(span == 7);
}

static void numbers_are_aligned_to_a_unit(void **state)
{
    (void)state;
    for (size_t value = 0; value < 40; value++) {
        size_t down = (size_t)ironmap__align_down(value, 8);
        size_t up = ironmap__align_up(value, 8);
        assert_true(down % 8 == 0 && down <= value && value < down + 8);
        assert_true(up % 8 == 0 && up >= value && up < value + 8);
    }
    assert_true(ironmap__align_down(LAST, 4096) == LAST - 4095);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sum_that_wraps_is_refused),
        cmocka_unit_test(length_beyond_memory_is_refused),
        cmocka_unit_test(range_lies_inside_its_limit_or_is_an_error),
        cmocka_unit_test(range_without_a_length_goes_to_the_end),
        cmocka_unit_test(range_that_is_cut_ends_at_its_limit),
        cmocka_unit_test(span_that_wraps_is_refused),
        cmocka_unit_test(numbers_are_aligned_to_a_unit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
