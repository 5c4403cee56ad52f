/* Several threads use one map at random, each in a range of its own, while pages of all of them are
 * lost. Between rounds the file is truncated, or as long as before, so each thread knows which of
 * its accesses must fail. The losses of one thread never make an access of another fail.
 *
 * IRONMAP_MODEL_ROUNDS sets the number of rounds, IRONMAP_TEST_SEED the seed.
 */
#include "cut.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { THREADS = 4, RANGE = 50000, ROUNDS = 100, OPERATIONS = 50 };

/* What all threads share. */
static uint8_t model[THREADS * RANGE]; /* what the map must show */
static ironmap_map *map;
static size_t lost; /* where lost bytes begin in this round */
static atomic_size_t round_number, done;
static atomic_bool over;

typedef struct worker {
    size_t first; /* of its range */
    random_source random;
    uint8_t bytes[RANGE];
    ironmap_error error;
    size_t from, to; /* of the operation */
    size_t operations, faults;
    const char *why; /* NULL, or what was wrong first */
    char report[200];
} worker;

static size_t below(random_source *random, size_t bound)
{
    return (size_t)random_below(random, bound);
}

/* Judges an access to [from, to). True if it succeeded, as it must. */
static bool judge(worker *w, int status)
{
    size_t first = w->from > lost ? w->from : lost;
    bool right = w->to <= lost ? status == IRONMAP_OK
                               : status == IRONMAP_E_FAULT && w->error.offset == first;

    w->faults += status == IRONMAP_E_FAULT;
    if (!right && w->why == NULL) {
        w->why = status == IRONMAP_OK ? "no error for a lost page" : "a wrong error";
        (void)snprintf(w->report, sizeof(w->report),
                       "%zu to %zu, lost from %zu on: %s at %" PRIu64 " (%s), file of %" PRIu64,
                       w->from, w->to, lost, ironmap_status_name(status), w->error.offset,
                       w->error.what == NULL ? "" : w->error.what, w->error.file_length);
    }
    return right && status == IRONMAP_OK;
}

static void check(worker *w, bool condition, const char *why)
{
    if (!condition && w->why == NULL) {
        w->why = why;
        (void)snprintf(w->report, sizeof(w->report), "%zu to %zu, lost from %zu on", w->from, w->to,
                       lost);
    }
}

/* What was stored is there, as far as nothing is lost. */
static void store(const worker *w)
{
    size_t end = w->to < lost ? w->to : lost;

    if (w->from < end) {
        memcpy(model + w->from, w->bytes, end - w->from);
    }
}

static void get(worker *w)
{
    if (judge(w, ironmap_get(map, w->from, w->bytes, w->to - w->from, &w->error))) {
        check(w, memcmp(w->bytes, model + w->from, w->to - w->from) == 0, "get: wrong bytes");
    }
}

static void get_byte(worker *w)
{
    w->to = w->from + 1;
    if (judge(w, ironmap_get_byte(w->bytes, map, w->from, &w->error))) {
        check(w, w->bytes[0] == model[w->from], "get_byte: a wrong byte");
    }
}

static void put(worker *w)
{
    uint8_t first = (uint8_t)below(&w->random, 256);

    for (size_t i = 0; i < w->to - w->from; i++) {
        w->bytes[i] = (uint8_t)(first + i * 7 % 251);
    }
    (void)judge(w, ironmap_put(map, w->from, w->bytes, w->to - w->from, &w->error));
    store(w);
}

static void fill(worker *w)
{
    memset(w->bytes, (int)below(&w->random, 256), w->to - w->from);
    (void)judge(w, ironmap_fill(map, w->from, w->bytes[0], w->to - w->from, &w->error));
    store(w);
}

static void count(worker *w)
{
    uint8_t needle = (uint8_t)below(&w->random, 256);
    size_t found = 0;
    size_t right = 0;

    if (judge(w, ironmap_count(&found, map, &needle, 1, w->from, w->to - w->from, &w->error))) {
        for (size_t i = w->from; i < w->to; i++) {
            right += model[i] == needle;
        }
        check(w, found == right, "count");
    }
}

static void get_strided(worker *w)
{
    size_t number = (w->to - w->from + 2) / 3;

    w->to = w->from + (number - 1) * 3 + 1;
    if (w->to > lost) {
        return;
    }
    if (judge(w, ironmap_get_strided(map, w->from, 3, w->bytes, number, &w->error))) {
        for (size_t i = 0; i < number; i++) {
            check(w, w->bytes[i] == model[w->from + 3 * i], "get_strided: a wrong byte");
        }
    }
}

