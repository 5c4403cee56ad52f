/* copy_line copies a line into memory of an allocator. find_lines lists lines. */
#include "support.h"

#include <stdlib.h>

/* An allocator's memory for a line, and its number of calls. */
typedef struct line_buffer {
    char bytes[200000];
    size_t length;
    size_t times;
    size_t capacity; /* a longer line fails */
} line_buffer;

static void *allocate(void *context, size_t length)
{
    line_buffer *r = context;

    r->length = length;
    r->times++;
    return length <= r->capacity ? r->bytes : NULL;
}

static line_buffer *line_buffer_new(void)
{
    line_buffer *r = calloc(1, sizeof(*r));

    assert_non_null(r);
    r->capacity = sizeof(r->bytes);
    return r;
}

static void assert_line_copied(fixture *f, uint64_t offset, size_t limit, bool keep_end,
                               const char *expected, size_t expected_length)
{
    line_buffer *r = line_buffer_new();
    size_t length = 12345;

    assert_ok(ironmap_copy_line(&length, f->map, offset, limit, keep_end, allocate, r, &failure));
    assert_u64(length, expected_length);
    assert_u64(r->length, strlen(expected));
    assert_u64(r->times, 1);
    assert_memory_equal(r->bytes, expected, r->length);
    free(r);
}

/* The copy may omit the newline, which always counts in the length. */
static void line_is_copied(void **state)
{
    fixture *f = *state;

    map_text(f, "one\n\nthree");
    assert_line_copied(f, 0, IRONMAP_TO_END, true, "one\n", 4);
    assert_line_copied(f, 0, IRONMAP_TO_END, false, "one", 4);
    assert_line_copied(f, 2, IRONMAP_TO_END, true, "e\n", 2);
    assert_line_copied(f, 4, IRONMAP_TO_END, true, "\n", 1);
    assert_line_copied(f, 4, IRONMAP_TO_END, false, "", 1);
    assert_line_copied(f, 5, IRONMAP_TO_END, true, "three", 5);
    assert_line_copied(f, 5, IRONMAP_TO_END, false, "three", 5);
}

/* Beyond both the line is empty. */
static void line_ends_with_its_range_or_the_map(void **state)
{
    fixture *f = *state;

    map_text(f, "one\ntwo");
    assert_line_copied(f, 0, 2, true, "on", 2);
    assert_line_copied(f, 0, 3, false, "one", 3);
    assert_line_copied(f, 0, 4, false, "one", 4);
    assert_line_copied(f, 5, 1, true, "w", 1);
    assert_line_copied(f, 5, 1000, true, "wo", 2);
    assert_line_copied(f, 7, IRONMAP_TO_END, true, "", 0);
    assert_line_copied(f, 6, 0, true, "", 0);
    assert_line_copied(f, UINT64_MAX, IRONMAP_TO_END, true, "", 0);
}

static void copy_line_keeps_the_position(void **state)
{
    fixture *f = *state;

    map_text(f, "one\ntwo");
    assert_ok(ironmap_seek(f->map, 2, IRONMAP_SEEK_SET, &failure));
    assert_line_copied(f, 0, IRONMAP_TO_END, true, "one\n", 4);
    assert_u64(ironmap_tell(f->map), 2);
}

/* A line may have any length and content. */
static void long_line_is_copied(void **state)
{
    static const size_t lengths[] = {1, 511, 512, 65535, 65536, 65537, 150000};
    fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        char *text = calloc(1, lengths[i] + 2);

        assert_non_null(text);
        memset(text, 'x', lengths[i]);
        text[lengths[i]] = '\n';
        map_text(f, text);
        assert_line_copied(f, 0, IRONMAP_TO_END, true, text, lengths[i] + 1);
        text[lengths[i]] = '\0';
        assert_line_copied(f, 0, IRONMAP_TO_END, false, text, lengths[i] + 1);
        assert_line_copied(f, 0, lengths[i], true, text, lengths[i]);
        free(text);
        assert_ok(ironmap_close(f->map, &failure));
        f->map = NULL;
    }
}

static void lack_of_memory_is_an_error(void **state)
{
    fixture *f = *state;
    line_buffer *r = line_buffer_new();
    size_t length = 12345;

    map_text(f, "a line\n");
    r->capacity = 3;
    assert_fails(ironmap_copy_line(&length, f->map, 0, IRONMAP_TO_END, true, allocate, r, &failure),
                 IRONMAP_E_NOMEM);
    assert_u64(length, 12345);
    free(r);
}

/* A line that is too long to be copied in one pass. */
static void lack_of_memory_for_a_long_line_is_an_error(void **state)
{
    enum { LONG_LINE = 100000 };
    fixture *f = *state;
    line_buffer *r = line_buffer_new();
    size_t length = 12345;

    map_anonymous(f, IRONMAP_WRITE, LONG_LINE);
    r->capacity = 3;
    assert_fails(ironmap_copy_line(&length, f->map, 0, IRONMAP_TO_END, true, allocate, r, &failure),
                 IRONMAP_E_NOMEM);
    assert_u64(length, 12345);
    free(r);
}

