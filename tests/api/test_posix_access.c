/* IRONMAP_SYSTEM with flags and protection of Unix. */
#include "support_posix.h"

#include <errno.h>
#include <sys/mman.h>

/* Bits of MAP_TYPE that are neither MAP_SHARED nor MAP_PRIVATE nor another type: mmap(2) refuses
 * them with EINVAL. */
enum { NO_TYPE = 4 };

enum { LENGTH = 10000 };

/* ---- protection ---- */

typedef struct protection_case {
    int prot;
    ironmap_access access; /* the resulting access */
    bool readable;
    bool writable;
} protection_case;

static const protection_case protection_cases[] = {
    {PROT_READ, IRONMAP_READ, true, false},
    {PROT_WRITE, IRONMAP_WRITE, true, true},
    {PROT_READ | PROT_WRITE, IRONMAP_SYSTEM, true, true},
    {PROT_READ | PROT_EXEC, IRONMAP_READ, true, false},
    {PROT_NONE, IRONMAP_READ, false, false},
};

/* Writable memory is readable. */
static void prot_decides_the_access(void **state)
{
    fixture *f = *state;

    file_make(f, LENGTH);
    for (size_t i = 0; i < COUNT_OF(protection_cases); i++) {
        const protection_case *row = &protection_cases[i];
        ironmap_options options = IRONMAP_OPTIONS_INIT;
        uint8_t byte = 0;

        options.flags = MAP_SHARED;
        options.prot = row->prot;
        assert_ok(ironmap_open_path(&f->map, f->path, IRONMAP_SYSTEM, &options, &failure));
        assert_int_equal(ironmap_map_access(f->map), row->access);
        assert_true(ironmap_is_readable(f->map) == row->readable);
        assert_true(ironmap_is_writable(f->map) == row->writable);
        assert_status_or_ok(ironmap_get_byte(&byte, f->map, 9, &failure),
                            row->readable ? IRONMAP_OK : IRONMAP_E_NOT_READABLE);
        assert_status_or_ok(ironmap_put_byte(f->map, 9, pattern_byte(9), &failure),
                            row->writable ? IRONMAP_OK : IRONMAP_E_READONLY);
        map_close(f);
    }
    assert_file_unchanged(f, LENGTH);
}

static void *allocate_nothing(void *context, size_t length)
{
    (void)context;
    (void)length;
    return NULL;
}

/* Every load fails because the map cannot be read. Results stay unchanged. */
static void assert_loads_refused(ironmap_map *map)
{
    uint8_t bytes[2] = {'#', '#'};
    size_t length = 42;
    uint64_t index = 42;
    ironmap_matches matches = {.offsets = &index, .capacity = 1};
    ironmap_lines lines = {.offsets = &index, .lengths = &length, .capacity = 1};
    ironmap_short_read read;

    assert_fails(ironmap_get(map, 0, bytes, 1, &failure), IRONMAP_E_NOT_READABLE);
    assert_fails(ironmap_get_byte(bytes, map, 0, &failure), IRONMAP_E_NOT_READABLE);
    assert_false(ironmap_short_read_begin(&read, map, 0, 1));
    assert_fails(ironmap_get_strided(map, 0, 2, bytes, 2, &failure), IRONMAP_E_NOT_READABLE);
    assert_fails(ironmap_read(&length, map, bytes, 1, &failure), IRONMAP_E_NOT_READABLE);
    assert_fails(ironmap_read_byte(bytes, map, &failure), IRONMAP_E_NOT_READABLE);
    assert_fails(ironmap_readline(&length, map, bytes, 1, &failure), IRONMAP_E_NOT_READABLE);
    assert_fails(ironmap_line_length(&length, map, &failure), IRONMAP_E_NOT_READABLE);
    assert_fails(ironmap_copy_line(&length, map, 0, 1, true, allocate_nothing, NULL, &failure),
                 IRONMAP_E_NOT_READABLE);
    assert_fails(ironmap_find(&index, map, "x", 1, 0, IRONMAP_TO_END, &failure),
                 IRONMAP_E_NOT_READABLE);
    assert_fails(ironmap_rfind(&index, map, "x", 1, 0, IRONMAP_TO_END, &failure),
                 IRONMAP_E_NOT_READABLE);
    assert_fails(ironmap_count(&length, map, "x", 1, 0, IRONMAP_TO_END, &failure),
                 IRONMAP_E_NOT_READABLE);
    assert_fails(ironmap_find_all(&matches, map, "x", 1, 0, IRONMAP_TO_END, &failure),
                 IRONMAP_E_NOT_READABLE);
    assert_fails(ironmap_find_lines(&lines, map, 0, IRONMAP_TO_END, &failure),
                 IRONMAP_E_NOT_READABLE);
    assert_u64(matches.next, 0);
    assert_u64(lines.next, 0);
    assert_int_equal(bytes[0], '#');
    assert_u64(length, 42);
    assert_u64(index, 42);
    assert_u64(ironmap_tell(map), 0);
}

