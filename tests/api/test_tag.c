/* Tags, as they are on every system: memory that processes share by its name. */
#include "support.h"

#include <stdio.h>

enum { LENGTH = 200000, PLACE = 70000 };

/* A tag that nobody else has. */
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

/* The map's bytes are zero, all of them. */
static void assert_zeros(const ironmap_map *map)
{
    assert_map_filled(map, 0, ironmap_length(map), 0);
}

/* ---- the memory ------------------------------------------------------------------------------ */

/* Who comes first has zeros, and who comes later what was stored. */
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

/* What the other process does: joins, reads, answers. */
static int answer(const char *name)
{
    ironmap_options options = IRONMAP_OPTIONS_INIT;
    ironmap_map *map = NULL;
    char bytes[5];

    options.tag = name;
    child_check(ironmap_open_anonymous(&map, IRONMAP_WRITE, &options, NULL) == IRONMAP_OK);
    child_check(ironmap_length(map) >= LENGTH);
    child_check(ironmap_get(map, PLACE, bytes, 5, NULL) == IRONMAP_OK);
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
    child_check(ironmap_put(map, PLACE, "bytes", 5, NULL) == IRONMAP_OK);
    return 0;
}

static void another_process_shares_the_memory(void **state)
{
    ironmap_map *map = open_tag(IRONMAP_WRITE, 0, LENGTH);

    (void)state;
    assert_ok(ironmap_put(map, PLACE, "bytes", 5, &failure));
    assert_int_equal(in_process("answer", tag), 0);
    assert_map(map, LENGTH - 6, "answer", 6);
    close_map(map);
    assert_int_equal(in_process("find_nothing", tag), 0);
}

/* What a process that has ended had stored is gone where it was the last, and else stays. */
static void process_that_ends_is_no_user(void **state)
{
    ironmap_map *map = NULL;

    (void)state;
    assert_int_equal(in_process("store_and_end", tag), 0);
    open_tag_fails(0, 0, IRONMAP_E_NO_TAG);
    map = open_tag(IRONMAP_WRITE, 0, LENGTH);
    assert_zeros(map);
    assert_int_equal(in_process("store_and_end", tag), 0);
    assert_map(map, PLACE, "bytes", 5);
    close_map(map);
}

/* The tag lives as long as anyone has it, in whatever order they come and go. */
static void tag_is_gone_after_the_last_close(void **state)
{
    ironmap_map *first = open_tag(IRONMAP_WRITE, 0, LENGTH);
    ironmap_map *second = open_tag(IRONMAP_WRITE, 0, LENGTH);
    ironmap_map *third = NULL;

    (void)state;
    assert_ok(ironmap_put(first, PLACE, "bytes", 5, &failure));
    close_map(first);
    third = open_tag(IRONMAP_READ, 0, 0);
    close_map(second);
    assert_map(third, PLACE, "bytes", 5);
    close_map(third);
    open_tag_fails(0, 0, IRONMAP_E_NO_TAG);
    first = open_tag(IRONMAP_WRITE, 0, 2 * (size_t)LENGTH);
    assert_zeros(first);
    assert_u64(ironmap_length(first), 2 * (uint64_t)LENGTH);
    close_map(first);
}

/* ---- how much of it -------------------------------------------------------------------------- */

/* More than there is cannot be had, and less can; the tag stays as long as it was made. */
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
    assert_ok(ironmap_put(map, PLACE, "bytes", 5, &failure));
    part = open_tag(IRONMAP_WRITE, PLACE + 1, 4);
    assert_u64(ironmap_length(part), 4);
    assert_u64(ironmap_offset(part), PLACE + 1);
    assert_map(part, 0, "ytes", 4);
    assert_ok(ironmap_file_size(&size, part, &failure));
    assert_true(size >= LENGTH && size < LENGTH + ironmap_page_size());
    close_map(part);
    close_map(map);
}

