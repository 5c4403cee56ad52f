/* Tags among strangers: the folder of a user's tags, whatever another user, the umask or the
 * environment does. Each test has /dev/shm and /run/user to itself, which takes root. */
#include "tag_support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LENGTH = 20000, STRANGER = 1, USER = 65534, CANNOT = 77, NO_LIBRARIES = 127 };

/* Replaces the C library's mkdir: `before_making` runs once, before a call. */
static bool (*before_making)(void);

int mkdir(const char *path, mode_t mode)
{
    bool (*work)(void) = before_making;

    if (work != NULL) {
        before_making = NULL;
        if (!work()) {
            abort();
        }
    }
    return (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
}

static const char second_folder[] = "/run/user/65534/ironmap";
static const char first_folder[] = "/dev/shm/ironmap-65534";

/* Replaces the C library's flock: `before_lock` runs once, before a call for an exclusive lock. */
static bool (*before_lock)(void);

int flock(int fd, int operation)
{
    bool (*work)(void) = before_lock;

    if (work != NULL && (operation & LOCK_EX) != 0) {
        before_lock = NULL;
        if (!work()) {
            abort();
        }
    }
    return (int)syscall(SYS_flock, fd, operation);
}

/* ---- a user on a fresh system ---------------------------------------------------------------- */

static bool make_folder(const char *path, mode_t mode, uid_t owner)
{
    return mkdir(path, 0700) == 0 && chown(path, owner, (gid_t)-1) == 0 && chmod(path, mode) == 0;
}

/* Without other users' files. False if that takes more rights. */
static bool fresh_system(void)
{
    return own_memory("/dev/shm", "size=16m") && own_memory("/run", "size=1m") &&
           mkdir("/run/user", 0755) == 0 && chmod("/run/user", 0755) == 0;
}

/* The folder of the user's session, which not every user has. */
static bool begin_session(mode_t mode, uid_t owner)
{
    return make_folder("/run/user/65534", mode, owner);
}

static bool become_user(void)
{
    return setuid(USER) == 0;
}

static void run_alone(int (*work)(void *))
{
    int status = in_child(work, NULL);

    if (status == CANNOT) {
        skip_because("a private /dev/shm and /run take root");
    }
    assert_int_equal(status, 0);
}

static bool has_mode(const char *path, mode_t mode)
{
    struct stat status;

    return lstat(path, &status) == 0 && (status.st_mode & 07777) == mode &&
           status.st_uid == geteuid();
}

static bool is_in(const char *folder, const char *name)
{
    char path[PATH_MAX];
    struct stat status;

    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    return lstat(path, &status) == 0;
}

/* Opens "one" in `folder`, twice with the same memory, and closes it. */
static int use_tag_in(const char *folder)
{
    ironmap_map *one = NULL;
    ironmap_map *two = NULL;
    size_t descriptors = open_descriptors();

    child_check(tag_open(&one, "one", LENGTH) == IRONMAP_OK);
    child_check(is_in(folder, "one"));
    child_check(ironmap_put_byte(one, 5, 7, NULL) == IRONMAP_OK);
    child_check(tag_open(&two, "one", 0) == IRONMAP_OK);
    child_check(*((uint8_t *)ironmap_data(two) + 5) == 7);
    child_check(ironmap_close(one, NULL) == IRONMAP_OK);
    child_check(ironmap_close(two, NULL) == IRONMAP_OK);
    child_check(!is_in(folder, "one") && has_mode(folder, 0700));
    child_check(open_descriptors() == descriptors);
    return 0;
}

static int opening_is(int status, int code, const char *what)
{
    ironmap_options options = options_of(0, LENGTH);
    ironmap_map *map = NULL;
    ironmap_error error = {.status = IRONMAP_OK};
    size_t descriptors = open_descriptors();

    options.tag = "one";
    child_check(ironmap_open_anonymous(&map, IRONMAP_WRITE, &options, &error) == status);
    child_check(open_descriptors() == descriptors);
    child_check((int)error.status == status && error.system_code == code);
    child_check(what == NULL || (error.what != NULL && strcmp(error.what, what) == 0));
    return 0;
}

/* ---- places ---------------------------------------------------------------------------------- */

/* The folder stays after the last tag, so no other user can take its name. TMPDIR decides nothing
 * where there is a /dev/shm. */
static int use_the_first(void *argument)
{
    (void)argument;
    if (!fresh_system() || !begin_session(0700, USER) || !become_user()) {
        return CANNOT;
    }
    child_check(setenv("TMPDIR", "/tmp", 1) == 0);
    child_check(use_tag_in(first_folder) == 0);
    child_check(access(second_folder, F_OK) == -1);
    return use_tag_in(first_folder);
}

static void folder_of_the_first_tag_stays(void **state)
{
    (void)state;
    run_alone(use_the_first);
}

/* A folder, a closed folder, a file and a link of another user. */
static int use_the_second(void *argument)
{
    int kind = *(int *)argument;

    if (!fresh_system() || !begin_session(0700, USER)) {
        return CANNOT;
    }
    child_check(kind > 1 || make_folder(first_folder, kind == 0 ? 0755 : 0700, STRANGER));
    child_check(kind != 2 || mknod(first_folder, S_IFREG | 0666, 0) == 0);
    child_check(kind != 3 || symlink("/run/user/65534", first_folder) == 0);
    child_check(become_user());
    return use_tag_in(second_folder);
}

static void folder_of_a_stranger_is_passed_over(void **state)
{
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        int status = in_child(use_the_second, &kind);

        if (status == CANNOT) {
            skip_because("a private /dev/shm and /run take root");
        }
        assert_int_equal(status, 0);
    }
}

