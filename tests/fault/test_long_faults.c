/* Pages lost in the middle of long accesses, which go by chunks and advise the system about pages
 * ahead. */
#include "fault_support.h"

#include <stdlib.h>

#define MIB ((size_t)1 << 20)

enum { LENGTH = (20 << 20) + 777 };

static const size_t cuts[] = {1,           MIB - 100,      MIB,      2 * MIB + 1,
                              8 * MIB - 1, 8 * MIB + 5000, 16 * MIB, 19 * MIB + 4097};

/* Offsets of the maps: on a page, and inside one. */
static const size_t begins[] = {0, 4096 + 123};

typedef struct setup {
    fixture *f;
    uint8_t *bytes;
    size_t begin;
    size_t lost; /* the first lost byte of the map */
} setup;

/* Opens the map over a new file and truncates the file. */
static void open_and_truncate(setup *w, ironmap_access access, size_t begin, size_t length)
{
    ironmap_options options = options_of(begin, 0);
    uint64_t lost = page_up(length);

    file_solid(w->f, LENGTH);
    assert_ok(ironmap_open_path(&w->f->map, w->f->path, access, &options, &failure));
    file_truncate(w->f, length);
    w->begin = begin;
    w->lost = lost > begin ? (size_t)(lost - begin) : 0;
}

/* The rest of the file is read in one call. */
static void check_rest(const setup *w, size_t length)
{
    size_t rest = length > w->begin ? length - w->begin : 0;

    assert_ok(ironmap_get(w->f->map, 0, w->bytes, rest, &failure));
    assert_true(is_solid(w->bytes, w->begin, rest));
}

/* Backward, the first chunk with lost bytes stops the access. */
static void check_backward(const setup *w, int status, const ironmap_error *error)
{
    assert_int_equal(status, IRONMAP_E_FAULT);
    assert_int_equal(error->system_code, codes.lost_page);
    assert_in_range(error->offset, w->lost, ironmap_length(w->f->map) - 1);
}

static void check_reads(const setup *w)
{
    const ironmap_map *map = w->f->map;
    size_t all = ironmap_length(map);
    uint64_t index = 0;
    ironmap_error error;

    assert_fault(ironmap_get(map, 0, w->bytes, all, &error), &error, w->lost, codes.lost_page);
    assert_fault(ironmap_get_strided(map, 0, 1, w->bytes, all, &error), &error, w->lost,
                 codes.lost_page);
    assert_fault(ironmap_find(&index, map, "\x80", 1, 0, IRONMAP_TO_END, &error), &error, w->lost,
                 codes.lost_page);
    check_backward(w, ironmap_get_strided(map, all - 1, -1, w->bytes, all, &error), &error);
    check_backward(w, ironmap_rfind(&index, map, "\x80", 1, 0, IRONMAP_TO_END, &error), &error);
}

static void check_stores(const setup *w)
{
    ironmap_map *map = w->f->map;
    size_t all = ironmap_length(map);
    ironmap_error error;

    solid_fill(w->bytes, w->begin, all);
    assert_fault(ironmap_put(map, 0, w->bytes, all, &error), &error, w->lost, codes.lost_page);
    assert_fault(ironmap_put_strided(map, 0, 1, w->bytes, all, &error), &error, w->lost,
                 codes.lost_page);
}

static void check_round(setup *w, ironmap_access access, size_t begin, size_t length)
{
    open_and_truncate(w, access, begin, length);
    check_reads(w);
    check_rest(w, length);
    if (access != IRONMAP_READ) {
        check_stores(w);
    }
    map_close(w->f);
}

/* The byte lies in any chunk. The rest of the map works. */
static void failure_has_the_offset_of_the_first_lost_byte(void **state)
{
    static const ironmap_access kinds[] = {IRONMAP_READ, IRONMAP_WRITE, IRONMAP_COPY};
    setup w = {.f = *state};

    skip_without_pages_beyond_a_file();
    w.bytes = malloc(LENGTH);
    assert_non_null(w.bytes);
    for (size_t i = 0; i < COUNT_OF(cuts); i++) {
        check_round(&w, kinds[i % COUNT_OF(kinds)], begins[i % COUNT_OF(begins)], cuts[i]);
    }
    free(w.bytes);
}

