/* get, put, single bytes, strided, move, fill, and the ranges that they refuse. */
#include "support.h"

enum { LENGTH = 10000 };

/* ---- ranges ---- */

typedef struct range_case {
    uint64_t offset;
    size_t length;
} range_case;

static const range_case inside[] = {
    {0, 0},    {0, 1},       {0, LENGTH},     {1, LENGTH - 1},
    {4095, 2}, {4096, 4096}, {LENGTH - 1, 1}, {LENGTH, 0},
};

static const range_case outside[] = {
    {0, LENGTH + 1},
    {1, LENGTH},
    {LENGTH, 1},
    {LENGTH + 1, 0},
    {LENGTH + 1, 1},
    {0, SIZE_MAX},
    {1, SIZE_MAX},
    {LENGTH, SIZE_MAX},
    {INT64_MAX, 0},
    {INT64_MAX, 1},
    {INT64_MAX, SIZE_MAX},
    {(uint64_t)INT64_MAX + 1, 0},
    {(uint64_t)INT64_MAX + 1, SIZE_MAX},
    {UINT64_MAX - 1, 1},
    {UINT64_MAX, 0},
    {UINT64_MAX, 1},
    {UINT64_MAX, SIZE_MAX},
    {UINT64_C(1) << 32, 1},
    {(UINT64_C(1) << 32) + 5, 1},
};

/* RANGE, or OVERFLOW if offset + length wraps. */
static int status_outside(const range_case *row)
{
    return row->length > UINT64_MAX - row->offset ? IRONMAP_E_OVERFLOW : IRONMAP_E_RANGE;
}

/* An anonymous map that is filled with the pattern. */
static void map_pattern(fixture *f, size_t length)
{
    map_anonymous(f, IRONMAP_WRITE, length);
    pattern_fill(ironmap_data(f->map), 0, length);
}

/* ---- get and put ---- */

static void get_copies_the_range(void **state)
{
    fixture *f = *state;
    uint8_t expected[LENGTH];

    map_pattern(f, LENGTH);
    for (size_t i = 0; i < COUNT_OF(inside); i++) {
        uint8_t buffer[LENGTH + 1];

        memset(buffer, '#', sizeof(buffer));
        pattern_fill(expected, inside[i].offset, inside[i].length);
        assert_ok(ironmap_get(f->map, inside[i].offset, buffer, inside[i].length, &failure));
        assert_memory_equal(buffer, expected, inside[i].length);
        assert_int_equal(buffer[inside[i].length], '#');
    }
}

static void put_changes_the_range(void **state)
{
    fixture *f = *state;
    uint8_t stored[LENGTH];
    uint8_t expected[LENGTH];

    memset(stored, 0xa5, sizeof(stored));
    map_anonymous(f, IRONMAP_WRITE, LENGTH);
    for (size_t i = 0; i < COUNT_OF(inside); i++) {
        pattern_fill(expected, 0, LENGTH);
        pattern_fill(ironmap_data(f->map), 0, LENGTH);
        memset(expected + inside[i].offset, 0xa5, inside[i].length);
        assert_ok(ironmap_put(f->map, inside[i].offset, stored, inside[i].length, &failure));
        assert_map(f->map, 0, expected, LENGTH);
    }
}

/* The buffer stays unchanged. */
static void get_outside_is_refused(void **state)
{
    fixture *f = *state;
    uint8_t byte = '#';

    map_pattern(f, LENGTH);
    for (size_t i = 0; i < COUNT_OF(outside); i++) {
        assert_fails(ironmap_get(f->map, outside[i].offset, &byte, outside[i].length, &failure),
                     status_outside(&outside[i]));
        assert_int_equal(byte, '#');
    }
}

/* The map stays unchanged. */
static void stores_outside_are_refused(void **state)
{
    fixture *f = *state;
    uint8_t byte = '#';

    map_pattern(f, LENGTH);
    for (size_t i = 0; i < COUNT_OF(outside); i++) {
        const range_case *row = &outside[i];

        assert_fails(ironmap_put(f->map, row->offset, &byte, row->length, &failure),
                     status_outside(row));
        if (row->length != IRONMAP_TO_END) {
            assert_fails(ironmap_fill(f->map, row->offset, byte, row->length, &failure),
                         status_outside(row));
        }
    }
    assert_fails(ironmap_fill(f->map, LENGTH + 1, byte, IRONMAP_TO_END, &failure), IRONMAP_E_RANGE);
    assert_map_pattern(f->map, 0, LENGTH);
}

