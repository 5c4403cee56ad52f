/* Opening: ranges of files, empty maps, anonymous memory, and options. */
#include "support.h"

#include <stdlib.h>

enum { LENGTH = 10000 };

/* ---- whole files ---- */

static void path_maps_the_whole_file(void **state)
{
    fixture *f = *state;
    uint64_t size = 0;

    file_make(f, LENGTH);
    assert_ok(ironmap_open_path(&f->map, f->path, IRONMAP_WRITE, NULL, &failure));
    assert_map_pattern(f->map, 0, LENGTH);
    assert_u64(ironmap_offset(f->map), 0);
    assert_u64(ironmap_tell(f->map), 0);
    assert_u64(ironmap_pins(f->map), 0);
    assert_ok(ironmap_file_size(&size, f->map, &failure));
    assert_u64(size, LENGTH);
    assert_int_equal(ironmap_map_access(f->map), IRONMAP_WRITE);
    assert_true(ironmap_is_readable(f->map));
    assert_true(ironmap_is_writable(f->map));
    assert_ok(ironmap_put(f->map, 7, "shared", 6, &failure));
    assert_file(f, 7, "shared", 6);
}

/* Its position stays. */
static void descriptor_maps_the_whole_file(void **state)
{
    fixture *f = *state;

    file_make(f, LENGTH);
    descriptor_seek(f->fd, 1234);
    assert_ok(ironmap_open_fd(&f->map, f->fd, IRONMAP_WRITE, NULL, &failure));
    assert_map_pattern(f->map, 0, LENGTH);
    assert_u64(descriptor_tell(f->fd), 1234);
    map_close(f);
    assert_u64(descriptor_tell(f->fd), 1234);
}

static void null_options_are_the_defaults(void **state)
{
    fixture *f = *state;
    ironmap_options options = IRONMAP_OPTIONS_INIT;

    file_make(f, LENGTH);
    assert_ok(ironmap_open_path(&f->map, f->path, IRONMAP_WRITE, &options, &failure));
    assert_map_pattern(f->map, 0, LENGTH);
    assert_int_equal(ironmap_map_access(f->map), IRONMAP_WRITE);
}

static void data_is_the_mapped_memory(void **state)
{
    fixture *f = *state;

    file_make(f, LENGTH);
    map_file(f, IRONMAP_WRITE);
    assert_u64((uintptr_t)ironmap_data(f->map) % ironmap_page_size(), 0);
    assert_map(f->map, 0, ironmap_data(f->map), LENGTH);
    memcpy(ironmap_data(f->map), "direct", 6);
    assert_map(f->map, 0, "direct", 6);
    assert_file(f, 0, "direct", 6);
}

/* Stores are visible at once, to read(2) too. */
static void maps_of_one_file_share_it(void **state)
{
    fixture *f = *state;
    ironmap_map *other = NULL;

    file_make(f, LENGTH);
    map_file(f, IRONMAP_WRITE);
    assert_ok(ironmap_open_fd(&other, f->fd, IRONMAP_WRITE, NULL, &failure));
    assert_ok(ironmap_put(f->map, 5000, "one", 3, &failure));
    assert_map(other, 5000, "one", 3);
    assert_file(f, 5000, "one", 3);
    file_store(f, 9000, "two", 3);
    assert_map(f->map, 9000, "two", 3);
    assert_map(other, 9000, "two", 3);
    assert_ok(ironmap_close(other, &failure));
}

/* ---- ranges of the file ---- */

/* The end is that of the file when it is opened. */
static void length_zero_maps_to_the_end(void **state)
{
    fixture *f = *state;
    ironmap_options options = options_of(4321, 0);

    file_make(f, LENGTH);
    assert_ok(ironmap_open_path(&f->map, f->path, IRONMAP_READ, &options, &failure));
    assert_map_pattern(f->map, 4321, LENGTH - 4321);
    assert_u64(ironmap_offset(f->map), 4321);
    file_truncate(f, LENGTH + 5000);
    assert_u64(ironmap_length(f->map), LENGTH - 4321);
}