/* Length 0 is all there is from the offset on. */
static void length_zero_is_the_whole(void **state)
{
    ironmap_map *map = NULL;
    ironmap_map *rest = NULL;

    (void)state;
    open_tag_fails(0, 0, IRONMAP_E_NO_TAG);
    open_tag_fails(PLACE, 0, IRONMAP_E_NO_TAG);
    map = open_tag(IRONMAP_WRITE, PLACE, LENGTH - PLACE);
    rest = open_tag(IRONMAP_WRITE, LENGTH / 2, 0);
    assert_ok(ironmap_put(map, LENGTH - PLACE - 3, "end", 3, &failure));
    assert_map(rest, LENGTH - LENGTH / 2 - 3, "end", 3);
    assert_true(ironmap_length(rest) < LENGTH - LENGTH / 2 + ironmap_page_size());
    close_map(rest);
    close_map(map);
}

/* No tag is so long. */
static void lengths_that_cannot_be(void **state)
{
    (void)state;
    open_tag_fails(INT64_MAX, 1, IRONMAP_E_OVERFLOW);
    open_tag_fails(UINT64_MAX, 1, IRONMAP_E_OVERFLOW);
    open_tag_fails(0, 0, IRONMAP_E_NO_TAG);
}

/* ---- access ---------------------------------------------------------------------------------- */

/* Each map of a tag has its own access, whoever made it. */
static void access_is_each_maps_own(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(all_accesses); i++) {
        ironmap_map *maker = open_tag(all_accesses[i], 0, LENGTH);
        ironmap_map *writer = open_tag(IRONMAP_WRITE, 0, LENGTH);
        ironmap_map *reader = open_tag(IRONMAP_READ, 0, LENGTH);
        ironmap_map *copy = open_tag(IRONMAP_COPY, 0, LENGTH);

        assert_ok(ironmap_put(copy, 0, "own", 3, &failure));
        assert_zeros(reader);
        assert_ok(ironmap_put(writer, PLACE, "all", 3, &failure));
        assert_map(maker, PLACE, "all", 3);
        assert_map(reader, PLACE, "all", 3);
        assert_map(copy, 0, "own", 3);
        assert_fails(ironmap_put(reader, 0, "x", 1, &failure), IRONMAP_E_READONLY);
        close_map(copy);
        close_map(reader);
        close_map(writer);
        close_map(maker);
    }
}

/* Its length is everybody's. */
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

/* It has no file to speak of. */
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

/* The tag is held where the file is not. */
static void untracked_map_holds_the_tag(void **state)
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

static char longest[IRONMAP_TAG_MAX + 2];

static void names_that_can_be(void **state)
{
    static const char *const names[] = {"a", "Z", "9", "_", "-", "a.b", "-._", "CON", longest};

    (void)state;
    memset(longest, 'X', IRONMAP_TAG_MAX);
    longest[IRONMAP_TAG_MAX] = '\0';
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        ironmap_options options = options_of(0, 1);
        ironmap_map *map = NULL;

        options.tag = names[i];
        assert_true(ironmap_is_valid_tag(names[i]));
        assert_ok(ironmap_open_anonymous(&map, IRONMAP_WRITE, &options, &failure));
        assert_string_equal(ironmap_tag(map), names[i]);
        close_map(map);
    }
}

static void names_that_cannot_be(void **state)
{
    static const char *const names[] = {
        "",         ".",   "..",  ".a", "a/b",      "/",   "\\",
        "Local\\a", "a b", "a=b", "a%", "\xc3\xa9", "a\n", longest,
    };
    fixture *f = *state;

    memset(longest, 'X', sizeof(longest) - 1);
    file_make(f, 10);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        ironmap_options options = options_of(0, 1);
        ironmap_map *map = NULL;

        options.tag = names[i];
        assert_false(ironmap_is_valid_tag(names[i]));
        assert_fails(ironmap_open_anonymous(&map, IRONMAP_WRITE, &options, &failure),
                     IRONMAP_E_INVALID);
        assert_fails(ironmap_open_path(&map, f->path, IRONMAP_WRITE, &options, &failure),
                     IRONMAP_E_INVALID);
        assert_null(map);
    }
}

