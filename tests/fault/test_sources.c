/* Bytes that a function takes may be the memory of another map: a lost page of it is an error, and
 * no byte made up for it reaches the target. */
#include "fault_support.h"

#include <ironmap/extra.h>

#define MIB ((size_t)1 << 20)

static void assert_unchanged(const ironmap_map *target)
{
    assert_true(is_filled(ironmap_data(target), ironmap_length(target), BACKGROUND));
}

static void thread_with_a_map_is_protected(void **state)
{
    (void)map_source(*state, 64 * 1024);
    assert_int_equal(ironmap_thread_protection(), IRONMAP_PROTECTED);
}

/* Must come before tests that lose pages. */
static void few_bytes_that_are_the_first_loss_are_not_stored(void **state)
{
    fixture *f = *state;
    const size_t length = 64 * 1024;

    const uint8_t *source = map_source(f, length);
    ironmap_map *target = make_target(length);
    assert_ok(ironmap_put(target, 8, source + length / 2, 8, &failure));
    assert_true(is_solid((const uint8_t *)ironmap_data(target) + 8, length / 2, 8));
    assert_ok(ironmap_fill(target, 0, BACKGROUND, length, &failure));
    file_truncate(f, length / 2);
    ironmap_error error = {.status = IRONMAP_OK};
    assert_int_equal(ironmap_put(target, 0, source + length / 2, 8, &error), IRONMAP_E_FAULT);
    assert_true(error.in_source);
    assert_u64(error.offset, length / 2);
    assert_unchanged(target);
    assert_ok(ironmap_close(target, &failure));
}

static void lost_page_of_the_source_stores_nothing(void **state)
{
    fixture *f = *state;
    const size_t length = MIB;
    const size_t lengths[] = {16, 256, 257, 4096, 64 * 1024, MIB / 2};

    const uint8_t *source = map_source(f, length);
    ironmap_map *target = make_target(length);
    file_truncate(f, length / 2);
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        const size_t from = length / 2 - lengths[i] / 2;
        ironmap_error error = {.status = IRONMAP_OK};
        assert_fault(ironmap_put(target, 1, source + from, lengths[i], &error), &error, length / 2,
                     codes.lost_page);
        assert_true(error.in_source);
        assert_unchanged(target);
    }
    assert_ok(ironmap_write(target, "plain", 5, &failure));
    assert_ok(ironmap_close(target, &failure));
}

static void long_put_keeps_the_pieces_before_a_lost_page(void **state)
{
    fixture *f = *state;
    const size_t length = 4 * MIB;

    skip_if_whole_views_are_lost();
    const uint8_t *source = map_source(f, length);
    ironmap_map *target = make_target(length);
    file_truncate(f, 5 * MIB / 2);
    assert_source_fault(ironmap_put(target, 0, source, length, &error), 5 * MIB / 2);
    const uint8_t *bytes = ironmap_data(target);
    assert_true(is_solid(bytes, 0, 2 * MIB));
    assert_true(is_filled(bytes + 2 * MIB, 2 * MIB, BACKGROUND));
    assert_ok(ironmap_close(target, &failure));
}

/* Plain bytes were found below the target, where the system then often places the source. */
static void put_plain_and_then_mapped_bytes(void *argument)
{
    static const uint8_t plain[2] = {BACKGROUND, BACKGROUND};
    fixture *f = argument;
    const size_t length = MIB;

    ironmap_map *target = make_target(length);
    assert_int_equal(ironmap_put(target, 0, plain, sizeof(plain), NULL), IRONMAP_OK);
    const uint8_t *source = map_source(f, length);
    file_truncate(f, length / 2);
    assert_source_fault(ironmap_put(target, 0, source + length / 2, sizeof(plain), &error),
                        length / 2);
    assert_unchanged(target);
    assert_ok(ironmap_close(target, &failure));
}

/* A thread remembers where it found plain bytes last. */
static void bytes_of_a_map_that_was_opened_later_are_guarded(void **state)
{
    test_thread thread;

    thread_start(&thread, put_plain_and_then_mapped_bytes, *state);
    thread_join(&thread);
}

static void strided_put_from_a_lost_page_stores_nothing(void **state)
{
    fixture *f = *state;
    const size_t length = 64 * 1024;

    const uint8_t *source = map_source(f, length);
    ironmap_map *target = make_target(length);
    assert_ok(ironmap_put_strided(target, 1, 2, source, length / 2, &failure));
    assert_int_equal(peek(target, 7), solid_byte(3));
    assert_int_equal(peek(target, 6), BACKGROUND);
    assert_ok(ironmap_fill(target, 0, BACKGROUND, length, &failure));
    file_truncate(f, length / 2);
    assert_source_fault(
        ironmap_put_strided(target, length - 1, -1, source + length / 2 - 8, 16, &error),
        length / 2);
    assert_unchanged(target);
    assert_ok(ironmap_close(target, &failure));
}

