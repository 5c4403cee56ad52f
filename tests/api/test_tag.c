/* Tags on every system: memory that processes share by name. */
#include "support.h"

#include <stdio.h>

enum { LENGTH = 200000, OFFSET = 70000 };

/* A tag that no other process has. */
static char tag[64];

static ironmap_options tagged(uint64_t offset, size_t length)
{
    ironmap_options options = options_of(offset, length);

    options.tag = tag;
    return options;
}

/* Opens the memory of the tag. */
static ironmap_map *open_tag(ironmap_access access, uint64_t offset, size_t length)
{
    ironmap_options options = tagged(offset, length);
    ironmap_map *map = NULL;

    assert_ok(ironmap_open_anonymous(&map, access, &options, &failure));
    return map;
}

static void open_tag_fails(uint64_t offset, size_t length, ironmap_status status)
{
    ironmap_options options = tagged(offset, length);
    ironmap_map *map = NULL;

    assert_status(ironmap_open_anonymous(&map, IRONMAP_WRITE, &options, &failure), status);
    assert_null(map);
}

static void close_map(ironmap_map *map)
{
    assert_ok(ironmap_close(map, &failure));
}

/* All bytes of the map are zero. */
static void assert_zeros(const ironmap_map *map)
{
    assert_map_filled(map, 0, ironmap_length(map), 0);
}

/* ---- the memory ------------------------------------------------------------------------------ */

static void overhead_counts_the_tag(void **state)
{
    ironmap_options plain = options_of(0, LENGTH);
    ironmap_map *one = open_tag(IRONMAP_WRITE, 0, LENGTH);
    ironmap_map *two = NULL;

    (void)state;
    assert_ok(ironmap_open_anonymous(&two, IRONMAP_WRITE, &plain, &failure));
    assert_in_range(ironmap_overhead(one), ironmap_overhead(two) + strlen(tag), 800);
    close_map(two);
    close_map(one);
}

/* The first map has zeros, the next ones have what was stored. */
static void maps_of_a_tag_share_its_memory(void **state)
{
    ironmap_map *one = open_tag(IRONMAP_WRITE, 0, LENGTH);
    ironmap_map *two = open_tag(IRONMAP_WRITE, 0, LENGTH);

    (void)state;
    assert_zeros(one);
    assert_ok(ironmap_put(one, 5, "bytes", 5, &failure));
    assert_map(two, 5, "bytes", 5);
    assert_ok(ironmap_put(two, LENGTH - 3, "end", 3, &failure));
    assert_map(one, LENGTH - 3, "end", 3);
    assert_string_equal(ironmap_tag(one), tag);
    close_map(one);
    close_map(two);
}

/* The other process opens, reads and answers. */
static int answer(const char *name)
{
    ironmap_options options = IRONMAP_OPTIONS_INIT;
    ironmap_map *map = NULL;
    char bytes[5];

    options.tag = name;
    child_check(ironmap_open_anonymous(&map, IRONMAP_WRITE, &options, NULL) == IRONMAP_OK);
    child_check(ironmap_length(map) >= LENGTH);
    child_check(ironmap_get(map, OFFSET, bytes, 5, NULL) == IRONMAP_OK);
    child_check(memcmp(bytes, "bytes", 5) == 0);
    child_check(ironmap_put(map, LENGTH - 6, "answer", 6, NULL) == IRONMAP_OK);
    child_check(ironmap_close(map, NULL) == IRONMAP_OK);
    return 0;
}

static int find_nothing(const char *name)
{
    ironmap_options options = IRONMAP_OPTIONS_INIT;
    ironmap_map *map = NULL;

    options.tag = name;
    child_check(ironmap_open_anonymous(&map, IRONMAP_WRITE, &options, NULL) == IRONMAP_E_NO_TAG);
    return 0;
}

/* Ends without closing. */
static int store_and_end(const char *name)
{
    ironmap_options options = IRONMAP_OPTIONS_INIT;
    ironmap_map *map = NULL;

    options.tag = name;
    options.length = LENGTH;
    child_check(ironmap_open_anonymous(&map, IRONMAP_WRITE, &options, NULL) == IRONMAP_OK);
    child_check(ironmap_put(map, OFFSET, "bytes", 5, NULL) == IRONMAP_OK);
    return 0;
}

static void another_process_shares_the_memory(void **state)
{
    ironmap_map *map = open_tag(IRONMAP_WRITE, 0, LENGTH);

    (void)state;
    assert_ok(ironmap_put(map, OFFSET, "bytes", 5, &failure));
    assert_int_equal(in_process("answer", tag), 0);
    assert_map(map, LENGTH - 6, "answer", 6);
    close_map(map);
    assert_int_equal(in_process("find_nothing", tag), 0);
}

