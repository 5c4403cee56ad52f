/* Tags and system calls that take long, fail for ever or are cancelled: a call waits at a gate or
 * fails where the test says so. */
#include "tag_support.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LENGTH = 20000 };

/* ---- the calls ------------------------------------------------------------------------------- */

typedef enum call_kind {
    NONE,
    FALLOCATE,
    FTRUNCATE,
    FLOCK,
    CLOSE,
    CLOSED, /* waits after the call */
    FSTATAT,
    OPENAT,
    PWRITE /* writes a part */
} call_kind;

/* The call of the armed thread that waits or is visited, counted from 1, or that fails from then
 * on.
 */
static _Thread_local bool armed;
static call_kind wanted;
static int countdown;
static int fail_code;            /* 0: wait */
static void (*visit_call)(void); /* runs before the call, which does not wait; NULL: none */
static int failed_calls;
static atomic_bool waits;
static atomic_bool go_on;

static void arm(call_kind kind, int which, int code)
{
    wanted = kind;
    countdown = which;
    fail_code = code;
    failed_calls = 0;
    visit_call = NULL;
    atomic_store(&waits, false);
    atomic_store(&go_on, false);
    armed = true;
}

static void arm_visit(call_kind kind, int which, void (*visit)(void))
{
    arm(kind, which, 0);
    visit_call = visit;
}

static void nap(void)
{
    const struct timespec time = {.tv_nsec = 100000};

    (void)nanosleep(&time, NULL);
}

/* True if the call is to fail, with its errno set. */
static bool meet(call_kind kind)
{
    if (!armed || kind != wanted) {
        return false;
    }
    countdown -= countdown > 0;
    if (countdown > 0) {
        return false;
    }
    if (fail_code != 0) {
        failed_calls++;
        errno = fail_code;
        return true;
    }
    armed = false;
    if (visit_call != NULL) {
        visit_call();
        return false;
    }
    atomic_store(&waits, true);
    while (!atomic_load(&go_on)) {
        nap();
    }
    return false;
}

/* The C library's function. On 32 bits the large-file one has another name. */
static void *real(const char *name, const char *large)
{
    void *found = sizeof(long) == 4 ? dlsym(RTLD_NEXT, large) : NULL;

    found = found == NULL ? dlsym(RTLD_NEXT, name) : found;
    if (found == NULL) {
        abort();
    }
    return found;
}

#define FIND(call, name, large)                                                                    \
    do {                                                                                           \
        if ((call) == NULL) {                                                                      \
            *(void **)&(call) = real(name, large);                                                 \
        }                                                                                          \
    } while (0)

static int locks;

int flock(int fd, int operation)
{
    static int (*call)(int, int);

    FIND(call, "flock", "flock");
    locks++;
    return meet(FLOCK) ? -1 : call(fd, operation);
}

/* The types of the first descriptors that are closed: 'f' for a folder, '-' for a file. */
static bool watching;
static int closed_number; /* the last one of the armed thread */
static char closed[8];

static void watch_close(int fd)
{
    struct stat status;
    size_t count = strlen(closed);

    if (watching && count + 1 < sizeof(closed) && fstat(fd, &status) == 0) {
        closed[count] = S_ISDIR(status.st_mode) ? 'f' : '-';
    }
}

int close(int fd)
{
    static int (*call)(int);
    int result;

    FIND(call, "close", "close");
    watch_close(fd);
    if (meet(CLOSE)) {
        return -1;
    }
    result = call(fd);
    closed_number = armed ? fd : closed_number;
    (void)meet(CLOSED);
    return result;
}

int ftruncate(int fd, off_t length)
{
    static int (*call)(int, off_t);

    FIND(call, "ftruncate", "ftruncate64");
    return meet(FTRUNCATE) ? -1 : call(fd, length);
}

int fallocate(int fd, int mode, off_t offset, off_t length)
{
    static int (*call)(int, int, off_t, off_t);

    FIND(call, "fallocate", "fallocate64");
    return meet(FALLOCATE) ? -1 : call(fd, mode, offset, length);
}

