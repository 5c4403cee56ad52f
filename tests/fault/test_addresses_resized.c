/* An address that a resize has left reads as zeros, and its use is damage of the map. */
#include "operations.h"
#include "support_posix.h"

#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>

enum { PAGES = 6 };

static size_t pages(size_t count)
{
    return count * ironmap_page_size();
}

/* A map of a solid file of PAGES pages, from `offset` on, that was exported. */
static uint8_t *export_map(fixture *f, size_t offset)
{
    const ironmap_options options = options_of(offset, 0);

    file_solid(f, pages(PAGES));
    assert_ok(ironmap_open_path(&f->map, f->path, IRONMAP_WRITE, &options, &failure));
    ironmap_pin(f->map);
    ironmap_unpin(f->map);
    return ironmap_data(f->map);
}

static uint8_t *export_private_memory(fixture *f)
{
    map_memory(f, MAP_PRIVATE, PROT_READ | PROT_WRITE, pages(PAGES));
    assert_ok(ironmap_fill(f->map, 0, 'p', IRONMAP_TO_END, &failure));
    ironmap_pin(f->map);
    ironmap_unpin(f->map);
    return ironmap_data(f->map);
}

static uint8_t load(const uint8_t *address)
{
    return *(const volatile uint8_t *)address;
}

/* Maps a page right behind the map, and what it keeps there, so that the map cannot grow there. */
static void block_growth(const ironmap_map *map)
{
    uintptr_t end = (uintptr_t)ironmap_data(map) + ironmap_length(map);
    void *wanted = (void *)((end + pages(1) - 1) / pages(1) * pages(1));

    for (int i = 0; i < 100000; i++) {
        void *got = mmap(wanted, pages(1), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        assert_true(got != MAP_FAILED);
        if (got == wanted) {
            return;
        }
        (void)munmap(got, pages(1));
        wanted = (uint8_t *)wanted + pages(1);
    }
    fail();
}

/* Every operation reports the use at `offset`, until the damage is cleared. */
static void assert_told(fixture *f, uint64_t offset)
{
    char text[200];
    ironmap_error error = {0};
    uint64_t begin = 0;
    size_t length = 0;
    uint8_t byte = 0;

    assert_true(ironmap_is_damaged(f->map));
    assert_true(ironmap_has_untold_damage(f->map));
    assert_fault(ironmap_get_byte(&byte, f->map, 0, &error), &error, offset, codes.lost_page);
    (void)ironmap_error_text(text, sizeof(text), &error);
    assert_non_null(strstr(text, "used at an address from before a resize"));
    assert_fault(ironmap_check_damage(f->map, &error), &error, offset, codes.lost_page);
    assert_ok(ironmap_damage(&begin, &length, f->map, 0, &failure));
    assert_u64(begin, offset);
    assert_u64(length, 1);
    assert_ok(ironmap_damage(&begin, &length, f->map, offset + 1, &failure));
    assert_u64(begin, IRONMAP_NOT_FOUND);
    assert_ok(ironmap_clear_damage(f->map, &failure));
    assert_false(ironmap_is_damaged(f->map));
    assert_ok(ironmap_get_byte(&byte, f->map, 0, &failure));
}

/* The error of bytes at addresses that the map has left; none of them was touched. */
static void assert_left_bytes_are_an_error(fixture *f, const uint8_t *bytes, size_t length,
                                           uint64_t offset)
{
    ironmap_map *target = make_target(length);
    uint64_t index = 0;

    for (int own = 0; own < 2; own++) {
        ironmap_map *map = own ? f->map : target;
        assert_source_fault(ironmap_put(map, 0, bytes, length, &error), offset);
        assert_source_fault(ironmap_find(&index, map, bytes, length, 0, IRONMAP_TO_END, &error),
                            offset);
    }
    assert_true(is_filled(ironmap_data(target), length, BACKGROUND));
    assert_true(is_solid(ironmap_data(f->map), 0, pages(3)));
    assert_false(ironmap_is_damaged(f->map));
    assert_ok(ironmap_close(target, &failure));
}

/* ---- shorter --------------------------------------------------------------------------------- */

static void address_behind_the_new_end_reads_zeros(void **state)
{
    fixture *f = *state;
    const uint8_t *data = export_map(f, 100);

    assert_ok(ironmap_resize(f->map, pages(2), &failure));
    assert_ptr_equal(ironmap_data(f->map), data);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(load(data + pages(4)), 0);
        assert_told(f, pages(4));
    }
    assert_map_solid(f->map);
    assert_u64(file_length(f), pages(2) + 100);
}

static void bytes_behind_the_new_end_are_an_error(void **state)
{
    fixture *f = *state;
    const uint8_t *data = export_map(f, 0);

    assert_ok(ironmap_resize(f->map, pages(3), &failure));
    assert_left_bytes_are_an_error(f, data + pages(4), 16, pages(4));
    assert_left_bytes_are_an_error(f, data + pages(3) - 8, 16, pages(3));
}

