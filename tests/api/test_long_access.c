/* Long accesses: chunks and read-ahead do not change the result. Lengths lie around the thresholds:
 * a chunk, the shortest access with read-ahead, one and two windows (src/map/readahead.c). */
#include "support.h"

#include <stdlib.h>

#define MIB ((size_t)1 << 20)

/* LONGEST: more windows than read-ahead keeps in the page table. */
enum { LONGEST = 96 << 20 };

static const size_t lengths[] = {MIB - 1,     MIB,         MIB + 1,      2 * MIB - 1,
                                 2 * MIB,     2 * MIB + 1, 8 * MIB - 1,  8 * MIB,
                                 8 * MIB + 1, 16 * MIB,    16 * MIB + 1, 24 * MIB + 3};
static const size_t starts[] = {0, 1, 4095, MIB + 7};

enum { FILE_LENGTH = (24 << 20) + 3 + (1 << 20) + 7 };

static uint8_t *memory_of(size_t length)
{
    uint8_t *memory = malloc(length);

    assert_non_null(memory);
    return memory;
}

/* Creates the file again: a hole of `length` bytes. */
static void file_hole(fixture *f, size_t length)
{
    file_make(f, 0);
    file_truncate(f, length);
}

/* The file is in memory or not. */
static void long_copies_out_are_exact(void **state)
{
    fixture *f = *state;
    uint8_t *expected = memory_of(FILE_LENGTH);
    uint8_t *bytes = memory_of(FILE_LENGTH);

    pattern_fill(expected, 0, FILE_LENGTH);
    file_make(f, FILE_LENGTH);
    for (size_t i = 0; i < 2 * COUNT_OF(lengths); i++) {
        size_t length = lengths[i / 2];
        size_t start = starts[i / 2 % COUNT_OF(starts)];

        if (i % 2 == 0) {
            file_evict(f);
        }
        map_file(f, i % 3 == 0 ? IRONMAP_COPY : IRONMAP_READ);
        memset(bytes, 0, length);
        assert_ok(ironmap_get(f->map, start, bytes, length, &failure));
        assert_memory_equal(bytes, expected + start, length);
        map_close(f);
    }
    free(bytes);
    free(expected);
}

/* Other bytes stay unchanged. */
static void long_copies_in_are_exact(void **state)
{
    fixture *f = *state;
    uint8_t *expected = memory_of(FILE_LENGTH);
    uint8_t *bytes = memory_of(FILE_LENGTH);

    pattern_fill(bytes, 5, FILE_LENGTH);
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        size_t start = starts[i % COUNT_OF(starts)];
        size_t end = start + lengths[i];
        size_t half = start + lengths[i] / 2;

        memset(expected, 0, FILE_LENGTH);
        memcpy(expected + start, bytes, lengths[i]);
        memset(expected + half, 0xee, end - half);
        file_hole(f, FILE_LENGTH);
        map_file(f, IRONMAP_WRITE);
        assert_ok(ironmap_put(f->map, start, bytes, lengths[i], &failure));
        assert_ok(ironmap_fill(f->map, half, 0xee, end - half, &failure));
        map_close(f);
        assert_file(f, 0, expected, FILE_LENGTH);
    }
    free(bytes);
    free(expected);
}

static const int64_t steps[] = {1, -1, 2, -3, 4095, 4096, -4096, 4097, -5000, 1 << 20, -(3 << 20)};

/* Strides go forward and backward through all chunks. */
static void long_strided_copies_are_exact(void **state)
{
    fixture *f = *state;
    uint8_t *expected = memory_of(FILE_LENGTH);
    uint8_t *bytes = memory_of(FILE_LENGTH);

    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        size_t stride = (size_t)(steps[i] > 0 ? steps[i] : -steps[i]);
        size_t count = (FILE_LENGTH - 1) / stride + 1;
        uint64_t first = steps[i] > 0 ? 0 : FILE_LENGTH - 1;

        file_hole(f, FILE_LENGTH);
        map_file(f, IRONMAP_WRITE);
        pattern_fill(expected, i, count);
        assert_ok(ironmap_put_strided(f->map, first, steps[i], expected, count, &failure));
        memset(bytes, 0, count);
        assert_ok(ironmap_get_strided(f->map, first, steps[i], bytes, count, &failure));
        assert_memory_equal(bytes, expected, count);
        for (size_t k = 0; k < count; k += 1 + k / 50) {
            uint8_t byte = 0;
            uint64_t at = steps[i] > 0 ? k * stride : FILE_LENGTH - 1 - k * stride;

            assert_ok(ironmap_get_byte(&byte, f->map, at, &failure));
            assert_int_equal(byte, expected[k]);
        }
        map_close(f);
    }
    free(bytes);
    free(expected);
}

