/* Opening that creates or extends a file, and restores it on failure. */
#include "support.h"

enum { LENGTH = 10000 };

/* A file that exists stays unchanged. */
static void create_creates_a_missing_file(void **state)
{
    fixture *f = *state;
    ironmap_options options = options_of(0, LENGTH);

    options.open = IRONMAP_OPEN_CREATE | IRONMAP_OPEN_EXTEND;
    assert_ok(ironmap_open_path(&f->map, f->path, IRONMAP_WRITE, &options, &failure));
    assert_u64(file_length(f), LENGTH);
    assert_map_filled(f->map, 0, LENGTH, 0);
    map_close(f);

    file_make(f, LENGTH + 1);
    assert_ok(ironmap_open_path(&f->map, f->path, IRONMAP_WRITE, &options, &failure));
    assert_map_pattern(f->map, 0, LENGTH);
    assert_file_unchanged(f, LENGTH + 1);
}

static void create_without_length_makes_an_empty_map(void **state)
{
    fixture *f = *state;
    ironmap_options options = options_of(0, 0);

    options.open = IRONMAP_OPEN_CREATE;
    assert_ok(ironmap_open_path(&f->map, f->path, IRONMAP_WRITE, &options, &failure));
    assert_u64(ironmap_length(f->map), 0);
    assert_u64(file_length(f), 0);
}

static void missing_file_is_not_created(void **state)
{
    fixture *f = *state;
    ironmap_map *map = NULL;
    ironmap_options options = options_of(0, LENGTH);

    options.open = IRONMAP_OPEN_EXTEND;
    assert_system_fails(ironmap_open_path(&map, f->path, IRONMAP_WRITE, &options, &failure),
                        IRONMAP_E_SYSTEM, codes.not_found);
    assert_null(map);
    assert_false(file_exists(f));
}

static void exclusive_refuses_an_existing_file(void **state)
{
    fixture *f = *state;
    ironmap_map *map = NULL;
    ironmap_options options = options_of(0, 2 * LENGTH);

    options.open = IRONMAP_OPEN_CREATE | IRONMAP_OPEN_EXCLUSIVE | IRONMAP_OPEN_EXTEND;
    assert_ok(ironmap_open_path(&f->map, f->path, IRONMAP_WRITE, &options, &failure));
    map_close(f);
    file_make(f, LENGTH);
    assert_system_fails(ironmap_open_path(&map, f->path, IRONMAP_WRITE, &options, &failure),
                        IRONMAP_E_SYSTEM, codes.exists);
    assert_null(map);
    assert_file_unchanged(f, LENGTH);
}

/* The new length is offset + length. New bytes are zero. */
static void extend_lengthens_a_shorter_file(void **state)
{
    fixture *f = *state;
    ironmap_options options = options_of(5000, 20000);
    uint8_t head[LENGTH];

    options.open = IRONMAP_OPEN_EXTEND;
    file_make(f, LENGTH);
    assert_ok(ironmap_open_fd(&f->map, f->fd, IRONMAP_WRITE, &options, &failure));
    assert_u64(ironmap_length(f->map), 20000);
    assert_u64(file_length(f), 25000);
    pattern_fill(head, 0, LENGTH);
    assert_file(f, 0, head, LENGTH);
    assert_map(f->map, 0, head + 5000, LENGTH - 5000);
    assert_map_filled(f->map, LENGTH - 5000, 20000 - (LENGTH - 5000), 0);
}

static void extend_keeps_a_longer_file(void **state)
{
    fixture *f = *state;
    ironmap_options options = options_of(0, LENGTH - 1);

    options.open = IRONMAP_OPEN_EXTEND;
    file_make(f, LENGTH);
    assert_ok(ironmap_open_path(&f->map, f->path, IRONMAP_WRITE, &options, &failure));
    assert_map_pattern(f->map, 0, LENGTH - 1);
    assert_file_unchanged(f, LENGTH);
}

static void created_file_is_removed_on_failure(void **state)
{
    fixture *f = *state;
    ironmap_map *map = NULL;
    ironmap_options beyond = options_of(0, LENGTH);

    beyond.open = IRONMAP_OPEN_CREATE;
    assert_fails(ironmap_open_path(&map, f->path, IRONMAP_WRITE, &beyond, &failure),
                 IRONMAP_E_BEYOND_FILE);
    assert_false(file_exists(f));
    file_make(f, LENGTH - 1);
    assert_fails(ironmap_open_path(&map, f->path, IRONMAP_WRITE, &beyond, &failure),
                 IRONMAP_E_BEYOND_FILE);
    assert_file_unchanged(f, LENGTH - 1);
    assert_null(map);
}

/* An empty file that was there before stays, although nothing was written to it. */
static void failed_open_keeps_an_empty_file(void **state)
{
    fixture *f = *state;
    ironmap_map *map = NULL;
    ironmap_options options = IRONMAP_OPTIONS_INIT;

    file_make(f, 0);
    options.open = IRONMAP_OPEN_CREATE | IRONMAP_OPEN_NONEMPTY;
    assert_fails(ironmap_open_path(&map, f->path, IRONMAP_WRITE, &options, &failure),
                 IRONMAP_E_EMPTY);
    assert_true(file_exists(f));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_fixture(create_creates_a_missing_file),
        with_fixture(failed_open_keeps_an_empty_file),
        with_fixture(create_without_length_makes_an_empty_map),
        with_fixture(missing_file_is_not_created),
        with_fixture(exclusive_refuses_an_existing_file),
        with_fixture(extend_lengthens_a_shorter_file),
        with_fixture(extend_keeps_a_longer_file),
        with_fixture(created_file_is_removed_on_failure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
