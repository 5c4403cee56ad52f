/* Threads that lose pages at once: each byte that is read with success is the file's, or, where
 * memory was handed out, damage tells. Files are cut at page ends, and grow with their content, so
 * that a zero is never data.
 *
 * IRONMAP_FAULT_SECONDS sets how long each test takes; fractions are not known.
 */
#include "fault_support.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 8, PAGES = 16 };

static atomic_bool over;

static size_t pages(size_t count)
{
    return count * ironmap_page_size();
}

static size_t some_of(random_source *random, size_t bound)
{
    return (size_t)random_below(random, bound);
}

/* ---- files and those who cut them --------------------------------------------------------------
 */

/* A file, a map of it, and who works at it. */
typedef struct desk {
    ironmap_map *map;
    int fd;
    bool cut;      /* another process cuts the file and makes it long again, all the time */
    uint64_t seed; /* of its thread */
    size_t rounds;
    size_t lost;     /* rounds with IRONMAP_E_FAULT */
    size_t damaged;  /* with damage */
    const char *why; /* what is wrong; NULL: nothing */
} desk;

static int file_open(const fixture *f, size_t number)
{
    char path[400];
    int fd = -1;

    (void)snprintf(path, sizeof(path), "%s/%zu", f->directory, number);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || !solid_write(fd, 0, pages(PAGES))) {
        fail_msg("%s", path);
    }
    return fd;
}

static void desk_open(desk *d, const fixture *f, size_t number, bool cut)
{
    *d = (desk){.fd = file_open(f, number), .cut = cut, .seed = number + 1};
    assert_ok(ironmap_open_fd(&d->map, d->fd, IRONMAP_WRITE, NULL, &failure));
}

static void desk_close(desk *d)
{
    assert_ok(ironmap_close(d->map, &failure));
    assert_int_equal(close(d->fd), 0);
}

/* In a process of its own: cuts the files and makes them whole, until its parent ends it. */
static void cut_all(const desk *desks, size_t count, pid_t parent)
{
    random_source random = {(uint64_t)getpid()};

    while (getppid() == parent) {
        const desk *d = &desks[some_of(&random, count)];
        size_t left = some_of(&random, PAGES);

        if (d->cut && (ftruncate(d->fd, (off_t)pages(left)) != 0 ||
                       !solid_write(d->fd, pages(left), pages(PAGES)))) {
            _exit(1);
        }
        linger((unsigned)some_of(&random, 20000));
    }
    _exit(0);
}

static pid_t cutting_start(const desk *desks, size_t count)
{
    pid_t parent = getpid();
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        cut_all(desks, count, parent);
    }
    return child;
}

static void cutting_stop(pid_t child, const desk *desks, size_t count)
{
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    for (size_t i = 0; i < count; i++) {
        assert_true(solid_write(desks[i].fd, 0, pages(PAGES)));
    }
}

/* ---- what a thread does ------------------------------------------------------------------------
 */

static void wrong(desk *d, const char *why)
{
    d->why = why;
    atomic_store(&over, true);
}

/* A failure must be the loss of a page of a file that is cut. */
static bool judge(desk *d, int status, const ironmap_error *error)
{
    d->lost += status == IRONMAP_E_FAULT;
    if (status == IRONMAP_E_FAULT && (!d->cut || error->offset >= ironmap_length(d->map))) {
        wrong(d, d->cut ? "the offset lies outside the map" : "lost a page of a whole file");
    } else if (status != IRONMAP_OK && status != IRONMAP_E_FAULT) {
        wrong(d, ironmap_status_name(status));
    }
    return status == IRONMAP_OK;
}

static void read_range(desk *d, random_source *random, uint8_t *bytes)
{
    ironmap_error error = {0};
    size_t offset = some_of(random, pages(PAGES));
    size_t length = some_of(random, pages(PAGES) - offset) + 1;

    if (judge(d, ironmap_get(d->map, offset, bytes, length, &error), &error) &&
        !is_solid(bytes, offset, length)) {
        wrong(d, "get: read bytes that were never there");
    }
}

