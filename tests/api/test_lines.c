/* ironmap_take_line: a line into room that is asked for. */
#include "support.h"

#include <stdlib.h>

/* Room that is asked for, and how often. */
typedef struct room {
    char bytes[200000];
    size_t length;
    size_t times;
    size_t most; /* no room for more */
} room;

static void *give(void *context, size_t length)
{
    room *r = context;

    r->length = length;
    r->times++;
    return length <= r->most ? r->bytes : NULL;
}

static room *room_new(void)
{
    room *r = calloc(1, sizeof(*r));

    assert_non_null(r);
    r->most = sizeof(r->bytes);
    return r;
}

static void assert_taken(fixture *f, uint64_t offset, uint64_t end, bool keep_end,
                         const char *expected, size_t expected_length)
{
    room *r = room_new();
    size_t length = 12345;

    assert_ok(ironmap_take_line(&length, f->map, offset, end, keep_end, give, r, &failure));
    assert_u64(length, expected_length);
    assert_u64(r->length, strlen(expected));
    assert_u64(r->times, 1);
    assert_memory_equal(r->bytes, expected, r->length);
    free(r);
}

/* The line comes whole, with or without its newline, and its length always with. */
static void line_is_taken(void **state)
{
    fixture *f = *state;

    map_text(f, "one\n\nthree");
    assert_taken(f, 0, IRONMAP_TO_END, true, "one\n", 4);
    assert_taken(f, 0, IRONMAP_TO_END, false, "one", 4);
    assert_taken(f, 2, IRONMAP_TO_END, true, "e\n", 2);
    assert_taken(f, 4, IRONMAP_TO_END, true, "\n", 1);
    assert_taken(f, 4, IRONMAP_TO_END, false, "", 1);
    assert_taken(f, 5, IRONMAP_TO_END, true, "three", 5);
    assert_taken(f, 5, IRONMAP_TO_END, false, "three", 5);
}

/* `end` ends a line as the map's end does; behind both there is nothing. */
static void line_ends_at_the_end(void **state)
{
    fixture *f = *state;

    map_text(f, "one\ntwo");
    assert_taken(f, 0, 2, true, "on", 2);
    assert_taken(f, 0, 3, false, "one", 3);
    assert_taken(f, 0, 4, false, "one", 4);
    assert_taken(f, 5, 6, true, "w", 1);
    assert_taken(f, 5, 1000, true, "wo", 2);
    assert_taken(f, 7, IRONMAP_TO_END, true, "", 0);
    assert_taken(f, 6, 2, true, "", 0);
    assert_taken(f, UINT64_MAX, UINT64_MAX, true, "", 0);
}

/* Reading lines that way does not use the position. */
static void line_leaves_the_position(void **state)
{
    fixture *f = *state;

    map_text(f, "one\ntwo");
    assert_ok(ironmap_seek(f->map, 2, IRONMAP_SEEK_SET, &failure));
    assert_taken(f, 0, IRONMAP_TO_END, true, "one\n", 4);
    assert_u64(ironmap_tell(f->map), 2);
}

/* A line of any length, of any content, is the same. */
static void long_line_is_taken(void **state)
{
    static const size_t lengths[] = {1, 511, 512, 65535, 65536, 65537, 150000};
    fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        char *text = calloc(1, lengths[i] + 2);

        assert_non_null(text);
        memset(text, 'x', lengths[i]);
        text[lengths[i]] = '\n';
        map_text(f, text);
        assert_taken(f, 0, IRONMAP_TO_END, true, text, lengths[i] + 1);
        text[lengths[i]] = '\0';
        assert_taken(f, 0, IRONMAP_TO_END, false, text, lengths[i] + 1);
        assert_taken(f, 0, lengths[i], true, text, lengths[i]);
        free(text);
        assert_ok(ironmap_close(f->map, &failure));
        f->map = NULL;
    }
}

static void no_room_is_an_error(void **state)
{
    fixture *f = *state;
    room *r = room_new();
    size_t length = 12345;

    map_text(f, "a line\n");
    r->most = 3;
    assert_fails(ironmap_take_line(&length, f->map, 0, IRONMAP_TO_END, true, give, r, &failure),
                 IRONMAP_E_NOMEM);
    assert_u64(length, 12345);
    free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_fixture(line_is_taken),
        with_fixture(line_ends_at_the_end),
        with_fixture(line_leaves_the_position),
        with_fixture(long_line_is_taken),
        with_fixture(no_room_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
