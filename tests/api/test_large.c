/* Beyond 4 GiB: offsets into files, maps, searches and sizes. The files are sparse. */
#include "support.h"

#define GIB (UINT64_C(1) << 30)
#define FAR (4 * GIB + 12345) /* does not fit into 32 bits */
#define FILE_SIZE (5 * GIB + 77)

/* Creates a sparse file with the pattern at FAR. */
static void file_make_sparse(fixture *f)
{
    uint8_t bytes[1000];

    file_make(f, 0);
    if (!file_extend(f, FILE_SIZE)) {
        skip_because("the file system has no files of 5 GiB");
    }
    pattern_fill(bytes, FAR, sizeof(bytes));
    file_store(f, FAR, bytes, sizeof(bytes));
}

/* Opens f->map: all of a sparse file. */
static void map_sparse(fixture *f)
{
    skip_on_32_bit();
    file_make_sparse(f);
    map_file(f, IRONMAP_WRITE);
    assert_u64(ironmap_length(f->map), FILE_SIZE);
}

static void skip_where_offsets_have_32_bits(void)
{
    if (sizeof(size_t) < sizeof(uint64_t)) {
        skip_inside_qemu("truncates offsets to 32 bits");
    }
}

/* A short map may lie there on 32-bit systems too. */
static void short_map_may_lie_beyond_4_gib(void **state)
{
    fixture *f = *state;
    ironmap_options options = options_of(FAR, 1000);
    uint64_t size = 0;

    skip_where_offsets_have_32_bits();
    file_make_sparse(f);
    assert_ok(ironmap_open_path(&f->map, f->path, IRONMAP_WRITE, &options, &failure));
    assert_map_pattern(f->map, FAR, 1000);
    assert_u64(ironmap_offset(f->map), FAR);
    assert_ok(ironmap_file_size(&size, f->map, &failure));
    assert_u64(size, FILE_SIZE);
    assert_ok(ironmap_put(f->map, 500, "far", 3, &failure));
    assert_file(f, FAR + 500, "far", 3);
    assert_ok(ironmap_flush(f->map, 500, 3, 0, &failure));
}

static void length_zero_maps_to_the_end_beyond_4_gib(void **state)
{
    fixture *f = *state;
    ironmap_options options = options_of(FILE_SIZE - 5, 0);

    file_make_sparse(f);
    assert_ok(ironmap_open_fd(&f->map, f->fd, IRONMAP_READ, &options, &failure));
    assert_u64(ironmap_length(f->map), 5);
}

static void map_beyond_4_gib_is_resized(void **state)
{
    fixture *f = *state;
    ironmap_options options = options_of(FAR, 1000);

    skip_where_offsets_have_32_bits();
    file_make_sparse(f);
    assert_ok(ironmap_open_fd(&f->map, f->fd, IRONMAP_WRITE, &options, &failure));
    assert_ok(ironmap_resize(f->map, 500, &failure));
    assert_u64(file_length(f), FAR + 500);
    assert_map_pattern(f->map, FAR, 500);
    assert_ok(ironmap_resize(f->map, 100000, &failure));
    assert_u64(file_length(f), FAR + 100000);
    assert_map_filled(f->map, 500, 99500, 0);
}

static void extend_makes_a_file_longer_than_4_gib(void **state)
{
    fixture *f = *state;
    ironmap_options options = options_of(FAR, 1000);

    options.open = IRONMAP_OPEN_EXTEND;
    file_make(f, 100);
    if (ironmap_open_path(&f->map, f->path, IRONMAP_WRITE, &options, NULL) != IRONMAP_OK) {
        skip_because("the file system has no files of 5 GiB");
    }
    assert_u64(file_length(f), FAR + 1000);
    assert_map_filled(f->map, 0, 1000, 0);
}

/* Stores and loads beyond 4 GiB. A length is not truncated to 32 bits. */
static void bytes_are_stored_and_read_beyond_4_gib(void **state)
{
    fixture *f = *state;
    uint8_t bytes[3] = {0};
    uint8_t expected[3];

    map_sparse(f);
    assert_ok(ironmap_get_byte(&bytes[0], f->map, FAR + 7, &failure));
    assert_int_equal(bytes[0], pattern_byte(FAR + 7));
    assert_ok(ironmap_put(f->map, FAR, "far", 3, &failure));
    assert_file(f, FAR, "far", 3);
    assert_ok(ironmap_move(f->map, 10, FAR, 3, &failure));
    assert_file(f, 10, "far", 3);
    assert_ok(ironmap_move(f->map, FILE_SIZE - 3, 10, 3, &failure));
    assert_map(f->map, FILE_SIZE - 3, "far", 3);
    assert_fails(ironmap_put(f->map, FILE_SIZE - 2, "far", 3, &failure), IRONMAP_E_RANGE);
    assert_ok(ironmap_put_byte(f->map, 12345 + 4 * GIB - 2 * GIB, 'h', &failure));
    assert_ok(ironmap_get_strided(f->map, 12345, (int64_t)(2 * GIB), bytes, 3, &failure));
    expected[0] = 0;
    expected[1] = 'h';
    expected[2] = 'f';
    assert_memory_equal(bytes, expected, sizeof(expected));
    assert_ok(ironmap_get_strided(f->map, FAR, -(int64_t)(2 * GIB), bytes, 3, &failure));
    assert_int_equal(bytes[0], 'f');
    assert_int_equal(bytes[1], 'h');
}

