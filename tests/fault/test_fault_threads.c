/* Threads that lose pages at once: each byte that is read with success is the file's, or damage is
 * reported if the memory is exported. Files end with a page and grow with their content, so that a
 * zero is never data.
 *
 * IRONMAP_FAULT_SECONDS sets the time of each test, in whole seconds.
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

static size_t random_size(random_source *random, size_t bound)
{
    return (size_t)random_below(random, bound);
}

/* ---- files and their truncation -------------------------------------------------------------- */

/* A file, its map and the state of one thread. */
typedef struct worker {
    ironmap_map *map;
    int fd;
    bool truncated; /* another process truncates and extends the file repeatedly */
    uint64_t seed;
    size_t rounds;
    size_t lost;     /* rounds with IRONMAP_E_FAULT */
    size_t damaged;  /* rounds with damage */
    const char *why; /* the error, or NULL */
} worker;

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

static void worker_open(worker *d, const fixture *f, size_t number, bool truncated)
{
    *d = (worker){.fd = file_open(f, number), .truncated = truncated, .seed = number + 1};
    assert_ok(ironmap_open_fd(&d->map, d->fd, IRONMAP_WRITE, NULL, &failure));
}

static void worker_close(worker *d)
{
    assert_ok(ironmap_close(d->map, &failure));
    assert_int_equal(close(d->fd), 0);
}

/* In another process: truncates and extends the files until the parent ends it. */
static void truncate_all(const worker *workers, size_t count, pid_t parent)
{
    random_source random = {(uint64_t)getpid()};

    while (getppid() == parent) {
        const worker *d = &workers[random_size(&random, count)];
        size_t left = random_size(&random, PAGES);

        if (d->truncated && (ftruncate(d->fd, (off_t)pages(left)) != 0 ||
                             !solid_write(d->fd, pages(left), pages(PAGES)))) {
            _exit(1);
        }
        spin((unsigned)random_size(&random, 20000));
    }
    _exit(0);
}

static pid_t truncation_start(const worker *workers, size_t count)
{
    pid_t parent = getpid();
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        truncate_all(workers, count, parent);
    }
    return child;
}

static void truncation_stop(pid_t child, const worker *workers, size_t count)
{
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    for (size_t i = 0; i < count; i++) {
        assert_true(solid_write(workers[i].fd, 0, pages(PAGES)));
    }
}

/* ---- what a thread does ---------------------------------------------------------------------- */

static void report(worker *d, const char *why)
{
    d->why = why;
    atomic_store(&over, true);
}

/* A failure must be a lost page of a truncated file. */
static bool judge(worker *d, int status, const ironmap_error *error)
{
    d->lost += status == IRONMAP_E_FAULT;
    if (status == IRONMAP_E_FAULT && (!d->truncated || error->offset >= ironmap_length(d->map))) {
        report(d, d->truncated ? "the offset lies outside the map" : "lost a page of a whole file");
    } else if (status != IRONMAP_OK && status != IRONMAP_E_FAULT) {
        report(d, ironmap_status_name(status));
    }
    return status == IRONMAP_OK;
}

static void read_range(worker *d, random_source *random, uint8_t *bytes)
{
    ironmap_error error = {0};
    size_t offset = random_size(random, pages(PAGES));
    size_t length = random_size(random, pages(PAGES) - offset) + 1;

    if (judge(d, ironmap_get(d->map, offset, bytes, length, &error), &error) &&
        !is_solid(bytes, offset, length)) {
        report(d, "get: read bytes that were never there");
    }
}

static void read_one(worker *d, random_source *random, uint8_t *bytes)
{
    ironmap_error error = {0};
    size_t offset = random_size(random, pages(PAGES));

    if (judge(d, ironmap_get_byte(bytes, d->map, offset, &error), &error) &&
        bytes[0] != solid_byte(offset)) {
        report(d, "get_byte: read a byte that was never there");
    }
}

static void find_zero(worker *d, random_source *random, uint8_t *bytes)
{
    ironmap_error error = {0};
    uint64_t index = 0;

    bytes[0] = 0;
    if (judge(d,
              ironmap_find(&index, d->map, bytes, 1, random_size(random, pages(PAGES)),
                           IRONMAP_TO_END, &error),
              &error) &&
        index != IRONMAP_NOT_FOUND) {
        report(d, "find: found a zero");
    }
}