/* Its stores are gone if it was the last user, else they stay. */
static void exit_ends_the_use_of_a_tag(void **state)
{
    ironmap_map *map = NULL;

    (void)state;
    assert_int_equal(in_process("store_and_end", tag), 0);
    open_tag_fails(0, 0, IRONMAP_E_NO_TAG);
    map = open_tag(IRONMAP_WRITE, 0, LENGTH);
    assert_zeros(map);
    assert_int_equal(in_process("store_and_end", tag), 0);
    assert_map(map, OFFSET, "bytes", 5);
    close_map(map);
}

/* Maps are opened and closed in any order. */
static void tag_is_gone_after_the_last_close(void **state)
{
    ironmap_map *first = open_tag(IRONMAP_WRITE, 0, LENGTH);
    ironmap_map *second = open_tag(IRONMAP_WRITE, 0, LENGTH);
    ironmap_map *third = NULL;

    (void)state;
    assert_ok(ironmap_put(first, OFFSET, "bytes", 5, &failure));
    close_map(first);
    third = open_tag(IRONMAP_READ, 0, 0);
    close_map(second);
    assert_map(third, OFFSET, "bytes", 5);
    close_map(third);
    open_tag_fails(0, 0, IRONMAP_E_NO_TAG);
    first = open_tag(IRONMAP_WRITE, 0, 2 * (size_t)LENGTH);
    assert_zeros(first);
    assert_u64(ironmap_length(first), 2 * (uint64_t)LENGTH);
    close_map(first);
}

/* ---- length ---------------------------------------------------------------------------------- */

/* A smaller view is allowed. The tag keeps its length. */
static void larger_view_is_an_error(void **state)
{
    ironmap_map *map = open_tag(IRONMAP_WRITE, 0, LENGTH);
    ironmap_map *part = NULL;
    uint64_t size = 0;

    (void)state;
    open_tag_fails(0, 2 * (size_t)LENGTH, IRONMAP_E_BEYOND_FILE);
    open_tag_fails(2 * (uint64_t)LENGTH, 0, IRONMAP_E_BEYOND_FILE);
    open_tag_fails(LENGTH / 2, LENGTH, IRONMAP_E_BEYOND_FILE);
    open_tag_fails(2 * (uint64_t)LENGTH, 1, IRONMAP_E_BEYOND_FILE);
    assert_ok(ironmap_put(map, OFFSET, "bytes", 5, &failure));
    part = open_tag(IRONMAP_WRITE, OFFSET + 1, 4);
    assert_u64(ironmap_length(part), 4);
    assert_u64(ironmap_offset(part), OFFSET + 1);
    assert_map(part, 0, "ytes", 4);
    assert_ok(ironmap_file_size(&size, part, &failure));
    assert_true(size >= LENGTH && size < LENGTH + ironmap_page_size());
    close_map(part);
    close_map(map);
}

/* The map begins at its offset. */
static void length_zero_maps_the_whole_tag(void **state)
{
    ironmap_map *map = NULL;
    ironmap_map *rest = NULL;

    (void)state;
    open_tag_fails(0, 0, IRONMAP_E_NO_TAG);
    open_tag_fails(OFFSET, 0, IRONMAP_E_NO_TAG);
    map = open_tag(IRONMAP_WRITE, OFFSET, LENGTH - OFFSET);
    rest = open_tag(IRONMAP_WRITE, LENGTH / 2, 0);
    assert_ok(ironmap_put(map, LENGTH - OFFSET - 3, "end", 3, &failure));
    assert_map(rest, LENGTH - LENGTH / 2 - 3, "end", 3);
    assert_true(ironmap_length(rest) < LENGTH - LENGTH / 2 + ironmap_page_size());
    close_map(rest);
    close_map(map);
}

/* From the end of the tag on there is nothing to map. Windows rounds the end up to a page. */
static void nonempty_refuses_the_end_of_a_tag(void **state)
{
    const size_t end = 3 * ironmap_page_size();
    ironmap_map *map = open_tag(IRONMAP_WRITE, 0, end);
    ironmap_map *rest = open_tag(IRONMAP_WRITE, end, 0);
    ironmap_options options = tagged(end, 0);
    ironmap_map *none = NULL;

    (void)state;
    assert_u64(ironmap_length(rest), 0);
    options.open = IRONMAP_OPEN_NONEMPTY;
    assert_fails(ironmap_open_anonymous(&none, IRONMAP_WRITE, &options, &failure),
                 IRONMAP_E_BEYOND_FILE);
    assert_null(none);
    options.offset--;
    assert_ok(ironmap_open_anonymous(&none, IRONMAP_WRITE, &options, &failure));
    assert_u64(ironmap_length(none), 1);
    close_map(none);
    close_map(rest);
    close_map(map);
}