/* Without a /dev/shm. A relative TMPDIR depends on the working directory. */
static int use_other_places(void *argument)
{
    (void)argument;
    if (!fresh_system() || !own_memory("/tmp", "size=16m") || chmod("/tmp", 01777) != 0 ||
        mkdir("/tmp/folder", 0777) != 0 || chmod("/tmp/folder", 0777) != 0 ||
        !own_memory("/dev", "size=1m") || seteuid(USER) != 0) {
        return CANNOT;
    }
    child_check(setenv("TMPDIR", "tmp/folder", 1) == 0 && chdir("/") == 0);
    child_check(use_tag_in("/tmp/ironmap-65534") == 0);
    child_check(setenv("TMPDIR", "/tmp/folder", 1) == 0);
    child_check(use_tag_in("/tmp/folder/ironmap-65534") == 0);
    child_check(seteuid(0) == 0 && begin_session(0700, USER) && seteuid(USER) == 0);
    return use_tag_in(second_folder);
}

static void tags_have_a_place_without_shared_memory(void **state)
{
    (void)state;
    run_alone(use_other_places);
}

/* The stranger goes away while a tag is open: all processes still find the second folder. */
static int keep_the_second(void *argument)
{
    ironmap_map *map = NULL;
    ironmap_map *other = NULL;

    (void)argument;
    if (!fresh_system() || !begin_session(0700, USER) ||
        !make_folder(first_folder, 0755, STRANGER)) {
        return CANNOT;
    }
    child_check(seteuid(USER) == 0);
    child_check(tag_open(&map, "one", LENGTH) == IRONMAP_OK);
    child_check(seteuid(0) == 0 && rmdir(first_folder) == 0 && seteuid(USER) == 0);
    child_check(tag_open(&other, "one", 0) == IRONMAP_OK);
    child_check(ironmap_close(other, NULL) == IRONMAP_OK);
    child_check(tag_open(&other, "two", 1) == IRONMAP_OK);
    child_check(is_in(second_folder, "two") && access(first_folder, F_OK) == -1);
    return 0;
}

static void second_folder_stays_in_use(void **state)
{
    (void)state;
    run_alone(keep_the_second);
}