static void move(worker *w)
{
    size_t length = (w->to - w->from) / 2;

    if (length > 0 && w->to <= lost) {
        (void)judge(w, ironmap_move(map, w->from, w->from + length, length, &w->error));
        memmove(model + w->from, model + w->from + length, length);
    }
}

typedef void act(worker *w);
static act *const acts[] = {get, get_byte, put, fill, count, get_strided, move};

/* A range in that of the thread, often across the first lost byte. */
static void choose_range(worker *w)
{
    size_t end = w->first + RANGE;
    size_t bound = below(&w->random, 3) == 0 ? RANGE : 200;

    w->from = w->first + below(&w->random, RANGE);
    if (lost > w->first && lost < end && below(&w->random, 2) == 0) {
        w->from = lost - below(&w->random, lost - w->first < 100 ? lost - w->first : 100);
    }
    w->to = w->from + 1 + below(&w->random, bound);
    w->to = w->to < end ? w->to : end;
}

static void work(void *context)
{
    worker *w = context;

    for (size_t number = 1;; number++) {
        while (atomic_load(&round_number) < number && !atomic_load(&over)) {
            thread_yield();
        }
        if (atomic_load(&over)) {
            return;
        }
        for (size_t i = 0; i < OPERATIONS; i++) {
            choose_range(w);
            acts[below(&w->random, COUNT_OF(acts))](w);
            w->operations++;
        }
        atomic_fetch_add(&done, 1);
    }
}

/* ---- rounds ---------------------------------------------------------------------------------- */

/* Truncates the file, or not; then all threads work. What is cut off is zeros afterwards. */
static void run_round(const fixture *f, random_source *random, size_t number)
{
    static uint8_t bytes[sizeof(model)];
    size_t page = ironmap_page_size();

    lost = sizeof(model);
    if (below(random, 4) > 0) {
        lost = below(random, sizeof(model) / page) * page;
        assert_true(cut_file(f->fd, f->path, lost));
        memset(model + lost, 0, sizeof(model) - lost);
    }
    atomic_store(&done, 0);
    atomic_store(&round_number, number);
    while (atomic_load(&done) < THREADS) {
        thread_yield();
    }
    assert_true(file_extend(f, sizeof(model)));
    lost = sizeof(model);
    assert_ok(ironmap_get(map, 0, bytes, sizeof(bytes), &failure));
    assert_memory_equal(bytes, model, sizeof(model));
}

static void run(fixture *f, ironmap_access access)
{
    static worker workers[THREADS];
    test_thread threads[THREADS];
    random_source random = random_start();
    size_t rounds = setting("IRONMAP_MODEL_ROUNDS", inside_qemu() ? ROUNDS / 10 : ROUNDS);
    size_t faults = 0;
    const char *why = NULL;

    cut_begin();
    file_bytes(f, model, sizeof(model));
    memset(model, 0, sizeof(model));
    file_truncate(f, 0);
    file_truncate(f, sizeof(model));
    map_file(f, access);
    map = f->map;
    atomic_store(&over, false);
    atomic_store(&round_number, 0);
    for (size_t i = 0; i < THREADS; i++) {
        workers[i] = (worker){.first = i * RANGE, .random = {random_below(&random, UINT64_MAX)}};
        thread_start(&threads[i], work, &workers[i]);
    }
    for (size_t number = 1; number <= rounds && why == NULL; number++) {
        run_round(f, &random, number);
        for (size_t i = 0; i < THREADS; i++) {
            why = workers[i].why != NULL ? workers[i].why : why;
        }
    }
    atomic_store(&over, true);
    for (size_t i = 0; i < THREADS; i++) {
        thread_join(&threads[i]);
        faults += workers[i].faults;
        if (workers[i].why != NULL) {
            print_error("%s: %s\n", workers[i].why, workers[i].report);
        }
    }
    print_message("%zu operations of %d threads, %zu lost pages\n", rounds * THREADS * OPERATIONS,
                  (int)THREADS, faults);
    assert_null(why);
}

static void threads_of_one_map_find_what_memory_has(void **state)
{
    skip_if_whole_views_are_lost();
    skip_without_pages_beyond_a_file();
    run(*state, IRONMAP_WRITE);
}

static void threads_of_one_private_map_find_what_memory_has(void **state)
{
    skip_if_whole_views_are_lost();
    skip_without_pages_beyond_a_file();
    run(*state, IRONMAP_COPY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_fixture(threads_of_one_map_find_what_memory_has),
        with_fixture(threads_of_one_private_map_find_what_memory_has),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