int fstatat(int folder, const char *restrict name, struct stat *restrict status, int flags)
{
    static int (*call)(int, const char *, struct stat *, int);

    FIND(call, "fstatat", "fstatat64");
    return meet(FSTATAT) ? -1 : call(folder, name, status, flags);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset)
{
    static ssize_t (*call)(int, const void *, size_t, off_t);

    FIND(call, "pwrite", "pwrite64");
    return call(fd, bytes, meet(PWRITE) ? length / 2 : length, offset);
}

static unsigned opened_files;

int openat(int folder, const char *name, int flags, ...)
{
    static int (*call)(int, const char *, int, ...);
    va_list more;
    unsigned mode;

    va_start(more, flags);
    mode = (flags & O_CREAT) != 0 ? va_arg(more, unsigned) : 0;
    va_end(more);
    FIND(call, "openat", "openat64");
    opened_files++;
    return meet(OPENAT) ? -1 : call(folder, name, flags, mode);
}

static unsigned exit_functions;

int atexit(void (*function)(void))
{
    exit_functions++;
    return on_exit((void (*)(int, void *))(void (*)(void))function, NULL);
}

/* ---- calls that take long -------------------------------------------------------------------- */

/* Opens and closes the tag, and waits at one call. */
typedef struct slow_user {
    call_kind kind;
    int which;
    int status;
    atomic_bool ended;
} slow_user;

static void run_slow_user(void *argument)
{
    slow_user *own = argument;
    ironmap_map *map = NULL;

    arm(own->kind, own->which, 0);
    own->status = tag_open(&map, tag, LENGTH);
    if (own->status == IRONMAP_OK) {
        own->status = ironmap_close(map, NULL);
    }
    armed = false;
    atomic_store(&own->ended, true);
}

static int use_another_tag(void)
{
    ironmap_map *map = NULL;

    child_check(tag_open(&map, "another", LENGTH) == IRONMAP_OK);
    child_check(ironmap_close(map, NULL) == IRONMAP_OK);
    return 0;
}

/* How many descriptors a program that is started would inherit. */
static size_t inherited_descriptors(void)
{
    size_t count = 0;

    for (int fd = 0; fd < 256; fd++) {
        int flags = fcntl(fd, F_GETFD);

        count += flags != -1 && (flags & FD_CLOEXEC) == 0;
    }
    return count;
}

/* In a child: uses another tag, and has no descriptor of the thread that waits. */
static int use_in_child(size_t descriptors, bool opens)
{
    child_check(open_descriptors() == descriptors);
    return opens ? use_another_tag() : 0;
}

/* Forks, opens and closes while the thread waits at its call. `opens` is false if it has the folder
 * locked: other opens then wait for it, forks never. Returns false if there is no such call. */
static bool others_go_on(call_kind kind, int which, bool opens)
{
    slow_user slow = {.kind = kind, .which = which};
    size_t descriptors = open_descriptors();
    size_t inherited = inherited_descriptors();
    test_thread thread;
    bool met;
    pid_t child;

    atomic_store(&waits, false);
    thread_start(&thread, run_slow_user, &slow);
    while (!atomic_load(&waits) && !atomic_load(&slow.ended)) {
        nap();
    }
    met = atomic_load(&waits);
    if (met) {
        assert_int_equal(inherited_descriptors(), inherited);
        child = fork();
        if (child == 0) {
            _exit(use_in_child(descriptors, opens));
        }
        assert_int_equal(status_of(child), 0);
        assert_true(!opens || use_another_tag() == 0);
    }
    atomic_store(&go_on, true);
    thread_join(&thread);
    assert_int_equal(slow.status, IRONMAP_OK);
    assert_int_equal(open_descriptors(), descriptors);
    return met;
}

static void allocation_stops_no_other_thread(void **state)
{
    (void)state;
    (void)alarm(60);
    assert_true(others_go_on(FALLOCATE, 1, true));
    assert_true(others_go_on(FTRUNCATE, 1, true));
    assert_true(others_go_on(FTRUNCATE, 2, true));
    (void)alarm(0);
    assert_nothing_left(tag);
}