static void protection_read_refuses_stores(void **state)
{
    fixture *f = *state;

    map_memory(f, MAP_SHARED, PROT_READ, LENGTH);
    assert_stores_refused(f->map);
    assert_map_filled(f->map, 0, LENGTH, 0);
}

static void protection_write_allows_both(void **state)
{
    fixture *f = *state;

    map_memory(f, MAP_SHARED, PROT_WRITE, LENGTH);
    assert_true(ironmap_is_readable(f->map));
    assert_ok(ironmap_put(f->map, 0, "xyz", 3, &failure));
    assert_ok(ironmap_move(f->map, 3, 0, 3, &failure));
    assert_map(f->map, 0, "xyzxyz", 6);
}

static void protection_none_refuses_everything(void **state)
{
    fixture *f = *state;

    map_memory(f, MAP_SHARED, PROT_NONE, LENGTH);
    assert_false(ironmap_is_readable(f->map));
    assert_false(ironmap_is_writable(f->map));
    assert_loads_refused(f->map);
    assert_stores_refused(f->map);
}

static void protection_read_refuses_resize(void **state)
{
    fixture *f = *state;
    ironmap_options options = IRONMAP_OPTIONS_INIT;

    options.flags = MAP_SHARED;
    options.prot = PROT_READ;
    file_make(f, LENGTH);
    assert_ok(ironmap_open_path(&f->map, f->path, IRONMAP_SYSTEM, &options, &failure));
    assert_fails(ironmap_resize(f->map, 2 * LENGTH, &failure), IRONMAP_E_NOT_RESIZABLE);
    map_close(f);
    assert_file_unchanged(f, LENGTH);
}

/* ---- flags ---- */

/* MAP_SHARED changes the file, MAP_PRIVATE only the map. */
static void flags_decide_what_stores_change(void **state)
{
    fixture *f = *state;
    ironmap_options options = IRONMAP_OPTIONS_INIT;

    file_make(f, LENGTH);
    options.prot = PROT_READ | PROT_WRITE;
    options.flags = MAP_PRIVATE;
    assert_ok(ironmap_open_path(&f->map, f->path, IRONMAP_SYSTEM, &options, &failure));
    assert_true(ironmap_is_writable(f->map));
    assert_ok(ironmap_put(f->map, 0, "private", 7, &failure));
    assert_map(f->map, 0, "private", 7);
    map_close(f);
    assert_file_unchanged(f, LENGTH);

    options.flags = MAP_SHARED;
    assert_ok(ironmap_open_path(&f->map, f->path, IRONMAP_SYSTEM, &options, &failure));
    assert_ok(ironmap_put(f->map, 0, "shared", 6, &failure));
    assert_file(f, 0, "shared", 6);
}

/* A file is made longer by a map that writes to it. MAP_SHARED_VALIDATE has the bits of both, and
 * qemu-user does not know it. */
static void only_shared_maps_extend_their_file(void **state)
{
    fixture *f = *state;
    ironmap_map *map = NULL;
    ironmap_options options = options_of(0, 2 * LENGTH);

    file_make(f, LENGTH);
    options.open = IRONMAP_OPEN_EXTEND;
    options.prot = PROT_READ | PROT_WRITE;
    options.flags = MAP_PRIVATE;
    assert_invalid(ironmap_open_path(&map, f->path, IRONMAP_SYSTEM, &options, &failure),
                   "CREATE, EXTEND or PREALLOCATE for a map that does not write to its file");
    assert_null(map);
    assert_file_unchanged(f, LENGTH);
    options.flags = MAP_SHARED;
#ifdef MAP_SHARED_VALIDATE
    if (!inside_qemu()) {
        options.flags = MAP_SHARED_VALIDATE;
    }
#endif
    assert_ok(ironmap_open_path(&f->map, f->path, IRONMAP_SYSTEM, &options, &failure));
    assert_u64(file_length(f), 2 * LENGTH);
}

static void private_map_needs_a_readable_descriptor(void **state)
{
    fixture *f = *state;
    ironmap_options options = IRONMAP_OPTIONS_INIT;
    int fd;

    file_make(f, LENGTH);
    fd = descriptor_open(f, TO_READ);
    options.prot = PROT_READ | PROT_WRITE;
    options.flags = MAP_PRIVATE;
    assert_ok(ironmap_open_fd(&f->map, fd, IRONMAP_SYSTEM, &options, &failure));
    descriptor_close(fd);
    assert_ok(ironmap_put(f->map, 0, "private", 7, &failure));
    assert_map(f->map, 0, "private", 7);
}

static void map_anonymous_is_refused_for_files(void **state)
{
    fixture *f = *state;
    ironmap_map *map = NULL;
    ironmap_options options = options_of(0, LENGTH);

    file_make(f, LENGTH);
    options.prot = PROT_READ | PROT_WRITE;
    options.flags = MAP_SHARED | MAP_ANONYMOUS;
    assert_invalid(ironmap_open_fd(&map, f->fd, IRONMAP_SYSTEM, &options, &failure),
                   "flags with MAP_ANONYMOUS for a file");
    assert_null(map);
}

