/* Files of Unix: what cannot be mapped, permission, links, limits, names. */
#include "support_posix.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LENGTH = 10000 };

/* ---- what cannot be mapped ---- */

static void skip_where_lengths_are_checked(void)
{
    skip_on_emulated_pages("does not map a file without a length");
}

/* Without a length there is nothing to map. With one the system refuses. */
static void assert_unmappable(int fd)
{
    ironmap_map *map = NULL;
    ironmap_options some = options_of(0, LENGTH);

    for (size_t i = 0; i < COUNT_OF(all_accesses); i++) {
        ironmap_options options = options_of(0, 0);

        assert_invalid(ironmap_open_fd(&map, fd, all_accesses[i], &options, &failure),
                       "length 0 of a file without a length");
    }
    assert_system_fails(ironmap_open_fd(&map, fd, IRONMAP_READ, &some, &failure), IRONMAP_E_SYSTEM,
                        ENODEV);
    assert_null(map);
    assert_int_equal(close(fd), 0);
}

static void sockets_cannot_be_mapped(void **state)
{
    int ends[2];

    skip_where_lengths_are_checked();
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    assert_unmappable(ends[0]);
    assert_unmappable(ends[1]);
}

/* The system does not open it for writing. For reading, it has no size. */
static void directories_cannot_be_mapped(void **state)
{
    fixture *f = *state;
    ironmap_map *map = NULL;
    ironmap_options read = options_of(0, 0);
    ironmap_options some = options_of(0, LENGTH);
    int fd = open(f->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    assert_true(fd >= 0);
    assert_system_fails(ironmap_open_path(&map, f->directory, IRONMAP_WRITE, NULL, &failure),
                        IRONMAP_E_SYSTEM, EISDIR);
    assert_invalid(ironmap_open_path(&map, f->directory, IRONMAP_READ, &read, &failure),
                   "is a directory");
    assert_system_fails(ironmap_open_path(&map, f->directory, IRONMAP_READ, &some, &failure),
                        IRONMAP_E_SYSTEM, ENODEV);
    assert_invalid(ironmap_open_fd(&map, fd, IRONMAP_READ, &read, &failure), "is a directory");
    assert_system_fails(ironmap_open_fd(&map, fd, IRONMAP_READ, &some, &failure), IRONMAP_E_SYSTEM,
                        ENODEV);
    assert_null(map);
    assert_int_equal(close(fd), 0);
}

/* Opening a path does not wait for the other end. An alarm would end the wait and the test. */
static void named_pipes_are_refused_at_once(void **state)
{
    fixture *f = *state;
    ironmap_map *map = NULL;

    skip_where_lengths_are_checked();
    assert_int_equal(mkfifo(f->path, 0600), 0);
    (void)alarm(30);
    for (size_t i = 0; i < COUNT_OF(all_accesses); i++) {
        ironmap_options options = options_of(0, LENGTH);

        assert_status(ironmap_open_path(&map, f->path, IRONMAP_WRITE, NULL, &failure),
                      IRONMAP_E_INVALID);
        assert_system_fails(ironmap_open_path(&map, f->path, all_accesses[i], &options, &failure),
                            IRONMAP_E_SYSTEM, ENODEV);
    }
    (void)alarm(0);
    assert_null(map);
}

/* Without a length it is invalid. With one the system decides. */
static void devices_without_a_size_cannot_be_mapped(void **state)
{
    fixture *f = *state;
    ironmap_map *map = NULL;
    ironmap_options some = options_of(0, LENGTH);

    skip_where_lengths_are_checked();
    assert_invalid(ironmap_open_path(&map, "/dev/null", IRONMAP_WRITE, NULL, &failure),
                   "length 0 of a file without a length");
    assert_invalid(ironmap_open_path(&map, "/dev/zero", IRONMAP_WRITE, NULL, &failure),
                   "length 0 of a file without a length");
    assert_system_fails(ironmap_open_path(&map, "/dev/null", IRONMAP_WRITE, &some, &failure),
                        IRONMAP_E_SYSTEM, ENODEV);
    assert_null(map);
    assert_ok(ironmap_open_path(&f->map, "/dev/zero", IRONMAP_WRITE, &some, &failure));
    assert_ok(ironmap_check_file_end(f->map, &failure));
    assert_map_filled(f->map, 0, LENGTH, 0);
}

/* ---- permission, descriptors and limits ---- */

/* READ and COPY open a path for reading only. */
static void access_decides_how_a_path_is_opened(void **state)
{
    fixture *f = *state;
    uid_t user = geteuid();
    ironmap_options read = options_of(0, 0);
    ironmap_options write = options_of(0, 0);
    ironmap_map *map = NULL;
    int result[2];

    file_make(f, LENGTH);
    assert_int_equal(chmod(f->directory, 0755), 0);
    assert_int_equal(chmod(f->path, 0444), 0);
    if (user == 0 && seteuid(65534) != 0) {
        skip_because("root may write every file and cannot become another user");
    }
    result[0] = ironmap_open_path(&map, f->path, IRONMAP_WRITE, &write, &failure);
    result[1] = ironmap_open_path(&f->map, f->path, IRONMAP_READ, &read, NULL);
    assert_int_equal(seteuid(user), 0);
    assert_system_fails(result[0], IRONMAP_E_SYSTEM, EACCES);
    assert_ok(result[1]);
    assert_map_pattern(f->map, 0, LENGTH);
    assert_null(map);
}

/* Every newly open descriptor closes on exec. Returns their number. */
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

/* A map keeps one descriptor, or none with NO_TRACK. */
static void descriptor_of_a_map_is_not_inherited(void **state)
{
    static bool before[1024];
    fixture *f = *state;
    ironmap_options options = IRONMAP_OPTIONS_INIT;

    file_make(f, LENGTH);
    for (int fd = 0; fd < 1024; fd++) {
        before[fd] = fcntl(fd, F_GETFD) != -1;
    }
    for (unsigned tracked = 0; tracked < 2; tracked++) {
        options.open = tracked ? 0 : IRONMAP_OPEN_NO_TRACK;
        assert_ok(ironmap_open_path(&f->map, f->path, IRONMAP_WRITE, &options, &failure));
        assert_u64(assert_not_inherited(before), tracked);
        map_close(f);
        assert_ok(ironmap_open_fd(&f->map, f->fd, IRONMAP_WRITE, &options, &failure));
        assert_u64(assert_not_inherited(before), tracked);
        map_close(f);
        assert_u64(assert_not_inherited(before), 0);
    }
}

static void created_file_has_the_permission(void **state)
{
    fixture *f = *state;
    ironmap_options options = options_of(0, LENGTH);
    mode_t mask = umask(027);
    struct stat status;

    options.open = IRONMAP_OPEN_CREATE | IRONMAP_OPEN_EXTEND;
    options.permission = 0666;
    assert_ok(ironmap_open_path(&f->map, f->path, IRONMAP_WRITE, &options, &failure));
    (void)umask(mask);
    assert_int_equal(stat(f->path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0640);
}

static void create_follows_a_dangling_link(void **state)
{
    fixture *f = *state;
    ironmap_options options = options_of(0, LENGTH);
    char link[sizeof(f->path) + 8];

    options.open = IRONMAP_OPEN_CREATE | IRONMAP_OPEN_EXTEND;
    (void)snprintf(link, sizeof(link), "%s.link", f->path);
    assert_int_equal(symlink(f->path, link), 0);
    assert_ok(ironmap_open_path(&f->map, link, IRONMAP_WRITE, &options, &failure));
    assert_u64(file_length(f), LENGTH);
    assert_int_equal(unlink(link), 0);
}

/* Opens with no free descriptor for the map. */
static int open_without_descriptors(fixture *f, ironmap_map **map, const ironmap_options *options)
{
    struct rlimit before;
    struct rlimit none;
    int result;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    result = ironmap_open_fd(map, f->fd, IRONMAP_WRITE, options, &failure);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    return result;
}

/* An extended file is restored. */
static void lack_of_descriptors_is_an_error(void **state)
{
    fixture *f = *state;
    ironmap_map *map = NULL;
    ironmap_options options = options_of(0, 2 * LENGTH);

    file_make(f, LENGTH);
    options.open = IRONMAP_OPEN_EXTEND;
    assert_status(open_without_descriptors(f, &map, &options), IRONMAP_E_SYSTEM);
    assert_null(map);
    assert_file_unchanged(f, LENGTH);
    options.open |= IRONMAP_OPEN_NO_TRACK;
    assert_ok(open_without_descriptors(f, &f->map, &options));
    assert_u64(ironmap_length(f->map), 2 * LENGTH);
}

/* ---- names ---- */

static void path_may_be_any_bytes(void **state)
{
    fixture *f = *state;
    int fd;

    file_name(f, "\xff\xfe \n");
    fd = open(f->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        skip_because("the file system takes UTF-8 only");
    }
    assert_int_equal(close(fd), 0);
    file_make(f, LENGTH);
    map_file(f, IRONMAP_READ);
    assert_map_pattern(f->map, 0, LENGTH);
}

static void path_that_is_too_long_is_a_system_error(void **state)
{
    ironmap_map *map = NULL;
    char name[5000];

    (void)state;
    memset(name, 'x', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    assert_system_fails(ironmap_open_path(&map, name, IRONMAP_WRITE, NULL, &failure),
                        IRONMAP_E_SYSTEM, ENAMETOOLONG);
    assert_null(map);
}

static void assert_closed_on_exec(const ironmap_map *map)
{
    intptr_t handle = -1;

    assert_ok(ironmap_file_handle(&handle, map, &failure));
    assert_int_equal(fcntl((int)handle, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}

/* One that the library opened, and one that it duplicated. */
static void descriptors_are_closed_on_exec(void **state)
{
    fixture *f = *state;

    file_make(f, LENGTH);
    map_file(f, IRONMAP_WRITE);
    assert_closed_on_exec(f->map);
    map_close(f);
    assert_ok(ironmap_open_fd(&f->map, f->fd, IRONMAP_WRITE, NULL, &failure));
    assert_closed_on_exec(f->map);
}

/* A removed file has no name, also if another file has its old one or what the system tells of it.
 */
static void path_is_a_name_of_the_file(void **state)
{
    fixture *f = *state;
    char path[5000];
    char other[sizeof(f->path) + 16];

    file_make(f, LENGTH);
    map_file(f, IRONMAP_READ);
    if (ironmap_file_path(f->map, path, sizeof(path), &failure) == IRONMAP_E_UNSUPPORTED) {
        skip_because("the system does not tell names of files");
    }
    assert_string_equal(path, f->path);
    assert_fails(ironmap_file_path(f->map, path, strlen(f->path), &failure), IRONMAP_E_RANGE);
    (void)snprintf(other, sizeof(other), "%s (deleted)", f->path);
    assert_int_equal(rename(f->path, other), 0);
    assert_ok(ironmap_file_path(f->map, path, sizeof(path), &failure));
    assert_string_equal(path, other);
    assert_int_equal(rename(other, f->path), 0);
    assert_int_equal(unlink(f->path), 0);
    assert_fails(ironmap_file_path(f->map, path, sizeof(path), &failure), IRONMAP_E_NO_FILE);
    assert_int_equal(close(open(other, O_RDWR | O_CREAT | O_CLOEXEC, 0600)), 0);
    assert_fails(ironmap_file_path(f->map, path, sizeof(path), &failure), IRONMAP_E_NO_FILE);
    assert_int_equal(unlink(other), 0);
    file_make(f, LENGTH);
}

/* Files of /proc report length 0. They do not become empty maps. */
static void files_with_bytes_and_no_length_are_refused(void **state)
{
    static const char no_length[] = "the file has bytes but no length";
    ironmap_map *map = NULL;
    ironmap_options nonempty = {.open = IRONMAP_OPEN_NONEMPTY};
    int fd = open("/proc/version", O_RDONLY | O_CLOEXEC);

    (void)state;
    if (fd < 0) {
        skip_because("there is no /proc");
    }
    assert_invalid(ironmap_open_path(&map, "/proc/version", IRONMAP_READ, NULL, &failure),
                   no_length);
    /* A byte of it cannot be read, only entries of 8. */
    assert_invalid(ironmap_open_path(&map, "/proc/self/pagemap", IRONMAP_READ, NULL, &failure),
                   no_length);
    assert_invalid(ironmap_open_fd(&map, fd, IRONMAP_COPY, NULL, &failure), no_length);
    assert_fails(ironmap_open_fd(&map, fd, IRONMAP_READ, &nonempty, &failure), IRONMAP_E_EMPTY);
    assert_null(map);
    assert_int_equal(close(fd), 0);
}

/* The permission is 0666 or that of the options, without the bits of the umask. */
static void umask_applies_to_created_files(void **state)
{
    static const uint32_t permissions[][2] = {{0, 0640}, {0600, 0600}, {0777, 0750}};
    fixture *f = *state;
    mode_t before = umask(0027);

    for (size_t i = 0; i < COUNT_OF(permissions); i++) {
        ironmap_options options = {.length = LENGTH,
                                   .open = IRONMAP_OPEN_CREATE | IRONMAP_OPEN_EXTEND,
                                   .permission = permissions[i][0]};
        struct stat status;

        assert_ok(ironmap_open_path(&f->map, f->path, IRONMAP_WRITE, &options, &failure));
        assert_int_equal(stat(f->path, &status), 0);
        assert_int_equal(status.st_mode & 07777, permissions[i][1]);
        map_close(f);
        assert_int_equal(unlink(f->path), 0);
    }
    (void)umask(before);
}

static void handles_are_not_supported(void **state)
{
    ironmap_map *map = NULL;

    assert_fails(ironmap_open_handle(&map, *state, IRONMAP_READ, NULL, &failure),
                 IRONMAP_E_UNSUPPORTED);
    assert_null(map);
}

static void handle_is_a_descriptor(void **state)
{
    fixture *f = *state;
    intptr_t handle = -1;
    uint8_t byte = 0;

    file_make(f, LENGTH);
    map_file(f, IRONMAP_READ);
    assert_ok(ironmap_file_handle(&handle, f->map, &failure));
    assert_int_equal(pread((int)handle, &byte, 1, 77), 1);
    assert_int_equal(byte, pattern_byte(77));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_fixture(files_with_bytes_and_no_length_are_refused),
        with_fixture(umask_applies_to_created_files),
        with_fixture(handles_are_not_supported),
        with_fixture(handle_is_a_descriptor),
        with_fixture(sockets_cannot_be_mapped),
        with_fixture(directories_cannot_be_mapped),
        with_fixture(named_pipes_are_refused_at_once),
        with_fixture(devices_without_a_size_cannot_be_mapped),
        with_fixture(access_decides_how_a_path_is_opened),
        with_fixture(descriptor_of_a_map_is_not_inherited),
        with_fixture(created_file_has_the_permission),
        with_fixture(create_follows_a_dangling_link),
        with_fixture(lack_of_descriptors_is_an_error),
        with_fixture(path_may_be_any_bytes),
        with_fixture(path_that_is_too_long_is_a_system_error),
        with_fixture(descriptors_are_closed_on_exec),
        with_fixture(path_is_a_name_of_the_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