static void read_one(desk *d, random_source *random, uint8_t *bytes)
{
    ironmap_error error = {0};
    size_t offset = some_of(random, pages(PAGES));

    if (judge(d, ironmap_get_byte(bytes, d->map, offset, &error), &error) &&
        bytes[0] != solid_byte(offset)) {
        wrong(d, "get_byte: read a byte that was never there");
    }
}

static void find_zero(desk *d, random_source *random, uint8_t *bytes)
{
    ironmap_error error = {0};
    uint64_t index = 0;

    bytes[0] = 0;
    if (judge(d,
              ironmap_find(&index, d->map, bytes, 1, some_of(random, pages(PAGES)), IRONMAP_TO_END,
                           &error),
              &error) &&
        index != IRONMAP_NOT_FOUND) {
        wrong(d, "find: found a zero");
    }
}

/* Stores what is there already. */
static void store_same(desk *d, random_source *random, uint8_t *bytes)
{
    ironmap_error error = {0};
    size_t offset = some_of(random, pages(PAGES) - 100);

    solid_fill(bytes, offset, 100);
    (void)judge(d, ironmap_put(d->map, offset, bytes, 100, &error), &error);
}

typedef struct guarded_read {
    const ironmap_map *map;
    uint8_t *bytes;
} guarded_read;

static void read_all(void *context)
{
    const guarded_read *g = context;

    memcpy(g->bytes, ironmap_data(g->map), pages(PAGES));
}

static void read_under_guard(desk *d, random_source *random, uint8_t *bytes)
{
    ironmap_error error = {0};
    guarded_read g = {d->map, bytes};

    (void)random;
    if (judge(d, run_guarded(d->map, read_all, &g, &error), &error) &&
        !is_solid(bytes, 0, pages(PAGES))) {
        wrong(d, "guard: read bytes that were never there");
    }
}

typedef void act(desk *d, random_source *random, uint8_t *bytes);

/* What threads do that only read, so that any number may do it at one map. */
static act *const readers[] = {read_range, read_one, find_zero, read_under_guard, read_one};

static void work(desk *d, act *const *acts, size_t count)
{
    random_source random = {d->seed};
    uint8_t *bytes = malloc(pages(PAGES));

    if (bytes == NULL) {
        wrong(d, "out of memory");
    }
    while (!atomic_load(&over)) {
        acts[some_of(&random, count)](d, &random, bytes);
        d->rounds++;
    }
    free(bytes);
}

static void *work_reading(void *context)
{
    work(context, readers, COUNT_OF(readers));
    return NULL;
}

/* Looks at handed-out memory, which is pinned meanwhile: what is not solid is damage. */
static void look_around(desk *d, random_source *random, uint8_t *bytes)
{
    size_t offset = some_of(random, pages(PAGES));
    bool solid = false;

    ironmap_pin(d->map);
    bytes[0] = peek(d->map, offset);
    solid = bytes[0] == solid_byte(offset);
    ironmap_unpin(d->map);
    if (ironmap_is_damaged(d->map)) {
        d->damaged++;
        ignore(ironmap_clear_damage(d->map, NULL));
    } else if (!solid) {
        wrong(d, "handed out: read a byte that was never there");
    }
}

static void *work_looking(void *context)
{
    static act *const acts[] = {look_around, read_range};

    work(context, acts, COUNT_OF(acts));
    return NULL;
}

/* Stores and reads at a map of its own. */
static void *work_storing(void *context)
{
    static act *const acts[] = {store_same, store_same, read_one, find_zero};

    work(context, acts, COUNT_OF(acts));
    return NULL;
}