/* Each flock and each close of opening, making and closing a tag. */
static void locking_and_closing_stop_no_fork(void **state)
{
    int met = 0;

    (void)state;
    (void)alarm(60);
    for (int which = 1; others_go_on(FLOCK, which, which == 1); which++) {
        met++;
    }
    assert_true(met >= 6);
    met = 0;
    for (int which = 1; others_go_on(CLOSE, which, true); which++) {
        met++;
    }
    assert_true(met >= 3);
    (void)alarm(0);
    assert_nothing_left(tag);
}

/* Starts the thread, which waits at its call. */
static void start_and_wait(test_thread *thread, slow_user *slow)
{
    (void)alarm(60);
    atomic_store(&waits, false);
    thread_start(thread, run_slow_user, slow);
    while (!atomic_load(&waits)) {
        nap();
    }
}

static void go_on_and_join(test_thread *thread, const slow_user *slow)
{
    atomic_store(&go_on, true);
    thread_join(thread);
    assert_int_equal(slow->status, IRONMAP_OK);
    (void)alarm(0);
}

/* A tag that is being made when its process forks is gone when the process has closed it, whatever
 * the child does. */
static void child_does_not_keep_a_tag_that_was_being_made(void **state)
{
    slow_user slow = {.kind = FALLOCATE, .which = 1};
    test_thread thread;
    int pipes[2];
    char byte = 0;
    pid_t child;

    (void)state;
    assert_int_equal(pipe(pipes), 0);
    start_and_wait(&thread, &slow);
    child = fork();
    if (child == 0) {
        (void)close(pipes[1]);
        _exit(read(pipes[0], &byte, 1) == 0 ? 0 : 1);
    }
    go_on_and_join(&thread, &slow);
    assert_nothing_left(tag);
    (void)close(pipes[0]);
    (void)close(pipes[1]);
    assert_int_equal(status_of(child), 0);
}

static atomic_bool child_has_ended;
static int end_of_child;

static void fork_and_use_another_tag(void *unused)
{
    pid_t child = fork();

    (void)unused;
    if (child == 0) {
        (void)alarm(30);
        _exit(use_another_tag());
    }
    if (waitpid(child, &end_of_child, 0) != child) {
        end_of_child = -1;
    }
    atomic_store(&child_has_ended, true);
}

/* A thread opens a descriptor, which the child is to know of. The fork waits for it. If it does not
 * wait, it has time to show that. */
static void child_can_open_tags_whatever_a_thread_was_doing(void **state)
{
    slow_user slow = {.kind = OPENAT, .which = 1};
    test_thread thread;
    test_thread forker;

    (void)state;
    start_and_wait(&thread, &slow);
    thread_start(&forker, fork_and_use_another_tag, NULL);
    for (int i = 0; i < 1000 && !atomic_load(&child_has_ended); i++) {
        nap();
    }
    go_on_and_join(&thread, &slow);
    thread_join(&forker);
    assert_int_equal(end_of_child, 0);
    /* The child may have had a lock of the tag when the thread closed it. */
    close_map(open_tag(1));
    assert_nothing_left(tag);
}

/* A lock of a file without that of the folder would look like a user. */
static void child_closes_the_file_before_the_folder(void **state)
{
    slow_user slow = {.kind = FLOCK, .which = 3};
    test_thread thread;
    pid_t child;

    (void)state;
    start_and_wait(&thread, &slow);
    watching = true;
    child = fork();
    if (child == 0) {
        _exit(strcmp(closed, "-f") == 0 ? 0 : 1);
    }
    watching = false;
    go_on_and_join(&thread, &slow);
    assert_int_equal(status_of(child), 0);
}

/* A thread has closed the descriptor of a tag and not yet forgotten it, and its number is used
 * again. */
static void start_and_wait_until_closed(test_thread *thread, slow_user *slow)
{
    *slow = (slow_user){.kind = CLOSED, .which = 3};
    start_and_wait(thread, slow);
}

