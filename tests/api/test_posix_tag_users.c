/* Processes that open, close and die at once: a tag has one memory at a time, and no memory of dead
 * processes is reused. */
#include "tag_support.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/file.h>
#include <sys/syscall.h>
#endif

enum { LENGTH = 20000 };

static void sleep_us(long microseconds)
{
    struct timespec time = {.tv_nsec = microseconds * 1000};

    (void)nanosleep(&time, NULL);
}

/* ---- pauses ---------------------------------------------------------------------------------- */

/* Replaces the C library's flock, with random pauses so that processes meet at every step of
 * locking. Converting a lock may take two steps, as flock(2) allows. */
#ifdef __linux__
static _Thread_local random_source pauses; /* state 0: no pauses */

static void pause_at_random(void)
{
    if (pauses.state != 0 && random_below(&pauses, 6) == 0) {
        sleep_us((long)random_below(&pauses, 200));
    }
}

int flock(int fd, int operation)
{
    long result;

    pause_at_random();
    if (pauses.state != 0 && random_below(&pauses, 2) == 0) {
        (void)syscall(SYS_flock, fd, LOCK_UN);
        pause_at_random();
    }
    result = syscall(SYS_flock, fd, operation);
    pause_at_random();
    return (int)result;
}

static void begin_pauses(random_source *random)
{
    pauses.state = random_below(random, UINT64_MAX) | 1;
}
#else
static void begin_pauses(random_source *random)
{
    (void)random;
}
#endif

/* ---- many at once ---------------------------------------------------------------------------- */

enum { USERS = 6, OPENS = 300 };

/* Shared by all processes of the test: the memory of the tag that each of them has now. */
typedef struct shared_state {
    atomic_uint_fast64_t numbers;
    atomic_uint_fast64_t created;
    atomic_uint_fast64_t has[USERS]; /* 0: none */
} shared_state;