static void file_size_is_the_current_size(void **state)
{
    fixture *f = *state;
    ironmap_options options = options_of(100, 50);
    uint64_t size = 0;

    file_make(f, LENGTH);
    assert_ok(ironmap_open_path(&f->map, f->path, IRONMAP_READ, &options, &failure));
    assert_ok(ironmap_file_size(&size, f->map, &failure));
    assert_u64(size, LENGTH);
    file_truncate(f, 777);
    assert_ok(ironmap_file_size(&size, f->map, &failure));
    assert_u64(size, 777);
    assert_u64(ironmap_length(f->map), 50);
}

/* An unaligned map begins as far inside a page as its offset. */
static void data_is_aligned_as_its_offset(void **state)
{
    fixture *f = *state;
    size_t page = ironmap_page_size();
    const size_t offsets[] = {page, 2 * page, 1, page - 1, page + 1};

    file_make(f, 3 * page);
    for (size_t i = 0; i < COUNT_OF(offsets); i++) {
        ironmap_options options = options_of(offsets[i], 0);

        assert_ok(ironmap_open_path(&f->map, f->path, IRONMAP_READ, &options, &failure));
        assert_map_pattern(f->map, offsets[i], 3 * page - offsets[i]);
        if (offsets[i] % page == 0) {
            assert_u64((uintptr_t)ironmap_data(f->map) % page, 0);
        }
        map_close(f);
    }
}

/* Stores through a map change these bytes of the file and no others. */
static void assert_store_reaches_the_file(fixture *f, uint64_t file_offset, size_t length,
                                          size_t file_size)
{
    ironmap_options options = options_of(file_offset, length);
    uint8_t *expected = malloc(file_size);

    assert_non_null(expected);
    assert_ok(ironmap_open_fd(&f->map, f->fd, IRONMAP_WRITE, &options, &failure));
    assert_ok(ironmap_fill(f->map, 0, 0xee, length, &failure));
    map_close(f);
    pattern_fill(expected, 0, file_size);
    memset(expected + file_offset, 0xee, length);
    assert_file(f, 0, expected, file_size);
    pattern_fill(expected, 0, file_size);
    file_store(f, file_offset, expected + file_offset, length);
    free(expected);
}

/* Property: a map holds what pread reads, and stores change the same range. */
static void any_range_maps_what_pread_reads(void **state)
{
    enum { FILE_SIZE = 70001, ROUNDS = 150 };
    fixture *f = *state;
    random_source random = random_start();

    file_make(f, FILE_SIZE);
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t offset = random_below(&random, FILE_SIZE);
        size_t length = (size_t)random_below(&random, FILE_SIZE - offset) + 1;
        ironmap_options options = options_of(offset, length);

        assert_ok(ironmap_open_fd(&f->map, f->fd, IRONMAP_READ, &options, &failure));
        assert_u64(ironmap_length(f->map), length);
        assert_u64(ironmap_offset(f->map), offset);
        assert_file(f, offset, ironmap_data(f->map), length);
        assert_map_pattern(f->map, offset, length);
        map_close(f);
        assert_store_reaches_the_file(f, offset, length, FILE_SIZE);
    }
}

/* Offsets lie around those at which the system can map. */
static void offset_may_be_any_byte(void **state)
{
    fixture *f = *state;
    const size_t step = ironmap_granularity();
    const size_t offsets[] = {step - 1, step,         step + 1,     step + step / 2,
                              2 * step, 2 * step - 1, 2 * step + 1, 3 * step - 1};

    file_make(f, 3 * step);
    for (size_t i = 0; i < COUNT_OF(offsets); i++) {
        ironmap_options options = options_of(offsets[i], 0);

        assert_ok(ironmap_open_fd(&f->map, f->fd, IRONMAP_WRITE, &options, &failure));
        assert_u64(ironmap_offset(f->map), offsets[i]);
        assert_map_pattern(f->map, offsets[i], 3 * step - offsets[i]);
        map_close(f);
        assert_store_reaches_the_file(f, offsets[i], 3 * step - offsets[i], 3 * step);
    }
}