static void child_keeps_a_number_that_another_file_has(void **state)
{
    ironmap_map *map = open_tag(LENGTH);
    int others[8];
    size_t count = 0;
    slow_user slow;
    test_thread thread;
    pid_t child;

    (void)state;
    start_and_wait_until_closed(&thread, &slow);
    do {
        others[count] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        assert_true(others[count] != -1 && count < COUNT_OF(others) - 1);
    } while (others[count++] != closed_number);
    child = fork();
    if (child == 0) {
        _exit(fcntl(closed_number, F_GETFD) != -1 ? 0 : 1);
    }
    assert_int_equal(status_of(child), 0);
    go_on_and_join(&thread, &slow);
    while (count > 0) {
        (void)close(others[--count]);
    }
    close_map(map);
    assert_nothing_left(tag);
}

/* The child's second descriptor has the number: it keeps a lock of its own. */
static void child_keeps_a_number_that_its_lock_has(void **state)
{
    ironmap_map *map = open_tag(LENGTH);
    int pipes[2];
    slow_user slow;
    test_thread thread;
    pid_t child;

    (void)state;
    assert_int_equal(pipe(pipes), 0);
    start_and_wait_until_closed(&thread, &slow);
    child = fork();
    if (child == 0) {
        char byte;

        (void)close(pipes[1]);
        _exit(read(pipes[0], &byte, 1) == 0 && ironmap_close(map, NULL) == IRONMAP_OK ? 0 : 1);
    }
    go_on_and_join(&thread, &slow);
    close_map(map);
    close_map(open_tag(0));
    assert_true(tag_is_there(tag));
    (void)close(pipes[0]);
    (void)close(pipes[1]);
    assert_int_equal(status_of(child), 0);
    assert_nothing_left(tag);
}

