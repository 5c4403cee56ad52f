/* Closing, pins, and leaks of maps that were opened or failed to open. */
#include "support.h"

enum { LENGTH = 10000, ROUNDS = 2000 };

static void closing_null_succeeds(void **state)
{
    (void)state;
    assert_ok(ironmap_close(NULL, &failure));
    assert_ok(ironmap_close(NULL, NULL));
}

/* Without an error, a failure still returns its status. */
static void error_is_optional(void **state)
{
    fixture *f = *state;
    ironmap_map *map = NULL;

    assert_int_equal(ironmap_open_path(&map, f->path, IRONMAP_WRITE, NULL, NULL), IRONMAP_E_SYSTEM);
    map_anonymous(f, IRONMAP_READ, LENGTH);
    assert_int_equal(ironmap_put_byte(f->map, 0, 1, NULL), IRONMAP_E_READONLY);
    assert_int_equal(ironmap_seek(f->map, -1, IRONMAP_SEEK_SET, NULL), IRONMAP_E_RANGE);
    assert_int_equal(ironmap_resize(f->map, 1, NULL), IRONMAP_E_NOT_RESIZABLE);
    assert_int_equal(ironmap_flush(f->map, 0, LENGTH + 1, 0, NULL), IRONMAP_E_RANGE);
}

static void pins_are_counted(void **state)
{
    fixture *f = *state;

    map_anonymous(f, IRONMAP_WRITE, LENGTH);
    for (size_t i = 0; i < 100; i++) {
        assert_u64(ironmap_pins(f->map), i);
        ironmap_pin(f->map);
    }
    for (size_t i = 100; i > 0; i--) {
        assert_u64(ironmap_pins(f->map), i);
        ironmap_unpin(f->map);
    }
    assert_u64(ironmap_pins(f->map), 0);
}

/* Close works after the last pin is released. */
static void pinned_map_is_not_closed(void **state)
{
    fixture *f = *state;

    file_make(f, LENGTH);
    map_file(f, IRONMAP_WRITE);
    ironmap_pin(f->map);
    ironmap_pin(f->map);
    assert_fails(ironmap_close(f->map, &failure), IRONMAP_E_BUSY);
    ironmap_unpin(f->map);
    assert_fails(ironmap_close(f->map, &failure), IRONMAP_E_BUSY);
    assert_map_pattern(f->map, 0, LENGTH);
    assert_ok(ironmap_put(f->map, 0, "open", 4, &failure));
    assert_file(f, 0, "open", 4);
    ironmap_unpin(f->map);
    map_close(f);
}

static void empty_map_can_be_pinned(void **state)
{
    fixture *f = *state;

    file_make(f, 0);
    map_file(f, IRONMAP_WRITE);
    ironmap_pin(f->map);
    assert_fails(ironmap_resize(f->map, LENGTH, &failure), IRONMAP_E_BUSY);
    assert_fails(ironmap_close(f->map, &failure), IRONMAP_E_BUSY);
    assert_u64(file_length(f), 0);
    ironmap_unpin(f->map);
}

/* A map needs the same few bytes at any length: the Python object has room in 1 KiB beside them. */
static void overhead_is_independent_of_the_length(void **state)
{
    fixture *f = *state;
    size_t overhead;

    map_anonymous(f, IRONMAP_WRITE, 1);
    overhead = ironmap_overhead(f->map);
    assert_true(overhead > sizeof(void *));
    assert_true(overhead < 768);
    map_close(f);
    map_anonymous(f, IRONMAP_WRITE, 1 << 20);
    assert_u64(ironmap_overhead(f->map), overhead);
    map_close(f);
    file_make(f, 0);
    map_file(f, IRONMAP_WRITE);
    assert_true(ironmap_overhead(f->map) < overhead); /* no bytes, and so no address to find */
}

/* ---- leaks ---- */

static void open_and_close(fixture *f, unsigned open, uint64_t offset)
{
    ironmap_options options = options_of(offset, 0);

    options.open = open;
    assert_ok(ironmap_open_path(&f->map, f->path, IRONMAP_WRITE, &options, &failure));
    map_close(f);
    assert_ok(ironmap_open_fd(&f->map, f->fd, IRONMAP_WRITE, &options, &failure));
    map_close(f);
    map_anonymous(f, IRONMAP_WRITE, LENGTH);
    map_close(f);
}