static void bytes_of_a_map_that_has_moved_are_an_error(void **state)
{
    fixture *f = *state;
    const uint8_t *data = export_map(f, 0);

    block_growth(f->map);
    assert_ok(ironmap_resize(f->map, pages(2 * PAGES), &failure));
    assert_ptr_not_equal(ironmap_data(f->map), data);
    assert_left_bytes_are_an_error(f, data + 5, 16, 5);
}

/* The page in which the map ends is its own. */
static void rest_of_the_last_page_is_no_left_address(void **state)
{
    fixture *f = *state;
    const uint8_t *data = export_map(f, 0);

    assert_ok(ironmap_resize(f->map, pages(2) - 5, &failure));
    assert_int_equal(load(data + pages(2) - 1), 0);
    assert_false(ironmap_is_damaged(f->map));
    assert_int_equal(load(data + pages(2)), 0);
    assert_told(f, pages(2));
}

static void all_that_a_map_leaves_step_by_step_reads_zeros(void **state)
{
    fixture *f = *state;
    const uint8_t *data = export_map(f, 0);

    assert_ok(ironmap_resize(f->map, pages(4), &failure));
    assert_ok(ironmap_resize(f->map, pages(2), &failure));
    for (size_t left = 2; left < PAGES; left++) {
        assert_int_equal(load(data + pages(left)), 0);
        assert_told(f, pages(left));
    }
}

static void map_grows_over_what_it_has_left(void **state)
{
    fixture *f = *state;
    uint8_t *data = export_map(f, 0);
    const uint8_t byte = 'x';

    for (int round = 0; round < 3; round++) {
        assert_ok(ironmap_resize(f->map, pages(1), &failure));
        assert_ok(ironmap_resize(f->map, pages(3), &failure));
        assert_int_equal(load(data + pages(4)), 0);
        assert_told(f, pages(4));
        assert_ok(ironmap_resize(f->map, pages(PAGES), &failure));
        assert_ptr_equal(ironmap_data(f->map), data);
        assert_map_filled(f->map, pages(3), pages(3), 0);
        assert_ok(ironmap_put(f->map, pages(4), &byte, 1, &failure));
        assert_int_equal(load(data + pages(4)), 'x');
        assert_false(ironmap_is_damaged(f->map));
        assert_file(f, pages(4), &byte, 1);
    }
}

static void private_memory_grows_over_what_it_has_left(void **state)
{
    fixture *f = *state;
    const uint8_t *data = export_private_memory(f);

    assert_ok(ironmap_resize(f->map, pages(2), &failure));
    assert_int_equal(load(data + pages(5)), 0);
    assert_told(f, pages(5));
    assert_ok(ironmap_resize(f->map, pages(5), &failure));
    assert_ptr_equal(ironmap_data(f->map), data);
    assert_map_filled(f->map, 0, pages(2), 'p');
    assert_map_filled(f->map, pages(2), pages(3), 0);
}

static void address_of_a_map_of_nothing_reads_zeros(void **state)
{
    fixture *f = *state;
    const uint8_t *data = export_map(f, 0);
    ironmap_error error = {0};

    assert_ok(ironmap_resize(f->map, 0, &failure));
    assert_int_equal(load(data + pages(1) + 1), 0);
    assert_fault(ironmap_check_damage(f->map, &error), &error, pages(1) + 1, codes.lost_page);
    assert_ok(ironmap_clear_damage(f->map, &failure));
    assert_ok(ironmap_resize(f->map, pages(2), &failure));
    assert_map_filled(f->map, 0, pages(2), 0);
    assert_int_equal(load(data), 0);
    assert_told(f, 0);
}

/* ---- elsewhere ------------------------------------------------------------------------------- */

static void address_from_before_a_move_reads_zeros(void **state)
{
    fixture *f = *state;

    for (int private = 0; private < 2; private++) {
        uint8_t *data = private ? export_private_memory(f) : export_map(f, 0);
        block_growth(f->map);
        assert_ok(ironmap_resize(f->map, pages(PAGES + 3), &failure));
        assert_ptr_not_equal(ironmap_data(f->map), data);
        *(volatile uint8_t *)(data + pages(2) + 3) = 'x';
        assert_int_equal(load(data + pages(2) + 3), 'x');
        assert_int_equal(load(data), 0);
        assert_told(f, pages(2) + 3);
        assert_int_equal(load(data + pages(2) + 3), 0);
        assert_told(f, pages(2) + 3);
        assert_map_filled(f->map, pages(PAGES), pages(3), 0);
        if (private) {
            assert_map_filled(f->map, 0, pages(PAGES), 'p');
        }
        map_close(f);
    }
}