/* Needles lie across borders of chunks and windows, in a file that is not in memory. */
static void long_searches_find_across_borders(void **state)
{
    static const size_t places[] = {
        0,          MIB - 3, 2 * MIB - 8, 8 * MIB - 1, 16 * MIB - 4, 31 * MIB + 5, 64 * MIB - 2,
        LONGEST - 8};
    fixture *f = *state;
    uint64_t index = 0;

    file_hole(f, LONGEST);
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        file_store(f, places[i], "a needle", 8);
    }
    map_file(f, IRONMAP_READ);
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        uint64_t start = i == 0 ? 0 : places[i - 1] + 1;
        size_t end = i + 1 == COUNT_OF(places) ? LONGEST : places[i + 1] + 7;

        assert_ok(ironmap_find(&index, f->map, "a needle", 8, start, IRONMAP_TO_END, &failure));
        assert_u64(index, places[i]);
        assert_ok(ironmap_rfind(&index, f->map, "a needle", 8, 0, end, &failure));
        assert_u64(index, places[i]);
    }
    assert_ok(ironmap_find(&index, f->map, "no needle", 9, 0, IRONMAP_TO_END, &failure));
    assert_u64(index, IRONMAP_NOT_FOUND);
}

/* Stores survive a search in every kind of map. They are so far APART that most of the file is not
 * in memory before. */
static void searches_lose_no_store(void **state)
{
    static const ironmap_access kinds[] = {IRONMAP_WRITE, IRONMAP_COPY, IRONMAP_WRITE};
    fixture *f = *state;
    uint64_t index = 0;

    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        file_hole(f, LONGEST);
        map_file(f, kinds[i]);
        for (size_t at = 0; at < LONGEST; at += MIB) {
            assert_ok(ironmap_put_byte(f->map, at + 77, 0xab, &failure));
        }
        file_evict(f);
        assert_ok(ironmap_find(&index, f->map, "no needle", 9, 0, IRONMAP_TO_END, &failure));
        assert_ok(ironmap_rfind(&index, f->map, "no needle", 9, 0, IRONMAP_TO_END, &failure));
        for (size_t at = 0; at < LONGEST; at += MIB) {
            uint8_t byte = 0;

            assert_ok(ironmap_get_byte(&byte, f->map, at + 77, &failure));
            assert_int_equal(byte, 0xab);
        }
        map_close(f);
    }
}

static void the_longest_store_reaches_the_file(void **state)
{
    fixture *f = *state;
    uint8_t *bytes = memory_of(LONGEST);

    pattern_fill(bytes, 0, LONGEST);
    file_hole(f, LONGEST);
    map_file(f, IRONMAP_WRITE);
    assert_ok(ironmap_put(f->map, 0, bytes, LONGEST, &failure));
    map_close(f);
    assert_file(f, 0, bytes, LONGEST);
    free(bytes);
}

/* Memory of any source and length keeps its bytes, and so do the bytes beside it. */
static void prepare_changes_no_byte(void **state)
{
    fixture *f = *state;
    size_t room = 12 * MIB;
    uint8_t *expected = memory_of(room);
    uint8_t *memory = memory_of(room);
    uint8_t little[64] = {0x11};

    ironmap_prepare(NULL, 0);
    ironmap_prepare(little, sizeof(little));
    assert_int_equal(little[0], 0x11);
    pattern_fill(expected, 0, room);
    memcpy(memory, expected, room);
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        for (size_t k = 0; k < COUNT_OF(starts) && starts[k] + lengths[i] <= room; k++) {
            ironmap_prepare(memory + starts[k], lengths[i]);
        }
    }
    assert_memory_equal(memory, expected, room);
    free(memory);

    map_anonymous(f, IRONMAP_COPY, room);
    ironmap_prepare(ironmap_data(f->map), room);
    assert_map_filled(f->map, 0, room, 0);
    assert_ok(ironmap_put(f->map, 0, expected, room, &failure));
    ironmap_prepare(ironmap_data(f->map), room);
    assert_map_pattern(f->map, 0, room);
    free(expected);
}

/* ---- interruption ---- */

enum { CHECKED = (10 << 20) + 5, STOP = 3 };

/* The context of the check. */
typedef struct checker {
    ironmap_map *map;
    size_t checks;
    size_t stop; /* the call that interrupts, or 0 */
} checker;

static int check(void *context)
{
    checker *o = context;
    uint8_t byte = 0;

    o->checks++;
    /* The map may be used in the check. */
    return ironmap_get_byte(&byte, o->map, 1, NULL) != IRONMAP_OK || o->checks == o->stop;
}

