/* Maps and fork: a child inherits them; shared ones go on sharing, private ones part ways. */
#include "support_posix.h"

#include <sys/mman.h>

enum { LENGTH = 10000, ANSWER = 5000 };

/* Reads the parent's line and stores an answer; closes its own copy of the map. */
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

/* Writes the line, lets a child answer, and sees the answer, or not. */
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

/* Anonymous memory is shared by parent and child by default: each sees the other's stores, and
 * the parent's map outlives the child's closing. */
static void anonymous_map_is_shared(void **state)
{
    fixture *f = *state;

    map_anonymous(f, IRONMAP_WRITE, LENGTH);
    assert_child_answers(f, true);
    map_anonymous(f, IRONMAP_WRITE, LENGTH);
    assert_child_answers(f, true);
}

/* Private and copy-on-write memory has the parent's bytes in the child, and parts ways then. */
static void private_maps_part_ways(void **state)
{
    fixture *f = *state;

    map_memory(f, MAP_PRIVATE, PROT_READ | PROT_WRITE, LENGTH);
    assert_child_answers(f, false);
    map_anonymous(f, IRONMAP_COPY, LENGTH);
    assert_child_answers(f, false);
}

/* The map of a file is shared; one that copies is not. */
static void maps_of_files(void **state)
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

/* A map that another process makes of the same file shares its bytes at once. */
static void another_process_maps_the_file(void **state)
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

/* A child that resizes its map changes the file, and not the parent's map. */
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

/* Cannot close the map that the parent pinned before its own copy of the pin is gone. */
static int close_the_pinned_map(void *argument)
{
    ironmap_map *map = argument;

    child_check(ironmap_close(map, NULL) == IRONMAP_E_BUSY);
    ironmap_unpin(map);
    child_check(ironmap_close(map, NULL) == IRONMAP_OK);
    return 0;
}

/* Pins are inherited with the map, and then each process's own. */
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
        with_fixture(private_maps_part_ways),
        with_fixture(maps_of_files),
        with_fixture(another_process_maps_the_file),
        with_fixture(child_resizes_its_own_map),
        with_fixture(pins_are_inherited),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