/* ---- many lines ---- */

enum { MOST_LINES = 64 };

typedef struct line_list {
    uint64_t offsets[MOST_LINES];
    size_t lengths[MOST_LINES];
    size_t count;
} line_list;

/* The lines of a range, in batches of `batch`. */
static line_list list_lines(const ironmap_map *map, size_t batch, uint64_t offset, size_t length)
{
    line_list list = {.count = 0};
    ironmap_lines lines = {.offsets = list.offsets, .lengths = list.lengths, .capacity = batch};

    do {
        assert_ok(ironmap_find_lines(&lines, map, offset, length, &failure));
        assert_true(lines.found <= batch);
        list.count += lines.found;
        lines.offsets += lines.found;
        lines.lengths += lines.found;
    } while (lines.found > 0);
    return list;
}

typedef struct lines_case {
    const char *text;
    uint64_t offset;
    size_t length;
    size_t count;
    uint64_t offsets[4];
    size_t lengths[4];
} lines_case;

static const lines_case lines_cases[] = {
    {"", 0, IRONMAP_TO_END, 0, {0}, {0}},
    {"a", 0, IRONMAP_TO_END, 1, {0}, {1}},
    {"\n", 0, IRONMAP_TO_END, 1, {0}, {1}},
    {"one\n\nthree\n", 0, IRONMAP_TO_END, 3, {0, 4, 5}, {4, 1, 6}},
    {"one\ntwo", 0, IRONMAP_TO_END, 2, {0, 4}, {4, 3}},
    {"one\ntwo", 1, IRONMAP_TO_END, 2, {1, 4}, {3, 3}},
    {"one\ntwo", 0, 6, 2, {0, 4}, {4, 2}},
    {"one\ntwo", 0, 4, 1, {0}, {4}},
    {"one\ntwo", 0, 99, 2, {0, 4}, {4, 3}},
    {"one\ntwo", 3, 1, 1, {3}, {1}},
    {"one\ntwo", 7, IRONMAP_TO_END, 0, {0}, {0}},
    {"one\ntwo", 8, IRONMAP_TO_END, 0, {0}, {0}},
    {"one\ntwo", UINT64_MAX, IRONMAP_TO_END, 0, {0}, {0}},
};

/* Any batch size gives the same lines, each with its newline. */
static void find_lines_lists_the_lines_of_a_range(void **state)
{
    fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(lines_cases); i++) {
        const lines_case *row = &lines_cases[i];

        map_text(f, row->text);
        for (size_t batch = 1; batch <= 5; batch++) {
            line_list list = list_lines(f->map, batch, row->offset, row->length);

            assert_u64(list.count, row->count);
            for (size_t k = 0; k < list.count; k++) {
                assert_u64(list.offsets[k], row->offsets[k]);
                assert_u64(list.lengths[k], row->lengths[k]);
            }
        }
        map_close(f);
    }
}

/* The batch stays unchanged. */
static void wrong_batches_are_refused(void **state)
{
    static const char no_room[] = "lines without room for an offset and a length";
    fixture *f = *state;
    uint64_t offsets[2];
    size_t lengths[2];
    ironmap_lines lines = {.offsets = offsets, .lengths = lengths, .next = 3, .found = 9};

    map_text(f, "one\ntwo");
    assert_invalid(ironmap_find_lines(&lines, f->map, 0, IRONMAP_TO_END, &failure), no_room);
    lines.capacity = 2;
    lines.lengths = NULL;
    assert_invalid(ironmap_find_lines(&lines, f->map, 0, IRONMAP_TO_END, &failure), no_room);
    lines.lengths = lengths;
    lines.offsets = NULL;
    assert_invalid(ironmap_find_lines(&lines, f->map, 0, IRONMAP_TO_END, &failure), no_room);
    lines.offsets = offsets;
    lines.reserved[3] = 1;
    assert_fails(ironmap_find_lines(&lines, f->map, 0, IRONMAP_TO_END, &failure),
                 IRONMAP_E_UNSUPPORTED);
    assert_u64(lines.next, 3);
    assert_u64(lines.found, 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_fixture(line_is_copied),
        with_fixture(line_ends_with_its_range_or_the_map),
        with_fixture(copy_line_keeps_the_position),
        with_fixture(long_line_is_copied),
        with_fixture(lack_of_memory_is_an_error),
        with_fixture(lack_of_memory_for_a_long_line_is_an_error),
        with_fixture(find_lines_lists_the_lines_of_a_range),
        with_fixture(wrong_batches_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