/* Two names that differ by case alone are two. */
static void case_matters(void **state)
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

/* A map without one has none. */
static void untagged_maps_have_none(void **state)
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

/* Many maps of one file share its tag; each is a map of the file. */
static void file_with_a_tag(void **state)
{
    fixture *f = *state;
    ironmap_options options = tagged(0, 0);
    ironmap_map *other = NULL;
    uint64_t size = 0;

    file_make(f, LENGTH);
    assert_ok(ironmap_open_path(&f->map, f->path, IRONMAP_WRITE, &options, &failure));
    assert_map_pattern(f->map, 0, LENGTH);
    assert_string_equal(ironmap_tag(f->map), tag);
    options = tagged(PLACE, 10);
    assert_ok(ironmap_open_fd(&other, f->fd, IRONMAP_WRITE, &options, &failure));
    assert_ok(ironmap_put(other, 0, "bytes", 5, &failure));
    assert_map(f->map, PLACE, "bytes", 5);
    assert_file(f, PLACE, "bytes", 5);
    assert_ok(ironmap_file_size(&size, other, &failure));
    assert_u64(size, LENGTH);
    assert_fails(ironmap_resize(other, 5, &failure), IRONMAP_E_NOT_RESIZABLE);
    close_map(other);
}

/* The first map of a file's tag says how long it is. */
static void larger_view_of_a_files_tag(void **state)
{
    fixture *f = *state;
    ironmap_options options = tagged(0, PLACE);
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
    assert_u64(file_length(f), traits.cuts_mapped_files ? LENGTH : 2 * (uint64_t)LENGTH);
    options = tagged(0, 0);
    assert_ok(ironmap_open_path(&other, f->path, IRONMAP_WRITE, &options, &failure));
    assert_true(ironmap_length(other) >= PLACE &&
                ironmap_length(other) < PLACE + ironmap_page_size());
    close_map(other);
}

/* A file that is made with a tag that cannot be had is not made. */
static void file_is_put_back_where_the_tag_fails(void **state)
{
    fixture *f = *state;
    ironmap_options options = tagged(0, LENGTH);
    ironmap_map *map = NULL;

    options.tag = "/";
    options.open = IRONMAP_OPEN_CREATE | IRONMAP_OPEN_EXTEND;
    assert_fails(ironmap_open_path(&map, f->path, IRONMAP_WRITE, &options, &failure),
                 IRONMAP_E_INVALID);
    assert_false(file_exists(f));
}

/* ---- the options ----------------------------------------------------------------------------- */

/* Bits for files mean nothing to memory. */
static void bits_for_files_are_refused(void **state)
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
        with_fixture(maps_of_a_tag_share_its_memory),
        with_fixture(another_process_shares_the_memory),
        with_fixture(process_that_ends_is_no_user),
        with_fixture(tag_is_gone_after_the_last_close),
        with_fixture(larger_view_is_an_error),
        with_fixture(length_zero_is_the_whole),
        with_fixture(lengths_that_cannot_be),
        with_fixture(access_is_each_maps_own),
        with_fixture(tagged_map_is_not_resizable),
        with_fixture(memory_of_a_tag_has_no_path),
        with_fixture(untracked_map_holds_the_tag),
        with_fixture(names_that_can_be),
        with_fixture(names_that_cannot_be),
        with_fixture(case_matters),
        with_fixture(untagged_maps_have_none),
        with_fixture(file_with_a_tag),
        with_fixture(larger_view_of_a_files_tag),
        with_fixture(file_is_put_back_where_the_tag_fails),
        with_fixture(bits_for_files_are_refused),
    };

    process_begin(works);
    (void)snprintf(tag, sizeof(tag), "test-%" PRIu64, process_number());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