/* Strides over lost pages and over others: only the first fail. */
static void strided_access_fails_only_at_lost_bytes(void **state)
{
    setup w = {.f = *state, .bytes = malloc(LENGTH)};
    ironmap_error error;
    const size_t step = 3 * MIB;

    assert_non_null(w.bytes);
    open_and_truncate(&w, IRONMAP_READ, 0, 10 * MIB);
    assert_ok(ironmap_get_strided(w.f->map, 0, (int64_t)step, w.bytes, 4, &failure));
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(w.bytes[i], solid_byte(i * step));
    }
    assert_fault(ironmap_get_strided(w.f->map, 0, (int64_t)step, w.bytes, 5, &error), &error,
                 4 * step, codes.lost_page);
    free(w.bytes);
}

/* ---- losses elsewhere ------------------------------------------------------------------------ */

enum { LOSSES_A_CHUNK = 1000 };

/* Runs between two chunks of a search. Loses the map's last page many times. */
static int lose_last_page(void *context)
{
    const fixture *f = context;
    uint8_t byte = 0;
    ironmap_error error;

    for (int i = 0; i < LOSSES_A_CHUNK; i++) {
        assert_int_equal(ironmap_get_byte(&byte, f->map, LENGTH - 1, &error), IRONMAP_E_FAULT);
    }
    return 0;
}

static void losses_elsewhere_never_fail_an_access(void **state)
{
    fixture *f = *state;
    ironmap_options options = options_of(0, 0);
    uint64_t found = 0;
    const uint8_t zero = 0;

    skip_if_whole_views_are_lost();
    skip_without_pages_beyond_a_file();
    file_solid(f, LENGTH);
    options.check = lose_last_page;
    options.context = f;
    assert_ok(ironmap_open_path(&f->map, f->path, IRONMAP_READ, &options, &failure));
    file_truncate(f, 8 * MIB);
    assert_ok(ironmap_find(&found, f->map, &zero, 1, 0, 8 * MIB, &failure));
    assert_int_equal(found, IRONMAP_NOT_FOUND);
}

/* What follows a lost page may be lost too, and each page costs a signal. */
static void access_stops_after_the_chunk_of_a_lost_page(void **state)
{
    fixture *f = *state;
    uint8_t *bytes = malloc(LENGTH);

    skip_if_whole_views_are_lost();
    assert_non_null(bytes);
    memset(bytes, 0xee, LENGTH);
    file_solid(f, LENGTH);
    map_file(f, IRONMAP_WRITE);
    file_truncate(f, 3 * MIB / 2);
    assert_status(ironmap_get(f->map, 0, bytes, LENGTH, &failure), IRONMAP_E_FAULT);
    assert_true(is_solid(bytes, 0, 3 * MIB / 2));
    assert_true(is_filled(bytes + 2 * MIB, LENGTH - 2 * MIB, 0xee));
    free(bytes);
}

/* ---- the check, between two chunks ---- */

typedef struct checker {
    const fixture *f;
    bool looks; /* loads a lost byte through the exported address */
} checker;

/* Truncates the file, once. */
static int truncate_in_check(void *context)
{
    checker *c = context;

    if (c->f != NULL) {
        file_truncate(c->f, 0);
        if (c->looks && peek(c->f->map, LENGTH - 1) != 0) {
            return 1;
        }
    }
    c->f = NULL;
    return 0;
}

static void get_with_check(fixture *f, checker *c)
{
    ironmap_options options = options_of(0, 0);
    uint8_t *bytes = malloc(LENGTH);

    assert_non_null(bytes);
    options.check = truncate_in_check;
    options.context = c;
    file_solid(f, LENGTH);
    assert_ok(ironmap_open_path(&f->map, f->path, IRONMAP_WRITE, &options, &failure));
    c->f = f;
    assert_status(ironmap_get(f->map, 0, bytes, LENGTH, &failure), IRONMAP_E_FAULT);
    free(bytes);
}

/* The check is foreign code: nothing guards what it loads. */
static void loss_in_the_check_is_damage(void **state)
{
    fixture *f = *state;
    checker c = {.looks = true};

    get_with_check(f, &c);
    assert_true(ironmap_is_damaged(f->map));
}

/* After the check the access is guarded again. */
static void loss_after_the_check_is_no_damage(void **state)
{
    fixture *f = *state;
    checker c = {.looks = false};

    get_with_check(f, &c);
    assert_false(ironmap_is_damaged(f->map));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_fixture(failure_has_the_offset_of_the_first_lost_byte),
        with_fixture(strided_access_fails_only_at_lost_bytes),
        with_fixture(losses_elsewhere_never_fail_an_access),
        with_fixture(access_stops_after_the_chunk_of_a_lost_page),
        with_fixture(loss_in_the_check_is_damage),
        with_fixture(loss_after_the_check_is_no_damage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
