/* Opening: what may be done with the memory, whom stores reach, and what stays of the caller's
 * descriptor. */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LENGTH = 10000 };

/* ---- access ---- */

typedef struct access_case {
    mapio_access access;
    int put;             /* what a store returns */
    bool memory_changes; /* by a store */
    bool file_changes;
} access_case;

static const access_case access_cases[] = {
    {MAPIO_ACCESS_DEFAULT, MAPIO_OK, true, true},
    {MAPIO_ACCESS_READ, MAPIO_E_READONLY, false, false},
    {MAPIO_ACCESS_WRITE, MAPIO_OK, true, true},
    {MAPIO_ACCESS_COPY, MAPIO_OK, true, false},
};

static void assert_access(fixture *f, const access_case *row)
{
    uint8_t before[4];
    uint8_t stored[4] = {'x', 'y', 'z', '!'};

    pattern_fill(before, 4094, sizeof(before));
    assert_int_equal(mapio_access_of(f->map), row->access);
    assert_true(mapio_readable(f->map));
    assert_true(mapio_writable(f->map) == (row->put == MAPIO_OK));
    assert_status_or_ok(mapio_put(f->map, 4094, stored, sizeof(stored), &failure), row->put);
    assert_map(f->map, 4094, row->memory_changes ? stored : before, sizeof(stored));
    assert_file(f, 4094, row->file_changes ? stored : before, sizeof(stored));
    map_close(f);
    assert_file(f, 4094, row->file_changes ? stored : before, sizeof(stored));
}

/* READ changes neither memory nor file, WRITE both, COPY memory only, the default is WRITE; by path
 * and by descriptor. */
static void access_rules_memory_and_file(void **state)
{
    fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(access_cases); i++) {
        mapio_options options = options_of(access_cases[i].access, 0, 0);

        file_make(f, LENGTH);
        assert_ok(mapio_open_path(&f->map, f->path, &options, &failure));
        assert_access(f, &access_cases[i]);
        file_make(f, LENGTH);
        assert_ok(mapio_open_fd(&f->map, f->fd, &options, &failure));
        assert_access(f, &access_cases[i]);
    }
}

/* Two COPY maps of one file do not see each other's stores. */
static void copies_are_private(void **state)
{
    fixture *f = *state;
    mapio_map *other = NULL;
    mapio_options options = options_of(MAPIO_ACCESS_COPY, 0, 0);

    file_make(f, LENGTH);
    map_file(f, MAPIO_ACCESS_COPY);
    assert_ok(mapio_open_path(&other, f->path, &options, &failure));
    assert_ok(mapio_put(f->map, 0, "mine", 4, &failure));
    assert_map_pattern(other, 0, LENGTH);
    assert_ok(mapio_close(other, &failure));
    assert_file_untouched(f, LENGTH);
}

/* READ and COPY are content with a descriptor that only reads; WRITE and the default are not. */
static void access_needs_the_descriptors_consent(void **state)
{
    fixture *f = *state;
    mapio_map *map = NULL;
    int fd;

    file_make(f, LENGTH);
    fd = open(f->path, O_RDONLY | O_CLOEXEC);
    for (size_t i = 0; i < COUNT_OF(all_accesses); i++) {
        mapio_options options = options_of(all_accesses[i], 0, 0);

        if (all_accesses[i] == MAPIO_ACCESS_READ || all_accesses[i] == MAPIO_ACCESS_COPY) {
            assert_ok(mapio_open_fd(&f->map, fd, &options, &failure));
            assert_map_pattern(f->map, 0, LENGTH);
            map_close(f);
        } else {
            assert_system_fails(mapio_open_fd(&map, fd, &options, &failure), MAPIO_E_SYSTEM,
                                EACCES);
        }
    }
    assert_null(map);
    assert_int_equal(close(fd), 0);
}

/* A descriptor that only writes cannot be mapped in any way. */
static void write_only_descriptor_is_refused(void **state)
{
    fixture *f = *state;
    mapio_map *map = NULL;
    int fd;

    file_make(f, LENGTH);
    fd = open(f->path, O_WRONLY | O_CLOEXEC);
    for (size_t i = 0; i < COUNT_OF(all_accesses); i++) {
        mapio_options options = options_of(all_accesses[i], 0, 0);

        assert_system_fails(mapio_open_fd(&map, fd, &options, &failure), MAPIO_E_SYSTEM, EACCES);
    }
    assert_null(map);
    assert_int_equal(close(fd), 0);
}

