/* Access violations: a page lost in a view is ours, all others are forwarded. A page is lost by
 * truncating its file below Wine. */
#include "fault_support.h"

#include <windows.h>

#include <stdlib.h>

#include "support_below.h"

enum { PAGES = 6, THREADS = 4, ROUNDS = 60, HANDLED = 42 };

static size_t pages(size_t count)
{
    return count * ironmap_page_size();
}

/* ---- failures that are not ours -------------------------------------------------------------- */

static ironmap_map *map_of(const char *path, ironmap_access access)
{
    ironmap_options options = options_of(0, 0);
    ironmap_map *map = NULL;

    ignore(ironmap_open_path(&map, path, access, &options, NULL));
    return map;
}

static volatile uint8_t *nowhere(void)
{
    return VirtualAlloc(NULL, pages(1), MEM_RESERVE, PAGE_NOACCESS);
}

static LONG WINAPI end_handled(EXCEPTION_POINTERS *pointers)
{
    if (pointers->ExceptionRecord->ExceptionCode == EXCEPTION_ACCESS_VIOLATION) {
        ExitProcess(HANDLED);
    }
    return EXCEPTION_CONTINUE_SEARCH;
}

/* The filter of last resort, which cmocka sets too, is called. */
static int touch_nothing_with_a_filter(const char *path)
{
    child_check(map_of(path, IRONMAP_WRITE) != NULL);
    (void)SetUnhandledExceptionFilter(end_handled);
    *nowhere() = 1;
    return 1;
}

/* Vectored handlers installed before and after ours. */
static int touch_nothing_with_an_older_handler(const char *path)
{
    (void)AddVectoredExceptionHandler(1, end_handled);
    child_check(map_of(path, IRONMAP_WRITE) != NULL);
    return nowhere()[5] + 1;
}

static int touch_nothing_with_a_newer_handler(const char *path)
{
    child_check(map_of(path, IRONMAP_WRITE) != NULL);
    (void)AddVectoredExceptionHandler(0, end_handled);
    return nowhere()[5] + 1;
}

/* A store without permission is no lost page. */
static int store_into_a_read_only_view(const char *path)
{
    ironmap_map *map = map_of(path, IRONMAP_READ);

    child_check(map != NULL);
    (void)SetUnhandledExceptionFilter(end_handled);
    *(volatile uint8_t *)ironmap_data(map) = 1;
    return 1;
}

/* An access to a closed map is no lost page. */
static int touch_a_closed_map(const char *path)
{
    ironmap_map *map = map_of(path, IRONMAP_WRITE);
    volatile uint8_t *data = ironmap_data(map);

    child_check(ironmap_close(map, NULL) == IRONMAP_OK);
    (void)SetUnhandledExceptionFilter(end_handled);
    return *data + 1;
}

static const process_work works[] = {
    {"filter", touch_nothing_with_a_filter},
    {"older handler", touch_nothing_with_an_older_handler},
    {"newer handler", touch_nothing_with_a_newer_handler},
    {"read-only view", store_into_a_read_only_view},
    {"closed map", touch_a_closed_map},
    {NULL, NULL},
};

static void other_failures_reach_their_handlers(void **state)
{
    fixture *f = *state;

    file_solid(f, pages(PAGES));
    for (const process_work *work = works; work->name != NULL; work++) {
        print_message("%s\n", work->name);
        assert_int_equal(in_process(work->name, f->path), HANDLED);
    }
}

/* A later handler that takes every failure gets none of ours once another map is opened. */
static LONG WINAPI refuse(EXCEPTION_POINTERS *pointers)
{
    (void)pointers;
    ExitProcess(HANDLED);
}

static void opening_reinstalls_our_handler_first(void **state)
{
    fixture *f = *state;
    ironmap_error error = {0};
    uint8_t byte = 0;
    PVOID later;

    file_solid(f, pages(PAGES));
    map_file(f, IRONMAP_WRITE);
    later = AddVectoredExceptionHandler(1, refuse);
    map_close(f);
    map_file(f, IRONMAP_WRITE);
    file_truncate(f, pages(2));
    assert_fault(ironmap_get_byte(&byte, f->map, pages(3), &error), &error, pages(3),
                 codes.lost_page);
    assert_true(RemoveVectoredExceptionHandler(later) != 0);
}

/* ---- threads --------------------------------------------------------------------------------- */

/* A thread's file and map. `errors` counts failures. */
typedef struct worker {
    test_thread thread;
    fixture file;
    size_t lost;
    size_t errors;
    bool truncated; /* its file is truncated */
    bool shared;    /* other threads use the map and lose its pages */
} worker;

