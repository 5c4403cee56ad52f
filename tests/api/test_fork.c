/* Maps and fork: a child inherits them. Shared maps stay shared, private maps do not. */
#include "support_posix.h"

#include <sys/mman.h>

enum { LENGTH = 10000, ANSWER = 5000 };

/* Reads the parent's line, stores an answer and closes its copy of the map. */
static int read_line_and_answer(void *argument)
{
    ironmap_map *map = argument;
    char line[32];
    size_t length = 0;

    child_check(ironmap_seek(map, 0, IRONMAP_SEEK_SET, NULL) == IRONMAP_OK);
    child_check(ironmap_readline(&length, map, line, sizeof(line), NULL) == IRONMAP_OK);
    child_check(length == 13 && memcmp(line, "Hello world!\n", 13) == 0);
    child_check(ironmap_put(map, ANSWER, "answer", 6, NULL) == IRONMAP_OK);
    child_check(ironmap_close(map, NULL) == IRONMAP_OK);
    return 0;
}

/* The parent sees the answer of a child if the map is shared. */
static void assert_child_answers(fixture *f, bool shared)
{
    char nothing[6] = {0};

    assert_ok(ironmap_write(f->map, "Hello world!\n", 13, &failure));
    assert_int_equal(in_child(read_line_and_answer, f->map), 0);
    assert_map(f->map, ANSWER, shared ? "answer" : nothing, 6);
    assert_u64(ironmap_tell(f->map), 13);
    assert_ok(ironmap_put(f->map, LENGTH - 3, "end", 3, &failure));
    map_close(f);
}

/* Anonymous maps are shared by default. The parent's map outlives the child's close. */
static void anonymous_map_is_shared(void **state)
{
    fixture *f = *state;

    map_anonymous(f, IRONMAP_WRITE, LENGTH);
    assert_child_answers(f, true);
    map_anonymous(f, IRONMAP_WRITE, LENGTH);
    assert_child_answers(f, true);
}

/* The child has the parent's bytes at first. */
static void private_maps_are_independent_after_fork(void **state)
{
    fixture *f = *state;

    map_memory(f, MAP_PRIVATE, PROT_READ | PROT_WRITE, LENGTH);
    assert_child_answers(f, false);
    map_anonymous(f, IRONMAP_COPY, LENGTH);
    assert_child_answers(f, false);
}

/* A copy-on-write map is not shared. */
static void maps_of_files_are_shared(void **state)
{
    fixture *f = *state;
    static const uint8_t zeros[LENGTH];

    file_bytes(f, zeros, LENGTH);
    map_file(f, IRONMAP_COPY);
    assert_child_answers(f, false);
    assert_file(f, 0, zeros, LENGTH);
    map_file(f, IRONMAP_WRITE);
    assert_child_answers(f, true);
    assert_file(f, ANSWER, "answer", 6);
}

static int map_the_file_and_store(void *argument)
{
    const fixture *f = argument;
    ironmap_map *map = NULL;
    ironmap_options options = options_of(ANSWER, 6);

    child_check(ironmap_open_path(&map, f->path, IRONMAP_WRITE, &options, NULL) == IRONMAP_OK);
    child_check(ironmap_put(map, 0, "answer", 6, NULL) == IRONMAP_OK);
    child_check(ironmap_close(map, NULL) == IRONMAP_OK);
    return 0;
}

static void map_of_another_process_shares_the_file(void **state)
{
    fixture *f = *state;

    file_make(f, LENGTH);
    map_file(f, IRONMAP_READ);
    assert_int_equal(in_child(map_the_file_and_store, f), 0);
    assert_map(f->map, ANSWER, "answer", 6);
}

static int resize_and_close(void *argument)
{
    ironmap_map *map = argument;

    child_check(ironmap_resize(map, 2 * LENGTH, NULL) == IRONMAP_OK);
    child_check(ironmap_put(map, 2 * LENGTH - 3, "end", 3, NULL) == IRONMAP_OK);
    child_check(ironmap_close(map, NULL) == IRONMAP_OK);
    return 0;
}

/* The file changes, and the parent's map does not. */
static void child_resizes_its_own_map(void **state)
{
    fixture *f = *state;
    uint64_t size = 0;

    file_make(f, LENGTH);
    map_file(f, IRONMAP_WRITE);
    assert_int_equal(in_child(resize_and_close, f->map), 0);
    assert_map_pattern(f->map, 0, LENGTH);
    assert_ok(ironmap_file_size(&size, f->map, &failure));
    assert_u64(size, 2 * LENGTH);
    assert_file(f, 2 * LENGTH - 3, "end", 3);
}

/* A child cannot close an inherited pinned map before it unpins it. */
static int close_the_pinned_map(void *argument)
{
    ironmap_map *map = argument;

    child_check(ironmap_close(map, NULL) == IRONMAP_E_BUSY);
    ironmap_unpin(map);
    child_check(ironmap_close(map, NULL) == IRONMAP_OK);
    return 0;
}

/* Each process then has its own pins. */
static void pins_are_inherited(void **state)
{
    fixture *f = *state;

    map_anonymous(f, IRONMAP_WRITE, LENGTH);
    ironmap_pin(f->map);
    assert_int_equal(in_child(close_the_pinned_map, f->map), 0);
    assert_u64(ironmap_pins(f->map), 1);
    ironmap_unpin(f->map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_fixture(anonymous_map_is_shared),
        with_fixture(private_maps_are_independent_after_fork),
        with_fixture(maps_of_files_are_shared),
        with_fixture(map_of_another_process_shares_the_file),
        with_fixture(child_resizes_its_own_map),
        with_fixture(pins_are_inherited),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