static void fill_with_to_end_fills_the_rest(void **state)
{
    fixture *f = *state;

    map_pattern(f, LENGTH);
    assert_ok(ironmap_fill(f->map, LENGTH, '#', IRONMAP_TO_END, &failure));
    assert_map_pattern(f->map, 0, LENGTH);
    assert_ok(ironmap_fill(f->map, 5, '#', IRONMAP_TO_END, &failure));
    assert_map_filled(f->map, 5, LENGTH - 5, '#');
    assert_int_not_equal(((const uint8_t *)ironmap_data(f->map))[4], '#');
}

/* The source overlaps the target in both directions. */
static void put_accepts_bytes_of_the_same_map(void **state)
{
    fixture *f = *state;
    uint8_t expected[LENGTH];
    uint8_t *data;

    map_pattern(f, LENGTH);
    data = ironmap_data(f->map);
    pattern_fill(expected, 0, LENGTH);
    memmove(expected + 100, expected, 5000);
    assert_ok(ironmap_put(f->map, 100, data, 5000, &failure));
    assert_map(f->map, 0, expected, LENGTH);
    memmove(expected, expected + 333, 5000);
    assert_ok(ironmap_put(f->map, 0, data + 333, 5000, &failure));
    assert_map(f->map, 0, expected, LENGTH);
}

/* ---- single bytes ---- */

static void single_bytes_are_stored_and_read(void **state)
{
    fixture *f = *state;
    uint8_t byte = 0;

    map_pattern(f, LENGTH);
    for (uint64_t offset = 0; offset < LENGTH; offset++) {
        assert_ok(ironmap_get_byte(&byte, f->map, offset, &failure));
        assert_int_equal(byte, pattern_byte(offset));
        assert_ok(ironmap_put_byte(f->map, offset, (uint8_t)(byte + 1), &failure));
        assert_ok(ironmap_get_byte(&byte, f->map, offset, &failure));
        assert_int_equal(byte, (uint8_t)(pattern_byte(offset) + 1));
    }
}

/* Nothing is read or stored. */
static void single_bytes_outside_are_refused(void **state)
{
    static const uint64_t offsets[] = {LENGTH, LENGTH + 1, UINT64_C(1) << 32, INT64_MAX,
                                       UINT64_MAX - 1};
    fixture *f = *state;
    uint8_t byte = '#';

    map_pattern(f, LENGTH);
    for (size_t i = 0; i < COUNT_OF(offsets); i++) {
        assert_fails(ironmap_get_byte(&byte, f->map, offsets[i], &failure), IRONMAP_E_RANGE);
        assert_fails(ironmap_put_byte(f->map, offsets[i], 1, &failure), IRONMAP_E_RANGE);
    }
    assert_fails(ironmap_get_byte(&byte, f->map, UINT64_MAX, &failure), IRONMAP_E_OVERFLOW);
    assert_fails(ironmap_put_byte(f->map, UINT64_MAX, 1, &failure), IRONMAP_E_OVERFLOW);
    assert_int_equal(byte, '#');
    assert_map_pattern(f->map, 0, LENGTH);
}

/* ---- short reads ---- */

static void short_read_shows_the_range(void **state)
{
    fixture *f = *state;
    ironmap_short_read read;
    uint8_t byte = 0;

    map_pattern(f, LENGTH);
    assert_ok(ironmap_get_byte(&byte, f->map, 0, &failure)); /* the first access of the thread */
    for (size_t i = 0; i < COUNT_OF(inside); i++) {
        assert_true(ironmap_short_read_begin(&read, f->map, inside[i].offset, inside[i].length));
        assert_ptr_equal(read.bytes, (uint8_t *)ironmap_data(f->map) + inside[i].offset);
        assert_true(ironmap_short_read_end(&read, f->map));
    }
}

static void short_read_outside_does_not_begin(void **state)
{
    fixture *f = *state;
    ironmap_short_read read;

    map_pattern(f, LENGTH);
    for (size_t i = 0; i < COUNT_OF(outside); i++) {
        assert_false(ironmap_short_read_begin(&read, f->map, outside[i].offset, outside[i].length));
    }
}