static void impossible_lengths_are_refused(void **state)
{
    (void)state;
    open_tag_fails(INT64_MAX, 1, IRONMAP_E_OVERFLOW);
    open_tag_fails(UINT64_MAX, 1, IRONMAP_E_OVERFLOW);
    open_tag_fails(0, 0, IRONMAP_E_NO_TAG);
    /* Also if there is a tag, which ends before. */
    ironmap_map *map = open_tag(IRONMAP_WRITE, 0, LENGTH);
    open_tag_fails(INT64_MAX, 1, IRONMAP_E_OVERFLOW);
    open_tag_fails(UINT64_MAX, 1, IRONMAP_E_OVERFLOW);
    close_map(map);
}

/* ---- access ---------------------------------------------------------------------------------- */

static void each_map_of_a_tag_has_its_access(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(all_accesses); i++) {
        ironmap_map *maker = open_tag(all_accesses[i], 0, LENGTH);
        ironmap_map *writer = open_tag(IRONMAP_WRITE, 0, LENGTH);
        ironmap_map *reader = open_tag(IRONMAP_READ, 0, LENGTH);
        ironmap_map *copy = open_tag(IRONMAP_COPY, 0, LENGTH);

        assert_ok(ironmap_put(copy, 0, "own", 3, &failure));
        assert_zeros(reader);
        assert_ok(ironmap_put(writer, OFFSET, "all", 3, &failure));
        assert_map(maker, OFFSET, "all", 3);
        assert_map(reader, OFFSET, "all", 3);
        assert_map(copy, 0, "own", 3);
        assert_fails(ironmap_put(reader, 0, "x", 1, &failure), IRONMAP_E_READONLY);
        close_map(copy);
        close_map(reader);
        close_map(writer);
        close_map(maker);
    }
}

static void tagged_map_is_not_resizable(void **state)
{
    ironmap_map *map = open_tag(IRONMAP_WRITE, 0, LENGTH);

    (void)state;
    assert_fails(ironmap_resize(map, LENGTH / 2, &failure), IRONMAP_E_NOT_RESIZABLE);
    assert_fails(ironmap_resize(map, 2 * (size_t)LENGTH, &failure), IRONMAP_E_NOT_RESIZABLE);
    assert_u64(ironmap_length(map), LENGTH);
    ironmap_pin(map);
    assert_fails(ironmap_resize(map, 1, &failure), IRONMAP_E_BUSY);
    assert_fails(ironmap_close(map, &failure), IRONMAP_E_BUSY);
    ironmap_unpin(map);
    close_map(map);
}

static void memory_of_a_tag_has_no_path(void **state)
{
    ironmap_map *map = open_tag(IRONMAP_WRITE, 0, LENGTH);
    char path[1000];

    (void)state;
    assert_fails(ironmap_file_path(map, path, sizeof(path), &failure), IRONMAP_E_NO_FILE);
    assert_invalid(ironmap_set_name(map, "name", &failure), "a name for the map of a file");
    assert_ok(ironmap_flush(map, 1, IRONMAP_TO_END, 0, &failure));
    close_map(map);
}

/* It keeps no file. */
static void untracked_map_keeps_the_tag(void **state)
{
    ironmap_options options = tagged(0, LENGTH);
    ironmap_map *map = NULL;
    ironmap_map *other = NULL;
    uint64_t size = 0;

    (void)state;
    options.open = IRONMAP_OPEN_NO_TRACK;
    assert_ok(ironmap_open_anonymous(&map, IRONMAP_WRITE, &options, &failure));
    assert_ok(ironmap_put(map, 0, "bytes", 5, &failure));
    assert_fails(ironmap_file_size(&size, map, &failure), IRONMAP_E_NO_FILE);
    other = open_tag(IRONMAP_READ, 0, 0);
    assert_map(other, 0, "bytes", 5);
    close_map(other);
    close_map(map);
    open_tag_fails(0, 0, IRONMAP_E_NO_TAG);
}

/* ---- names ----------------------------------------------------------------------------------- */