/* What is left is at most what the map has, its room to grow included. */
static void map_that_grows_often_moves_seldom(void **state)
{
    fixture *f = *state;
    const uint8_t *data = export_map(f, 0);
    size_t left = 0;
    size_t before = pages(PAGES);

    for (size_t count = PAGES + 1; count < PAGES + 100; count++) {
        block_growth(f->map);
        assert_ok(ironmap_resize(f->map, pages(count), &failure));
        if (ironmap_data(f->map) != data) {
            left += before;
            before = 2 * pages(count);
            data = ironmap_data(f->map);
        }
        assert_true(left <= before);
    }
    assert_true(before >= pages(PAGES + 99));
    assert_true(left > 0);
}

/* A left address that lies behind the new view by chance is none of its bytes. */
static void map_does_not_grow_over_another_place_it_has_left(void **state)
{
    fixture *f = *state;
    const uint8_t *first = export_map(f, 0);

    block_growth(f->map);
    for (size_t count = PAGES + 1; count < 40 * PAGES; count += 3) {
        assert_ok(ironmap_resize(f->map, pages(count), &failure));
        const uint8_t *data = ironmap_data(f->map);
        assert_true(data + pages(count) <= first || data >= first + pages(PAGES));
    }
    assert_int_equal(load(first + 9), 0);
    assert_told(f, 9);
}

/* ---- afterwards ------------------------------------------------------------------------------ */

static void left_addresses_are_kept_after_close(void **state)
{
    fixture *f = *state;
    ironmap_error error = {0};
    ironmap_reservation *kept = NULL;
    const uint8_t *data = export_map(f, 0);

    size_t overhead = ironmap_overhead(f->map);
    assert_ok(ironmap_resize(f->map, pages(3), &failure));
    block_growth(f->map);
    assert_ok(ironmap_resize(f->map, pages(4 * PAGES), &failure));
    assert_in_range(ironmap_overhead(f->map), overhead + 1, 8 * overhead);
    overhead = ironmap_overhead(f->map);
    const uint8_t *second = ironmap_data(f->map);
    assert_ok(ironmap_close_reserving(&kept, f->map, &failure));
    f->map = NULL;
    assert_u64(ironmap_reservation_overhead(kept), overhead);
    assert_ok(ironmap_reservation_check(kept, &failure));
    assert_int_equal(load(data + pages(5) + 1), 0);
    assert_fault(ironmap_reservation_check(kept, &error), &error, pages(5) + 1, codes.lost_page);
    assert_int_equal(load(second + pages(9)), 0);
    ironmap_reservation_free(kept);
}

/* ---- threads --------------------------------------------------------------------------------- */

typedef struct reader {
    test_thread thread;
    const uint8_t *data;
    atomic_bool done;
    size_t strange;
} reader;

/* What it may see: the map's own bytes, or zeros. */
static void read_all(void *argument)
{
    reader *r = argument;

    while (!atomic_load(&r->done)) {
        for (size_t at = 0; at < pages(PAGES); at += 997) {
            uint8_t byte = load(r->data + at);
            r->strange += byte != 0 && byte != solid_byte(at);
        }
    }
}

/* While one thread resizes the map and truncates its file, others use an address without a pin. */
static void threads_use_an_address_of_a_map_that_is_resized(void **state)
{
    fixture *f = *state;
    reader readers[2];
    const size_t lengths[] = {2, 6, 1, 40, 3, 5};

    for (size_t i = 0; i < COUNT_OF(readers); i++) {
        readers[i].data = i == 0 ? export_map(f, 0) : readers[0].data;
        readers[i].strange = 0;
        atomic_init(&readers[i].done, false);
    }
    for (size_t i = 0; i < COUNT_OF(readers); i++) {
        thread_start(&readers[i].thread, read_all, &readers[i]);
    }
    for (size_t i = 0; i < 600; i++) {
        ignore(ironmap_clear_damage(f->map, NULL));
        ignore(ironmap_resize(f->map, pages(lengths[i % COUNT_OF(lengths)]), NULL));
        if (i % 5 == 0) {
            file_truncate(f, pages(1));
        }
    }
    for (size_t i = 0; i < COUNT_OF(readers); i++) {
        atomic_store(&readers[i].done, true);
        thread_join(&readers[i].thread);
        assert_u64(readers[i].strange, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_fixture(address_behind_the_new_end_reads_zeros),
        with_fixture(bytes_behind_the_new_end_are_an_error),
        with_fixture(bytes_of_a_map_that_has_moved_are_an_error),
        with_fixture(rest_of_the_last_page_is_no_left_address),
        with_fixture(all_that_a_map_leaves_step_by_step_reads_zeros),
        with_fixture(map_grows_over_what_it_has_left),
        with_fixture(private_memory_grows_over_what_it_has_left),
        with_fixture(address_of_a_map_of_nothing_reads_zeros),
        with_fixture(address_from_before_a_move_reads_zeros),
        with_fixture(map_that_grows_often_moves_seldom),
        with_fixture(map_does_not_grow_over_another_place_it_has_left),
        with_fixture(left_addresses_are_kept_after_close),
        with_fixture(threads_use_an_address_of_a_map_that_is_resized),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