/* Opens, reads and closes maps of the same file, some of which are resized. */
static void *work_opening(void *context)
{
    desk *d = context;
    random_source random = {d->seed};

    while (!atomic_load(&over)) {
        desk own = {.fd = d->fd, .cut = d->cut};
        ironmap_options options = options_of(0, 0);
        uint8_t bytes[1] = {0};
        int status = ironmap_open_fd(&own.map, d->fd, IRONMAP_READ, &options, NULL);

        if (status == IRONMAP_OK && ironmap_length(own.map) == pages(PAGES)) {
            read_one(&own, &random, bytes);
            d->lost += own.lost;
            d->why = own.why != NULL ? own.why : d->why;
        }
        (void)ironmap_close(own.map, NULL);
        d->rounds++;
    }
    return NULL;
}

/* Tries to clear damage of a map that holds no file. */
static void *work_clearing(void *context)
{
    desk *d = context;

    while (!atomic_load(&over)) {
        if (ironmap_clear_damage(d->map, NULL) != IRONMAP_E_NO_FILE) {
            wrong(d, "the damage is gone");
        }
        d->rounds++;
    }
    return NULL;
}

/* At a map that is damaged all over. */
static void meet_damage(desk *d, random_source *random, uint8_t *bytes)
{
    uint64_t begin = 0;
    size_t length = 0;
    size_t offset = some_of(random, pages(PAGES));

    if (judge(d, ironmap_get(d->map, offset, bytes, 1, NULL), &(ironmap_error){.offset = 0})) {
        wrong(d, "read a byte that is lost");
    }
    if (ironmap_damage(&begin, &length, d->map, offset, NULL) != IRONMAP_OK || begin != offset) {
        wrong(d, "damage that is there is not told");
    }
}

static void *work_on_damage(void *context)
{
    static act *const acts[] = {meet_damage};

    work(context, acts, COUNT_OF(acts));
    return NULL;
}

/* ---- tests ----------------------------------------------------------------------------------- */

/* Waits as long as is asked for, or until something is wrong. */
static void wait_for_the_end(void)
{
    time_t end = time(NULL) + (time_t)setting("IRONMAP_FAULT_SECONDS", 1);
    const struct timespec moment = {0, 50000000};

    while (!atomic_load(&over) && time(NULL) <= end) {
        (void)nanosleep(&moment, NULL);
    }
    atomic_store(&over, true);
}

typedef void *work_function(void *);

/* Runs a thread at each desk until the end. */
static void work_at(desk *desks, work_function *const *works, size_t count)
{
    pthread_t threads[2 * THREADS];

    atomic_store(&over, false);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, works[i], &desks[i]), 0);
    }
    wait_for_the_end();
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
}

/* Says what the threads did: nothing wrong, and some have lost a page. */
static void assert_worked(const char *what, const desk *desks, size_t count)
{
    size_t rounds = 0;
    size_t lost = 0;

    for (size_t i = 0; i < count; i++) {
        rounds += desks[i].rounds;
        lost += desks[i].lost + desks[i].damaged;
    }
    print_message("%s: %zu rounds, %zu with a lost page\n", what, rounds, lost);
    for (size_t i = 0; i < count; i++) {
        if (desks[i].why != NULL) {
            fail_msg("thread %zu: %s", i, desks[i].why);
        }
    }
    assert_true(lost > 0);
}

/* The same while another process cuts the files of the first `files` desks. */
static void run_threads(const char *what, desk *desks, work_function *const *works, size_t count,
                        size_t files)
{
    pid_t cutting = cutting_start(desks, files);

    work_at(desks, works, count);
    cutting_stop(cutting, desks, files);
    assert_worked(what, desks, count);
}

/* Eight threads at eight maps; the odd ones lose pages, and the even ones never notice. */
static void eight_maps(void **state)
{
    desk desks[THREADS];
    work_function *const works[THREADS] = {work_reading, work_reading, work_storing, work_looking,
                                           work_reading, work_looking, work_looking, work_reading};

    skip_without_pages_behind_a_file();
    for (size_t i = 0; i < THREADS; i++) {
        desk_open(&desks[i], *state, i, i % 2 == 1);
    }
    run_threads("eight maps", desks, works, THREADS, THREADS);
    for (size_t i = 0; i < THREADS; i++) {
        assert_ok(ironmap_clear_damage(desks[i].map, &failure));
        assert_map_solid(desks[i].map);
        desk_close(&desks[i]);
    }
}