/* Each is a tag of its own. They end in the tag of this test, which no other process has. */
static void any_text_is_a_name(void **state)
{
    static char long_one[IRONMAP_TAG_MAX - sizeof(tag) + 1];
    static const char *const starts[] = {
        "",       "a",   "Z",   "9",        "_",        "-",         ".a",
        "a.b",    "a b", "a=b", "%61",      "=a",       "~",         ":",
        "*?",     "\"'", "\t",  "\xc3\xa9", "\xc3\x89", "e\xcc\x81", "\xe2\x82\xac",
        long_one,
    };
    static char names[COUNT_OF(starts)][IRONMAP_TAG_MAX + 1];
    ironmap_map *maps[COUNT_OF(starts)] = {NULL};
    ironmap_options options = options_of(0, 1);

    (void)state;
    memset(long_one, 'X', sizeof(long_one) - 1);
    for (size_t i = 0; i < COUNT_OF(starts); i++) {
        (void)snprintf(names[i], sizeof(names[i]), "%s%s", starts[i], tag);
        options.tag = names[i];
        assert_true(ironmap_is_valid_tag(names[i]));
        assert_ok(ironmap_open_anonymous(&maps[i], IRONMAP_WRITE, &options, &failure));
        assert_string_equal(ironmap_tag(maps[i]), names[i]);
        assert_map_filled(maps[i], 0, 1, 0);
        assert_ok(ironmap_put_byte(maps[i], 0, (uint8_t)(i + 1), &failure));
    }
    for (size_t i = 0; i < COUNT_OF(starts); i++) {
        ironmap_map *again = NULL;

        options.tag = names[i];
        assert_ok(ironmap_open_anonymous(&again, IRONMAP_WRITE, &options, &failure));
        assert_map_filled(again, 0, 1, (uint8_t)(i + 1));
        close_map(again);
        close_map(maps[i]);
    }
}

/* The namespace of the session is the one that names have without a prefix. */
static void local_prefix_means_the_tag_behind_it(void **state)
{
    ironmap_options options = options_of(0, LENGTH);
    ironmap_map *map = open_tag(IRONMAP_WRITE, 0, LENGTH);
    ironmap_map *local = NULL;
    char name[100];

    (void)state;
    (void)snprintf(name, sizeof(name), "Local\\%s", tag);
    options.tag = name;
    assert_ok(ironmap_open_anonymous(&local, IRONMAP_WRITE, &options, &failure));
    assert_string_equal(ironmap_tag(local), name);
    assert_ok(ironmap_put(map, OFFSET, "bytes", 5, &failure));
    assert_map(local, OFFSET, "bytes", 5);
    close_map(map);
    assert_map(local, OFFSET, "bytes", 5);
    close_map(local);
    open_tag_fails(0, 0, IRONMAP_E_NO_TAG);
}

static void empty_name_is_invalid(void **state)
{
    ironmap_options options = options_of(0, 1);
    fixture *f = *state;
    ironmap_map *map = NULL;

    file_make(f, 10);
    options.tag = "";
    assert_false(ironmap_is_valid_tag(""));
    assert_invalid(ironmap_open_anonymous(&map, IRONMAP_WRITE, &options, &failure),
                   "tag name is empty");
    assert_invalid(ironmap_open_path(&map, f->path, IRONMAP_WRITE, &options, &failure),
                   "tag name is empty");
    assert_null(map);
}

static void names_are_case_sensitive(void **state)
{
    ironmap_map *small = open_tag(IRONMAP_WRITE, 0, LENGTH);
    ironmap_map *large = NULL;

    (void)state;
    tag[0] = 'T';
    large = open_tag(IRONMAP_WRITE, 0, LENGTH);
    assert_ok(ironmap_put(small, 0, "small", 5, &failure));
    assert_zeros(large);
    close_map(large);
    close_map(small);
    tag[0] = 't';
}

static void untagged_maps_have_no_tag(void **state)
{
    fixture *f = *state;

    map_anonymous(f, IRONMAP_WRITE, LENGTH);
    assert_null(ironmap_tag(f->map));
    map_close(f);
    file_make(f, LENGTH);
    map_file(f, IRONMAP_READ);
    assert_null(ironmap_tag(f->map));
}

/* ---- tags of files --------------------------------------------------------------------------- */

/* Each is a map of the file. */
static void maps_of_a_file_share_its_tag(void **state)
{
    fixture *f = *state;
    ironmap_options options = tagged(0, 0);
    ironmap_map *other = NULL;
    uint64_t size = 0;

    file_make(f, LENGTH);
    assert_ok(ironmap_open_path(&f->map, f->path, IRONMAP_WRITE, &options, &failure));
    assert_map_pattern(f->map, 0, LENGTH);
    assert_string_equal(ironmap_tag(f->map), tag);
    options = tagged(OFFSET, 10);
    assert_ok(ironmap_open_fd(&other, f->fd, IRONMAP_WRITE, &options, &failure));
    assert_ok(ironmap_put(other, 0, "bytes", 5, &failure));
    assert_map(f->map, OFFSET, "bytes", 5);
    assert_file(f, OFFSET, "bytes", 5);
    assert_ok(ironmap_file_size(&size, other, &failure));
    assert_u64(size, LENGTH);
    assert_fails(ironmap_resize(other, 5, &failure), IRONMAP_E_NOT_RESIZABLE);
    close_map(other);
}