static void fail_to_open(fixture *f)
{
    ironmap_map *map = NULL;
    ironmap_options beyond = options_of(0, LENGTH + 1);
    ironmap_options refused = options_of(0, 2 * LENGTH);
    ironmap_options invalid = options_of(0, 0);

    refused.open = IRONMAP_OPEN_EXTEND;
    assert_int_not_equal(ironmap_open_path(&map, f->directory, IRONMAP_WRITE, NULL, NULL),
                         IRONMAP_OK);
    assert_int_not_equal(ironmap_open_path(&map, f->path, IRONMAP_WRITE, &beyond, NULL),
                         IRONMAP_OK);
    assert_int_not_equal(ironmap_open_fd(&map, f->fd, IRONMAP_WRITE, &beyond, NULL), IRONMAP_OK);
    assert_int_not_equal(ironmap_open_path(&map, f->path, IRONMAP_SYSTEM, &refused, NULL),
                         IRONMAP_OK);
    assert_int_not_equal(ironmap_open_fd(&map, f->fd, IRONMAP_SYSTEM, &refused, NULL), IRONMAP_OK);
    assert_int_not_equal(ironmap_open_anonymous(&map, IRONMAP_SYSTEM, &refused, NULL), IRONMAP_OK);
    assert_int_not_equal(ironmap_open_path(&map, f->path, (ironmap_access)77, &invalid, NULL),
                         IRONMAP_OK);
    assert_int_not_equal(ironmap_open_fd(&map, -1, IRONMAP_WRITE, NULL, NULL), IRONMAP_OK);
    assert_null(map);
}

static void resize_and_fail_to(fixture *f)
{
    map_file(f, IRONMAP_WRITE);
    assert_ok(ironmap_resize(f->map, 50 * LENGTH, &failure));
    assert_int_not_equal(ironmap_resize(f->map, SIZE_MAX, NULL), IRONMAP_OK);
    assert_ok(ironmap_resize(f->map, 0, &failure));
    assert_ok(ironmap_resize(f->map, LENGTH, &failure));
    map_close(f);
}

static void run_all(fixture *f, int rounds)
{
    for (int round = 0; round < rounds; round++) {
        open_and_close(f, 0, 0);
        open_and_close(f, IRONMAP_OPEN_NO_TRACK, 5001);
        fail_to_open(f);
        if (round % 20 == 0) {
            resize_and_fail_to(f);
        }
    }
}

/* Thousands of maps that were opened, resized, closed, or failed to open leave no descriptor and no
 * mapping. */
static void nothing_is_left_behind(void **state)
{
    fixture *f = *state;
    size_t descriptors;
    size_t regions;

    file_make(f, LENGTH);
    run_all(f, 1);
    descriptors = open_descriptors();
    regions = mapped_regions();
    run_all(f, ROUNDS);
    assert_u64(open_descriptors(), descriptors);
    assert_in_range(mapped_regions(), 0, regions + 8);
    assert_u64(file_length(f), LENGTH);
}

static void many_maps_are_open_at_once(void **state)
{
    enum { MAPS = 500 };
    static ironmap_map *maps[MAPS];
    fixture *f = *state;

    file_make(f, LENGTH);
    for (size_t i = 0; i < MAPS; i++) {
        ironmap_options options = options_of(i, 0);

        options.open = IRONMAP_OPEN_NO_TRACK;
        assert_ok(ironmap_open_fd(&maps[i], f->fd, IRONMAP_COPY, &options, &failure));
    }
    for (size_t i = 0; i < MAPS; i++) {
        assert_map_pattern(maps[i], i, LENGTH - i);
        assert_ok(ironmap_close(maps[i], &failure));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closing_null_succeeds),
        with_fixture(error_is_optional),
        with_fixture(pins_are_counted),
        with_fixture(pinned_map_is_not_closed),
        with_fixture(empty_map_can_be_pinned),
        with_fixture(overhead_is_independent_of_the_length),
        with_fixture(nothing_is_left_behind),
        with_fixture(many_maps_are_open_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
