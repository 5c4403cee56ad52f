/* Lost pages at the edge of what an operation touches: the source of a move, a needle inside the
 * map, the last byte of a match. */
#include "fault_support_posix.h"

#include <stdlib.h>
#include <sys/mman.h>

enum { PAGES = 8, KEPT_PAGES = 4, COUNT = 100 };

static size_t kept(void)
{
    return KEPT_PAGES * ironmap_page_size();
}

/* The pages from kept() on are lost. */
static void map_half(fixture *f)
{
    file_solid(f, PAGES * ironmap_page_size());
    map_file(f, IRONMAP_WRITE);
    file_truncate(f, kept());
}

static void assert_solid(const fixture *f, size_t offset, size_t length)
{
    uint8_t bytes[1024];

    assert_true(length <= sizeof(bytes));
    assert_ok(ironmap_get(f->map, offset, bytes, length, &failure));
    assert_true(is_solid(bytes, offset, length));
}

static int store_into_a_lost_page(void *argument)
{
    const fixture *f = argument;

    *(volatile uint8_t *)((uintptr_t)ironmap_data(f->map) + kept()) = 1;
    return 0;
}

/* The zeros in its place are as the map. */
static void lost_page_of_a_map_to_read_cannot_be_written(void **state)
{
    fixture *f = *state;

    file_solid(f, PAGES * ironmap_page_size());
    map_file(f, IRONMAP_READ);
    file_truncate(f, kept());
    assert_int_equal(peek(f->map, kept()), 0);
    assert_int_not_equal(fate_of(store_into_a_lost_page, f), 0);
}

static void move_from_a_lost_page_stores_nothing(void **state)
{
    fixture *f = *state;
    ironmap_error error = {0};
    size_t lost = kept() + ironmap_page_size();

    map_half(f);
    assert_fault(ironmap_move(f->map, 7, lost, COUNT, &error), &error, lost, codes.lost_page);
    assert_solid(f, 0, 7 + COUNT);
}

/* The byte is one of the map that is stored into, which is no other map's error. */
static void put_from_a_lost_page_of_the_same_map_stores_nothing(void **state)
{
    fixture *f = *state;
    ironmap_error error = {0};

    map_half(f);
    const uint8_t *own = (const uint8_t *)ironmap_data(f->map) + kept();
    assert_fault(ironmap_put(f->map, 7, own, COUNT, &error), &error, kept(), codes.lost_page);
    assert_false(error.in_source);
    assert_solid(f, 0, 7 + COUNT);
}

/* The bytes before the lost page are not moved either. */
static void move_that_ends_in_a_lost_page_stores_nothing(void **state)
{
    fixture *f = *state;
    ironmap_error error = {0};

    map_half(f);
    assert_fault(ironmap_move(f->map, 7, kept() - COUNT / 2, COUNT, &error), &error, kept(),
                 codes.lost_page);
    assert_solid(f, 0, 7 + COUNT);
}

/* Bytes that lie apart, stored from the map's own memory. */
static void strided_store_from_a_lost_page_stores_nothing(void **state)
{
    fixture *f = *state;
    ironmap_error error = {0};

    map_half(f);
    const uint8_t *own = (const uint8_t *)ironmap_data(f->map) + kept();
    assert_fault(ironmap_put_strided(f->map, 7, 2, own, COUNT, &error), &error, kept(),
                 codes.lost_page);
    assert_solid(f, 0, 7 + 2 * COUNT);
}

/* The error is of the first lost byte in the map, whatever the direction. */
static void strided_load_backward_names_the_first_lost_byte(void **state)
{
    fixture *f = *state;
    uint8_t bytes[COUNT] = {0};
    ironmap_error error = {0};
    size_t start = kept() + COUNT / 2;

    skip_if_whole_views_are_lost();
    map_half(f);
    assert_fault(ironmap_get_strided(f->map, start, -1, bytes, COUNT, &error), &error, kept(),
                 codes.lost_page);
}

/* Every search for the needle in a part of the map fails, and leaves the results as they were. A
 * lost page is no damage. */
