/* Threads that share maps, or open and close their own. Results are checked here, races by the
 * thread sanitizer. */
#include "support.h"

enum { THREADS = 8, ROUNDS = 300, SLICE = 4001 };

/* A thread of the test. `errors` is checked by the main thread. */
typedef struct worker {
    test_thread thread;
    fixture *f;
    size_t index;
    size_t errors;
} worker;

#define worker_check(w, condition) ((w)->errors += !(condition))

/* Runs `work` in all threads at once and checks their errors. */
static void run_workers(fixture *f, void (*work)(void *))
{
    worker workers[THREADS] = {0};

    for (size_t i = 0; i < THREADS; i++) {
        workers[i].f = f;
        workers[i].index = i;
        thread_start(&workers[i].thread, work, &workers[i]);
    }
    for (size_t i = 0; i < THREADS; i++) {
        thread_join(&workers[i].thread);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_u64(workers[i].errors, 0);
    }
}

/* Stores and loads in its own slice of the map. */
static void work_on_a_slice(void *argument)
{
    worker *w = argument;
    ironmap_map *map = w->f->map;
    uint64_t start = w->index * SLICE;
    uint8_t mine = (uint8_t)('a' + w->index);
    uint8_t bytes[64];
    uint64_t index = 0;

    for (int round = 0; round < ROUNDS; round++) {
        uint64_t place = start + (uint64_t)round * 7 % (SLICE - 64);

        worker_check(w, ironmap_fill(map, start, mine, SLICE, NULL) == IRONMAP_OK);
        worker_check(w, ironmap_put(map, place, "needle", 6, NULL) == IRONMAP_OK);
        worker_check(w, ironmap_find(&index, map, "needle", 6, start, SLICE, NULL) == 0);
        worker_check(w, index == place);
        worker_check(w, ironmap_rfind(&index, map, "needle", 6, start, SLICE, NULL) == 0);
        worker_check(w, index == place);
        worker_check(w, ironmap_move(map, place + 10, place, 6, NULL) == IRONMAP_OK);
        worker_check(w, ironmap_get(map, place + 10, bytes, 6, NULL) == IRONMAP_OK);
        worker_check(w, memcmp(bytes, "needle", 6) == 0);
        worker_check(w, ironmap_put_strided(map, start, 2, "xyz", 3, NULL) == IRONMAP_OK);
        worker_check(w, ironmap_get_strided(map, start + 4, -2, bytes, 3, NULL) == IRONMAP_OK);
        worker_check(w, memcmp(bytes, "zyx", 3) == 0);
        worker_check(w, ironmap_put_byte(map, place, mine, NULL) == IRONMAP_OK);
        worker_check(w,
                     ironmap_get_byte(bytes, map, place, NULL) == IRONMAP_OK && bytes[0] == mine);
        worker_check(w,
                     ironmap_get(map, start + 1, bytes, THREADS * SLICE, NULL) == IRONMAP_E_RANGE);
        if (round % 100 == 0) {
            worker_check(w,
                         ironmap_flush(map, start, SLICE, IRONMAP_FLUSH_ASYNC, NULL) == IRONMAP_OK);
        }
    }
}

static void threads_store_into_one_map(void **state)
{
    fixture *f = *state;

    file_make(f, THREADS * SLICE);
    map_file(f, IRONMAP_WRITE);
    run_workers(f, work_on_a_slice);
}

/* Calls functions that only read, repeatedly. */
static void query(void *argument)
{
    worker *w = argument;
    const ironmap_map *map = w->f->map;
    uint64_t size = 0;
    uint64_t index = 0;

    for (int round = 0; round < ROUNDS; round++) {
        worker_check(w, ironmap_length(map) == THREADS * SLICE);
        worker_check(w, ironmap_data(map) != NULL && ironmap_offset(map) == 0);
        worker_check(w, ironmap_is_readable(map) && !ironmap_is_writable(map));
        worker_check(w, ironmap_map_access(map) == IRONMAP_READ);
        worker_check(w,
                     ironmap_file_size(&size, map, NULL) == IRONMAP_OK && size == THREADS * SLICE);
        worker_check(w,
                     ironmap_find(&index, map, "no such bytes", 13, 0, 2000, NULL) == IRONMAP_OK);
        worker_check(w, index == IRONMAP_NOT_FOUND);
        worker_check(w, ironmap_tell(map) == 0);
    }
}

