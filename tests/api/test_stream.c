/* Reading, writing and seeking at the position. */
#include "support.h"

#include <stdlib.h>

static void assert_read(fixture *f, size_t capacity, const char *expected)
{
    char buffer[256];
    size_t length = 0;

    memset(buffer, '#', sizeof(buffer));
    assert_ok(ironmap_read(&length, f->map, buffer, capacity, &failure));
    assert_u64(length, strlen(expected));
    assert_memory_equal(buffer, expected, length);
    assert_int_equal(buffer[length], '#');
}

/* The next line, in a buffer of `capacity` bytes, is `expected`. It is not terminated. */
static void assert_line(fixture *f, size_t capacity, const char *expected)
{
    char buffer[256];
    size_t length = 0;

    memset(buffer, '#', sizeof(buffer));
    assert_ok(ironmap_readline(&length, f->map, buffer, capacity, &failure));
    assert_u64(length, strlen(expected));
    assert_memory_equal(buffer, expected, length);
    assert_int_equal(buffer[length], '#');
}

static void assert_line_length(const fixture *f, size_t expected)
{
    uint64_t before = ironmap_tell(f->map);
    size_t length = 0;

    assert_ok(ironmap_line_length(&length, f->map, &failure));
    assert_u64(length, expected);
    assert_u64(ironmap_tell(f->map), before);
}

/* ---- reading ---- */

/* At the end it copies nothing. */
static void read_advances_the_position(void **state)
{
    fixture *f = *state;

    map_text(f, "hello, world");
    assert_u64(ironmap_tell(f->map), 0);
    assert_read(f, 5, "hello");
    assert_u64(ironmap_tell(f->map), 5);
    assert_read(f, 0, "");
    assert_u64(ironmap_tell(f->map), 5);
    assert_read(f, 100, ", world");
    assert_u64(ironmap_tell(f->map), 12);
    assert_read(f, 100, "");
    assert_u64(ironmap_tell(f->map), 12);
}

static void read_of_size_max_returns_the_rest(void **state)
{
    fixture *f = *state;

    map_text(f, "hello, world");
    assert_ok(ironmap_seek(f->map, 7, IRONMAP_SEEK_SET, &failure));
    assert_read(f, SIZE_MAX, "world");
}

/* At the end it returns END, and the position stays. */
static void read_byte_advances_the_position(void **state)
{
    fixture *f = *state;
    uint8_t byte = 0;

    map_text(f, "ab");
    assert_ok(ironmap_read_byte(&byte, f->map, &failure));
    assert_int_equal(byte, 'a');
    assert_u64(ironmap_tell(f->map), 1);
    assert_ok(ironmap_read_byte(&byte, f->map, &failure));
    assert_int_equal(byte, 'b');
    assert_fails(ironmap_read_byte(&byte, f->map, &failure), IRONMAP_E_END);
    assert_int_equal(byte, 'b');
    assert_u64(ironmap_tell(f->map), 2);
}

/* Lines keep their newline. The last one may have none. */
static void readline_returns_lines(void **state)
{
    fixture *f = *state;

    map_text(f, "one\n\nthree\nlast");
    assert_line(f, 100, "one\n");
    assert_u64(ironmap_tell(f->map), 4);
    assert_line(f, 100, "\n");
    assert_line(f, SIZE_MAX, "three\n");
    assert_line(f, 100, "last");
    assert_line(f, 100, "");
    assert_u64(ironmap_tell(f->map), 15);
}

static void long_line_is_read_in_parts(void **state)
{
    fixture *f = *state;

    map_text(f, "abcdefgh\nx\n");
    assert_line(f, 3, "abc");
    assert_line(f, 3, "def");
    assert_line(f, 3, "gh\n");
    assert_line(f, 0, "");
    assert_line(f, 1, "x");
    assert_line(f, 1, "\n");
    assert_line(f, 1, "");
}

/* A newline at the buffer's end belongs to its line. */
static void line_that_fits_is_read_whole(void **state)
{
    fixture *f = *state;

    map_text(f, "abc\ndef\n");
    assert_line(f, 4, "abc\n");
    assert_line(f, 4, "def\n");
    assert_line(f, 4, "");
}

/* Carriage returns and zero bytes are part of a line. */
static void only_newline_ends_a_line(void **state)
{
    static const char bytes[] = "a\r\0b\r\nc";
    fixture *f = *state;
    char buffer[16];
    size_t length = 0;

    map_anonymous(f, IRONMAP_WRITE, 7);
    assert_ok(ironmap_put(f->map, 0, bytes, 7, &failure));
    assert_ok(ironmap_readline(&length, f->map, buffer, sizeof(buffer), &failure));
    assert_u64(length, 6);
    assert_memory_equal(buffer, bytes, 6);
}

