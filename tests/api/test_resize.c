/* resize: map and file, their bytes, the position, and refusals. */
#include "support.h"

enum { LENGTH = 10000 };

/* ---- files ---- */

/* Old bytes stay. New ones are zero and can be stored to. */
static void file_grows(void **state)
{
    static const size_t lengths[] = {LENGTH + 1, 12288, 12289, 100000, 1 << 20};
    fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        file_make(f, LENGTH);
        map_file(f, IRONMAP_WRITE);
        assert_ok(ironmap_resize(f->map, lengths[i], &failure));
        assert_u64(file_length(f), lengths[i]);
        assert_map_kept(f->map, 0, LENGTH, lengths[i]);
        assert_ok(ironmap_put_byte(f->map, lengths[i] - 1, 'z', &failure));
        assert_file(f, lengths[i] - 1, "z", 1);
        map_close(f);
    }
}

static void file_shrinks(void **state)
{
    static const size_t lengths[] = {LENGTH - 1, 8193, 8192, 8191, 4096, 1};
    fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        file_make(f, LENGTH);
        map_file(f, IRONMAP_WRITE);
        assert_ok(ironmap_resize(f->map, lengths[i], &failure));
        assert_map_pattern(f->map, 0, lengths[i]);
        map_close(f);
        assert_file_unchanged(f, lengths[i]);
    }
}

static void cut_bytes_are_zero_when_grown_again(void **state)
{
    fixture *f = *state;

    file_make(f, LENGTH);
    map_file(f, IRONMAP_WRITE);
    assert_ok(ironmap_resize(f->map, 5000, &failure));
    assert_ok(ironmap_resize(f->map, LENGTH, &failure));
    assert_map_kept(f->map, 0, 5000, LENGTH);
}

/* The file was longer or shorter. */
static void file_ends_where_the_map_ends(void **state)
{
    fixture *f = *state;
    ironmap_options options = options_of(5001, 1000);

    file_make(f, LENGTH);
    assert_ok(ironmap_open_path(&f->map, f->path, IRONMAP_WRITE, &options, &failure));
    assert_ok(ironmap_resize(f->map, 2000, &failure));
    assert_u64(file_length(f), 7001);
    assert_map_pattern(f->map, 5001, 2000);
    assert_ok(ironmap_resize(f->map, 2000, &failure));
    assert_ok(ironmap_resize(f->map, 3000, &failure));
    assert_u64(file_length(f), 8001);
    assert_map_kept(f->map, 5001, 2000, 3000);
}

/* Bytes before it stay. */
static void unaligned_offset_stays(void **state)
{
    static const size_t lengths[] = {1, 3000, 3191, 3192, 3193, 20000, 7};
    fixture *f = *state;
    ironmap_options options = options_of(5001, 0);
    uint8_t head[5001];

    pattern_fill(head, 0, sizeof(head));
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        size_t kept = lengths[i] < LENGTH - 5001 ? lengths[i] : LENGTH - 5001;

        file_make(f, LENGTH);
        assert_ok(ironmap_open_path(&f->map, f->path, IRONMAP_WRITE, &options, &failure));
        assert_ok(ironmap_resize(f->map, lengths[i], &failure));
        assert_u64(ironmap_offset(f->map), 5001);
        assert_u64(file_length(f), 5001 + lengths[i]);
        assert_map_kept(f->map, 5001, kept, lengths[i]);
        assert_file(f, 0, head, sizeof(head));
        map_close(f);
    }
}

/* Maps begin at the start and inside the file. */
static void maps_are_emptied_and_grow_again(void **state)
{
    static const uint64_t offsets[] = {0, 4096, 5001, LENGTH};
    fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(offsets); i++) {
        ironmap_options options = options_of(offsets[i], 0);

        file_make(f, LENGTH);
        assert_ok(ironmap_open_path(&f->map, f->path, IRONMAP_WRITE, &options, &failure));
        assert_ok(ironmap_resize(f->map, 0, &failure));
        assert_u64(ironmap_length(f->map), 0);
        assert_null(ironmap_data(f->map));
        assert_u64(file_length(f), offsets[i]);
        assert_ok(ironmap_resize(f->map, 0, &failure));
        assert_ok(ironmap_resize(f->map, 6000, &failure));
        assert_u64(file_length(f), offsets[i] + 6000);
        assert_map_kept(f->map, 0, 0, 6000);
        assert_ok(ironmap_put(f->map, 5997, "end", 3, &failure));
        assert_file(f, offsets[i] + 5997, "end", 3);
        map_close(f);
    }
}

static void empty_file_grows(void **state)
{
    fixture *f = *state;

    file_make(f, 0);
    map_file(f, IRONMAP_WRITE);
    assert_ok(ironmap_resize(f->map, LENGTH, &failure));
    assert_u64(file_length(f), LENGTH);
    assert_map_kept(f->map, 0, 0, LENGTH);
    assert_ok(ironmap_write(f->map, "hello", 5, &failure));
    assert_file(f, 0, "hello", 5);
}