/* Several threads at one map. */
static void one_map(void **state)
{
    desk desks[THREADS];
    work_function *works[THREADS];

    skip_without_pages_behind_a_file();
    desk_open(&desks[0], *state, 0, true);
    for (size_t i = 0; i < THREADS; i++) {
        desks[i] = desks[0];
        desks[i].seed = i + 1;
        works[i] = work_reading;
    }
    run_threads("one map", desks, works, THREADS, 1);
    assert_map_solid(desks[0].map);
    assert_u64(ironmap_damage_count(desks[0].map), 0);
    desk_close(&desks[0]);
}

/* Several threads at one map, one of them by the address that was handed out. */
static void one_map_handed_out(void **state)
{
    desk desks[4];
    work_function *const works[4] = {work_looking, work_reading, work_reading, work_reading};

    skip_without_pages_behind_a_file();
    desk_open(&desks[0], *state, 0, true);
    for (size_t i = 1; i < COUNT_OF(desks); i++) {
        desks[i] = desks[0];
        desks[i].seed = i + 1;
    }
    run_threads("one map, handed out", desks, works, COUNT_OF(desks), 1);
    assert_ok(ironmap_clear_damage(desks[0].map, &failure));
    assert_map_solid(desks[0].map);
    desk_close(&desks[0]);
}

/* Maps come and go in some threads while others lose pages. */
static void maps_come_and_go(void **state)
{
    desk desks[THREADS];
    work_function *const works[THREADS] = {work_opening, work_reading, work_opening, work_looking,
                                           work_opening, work_reading, work_opening, work_opening};

    skip_without_pages_behind_a_file();
    for (size_t i = 0; i < THREADS; i++) {
        desk_open(&desks[i], *state, i, i % 2 == 1);
    }
    run_threads("maps come and go", desks, works, THREADS, THREADS);
    for (size_t i = 0; i < THREADS; i++) {
        desk_close(&desks[i]);
    }
}

/* Damage that cannot be cleared is there for everyone at every moment, also in those when someone
 * tries. */
static void damage_that_stays_is_never_data(void **state)
{
    ironmap_options options = options_of(0, 0);
    desk desks[4];
    work_function *const works[4] = {work_clearing, work_on_damage, work_on_damage, work_clearing};

    options.open = IRONMAP_OPEN_NO_TRACK;
    desks[0] = (desk){.fd = file_open(*state, 0), .cut = true, .seed = 1};
    assert_ok(ironmap_open_fd(&desks[0].map, desks[0].fd, IRONMAP_READ, &options, &failure));
    assert_int_equal(ftruncate(desks[0].fd, 0), 0);
    for (size_t i = 0; i < PAGES; i++) {
        assert_int_equal(peek(desks[0].map, pages(i)), 0);
    }
    for (size_t i = 1; i < COUNT_OF(desks); i++) {
        desks[i] = desks[0];
        desks[i].seed = i + 1;
    }
    work_at(desks, works, COUNT_OF(desks));
    assert_worked("damage that stays", desks, COUNT_OF(desks));
    desk_close(&desks[0]);
}

/* Where no file system is asked for, memory: on a disk's, some kernels show a plain map zeros for a
 * moment while its file grows, which no library can tell from data. */
static void use_memory(void)
{
    if (access("/dev/shm", W_OK) == 0) {
        (void)setenv("TMPDIR", "/dev/shm", 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_fixture(eight_maps),
        with_fixture(one_map),
        with_fixture(one_map_handed_out),
        with_fixture(maps_come_and_go),
        with_fixture(damage_that_stays_is_never_data),
    };

    use_memory();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