/* Stores the bytes of the file. */
static void store_same(worker *d, random_source *random, uint8_t *bytes)
{
    ironmap_error error = {0};
    size_t offset = random_size(random, pages(PAGES) - 100);

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

static void read_under_guard(worker *d, random_source *random, uint8_t *bytes)
{
    ironmap_error error = {0};
    guarded_read g = {d->map, bytes};

    (void)random;
    if (judge(d, run_guarded(d->map, read_all, &g, &error), &error) &&
        !is_solid(bytes, 0, pages(PAGES))) {
        report(d, "guard: read bytes that were never there");
    }
}

typedef void act(worker *d, random_source *random, uint8_t *bytes);

/* Only reads: any number of threads may do this on one map. */
static act *const readers[] = {read_range, read_one, find_zero, read_under_guard, read_one};

static void work(worker *d, act *const *acts, size_t count)
{
    random_source random = {d->seed};
    uint8_t *bytes = malloc(pages(PAGES));

    if (bytes == NULL) {
        report(d, "out of memory");
    }
    while (!atomic_load(&over)) {
        acts[random_size(&random, count)](d, &random, bytes);
        d->rounds++;
    }
    free(bytes);
}

static void *work_reading(void *context)
{
    work(context, readers, COUNT_OF(readers));
    return NULL;
}

/* Reads exported memory, which is pinned. A byte that is not solid must be damage. */
static void read_exported(worker *d, random_source *random, uint8_t *bytes)
{
    size_t offset = random_size(random, pages(PAGES));
    bool solid = false;

    ironmap_pin(d->map);
    bytes[0] = peek(d->map, offset);
    solid = bytes[0] == solid_byte(offset);
    ironmap_unpin(d->map);
    if (ironmap_is_damaged(d->map)) {
        d->damaged++;
        ignore(ironmap_clear_damage(d->map, NULL));
    } else if (!solid) {
        report(d, "exported: read a byte that was never there");
    }
}

static void *work_exported(void *context)
{
    static act *const acts[] = {read_exported, read_range};

    work(context, acts, COUNT_OF(acts));
    return NULL;
}

/* Stores and reads on its own map. */
static void *work_storing(void *context)
{
    static act *const acts[] = {store_same, store_same, read_one, find_zero};

    work(context, acts, COUNT_OF(acts));
    return NULL;
}

/* Opens, reads, resizes and closes maps of the same file. */
static void *work_opening(void *context)
{
    worker *d = context;
    random_source random = {d->seed};

    while (!atomic_load(&over)) {
        worker own = {.fd = d->fd, .truncated = d->truncated};
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

/* Tries to clear the damage of a map without a descriptor. */
static void *work_clearing(void *context)
{
    worker *d = context;

    while (!atomic_load(&over)) {
        if (ironmap_clear_damage(d->map, NULL) != IRONMAP_E_NO_FILE) {
            report(d, "cleared the damage");
        }
        d->rounds++;
    }
    return NULL;
}

/* Reads a map that is all damaged. */
static void access_damage(worker *d, random_source *random, uint8_t *bytes)
{
    uint64_t begin = 0;
    size_t length = 0;
    size_t offset = random_size(random, pages(PAGES));

    if (judge(d, ironmap_get(d->map, offset, bytes, 1, NULL), &(ironmap_error){.offset = 0})) {
        report(d, "read a byte that is lost");
    }
    if (ironmap_damage(&begin, &length, d->map, offset, NULL) != IRONMAP_OK || begin != offset) {
        report(d, "damage is not reported");
    }
}

static void *work_on_damage(void *context)
{
    static act *const acts[] = {access_damage};

    work(context, acts, COUNT_OF(acts));
    return NULL;
}

/* ---- tests ----------------------------------------------------------------------------------- */

/* Waits for the set time, or until a thread fails. */
static void wait_until_over(void)
{
    time_t end = time(NULL) + (time_t)setting("IRONMAP_FAULT_SECONDS", 1);
    const struct timespec moment = {0, 50000000};

    while (!atomic_load(&over) && time(NULL) <= end) {
        (void)nanosleep(&moment, NULL);
    }
    atomic_store(&over, true);
}

typedef void *work_function(void *);

/* Runs a thread for each worker until the end. */
static void run_workers(worker *workers, work_function *const *works, size_t count)
{
    pthread_t threads[2 * THREADS];

    atomic_store(&over, false);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, works[i], &workers[i]), 0);
    }
    wait_until_over();
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
}

/* Prints the rounds. No thread failed, and some lost a page. */
static void assert_worked(const char *what, const worker *workers, size_t count)
{
    size_t rounds = 0;
    size_t lost = 0;

    for (size_t i = 0; i < count; i++) {
        rounds += workers[i].rounds;
        lost += workers[i].lost + workers[i].damaged;
    }
    print_message("%s: %zu rounds, %zu with a lost page\n", what, rounds, lost);
    for (size_t i = 0; i < count; i++) {
        if (workers[i].why != NULL) {
            fail_msg("thread %zu: %s", i, workers[i].why);
        }
    }
    assert_true(lost > 0);
}