typedef struct beyond_case {
    uint64_t offset;
    size_t length;
} beyond_case;

/* The file stays unchanged. */
static void range_beyond_the_file_is_refused(void **state)
{
    static const beyond_case cases[] = {
        {0, LENGTH + 1}, {LENGTH, 1},     {LENGTH + 1, 0},    {LENGTH + 1, 1},
        {LENGTH - 1, 2}, {1, LENGTH},     {INT64_MAX, 0},     {INT64_MAX - 1, 1},
        {5000, LENGTH},  {1 << 20, 4096}, {LENGTH + 4096, 0},
    };
    fixture *f = *state;
    ironmap_map *map = NULL;

    file_make(f, LENGTH);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        ironmap_options options = options_of(cases[i].offset, cases[i].length);

        assert_fails(ironmap_open_path(&map, f->path, IRONMAP_WRITE, &options, &failure),
                     IRONMAP_E_BEYOND_FILE);
        assert_fails(ironmap_open_fd(&map, f->fd, IRONMAP_WRITE, &options, &failure),
                     IRONMAP_E_BEYOND_FILE);
    }
    assert_null(map);
    assert_file_unchanged(f, LENGTH);
}

/* ---- empty maps ---- */

/* An empty map reads nothing, stores nothing and is at its end. */
static void assert_empty(ironmap_map *map)
{
    uint8_t byte = 0;
    size_t length = 1;
    uint64_t index = 1;

    assert_u64(ironmap_length(map), 0);
    assert_null(ironmap_data(map));
    assert_ok(ironmap_get(map, 0, &byte, 0, &failure));
    assert_fails(ironmap_get(map, 0, &byte, 1, &failure), IRONMAP_E_RANGE);
    assert_ok(ironmap_read(&length, map, &byte, 1, &failure));
    assert_u64(length, 0);
    assert_ok(ironmap_readline(&length, map, &byte, 1, &failure));
    assert_u64(length, 0);
    assert_ok(ironmap_line_length(&length, map, &failure));
    assert_u64(length, 0);
    assert_fails(ironmap_read_byte(&byte, map, &failure), IRONMAP_E_END);
    assert_ok(ironmap_find(&index, map, "a", 1, 0, IRONMAP_TO_END, &failure));
    assert_u64(index, IRONMAP_NOT_FOUND);
    assert_ok(ironmap_rfind(&index, map, "", 0, 0, IRONMAP_TO_END, &failure));
    assert_u64(index, 0);
    assert_ok(ironmap_seek(map, 0, IRONMAP_SEEK_END, &failure));
    assert_ok(ironmap_flush(map, 0, IRONMAP_TO_END, 0, &failure));
    assert_ok(ironmap_advise(map, 0, IRONMAP_TO_END, IRONMAP_ADVICE_NORMAL, &failure));
}

/* This holds for every access, by path and by descriptor. */
static void empty_file_maps_to_empty_map(void **state)
{
    fixture *f = *state;
    uint64_t size = 1;

    file_make(f, 0);
    for (size_t i = 0; i < COUNT_OF(all_accesses); i++) {
        ironmap_options options = options_of(0, 0);

        assert_ok(ironmap_open_path(&f->map, f->path, all_accesses[i], &options, &failure));
        assert_empty(f->map);
        assert_ok(ironmap_file_size(&size, f->map, &failure));
        assert_u64(size, 0);
        map_close(f);
        assert_ok(ironmap_open_fd(&f->map, f->fd, all_accesses[i], &options, &failure));
        assert_empty(f->map);
        map_close(f);
    }
}

static void end_of_file_maps_to_empty_map(void **state)
{
    fixture *f = *state;
    ironmap_options options = options_of(LENGTH, 0);

    file_make(f, LENGTH);
    assert_ok(ironmap_open_path(&f->map, f->path, IRONMAP_WRITE, &options, &failure));
    assert_empty(f->map);
    assert_u64(ironmap_offset(f->map), LENGTH);
}