static void short_put_byte_stores_inside_only(void **state)
{
    fixture *f = *state;
    uint8_t byte = 0;

    map_pattern(f, LENGTH);
    assert_ok(ironmap_put_byte(f->map, 0, '#', &failure)); /* the first access of the thread */
    for (size_t at = 0; at < LENGTH; at += 977) {
        assert_true(ironmap_short_put_byte(f->map, at, '#'));
        assert_ok(ironmap_get_byte(&byte, f->map, at, &failure));
        assert_int_equal(byte, '#');
    }
    assert_false(ironmap_short_put_byte(f->map, LENGTH, '#'));
    assert_false(ironmap_short_put_byte(f->map, UINT64_MAX, '#'));
}

static void advance_moves_the_position(void **state)
{
    fixture *f = *state;

    map_pattern(f, LENGTH);
    ironmap_advance(f->map, 3);
    ironmap_advance(f->map, 0);
    ironmap_advance(f->map, 4);
    assert_u64(ironmap_tell(f->map), 7);
}

/* ---- strided ---- */

typedef struct stride_case {
    uint64_t offset;
    int64_t step;
    size_t count;
    int status;
} stride_case;

static const stride_case stride_cases[] = {
    {0, 1, LENGTH, IRONMAP_OK},
    {LENGTH - 1, -1, LENGTH, IRONMAP_OK},
    {0, 2, LENGTH / 2, IRONMAP_OK},
    {1, 3, 3333, IRONMAP_OK},
    {LENGTH - 1, -3333, 4, IRONMAP_OK},
    {9, -3, 4, IRONMAP_OK},
    {0, LENGTH - 1, 2, IRONMAP_OK},
    {5, INT64_MAX, 1, IRONMAP_OK},
    {5, INT64_MIN, 1, IRONMAP_OK},
    {LENGTH - 1, 1, 1, IRONMAP_OK},
    {0, 7, 0, IRONMAP_OK},
    {LENGTH, 7, 0, IRONMAP_OK},
    {LENGTH, -7, 0, IRONMAP_OK},
    {0, 0, 1, IRONMAP_E_INVALID},
    {0, 0, 0, IRONMAP_E_INVALID},
    {0, 1, LENGTH + 1, IRONMAP_E_RANGE},
    {1, 1, LENGTH, IRONMAP_E_RANGE},
    {0, LENGTH, 2, IRONMAP_E_RANGE},
    {0, 2, LENGTH / 2 + 1, IRONMAP_E_RANGE},
    {LENGTH, 1, 1, IRONMAP_E_RANGE},
    {LENGTH, -1, 2, IRONMAP_E_RANGE},
    {LENGTH + 1, 1, 0, IRONMAP_E_RANGE},
    {0, -1, 2, IRONMAP_E_RANGE},
    {LENGTH - 1, -1, LENGTH + 1, IRONMAP_E_RANGE},
    {9, -3, 5, IRONMAP_E_RANGE},
    {0, INT64_MAX, 2, IRONMAP_E_RANGE},
    {9999, INT64_MIN, 2, IRONMAP_E_RANGE},
    {UINT64_MAX, 1, 1, IRONMAP_E_RANGE},
    {UINT64_MAX, -1, 2, IRONMAP_E_RANGE},
    {0, INT64_MAX, 4, IRONMAP_E_OVERFLOW},
    {0, INT64_MIN, 4, IRONMAP_E_OVERFLOW},
    {LENGTH - 1, INT64_MIN, 3, IRONMAP_E_OVERFLOW},
};

static uint64_t strided_offset(const stride_case *row, size_t i)
{
    return row->offset + (uint64_t)row->step * i;
}

/* Strides go forward and backward. A call that fails copies nothing. */
static void get_strided_copies_every_step(void **state)
{
    fixture *f = *state;

    map_pattern(f, LENGTH);
    for (size_t i = 0; i < COUNT_OF(stride_cases); i++) {
        const stride_case *row = &stride_cases[i];
        uint8_t buffer[LENGTH + 1] = {'#'};

        assert_status_or_ok(
            ironmap_get_strided(f->map, row->offset, row->step, buffer, row->count, &failure),
            row->status);
        for (size_t k = 0; row->status == IRONMAP_OK && k < row->count; k++) {
            assert_int_equal(buffer[k], pattern_byte(strided_offset(row, k)));
        }
        if (row->status != IRONMAP_OK) {
            assert_int_equal(buffer[0], '#');
        }
    }
}