/* Between two places of one map, which overlap. */
static void copy_of_a_map_into_itself_may_overlap(void **state)
{
    enum { SHIFT = 4096 };
    fixture *f = *state;
    const size_t length = 3 * MIB;
    uint8_t *expected = memory_of(length);

    map_anonymous(f, IRONMAP_WRITE, length);
    pattern_fill(ironmap_data(f->map), 0, length);
    pattern_fill(expected, 0, length);
    memmove(expected + SHIFT, expected, length - SHIFT);
    assert_ok(ironmap_copy(f->map, SHIFT, f->map, 0, length - SHIFT, &failure));
    assert_memory_equal(ironmap_data(f->map), expected, length);
    free(expected);
}

typedef int work(checker *o, uint8_t *bytes);

static int work_get(checker *o, uint8_t *bytes)
{
    return ironmap_get(o->map, 0, bytes, CHECKED, &failure);
}

static int work_put(checker *o, uint8_t *bytes)
{
    return ironmap_put(o->map, 0, bytes, CHECKED, &failure);
}

static int work_fill(checker *o, uint8_t *bytes)
{
    return ironmap_fill(o->map, 0, bytes[0], CHECKED, &failure);
}

static int work_get_strided(checker *o, uint8_t *bytes)
{
    return ironmap_get_strided(o->map, CHECKED - 1, -1, bytes, CHECKED, &failure);
}

static int work_put_strided(checker *o, uint8_t *bytes)
{
    return ironmap_put_strided(o->map, 0, 2, bytes, CHECKED / 2, &failure);
}

/* From another map, which has no check. */
static int work_copy(checker *o, uint8_t *bytes)
{
    const ironmap_options options = {.length = CHECKED};
    ironmap_map *source = NULL;

    (void)bytes;
    assert_ok(ironmap_open_anonymous(&source, IRONMAP_WRITE, &options, &failure));
    int status = ironmap_copy(o->map, 0, source, 0, CHECKED, &failure);
    assert_int_equal(ironmap_close(source, NULL), IRONMAP_OK);
    return status;
}

static int work_move(checker *o, uint8_t *bytes)
{
    (void)bytes;
    return ironmap_move(o->map, 0, 8, CHECKED - 8, &failure);
}

/* From the map's own memory, backward. */
static int work_put_own(checker *o, uint8_t *bytes)
{
    (void)bytes;
    return ironmap_put(o->map, 8, ironmap_data(o->map), CHECKED - 8, &failure);
}

static work *const works[] = {work_get,         work_put,  work_fill, work_get_strided,
                              work_put_strided, work_copy, work_move, work_put_own};

/* Opens f->map with a check. */
static void map_with_check(fixture *f, checker *o)
{
    ironmap_options options = options_of(0, 0);

    options.check = check;
    options.context = o;
    assert_ok(ironmap_open_path(&f->map, f->path, IRONMAP_WRITE, &options, &failure));
    o->map = f->map;
}

/* The check runs between chunks. */
static void long_copies_call_the_check(void **state)
{
    fixture *f = *state;
    uint8_t *bytes = memory_of(CHECKED);

    pattern_fill(bytes, 3, CHECKED);
    file_hole(f, CHECKED);
    for (size_t i = 0; i < COUNT_OF(works); i++) {
        checker o = {.stop = 0};

        map_with_check(f, &o);
        assert_ok(works[i](&o, bytes));
        assert_in_range(o.checks, CHECKED / MIB - 1, CHECKED / MIB);
        map_close(f);
    }
    free(bytes);
}

/* What was stored stays, and the map can be used. */
static void long_copies_can_be_interrupted(void **state)
{
    fixture *f = *state;
    uint8_t *bytes = memory_of(CHECKED);

    memset(bytes, 0x5a, CHECKED);
    for (size_t i = 0; i < COUNT_OF(works); i++) {
        checker o = {.stop = STOP};

        file_hole(f, CHECKED);
        map_with_check(f, &o);
        assert_fails(works[i](&o, bytes), IRONMAP_E_INTERRUPTED);
        assert_u64(o.checks, STOP);
        /* Strided chunks are a little longer. */
        assert_map_filled(f->map, STOP * MIB + 8, CHECKED - STOP * MIB - 8, 0);
        assert_ok(works[i](&o, bytes));
        map_close(f);
        memset(bytes, 0x5a, CHECKED);
    }
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_fixture(long_copies_out_are_exact),
        with_fixture(long_copies_in_are_exact),
        with_fixture(long_strided_copies_are_exact),
        with_fixture(long_searches_find_across_borders),
        with_fixture(searches_lose_no_store),
        with_fixture(the_longest_store_reaches_the_file),
        with_fixture(prepare_changes_no_byte),
        with_fixture(copy_of_a_map_into_itself_may_overlap),
        with_fixture(long_copies_call_the_check),
        with_fixture(long_copies_can_be_interrupted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
