/* Tags on Unix, which are files with locks: ownership, and the effect of fork, exec and exit. */
#include "tag_support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LENGTH = 20000, OFFSET = 7000 };

static void assert_tag_refused(int code)
{
    ironmap_options options = options_of(0, LENGTH);
    ironmap_map *map = NULL;

    options.tag = tag;
    assert_system_fails(ironmap_open_anonymous(&map, IRONMAP_WRITE, &options, &failure),
                        IRONMAP_E_SYSTEM, code);
}

/* ---- ownership ------------------------------------------------------------------------------- */

static void tag_belongs_to_the_user(void **state)
{
    ironmap_map *map = open_tag(LENGTH);
    struct stat status;

    (void)state;
    assert_int_equal(lstat(tag_path(tag), &status), 0);
    assert_true(S_ISREG(status.st_mode));
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(status.st_uid, geteuid());
    assert_int_equal(lstat(tag_folder, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    assert_int_equal(status.st_uid, geteuid());
    close_map(map);
    assert_nothing_left(tag);
}

/* The folder of another user, open to others, a link, or no folder. */
static void folder_of_another_user_is_refused(void **state)
{
    fixture *f = *state;

    if (!tags_alone) {
        skip_because("other programs may have tags: a private /dev/shm takes root");
    }
    (void)rmdir(tag_folder);
    assert_int_equal(mkdir(tag_folder, 0700), 0);
    assert_int_equal(chown(tag_folder, 1, (gid_t)-1), 0);
    assert_tag_refused(EPERM);
    assert_int_equal(rmdir(tag_folder), 0);
    assert_int_equal(symlink(f->directory, tag_folder), 0);
    assert_tag_refused(EPERM);
    assert_int_equal(unlink(tag_folder), 0);
    assert_int_equal(mknod(tag_folder, S_IFREG | 0600, 0), 0);
    assert_tag_refused(EPERM);
    assert_int_equal(unlink(tag_folder), 0);
    assert_nothing_left(tag);
}

/* It is neither used nor removed. */
static void file_of_another_kind_is_refused(void **state)
{
    fixture *f = *state;
    ironmap_map *map = NULL;
    char other[100];

    (void)snprintf(other, sizeof(other), "%s-2", tag);
    assert_int_equal(tag_open(&map, other, LENGTH), IRONMAP_OK);
    file_make(f, LENGTH);
    assert_int_equal(chmod(f->path, 0600), 0);
    assert_int_equal(symlink(f->path, tag_path(tag)), 0);
    assert_tag_refused(EPERM);
    assert_file_unchanged(f, LENGTH);
    assert_int_equal(unlink(tag_path(tag)), 0);
    assert_int_equal(mkfifo(tag_path(tag), 0600), 0);
    assert_tag_refused(EPERM);
    assert_int_equal(unlink(tag_path(tag)), 0);
    assert_int_equal(mknod(tag_path(tag), S_IFREG | 0644, 0), 0);
    assert_int_equal(chmod(tag_path(tag), 0644), 0);
    assert_tag_refused(EPERM);
    assert_true(tag_is_there(tag));
    assert_int_equal(unlink(tag_path(tag)), 0);
    close_map(map);
    assert_nothing_left(tag);
}

static void locked_file_without_a_tag_is_refused(void **state)
{
    ironmap_map *map = open_tag(LENGTH);
    ironmap_options options = options_of(0, 0);
    int fd = open(tag_path(tag), O_RDWR | O_CLOEXEC);

    (void)state;
    options.tag = tag;
    assert_int_equal(pwrite(fd, "another", 8, 0), 8);
    (void)close(fd);
    {
        ironmap_map *other = NULL;

        assert_fails(ironmap_open_anonymous(&other, IRONMAP_WRITE, &options, &failure),
                     IRONMAP_E_TAG_TAKEN);
    }
    close_map(map);
    assert_nothing_left(tag);
}

/* ---- names ----------------------------------------------------------------------------------- */

/* Plain names are readable. None leaves the folder. */
static void tag_has_a_file_of_its_own(void **state)
{
    static const char *const names[][2] = {
        {"plain-1.x_", "plain-1.x_"},
        {"Capital", "=capital"},
        {"a/b", "a%2fb"},
        {"/", "%2f"},
        {".", "%2e"},
        {"..", "%2e."},
        {".a", "%2ea"},
        {"Global\\a", "=global%5ca"},
        {"Local\\a", "a"},
        {"Local\\Local\\a", "=local%5ca"},
        {"a=%~", "a%3d%25%7e"},
        {"\xff\n ", "%ff%0a%20"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        ironmap_map *map = NULL;

        assert_int_equal(tag_open(&map, names[i][0], LENGTH), IRONMAP_OK);
        assert_true(tag_is_there(names[i][1]));
        close_map(map);
        assert_nothing_left(names[i][1]);
    }
}

/* The longest tag, and those whose file names would be too long. */
static void long_names_are_told_apart(void **state)
{
    static const char last[] = {'x', 'X', '/', '\xe9'};
    ironmap_map *maps[2 * COUNT_OF(last)];
    char name[IRONMAP_TAG_MAX + 2];
    ironmap_map *map = NULL;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(maps); i++) {
        memset(name, i < COUNT_OF(last) ? 'a' : '%', sizeof(name));
        name[IRONMAP_TAG_MAX - 1] = last[i % COUNT_OF(last)];
        name[IRONMAP_TAG_MAX] = '\0';
        assert_int_equal(tag_open(&maps[i], name, LENGTH), IRONMAP_OK);
        assert_string_equal(ironmap_tag(maps[i]), name);
        assert_map_filled(maps[i], 0, 1, 0);
        assert_ok(ironmap_put_byte(maps[i], 0, 1, &failure));
    }
    memcpy(strchr(name, '\0'), "x", 2);
    assert_false(ironmap_is_valid_tag(name));
    {
        ironmap_options options = options_of(0, LENGTH);

        options.tag = name;
        assert_invalid(ironmap_open_anonymous(&map, IRONMAP_WRITE, &options, &failure),
                       "tag name is longer than 200 bytes");
        options.tag = "Local\\";
        assert_invalid(ironmap_open_anonymous(&map, IRONMAP_WRITE, &options, &failure),
                       "tag name is empty");
    }
    for (size_t i = 0; i < COUNT_OF(maps); i++) {
        close_map(maps[i]);
    }
    assert_nothing_left(tag);
}

/* Two long tags may have the same file name. */
static void file_of_another_tag_is_refused(void **state)
{
    ironmap_options options = options_of(0, LENGTH);
    ironmap_map *map = open_tag(LENGTH);
    ironmap_map *other = NULL;
    char path[PATH_MAX];

    (void)state;
    (void)snprintf(path, sizeof(path), "%s", tag_path(tag));
    assert_int_equal(rename(path, tag_path("another")), 0);
    options.tag = "another";
    assert_fails(ironmap_open_anonymous(&other, IRONMAP_WRITE, &options, &failure),
                 IRONMAP_E_TAG_TAKEN);
    assert_int_equal(rename(tag_path("another"), path), 0);
    close_map(map);
    assert_nothing_left(tag);
}

/* The file of the tag was removed, and the tag was made again. */
static void close_keeps_another_file_of_the_same_name(void **state)
{
    ironmap_map *map = open_tag(LENGTH);
    ironmap_map *second = NULL;
    ironmap_map *third = NULL;

    (void)state;
    assert_int_equal(unlink(tag_path(tag)), 0);
    second = open_tag(LENGTH);
    close_map(map);
    third = open_tag(0);
    assert_ok(ironmap_put(second, OFFSET, "bytes", 5, &failure));
    assert_map(third, OFFSET, "bytes", 5);
    close_map(third);
    close_map(second);
    assert_nothing_left(tag);
}

/* ---- tags of files --------------------------------------------------------------------------- */

static void tag_belongs_to_one_file(void **state)
{
    fixture *f = *state;
    ironmap_options options = options_of(0, 0);
    ironmap_map *map = NULL;
    ironmap_map *other = NULL;

    options.tag = tag;
    file_make(f, LENGTH);
    assert_ok(ironmap_open_path(&f->map, f->path, IRONMAP_WRITE, &options, &failure));
    assert_int_equal(tag_open(&other, tag, 10), IRONMAP_E_TAG_TAKEN);
    assert_fails(ironmap_open_path(&other, "/proc/self/exe", IRONMAP_READ, &options, &failure),
                 IRONMAP_E_TAG_TAKEN);
    assert_ok(ironmap_open_path(&other, f->path, IRONMAP_WRITE, &options, &failure));
    map_close(f);
    close_map(other);
    map = open_tag(LENGTH);
    assert_fails(ironmap_open_path(&other, f->path, IRONMAP_WRITE, &options, &failure),
                 IRONMAP_E_TAG_TAKEN);
    close_map(map);
    assert_nothing_left(tag);
}

/* MAP_ANONYMOUS is the same without a file. */
static void tag_of_anonymous_memory_is_shared(void **state)
{
    ironmap_options options = options_of(0, LENGTH);
    ironmap_map *map = NULL;
    ironmap_map *other = open_tag(LENGTH);

    (void)state;
    options.tag = tag;
    options.flags = MAP_SHARED | MAP_ANONYMOUS;
    options.prot = PROT_READ | PROT_WRITE;
    assert_ok(ironmap_open_anonymous(&map, IRONMAP_SYSTEM, &options, &failure));
    assert_ok(ironmap_put(map, OFFSET, "bytes", 5, &failure));
    assert_map(other, OFFSET, "bytes", 5);
    close_map(other);
    close_map(map);
    assert_nothing_left(tag);
}

/* ---- pages ----------------------------------------------------------------------------------- */

static void memory_of_a_tag_begins_at_a_page(void **state)
{
    ironmap_map *map = open_tag(LENGTH);

    (void)state;
    assert_u64((uintptr_t)ironmap_data(map) % ironmap_page_size(), 0);
    close_map(map);
}

/* The fault has the map's offset. */
static void truncated_tag_is_a_lost_page(void **state)
{
    ironmap_map *map = NULL;
    uint64_t place = 40 * (uint64_t)ironmap_page_size();
    uint8_t byte = 1;
    ironmap_error lost;

    (void)state;
    skip_on_emulated_pages("loses no pages");
    map = open_tag(64 * ironmap_page_size());
    assert_int_equal(truncate(tag_path(tag), (off_t)(8 * ironmap_page_size())), 0);
    assert_int_equal(ironmap_get_byte(&byte, map, place, &lost), IRONMAP_E_FAULT);
    assert_u64(lost.offset, place);
    assert_int_equal(lost.system_code, EIO);
    assert_int_equal(truncate(tag_path(tag), (off_t)(65 * ironmap_page_size())), 0);
    assert_ok(ironmap_get_byte(&byte, map, place, &failure));
    assert_int_equal(byte, 0);
    close_map(map);
    assert_nothing_left(tag);
}

static void longest_tag_is_accepted(void **state)
{
    ironmap_options options = options_of(INT64_MAX - 1, 1);
    ironmap_map *map = NULL;

    (void)state;
    options.tag = tag;
    assert_fails(ironmap_open_anonymous(&map, IRONMAP_WRITE, &options, &failure),
                 IRONMAP_E_OVERFLOW);
    assert_nothing_left(tag);
}

static int fill_the_memory(void *argument)
{
    ironmap_map *map = NULL;
    ironmap_options options = options_of(0, (size_t)2 << 20);
    ironmap_error error;

    (void)argument;
    if (!own_memory("/dev/shm", "size=1m")) {
        return 77;
    }
    options.tag = tag;
    child_check(ironmap_open_anonymous(&map, IRONMAP_WRITE, &options, &error) == IRONMAP_E_SYSTEM);
    child_check(error.system_code == ENOSPC);
    child_check(!tag_is_there(tag));
    child_check(tag_open(&map, tag, (size_t)512 << 10) == IRONMAP_OK);
    child_check(ironmap_fill(map, 0, 1, (size_t)512 << 10, NULL) == IRONMAP_OK);
    child_check(tag_open(&map, "two", (size_t)512 << 10) == IRONMAP_E_SYSTEM);
    return 0;
}

/* A failed open leaves nothing. */
static void full_memory_is_an_error(void **state)
{
    int status = in_child(fill_the_memory, NULL);

    (void)state;
    if (status == 77) {
        skip_because("a small /dev/shm takes root");
    }
    assert_int_equal(status, 0);
}

static int use_tmpdir(void *argument)
{
    const fixture *f = argument;
    ironmap_map *map = NULL;

    if (!own_memory("/run", "size=1m") || !own_memory("/dev", "size=1m") ||
        setenv("TMPDIR", f->directory, 1) != 0) {
        return 77;
    }
    tags_find_folder();
    child_check(strncmp(tag_folder, f->directory, strlen(f->directory)) == 0);
    child_check(tag_open(&map, tag, LENGTH) == IRONMAP_OK);
    child_check(tag_is_there(tag));
    child_check(ironmap_put(map, 0, "bytes", 5, NULL) == IRONMAP_OK);
    child_check(ironmap_close(map, NULL) == IRONMAP_OK);
    child_check(!tag_is_there(tag) && rmdir(tag_folder) == 0);
    return 0;
}

/* TMPDIR replaces a missing /dev/shm. */
static void tags_use_the_temporary_folder_without_shared_memory(void **state)
{
    int status = in_child(use_tmpdir, *state);

    if (status == 77) {
        skip_because("hiding /dev/shm takes root");
    }
    assert_int_equal(status, 0);
}

/* ---- fork and exec --------------------------------------------------------------------------- */

static int close_inherited(void *argument)
{
    child_check(ironmap_close(argument, NULL) == IRONMAP_OK);
    return 0;
}

static int exit_without_closing(void *argument)
{
    (void)argument;
    return 0;
}

static int fork_and_close(void *argument)
{
    pid_t child = fork();
    int status = 0;

    if (child == 0) {
        _exit(close_inherited(argument));
    }
    child_check(waitpid(child, &status, 0) == child && status == 0);
    return close_inherited(argument);
}

static int count_descriptors(void *before)
{
    child_check(open_descriptors() == *(const size_t *)before);
    return 0;
}

static void children_keep_the_parents_tag(void **state)
{
    ironmap_map *map = open_tag(LENGTH);
    ironmap_map *other = NULL;
    size_t descriptors = open_descriptors();

    (void)state;
    assert_int_equal(in_child(count_descriptors, &descriptors), 0);
    assert_ok(ironmap_put(map, OFFSET, "bytes", 5, &failure));
    assert_int_equal(in_child(close_inherited, map), 0);
    assert_int_equal(in_child(exit_without_closing, map), 0);
    assert_int_equal(in_child(fork_and_close, map), 0);
    other = open_tag(0);
    assert_map(other, OFFSET, "bytes", 5);
    close_map(other);
    close_map(map);
    assert_nothing_left(tag);
}

/* The tag outlives the parent's close, and is gone when the child closes. */
static void child_keeps_the_tag(void **state)
{
    ironmap_map *map = open_tag(LENGTH);
    ironmap_map *other = NULL;
    int pipes[2];
    pid_t child;

    (void)state;
    assert_int_equal(pipe(pipes), 0);
    assert_ok(ironmap_put(map, OFFSET, "bytes", 5, &failure));
    child = fork();
    if (child == 0) {
        char byte;
        (void)close(pipes[1]);
        (void)!read(pipes[0], &byte, 1);
        _exit(ironmap_close(map, NULL) == IRONMAP_OK ? 0 : 1);
    }
    (void)close(pipes[0]);
    close_map(map);
    other = open_tag(0);
    assert_map(other, OFFSET, "bytes", 5);
    close_map(other);
    assert_true(tag_is_there(tag));
    (void)close(pipes[1]);
    assert_int_equal(status_of(child), 0);
    assert_nothing_left(tag);
}

/* The child's stores stay while the parent closes other tags. */
static void parent_and_child_use_many_tags(void **state)
{
    enum { TAGS = 40 };
    ironmap_map *maps[TAGS];
    pid_t child;

    (void)state;
    open_numbered_tags(maps, TAGS, LENGTH);
    child = fork();
    if (child == 0) {
        for (size_t i = 0; i < TAGS; i += 2) {
            if (ironmap_put(maps[i], 0, "child", 5, NULL) || ironmap_close(maps[i], NULL)) {
                _exit(1);
            }
        }
        _exit(0);
    }
    for (size_t i = 1; i < TAGS; i += 2) {
        close_map(maps[i]);
    }
    assert_int_equal(status_of(child), 0);
    for (size_t i = 0; i < TAGS; i += 2) {
        ironmap_map *other = NULL;

        assert_int_equal(tag_open(&other, numbered_tag(i), 0), IRONMAP_OK);
        assert_map(other, 0, "child", 5);
        close_map(other);
        close_map(maps[i]);
    }
    /* The child has left these open: the next new tag sweeps them. */
    close_map(open_tag(1));
    for (size_t i = 0; i < TAGS; i++) {
        assert_nothing_left(numbered_tag(i));
    }
}

/* All new descriptors close on exec. */
static int check_close_on_exec(void *argument)
{
    const bool *before = argument;

    for (int fd = 3; fd < 1024; fd++) {
        int flags = fcntl(fd, F_GETFD);

        child_check(flags == -1 || before[fd] || (flags & FD_CLOEXEC) != 0);
    }
    return 0;
}

static void started_programs_inherit_no_descriptor(void **state)
{
    static bool before[1024];
    ironmap_map *map = NULL;

    (void)state;
    for (int fd = 0; fd < 1024; fd++) {
        before[fd] = fcntl(fd, F_GETFD) != -1;
    }
    map = open_tag(LENGTH);
    assert_int_equal(check_close_on_exec(before), 0);
    assert_int_equal(in_child(check_close_on_exec, before), 0);
    close_map(map);
}

static int interrupt_at_the_third_check(void *count)
{
    return ++*(int *)count == 3;
}

static int open_while_the_folder_is_locked(void *argument)
{
    int checks = 0;
    ironmap_options options = options_of(0, LENGTH);
    ironmap_map *map = NULL;
    ironmap_error error;

    (void)argument;
    (void)alarm(60);
    options.tag = tag;
    options.check = interrupt_at_the_third_check;
    options.context = &checks;
    child_check(ironmap_open_anonymous(&map, IRONMAP_WRITE, &options, &error) ==
                IRONMAP_E_INTERRUPTED);
    child_check(error.status == IRONMAP_E_INTERRUPTED && checks == 3 && map == NULL);
    return 0;
}

/* Another process keeps the folder locked. */
static void waiting_for_the_folder_can_be_interrupted(void **state)
{
    ironmap_map *map = open_tag(LENGTH);
    int folder = open(tag_folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    (void)state;
    assert_int_equal(flock(folder, LOCK_EX), 0);
    assert_int_equal(in_child(open_while_the_folder_is_locked, NULL), 0);
    (void)close(folder);
    close_map(map);
    assert_nothing_left(tag);
}

static int end_without_closing(void *argument)
{
    ironmap_map *map = NULL;

    (void)argument;
    child_check(tag_open(&map, tag, LENGTH) == IRONMAP_OK);
    exit(0); // NOLINT(concurrency-mt-unsafe)
}

static void exit_leaves_no_file(void **state)
{
    (void)state;
    assert_int_equal(in_child(end_without_closing, NULL), 0);
    assert_nothing_left(tag);
}

static int fork_without_descriptors(void *argument)
{
    ironmap_map *map = NULL;
    ironmap_map *other = NULL;
    int last = -1;
    int status = 0;
    pid_t child;

    (void)argument;
    child_check(tag_open(&map, tag, LENGTH) == IRONMAP_OK);
    child_check(ironmap_put(map, OFFSET, "bytes", 5, NULL) == IRONMAP_OK);
    for (int fd = 0; fd != -1; fd = dup(0)) {
        last = fd;
    }
    child = fork();
    if (child == 0) {
        for (int fd = last; fd > last - 5; fd--) {
            (void)close(fd);
        }
        _exit(close_inherited(map));
    }
    child_check(waitpid(child, &status, 0) == child && status == 0);
    for (int fd = last; fd > last - 5; fd--) {
        (void)close(fd);
    }
    child_check(tag_open(&other, tag, 0) == IRONMAP_OK);
    child_check(ironmap_close(map, NULL) == IRONMAP_OK && ironmap_close(other, NULL) == IRONMAP_OK);
    return 0;
}

/* Without a descriptor for the child's lock, parent and child share one. */
static void fork_without_free_descriptors_keeps_the_tag(void **state)
{
    ironmap_map *map = NULL;

    (void)state;
    assert_int_equal(in_child(fork_without_descriptors, NULL), 0);
    map = open_tag(LENGTH);
    assert_map_filled(map, 0, LENGTH, 0);
    close_map(map);
    assert_nothing_left(tag);
}

/* Each field of a header that is in use. Where the header is not this tag's, the tag is taken. */
static void header_that_differs_is_refused(void **state)
{
    static const struct {
        off_t place;
        size_t size;
        uint64_t number;
    } changes[] = {
        {0, 8, 0x1122334455667788}, /* the magic */
        {8, 4, 0x04030201},         /* the byte order */
        {16, 8, UINT64_MAX},        /* the start */
        {16, 8, 0},                 /* a tag of a file has none */
        {24, 8, INT64_MAX},         /* the length */
        {32, 8, 77},                /* the device of the file */
        {40, 8, 77},                /* its number */
        {48, 1, 'x'},               /* the tag */
    };
    ironmap_map *map = NULL;
    ironmap_map *other = NULL;
    ironmap_options options = options_of(0, 4096);
    char header[64];

    (void)state;
    options.tag = tag;
    assert_ok(ironmap_open_anonymous(&map, IRONMAP_WRITE, &options, &failure));
    int fd = open(tag_path(tag), O_RDWR | O_CLOEXEC);
    assert_true(pread(fd, header, sizeof(header), 0) == (ssize_t)sizeof(header));
    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        uint64_t number = changes[i].number;
        uint32_t half = (uint32_t)number;
        uint8_t byte = (uint8_t)number;
        const void *bytes = changes[i].size == 8   ? (const void *)&number
                            : changes[i].size == 4 ? (const void *)&half
                                                   : (const void *)&byte;
        assert_true(pwrite(fd, bytes, changes[i].size, changes[i].place) > 0);
        assert_fails(ironmap_open_anonymous(&other, IRONMAP_WRITE, &options, &failure),
                     IRONMAP_E_TAG_TAKEN);
        assert_true(pwrite(fd, header, sizeof(header), 0) == (ssize_t)sizeof(header));
    }
    assert_ok(ironmap_open_anonymous(&other, IRONMAP_WRITE, &options, &failure));
    assert_ok(ironmap_close(other, &failure));
    assert_int_equal(close(fd), 0);
    assert_ok(ironmap_close(map, &failure));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_fixture(tag_belongs_to_the_user),
        with_fixture(folder_of_another_user_is_refused),
        with_fixture(file_of_another_kind_is_refused),
        with_fixture(locked_file_without_a_tag_is_refused),
        with_fixture(header_that_differs_is_refused),
        with_fixture(tag_has_a_file_of_its_own),
        with_fixture(long_names_are_told_apart),
        with_fixture(file_of_another_tag_is_refused),
        with_fixture(close_keeps_another_file_of_the_same_name),
        with_fixture(tag_belongs_to_one_file),
        with_fixture(tag_of_anonymous_memory_is_shared),
        with_fixture(memory_of_a_tag_begins_at_a_page),
        with_fixture(truncated_tag_is_a_lost_page),
        with_fixture(longest_tag_is_accepted),
        with_fixture(full_memory_is_an_error),
        with_fixture(tags_use_the_temporary_folder_without_shared_memory),
        with_fixture(children_keep_the_parents_tag),
        with_fixture(child_keeps_the_tag),
        with_fixture(parent_and_child_use_many_tags),
        with_fixture(started_programs_inherit_no_descriptor),
        with_fixture(waiting_for_the_folder_can_be_interrupted),
        with_fixture(exit_leaves_no_file),
        with_fixture(fork_without_free_descriptors_keeps_the_tag),
    };

    tags_begin();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