/* Other bytes stay unchanged. A call that fails stores nothing. */
static void put_strided_stores_every_step(void **state)
{
    fixture *f = *state;
    uint8_t expected[LENGTH];
    uint8_t stored[LENGTH + 1];

    map_anonymous(f, IRONMAP_WRITE, LENGTH);
    for (size_t i = 0; i < COUNT_OF(stride_cases); i++) {
        const stride_case *row = &stride_cases[i];

        pattern_fill(expected, 0, LENGTH);
        pattern_fill(ironmap_data(f->map), 0, LENGTH);
        pattern_fill(stored, 12345, sizeof(stored));
        for (size_t k = 0; row->status == IRONMAP_OK && k < row->count; k++) {
            expected[strided_offset(row, k)] = stored[k];
        }
        assert_status_or_ok(
            ironmap_put_strided(f->map, row->offset, row->step, stored, row->count, &failure),
            row->status);
        assert_map(f->map, 0, expected, LENGTH);
    }
}

/* The bytes that are stored are those that the map had before. */
static void strided_access_of_own_memory_is_as_of_a_copy(void **state)
{
    enum { COUNT = LENGTH / 2 };
    fixture *f = *state;
    uint8_t before[LENGTH];
    uint8_t expected[LENGTH];

    map_anonymous(f, IRONMAP_WRITE, LENGTH);
    uint8_t *data = ironmap_data(f->map);
    pattern_fill(before, 0, LENGTH);

    memcpy(data, before, LENGTH);
    memcpy(expected, before, LENGTH);
    for (size_t i = 0; i < COUNT; i++) {
        expected[2 * i] = before[i];
    }
    assert_ok(ironmap_put_strided(f->map, 0, 2, data, COUNT, &failure));
    assert_map(f->map, 0, expected, LENGTH);

    memcpy(data, before, LENGTH);
    memcpy(expected, before, LENGTH);
    for (size_t i = 0; i < LENGTH; i++) {
        expected[i] = before[LENGTH - 1 - i];
    }
    assert_ok(ironmap_get_strided(f->map, LENGTH - 1, -1, data, LENGTH, &failure));
    assert_map(f->map, 0, expected, LENGTH);
}

/* ---- move and fill ---- */

typedef struct move_case {
    uint64_t target;
    uint64_t source;
    size_t length;
} move_case;

/* The ranges overlap or not. */
static void move_is_memmove(void **state)
{
    static const move_case cases[] = {
        {0, 1, LENGTH - 1}, {1, 0, LENGTH - 1}, {0, 5000, 5000},    {5000, 0, 5000},
        {100, 4000, 5000},  {4000, 100, 5000},  {123, 123, 1000},   {0, 0, LENGTH},
        {LENGTH, 0, 0},     {0, LENGTH, 0},     {LENGTH - 1, 0, 1}, {LENGTH, LENGTH, 0},
    };
    fixture *f = *state;
    uint8_t expected[LENGTH];

    map_anonymous(f, IRONMAP_WRITE, LENGTH);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        pattern_fill(expected, 0, LENGTH);
        pattern_fill(ironmap_data(f->map), 0, LENGTH);
        memmove(expected + cases[i].target, expected + cases[i].source, cases[i].length);
        assert_ok(
            ironmap_move(f->map, cases[i].target, cases[i].source, cases[i].length, &failure));
        assert_map(f->map, 0, expected, LENGTH);
    }
}

/* Either range may lie outside. The map stays unchanged. */
static void move_outside_is_refused(void **state)
{
    fixture *f = *state;

    map_pattern(f, LENGTH);
    for (size_t i = 0; i < COUNT_OF(outside); i++) {
        const range_case *row = &outside[i];

        assert_fails(ironmap_move(f->map, row->offset, row->offset, row->length, &failure),
                     status_outside(row));
        if (row->length <= LENGTH) {
            assert_fails(ironmap_move(f->map, row->offset, 0, row->length, &failure),
                         status_outside(row));
            assert_fails(ironmap_move(f->map, 0, row->offset, row->length, &failure),
                         status_outside(row));
        }
    }
    assert_map_pattern(f->map, 0, LENGTH);
}