/* Another map of the tag has the number, and shares its lock since no descriptor is left. */
static void child_keeps_a_number_that_another_map_has(void **state)
{
    ironmap_map *first = open_tag(LENGTH);
    ironmap_map *second = NULL;
    struct rlimit limit;
    struct rlimit least;
    slow_user slow;
    test_thread thread;
    pid_t child;

    (void)state;
    start_and_wait_until_closed(&thread, &slow);
    second = open_tag(0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    least = (struct rlimit){.rlim_cur = 3, .rlim_max = limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &least), 0);
    child = fork();
    if (child == 0) {
        _exit(ironmap_close(second, NULL) == IRONMAP_OK ? 0 : 1);
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(status_of(child), 0);
    go_on_and_join(&thread, &slow);
    close_map(second);
    close_map(first);
    close_map(open_tag(1));
    assert_nothing_left(tag);
}

/* ---- calls that fail for ever ---------------------------------------------------------------- */

static void persistent_error_ends_in_an_error(void **state)
{
    static const struct {
        call_kind kind;
        int code;
        int retries; /* 1: a passing state of the folder or the file may be the cause */
    } failures[] = {{FSTATAT, EIO, 0},      {FSTATAT, ENOENT, 1}, {OPENAT, ENOENT, 1},
                    {OPENAT, EINTR, 0},     {FLOCK, EINTR, 1},    {FLOCK, ENOLCK, 0},
                    {FALLOCATE, ENOSPC, 0}, {FTRUNCATE, EIO, 0},  {PWRITE, EIO, 0}};
    size_t descriptors = open_descriptors();

    (void)state;
    (void)alarm(120);
    for (size_t i = 0; i < COUNT_OF(failures); i++) {
        ironmap_options options = options_of(0, LENGTH);
        ironmap_map *map = NULL;
        ironmap_error error;
        int status;

        options.tag = tag;
        arm(failures[i].kind, 1, failures[i].code);
        status = ironmap_open_anonymous(&map, IRONMAP_WRITE, &options, &error);
        armed = false;
        assert_int_equal(status, IRONMAP_E_SYSTEM);
        assert_int_equal(error.system_code, failures[i].code);
        assert_true(failed_calls > 1000 || failures[i].retries == 0);
        assert_true(failed_calls < 10 || failures[i].retries != 0);
        assert_int_equal(open_descriptors(), descriptors);
        close_map(open_tag(LENGTH));
        assert_nothing_left(tag);
    }
    (void)alarm(0);
}

/* ---- what happens between two calls ---------------------------------------------------------- */

static void remove_the_file(void)
{
    (void)unlink(tag_path(tag));
}

static void replace_the_file(void)
{
    remove_the_file();
    (void)close(open(tag_path(tag), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
}

/* How many calls of flock an open of the tag makes. The last one unlocks the folder. */
static int locks_of_an_open(void)
{
    int before = locks;
    ironmap_map *map = open_tag(LENGTH);
    int made = locks - before;

    close_map(map);
    return made;
}

/* The file is removed before one call of flock of an open. A second open finds the same memory. */
static void assert_shared_though(void (*visit)(void), int which)
{
    ironmap_map *map = NULL;
    ironmap_map *other = NULL;

    arm_visit(FLOCK, which, visit);
    map = open_tag(LENGTH);
    assert_false(armed);
    other = open_tag(0);
    assert_ok(ironmap_put_byte(map, 0, 1, &failure));
    assert_map_filled(other, 0, 1, 1);
    close_map(other);
    close_map(map);
}

static void file_that_is_removed_meanwhile_is_not_used(void **state)
{
    static void (*const visits[])(void) = {remove_the_file, replace_the_file};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(visits); i++) {
        int made = locks_of_an_open();

        for (int which = 1; which < made; which++) {
            assert_shared_though(visits[i], which);
            assert_nothing_left(tag);
        }
        ironmap_map *user = open_tag(LENGTH);
        made = locks_of_an_open();
        close_map(user);
        for (int which = 1; which < made; which++) {
            user = open_tag(LENGTH);
            assert_shared_though(visits[i], which);
            close_map(user);
            assert_nothing_left(tag);
        }
    }
}

static int locked_file = -1;

static void unlock_the_file(void)
{
    (void)close(locked_file);
    locked_file = -1;
}

/* A process has locked a stale file exclusively, to remove it, and dies first. The open must not
 * take it for a user: whichever call of the open it dies at. */
static void assert_made_anew_though(int which)
{
    ironmap_map *map = NULL;
    pid_t child = fork();

    if (child == 0) {
        bool made = tag_open(&map, tag, LENGTH) == IRONMAP_OK &&
                    ironmap_put_byte(map, 0, 1, NULL) == IRONMAP_OK;
        _exit(made ? 0 : 1);
    }
    assert_int_equal(status_of(child), 0);
    locked_file = open(tag_path(tag), O_RDWR | O_CLOEXEC);
    assert_int_equal(flock(locked_file, LOCK_EX), 0);
    arm_visit(FLOCK, which, unlock_the_file);
    map = open_tag(LENGTH);
    assert_int_equal(locked_file, -1);
    assert_map_filled(map, 0, LENGTH, 0);
    close_map(map);
    assert_nothing_left(tag);
}

static void remover_that_dies_is_no_user(void **state)
{
    (void)state;
    (void)alarm(60);
    for (int which = 1; which < 10; which++) {
        assert_made_anew_though(which);
    }
    (void)alarm(0);
}

/* ---- calls that are not made ----------------------------------------------------------------- */

static void each_program_releases_its_tags_once(void **state)
{
    (void)state;
    close_map(open_tag(LENGTH));
    exit_functions = 0;
    close_map(open_tag(LENGTH));
    assert_int_equal(exit_functions, 0);
}

/* Each new tag would look at the files of all others. */
static void new_tags_do_not_look_at_each_file(void **state)
{
    enum { TAGS = 200, NEW_TAGS = 20 };
    static ironmap_map *maps[TAGS];

    (void)state;
    open_numbered_tags(maps, TAGS, 1);
    opened_files = 0;
    for (int i = 0; i < NEW_TAGS; i++) {
        close_map(open_tag(1));
    }
    assert_true(opened_files < NEW_TAGS * TAGS / 2);
    for (size_t i = 0; i < TAGS; i++) {
        close_map(maps[i]);
    }
}

/* A header that is incomplete once, after a long wait for the folder, is no error. */
typedef struct incomplete {
    int folder;
    int file;
    char header[64];
    int checks;
} incomplete;

static int change_header(void *context)
{
    enum { LONG = 150 };
    static const char zeros[64];
    incomplete *own = context;

    own->checks++;
    if (own->checks == LONG) {
        return pwrite(own->file, zeros, sizeof(zeros), 0) != (ssize_t)sizeof(zeros) ||
               flock(own->folder, LOCK_UN) != 0;
    }
    return own->checks == LONG + 1 &&
           pwrite(own->file, own->header, sizeof(zeros), 0) != (ssize_t)sizeof(zeros);
}

static void late_header_is_waited_for(void **state)
{
    ironmap_map *map = open_tag(LENGTH);
    ironmap_map *other = NULL;
    ironmap_options options = options_of(0, LENGTH);
    incomplete own = {.folder = open(tag_folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
                      .file = open(tag_path(tag), O_RDWR | O_CLOEXEC)};

    (void)state;
    assert_true(pread(own.file, own.header, sizeof(own.header), 0) == (ssize_t)sizeof(own.header));
    assert_int_equal(flock(own.folder, LOCK_EX), 0);
    options.tag = tag;
    options.check = change_header;
    options.context = &own;
    assert_ok(ironmap_open_anonymous(&other, IRONMAP_WRITE, &options, &failure));
    assert_true(own.checks > 150);
    close_map(other);
    close_map(map);
    (void)close(own.folder);
    (void)close(own.file);
}

/* ---- cancellation ---------------------------------------------------------------------------- */

/* Threads that are cancelled before they open, and before they close. */
static void *cancelled_open(void *result)
{
    ironmap_map **map = (ironmap_map **)result;

    (void)pthread_cancel(pthread_self());
    (void)tag_open(map, tag, LENGTH);
    pthread_testcancel();
    return NULL;
}

static void *cancelled_close(void *map)
{
    (void)pthread_cancel(pthread_self());
    (void)ironmap_close(map, NULL);
    pthread_testcancel();
    return NULL;
}

static void *cancelled_fork(void *result)
{
    (void)pthread_cancel(pthread_self());
    *(pid_t *)result = fork();
    if (*(pid_t *)result == 0) {
        _exit(use_another_tag());
    }
    pthread_testcancel();
    return NULL;
}

static void run_cancelled(void *(*work)(void *), void *argument)
{
    pthread_t thread;
    void *end = NULL;

    assert_int_equal(pthread_create(&thread, NULL, work, argument), 0);
    assert_int_equal(pthread_join(thread, &end), 0);
    assert_true(end == PTHREAD_CANCELED);
}

static void cancelled_thread_leaves_no_lock(void **state)
{
    ironmap_map *map = NULL;
    ironmap_map *other = NULL;
    pid_t child = -1;

    (void)state;
    (void)alarm(60);
    run_cancelled(cancelled_open, (void *)&map);
    assert_non_null(map);
    other = open_tag(0);
    run_cancelled(cancelled_fork, &child);
    assert_int_equal(status_of(child), 0);
    close_map(other);
    run_cancelled(cancelled_close, map);
    assert_nothing_left(tag);
    assert_int_equal(use_another_tag(), 0);
    (void)alarm(0);
}

/* These count the calls of an open, which retries if other programs use the folder. */
static const struct CMUnitTest alone[] = {
    with_fixture(file_that_is_removed_meanwhile_is_not_used),
    with_fixture(remover_that_dies_is_no_user),
    with_fixture(child_closes_the_file_before_the_folder),
    with_fixture(child_keeps_a_number_that_another_file_has),
    with_fixture(child_keeps_a_number_that_its_lock_has),
    with_fixture(child_keeps_a_number_that_another_map_has),
};

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_fixture(allocation_stops_no_other_thread),
        with_fixture(locking_and_closing_stop_no_fork),
        with_fixture(child_does_not_keep_a_tag_that_was_being_made),
        with_fixture(child_can_open_tags_whatever_a_thread_was_doing),
        with_fixture(persistent_error_ends_in_an_error),
        with_fixture(each_program_releases_its_tags_once),
        with_fixture(new_tags_do_not_look_at_each_file),
        with_fixture(late_header_is_waited_for),
        with_fixture(cancelled_thread_leaves_no_lock),
    };
    int failed;

    tags_begin();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (!tags_alone) {
        print_message("skipped: tests that need the folder of tags for themselves\n");
        return failed;
    }
    return failed + cmocka_run_group_tests(alone, NULL, NULL);
}