/* EMPTY for an empty file, BEYOND_FILE at the end of a file. */
static void nonempty_refuses_empty_maps(void **state)
{
    fixture *f = *state;
    ironmap_map *map = NULL;
    ironmap_options options = IRONMAP_OPTIONS_INIT;

    options.open = IRONMAP_OPEN_NONEMPTY;
    file_make(f, 0);
    assert_fails(ironmap_open_path(&map, f->path, IRONMAP_WRITE, &options, &failure),
                 IRONMAP_E_EMPTY);
    assert_fails(ironmap_open_fd(&map, f->fd, IRONMAP_WRITE, &options, &failure), IRONMAP_E_EMPTY);
    file_make(f, LENGTH);
    options.offset = LENGTH;
    assert_fails(ironmap_open_path(&map, f->path, IRONMAP_WRITE, &options, &failure),
                 IRONMAP_E_BEYOND_FILE);
    assert_fails(ironmap_open_fd(&map, f->fd, IRONMAP_WRITE, &options, &failure),
                 IRONMAP_E_BEYOND_FILE);
    assert_null(map);
    options.offset = 0;
    assert_fails(ironmap_open_anonymous(&map, IRONMAP_WRITE, &options, &failure), IRONMAP_E_EMPTY);
    assert_null(map);
    options.offset = LENGTH - 1;
    assert_ok(ironmap_open_path(&f->map, f->path, IRONMAP_WRITE, &options, &failure));
    assert_map_pattern(f->map, LENGTH - 1, 1);
}

/* ---- anonymous maps ---- */

/* Anonymous memory is aligned, and its file size is its length. */
static void anonymous_memory_is_zero(void **state)
{
    fixture *f = *state;
    uint64_t size = 0;

    map_anonymous(f, IRONMAP_WRITE, LENGTH);
    assert_u64(ironmap_length(f->map), LENGTH);
    assert_u64((uintptr_t)ironmap_data(f->map) % ironmap_page_size(), 0);
    assert_map_filled(f->map, 0, LENGTH, 0);
    assert_ok(ironmap_file_size(&size, f->map, &failure));
    assert_u64(size, LENGTH);
    assert_int_equal(ironmap_map_access(f->map), IRONMAP_WRITE);
    assert_ok(ironmap_put(f->map, LENGTH - 3, "end", 3, &failure));
    assert_map(f->map, LENGTH - 3, "end", 3);
}

static void anonymous_memory_has_every_access(void **state)
{
    fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(all_accesses); i++) {
        map_anonymous(f, all_accesses[i], LENGTH);
        assert_int_equal(ironmap_map_access(f->map), all_accesses[i]);
        assert_map_filled(f->map, 0, LENGTH, 0);
        assert_status_or_ok(ironmap_put_byte(f->map, 0, 1, &failure),
                            all_accesses[i] == IRONMAP_READ ? IRONMAP_E_READONLY : IRONMAP_OK);
        map_close(f);
    }
}

/* No options mean length 0. */
static void anonymous_length_zero_is_empty(void **state)
{
    fixture *f = *state;

    map_anonymous(f, IRONMAP_WRITE, 0);
    assert_empty(f->map);
    map_close(f);
    assert_ok(ironmap_open_anonymous(&f->map, IRONMAP_WRITE, NULL, &failure));
    assert_empty(f->map);
}

/* The offset has no effect. */
static void anonymous_offset_is_kept(void **state)
{
    static const uint64_t offsets[] = {1, 4096, 12345, UINT64_C(1) << 40};
    fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(offsets); i++) {
        ironmap_options options = options_of(offsets[i], LENGTH);

        assert_ok(ironmap_open_anonymous(&f->map, IRONMAP_WRITE, &options, &failure));
        assert_u64(ironmap_offset(f->map), offsets[i]);
        assert_u64(ironmap_length(f->map), LENGTH);
        assert_u64((uintptr_t)ironmap_data(f->map) % ironmap_page_size(), 0);
        assert_ok(ironmap_fill(f->map, 0, 7, LENGTH, &failure));
        assert_map_filled(f->map, 0, LENGTH, 7);
        map_close(f);
    }
}

