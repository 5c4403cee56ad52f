/* Input that no map can be made of: each a named status, nothing made, nothing changed. */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LENGTH = 10000 };

/* ---- descriptors ---- */

/* A descriptor that is not open, or cannot be, is the system's EBADF. */
static void closed_descriptors(void **state)
{
    static const int descriptors[] = {-1, -2, INT_MIN, INT_MAX, 100000};
    fixture *f = *state;
    mapio_map *map = NULL;
    mapio_options options = options_of(MAPIO_ACCESS_READ, 0, LENGTH);
    int closed;

    file_make(f, LENGTH);
    closed = dup(f->fd);
    assert_int_equal(close(closed), 0);
    assert_system_fails(mapio_open_fd(&map, closed, NULL, &failure), MAPIO_E_SYSTEM, EBADF);
    assert_system_fails(mapio_open_fd(&map, closed, &options, &failure), MAPIO_E_SYSTEM, EBADF);
    for (size_t i = 0; i < COUNT_OF(descriptors); i++) {
        assert_system_fails(mapio_open_fd(&map, descriptors[i], NULL, &failure), MAPIO_E_SYSTEM,
                            EBADF);
    }
    assert_null(map);
}

static void skip_where_lengths_are_looked_at(void)
{
    skip_on_acted_pages("refuses itself to map what has no length");
}

/* Neither a descriptor without a size nor one that has no memory can be mapped: without a length
 * there is nothing to map, with one the system says what is wrong. */
static void assert_unmappable(int fd)
{
    mapio_map *map = NULL;
    mapio_options some = options_of(MAPIO_ACCESS_READ, 0, LENGTH);

    for (size_t i = 0; i < COUNT_OF(all_accesses); i++) {
        mapio_options options = options_of(all_accesses[i], 0, 0);

        assert_fails(mapio_open_fd(&map, fd, &options, &failure), MAPIO_E_INVALID);
    }
    assert_system_fails(mapio_open_fd(&map, fd, &some, &failure), MAPIO_E_SYSTEM, ENODEV);
    assert_null(map);
    assert_int_equal(close(fd), 0);
}

/* A pipe cannot be mapped. */
static void pipes(void **state)
{
    int ends[2];

    skip_where_lengths_are_looked_at();
    (void)state;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_unmappable(ends[0]);
    assert_int_equal(close(ends[1]), 0);
}

/* A socket cannot be mapped. */
static void sockets(void **state)
{
    int ends[2];

    skip_where_lengths_are_looked_at();
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    assert_unmappable(ends[0]);
    assert_unmappable(ends[1]);
}

/* A directory cannot be mapped: by path the system refuses to open it to write, and by descriptor
 * or to read it has no size. */