static int find_no_place(void *argument)
{
    static const char what[] = "/dev/shm/ironmap-65534 belongs to user 1";
    ironmap_options options = options_of(0, LENGTH);
    ironmap_map *map = NULL;
    ironmap_error before;

    (void)argument;
    if (!fresh_system() || !make_folder(first_folder, 0700, STRANGER)) {
        return CANNOT;
    }
    child_check(chown(first_folder, 2, (gid_t)-1) == 0 && seteuid(USER) == 0);
    options.tag = "one";
    child_check(ironmap_open_anonymous(&map, IRONMAP_WRITE, &options, &before) == IRONMAP_E_SYSTEM);
    child_check(seteuid(0) == 0 && chown(first_folder, STRANGER, (gid_t)-1) == 0);
    child_check(seteuid(USER) == 0);
    child_check(opening_is(IRONMAP_E_SYSTEM, EPERM, what) == 0);
    child_check(strcmp(before.what, "/dev/shm/ironmap-65534 belongs to user 2") == 0);
    /* A folder that is open to others, or another user's, is no session's. */
    child_check(seteuid(0) == 0 && begin_session(0755, USER) && seteuid(USER) == 0);
    child_check(opening_is(IRONMAP_E_SYSTEM, EPERM, what) == 0);
    child_check(seteuid(0) == 0 && chmod("/run/user/65534", 0700) == 0 &&
                chown("/run/user/65534", STRANGER, (gid_t)-1) == 0 && seteuid(USER) == 0);
    child_check(opening_is(IRONMAP_E_SYSTEM, EPERM, what) == 0);
    child_check(seteuid(0) == 0 && rmdir("/run/user/65534") == 0 && mkdir("/run/x", 0700) == 0 &&
                chown("/run/x", USER, (gid_t)-1) == 0 &&
                symlink("/run/x", "/run/user/65534") == 0 && seteuid(USER) == 0);
    child_check(opening_is(IRONMAP_E_SYSTEM, EPERM, what) == 0);
    return 0;
}

/* Root can open every folder. */
static int find_no_place_as_root(void *argument)
{
    (void)argument;
    if (!fresh_system() || geteuid() != 0) {
        return CANNOT;
    }
    child_check(make_folder("/dev/shm/ironmap-0", 0755, STRANGER));
    child_check(make_folder("/run/user/0", 0700, STRANGER));
    return opening_is(IRONMAP_E_SYSTEM, EPERM, "/dev/shm/ironmap-0 belongs to user 1");
}

static void error_names_the_owner(void **state)
{
    (void)state;
    run_alone(find_no_place);
    run_alone(find_no_place_as_root);
}

static int hold_both(void *argument)
{
    (void)argument;
    if (!fresh_system() || !begin_session(0700, USER) ||
        !make_folder(first_folder, 0755, STRANGER) || !make_folder(second_folder, 0755, STRANGER)) {
        return CANNOT;
    }
    child_check(become_user());
    return opening_is(IRONMAP_E_SYSTEM, EPERM, "/run/user/65534/ironmap belongs to user 1");
}

static void second_folder_is_checked_as_the_first(void **state)
{
    (void)state;
    run_alone(hold_both);
}

/* Between the search for the folder and its making, a stranger comes, another process makes the
 * second folder, and the stranger goes. */
static bool make_the_second(void)
{
    return mkdir(second_folder, 0700) == 0;
}

static int find_the_second_made_meanwhile(void *argument)
{
    (void)argument;
    if (!fresh_system() || !begin_session(0700, USER) || !become_user()) {
        return CANNOT;
    }
    before_lock = make_the_second;
    child_check(use_tag_in(second_folder) == 0);
    child_check(access(first_folder, F_OK) == -1);
    return 0;
}

/* The stranger goes, and another process makes the first folder. */
static bool replace_the_first(void)
{
    return seteuid(0) == 0 && rmdir(first_folder) == 0 && seteuid(USER) == 0 &&
           mkdir(first_folder, 0700) == 0;
}

static int find_the_first_made_meanwhile(void *argument)
{
    (void)argument;
    if (!fresh_system() || !begin_session(0700, USER) ||
        !make_folder(first_folder, 0755, STRANGER) || seteuid(USER) != 0) {
        return CANNOT;
    }
    before_lock = replace_the_first;
    child_check(use_tag_in(first_folder) == 0);
    child_check(access(second_folder, F_OK) == -1);
    return 0;
}

/* Without /run/user/UID no lock keeps another process from making it. */
static bool make_the_first(void)
{
    return mkdir(first_folder, 0700) == 0;
}

static int use_the_first_made_meanwhile(void *argument)
{
    (void)argument;
    if (!fresh_system() || !become_user()) {
        return CANNOT;
    }
    before_making = make_the_first;
    child_check(use_tag_in(first_folder) == 0);
    child_check(before_making == NULL);
    return 0;
}