static void anonymous_memory_needs_no_descriptor(void **state)
{
    fixture *f = *state;

    map_anonymous(f, IRONMAP_WRITE, LENGTH);
    assert_u64(open_descriptors(), f->descriptors);
}

/* ---- the options themselves ---- */

static void zero_is_the_default(void **state)
{
    fixture *f = *state;
    ironmap_options zero = {0};
    ironmap_options made;

    memset(&made, 0x5a, sizeof(made));
    ironmap_options_init(&made);
    assert_memory_equal(&made, &zero, sizeof(zero));
    file_make(f, LENGTH);
    for (size_t i = 0; i < COUNT_OF(all_accesses); i++) {
        assert_ok(ironmap_open_path(&f->map, f->path, all_accesses[i], &zero, &failure));
        assert_map_pattern(f->map, 0, LENGTH);
        map_close(f);
    }
}

static int never_interrupt(void *context)
{
    (void)context;
    return 0;
}

/* All other fields have their defaults. */
static void every_field_works_alone(void **state)
{
    fixture *f = *state;
    int unused = 0;
    const ironmap_options alone[] = {
        {.offset = 4321},
        {.length = 100},
        {.open = IRONMAP_OPEN_CREATE},
        {.open = IRONMAP_OPEN_EXTEND},
        {.open = IRONMAP_OPEN_NO_TRACK},
        {.open = IRONMAP_OPEN_NONEMPTY},
        {.permission = 0600},
        {.check = never_interrupt},
        {.context = &unused},
    };

    file_make(f, LENGTH);
    for (size_t i = 0; i < COUNT_OF(alone); i++) {
        size_t length = alone[i].length != 0 ? alone[i].length : LENGTH - (size_t)alone[i].offset;

        assert_ok(ironmap_open_path(&f->map, f->path, IRONMAP_WRITE, &alone[i], &failure));
        assert_map_pattern(f->map, alone[i].offset, length);
        map_close(f);
    }
}

/* Windows paths are UTF-8 too. */
static void path_is_utf_8(void **state)
{
    static const char *const names[] = {"na\xc3\xafve caf\xc3\xa9", "\xe5\x9c\xb0\xe5\x9b\xb3",
                                        "\xf0\x9f\x97\xba.map"};
    fixture *f = *state;
    ironmap_options options = options_of(0, LENGTH);

    options.open = IRONMAP_OPEN_CREATE | IRONMAP_OPEN_EXCLUSIVE | IRONMAP_OPEN_EXTEND;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        file_name(f, names[i]);
        file_make(f, LENGTH);
        map_file(f, IRONMAP_READ);
        assert_map_pattern(f->map, 0, LENGTH);
        map_close(f);

        (void)strncat(f->path, "2", sizeof(f->path) - strlen(f->path) - 1);
        assert_ok(ironmap_open_path(&f->map, f->path, IRONMAP_WRITE, &options, &failure));
        assert_true(file_exists(f));
        assert_u64(file_length(f), LENGTH);
        map_close(f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_fixture(path_maps_the_whole_file),
        with_fixture(descriptor_maps_the_whole_file),
        with_fixture(null_options_are_the_defaults),
        with_fixture(data_is_the_mapped_memory),
        with_fixture(maps_of_one_file_share_it),
        with_fixture(length_zero_maps_to_the_end),
        with_fixture(file_size_is_the_current_size),
        with_fixture(data_is_aligned_as_its_offset),
        with_fixture(any_range_maps_what_pread_reads),
        with_fixture(offset_may_be_any_byte),
        with_fixture(range_beyond_the_file_is_refused),
        with_fixture(empty_file_maps_to_empty_map),
        with_fixture(end_of_file_maps_to_empty_map),
        with_fixture(nonempty_refuses_empty_maps),
        with_fixture(anonymous_memory_is_zero),
        with_fixture(anonymous_memory_has_every_access),
        with_fixture(anonymous_length_zero_is_empty),
        with_fixture(anonymous_offset_is_kept),
        with_fixture(anonymous_memory_needs_no_descriptor),
        with_fixture(zero_is_the_default),
        with_fixture(every_field_works_alone),
        with_fixture(path_is_utf_8),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
