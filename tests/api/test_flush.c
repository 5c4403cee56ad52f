/* flush: its ranges, its flags, and maps that need no flush. */
#include "support.h"

#include <stdio.h>

enum { LENGTH = 10000 };

static void ranges_are_checked(void **state)
{
    fixture *f = *state;

    file_make(f, LENGTH);
    map_file(f, IRONMAP_WRITE);
    assert_ok(ironmap_fill(f->map, 0, 1, LENGTH, &failure));
    assert_flush_ranges(f->map);
}

static void to_end_from_beyond_the_end_is_refused(void **state)
{
    fixture *f = *state;

    file_make(f, LENGTH);
    map_file(f, IRONMAP_WRITE);
    assert_fails(ironmap_flush(f->map, LENGTH + 1, IRONMAP_TO_END, 0, &failure), IRONMAP_E_RANGE);
}

static void ranges_of_unaligned_maps_are_checked(void **state)
{
    fixture *f = *state;
    ironmap_options options = options_of(4001, LENGTH);

    file_make(f, LENGTH + 4001);
    assert_ok(ironmap_open_path(&f->map, f->path, IRONMAP_WRITE, &options, &failure));
    assert_ok(ironmap_fill(f->map, 0, 1, LENGTH, &failure));
    assert_flush_ranges(f->map);
}

/* The range is checked with any flags. */
static void maps_that_never_write_only_check_the_range(void **state)
{
    static const ironmap_access accesses[] = {IRONMAP_READ, IRONMAP_COPY};
    fixture *f = *state;

    file_make(f, LENGTH);
    for (size_t i = 0; i < COUNT_OF(accesses); i++) {
        map_file(f, accesses[i]);
        ignore(ironmap_put(f->map, 0, "copy", 4, NULL));
        assert_flush_ranges(f->map);
        map_close(f);
    }
    assert_file_unchanged(f, LENGTH);
}

static void flush_of_anonymous_maps_succeeds(void **state)
{
    fixture *f = *state;

    map_anonymous(f, IRONMAP_WRITE, LENGTH);
    assert_flush_ranges(f->map);
}

/* Flags are accepted alone and together. */
static void flags_are_accepted(void **state)
{
    static const int flags[] = {
        0,
        IRONMAP_FLUSH_ASYNC,
        IRONMAP_FLUSH_INVALIDATE,
        IRONMAP_FLUSH_ASYNC | IRONMAP_FLUSH_INVALIDATE,
    };
    fixture *f = *state;

    file_make(f, LENGTH);
    map_file(f, IRONMAP_WRITE);
    for (size_t i = 0; i < COUNT_OF(flags); i++) {
        assert_ok(ironmap_put(f->map, 10 * i, "flushed", 7, &failure));
        assert_ok(ironmap_flush(f->map, 0, IRONMAP_TO_END, flags[i], &failure));
        assert_file(f, 10 * i, "flushed", 7);
    }
}

/* Runs in a process that never had the file open. */
static int flushed_bytes_are_in_the_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    char bytes[7];

    child_check(file != NULL);
    child_check(fseek(file, 5000, SEEK_SET) == 0);
    child_check(fread(bytes, 1, sizeof(bytes), file) == sizeof(bytes));
    child_check(memcmp(bytes, "flushed", sizeof(bytes)) == 0);
    child_check(fclose(file) == 0);
    return 0;
}

static void another_process_reads_flushed_bytes(void **state)
{
    fixture *f = *state;

    file_make(f, LENGTH);
    map_file(f, IRONMAP_WRITE);
    assert_ok(ironmap_put(f->map, 5000, "flushed", 7, &failure));
    assert_ok(ironmap_flush(f->map, 5000, 7, 0, &failure));
    assert_int_equal(in_process("read", f->path), 0);
}

/* Stores reach the file, flushed or not. */
static void closing_loses_no_store(void **state)
{
    fixture *f = *state;

    file_make(f, LENGTH);
    map_file(f, IRONMAP_WRITE);
    assert_ok(ironmap_put(f->map, 5000, "flushed", 7, &failure));
    map_close(f);
    assert_int_equal(in_process("read", f->path), 0);
}

int main(void)
{
    static const process_work works[] = {{"read", flushed_bytes_are_in_the_file}, {NULL, NULL}};
    const struct CMUnitTest tests[] = {
        with_fixture(ranges_are_checked),
        with_fixture(to_end_from_beyond_the_end_is_refused),
        with_fixture(ranges_of_unaligned_maps_are_checked),
        with_fixture(maps_that_never_write_only_check_the_range),
        with_fixture(flush_of_anonymous_maps_succeeds),
        with_fixture(flags_are_accepted),
        with_fixture(another_process_reads_flushed_bytes),
        with_fixture(closing_loses_no_store),
    };

    process_begin(works);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
