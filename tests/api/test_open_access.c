/* Opening: access, visibility of stores, and the caller's descriptor. */
#include "support.h"

enum { LENGTH = 10000 };

/* ---- access ---- */

typedef struct access_case {
    ironmap_access access;
    int put;             /* status of a store */
    bool memory_changes; /* after a store */
    bool file_changes;
} access_case;

static const access_case access_cases[] = {
    {IRONMAP_READ, IRONMAP_E_READONLY, false, false},
    {IRONMAP_WRITE, IRONMAP_OK, true, true},
    {IRONMAP_COPY, IRONMAP_OK, true, false},
};

static void assert_access(fixture *f, const access_case *row)
{
    uint8_t before[4];
    uint8_t stored[4] = {'x', 'y', 'z', '!'};

    pattern_fill(before, 4094, sizeof(before));
    assert_int_equal(ironmap_map_access(f->map), row->access);
    assert_true(ironmap_is_readable(f->map));
    assert_true(ironmap_is_writable(f->map) == (row->put == IRONMAP_OK));
    assert_status_or_ok(ironmap_put(f->map, 4094, stored, sizeof(stored), &failure), row->put);
    assert_map(f->map, 4094, row->memory_changes ? stored : before, sizeof(stored));
    assert_file(f, 4094, row->file_changes ? stored : before, sizeof(stored));
    map_close(f);
    assert_file(f, 4094, row->file_changes ? stored : before, sizeof(stored));
}

/* Maps are opened by path and by descriptor. */
static void access_decides_what_stores_change(void **state)
{
    fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(access_cases); i++) {
        ironmap_options options = options_of(0, 0);

        file_make(f, LENGTH);
        assert_ok(ironmap_open_path(&f->map, f->path, access_cases[i].access, &options, &failure));
        assert_access(f, &access_cases[i]);
        file_make(f, LENGTH);
        assert_ok(ironmap_open_fd(&f->map, f->fd, access_cases[i].access, &options, &failure));
        assert_access(f, &access_cases[i]);
    }
}

static void copies_are_private(void **state)
{
    fixture *f = *state;
    ironmap_map *other = NULL;
    ironmap_options options = options_of(0, 0);

    file_make(f, LENGTH);
    map_file(f, IRONMAP_COPY);
    assert_ok(ironmap_open_path(&other, f->path, IRONMAP_COPY, &options, &failure));
    assert_ok(ironmap_put(f->map, 0, "mine", 4, &failure));
    assert_map_pattern(other, 0, LENGTH);
    assert_ok(ironmap_close(other, &failure));
    assert_file_unchanged(f, LENGTH);
}

/* READ and COPY need a readable descriptor, WRITE also a writable one. */
static void access_needs_permission_of_the_descriptor(void **state)
{
    fixture *f = *state;
    ironmap_map *map = NULL;
    int fd;

    file_make(f, LENGTH);
    fd = descriptor_open(f, TO_READ);
    for (size_t i = 0; i < COUNT_OF(all_accesses); i++) {
        ironmap_options options = options_of(0, 0);

        if (all_accesses[i] == IRONMAP_READ || all_accesses[i] == IRONMAP_COPY) {
            assert_ok(ironmap_open_fd(&f->map, fd, all_accesses[i], &options, &failure));
            assert_map_pattern(f->map, 0, LENGTH);
            map_close(f);
        } else {
            assert_system_fails(ironmap_open_fd(&map, fd, all_accesses[i], &options, &failure),
                                IRONMAP_E_SYSTEM, codes.denied);
        }
    }
    assert_null(map);
    descriptor_close(fd);
}

static void write_only_descriptor_is_refused(void **state)
{
    fixture *f = *state;
    ironmap_map *map = NULL;
    int fd;

    file_make(f, LENGTH);
    fd = descriptor_open(f, TO_WRITE);
    for (size_t i = 0; i < COUNT_OF(all_accesses); i++) {
        ironmap_options options = options_of(0, 0);

        assert_system_fails(ironmap_open_fd(&map, fd, all_accesses[i], &options, &failure),
                            IRONMAP_E_SYSTEM, codes.denied);
    }
    assert_null(map);
    descriptor_close(fd);
}

/* ---- descriptors ---- */