static void lose_or_not(void *argument)
{
    worker *d = argument;
    uint8_t bytes[64];

    for (int round = 0; round < ROUNDS; round++) {
        size_t at = pages((size_t)round % PAGES) + 7;
        int status = ironmap_get(d->file.map, at, bytes, sizeof(bytes), NULL);
        bool fault = d->truncated && at >= pages(2);

        bool told = status == IRONMAP_E_FAULT && (fault || d->shared);

        d->errors += !told && (fault || status != IRONMAP_OK);
        d->errors += status == IRONMAP_OK && !is_solid(bytes, at, sizeof(bytes));
        d->lost += status == IRONMAP_E_FAULT;
    }
}

static void worker_open(worker *d, fixture *f, size_t index)
{
    char name[] = "file0";

    name[4] = (char)('0' + index);
    d->file = *f;
    d->file.fd = -1;
    d->file.map = NULL;
    file_name(&d->file, name);
    file_solid(&d->file, pages(PAGES));
    map_file(&d->file, IRONMAP_WRITE);
    d->truncated = index % 2 == 0;
    if (d->truncated) {
        file_truncate(&d->file, pages(2));
    }
}

/* Other threads do not notice. Each has its own map. */
static void threads_lose_pages_of_their_own(void **state)
{
    fixture *f = *state;
    static worker desks[THREADS];

    for (size_t i = 0; i < THREADS; i++) {
        desks[i] = (worker){.lost = 0};
        worker_open(&desks[i], f, i);
    }
    for (size_t i = 0; i < THREADS; i++) {
        thread_start(&desks[i].thread, lose_or_not, &desks[i]);
    }
    for (size_t i = 0; i < THREADS; i++) {
        thread_join(&desks[i].thread);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_u64(desks[i].errors, 0);
        assert_u64(desks[i].lost, desks[i].truncated ? (uint64_t)ROUNDS * 4 / PAGES : 0);
        map_close(&desks[i].file);
        descriptor_close(desks[i].file.fd);
    }
}

/* Each read gives the bytes of the page or reports the loss. Afterwards the map works. */
static void threads_lose_pages_of_one_map(void **state)
{
    fixture *f = *state;
    static worker desks[THREADS];

    file_solid(f, pages(PAGES));
    map_file(f, IRONMAP_WRITE);
    file_truncate(f, pages(2));
    for (size_t i = 0; i < THREADS; i++) {
        desks[i] = (worker){.file = *f, .truncated = true, .shared = true};
        thread_start(&desks[i].thread, lose_or_not, &desks[i]);
    }
    for (size_t i = 0; i < THREADS; i++) {
        thread_join(&desks[i].thread);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_u64(desks[i].errors, 0);
        assert_true(desks[i].lost >= (size_t)ROUNDS * 4 / PAGES);
    }
    file_solid(f, pages(PAGES));
    assert_map_solid(f->map);
    assert_u64(ironmap_damage_count(f->map), 0);
}

/* ---- a view is lost as a whole --------------------------------------------------------------- */

/* Exported memory is all zeros after the first loss: one damage, until it is cleared. */
static void damage_is_of_the_whole_map(void **state)
{
    fixture *f = *state;
    ironmap_options options = options_of(100, 0);
    uint64_t offset = 0;
    size_t length = 0;

    file_solid(f, pages(PAGES));
    assert_ok(ironmap_open_path(&f->map, f->path, IRONMAP_WRITE, &options, &failure));
    assert_int_equal(peek(f->map, 0), solid_byte(100));
    file_truncate(f, pages(3));
    assert_int_equal(peek(f->map, pages(4)), 0);
    assert_int_equal(peek(f->map, 0), 0);
    assert_int_equal(peek(f->map, pages(3)), 0);
    poke(f->map, 5, 'x');
    assert_u64(ironmap_damage_count(f->map), 1);
    assert_ok(ironmap_damage(&offset, &length, f->map, pages(2), &failure));
    assert_u64(offset, pages(2));
    assert_u64(length, ironmap_length(f->map) - pages(2));
    assert_file(f, 105, &(uint8_t){solid_byte(105)}, 1);
    file_solid(f, pages(PAGES));
    assert_ok(ironmap_clear_damage(f->map, &failure));
    assert_map_solid(f->map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_fixture(other_failures_reach_their_handlers),
        with_fixture(opening_reinstalls_our_handler_first),
        with_fixture(threads_lose_pages_of_their_own),
        with_fixture(threads_lose_pages_of_one_map),
        with_fixture(damage_is_of_the_whole_map),
    };

    process_begin(works);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