static void fixed_addresses_are_refused(void **state)
{
    fixture *f = *state;
    ironmap_map *map = NULL;
    ironmap_options options = options_of(0, LENGTH);

    file_make(f, LENGTH);
    options.prot = PROT_READ | PROT_WRITE;
    options.flags = MAP_SHARED | MAP_FIXED;
    assert_invalid(ironmap_open_fd(&map, f->fd, IRONMAP_SYSTEM, &options, &failure),
                   "flags with MAP_FIXED");
    assert_invalid(ironmap_open_anonymous(&map, IRONMAP_SYSTEM, &options, &failure),
                   "flags with MAP_FIXED");
    assert_null(map);
}

static void system_without_flags_is_refused(void **state)
{
    fixture *f = *state;
    ironmap_map *map = NULL;
    ironmap_error error;

    file_make(f, LENGTH);
    assert_int_equal(ironmap_open_path(&map, f->path, IRONMAP_SYSTEM, NULL, &error),
                     IRONMAP_E_INVALID);
    assert_string_equal(error.what, "SYSTEM without flags");
    assert_null(map);
}

static void refused_flags_are_system_errors(void **state)
{
    fixture *f = *state;
    ironmap_map *map = NULL;
    ironmap_options options = options_of(0, LENGTH);

    file_make(f, LENGTH);
    options.flags = NO_TYPE;
    options.prot = PROT_READ | PROT_WRITE;
    assert_system_fails(ironmap_open_path(&map, f->path, IRONMAP_SYSTEM, &options, &failure),
                        IRONMAP_E_SYSTEM, EINVAL);
    assert_system_fails(ironmap_open_fd(&map, f->fd, IRONMAP_SYSTEM, &options, &failure),
                        IRONMAP_E_SYSTEM, EINVAL);
    assert_system_fails(ironmap_open_anonymous(&map, IRONMAP_SYSTEM, &options, &failure),
                        IRONMAP_E_SYSTEM, EINVAL);
    assert_null(map);
}

/* ---- restored files ---- */

/* Flags that the system refuses after it opened the file. */
static ironmap_options refused_by_the_system(unsigned open, size_t length)
{
    ironmap_options options = options_of(0, length);

    options.flags = NO_TYPE;
    options.prot = PROT_READ | PROT_WRITE;
    options.open = open;
    return options;
}

static void extended_file_is_restored_on_failure(void **state)
{
    fixture *f = *state;
    ironmap_map *map = NULL;
    ironmap_options options = refused_by_the_system(IRONMAP_OPEN_EXTEND, LENGTH * 2);

    file_make(f, LENGTH);
    assert_system_fails(ironmap_open_path(&map, f->path, IRONMAP_SYSTEM, &options, &failure),
                        IRONMAP_E_SYSTEM, EINVAL);
    assert_file_unchanged(f, LENGTH);
    assert_system_fails(ironmap_open_fd(&map, f->fd, IRONMAP_SYSTEM, &options, &failure),
                        IRONMAP_E_SYSTEM, EINVAL);
    assert_file_unchanged(f, LENGTH);
    assert_null(map);
}

/* A file that existed stays. */
static void created_file_is_removed_after_a_refusal(void **state)
{
    fixture *f = *state;
    ironmap_map *map = NULL;
    ironmap_options options =
        refused_by_the_system(IRONMAP_OPEN_CREATE | IRONMAP_OPEN_EXTEND, LENGTH * 2);
    ironmap_options beyond = options_of(0, LENGTH);

    assert_system_fails(ironmap_open_path(&map, f->path, IRONMAP_SYSTEM, &options, &failure),
                        IRONMAP_E_SYSTEM, EINVAL);
    assert_false(file_exists(f));
    beyond.open = IRONMAP_OPEN_CREATE;
    assert_fails(ironmap_open_path(&map, f->path, IRONMAP_WRITE, &beyond, &failure),
                 IRONMAP_E_BEYOND_FILE);
    assert_false(file_exists(f));
    file_make(f, LENGTH);
    assert_system_fails(ironmap_open_path(&map, f->path, IRONMAP_SYSTEM, &options, &failure),
                        IRONMAP_E_SYSTEM, EINVAL);
    assert_file_unchanged(f, LENGTH);
    assert_null(map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_fixture(prot_decides_the_access),
        with_fixture(protection_read_refuses_stores),
        with_fixture(protection_write_allows_both),
        with_fixture(protection_none_refuses_everything),
        with_fixture(protection_read_refuses_resize),
        with_fixture(flags_decide_what_stores_change),
        with_fixture(only_shared_maps_extend_their_file),
        with_fixture(private_map_needs_a_readable_descriptor),
        with_fixture(map_anonymous_is_refused_for_files),
        with_fixture(fixed_addresses_are_refused),
        with_fixture(system_without_flags_is_refused),
        with_fixture(refused_flags_are_system_errors),
        with_fixture(extended_file_is_restored_on_failure),
        with_fixture(created_file_is_removed_after_a_refusal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