static void assert_searches_fail(fixture *f, const uint8_t *needle, size_t size, size_t from,
                                 size_t length)
{
    uint64_t index = 77;
    size_t count = 77;
    uint64_t offsets[1] = {0};
    ironmap_matches matches = {.offsets = offsets, .capacity = 1, .found = 77};

    assert_status(ironmap_find(&index, f->map, needle, size, from, length, &failure),
                  IRONMAP_E_FAULT);
    assert_false(ironmap_is_damaged(f->map));
    assert_status(ironmap_rfind(&index, f->map, needle, size, from, length, &failure),
                  IRONMAP_E_FAULT);
    assert_u64(index, 77);
    assert_status(ironmap_count(&count, f->map, needle, size, from, length, &failure),
                  IRONMAP_E_FAULT);
    assert_u64(count, 77);
    assert_status(ironmap_find_all(&matches, f->map, needle, size, from, length, &failure),
                  IRONMAP_E_FAULT);
    assert_u64(matches.found, 77);
    assert_u64(matches.next, 0);
    assert_false(ironmap_is_damaged(f->map));
}

/* The needle's zeros are not searched for. */
static void needle_in_a_lost_page_is_an_error(void **state)
{
    static const size_t sizes[] = {8, 100};
    fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        map_half(f);
        const uint8_t *lost = (const uint8_t *)ironmap_data(f->map) + kept() + ironmap_page_size();
        assert_searches_fail(f, lost, sizes[i], 0, kept());
        map_close(f);
    }
}

/* Where the bytes that are there fit, those that are not decide. */
static void match_that_ends_in_a_lost_page_is_an_error(void **state)
{
    fixture *f = *state;
    uint8_t needle[9];
    size_t start = kept() - 5;

    file_solid(f, PAGES * ironmap_page_size());
    map_file(f, IRONMAP_WRITE);
    solid_fill(needle, start, sizeof(needle));
    file_truncate(f, kept());
    assert_searches_fail(f, needle, sizeof(needle), start - COUNT, COUNT + sizeof(needle));
}

/* The bytes of the lost page decide nothing. */
static void match_before_a_lost_page_is_found(void **state)
{
    fixture *f = *state;
    uint8_t needle[9];
    uint64_t index = 0;
    size_t start = kept() - sizeof(needle);

    skip_if_whole_views_are_lost();
    map_half(f);
    solid_fill(needle, start, sizeof(needle));
    assert_ok(ironmap_find(&index, f->map, needle, sizeof(needle), start - COUNT,
                           COUNT + sizeof(needle), &failure));
    assert_u64(index, start);
}

/* Nothing is read or written, so the position and the results stay. */
static void position_before_a_lost_page_stays(void **state)
{
    fixture *f = *state;
    uint8_t bytes[COUNT] = {7};
    size_t length = 77;

    skip_without_pages_beyond_a_file();
    map_half(f);
    assert_ok(ironmap_seek(f->map, (int64_t)kept(), IRONMAP_SEEK_SET, &failure));
    assert_status(ironmap_read(&length, f->map, bytes, COUNT, &failure), IRONMAP_E_FAULT);
    assert_status(ironmap_readline(&length, f->map, bytes, COUNT, &failure), IRONMAP_E_FAULT);
    assert_u64(length, 77);
    assert_u64(ironmap_tell(f->map), kept());
    assert_status(ironmap_read_byte(bytes, f->map, &failure), IRONMAP_E_FAULT);
    assert_u64(ironmap_tell(f->map), kept());
    assert_status(ironmap_write(f->map, "bytes", 5, &failure), IRONMAP_E_FAULT);
    assert_u64(ironmap_tell(f->map), kept());
    assert_status(ironmap_write_byte(f->map, 'b', &failure), IRONMAP_E_FAULT);
    assert_u64(ironmap_tell(f->map), kept());
}

/* ---- buffers that are the map's own memory in part ---- */

