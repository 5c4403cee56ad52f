/* An address that was exported outlives its map: it reads as zeros, never as another mapping, and
 * the use is told of. */
#include "operations.h"

#include <ironmap/extra.h>

#include <stdio.h>

enum { PAGES = 6 };

static size_t pages(size_t count)
{
    return count * ironmap_page_size();
}

/* A map of a solid file of PAGES pages, from `offset` on, that was exported. */
static uint8_t *export_map(fixture *f, ironmap_access access, size_t offset)
{
    ironmap_options options = options_of(offset, 0);

    file_solid(f, pages(PAGES));
    assert_ok(ironmap_open_path(&f->map, f->path, access, &options, &failure));
    ironmap_pin(f->map);
    ironmap_unpin(f->map);
    return ironmap_data(f->map);
}

static ironmap_reservation *close_reserving(fixture *f)
{
    ironmap_reservation *kept = NULL;

    assert_ok(ironmap_close_reserving(&kept, f->map, &failure));
    f->map = NULL;
    return kept;
}

static uint8_t load(const uint8_t *address)
{
    return *(const volatile uint8_t *)address;
}

static void store(uint8_t *address, uint8_t byte)
{
    *(volatile uint8_t *)address = byte;
}

/* The use at `offset` is told of. */
static void assert_told(const ironmap_reservation *kept, uint64_t offset)
{
    char text[200];
    ironmap_error error = {0};

    assert_fault(ironmap_reservation_check(kept, &error), &error, offset, codes.lost_page);
    (void)ironmap_error_text(text, sizeof(text), &error);
    assert_non_null(strstr(text, "used after the map was closed"));
}

/* ---- close ----------------------------------------------------------------------------------- */

static void address_reads_zeros_after_close(void **state)
{
    fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(all_accesses); i++) {
        uint8_t *data = export_map(f, all_accesses[i], 0);
        ironmap_reservation *kept = close_reserving(f);
        assert_non_null(kept);
        assert_ok(ironmap_reservation_check(kept, &failure));
        assert_int_equal(load(data + pages(2) + 5), 0);
        for (size_t at = 0; at < pages(PAGES); at += 511) {
            assert_int_equal(load(data + at), 0);
        }
        assert_told(kept, pages(2) + 5);
        ironmap_reservation_free(kept);
    }
}

static void stores_after_close_reach_no_file(void **state)
{
    fixture *f = *state;
    uint8_t *data = export_map(f, IRONMAP_WRITE, 0);
    ironmap_reservation *kept = close_reserving(f);

    store(data + 3, 'x');
    assert_int_equal(load(data + 3), 'x');
    assert_told(kept, 3);
    map_file(f, IRONMAP_READ);
    assert_map_solid(f->map);
    map_close(f);
    ironmap_reservation_free(kept);
}

/* The map begins inside its first page, whose first byte is no byte of the map. */
static void place_of_a_use_counts_from_the_map(void **state)
{
    fixture *f = *state;
    uint8_t *data = export_map(f, IRONMAP_READ, 100);
    ironmap_reservation *kept = close_reserving(f);

    assert_int_equal(load(data + 50), 0);
    assert_told(kept, 50);
    ironmap_reservation_free(kept);

    data = export_map(f, IRONMAP_READ, 100);
    kept = close_reserving(f);
    assert_int_equal(load(data - 100), 0);
    assert_told(kept, 0);
    ironmap_reservation_free(kept);
}

static void map_that_was_never_exported_keeps_nothing(void **state)
{
    fixture *f = *state;
    int anything = 0;
    ironmap_reservation *kept = (ironmap_reservation *)(void *)&anything;

    file_solid(f, pages(PAGES));
    map_file(f, IRONMAP_WRITE);
    assert_false(ironmap_was_exported(f->map));
    assert_ok(ironmap_close_reserving(&kept, f->map, &failure));
    f->map = NULL;
    assert_null(kept);
    ironmap_reservation_free(kept);
    assert_ok(ironmap_close_reserving(&kept, NULL, &failure));
    assert_null(kept);
}