/* Another process has truncated or extended the file. */
static void resize_sets_the_length_of_a_changed_file(void **state)
{
    fixture *f = *state;

    file_make(f, LENGTH);
    map_file(f, IRONMAP_WRITE);
    file_truncate(f, 100);
    assert_ok(ironmap_resize(f->map, 2 * LENGTH, &failure));
    assert_u64(file_length(f), 2 * LENGTH);
    assert_map_kept(f->map, 0, 100, 2 * LENGTH);
    file_truncate(f, 3 * LENGTH);
    assert_ok(ironmap_resize(f->map, 2 * LENGTH, &failure));
    assert_u64(file_length(f), 2 * LENGTH);
    file_truncate(f, 100);
    assert_ok(ironmap_resize(f->map, 2 * LENGTH, &failure));
    assert_map_kept(f->map, 0, 100, 2 * LENGTH);
}

/* Advice for a part may split the mapping. */
static void map_grows_after_advice(void **state)
{
    fixture *f = *state;
    size_t page = ironmap_page_size();

    if (inside_valgrind()) {
        skip_because("valgrind refuses to grow a mapping that is split");
    }
    file_make(f, 4 * page);
    map_file(f, IRONMAP_WRITE);
    assert_ok(ironmap_advise(f->map, page, page, IRONMAP_ADVICE_RANDOM, &failure));
    assert_ok(ironmap_resize(f->map, 400 * page, &failure));
    assert_map_kept(f->map, 0, 4 * page, 400 * page);
    assert_ok(ironmap_advise(f->map, page, page, IRONMAP_ADVICE_SEQUENTIAL, &failure));
    assert_ok(ironmap_resize(f->map, 2 * page, &failure));
    assert_map_pattern(f->map, 0, 2 * page);
}

/* ---- memory without a file ---- */

/* A shared anonymous map with 5000 bytes of the pattern grows, or stays unchanged if the system
 * cannot. */
static void assert_shared_memory_grows(fixture *f)
{
    if (traits.shared_memory_grows) {
        assert_ok(ironmap_resize(f->map, 2 * LENGTH, &failure));
        assert_map_kept(f->map, 0, 5000, 2 * LENGTH);
        assert_ok(ironmap_resize(f->map, 5000, &failure));
    } else {
        assert_fails(ironmap_resize(f->map, 2 * LENGTH, &failure), IRONMAP_E_UNSUPPORTED);
    }
    assert_map_pattern(f->map, 0, 5000);
}

static void shared_memory_shrinks(void **state)
{
    fixture *f = *state;

    map_anonymous(f, IRONMAP_WRITE, LENGTH);
    pattern_fill(ironmap_data(f->map), 0, LENGTH);
    assert_ok(ironmap_resize(f->map, LENGTH, &failure));
    assert_ok(ironmap_resize(f->map, 5000, &failure));
    assert_map_pattern(f->map, 0, 5000);
    assert_shared_memory_grows(f);
    assert_ok(ironmap_resize(f->map, 0, &failure));
    assert_u64(ironmap_length(f->map), 0);
}

/* The offset has no effect. */
static void empty_shared_memory_grows(void **state)
{
    fixture *f = *state;
    ironmap_options options = options_of(UINT64_MAX - 1, 0);

    assert_ok(ironmap_open_anonymous(&f->map, IRONMAP_WRITE, &options, &failure));
    assert_ok(ironmap_resize(f->map, 5000, &failure));
    assert_map_filled(f->map, 0, 5000, 0);
    pattern_fill(ironmap_data(f->map), 0, 5000);
    assert_shared_memory_grows(f);
}

/* ---- the position ---- */

/* Beyond the new end there is nothing to read or write, until the map grows again. */
static void resize_keeps_the_position(void **state)
{
    fixture *f = *state;
    uint8_t bytes[8];
    size_t length;

    file_make(f, LENGTH);
    map_file(f, IRONMAP_WRITE);
    assert_ok(ironmap_seek(f->map, 6000, IRONMAP_SEEK_SET, &failure));
    assert_ok(ironmap_resize(f->map, 2 * LENGTH, &failure));
    assert_u64(ironmap_tell(f->map), 6000);
    assert_ok(ironmap_resize(f->map, 6000, &failure));
    assert_u64(ironmap_tell(f->map), 6000);
    assert_ok(ironmap_resize(f->map, 5000, &failure));
    assert_u64(ironmap_tell(f->map), 6000);
    assert_ok(ironmap_read(&length, f->map, bytes, sizeof(bytes), &failure));
    assert_u64(length, 0);
    assert_ok(ironmap_line_length(&length, f->map, &failure));
    assert_u64(length, 0);
    assert_status(ironmap_read_byte(bytes, f->map, &failure), IRONMAP_E_END);
    assert_status(ironmap_write_byte(f->map, 1, &failure), IRONMAP_E_END);
    assert_status(ironmap_write(f->map, "x", 1, &failure), IRONMAP_E_RANGE);
    assert_status(ironmap_seek(f->map, 0, IRONMAP_SEEK_CUR, &failure), IRONMAP_E_RANGE);
    assert_ok(ironmap_resize(f->map, 0, &failure));
    assert_u64(ironmap_tell(f->map), 6000);
    assert_ok(ironmap_resize(f->map, 6001, &failure));
    assert_ok(ironmap_read_byte(bytes, f->map, &failure));
    assert_u64(ironmap_tell(f->map), 6001);
}