/* The position stays. */
static void line_length_keeps_the_position(void **state)
{
    fixture *f = *state;

    map_text(f, "one\n\nlast");
    assert_line_length(f, 4);
    assert_read(f, 2, "on");
    assert_line_length(f, 2);
    assert_read(f, 2, "e\n");
    assert_line_length(f, 1);
    assert_read(f, 1, "\n");
    assert_line_length(f, 4);
    assert_read(f, 4, "last");
    assert_line_length(f, 0);
}

static void line_of_many_pages_is_read_whole(void **state)
{
    enum { LENGTH = 100000 };
    fixture *f = *state;
    uint8_t *buffer = malloc(LENGTH);
    size_t length = 0;

    assert_non_null(buffer);
    map_anonymous(f, IRONMAP_WRITE, LENGTH + 10);
    assert_ok(ironmap_fill(f->map, 0, 'x', LENGTH + 10, &failure));
    assert_ok(ironmap_put_byte(f->map, LENGTH - 1, '\n', &failure));
    assert_line_length(f, LENGTH);
    assert_ok(ironmap_readline(&length, f->map, buffer, LENGTH, &failure));
    assert_u64(length, LENGTH);
    assert_map(f->map, 0, buffer, LENGTH);
    assert_u64(ironmap_tell(f->map), LENGTH);
    free(buffer);
}

/* ---- writing ---- */

static void write_advances_the_position(void **state)
{
    fixture *f = *state;

    map_text(f, "..........");
    assert_ok(ironmap_write(f->map, "abc", 3, &failure));
    assert_ok(ironmap_write(f->map, "", 0, &failure));
    assert_u64(ironmap_tell(f->map), 3);
    assert_ok(ironmap_write(f->map, "def", 3, &failure));
    assert_u64(ironmap_tell(f->map), 6);
    assert_map(f->map, 0, "abcdef....", 10);
}

/* Without enough space, map and position stay unchanged. */
static void write_is_all_or_nothing(void **state)
{
    fixture *f = *state;

    map_text(f, "..........");
    assert_ok(ironmap_seek(f->map, 8, IRONMAP_SEEK_SET, &failure));
    assert_fails(ironmap_write(f->map, "abc", 3, &failure), IRONMAP_E_RANGE);
    assert_u64(ironmap_tell(f->map), 8);
    assert_map(f->map, 0, "..........", 10);
    assert_ok(ironmap_write(f->map, "ab", 2, &failure));
    assert_u64(ironmap_tell(f->map), 10);
    assert_fails(ironmap_write(f->map, "c", 1, &failure), IRONMAP_E_RANGE);
    assert_ok(ironmap_write(f->map, "", 0, &failure));
    assert_map(f->map, 0, "........ab", 10);
}

static void write_of_wrapping_length_is_refused(void **state)
{
    fixture *f = *state;

    map_text(f, "..........");
    assert_ok(ironmap_seek(f->map, 8, IRONMAP_SEEK_SET, &failure));
    assert_fails(ironmap_write(f->map, "a", SIZE_MAX, &failure),
                 SIZE_MAX == UINT64_MAX ? IRONMAP_E_OVERFLOW : IRONMAP_E_RANGE);
    assert_u64(ironmap_tell(f->map), 8);
}

/* At the end it returns END. */
static void write_byte_advances_the_position(void **state)
{
    fixture *f = *state;

    map_text(f, "..");
    assert_ok(ironmap_write_byte(f->map, 'a', &failure));
    assert_u64(ironmap_tell(f->map), 1);
    assert_ok(ironmap_write_byte(f->map, 0xff, &failure));
    assert_fails(ironmap_write_byte(f->map, 'c', &failure), IRONMAP_E_END);
    assert_u64(ironmap_tell(f->map), 2);
    assert_map(f->map, 0, "a\xff", 2);
}

/* Also where there is no byte to write. */
static void map_that_cannot_be_written_is_told_first(void **state)
{
    fixture *f = *state;

    file_make(f, 10);
    map_file(f, IRONMAP_READ);
    assert_fails(ironmap_write_byte(f->map, 'a', &failure), IRONMAP_E_READONLY);
    assert_ok(ironmap_seek(f->map, 10, IRONMAP_SEEK_SET, &failure));
    assert_fails(ironmap_write_byte(f->map, 'a', &failure), IRONMAP_E_READONLY);
    assert_fails(ironmap_write(f->map, "ab", 2, &failure), IRONMAP_E_READONLY);
    assert_u64(ironmap_tell(f->map), 10);
}

