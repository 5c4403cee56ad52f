/* Pages that are lost in the middle of long accesses, which go by pieces and advise the system
 * about what lies ahead of them, lost or not. */
#include "fault_support.h"

#include <stdlib.h>

#define MIB ((size_t)1 << 20)

enum { LENGTH = (20 << 20) + 777 };

static const size_t cuts[] = {1,           MIB - 100,      MIB,      2 * MIB + 1,
                              8 * MIB - 1, 8 * MIB + 5000, 16 * MIB, 19 * MIB + 4097};

/* Where in the file the maps begin: on a page, and inside one. */
static const size_t begins[] = {0, 4096 + 123};

typedef struct world {
    fixture *f;
    uint8_t *bytes;
    size_t begin;
    size_t lost; /* the first byte of the map that is lost */
} world;

/* Opens the map over the whole of a new file and cuts that. */
static void cut(world *w, ironmap_access access, size_t begin, size_t length)
{
    ironmap_options options = options_of(begin, 0);
    uint64_t lost = page_up(length);

    file_solid(w->f, LENGTH);
    assert_ok(ironmap_open_path(&w->f->map, w->f->path, access, &options, &failure));
    file_truncate(w->f, length);
    w->begin = begin;
    w->lost = lost > begin ? (size_t)(lost - begin) : 0;
}

/* What is left of the file is read as ever, in one go. */
static void check_rest(const world *w, size_t length)
{
    size_t rest = length > w->begin ? length - w->begin : 0;

    assert_ok(ironmap_get(w->f->map, 0, w->bytes, rest, &failure));
    assert_true(is_solid(w->bytes, w->begin, rest));
}

/* Downward, it is the first piece with lost bytes that stops the access. */
static void check_downward(const world *w, int status, const ironmap_error *error)
{
    assert_int_equal(status, IRONMAP_E_FAULT);
    assert_int_equal(error->system_code, codes.lost_page);
    assert_in_range(error->offset, w->lost, ironmap_length(w->f->map) - 1);
}

static void check_reads(const world *w)
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
    check_downward(w, ironmap_get_strided(map, all - 1, -1, w->bytes, all, &error), &error);
    check_downward(w, ironmap_rfind(&index, map, "\x80", 1, 0, IRONMAP_TO_END, &error), &error);
}

static void check_stores(const world *w)
{
    ironmap_map *map = w->f->map;
    size_t all = ironmap_length(map);
    ironmap_error error;

    solid_fill(w->bytes, w->begin, all);
    assert_fault(ironmap_put(map, 0, w->bytes, all, &error), &error, w->lost, codes.lost_page);
    assert_fault(ironmap_put_strided(map, 0, 1, w->bytes, all, &error), &error, w->lost,
                 codes.lost_page);
}

static void check_round(world *w, ironmap_access access, size_t begin, size_t length)
{
    cut(w, access, begin, length);
    check_reads(w);
    check_rest(w, length);
    if (access != IRONMAP_READ) {
        check_stores(w);
    }
    map_close(w->f);
}

/* The failure names the first byte that is lost, in whichever piece it lies, and the map goes on to
 * serve the rest. */
static void failures_name_the_first_lost_byte(void **state)
{
    static const ironmap_access kinds[] = {IRONMAP_READ, IRONMAP_WRITE, IRONMAP_COPY};
    world w = {.f = *state};

    skip_without_pages_behind_a_file();
    w.bytes = malloc(LENGTH);
    assert_non_null(w.bytes);
    for (size_t i = 0; i < COUNT_OF(cuts); i++) {
        check_round(&w, kinds[i % COUNT_OF(kinds)], begins[i % COUNT_OF(begins)], cuts[i]);
    }
    free(w.bytes);
}

/* Bytes that lie far apart touch pages that were lost, and pages that were not: only the first are
 * failures. */
static void strides_fail_where_they_touch(void **state)
{
    world w = {.f = *state, .bytes = malloc(LENGTH)};
    ironmap_error error;
    const size_t step = 3 * MIB;

    assert_non_null(w.bytes);
    cut(&w, IRONMAP_READ, 0, 10 * MIB);
    assert_ok(ironmap_get_strided(w.f->map, 0, (int64_t)step, w.bytes, 4, &failure));
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(w.bytes[i], solid_byte(i * step));
    }
    assert_fault(ironmap_get_strided(w.f->map, 0, (int64_t)step, w.bytes, 5, &error), &error,
                 4 * step, codes.lost_page);
    free(w.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_fixture(failures_name_the_first_lost_byte),
        with_fixture(strides_fail_where_they_touch),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