/* The first map decides the length of the tag. */
static void larger_view_of_a_files_tag_is_an_error(void **state)
{
    fixture *f = *state;
    ironmap_options options = tagged(0, OFFSET);
    ironmap_map *other = NULL;

    file_make(f, LENGTH);
    assert_ok(ironmap_open_path(&f->map, f->path, IRONMAP_WRITE, &options, &failure));
    options.length = LENGTH;
    assert_status(ironmap_open_path(&other, f->path, IRONMAP_WRITE, &options, &failure),
                  IRONMAP_E_BEYOND_FILE);
    options.length = 2 * (size_t)LENGTH;
    options.open = IRONMAP_OPEN_EXTEND;
    assert_status(ironmap_open_path(&other, f->path, IRONMAP_WRITE, &options, &failure),
                  IRONMAP_E_BEYOND_FILE);
    assert_u64(file_length(f), traits.truncates_mapped_files ? LENGTH : 2 * (uint64_t)LENGTH);
    options = tagged(0, 0);
    assert_ok(ironmap_open_path(&other, f->path, IRONMAP_WRITE, &options, &failure));
    assert_true(ironmap_length(other) >= OFFSET &&
                ironmap_length(other) < OFFSET + ironmap_page_size());
    close_map(other);
}

static void file_is_not_created_if_its_tag_is_refused(void **state)
{
    fixture *f = *state;
    ironmap_options options = tagged(0, LENGTH);
    ironmap_map *map = NULL;

    options.tag = "";
    options.open = IRONMAP_OPEN_CREATE | IRONMAP_OPEN_EXTEND;
    assert_fails(ironmap_open_path(&map, f->path, IRONMAP_WRITE, &options, &failure),
                 IRONMAP_E_INVALID);
    assert_false(file_exists(f));
}

/* ---- the options ----------------------------------------------------------------------------- */

static void tagged_memory_refuses_bits_for_files(void **state)
{
    static const unsigned bits[] = {
        IRONMAP_OPEN_CREATE,
        IRONMAP_OPEN_EXTEND,
        IRONMAP_OPEN_PREALLOCATE,
        IRONMAP_OPEN_CREATE | IRONMAP_OPEN_EXCLUSIVE,
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bits); i++) {
        ironmap_options options = tagged(0, LENGTH);
        ironmap_map *map = NULL;

        options.open = bits[i];
        assert_fails(ironmap_open_anonymous(&map, IRONMAP_WRITE, &options, &failure),
                     IRONMAP_E_INVALID);
    }
    open_tag_fails(0, 0, IRONMAP_E_NO_TAG);
}

int main(void)
{
    const process_work works[] = {
        {"answer", answer},
        {"find_nothing", find_nothing},
        {"store_and_end", store_and_end},
        {NULL, NULL},
    };
    const struct CMUnitTest tests[] = {
        with_fixture(overhead_counts_the_tag),
        with_fixture(maps_of_a_tag_share_its_memory),
        with_fixture(another_process_shares_the_memory),
        with_fixture(exit_ends_the_use_of_a_tag),
        with_fixture(tag_is_gone_after_the_last_close),
        with_fixture(larger_view_is_an_error),
        with_fixture(length_zero_maps_the_whole_tag),
        with_fixture(nonempty_refuses_the_end_of_a_tag),
        with_fixture(impossible_lengths_are_refused),
        with_fixture(each_map_of_a_tag_has_its_access),
        with_fixture(tagged_map_is_not_resizable),
        with_fixture(memory_of_a_tag_has_no_path),
        with_fixture(untracked_map_keeps_the_tag),
        with_fixture(any_text_is_a_name),
        with_fixture(local_prefix_means_the_tag_behind_it),
        with_fixture(empty_name_is_invalid),
        with_fixture(names_are_case_sensitive),
        with_fixture(untagged_maps_have_no_tag),
        with_fixture(maps_of_a_file_share_its_tag),
        with_fixture(larger_view_of_a_files_tag_is_an_error),
        with_fixture(file_is_not_created_if_its_tag_is_refused),
        with_fixture(tagged_memory_refuses_bits_for_files),
    };

    process_begin(works);
    (void)snprintf(tag, sizeof(tag), "test-%" PRIu64, process_number());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