static void get_and_put_keep_the_position(void **state)
{
    fixture *f = *state;
    uint64_t index = 0;
    char byte;

    map_text(f, "hello, world");
    assert_ok(ironmap_seek(f->map, 5, IRONMAP_SEEK_SET, &failure));
    assert_ok(ironmap_get(f->map, 1, &byte, 1, &failure));
    assert_ok(ironmap_put(f->map, 1, &byte, 1, &failure));
    assert_ok(ironmap_move(f->map, 0, 1, 5, &failure));
    assert_ok(ironmap_fill(f->map, 0, 'x', 3, &failure));
    assert_ok(ironmap_find(&index, f->map, "w", 1, 0, IRONMAP_TO_END, &failure));
    assert_ok(ironmap_flush(f->map, 0, IRONMAP_TO_END, 0, &failure));
    assert_u64(ironmap_tell(f->map), 5);
}

/* ---- seeking ---- */

typedef struct seek_case {
    int64_t offset;
    int whence;
    int status;
    uint64_t position; /* afterwards; each case begins at 4, the length is 10 */
} seek_case;

static const seek_case seek_cases[] = {
    {0, IRONMAP_SEEK_SET, IRONMAP_OK, 0},
    {10, IRONMAP_SEEK_SET, IRONMAP_OK, 10},
    {-1, IRONMAP_SEEK_SET, IRONMAP_E_RANGE, 4},
    {11, IRONMAP_SEEK_SET, IRONMAP_E_RANGE, 4},
    {INT64_MIN, IRONMAP_SEEK_SET, IRONMAP_E_RANGE, 4},
    {INT64_MAX, IRONMAP_SEEK_SET, IRONMAP_E_RANGE, 4},
    {0, IRONMAP_SEEK_CUR, IRONMAP_OK, 4},
    {-4, IRONMAP_SEEK_CUR, IRONMAP_OK, 0},
    {6, IRONMAP_SEEK_CUR, IRONMAP_OK, 10},
    {-5, IRONMAP_SEEK_CUR, IRONMAP_E_RANGE, 4},
    {7, IRONMAP_SEEK_CUR, IRONMAP_E_RANGE, 4},
    {INT64_MIN, IRONMAP_SEEK_CUR, IRONMAP_E_RANGE, 4},
    {INT64_MAX, IRONMAP_SEEK_CUR, IRONMAP_E_RANGE, 4},
    {0, IRONMAP_SEEK_END, IRONMAP_OK, 10},
    {-10, IRONMAP_SEEK_END, IRONMAP_OK, 0},
    {-1, IRONMAP_SEEK_END, IRONMAP_OK, 9},
    {1, IRONMAP_SEEK_END, IRONMAP_E_RANGE, 4},
    {-11, IRONMAP_SEEK_END, IRONMAP_E_RANGE, 4},
    {INT64_MIN, IRONMAP_SEEK_END, IRONMAP_E_RANGE, 4},
    {INT64_MAX, IRONMAP_SEEK_END, IRONMAP_E_RANGE, 4},
    {0, -1, IRONMAP_E_INVALID, 4},
    {0, 3, IRONMAP_E_INVALID, 4},
    {0, 4, IRONMAP_E_INVALID, 4},
    {0, INT32_MAX, IRONMAP_E_INVALID, 4},
    {0, INT32_MIN, IRONMAP_E_INVALID, 4},
};

/* The end is inside. A seek outside keeps the position. */
static void seek_stays_inside(void **state)
{
    fixture *f = *state;

    map_text(f, "0123456789");
    for (size_t i = 0; i < COUNT_OF(seek_cases); i++) {
        const seek_case *row = &seek_cases[i];

        assert_ok(ironmap_seek(f->map, 4, IRONMAP_SEEK_SET, &failure));
        assert_status_or_ok(ironmap_seek(f->map, row->offset, row->whence, &failure), row->status);
        assert_u64(ironmap_tell(f->map), row->position);
    }
}