/* The same while another process truncates the files of the first `files` workers. */
static void run_threads(const char *what, worker *workers, work_function *const *works,
                        size_t count, size_t files)
{
    pid_t cutting = truncation_start(workers, files);

    run_workers(workers, works, count);
    truncation_stop(cutting, workers, files);
    assert_worked(what, workers, count);
}

/* The maps of odd threads lose pages, those of even threads do not. */
static void eight_maps_lose_pages_of_their_own(void **state)
{
    worker workers[THREADS];
    work_function *const works[THREADS] = {work_reading,  work_reading, work_storing,
                                           work_exported, work_reading, work_exported,
                                           work_exported, work_reading};

    skip_without_pages_beyond_a_file();
    for (size_t i = 0; i < THREADS; i++) {
        worker_open(&workers[i], *state, i, i % 2 == 1);
    }
    run_threads("eight maps", workers, works, THREADS, THREADS);
    for (size_t i = 0; i < THREADS; i++) {
        assert_ok(ironmap_clear_damage(workers[i].map, &failure));
        assert_map_solid(workers[i].map);
        worker_close(&workers[i]);
    }
}

static void one_map_loses_pages_in_many_threads(void **state)
{
    worker workers[THREADS];
    work_function *works[THREADS];

    skip_without_pages_beyond_a_file();
    worker_open(&workers[0], *state, 0, true);
    for (size_t i = 0; i < THREADS; i++) {
        workers[i] = workers[0];
        workers[i].seed = i + 1;
        works[i] = work_reading;
    }
    run_threads("one map", workers, works, THREADS, 1);
    assert_map_solid(workers[0].map);
    assert_u64(ironmap_damage_count(workers[0].map), 0);
    worker_close(&workers[0]);
}

/* One of the threads reads through an exported address. */
static void exported_map_loses_pages_in_many_threads(void **state)
{
    worker workers[4];
    work_function *const works[4] = {work_exported, work_reading, work_reading, work_reading};

    skip_without_pages_beyond_a_file();
    worker_open(&workers[0], *state, 0, true);
    for (size_t i = 1; i < COUNT_OF(workers); i++) {
        workers[i] = workers[0];
        workers[i].seed = i + 1;
    }
    run_threads("one map, exported", workers, works, COUNT_OF(workers), 1);
    assert_ok(ironmap_clear_damage(workers[0].map, &failure));
    assert_map_solid(workers[0].map);
    worker_close(&workers[0]);
}

static void maps_are_opened_and_closed_while_others_lose_pages(void **state)
{
    worker workers[THREADS];
    work_function *const works[THREADS] = {work_opening, work_reading, work_opening, work_exported,
                                           work_opening, work_reading, work_opening, work_opening};

    skip_without_pages_beyond_a_file();
    for (size_t i = 0; i < THREADS; i++) {
        worker_open(&workers[i], *state, i, i % 2 == 1);
    }
    run_threads("maps opened and closed", workers, works, THREADS, THREADS);
    for (size_t i = 0; i < THREADS; i++) {
        worker_close(&workers[i]);
    }
}

/* Damage is reported at every moment, also while another thread tries to clear it. */
static void damage_that_stays_is_never_data(void **state)
{
    ironmap_options options = options_of(0, 0);
    worker workers[4];
    work_function *const works[4] = {work_clearing, work_on_damage, work_on_damage, work_clearing};

    options.open = IRONMAP_OPEN_NO_TRACK;
    workers[0] = (worker){.fd = file_open(*state, 0), .truncated = true, .seed = 1};
    assert_ok(ironmap_open_fd(&workers[0].map, workers[0].fd, IRONMAP_READ, &options, &failure));
    assert_int_equal(ftruncate(workers[0].fd, 0), 0);
    for (size_t i = 0; i < PAGES; i++) {
        assert_int_equal(peek(workers[0].map, pages(i)), 0);
    }
    for (size_t i = 1; i < COUNT_OF(workers); i++) {
        workers[i] = workers[0];
        workers[i].seed = i + 1;
    }
    run_workers(workers, works, COUNT_OF(workers));
    assert_worked("damage that stays", workers, COUNT_OF(workers));
    worker_close(&workers[0]);
}

/* Memory by default: on a disk, some kernels show zeros in a plain map while its file grows, which
 * no library can tell from data. */
static void use_memory_by_default(void)
{
    if (access("/dev/shm", W_OK) == 0) {
        (void)setenv("TMPDIR", "/dev/shm", 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_fixture(eight_maps_lose_pages_of_their_own),
        with_fixture(one_map_loses_pages_in_many_threads),
        with_fixture(exported_map_loses_pages_in_many_threads),
        with_fixture(maps_are_opened_and_closed_while_others_lose_pages),
        with_fixture(damage_that_stays_is_never_data),
    };

    use_memory_by_default();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