/* ---- refusals ---- */

static void unwritable_maps_are_not_resizable(void **state)
{
    static const ironmap_access accesses[] = {IRONMAP_READ, IRONMAP_COPY};
    fixture *f = *state;

    file_make(f, LENGTH);
    for (size_t i = 0; i < COUNT_OF(accesses); i++) {
        map_file(f, accesses[i]);
        assert_fails(ironmap_resize(f->map, 2 * LENGTH, &failure), IRONMAP_E_NOT_RESIZABLE);
        assert_fails(ironmap_resize(f->map, 1, &failure), IRONMAP_E_NOT_RESIZABLE);
        assert_map_pattern(f->map, 0, LENGTH);
        map_close(f);
    }
    map_anonymous(f, IRONMAP_COPY, LENGTH);
    assert_fails(ironmap_resize(f->map, 2 * LENGTH, &failure), IRONMAP_E_NOT_RESIZABLE);
    assert_file_unchanged(f, LENGTH);
}

/* It keeps address and length until the last pin is released. */
static void pinned_map_is_busy(void **state)
{
    fixture *f = *state;
    void *data;

    file_make(f, LENGTH);
    map_file(f, IRONMAP_WRITE);
    data = ironmap_data(f->map);
    ironmap_pin(f->map);
    ironmap_pin(f->map);
    assert_fails(ironmap_resize(f->map, 2 * LENGTH, &failure), IRONMAP_E_BUSY);
    ironmap_unpin(f->map);
    assert_fails(ironmap_resize(f->map, 1, &failure), IRONMAP_E_BUSY);
    assert_ptr_equal(ironmap_data(f->map), data);
    assert_map_pattern(f->map, 0, LENGTH);
    assert_file_unchanged(f, LENGTH);
    ironmap_unpin(f->map);
    assert_ok(ironmap_resize(f->map, 2 * LENGTH, &failure));
}

/* The map fits into memory, but its file would be too long. */
static void end_beyond_every_file_is_refused(void **state)
{
    fixture *f = *state;
    ironmap_options options = options_of(4096, 0);

    skip_on_32_bit();
    file_make(f, LENGTH);
    assert_ok(ironmap_open_path(&f->map, f->path, IRONMAP_WRITE, &options, &failure));
    assert_fails(ironmap_resize(f->map, SIZE_MAX / 2 - 4095, &failure), IRONMAP_E_OVERFLOW);
    assert_file_unchanged(f, LENGTH);
}

/* Whether the system can make it longer does not matter. */
static void anonymous_length_beyond_memory_is_refused(void **state)
{
    fixture *f = *state;

    map_anonymous(f, IRONMAP_WRITE, LENGTH);
    assert_fails(ironmap_resize(f->map, SIZE_MAX, &failure), IRONMAP_E_OVERFLOW);
    assert_u64(ironmap_length(f->map), LENGTH);
}

/* Nothing changes. */
static void impossible_lengths_are_refused(void **state)
{
    static const uint64_t offsets[] = {0, 4096, 5001};
    static const size_t lengths[] = {SIZE_MAX, SIZE_MAX - 4096, SIZE_MAX / 2 + 1};
    fixture *f = *state;

    file_make(f, LENGTH);
    for (size_t i = 0; i < COUNT_OF(offsets); i++) {
        ironmap_options options = options_of(offsets[i], 0);

        assert_ok(ironmap_open_path(&f->map, f->path, IRONMAP_WRITE, &options, &failure));
        for (size_t k = 0; k < COUNT_OF(lengths); k++) {
            assert_fails(ironmap_resize(f->map, lengths[k], &failure), IRONMAP_E_OVERFLOW);
        }
        assert_map_pattern(f->map, offsets[i], (size_t)(LENGTH - offsets[i]));
        map_close(f);
    }
    assert_file_unchanged(f, LENGTH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_fixture(file_grows),
        with_fixture(end_beyond_every_file_is_refused),
        with_fixture(anonymous_length_beyond_memory_is_refused),
        with_fixture(file_shrinks),
        with_fixture(cut_bytes_are_zero_when_grown_again),
        with_fixture(file_ends_where_the_map_ends),
        with_fixture(unaligned_offset_stays),
        with_fixture(maps_are_emptied_and_grow_again),
        with_fixture(empty_file_grows),
        with_fixture(resize_sets_the_length_of_a_changed_file),
        with_fixture(map_grows_after_advice),
        with_fixture(shared_memory_shrinks),
        with_fixture(empty_shared_memory_grows),
        with_fixture(resize_keeps_the_position),
        with_fixture(unwritable_maps_are_not_resizable),
        with_fixture(pinned_map_is_busy),
        with_fixture(impossible_lengths_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