static void folder_that_another_process_made_is_used(void **state)
{
    (void)state;
    run_alone(use_the_first_made_meanwhile);
}

static int interrupt(void *context)
{
    (void)context;
    return 1;
}

/* Another process is making the folder. */
static int wait_for_the_maker(void *argument)
{
    ironmap_options options = options_of(0, LENGTH);
    ironmap_map *map = NULL;
    int runtime;

    (void)argument;
    if (!fresh_system() || !begin_session(0700, USER) || !become_user()) {
        return CANNOT;
    }
    runtime = open("/run/user/65534", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    child_check(flock(runtime, LOCK_EX) == 0);
    options.tag = "one";
    options.check = interrupt;
    child_check(ironmap_open_anonymous(&map, IRONMAP_WRITE, &options, NULL) ==
                IRONMAP_E_INTERRUPTED);
    child_check(access(first_folder, F_OK) == -1);
    (void)close(runtime);
    return use_tag_in(first_folder);
}

static void one_process_at_a_time_makes_the_folder(void **state)
{
    (void)state;
    run_alone(find_the_second_made_meanwhile);
    run_alone(find_the_first_made_meanwhile);
    run_alone(wait_for_the_maker);
}

/* ---- modes ----------------------------------------------------------------------------------- */

static int open_with_any_umask(void *argument)
{
    static const mode_t masks[] = {0777, 0, 0077, 0700, 0277, 0477};

    (void)argument;
    if (!fresh_system() || !become_user()) {
        return CANNOT;
    }
    for (size_t i = 0; i < COUNT_OF(masks); i++) {
        ironmap_map *map = NULL;

        (void)umask(masks[i]);
        child_check(tag_open(&map, "one", LENGTH) == IRONMAP_OK);
        child_check(has_mode(first_folder, 0700) && has_mode("/dev/shm/ironmap-65534/one", 0600));
        child_check(ironmap_close(map, NULL) == IRONMAP_OK);
        child_check(use_tag_in(first_folder) == 0 && rmdir(first_folder) == 0);
    }
    return 0;
}

static void modes_do_not_depend_on_the_umask(void **state)
{
    (void)state;
    run_alone(open_with_any_umask);
}

/* Root can open a file whatever its mode is. */
static int open_as_root(void *argument)
{
    ironmap_map *map = NULL;

    (void)argument;
    if (!fresh_system() || geteuid() != 0) {
        return CANNOT;
    }
    (void)umask(0777);
    child_check(tag_open(&map, "one", LENGTH) == IRONMAP_OK);
    child_check(has_mode("/dev/shm/ironmap-0", 0700) && has_mode("/dev/shm/ironmap-0/one", 0600));
    return 0;
}

static void modes_of_root_do_not_depend_on_the_umask(void **state)
{
    (void)state;
    run_alone(open_as_root);
}

/* As if a process was killed after it made the folder or the file with a umask of 0777. */
static int open_after_a_kill(void *argument)
{
    ironmap_map *map = NULL;

    (void)argument;
    if (!fresh_system() || !become_user()) {
        return CANNOT;
    }
    child_check(mkdir(first_folder, 0700) == 0);
    child_check(mknod("/dev/shm/ironmap-65534/one", S_IFREG | 0600, 0) == 0);
    child_check(mknod("/dev/shm/ironmap-65534/two", S_IFREG | 0600, 0) == 0);
    child_check(chmod("/dev/shm/ironmap-65534/one", 0) == 0);
    child_check(chmod("/dev/shm/ironmap-65534/two", 0) == 0 && chmod(first_folder, 0) == 0);
    child_check(tag_open(&map, "one", LENGTH) == IRONMAP_OK);
    child_check(has_mode(first_folder, 0700) && has_mode("/dev/shm/ironmap-65534/one", 0600));
    child_check(!is_in(first_folder, "two")); /* swept */
    child_check(ironmap_close(map, NULL) == IRONMAP_OK);
    child_check(chmod(first_folder, 0777) == 0);
    return use_tag_in(first_folder);
}

static void wrong_modes_are_mended(void **state)
{
    (void)state;
    run_alone(open_after_a_kill);
}

/* A file that another user has linked into a folder that was open, with this user's content. */
static int open_a_linked_file(void *argument)
{
    int fd;
    char content[6] = "";

    (void)argument;
    if (!fresh_system() || !become_user()) {
        return CANNOT;
    }
    fd = open("/dev/shm/letter", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    child_check(fd != -1 && pwrite(fd, "secret", 6, 0) == 6);
    child_check(mkdir(first_folder, 0700) == 0);
    child_check(link("/dev/shm/letter", "/dev/shm/ironmap-65534/one") == 0);
    child_check(opening_is(IRONMAP_E_SYSTEM, EPERM, NULL) == 0);
    child_check(chmod("/dev/shm/letter", 0) == 0);
    child_check(opening_is(IRONMAP_E_SYSTEM, EACCES, NULL) == 0);
    child_check(has_mode("/dev/shm/letter", 0));
    child_check(pread(fd, content, 6, 0) == 6 && memcmp(content, "secret", 6) == 0);
    return 0;
}

static void linked_file_is_refused(void **state)
{
    (void)state;
    run_alone(open_a_linked_file);
}

/* ---- a set-uid program ----------------------------------------------------------------------- */

/* What the copy of this program does that belongs to USER and runs with that user's rights. */
static int use_tag_as_set_uid(void)
{
    char folder[64];

    if (geteuid() != USER || getuid() == USER) {
        return CANNOT; /* the file system ignores the mode */
    }
    /* Some C libraries have removed it. */
    child_check(setenv("TMPDIR", "/tmp/folder", 1) == 0);
    (void)snprintf(folder, sizeof(folder), "/tmp/ironmap-%d", USER);
    return use_tag_in(folder);
}

static bool copy_of_this_program(const char *path)
{
    char command[PATH_MAX + 100];

    (void)snprintf(command, sizeof(command), "cp /proc/%d/exe %s", (int)getpid(), path);
    return system(command) == 0 && // NOLINT(cert-env33-c,concurrency-mt-unsafe)
           chown(path, USER, (gid_t)-1) == 0 && chmod(path, 04755) == 0;
}

static int run_set_uid(void *argument)
{
    (void)argument;
    if (!own_memory("/run", "size=1m") || !own_memory("/tmp", "size=64m") ||
        !copy_of_this_program("/tmp/program") || mkdir("/tmp/folder", 0777) != 0 ||
        chmod("/tmp/folder", 0777) != 0 || !own_memory("/dev", "size=1m") ||
        setenv("TMPDIR", "/tmp/folder", 1) != 0 || setuid(STRANGER) != 0) {
        return CANNOT;
    }
    (void)execl("/tmp/program", "/tmp/program", "set-uid", NULL);
    return CANNOT;
}

static void set_uid_program_does_not_trust_tmpdir(void **state)
{
    int status;

    (void)state;
    skip_inside_qemu("runs no set-uid programs");
    status = in_child(run_set_uid, NULL);
    if (status == CANNOT) {
        skip_because("a set-uid program takes root, and a file system that allows it");
    }
    if (status == NO_LIBRARIES) {
        skip_because("a set-uid program finds libraries in the system's folders only");
    }
    assert_int_equal(status, 0);
}

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {
        with_fixture(folder_of_the_first_tag_stays),
        with_fixture(folder_of_a_stranger_is_passed_over),
        with_fixture(tags_have_a_place_without_shared_memory),
        with_fixture(second_folder_stays_in_use),
        with_fixture(error_names_the_owner),
        with_fixture(second_folder_is_checked_as_the_first),
        with_fixture(one_process_at_a_time_makes_the_folder),
        with_fixture(folder_that_another_process_made_is_used),
        with_fixture(modes_do_not_depend_on_the_umask),
        with_fixture(modes_of_root_do_not_depend_on_the_umask),
        with_fixture(wrong_modes_are_mended),
        with_fixture(linked_file_is_refused),
        with_fixture(set_uid_program_does_not_trust_tmpdir),
    };

    if (count == 2 && strcmp(arguments[1], "set-uid") == 0) {
        _exit(use_tag_as_set_uid()); /* without the check for leaks, which needs ptrace(2) */
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
