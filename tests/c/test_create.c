/* Opening that makes a file or makes it longer, and puts it back where it fails. */
#include "support.h"

#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LENGTH = 10000 };

/* CREATE makes a file that does not exist, with the permission asked, and leaves another alone. */
static void create_makes_the_file(void **state)
{
    fixture *f = *state;
    mapio_options options = options_of(MAPIO_ACCESS_WRITE, 0, LENGTH);
    mode_t mask = umask(027);
    struct stat status;

    options.open = MAPIO_OPEN_CREATE | MAPIO_OPEN_EXTEND;
    options.permission = 0666;
    assert_ok(mapio_open_path(&f->map, f->path, &options, &failure));
    (void)umask(mask);
    assert_int_equal(stat(f->path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0640);
    assert_u64(file_length(f), LENGTH);
    assert_map_filled(f->map, 0, LENGTH, 0);
    map_close(f);

    file_make(f, LENGTH + 1);
    assert_ok(mapio_open_path(&f->map, f->path, &options, &failure));
    assert_map_pattern(f->map, 0, LENGTH);
    assert_file_untouched(f, LENGTH + 1);
}

/* CREATE through a symbolic link to nowhere makes the file at its end. */
static void create_follows_a_link_to_nowhere(void **state)
{
    fixture *f = *state;
    mapio_options options = options_of(MAPIO_ACCESS_WRITE, 0, LENGTH);
    char link[sizeof(f->path) + 8];

    options.open = MAPIO_OPEN_CREATE | MAPIO_OPEN_EXTEND;
    (void)snprintf(link, sizeof(link), "%s.link", f->path);
    assert_int_equal(symlink(f->path, link), 0);
    assert_ok(mapio_open_path(&f->map, link, &options, &failure));
    assert_u64(file_length(f), LENGTH);
    assert_int_equal(unlink(link), 0);
}

/* CREATE without a length gives an empty file and an empty map. */
static void create_without_length_is_empty(void **state)
{
    fixture *f = *state;
    mapio_options options = options_of(MAPIO_ACCESS_WRITE, 0, 0);

    options.open = MAPIO_OPEN_CREATE;
    assert_ok(mapio_open_path(&f->map, f->path, &options, &failure));
    assert_u64(mapio_length(f->map), 0);
    assert_u64(file_length(f), 0);
}

/* Without CREATE a file that does not exist is an error and is not made. */
static void missing_file_is_not_made(void **state)
{
    fixture *f = *state;
    mapio_map *map = NULL;
    mapio_options options = options_of(MAPIO_ACCESS_WRITE, 0, LENGTH);

    options.open = MAPIO_OPEN_EXTEND;
    assert_system_fails(mapio_open_path(&map, f->path, &options, &failure), MAPIO_E_SYSTEM, ENOENT);
    assert_null(map);
    assert_false(file_exists(f));
}

/* EXCLUSIVE makes a new file and refuses one that exists, untouched. */
static void exclusive_refuses_an_existing_file(void **state)
{
    fixture *f = *state;
    mapio_map *map = NULL;
    mapio_options options = options_of(MAPIO_ACCESS_WRITE, 0, 2 * LENGTH);

    options.open = MAPIO_OPEN_CREATE | MAPIO_OPEN_EXCLUSIVE | MAPIO_OPEN_EXTEND;
    assert_ok(mapio_open_path(&f->map, f->path, &options, &failure));
    map_close(f);
    file_make(f, LENGTH);
    assert_system_fails(mapio_open_path(&map, f->path, &options, &failure), MAPIO_E_SYSTEM, EEXIST);
    assert_null(map);
    assert_file_untouched(f, LENGTH);
}

/* EXTEND makes a shorter file as long as offset plus length; new bytes are zero. */
static void extend_lengthens_a_shorter_file(void **state)
{
    fixture *f = *state;
    mapio_options options = options_of(MAPIO_ACCESS_WRITE, 5000, 20000);
    uint8_t head[LENGTH];

    options.open = MAPIO_OPEN_EXTEND;
    file_make(f, LENGTH);
    assert_ok(mapio_open_fd(&f->map, f->fd, &options, &failure));
    assert_u64(mapio_length(f->map), 20000);
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
    mapio_options options = options_of(MAPIO_ACCESS_WRITE, 0, LENGTH - 1);

    options.open = MAPIO_OPEN_EXTEND;
    file_make(f, LENGTH);
    assert_ok(mapio_open_path(&f->map, f->path, &options, &failure));
    assert_map_pattern(f->map, 0, LENGTH - 1);
    assert_file_untouched(f, LENGTH);
}

/* flags that the system refuses, after the file was reached */
static mapio_options refused_by_the_system(unsigned open, size_t length)
{
    mapio_options options = options_of(MAPIO_ACCESS_DEFAULT, 0, length);

    options.flags = 0;
    options.open = open;
    return options;
}

/* A file that was extended by an open that then fails has its old length and content again. */
static void extended_file_is_put_back(void **state)
{
    fixture *f = *state;
    mapio_map *map = NULL;
    mapio_options options = refused_by_the_system(MAPIO_OPEN_EXTEND, LENGTH * 2);

    file_make(f, LENGTH);
    assert_system_fails(mapio_open_path(&map, f->path, &options, &failure), MAPIO_E_SYSTEM, EINVAL);
    assert_file_untouched(f, LENGTH);
    assert_system_fails(mapio_open_fd(&map, f->fd, &options, &failure), MAPIO_E_SYSTEM, EINVAL);
    assert_file_untouched(f, LENGTH);
    assert_null(map);
}

/* A file that was created by an open that then fails is gone again; one that was there stays. */
static void created_file_is_put_back(void **state)
{
    fixture *f = *state;
    mapio_map *map = NULL;
    mapio_options options =
        refused_by_the_system(MAPIO_OPEN_CREATE | MAPIO_OPEN_EXTEND, LENGTH * 2);
    mapio_options beyond = options_of(MAPIO_ACCESS_WRITE, 0, LENGTH);

    assert_system_fails(mapio_open_path(&map, f->path, &options, &failure), MAPIO_E_SYSTEM, EINVAL);
    assert_false(file_exists(f));
    beyond.open = MAPIO_OPEN_CREATE;
    assert_fails(mapio_open_path(&map, f->path, &beyond, &failure), MAPIO_E_BEYOND_FILE);
    assert_false(file_exists(f));
    file_make(f, LENGTH);
    assert_system_fails(mapio_open_path(&map, f->path, &options, &failure), MAPIO_E_SYSTEM, EINVAL);
    assert_file_untouched(f, LENGTH);
    assert_null(map);
}

/* Opens with no descriptor left for the map's own. */
static int open_without_descriptors(fixture *f, mapio_map **map, const mapio_options *options)
{
    struct rlimit before;
    struct rlimit none;
    int result;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    result = mapio_open_fd(map, f->fd, options, &failure);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    return result;
}

/* Where the process has no descriptor left the open fails, and an extended file is put back. */
static void no_descriptor_left_is_an_error(void **state)
{
    fixture *f = *state;
    mapio_map *map = NULL;
    mapio_options options = options_of(MAPIO_ACCESS_WRITE, 0, 2 * LENGTH);

    file_make(f, LENGTH);
    options.open = MAPIO_OPEN_EXTEND;
    assert_status(open_without_descriptors(f, &map, &options), MAPIO_E_SYSTEM);
    assert_null(map);
    assert_file_untouched(f, LENGTH);
    options.open |= MAPIO_OPEN_NO_TRACK;
    assert_ok(open_without_descriptors(f, &f->map, &options));
    assert_u64(mapio_length(f->map), 2 * LENGTH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_fixture(create_makes_the_file),
        with_fixture(create_follows_a_link_to_nowhere),
        with_fixture(create_without_length_is_empty),
        with_fixture(missing_file_is_not_made),
        with_fixture(exclusive_refuses_an_existing_file),
        with_fixture(extend_lengthens_a_shorter_file),
        with_fixture(extend_leaves_a_longer_file),
        with_fixture(extended_file_is_put_back),
        with_fixture(created_file_is_put_back),
        with_fixture(no_descriptor_left_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