static void needle_in_a_lost_page_is_an_error(void **state)
{
    fixture *f = *state;
    const size_t length = 64 * 1024;
    uint64_t index = 0;
    size_t count = 0;
    uint64_t offsets[4];
    ironmap_matches matches = {.offsets = offsets, .capacity = 4};

    const uint8_t *source = map_source(f, length);
    ironmap_map *target = make_target(length);
    const uint8_t *needle = source + length / 2 - 8;
    assert_ok(ironmap_put(target, 1000, needle, 16, &failure));
    assert_ok(ironmap_find(&index, target, needle, 16, 0, IRONMAP_TO_END, &failure));
    assert_u64(index, 1000);
    file_truncate(f, length / 2);
    const size_t lost = length / 2;
    assert_source_fault(ironmap_find(&index, target, needle, 16, 0, IRONMAP_TO_END, &error), lost);
    assert_source_fault(ironmap_rfind(&index, target, needle, 16, 0, IRONMAP_TO_END, &error), lost);
    assert_source_fault(ironmap_count(&count, target, needle, 16, 0, IRONMAP_TO_END, &error), lost);
    assert_source_fault(ironmap_find_all(&matches, target, needle, 16, 0, IRONMAP_TO_END, &error),
                        lost);
    assert_ok(ironmap_find(&index, target, "none", 4, 0, IRONMAP_TO_END, &failure));
    assert_u64(index, IRONMAP_NOT_FOUND);
    assert_ok(ironmap_close(target, &failure));
}

static void plain_bytes_are_loaded(void **state)
{
    uint8_t bytes[] = "none";

    (void)state;
    assert_ok(ironmap_load(bytes, NULL, 0, &failure));
    assert_string_equal((const char *)bytes, "none");
    assert_ok(ironmap_load(bytes, "some", 4, &failure));
    assert_string_equal((const char *)bytes, "some");
}

/* The first and the last page of a map have bytes of its file that are none of the map's. */
static void bytes_around_a_map_are_copied(void **state)
{
    fixture *f = *state;
    const size_t length = 3 * ironmap_page_size();
    const size_t skipped = 100;
    const ironmap_options options = options_of(skipped, length - 2 * skipped);

    file_solid(f, length);
    assert_ok(ironmap_open_path(&f->map, f->path, IRONMAP_READ, &options, &failure));
    const uint8_t *data = ironmap_data(f->map);
    ironmap_map *target = make_target(length);
    assert_ok(ironmap_put(target, 0, data - skipped, length, &failure));
    assert_true(is_solid(ironmap_data(target), 0, length));
    assert_ok(ironmap_fill(target, 0, BACKGROUND, length, &failure));
    assert_ok(ironmap_put(target, 0, data - skipped, skipped, &failure));
    assert_ok(ironmap_put(target, length - 2, data + length - 2 * skipped, 2, &failure));
    const uint8_t *bytes = ironmap_data(target);
    assert_true(is_solid(bytes, 0, skipped));
    assert_true(is_filled(bytes + skipped, length - skipped - 2, BACKGROUND));
    assert_true(is_solid(bytes + length - 2, length - skipped, 2));
    assert_ok(ironmap_close(target, &failure));
}

/* The system often places the next view right below the one before. */
static void bytes_of_two_maps_are_guarded_by_both(void **state)
{
    fixture *f = *state;
    const size_t length = 64 * 1024;
    ironmap_map *other = NULL;

    const uint8_t *high = map_source(f, length);
    assert_ok(ironmap_open_path(&other, f->path, IRONMAP_READ, NULL, &failure));
    const uint8_t *low = ironmap_data(other);
    if (low > high) {
        const uint8_t *first = low;
        low = high;
        high = first;
    }
    ironmap_map *target = make_target(length);
    const uint8_t *both = low + length - 16;
    if (low + length == high) {
        assert_ok(ironmap_put(target, 0, both, 32, &failure));
        assert_true(is_solid(ironmap_data(target), length - 16, 16));
        assert_true(is_solid((const uint8_t *)ironmap_data(target) + 16, 0, 16));
        assert_ok(ironmap_fill(target, 0, BACKGROUND, length, &failure));
        file_truncate(f, length / 2);
        assert_source_fault(ironmap_put(target, 0, both, 32, &error), length - 16);
        file_truncate(f, 0);
        assert_source_fault(ironmap_put(target, 0, both + 16, 32, &error), 0);
        assert_unchanged(target);
    } else {
        print_message("the two views are not neighbours\n");
    }
    assert_ok(ironmap_close(other, &failure));
    assert_ok(ironmap_close(target, &failure));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_fixture(thread_with_a_map_is_protected),
        with_fixture(few_bytes_that_are_the_first_loss_are_not_stored),
        with_fixture(lost_page_of_the_source_stores_nothing),
        with_fixture(long_put_keeps_the_pieces_before_a_lost_page),
        with_fixture(bytes_of_a_map_that_was_opened_later_are_guarded),
        with_fixture(strided_put_from_a_lost_page_stores_nothing),
        with_fixture(needle_in_a_lost_page_is_an_error),
        with_fixture(plain_bytes_are_loaded),
        with_fixture(bytes_around_a_map_are_copied),
        with_fixture(bytes_of_two_maps_are_guarded_by_both),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