/* By path READ and COPY open the file for reading only: a file that nobody may write will do. */
static void path_is_opened_for_what_access_asks(void **state)
{
    fixture *f = *state;
    uid_t user = geteuid();
    mapio_options read = options_of(MAPIO_ACCESS_READ, 0, 0);
    mapio_options write = options_of(MAPIO_ACCESS_WRITE, 0, 0);
    mapio_map *map = NULL;
    int result[2];

    file_make(f, LENGTH);
    assert_int_equal(chmod(f->directory, 0755), 0);
    assert_int_equal(chmod(f->path, 0444), 0);
    if (user == 0 && seteuid(65534) != 0) {
        skip_because("root may write everything and cannot become another user");
    }
    result[0] = mapio_open_path(&map, f->path, &write, &failure);
    result[1] = mapio_open_path(&f->map, f->path, &read, NULL);
    assert_int_equal(seteuid(user), 0);
    assert_system_fails(result[0], MAPIO_E_SYSTEM, EACCES);
    assert_ok(result[1]);
    assert_map_pattern(f->map, 0, LENGTH);
    assert_null(map);
}

/* ---- flags and prot ---- */

typedef struct protection_case {
    int prot;
    mapio_access access; /* what it is boiled down to */
    bool readable;
    bool writable;
} protection_case;

static const protection_case protection_cases[] = {
    {PROT_READ, MAPIO_ACCESS_READ, true, false},
    {PROT_WRITE, MAPIO_ACCESS_WRITE, true, true},
    {PROT_READ | PROT_WRITE, MAPIO_ACCESS_DEFAULT, true, true},
    {PROT_READ | PROT_EXEC, MAPIO_ACCESS_READ, true, false},
    {PROT_NONE, MAPIO_ACCESS_READ, false, false},
};

/* prot decides what may be done, and is boiled down to an access; what can be written can be read.
 */
static void prot_is_boiled_down(void **state)
{
    fixture *f = *state;

    file_make(f, LENGTH);
    for (size_t i = 0; i < COUNT_OF(protection_cases); i++) {
        const protection_case *row = &protection_cases[i];
        mapio_options options = MAPIO_OPTIONS_INIT;
        uint8_t byte = 0;

        options.prot = row->prot;
        assert_ok(mapio_open_path(&f->map, f->path, &options, &failure));
        assert_int_equal(mapio_access_of(f->map), row->access);
        assert_true(mapio_readable(f->map) == row->readable);
        assert_true(mapio_writable(f->map) == row->writable);
        assert_status_or_ok(mapio_get_byte(&byte, f->map, 9, &failure),
                            row->readable ? MAPIO_OK : MAPIO_E_NOT_READABLE);
        assert_status_or_ok(mapio_put_byte(f->map, 9, pattern_byte(9), &failure),
                            row->writable ? MAPIO_OK : MAPIO_E_READONLY);
        map_close(f);
    }
    assert_file_untouched(f, LENGTH);
}

/* MAP_SHARED reaches the file, MAP_PRIVATE stays in the map. */
static void flags_decide_who_sees_stores(void **state)
{
    fixture *f = *state;
    mapio_options options = MAPIO_OPTIONS_INIT;

    file_make(f, LENGTH);
    options.flags = MAP_PRIVATE;
    assert_ok(mapio_open_path(&f->map, f->path, &options, &failure));
    assert_true(mapio_writable(f->map));
    assert_ok(mapio_put(f->map, 0, "private", 7, &failure));
    assert_map(f->map, 0, "private", 7);
    map_close(f);
    assert_file_untouched(f, LENGTH);

    options.flags = MAP_SHARED;
    assert_ok(mapio_open_path(&f->map, f->path, &options, &failure));
    assert_ok(mapio_put(f->map, 0, "shared", 6, &failure));
    assert_file(f, 0, "shared", 6);
}

/* A private map needs no more than a descriptor that reads. */
static void private_flags_need_reading_only(void **state)
{
    fixture *f = *state;
    mapio_options options = MAPIO_OPTIONS_INIT;
    int fd;

    file_make(f, LENGTH);
    fd = open(f->path, O_RDONLY | O_CLOEXEC);
    options.flags = MAP_PRIVATE;
    assert_ok(mapio_open_fd(&f->map, fd, &options, &failure));
    assert_int_equal(close(fd), 0);
    assert_ok(mapio_put(f->map, 0, "private", 7, &failure));
    assert_map(f->map, 0, "private", 7);
}

/* ---- descriptors ---- */

