/* A file of another file system that has the name and the number of ours is another file. */
#include "calls.h"
#include "support_posix.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LENGTH = 65536, DONE = 0, WRONG = 1, NOT_ALLOWED = 2, OTHER_NUMBER = 3 };

static const fixture *current;

/* Covers the test's folder with an empty file system. */
static bool cover(void)
{
    return mount("ironmap", current->directory, "tmpfs", 0, "size=1m") == 0;
}

static bool begin(void)
{
    return unshare(CLONE_NEWNS) == 0 &&
           mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) == 0 && cover();
}

/* Makes the first file of the file system. */
static int make_first(void)
{
    return open(current->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}

static bool has_number_of(int fd)
{
    struct stat named;
    struct stat ours;

    return stat(current->path, &named) == 0 && fstat(fd, &ours) == 0 &&
           named.st_ino == ours.st_ino && named.st_dev != ours.st_dev;
}

/* The file lost its name to the other one. */
static int path_in_child(void)
{
    ironmap_map *map = NULL;
    const ironmap_options options = {.length = LENGTH, .open = IRONMAP_OPEN_EXTEND};
    char path[4096];

    if (!begin()) {
        return NOT_ALLOWED;
    }
    int fd = make_first();
    if (ironmap_open_fd(&map, fd, IRONMAP_WRITE, &options, NULL) != IRONMAP_OK ||
        ironmap_file_path(map, path, sizeof(path), NULL) != IRONMAP_OK || !cover() ||
        make_first() == -1) {
        return WRONG;
    }
    if (!has_number_of(fd)) {
        return OTHER_NUMBER;
    }
    return ironmap_file_path(map, path, sizeof(path), NULL) == IRONMAP_E_NO_FILE ? DONE : WRONG;
}

static bool is_covered;

/* Puts the other file in the place of the one that was just made, and fails. */
static int cover_and_fail(const char *name)
{
    if (strcmp(name, "mmap") != 0 || is_covered) {
        return 0;
    }
    is_covered = true;
    return cover() && make_first() != -1 ? ENOMEM : 0;
}

/* The other file stays. */
static int undo_in_child(void)
{
    ironmap_map *map = NULL;
    const ironmap_options options = {.length = LENGTH,
                                     .open = IRONMAP_OPEN_CREATE | IRONMAP_OPEN_EXTEND};

    if (!begin()) {
        return NOT_ALLOWED;
    }
    calls_watch(cover_and_fail, NULL);
    int status = ironmap_open_path(&map, current->path, IRONMAP_WRITE, &options, NULL);
    calls_watch(NULL, NULL);
    return status == IRONMAP_E_SYSTEM && access(current->path, F_OK) == 0 ? DONE : WRONG;
}

static void run_child(const fixture *f, int (*work)(void))
{
    current = f;
    is_covered = false;
    (void)fflush(NULL);
    pid_t child = fork();
    int status = 0;

    if (child == 0) {
        _exit(work());
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == NOT_ALLOWED) {
        skip_because("this process may not mount");
    }
    if (WEXITSTATUS(status) == OTHER_NUMBER) {
        skip_because("the files have different numbers");
    }
    assert_int_equal(WEXITSTATUS(status), DONE);
}

static void path_is_not_that_of_a_file_of_another_device(void **state)
{
    file_name(*state, "first");
    run_child(*state, path_in_child);
}

static void failed_open_keeps_a_file_of_another_device(void **state)
{
    file_name(*state, "first");
    run_child(*state, undo_in_child);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_fixture(path_is_not_that_of_a_file_of_another_device),
        with_fixture(failed_open_keeps_a_file_of_another_device),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