static void map_outlives_the_callers_descriptor(void **state)
{
    fixture *f = *state;
    uint64_t size = 0;
    int fd;

    file_make(f, LENGTH);
    fd = descriptor_duplicate(f->fd);
    assert_ok(ironmap_open_fd(&f->map, fd, IRONMAP_WRITE, NULL, &failure));
    descriptor_close(fd);
    assert_map_pattern(f->map, 0, LENGTH);
    assert_ok(ironmap_put(f->map, 0, "still", 5, &failure));
    assert_ok(ironmap_flush(f->map, 0, IRONMAP_TO_END, 0, &failure));
    assert_ok(ironmap_file_size(&size, f->map, &failure));
    assert_u64(size, LENGTH);
    assert_ok(ironmap_resize(f->map, 2 * LENGTH, &failure));
    assert_u64(file_length(f), 2 * LENGTH);
    assert_file(f, 0, "still", 5);
}

/* It works after the map is closed, and after a failed open. */
static void callers_descriptor_stays_open(void **state)
{
    fixture *f = *state;
    ironmap_map *map = NULL;
    ironmap_options options = options_of(0, LENGTH + 1);

    file_make(f, LENGTH);
    assert_ok(ironmap_open_fd(&f->map, f->fd, IRONMAP_WRITE, NULL, &failure));
    map_close(f);
    assert_fails(ironmap_open_fd(&map, f->fd, IRONMAP_WRITE, &options, &failure),
                 IRONMAP_E_BEYOND_FILE);
    assert_null(map);
    assert_file_unchanged(f, LENGTH);
    descriptor_write(f->fd, "more", 4);
}

/* Its memory stays. File size and resize fail. */
static void no_track_keeps_no_descriptor(void **state)
{
    fixture *f = *state;
    ironmap_options options = IRONMAP_OPTIONS_INIT;
    uint64_t size = 42;

    options.open = IRONMAP_OPEN_NO_TRACK;
    file_make(f, LENGTH);
    assert_ok(ironmap_open_path(&f->map, f->path, IRONMAP_WRITE, &options, &failure));
    assert_map_pattern(f->map, 0, LENGTH);
    assert_fails(ironmap_file_size(&size, f->map, &failure), IRONMAP_E_NO_FILE);
    assert_u64(size, 42);
    assert_fails(ironmap_resize(f->map, 2 * LENGTH, &failure), IRONMAP_E_NO_FILE);
    assert_file_unchanged(f, LENGTH);
    assert_ok(ironmap_put(f->map, 0, "store", 5, &failure));
    assert_status_or_ok(ironmap_flush(f->map, 0, IRONMAP_TO_END, 0, &failure),
                        traits.flush_needs_the_file ? IRONMAP_E_NO_FILE : IRONMAP_OK);
    assert_ok(ironmap_flush(f->map, 0, IRONMAP_TO_END, IRONMAP_FLUSH_ASYNC, &failure));
    assert_file(f, 0, "store", 5);
}

/* It is not the caller's descriptor. */
static void handle_is_a_descriptor_of_the_map(void **state)
{
    fixture *f = *state;
    ironmap_options untracked = {.open = IRONMAP_OPEN_NO_TRACK};
    intptr_t handle = -1;

    file_make(f, LENGTH);
    assert_ok(ironmap_open_fd(&f->map, f->fd, IRONMAP_READ, NULL, &failure));
    assert_ok(ironmap_file_handle(&handle, f->map, &failure));
    assert_true(handle != -1 && handle != f->fd);
    map_close(f);
    handle = 42;
    assert_ok(ironmap_open_fd(&f->map, f->fd, IRONMAP_READ, &untracked, &failure));
    assert_fails(ironmap_file_handle(&handle, f->map, &failure), IRONMAP_E_NO_FILE);
    map_close(f);
    map_anonymous(f, IRONMAP_WRITE, LENGTH);
    assert_fails(ironmap_file_handle(&handle, f->map, &failure), IRONMAP_E_NO_FILE);
    assert_true(handle == 42);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_fixture(access_decides_what_stores_change),
        with_fixture(copies_are_private),
        with_fixture(access_needs_permission_of_the_descriptor),
        with_fixture(write_only_descriptor_is_refused),
        with_fixture(map_outlives_the_callers_descriptor),
        with_fixture(callers_descriptor_stays_open),
        with_fixture(no_track_keeps_no_descriptor),
        with_fixture(handle_is_a_descriptor_of_the_map),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