static void threads_read_one_map(void **state)
{
    fixture *f = *state;

    file_make(f, THREADS * SLICE);
    map_file(f, IRONMAP_READ);
    run_workers(f, query);
}

/* Opens, resizes, uses and closes its own maps, and fails to open others. */
static void open_and_close(void *argument)
{
    worker *w = argument;
    ironmap_options options = options_of(w->index, 0);
    ironmap_options memory = options_of(0, SLICE);
    uint8_t byte = 0;

    for (int round = 0; round < ROUNDS; round++) {
        ironmap_map *map = NULL;

        worker_check(w, ironmap_open_path(&map, w->f->path, IRONMAP_COPY, &options, NULL) ==
                            IRONMAP_OK);
        worker_check(w, ironmap_get_byte(&byte, map, 0, NULL) == IRONMAP_OK);
        worker_check(w, byte == pattern_byte(w->index));
        worker_check(w, ironmap_close(map, NULL) == IRONMAP_OK);
        worker_check(w, ironmap_open_anonymous(&map, IRONMAP_WRITE, &memory, NULL) == IRONMAP_OK);
        worker_check(w, ironmap_fill(map, 0, 1, SLICE, NULL) == IRONMAP_OK);
        worker_check(w, ironmap_resize(map, SLICE / 2, NULL) == IRONMAP_OK);
        worker_check(w, ironmap_close(map, NULL) == IRONMAP_OK);
        worker_check(w, ironmap_open_fd(&map, -1, IRONMAP_WRITE, NULL, NULL) == IRONMAP_E_SYSTEM);
    }
}

/* Threads open and close their maps at the same time. */
static void maps_of_threads_are_independent(void **state)
{
    fixture *f = *state;

    file_make(f, THREADS * SLICE);
    run_workers(f, open_and_close);
}

/* Pins the map, uses its address, unpins it. */
static void pin_and_use(void *argument)
{
    worker *w = argument;
    ironmap_map *map = w->f->map;

    for (int round = 0; round < ROUNDS; round++) {
        uint8_t *data;

        ironmap_pin(map);
        data = ironmap_data(map);
        data[w->index * SLICE] = (uint8_t)round;
        worker_check(w, ironmap_pins(map) >= 1);
        worker_check(w, ironmap_resize(map, 1, NULL) == IRONMAP_E_BUSY);
        worker_check(w, ironmap_close(map, NULL) == IRONMAP_E_BUSY);
        worker_check(w, data[w->index * SLICE] == (uint8_t)round);
        ironmap_unpin(map);
    }
}

/* A pinned map cannot be resized or closed, and no pin is lost. */
static void pins_prevent_resize_and_close_in_other_threads(void **state)
{
    fixture *f = *state;

    file_make(f, THREADS * SLICE);
    map_file(f, IRONMAP_WRITE);
    run_workers(f, pin_and_use);
    assert_u64(ironmap_pins(f->map), 0);
    assert_ok(ironmap_resize(f->map, 1, &failure));
}

/* Makes error texts while other threads make others. */
static void make_texts(void *argument)
{
    worker *w = argument;
    const int32_t known[THREADS] = {codes.not_found, codes.denied, codes.invalid,
                                    codes.no_memory, codes.exists, codes.not_mappable,
                                    777777,          888888};
    ironmap_error error = {
        .status = IRONMAP_E_SYSTEM, .system_code = known[w->index], .call = "call"};
    char first[256];
    char text[256];

    (void)ironmap_error_text(first, sizeof(first), &error);
    for (int round = 0; round < ROUNDS; round++) {
        (void)ironmap_error_text(text, sizeof(text), &error);
        worker_check(w, strcmp(text, first) == 0);
        worker_check(w, strcmp(ironmap_status_name(IRONMAP_E_RANGE), "IRONMAP_E_RANGE") == 0);
    }
}

static void error_texts_are_thread_safe(void **state)
{
    run_workers(*state, make_texts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_fixture(threads_store_into_one_map),
        with_fixture(threads_read_one_map),
        with_fixture(maps_of_threads_are_independent),
        with_fixture(pins_prevent_resize_and_close_in_other_threads),
        with_fixture(error_texts_are_thread_safe),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