/* Where a resize has left it. */
static void position_behind_the_end_has_nothing_left(void **state)
{
    fixture *f = *state;
    uint8_t byte = 7;

    file_make(f, 10);
    map_file(f, IRONMAP_WRITE);
    assert_ok(ironmap_seek(f->map, 10, IRONMAP_SEEK_SET, &failure));
    assert_ok(ironmap_resize(f->map, 4, &failure));
    assert_read(f, 3, "");
    assert_line(f, 3, "");
    assert_line_length(f, 0);
    assert_fails(ironmap_read_byte(&byte, f->map, &failure), IRONMAP_E_END);
    assert_fails(ironmap_write_byte(f->map, byte, &failure), IRONMAP_E_END);
    assert_int_equal(byte, 7);
    assert_u64(ironmap_tell(f->map), 10);
    assert_map_pattern(f->map, 0, 4);
}

/* ---- random sequences ---- */

enum { MODEL_LENGTH = 300 };

/* Plain memory and a position, for the same calls. */
typedef struct model {
    uint8_t bytes[MODEL_LENGTH];
    size_t position;
} model;

static size_t model_line(const model *m, size_t capacity)
{
    size_t length = 0;

    while (length < capacity && m->position + length < MODEL_LENGTH) {
        length++;
        if (m->bytes[m->position + length - 1] == '\n') {
            break;
        }
    }
    return length;
}

static void step_read(model *m, ironmap_map *map, size_t capacity, bool line)
{
    uint8_t buffer[MODEL_LENGTH];
    size_t rest = MODEL_LENGTH - m->position;
    size_t expected = line ? model_line(m, capacity) : capacity < rest ? capacity : rest;
    size_t length = 0;

    assert_ok(line ? ironmap_readline(&length, map, buffer, capacity, &failure)
                   : ironmap_read(&length, map, buffer, capacity, &failure));
    assert_u64(length, expected);
    assert_memory_equal(buffer, m->bytes + m->position, length);
    m->position += length;
}

static void step_write(model *m, ironmap_map *map, size_t length, uint64_t seed)
{
    uint8_t buffer[MODEL_LENGTH];
    bool fits = length <= MODEL_LENGTH - m->position;

    for (size_t i = 0; i < length; i++) {
        buffer[i] = (seed + i) % 7 == 0 ? '\n' : pattern_byte(seed + i);
    }
    assert_status_or_ok(ironmap_write(map, buffer, length, &failure),
                        fits ? IRONMAP_OK : IRONMAP_E_RANGE);
    if (fits && length > 0) {
        memcpy(m->bytes + m->position, buffer, length);
        m->position += length;
    }
}

static void step_seek(model *m, ironmap_map *map, uint64_t place)
{
    bool inside = place <= MODEL_LENGTH;

    assert_status_or_ok(ironmap_seek(map, (int64_t)place, IRONMAP_SEEK_SET, &failure),
                        inside ? IRONMAP_OK : IRONMAP_E_RANGE);
    m->position = inside ? (size_t)place : m->position;
}

/* Property: reads, lines, writes and seeks in random order. */
static void any_sequence_matches_plain_memory(void **state)
{
    fixture *f = *state;
    random_source random = random_start();
    model m = {{0}, 0};

    map_anonymous(f, IRONMAP_WRITE, MODEL_LENGTH);
    for (int step = 0; step < 20000; step++) {
        size_t amount = (size_t)random_below(&random, 60);

        switch (random_below(&random, 4)) {
        case 0:
            step_read(&m, f->map, amount, false);
            break;
        case 1:
            step_read(&m, f->map, amount, true);
            break;
        case 2:
            step_write(&m, f->map, amount, random_below(&random, 1000));
            break;
        default:
            step_seek(&m, f->map, random_below(&random, MODEL_LENGTH + 20));
            break;
        }
        assert_u64(ironmap_tell(f->map), m.position);
    }
    assert_map(f->map, 0, m.bytes, MODEL_LENGTH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_fixture(read_advances_the_position),
        with_fixture(read_of_size_max_returns_the_rest),
        with_fixture(read_byte_advances_the_position),
        with_fixture(readline_returns_lines),
        with_fixture(long_line_is_read_in_parts),
        with_fixture(line_that_fits_is_read_whole),
        with_fixture(only_newline_ends_a_line),
        with_fixture(line_length_keeps_the_position),
        with_fixture(line_of_many_pages_is_read_whole),
        with_fixture(write_advances_the_position),
        with_fixture(write_is_all_or_nothing),
        with_fixture(write_of_wrapping_length_is_refused),
        with_fixture(write_byte_advances_the_position),
        with_fixture(map_that_cannot_be_written_is_told_first),
        with_fixture(get_and_put_keep_the_position),
        with_fixture(seek_stays_inside),
        with_fixture(position_behind_the_end_has_nothing_left),
        with_fixture(any_sequence_matches_plain_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