/* The map outlives the closing of the caller's descriptor, with all that needs the file. */
static void map_outlives_the_callers_descriptor(void **state)
{
    fixture *f = *state;
    uint64_t size = 0;
    int fd;

    file_make(f, LENGTH);
    fd = dup(f->fd);
    assert_ok(mapio_open_fd(&f->map, fd, NULL, &failure));
    assert_int_equal(close(fd), 0);
    assert_map_pattern(f->map, 0, LENGTH);
    assert_ok(mapio_put(f->map, 0, "still", 5, &failure));
    assert_ok(mapio_flush(f->map, 0, MAPIO_TO_END, 0, &failure));
    assert_ok(mapio_size(&size, f->map, &failure));
    assert_u64(size, LENGTH);
    assert_ok(mapio_resize(f->map, 2 * LENGTH, &failure));
    assert_u64(file_length(f), 2 * LENGTH);
    assert_file(f, 0, "still", 5);
}

/* The caller's descriptor is open and usable after the map is closed, and after a failed open. */
static void callers_descriptor_stays_open(void **state)
{
    fixture *f = *state;
    mapio_map *map = NULL;
    mapio_options options = options_of(MAPIO_ACCESS_DEFAULT, 0, LENGTH + 1);

    file_make(f, LENGTH);
    assert_ok(mapio_open_fd(&f->map, f->fd, NULL, &failure));
    map_close(f);
    assert_fails(mapio_open_fd(&map, f->fd, &options, &failure), MAPIO_E_BEYOND_FILE);
    assert_null(map);
    assert_file_untouched(f, LENGTH);
    assert_int_equal(write(f->fd, "more", 4), 4);
}

/* Every open descriptor that was not before is closed on exec; returns how many there are. */
static size_t assert_not_inherited(const bool *before)
{
    size_t count = 0;

    for (int fd = 0; fd < 1024; fd++) {
        int flags = fcntl(fd, F_GETFD);

        if (flags != -1 && !before[fd]) {
            assert_int_equal(flags & FD_CLOEXEC, FD_CLOEXEC);
            count++;
        }
    }
    return count;
}

/* A map holds one descriptor, which programs that are started do not inherit; no descriptor at all
 * with NO_TRACK. */
static void maps_descriptor_is_not_inherited(void **state)
{
    static bool before[1024];
    fixture *f = *state;
    mapio_options options = MAPIO_OPTIONS_INIT;

    file_make(f, LENGTH);
    for (int fd = 0; fd < 1024; fd++) {
        before[fd] = fcntl(fd, F_GETFD) != -1;
    }
    for (unsigned tracked = 0; tracked < 2; tracked++) {
        options.open = tracked ? 0 : MAPIO_OPEN_NO_TRACK;
        assert_ok(mapio_open_path(&f->map, f->path, &options, &failure));
        assert_u64(assert_not_inherited(before), tracked);
        map_close(f);
        assert_ok(mapio_open_fd(&f->map, f->fd, &options, &failure));
        assert_u64(assert_not_inherited(before), tracked);
        map_close(f);
        assert_u64(assert_not_inherited(before), 0);
    }
}

/* NO_TRACK keeps the memory and gives up the file's size and resize. */
static void no_track_gives_up_the_file(void **state)
{
    fixture *f = *state;
    mapio_options options = MAPIO_OPTIONS_INIT;
    uint64_t size = 42;

    options.open = MAPIO_OPEN_NO_TRACK;
    file_make(f, LENGTH);
    assert_ok(mapio_open_path(&f->map, f->path, &options, &failure));
    assert_map_pattern(f->map, 0, LENGTH);
    assert_fails(mapio_size(&size, f->map, &failure), MAPIO_E_NO_FILE);
    assert_u64(size, 42);
    assert_fails(mapio_resize(f->map, 2 * LENGTH, &failure), MAPIO_E_NO_FILE);
    assert_file_untouched(f, LENGTH);
    assert_ok(mapio_put(f->map, 0, "store", 5, &failure));
    assert_ok(mapio_flush(f->map, 0, MAPIO_TO_END, 0, &failure));
    assert_file(f, 0, "store", 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_fixture(access_rules_memory_and_file),
        with_fixture(copies_are_private),
        with_fixture(access_needs_the_descriptors_consent),
        with_fixture(write_only_descriptor_is_refused),
        with_fixture(path_is_opened_for_what_access_asks),
        with_fixture(prot_is_boiled_down),
        with_fixture(flags_decide_who_sees_stores),
        with_fixture(private_flags_need_reading_only),
        with_fixture(map_outlives_the_callers_descriptor),
        with_fixture(callers_descriptor_stays_open),
        with_fixture(maps_descriptor_is_not_inherited),
        with_fixture(no_track_gives_up_the_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