static shared_state *shared_state_new(void)
{
    void *memory =
        mmap(NULL, sizeof(shared_state), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    assert_true(memory != MAP_FAILED);
    return memory;
}

/* The number of the memory behind the map. Its first user assigns it. */
static uint64_t number_of(ironmap_map *map, shared_state *b)
{
    atomic_uint_fast64_t *place = ironmap_data(map);
    uint_fast64_t fresh = atomic_fetch_add(&b->numbers, 1) + 1;
    uint_fast64_t found = 0;

    if (!atomic_compare_exchange_strong(place, &found, fresh)) {
        return found;
    }
    atomic_fetch_add(&b->created, 1);
    return fresh;
}

/* Opens and closes. Users that have the tag at the same time must have the same memory. */
static int open_and_close(shared_state *b, size_t self, random_source *random)
{
    begin_pauses(random);
    for (int i = 0; i < OPENS; i++) {
        ironmap_map *map = NULL;
        uint64_t number;

        child_check(tag_open(&map, tag, LENGTH) == IRONMAP_OK);
        number = number_of(map, b);
        atomic_store(&b->has[self], number);
        for (size_t other = 0; other < USERS; other++) {
            uint64_t theirs = atomic_load(&b->has[other]);

            child_check(theirs == 0 || theirs == number);
        }
        if (random_below(random, 3) == 0) {
            sleep_us((long)random_below(random, 100));
        }
        child_check(number_of(map, b) == number);
        atomic_store(&b->has[self], 0);
        child_check(ironmap_close(map, NULL) == IRONMAP_OK);
    }
    return 0;
}

static void tag_has_one_memory_at_a_time(void **state)
{
    shared_state *b = shared_state_new();
    random_source random = random_start();
    pid_t users[USERS];

    (void)state;
    for (size_t i = 0; i < USERS; i++) {
        random_source own = {random_below(&random, UINT64_MAX)};

        users[i] = fork();
        if (users[i] == 0) {
            _exit(open_and_close(b, i, &own));
        }
    }
    for (size_t i = 0; i < USERS; i++) {
        assert_int_equal(status_of(users[i]), 0);
    }
    print_message("%d opens of %" PRIu64 " memories\n", USERS * OPENS, (uint64_t)b->created);
    assert_nothing_left(tag);
    (void)munmap(b, sizeof(*b));
}

enum { THREADS = 3, FORKS = 100 };

typedef struct user {
    shared_state *b;
    size_t self;
    random_source random;
    int result;
} user;

static void run_user(void *argument)
{
    user *own = argument;

    own->result = open_and_close(own->b, own->self, &own->random);
}

/* Threads of one process, which forks. Children open their own maps, or end with inherited ones. */
static void tag_has_one_memory_while_threads_fork(void **state)
{
    shared_state *b = NULL;
    random_source random;
    test_thread threads[THREADS];
    user users[THREADS];

    (void)state;
    if (inside_valgrind()) {
        skip_because("valgrind reports memory of other threads as a leak in a child");
    }
    b = shared_state_new();
    random = random_start();
    for (size_t i = 0; i < THREADS; i++) {
        users[i] = (user){b, i, {random_below(&random, UINT64_MAX)}, 1};
        thread_start(&threads[i], run_user, &users[i]);
    }
    for (size_t i = 0; i < FORKS; i++) {
        pid_t child = fork();

        if (child == 0) {
            ironmap_map *map = NULL;

            _exit(tag_open(&map, tag, LENGTH) == IRONMAP_OK &&
                          ironmap_close(map, NULL) == IRONMAP_OK
                      ? 0
                      : 1);
        }
        assert_int_equal(status_of(child), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        thread_join(&threads[i]);
        assert_int_equal(users[i].result, 0);
    }
    close_map(open_tag(1));
    assert_nothing_left(tag);
    (void)munmap(b, sizeof(*b));
}

/* ---- other children -------------------------------------------------------------------------- */

#ifdef __linux__
/* fork without the handlers. */
static pid_t fork_silently(void)
{
#if defined(SYS_fork)
    return (pid_t)syscall(SYS_fork);
#else
    return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
#endif
}

/* It shares the lock. */
static void child_without_handlers_keeps_the_tag(void **state)
{
    ironmap_map *map = open_tag(LENGTH);
    pid_t child = fork_silently();

    (void)state;
    if (child == 0) {
        (void)syscall(SYS_exit_group, ironmap_close(map, NULL) == IRONMAP_OK ? 0 : 1);
    }
    assert_int_equal(status_of(child), 0);
    assert_true(tag_is_there(tag));
    close_map(open_tag(0));
    close_map(map);
    assert_nothing_left(tag);
}
#else
static void child_without_handlers_keeps_the_tag(void **state)
{
    (void)state;
    skip_because("fork always runs its handlers");
}
#endif

/* A child with a pipe from its parent. `work` runs when the parent writes a byte, and the child
 * ends when the parent closes the pipe. */
static pid_t start_child(int *to_child, int (*work)(void))
{
    int pipes[2];
    char byte = 0;
    pid_t child;

    assert_int_equal(pipe(pipes), 0);
    child = fork();
    if (child == 0) {
        (void)close(pipes[1]);
        while (read(pipes[0], &byte, 1) == 1) {
            if (work() != 0) {
                _exit(1);
            }
        }
        _exit(0);
    }
    (void)close(pipes[0]);
    *to_child = pipes[1];
    return child;
}

static int open_or_close_tag(void)
{
    static ironmap_map *map;

    if (map != NULL) {
        child_check(ironmap_close(map, NULL) == IRONMAP_OK);
        map = NULL;
        return 0;
    }
    child_check(tag_open(&map, tag, LENGTH) == IRONMAP_OK);
    return 0;
}

static int do_nothing(void)
{
    return 0;
}

static void wait_until_tag_is(bool there)
{
    while (tag_is_there(tag) != there) {
        sleep_us(100);
    }
}

/* The file was removed, and another process has made the tag anew: a child of fork does not become
 * a user of that. */
static void child_keeps_to_a_removed_file(void **state)
{
    int to_other;
    int to_child;
    pid_t other = start_child(&to_other, open_or_close_tag);
    ironmap_map *map = open_tag(LENGTH);
    pid_t child;

    (void)state;
    (void)alarm(60);
    assert_int_equal(unlink(tag_path(tag)), 0);
    assert_int_equal(write(to_other, "o", 1), 1);
    wait_until_tag_is(true);
    close_map(open_tag(0)); /* waits until it is made */
    child = start_child(&to_child, do_nothing);
    assert_int_equal(write(to_other, "c", 1), 1);
    wait_until_tag_is(false);
    (void)close(to_child);
    (void)close(to_other);
    assert_int_equal(status_of(child), 0);
    assert_int_equal(status_of(other), 0);
    close_map(map);
    (void)alarm(0);
}

enum { SOME_TAGS = 3 };

typedef struct some_tags {
    ironmap_map *maps[SOME_TAGS]; /* NULL: closed */
} some_tags;

static int use_and_close_the_rest(void *argument)
{
    some_tags *some = argument;

    for (size_t i = 0; i < SOME_TAGS; i++) {
        if (some->maps[i] != NULL) {
            child_check(ironmap_put_byte(some->maps[i], 0, (uint8_t)i, NULL) == IRONMAP_OK);
            child_check(ironmap_close(some->maps[i], NULL) == IRONMAP_OK);
            child_check(tag_is_there(numbered_tag(i)));
        }
    }
    return 0;
}

/* After each, those that are left are known to the process and its children. */
static void tags_are_closed_in_any_order(void **state)
{
    static const size_t orders[][SOME_TAGS] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                               {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};

    (void)state;
    for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
        some_tags some;

        open_numbered_tags(some.maps, SOME_TAGS, LENGTH);
        for (size_t step = 0; step < SOME_TAGS; step++) {
            size_t number = orders[i][step];

            close_map(some.maps[number]);
            some.maps[number] = NULL;
            assert_false(tag_is_there(numbered_tag(number)));
            assert_int_equal(in_child(use_and_close_the_rest, &some), 0);
        }
        assert_nothing_left(numbered_tag(0));
    }
}

/* ---- processes that are killed --------------------------------------------------------------- */

enum { ROUNDS = 250, VICTIMS = 8, LIFETIME_S = 60 };

/* Opens, checks, stores and closes until it is killed. Bytes of earlier rounds must be gone. */
static int use_until_killed(uint8_t number, random_source *random)
{
    static uint8_t bytes[LENGTH];

    (void)alarm(LIFETIME_S); /* if its parent dies */
    begin_pauses(random);
    for (;;) {
        ironmap_map *map = NULL;
        size_t length = (size_t)random_below(random, LENGTH) + 1;
        int status = tag_open(&map, tag, random_below(random, 4) == 0 ? 0 : length);

        if (status == IRONMAP_E_BEYOND_FILE || status == IRONMAP_E_NO_TAG) {
            continue;
        }
        child_check(status == IRONMAP_OK);
        length = ironmap_length(map);
        child_check(length <= LENGTH);
        child_check(ironmap_get(map, 0, bytes, length, NULL) == IRONMAP_OK);
        for (size_t i = 0; i < length; i++) {
            child_check(bytes[i] == 0 || bytes[i] == number);
        }
        child_check(ironmap_fill(map, 0, number, length, NULL) == IRONMAP_OK);
        child_check(ironmap_close(map, NULL) == IRONMAP_OK);
    }
}

/* Starts users of the tag and kills each at a random moment. */
static void kill_round(uint8_t number, random_source *random)
{
    pid_t victims[VICTIMS];

    for (size_t i = 0; i < VICTIMS; i++) {
        random_source own = {random_below(random, UINT64_MAX)};

        victims[i] = fork();
        if (victims[i] == 0) {
            _exit(use_until_killed(number, &own));
        }
    }
    for (size_t i = 0; i < VICTIMS; i++) {
        sleep_us((long)random_below(random, 1500));
        assert_int_equal(kill(victims[i], SIGKILL), 0);
    }
    for (size_t i = 0; i < VICTIMS; i++) {
        assert_int_equal(status_of(victims[i]), -SIGKILL);
    }
}

/* Some rounds must leave a file, else the test proves nothing. */
static void killed_processes_leave_no_stale_tag(void **state)
{
    random_source random = random_start();
    size_t rounds = inside_valgrind() ? ROUNDS / 10 : ROUNDS;
    size_t left = 0;

    (void)state;
    for (size_t round = 0; round < rounds; round++) {
        kill_round((uint8_t)(1 + round % 255), &random);
        left += tag_is_there(tag);
        /* Every other round, the next round finds the file that was left. */
        if (round % 2 == 1) {
            size_t length = (size_t)random_below(&random, 2 * LENGTH) + 1;
            ironmap_map *map = open_tag(length);

            assert_u64(ironmap_length(map), length);
            assert_map_filled(map, 0, length, 0);
            close_map(map);
            assert_nothing_left(tag);
        }
    }
    print_message("%zu of %zu rounds left a file\n", left, rounds);
    assert_true(left > 0);
}

/* Creating another tag sweeps the folder. */
static void sweep_removes_files_of_dead_processes(void **state)
{
    char name[100];
    ironmap_map *live = open_tag(LENGTH);

    (void)state;
    assert_ok(ironmap_put(live, 0, "live", 4, &failure));
    for (size_t i = 0; i < 20; i++) {
        pid_t child = fork();

        (void)snprintf(name, sizeof(name), "%s-%zu", tag, i);
        if (child == 0) {
            ironmap_map *map = NULL;
            _exit(tag_open(&map, name, LENGTH) == IRONMAP_OK ? 0 : 1);
        }
        assert_int_equal(status_of(child), 0);
    }
    /* Each child swept the file of the one before. */
    assert_true(tag_is_there(name));
    (void)snprintf(name, sizeof(name), "%s-other", tag);
    {
        ironmap_map *map = NULL;
        assert_int_equal(tag_open(&map, name, 1), IRONMAP_OK);
        close_map(map);
    }
    for (size_t i = 0; i < 20; i++) {
        (void)snprintf(name, sizeof(name), "%s-%zu", tag, i);
        assert_false(tag_is_there(name));
    }
    assert_map(live, 0, "live", 4);
    close_map(live);
    assert_nothing_left(tag);
}

/* With many files not every new tag sweeps, but one of the next does. */
static void sweep_goes_on_with_many_files(void **state)
{
    enum { TAGS = 140, NEXT = 8 };
    ironmap_map *maps[TAGS];
    char name[100];
    pid_t child;

    (void)state;
    open_numbered_tags(maps, TAGS, 1);
    child = fork();
    if (child == 0) {
        ironmap_map *map = NULL;
        _exit(tag_open(&map, tag, LENGTH) == IRONMAP_OK ? 0 : 1);
    }
    assert_int_equal(status_of(child), 0);
    (void)snprintf(name, sizeof(name), "%s-other", tag);
    for (size_t i = 0; i < NEXT; i++) {
        ironmap_map *map = NULL;

        assert_int_equal(tag_open(&map, name, 1), IRONMAP_OK);
        close_map(map);
    }
    assert_false(tag_is_there(tag));
    for (size_t i = 0; i < TAGS; i++) {
        close_map(maps[i]);
    }
    close_map(open_tag(1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_fixture(tag_has_one_memory_at_a_time),
        with_fixture(tag_has_one_memory_while_threads_fork),
        with_fixture(child_without_handlers_keeps_the_tag),
        with_fixture(child_keeps_to_a_removed_file),
        with_fixture(tags_are_closed_in_any_order),
        with_fixture(killed_processes_leave_no_stale_tag),
        with_fixture(sweep_removes_files_of_dead_processes),
        with_fixture(sweep_goes_on_with_many_files),
    };

    tags_begin();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
