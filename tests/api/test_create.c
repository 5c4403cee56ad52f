/* Opening that makes a file or makes it longer, and puts it back where it fails. */
#include "support.h"

enum { LENGTH = 10000 };

/* CREATE makes a file that does not exist, and leaves another alone. */
static void create_makes_the_file(void **state)
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
    assert_file_untouched(f, LENGTH + 1);
}

/* CREATE without a length gives an empty file and an empty map. */
static void create_without_length_is_empty(void **state)
{
    fixture *f = *state;
    ironmap_options options = options_of(0, 0);

    options.open = IRONMAP_OPEN_CREATE;
    assert_ok(ironmap_open_path(&f->map, f->path, IRONMAP_WRITE, &options, &failure));
    assert_u64(ironmap_length(f->map), 0);
    assert_u64(file_length(f), 0);
}

/* Without CREATE a file that does not exist is an error and is not made. */
static void missing_file_is_not_made(void **state)
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

/* EXCLUSIVE makes a new file and refuses one that exists, untouched. */
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
    assert_file_untouched(f, LENGTH);
}

/* EXTEND makes a shorter file as long as offset plus length; new bytes are zero. */
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

/* EXTEND leaves a file that is long enough alone. */
static void extend_leaves_a_longer_file(void **state)
{
    fixture *f = *state;
    ironmap_options options = options_of(0, LENGTH - 1);

    options.open = IRONMAP_OPEN_EXTEND;
    file_make(f, LENGTH);
    assert_ok(ironmap_open_path(&f->map, f->path, IRONMAP_WRITE, &options, &failure));
    assert_map_pattern(f->map, 0, LENGTH - 1);
    assert_file_untouched(f, LENGTH);
}

/* A file that was created by an open that then fails is gone again. */
static void created_file_is_removed(void **state)
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
    assert_file_untouched(f, LENGTH - 1);
    assert_null(map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_fixture(create_makes_the_file),
        with_fixture(create_without_length_is_empty),
        with_fixture(missing_file_is_not_made),
        with_fixture(exclusive_refuses_an_existing_file),
        with_fixture(extend_lengthens_a_shorter_file),
        with_fixture(extend_leaves_a_longer_file),
        with_fixture(created_file_is_removed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