static void pinned_map_stays_open(void **state)
{
    fixture *f = *state;
    ironmap_reservation *kept = NULL;
    uint8_t *data = export_map(f, IRONMAP_READ, 0);

    assert_true(ironmap_was_exported(f->map));
    ironmap_pin(f->map);
    assert_fails(ironmap_close_reserving(&kept, f->map, &failure), IRONMAP_E_BUSY);
    assert_null(kept);
    assert_int_equal(load(data + 7), solid_byte(7));
    ironmap_unpin(f->map);
}

/* No other map gets the addresses. */
static void kept_addresses_are_not_given_away(void **state)
{
    fixture *f = *state;
    const uint8_t *data = export_map(f, IRONMAP_WRITE, 0);
    ironmap_reservation *kept = close_reserving(f);
    ironmap_map *others[64];

    for (size_t i = 0; i < COUNT_OF(others); i++) {
        assert_ok(ironmap_open_path(&others[i], f->path, IRONMAP_WRITE, NULL, &failure));
        const uint8_t *other = ironmap_data(others[i]);
        assert_true(other + pages(PAGES) <= data || other >= data + pages(PAGES));
    }
    assert_int_equal(load(data), 0);
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        assert_ok(ironmap_close(others[i], &failure));
    }
    ironmap_reservation_free(kept);
}

/* Memory without a file is not in the registry while it is open. */
static void addresses_of_memory_are_kept(void **state)
{
    fixture *f = *state;
    const ironmap_access accesses[] = {IRONMAP_WRITE, IRONMAP_COPY};

    for (size_t i = 0; i < COUNT_OF(accesses); i++) {
        map_anonymous(f, accesses[i], pages(3));
        assert_ok(ironmap_fill(f->map, 0, 'x', IRONMAP_TO_END, &failure));
        uint8_t *data = ironmap_data(f->map);
        ironmap_pin(f->map);
        ironmap_unpin(f->map);
        ironmap_reservation *kept = close_reserving(f);
        assert_int_equal(load(data + pages(1)), 0);
        assert_told(kept, pages(1));
        ironmap_reservation_free(kept);
    }
}

static void addresses_of_a_tag_are_kept(void **state)
{
    fixture *f = *state;
    char name[64];
    ironmap_options options = options_of(0, pages(2));

    (void)snprintf(name, sizeof(name), "addresses-%llu", (unsigned long long)process_number());
    options.tag = name;
    assert_ok(ironmap_open_anonymous(&f->map, IRONMAP_WRITE, &options, &failure));
    assert_ok(ironmap_fill(f->map, 0, 'x', IRONMAP_TO_END, &failure));
    ironmap_pin(f->map);
    ironmap_unpin(f->map);
    const uint8_t *data = ironmap_data(f->map);
    ironmap_reservation *kept = close_reserving(f);
    assert_int_equal(load(data + 9), 0);
    assert_told(kept, 9);
    options.length = 0;
    assert_status(ironmap_open_anonymous(&f->map, IRONMAP_WRITE, &options, &failure),
                  IRONMAP_E_NO_TAG);
    ironmap_reservation_free(kept);
}

/* Nothing is stored or looked for that was made up for bytes at an address of a closed map. The
 * error tells of it, so that no use is noted. */