/* Maps a page in front of the map's memory. False if something else is there. */
static bool map_page_before(const ironmap_map *map)
{
#ifdef MAP_FIXED_NOREPLACE
    size_t page = ironmap_page_size();
    uint8_t *place = (uint8_t *)ironmap_data(map) - page;
    void *got = mmap(place, page, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

    if (got != MAP_FAILED && got != place) {
        (void)munmap(got, page);
    }
    return got == place;
#else
    (void)map;
    return false;
#endif
}

/* The bytes arrive as by memmove(3), and a lost page among them is told. */
static void buffer_that_ends_inside_the_map_is_its_own(void **state)
{
    fixture *f = *state;
    const size_t page = ironmap_page_size();
    const size_t length = ((size_t)3 << 20) / page * page;
    uint8_t *expected = malloc(length);
    ironmap_error error = {.offset = 0};

    assert_non_null(expected);
    file_solid(f, length);
    map_file(f, IRONMAP_WRITE);
    if (!map_page_before(f->map)) {
        free(expected);
        skip_because("there is something in front of the map");
    }
    uint8_t *before = (uint8_t *)ironmap_data(f->map) - page;
    memset(before, 7, page);
    memcpy(expected, before, length);
    assert_ok(ironmap_put(f->map, 0, before, length, &failure));
    assert_memory_equal(ironmap_data(f->map), expected, length);
    file_truncate(f, length / 2);
    assert_int_equal(ironmap_put(f->map, 0, before, length, &error), IRONMAP_E_FAULT);
    assert_in_range(error.offset, length / 2 / page * page, length);
    file_truncate(f, length / 4);
    assert_int_equal(ironmap_get(f->map, 0, before, length, &error), IRONMAP_E_FAULT);
    assert_in_range(error.offset, length / 4 / page * page, length);
    (void)munmap(before, page);
    free(expected);
}

/* A map that has become shorter leaves room for plain memory right behind it. */
static void bytes_that_run_on_behind_another_map_are_guarded_in_it(void **state)
{
    fixture *f = *state;
    const size_t page = ironmap_page_size();
    ironmap_error error = {0};

    file_solid(f, 3 * page);
    map_file(f, IRONMAP_WRITE);
    assert_ok(ironmap_resize(f->map, page, &failure));
    const uint8_t *end = (const uint8_t *)ironmap_data(f->map) + page;
    uint8_t *plain = mmap((void *)(uintptr_t)end, page, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(plain != MAP_FAILED);
    if (plain != end) {
        (void)munmap(plain, page);
        skip_because("the system has placed the memory elsewhere");
    }
    memset(plain, 'p', page);
    ironmap_map *target = make_target(32);
    assert_ok(ironmap_put(target, 0, end - 16, 32, &failure));
    const uint8_t *bytes = ironmap_data(target);
    assert_true(is_solid(bytes, page - 16, 16));
    assert_true(is_filled(bytes + 16, 16, 'p'));
    assert_ok(ironmap_fill(target, 0, BACKGROUND, 32, &failure));
    file_truncate(f, 0);
    assert_fault(ironmap_put(target, 0, end - 16, 32, &error), &error, page - 16, codes.lost_page);
    assert_true(error.in_source);
    assert_true(is_filled(ironmap_data(target), 32, BACKGROUND));
    assert_ok(ironmap_close(target, &failure));
    (void)munmap(plain, page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_fixture(lost_page_of_a_map_to_read_cannot_be_written),
        with_fixture(move_from_a_lost_page_stores_nothing),
        with_fixture(put_from_a_lost_page_of_the_same_map_stores_nothing),
        with_fixture(buffer_that_ends_inside_the_map_is_its_own),
        with_fixture(move_that_ends_in_a_lost_page_stores_nothing),
        with_fixture(strided_store_from_a_lost_page_stores_nothing),
        with_fixture(strided_load_backward_names_the_first_lost_byte),
        with_fixture(needle_in_a_lost_page_is_an_error),
        with_fixture(match_that_ends_in_a_lost_page_is_an_error),
        with_fixture(match_before_a_lost_page_is_found),
        with_fixture(position_before_a_lost_page_stays),
        with_fixture(bytes_that_run_on_behind_another_map_are_guarded_in_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