static void directories(void **state)
{
    fixture *f = *state;
    mapio_map *map = NULL;
    mapio_options read = options_of(MAPIO_ACCESS_READ, 0, 0);
    mapio_options some = options_of(MAPIO_ACCESS_READ, 0, LENGTH);
    int fd = open(f->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    assert_true(fd >= 0);
    assert_system_fails(mapio_open_path(&map, f->directory, NULL, &failure), MAPIO_E_SYSTEM,
                        EISDIR);
    assert_fails(mapio_open_path(&map, f->directory, &read, &failure), MAPIO_E_INVALID);
    assert_system_fails(mapio_open_path(&map, f->directory, &some, &failure), MAPIO_E_SYSTEM,
                        ENODEV);
    assert_fails(mapio_open_fd(&map, fd, &read, &failure), MAPIO_E_INVALID);
    assert_system_fails(mapio_open_fd(&map, fd, &some, &failure), MAPIO_E_SYSTEM, ENODEV);
    assert_null(map);
    assert_int_equal(close(fd), 0);
}

/* A named pipe is refused at once, also by path: nothing waits for somebody to open its other
 * end. (A wait would be ended by the alarm, and the test with it.) */
static void named_pipes_do_not_wait(void **state)
{
    fixture *f = *state;
    mapio_map *map = NULL;

    skip_where_lengths_are_looked_at();
    assert_int_equal(mkfifo(f->path, 0600), 0);
    (void)alarm(30);
    for (size_t i = 0; i < COUNT_OF(all_accesses); i++) {
        mapio_options options = options_of(all_accesses[i], 0, LENGTH);

        assert_status(mapio_open_path(&map, f->path, NULL, &failure), MAPIO_E_INVALID);
        assert_system_fails(mapio_open_path(&map, f->path, &options, &failure), MAPIO_E_SYSTEM,
                            ENODEV);
    }
    (void)alarm(0);
    assert_null(map);
}

/* A device without a size is invalid without a length; one that cannot be mapped is an error of
 * the system. */
static void devices(void **state)
{
    fixture *f = *state;
    mapio_map *map = NULL;
    mapio_options some = options_of(MAPIO_ACCESS_WRITE, 0, LENGTH);

    skip_where_lengths_are_looked_at();
    assert_fails(mapio_open_path(&map, "/dev/null", NULL, &failure), MAPIO_E_INVALID);
    assert_fails(mapio_open_path(&map, "/dev/zero", NULL, &failure), MAPIO_E_INVALID);
    assert_system_fails(mapio_open_path(&map, "/dev/null", &some, &failure), MAPIO_E_SYSTEM,
                        ENODEV);
    assert_null(map);
    assert_ok(mapio_open_path(&f->map, "/dev/zero", &some, &failure));
    assert_map_filled(f->map, 0, LENGTH, 0);
}

/* ---- paths ---- */

/* Paths that name nothing that can be opened are the system's errors. */
static void paths_that_cannot_be_opened(void **state)
{
    fixture *f = *state;
    mapio_map *map = NULL;
    mapio_options create = options_of(MAPIO_ACCESS_WRITE, 0, 0);
    char long_name[5000];

    create.open = MAPIO_OPEN_CREATE;
    memset(long_name, 'x', sizeof(long_name));
    long_name[sizeof(long_name) - 1] = '\0';
    assert_system_fails(mapio_open_path(&map, "", NULL, &failure), MAPIO_E_SYSTEM, ENOENT);
    assert_system_fails(mapio_open_path(&map, f->path, NULL, &failure), MAPIO_E_SYSTEM, ENOENT);
    assert_system_fails(mapio_open_path(&map, long_name, NULL, &failure), MAPIO_E_SYSTEM,
                        ENAMETOOLONG);
    file_make(f, LENGTH);
    (void)strncat(f->path, "/inside", sizeof(f->path) - strlen(f->path) - 1);
    assert_system_fails(mapio_open_path(&map, f->path, &create, &failure), MAPIO_E_SYSTEM, ENOTDIR);
    assert_fails(mapio_open_path(&map, NULL, NULL, &failure), MAPIO_E_INVALID);
    assert_null(map);
}

/* ---- options ---- */

/* A file cannot be asked to be anonymous memory. */
static void file_is_not_anonymous(void **state)
{
    fixture *f = *state;
    mapio_map *map = NULL;
    mapio_options options = options_of(MAPIO_ACCESS_DEFAULT, 0, LENGTH);

    file_make(f, LENGTH);
    options.flags = MAP_SHARED | MAP_ANONYMOUS;
    assert_fails(mapio_open_fd(&map, f->fd, &options, &failure), MAPIO_E_INVALID);
    assert_null(map);
}

/* Options of a newer header that ask for what this library does not know are refused. */
static void newer_options_are_refused(void **state)
{
    struct {
        mapio_options known;
        uint64_t newer;
    } options = {options_of(MAPIO_ACCESS_DEFAULT, 0, LENGTH), 0};
    mapio_map *map = NULL;

    (void)state;
    options.known.size = sizeof(options);
    assert_ok(mapio_open_anonymous(&map, &options.known, &failure));
    assert_ok(mapio_close(map, &failure));
    options.newer = 1;
    assert_fails(mapio_open_anonymous(&map, &options.known, &failure), MAPIO_E_UNSUPPORTED);
}

typedef struct options_case {
    mapio_access access;
    int flags;
    int prot;
    unsigned open;
} options_case;

enum { NOT_SET = MAPIO_SYSTEM_DEFAULT };

/* contradictions and unknown bits, for every way to open */
static const options_case contradictions[] = {
    {(mapio_access)4, NOT_SET, NOT_SET, 0},
    {(mapio_access)-1, NOT_SET, NOT_SET, 0},
    {(mapio_access)INT_MAX, NOT_SET, NOT_SET, 0},
    {MAPIO_ACCESS_READ, MAP_SHARED, NOT_SET, 0},
    {MAPIO_ACCESS_WRITE, NOT_SET, PROT_READ, 0},
    {MAPIO_ACCESS_COPY, MAP_PRIVATE, PROT_READ, 0},
    {MAPIO_ACCESS_WRITE, 0, NOT_SET, 0},
    {MAPIO_ACCESS_WRITE, NOT_SET, 0, 0},
    {MAPIO_ACCESS_READ, NOT_SET, NOT_SET, MAPIO_OPEN_EXTEND},
    {MAPIO_ACCESS_COPY, NOT_SET, NOT_SET, MAPIO_OPEN_EXTEND},
    {MAPIO_ACCESS_WRITE, NOT_SET, NOT_SET, 1U << 31},
    {MAPIO_ACCESS_WRITE, NOT_SET, NOT_SET, UINT_MAX},
    {MAPIO_ACCESS_WRITE, NOT_SET, NOT_SET, MAPIO_OPEN_EXCLUSIVE},
};

static mapio_options options_of_case(const options_case *row)
{
    mapio_options options = options_of(row->access, 0, LENGTH);

    options.flags = row->flags;
    options.prot = row->prot;
    options.open = row->open;
    return options;
}

/* Options that contradict each other, or that nobody knows, are invalid, whatever is opened. */
static void contradicting_options(void **state)
{
    fixture *f = *state;
    mapio_map *map = NULL;

    file_make(f, LENGTH);
    for (size_t i = 0; i < COUNT_OF(contradictions); i++) {
        mapio_options options = options_of_case(&contradictions[i]);

        assert_fails(mapio_open_path(&map, f->path, &options, &failure), MAPIO_E_INVALID);
        assert_fails(mapio_open_fd(&map, f->fd, &options, &failure), MAPIO_E_INVALID);
        assert_fails(mapio_open_anonymous(&map, &options, &failure), MAPIO_E_INVALID);
    }
    assert_null(map);
    assert_file_untouched(f, LENGTH);
}

/* Invalid options are found before anything is created or extended. */
static void invalid_options_create_nothing(void **state)
{
    fixture *f = *state;
    mapio_map *map = NULL;

    for (size_t i = 0; i < COUNT_OF(contradictions); i++) {
        mapio_options options = options_of_case(&contradictions[i]);

        if (options.open != MAPIO_OPEN_EXCLUSIVE) {
            options.open |= MAPIO_OPEN_CREATE;
        }
        assert_fails(mapio_open_path(&map, f->path, &options, &failure), MAPIO_E_INVALID);
        assert_false(file_exists(f));
    }
    assert_null(map);
}

/* CREATE and EXCLUSIVE mean nothing for a descriptor. */
static void descriptors_are_not_created(void **state)
{
    static const unsigned bits[] = {MAPIO_OPEN_CREATE, MAPIO_OPEN_EXCLUSIVE,
                                    MAPIO_OPEN_CREATE | MAPIO_OPEN_EXCLUSIVE};
    fixture *f = *state;
    mapio_map *map = NULL;

    file_make(f, LENGTH);
    for (size_t i = 0; i < COUNT_OF(bits); i++) {
        mapio_options options = options_of(MAPIO_ACCESS_WRITE, 0, 0);

        options.open = bits[i];
        assert_fails(mapio_open_fd(&map, f->fd, &options, &failure), MAPIO_E_INVALID);
    }
    assert_null(map);
}

/* Flags that place the map at an address are not for the caller to set. */
static void fixed_addresses(void **state)
{
    fixture *f = *state;
    mapio_map *map = NULL;
    mapio_options options = options_of(MAPIO_ACCESS_DEFAULT, 0, LENGTH);

    file_make(f, LENGTH);
    options.flags = MAP_SHARED | MAP_FIXED;
    assert_fails(mapio_open_fd(&map, f->fd, &options, &failure), MAPIO_E_INVALID);
    assert_fails(mapio_open_anonymous(&map, &options, &failure), MAPIO_E_INVALID);
    assert_null(map);
}

/* Flags that the system does not take are its error. */
static void flags_that_the_system_refuses(void **state)
{
    fixture *f = *state;
    mapio_map *map = NULL;
    mapio_options options = options_of(MAPIO_ACCESS_DEFAULT, 0, LENGTH);

    file_make(f, LENGTH);
    options.flags = 0;
    assert_system_fails(mapio_open_path(&map, f->path, &options, &failure), MAPIO_E_SYSTEM, EINVAL);
    assert_system_fails(mapio_open_fd(&map, f->fd, &options, &failure), MAPIO_E_SYSTEM, EINVAL);
    assert_system_fails(mapio_open_anonymous(&map, &options, &failure), MAPIO_E_SYSTEM, EINVAL);
    assert_null(map);
}

/* ---- ranges ---- */

typedef struct huge_case {
    uint64_t offset;
    size_t length;
} huge_case;

/* A range that wraps, or that no file can have, is OVERFLOW, and the file is not extended. */
static void ranges_that_cannot_be_addressed(void **state)
{
    static const huge_case cases[] = {
        {UINT64_MAX, 0},
        {UINT64_MAX, 1},
        {UINT64_MAX - 4096, LENGTH},
        {(uint64_t)INT64_MAX + 1, 0},
        {(uint64_t)INT64_MAX + 1, 1},
        {INT64_MAX, 1},
        {INT64_MAX, SIZE_MAX},
        {INT64_MAX - LENGTH + 1, LENGTH},
    };
    static const unsigned bits[] = {0, MAPIO_OPEN_EXTEND, MAPIO_OPEN_NONEMPTY};
    fixture *f = *state;
    mapio_map *map = NULL;

    file_make(f, LENGTH);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        for (size_t k = 0; k < COUNT_OF(bits); k++) {
            mapio_options options =
                options_of(MAPIO_ACCESS_WRITE, cases[i].offset, cases[i].length);

            options.open = bits[k];
            assert_fails(mapio_open_path(&map, f->path, &options, &failure), MAPIO_E_OVERFLOW);
            assert_fails(mapio_open_fd(&map, f->fd, &options, &failure), MAPIO_E_OVERFLOW);
        }
    }
    assert_null(map);
    assert_file_untouched(f, LENGTH);
}

