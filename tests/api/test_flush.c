/* flush: its ranges, its flags, and what it does for maps that have nothing to flush. */
#include "support.h"

#include <stdio.h>

enum { LENGTH = 10000 };

/* Any range inside the map can be flushed, page boundaries or not; another is refused. */
static void ranges_are_checked(void **state)
{
    fixture *f = *state;

    file_make(f, LENGTH);
    map_file(f, IRONMAP_WRITE);
    assert_ok(ironmap_fill(f->map, 0, 1, LENGTH, &failure));
    assert_flush_ranges(f->map);
}

/* "To the end" from behind the end is outside. */
static void to_end_from_behind_is_refused(void **state)
{
    fixture *f = *state;

    file_make(f, LENGTH);
    map_file(f, IRONMAP_WRITE);
    assert_fails(ironmap_flush(f->map, LENGTH + 1, IRONMAP_TO_END, 0, &failure), IRONMAP_E_RANGE);
}

/* A map that begins in the middle of a page flushes like another. */
static void ranges_of_unaligned_maps(void **state)
{
    fixture *f = *state;
    ironmap_options options = options_of(4001, LENGTH);

    file_make(f, LENGTH + 4001);
    assert_ok(ironmap_open_path(&f->map, f->path, IRONMAP_WRITE, &options, &failure));
    assert_ok(ironmap_fill(f->map, 0, 1, LENGTH, &failure));
    assert_flush_ranges(f->map);
}

/* READ and COPY maps never write: the range is checked and that is all, whatever the flags. */
static void maps_that_never_write_have_nothing_to_flush(void **state)
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
    assert_file_untouched(f, LENGTH);
}

/* Anonymous maps flush without an error. */
static void anonymous_maps_flush(void **state)
{
    fixture *f = *state;

    map_anonymous(f, IRONMAP_WRITE, LENGTH);
    assert_flush_ranges(f->map);
}

/* The library's flags are understood, alone and together. */
static void flags_are_understood(void **state)
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

/* Reads the file in a process that never had it open. */
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

/* Another process reads from the file what was flushed. */
static void another_process_reads_flushed_bytes(void **state)
{
    fixture *f = *state;

    file_make(f, LENGTH);
    map_file(f, IRONMAP_WRITE);
    assert_ok(ironmap_put(f->map, 5000, "flushed", 7, &failure));
    assert_ok(ironmap_flush(f->map, 5000, 7, 0, &failure));
    assert_int_equal(in_process("read", f->path), 0);
}

/* Closing loses nothing that was stored, flushed or not. */
static void closing_loses_nothing(void **state)
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
        with_fixture(to_end_from_behind_is_refused),
        with_fixture(ranges_of_unaligned_maps),
        with_fixture(maps_that_never_write_have_nothing_to_flush),
        with_fixture(anonymous_maps_flush),
        with_fixture(flags_are_understood),
        with_fixture(another_process_reads_flushed_bytes),
        with_fixture(closing_loses_nothing),
    };

    process_begin(works);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