static void needles_are_found_beyond_4_gib(void **state)
{
    fixture *f = *state;
    uint8_t needle[100];
    uint64_t index = 0;

    map_sparse(f);
    pattern_fill(needle, FAR + 50, sizeof(needle));
    assert_ok(ironmap_find(&index, f->map, needle, sizeof(needle), FAR - 100000, IRONMAP_TO_END,
                           &failure));
    assert_u64(index, FAR + 50);
    assert_ok(
        ironmap_rfind(&index, f->map, needle, sizeof(needle), 0, (size_t)(FAR + 100000), &failure));
    assert_u64(index, FAR + 50);
    assert_ok(ironmap_find(&index, f->map, needle, sizeof(needle), FAR, 149, &failure));
    assert_u64(index, IRONMAP_NOT_FOUND);
    assert_ok(ironmap_rfind(&index, f->map, needle, sizeof(needle), FAR + 51,
                            (FAR + 1000) - (FAR + 51), &failure));
    assert_u64(index, IRONMAP_NOT_FOUND);
}

static void position_goes_beyond_4_gib(void **state)
{
    fixture *f = *state;
    char buffer[16];
    size_t length = 0;

    map_sparse(f);
    assert_ok(ironmap_put(f->map, FAR, "line\nlast", 9, &failure));
    assert_ok(ironmap_seek(f->map, (int64_t)FAR, IRONMAP_SEEK_SET, &failure));
    assert_u64(ironmap_tell(f->map), FAR);
    assert_ok(ironmap_line_length(&length, f->map, &failure));
    assert_u64(length, 5);
    assert_ok(ironmap_readline(&length, f->map, buffer, sizeof(buffer), &failure));
    assert_u64(length, 5);
    assert_u64(ironmap_tell(f->map), FAR + 5);
    assert_ok(ironmap_write(f->map, "LAST", 4, &failure));
    assert_file(f, FAR, "line\nLAST", 9);
    assert_ok(ironmap_seek(f->map, -(int64_t)FILE_SIZE, IRONMAP_SEEK_END, &failure));
    assert_u64(ironmap_tell(f->map), 0);
    assert_fails(ironmap_seek(f->map, (int64_t)FILE_SIZE + 1, IRONMAP_SEEK_CUR, &failure),
                 IRONMAP_E_RANGE);
}

static void ranges_beyond_4_gib_are_flushed_and_advised(void **state)
{
    fixture *f = *state;

    map_sparse(f);
    assert_ok(ironmap_put(f->map, FAR, "far", 3, &failure));
    assert_ok(ironmap_flush(f->map, FAR, 3, 0, &failure));
    assert_ok(ironmap_advise(f->map, FAR, IRONMAP_TO_END, IRONMAP_ADVICE_RANDOM, &failure));
    assert_fails(ironmap_flush(f->map, FAR, FILE_SIZE - FAR + 1, 0, &failure), IRONMAP_E_RANGE);
}

static void map_is_resized_across_4_gib(void **state)
{
    fixture *f = *state;

    map_sparse(f);
    assert_ok(ironmap_resize(f->map, 1000, &failure));
    assert_u64(file_length(f), 1000);
    assert_ok(ironmap_put(f->map, 997, "end", 3, &failure));
    assert_ok(ironmap_resize(f->map, (size_t)FILE_SIZE, &failure));
    assert_u64(file_length(f), FILE_SIZE);
    assert_map(f->map, 997, "end", 3);
    assert_map_filled(f->map, FAR, 1000, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_fixture(short_map_may_lie_beyond_4_gib),
        with_fixture(length_zero_maps_to_the_end_beyond_4_gib),
        with_fixture(map_beyond_4_gib_is_resized),
        with_fixture(extend_makes_a_file_longer_than_4_gib),
        with_fixture(bytes_are_stored_and_read_beyond_4_gib),
        with_fixture(needles_are_found_beyond_4_gib),
        with_fixture(position_goes_beyond_4_gib),
        with_fixture(ranges_beyond_4_gib_are_flushed_and_advised),
        with_fixture(map_is_resized_across_4_gib),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