/* A length beyond the address space is refused, and a file is not extended for it. */
static void lengths_beyond_the_address_space(void **state)
{
    static const size_t lengths[] = {SIZE_MAX, SIZE_MAX - 4095, SIZE_MAX / 2 + 1};
    fixture *f = *state;
    mapio_map *map = NULL;

    file_make(f, LENGTH);
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        mapio_options options = options_of(MAPIO_ACCESS_WRITE, 0, lengths[i]);

        assert_status(mapio_open_anonymous(&map, &options, &failure), MAPIO_E_OVERFLOW);
        options.open = MAPIO_OPEN_EXTEND;
        assert_status(mapio_open_fd(&map, f->fd, &options, &failure), MAPIO_E_OVERFLOW);
    }
    assert_null(map);
    assert_file_untouched(f, LENGTH);
}

/* Memory that the system does not have is its error, and told in its words. */
static void memory_that_the_system_lacks(void **state)
{
    const size_t length = SIZE_MAX / 2 - 65535;
    mapio_map *map = NULL;
    mapio_options options = options_of(MAPIO_ACCESS_WRITE, 0, length);

    (void)state;
    skip_on_32_bit();
    assert_system_fails(mapio_open_anonymous(&map, &options, &failure), MAPIO_E_SYSTEM,
                        code_of_refused_map(length));
    assert_null(map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_fixture(closed_descriptors),
        with_fixture(pipes),
        with_fixture(sockets),
        with_fixture(directories),
        with_fixture(named_pipes_do_not_wait),
        with_fixture(devices),
        with_fixture(paths_that_cannot_be_opened),
        with_fixture(file_is_not_anonymous),
        with_fixture(newer_options_are_refused),
        with_fixture(contradicting_options),
        with_fixture(invalid_options_create_nothing),
        with_fixture(descriptors_are_not_created),
        with_fixture(fixed_addresses),
        with_fixture(flags_that_the_system_refuses),
        with_fixture(ranges_that_cannot_be_addressed),
        with_fixture(lengths_beyond_the_address_space),
        with_fixture(memory_that_the_system_lacks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