/* Between two maps, at any offset of either, over chunks of 1 MiB. */
static void copy_takes_bytes_from_another_map(void **state)
{
    enum { LONG = (2 << 20) + 5000 };
    fixture *f = *state;
    const ironmap_options options = {.length = LONG};
    ironmap_map *source = NULL;

    map_anonymous(f, IRONMAP_WRITE, LONG);
    assert_ok(ironmap_open_anonymous(&source, IRONMAP_WRITE, &options, &failure));
    pattern_fill(ironmap_data(source), 0, LONG);
    assert_ok(ironmap_copy(f->map, 7, source, 1000, LONG - 1000, &failure));
    const uint8_t *bytes = ironmap_data(f->map);
    assert_int_equal(bytes[6], 0);
    for (size_t i = 0; i < LONG - 1000; i++) {
        if (bytes[7 + i] != pattern_byte(1000 + i)) {
            fail_msg("byte %zu is wrong", i);
        }
    }
    assert_int_equal(bytes[LONG - 993], 0);
    assert_ok(ironmap_close(source, &failure));
}

static void copy_inside_a_map_is_memmove(void **state)
{
    fixture *f = *state;
    uint8_t expected[LENGTH];

    map_anonymous(f, IRONMAP_WRITE, LENGTH);
    pattern_fill(ironmap_data(f->map), 0, LENGTH);
    pattern_fill(expected, 0, LENGTH);
    memmove(expected + 1, expected, LENGTH - 1);
    assert_ok(ironmap_copy(f->map, 1, f->map, 0, LENGTH - 1, &failure));
    assert_map(f->map, 0, expected, LENGTH);
}

static void copy_outside_either_map_is_refused(void **state)
{
    fixture *f = *state;
    const ironmap_options options = {.length = LENGTH};
    ironmap_map *other = NULL;

    map_pattern(f, LENGTH);
    assert_ok(ironmap_open_anonymous(&other, IRONMAP_WRITE, &options, &failure));
    for (size_t i = 0; i < COUNT_OF(outside); i++) {
        const range_case *row = &outside[i];

        if (row->length <= LENGTH) {
            assert_fails(ironmap_copy(f->map, row->offset, other, 0, row->length, &failure),
                         status_outside(row));
            assert_fails(ironmap_copy(f->map, 0, other, row->offset, row->length, &failure),
                         status_outside(row));
        }
    }
    assert_ok(ironmap_copy(f->map, LENGTH, other, LENGTH, 0, &failure));
    assert_map_pattern(f->map, 0, LENGTH);
    assert_ok(ironmap_close(other, &failure));
}

static void fill_sets_the_range(void **state)
{
    fixture *f = *state;
    uint8_t expected[LENGTH];

    map_anonymous(f, IRONMAP_WRITE, LENGTH);
    for (size_t i = 0; i < COUNT_OF(inside); i++) {
        pattern_fill(expected, 0, LENGTH);
        pattern_fill(ironmap_data(f->map), 0, LENGTH);
        memset(expected + inside[i].offset, 0x7e, inside[i].length);
        assert_ok(ironmap_fill(f->map, inside[i].offset, 0x7e, inside[i].length, &failure));
        assert_map(f->map, 0, expected, LENGTH);
    }
}

/* ---- permission ---- */

static void read_map_refuses_stores(void **state)
{
    fixture *f = *state;

    file_make(f, LENGTH);
    map_file(f, IRONMAP_READ);
    assert_stores_refused(f->map);
    assert_map_pattern(f->map, 0, LENGTH);
    assert_file_unchanged(f, LENGTH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_fixture(get_copies_the_range),
        with_fixture(put_changes_the_range),
        with_fixture(get_outside_is_refused),
        with_fixture(stores_outside_are_refused),
        with_fixture(fill_with_to_end_fills_the_rest),
        with_fixture(put_accepts_bytes_of_the_same_map),
        with_fixture(single_bytes_are_stored_and_read),
        with_fixture(single_bytes_outside_are_refused),
        with_fixture(short_read_shows_the_range),
        with_fixture(short_read_outside_does_not_begin),
        with_fixture(short_put_byte_stores_inside_only),
        with_fixture(advance_moves_the_position),
        with_fixture(get_strided_copies_every_step),
        with_fixture(put_strided_stores_every_step),
        with_fixture(strided_access_of_own_memory_is_as_of_a_copy),
        with_fixture(copy_takes_bytes_from_another_map),
        with_fixture(copy_inside_a_map_is_memmove),
        with_fixture(copy_outside_either_map_is_refused),
        with_fixture(move_is_memmove),
        with_fixture(move_outside_is_refused),
        with_fixture(fill_sets_the_range),
        with_fixture(read_map_refuses_stores),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