static void bytes_of_a_closed_map_are_an_error(void **state)
{
    fixture *f = *state;
    const uint8_t *data = export_map(f, IRONMAP_WRITE, 100);
    ironmap_reservation *kept = close_reserving(f);
    ironmap_map *target = make_target(pages(PAGES));
    uint8_t bytes[16];
    char text[200];
    ironmap_error told = {0};
    uint64_t index = 0;
    size_t count = 0;
    uint64_t offsets[4];
    ironmap_matches matches = {.offsets = offsets, .capacity = 4};

    assert_source_fault(ironmap_put(target, 0, data, 1, &error), 0);
    assert_source_fault(ironmap_put(target, 0, data + 9, pages(2), &error), 9);
    assert_source_fault(ironmap_put(target, 0, data - 100, 200, &error), 0);
    assert_source_fault(ironmap_write(target, data + 50, 16, &error), 50);
    assert_source_fault(ironmap_put_strided(target, 0, 2, data + 50, 16, &error), 50);
    assert_source_fault(ironmap_find(&index, target, data + 5, 16, 0, IRONMAP_TO_END, &error), 5);
    assert_source_fault(ironmap_rfind(&index, target, data + 5, 16, 0, IRONMAP_TO_END, &error), 5);
    assert_source_fault(ironmap_count(&count, target, data + 5, 16, 0, IRONMAP_TO_END, &error), 5);
    assert_source_fault(ironmap_find_all(&matches, target, data + 5, 16, 0, IRONMAP_TO_END, &error),
                        5);
    assert_source_fault(ironmap_load(bytes, data + 7, sizeof(bytes), &error), 7);
    assert_int_equal(ironmap_put(target, 0, data, 1, NULL), IRONMAP_E_FAULT);
    assert_int_equal(ironmap_put(target, 0, data, 1, &told), IRONMAP_E_FAULT);
    (void)ironmap_error_text(text, sizeof(text), &told);
    assert_non_null(strstr(text, "used after the map was closed"));
    assert_true(is_filled(ironmap_data(target), pages(PAGES), BACKGROUND));
    assert_u64(ironmap_tell(target), 0);
    assert_ok(ironmap_reservation_check(kept, &failure));
    assert_ok(ironmap_close(target, &failure));
    ironmap_reservation_free(kept);
}

/* Damage that was told or cleared before is over. Damage that was not told is told later. */
static void damage_from_before_is_told_once(void **state)
{
    fixture *f = *state;
    const uint8_t *data = NULL;

    for (int told = 0; told < 2; told++) {
        data = export_map(f, IRONMAP_READ, 0);
        file_truncate(f, pages(2));
        assert_int_equal(load(data + pages(3)), 0);
        if (told) {
            ironmap_note_told_damage(f->map, ironmap_damage_count(f->map));
        }
        ironmap_reservation *kept = close_reserving(f);
        if (told) {
            assert_ok(ironmap_reservation_check(kept, &failure));
        } else {
            assert_status(ironmap_reservation_check(kept, &failure), IRONMAP_E_FAULT);
        }
        assert_int_equal(load(data), 0);
        assert_status(ironmap_reservation_check(kept, &failure), IRONMAP_E_FAULT);
        ironmap_reservation_free(kept);
    }
    data = export_map(f, IRONMAP_READ, 0);
    file_truncate(f, pages(2));
    assert_int_equal(load(data + pages(3)), 0);
    file_solid(f, pages(PAGES));
    assert_ok(ironmap_clear_damage(f->map, &failure));
    ironmap_reservation *kept = close_reserving(f);
    assert_ok(ironmap_reservation_check(kept, &failure));
    ironmap_reservation_free(kept);
}

static void empty_map_keeps_nothing_to_use(void **state)
{
    fixture *f = *state;

    map_anonymous(f, IRONMAP_WRITE, 0);
    ironmap_pin(f->map);
    ironmap_unpin(f->map);
    ironmap_reservation *kept = close_reserving(f);
    assert_ok(ironmap_reservation_check(kept, &failure));
    ironmap_reservation_free(kept);
}

/* Neither addresses nor descriptors are left. */
static void freed_reservations_leave_nothing(void **state)
{
    fixture *f = *state;
    size_t regions = 0;

    for (int i = 0; i < 2000; i++) {
        if (i == 10) {
            regions = mapped_regions();
        }
        const uint8_t *data = export_map(f, IRONMAP_WRITE, 0);
        ironmap_reservation *kept = close_reserving(f);
        assert_int_equal(load(data), 0);
        ironmap_reservation_free(kept);
    }
    assert_true(mapped_regions() <= regions + 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_fixture(address_reads_zeros_after_close),
        with_fixture(stores_after_close_reach_no_file),
        with_fixture(place_of_a_use_counts_from_the_map),
        with_fixture(map_that_was_never_exported_keeps_nothing),
        with_fixture(pinned_map_stays_open),
        with_fixture(kept_addresses_are_not_given_away),
        with_fixture(addresses_of_memory_are_kept),
        with_fixture(addresses_of_a_tag_are_kept),
        with_fixture(bytes_of_a_closed_map_are_an_error),
        with_fixture(damage_from_before_is_told_once),
        with_fixture(empty_map_keeps_nothing_to_use),
        with_fixture(freed_reservations_leave_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
