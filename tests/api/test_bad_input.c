/* Input that no map can be made of: each a named status, nothing made, nothing changed. */
#include "support.h"

#include <limits.h>

enum { LENGTH = 10000 };

/* ---- descriptors ---- */

/* A descriptor that is not open, or cannot be, is an error of the system. */
static void closed_descriptors(void **state)
{
    static const int descriptors[] = {-1, -2, INT_MIN, INT_MAX, 100000};
    fixture *f = *state;
    ironmap_map *map = NULL;
    ironmap_options options = options_of(IRONMAP_ACCESS_READ, 0, LENGTH);
    int closed;

    file_make(f, LENGTH);
    closed = descriptor_duplicate(f->fd);
    descriptor_close(closed);
    assert_system_fails(ironmap_open_fd(&map, closed, NULL, &failure), IRONMAP_E_SYSTEM,
                        codes.bad_descriptor);
    assert_system_fails(ironmap_open_fd(&map, closed, &options, &failure), IRONMAP_E_SYSTEM,
                        codes.bad_descriptor);
    for (size_t i = 0; i < COUNT_OF(descriptors); i++) {
        assert_system_fails(ironmap_open_fd(&map, descriptors[i], NULL, &failure), IRONMAP_E_SYSTEM,
                            codes.bad_descriptor);
    }
    assert_null(map);
}

/* A pipe cannot be mapped: without a length there is nothing to map, with one the system says what
 * is wrong. */
static void pipes(void **state)
{
    ironmap_map *map = NULL;
    ironmap_options some = options_of(IRONMAP_ACCESS_READ, 0, LENGTH);
    int ends[2];

    skip_on_acted_pages("refuses itself to map what has no length");
    (void)state;
    descriptor_pipe(ends);
    for (size_t i = 0; i < COUNT_OF(all_accesses); i++) {
        ironmap_options options = options_of(all_accesses[i], 0, 0);

        assert_fails(ironmap_open_fd(&map, ends[0], &options, &failure), IRONMAP_E_INVALID);
    }
    assert_system_fails(ironmap_open_fd(&map, ends[0], &some, &failure), IRONMAP_E_SYSTEM,
                        codes.not_mappable);
    assert_null(map);
    descriptor_close(ends[0]);
    descriptor_close(ends[1]);
}

/* ---- paths ---- */

/* Paths that name nothing that can be opened are the system's errors. */
static void paths_that_cannot_be_opened(void **state)
{
    fixture *f = *state;
    ironmap_map *map = NULL;
    ironmap_options create = options_of(IRONMAP_ACCESS_WRITE, 0, 0);

    create.open = IRONMAP_OPEN_CREATE;
    assert_system_fails(ironmap_open_path(&map, "", NULL, &failure), IRONMAP_E_SYSTEM,
                        codes.empty_path);
    assert_system_fails(ironmap_open_path(&map, f->path, NULL, &failure), IRONMAP_E_SYSTEM,
                        codes.not_found);
    file_make(f, LENGTH);
    (void)strncat(f->path, "/inside", sizeof(f->path) - strlen(f->path) - 1);
    assert_system_fails(ironmap_open_path(&map, f->path, &create, &failure), IRONMAP_E_SYSTEM,
                        codes.not_a_directory);
    assert_fails(ironmap_open_path(&map, NULL, NULL, &failure), IRONMAP_E_INVALID);
    assert_null(map);
}

/* ---- options ---- */

/* Options of a newer header that ask for what this library does not know are refused. */
static void newer_options_are_refused(void **state)
{
    struct {
        ironmap_options known;
        uint64_t newer;
    } options = {options_of(IRONMAP_ACCESS_DEFAULT, 0, LENGTH), 0};
    ironmap_map *map = NULL;

    (void)state;
    options.known.size = sizeof(options);
    assert_ok(ironmap_open_anonymous(&map, &options.known, &failure));
    assert_ok(ironmap_close(map, &failure));
    options.newer = 1;
    assert_fails(ironmap_open_anonymous(&map, &options.known, &failure), IRONMAP_E_UNSUPPORTED);
}

typedef struct options_case {
    ironmap_access access;
    int flags;
    int prot;
    unsigned open;
} options_case;

enum { NOT_SET = IRONMAP_SYSTEM_DEFAULT };

/* contradictions and unknown bits, for every way to open; any flags and prot contradict access */
static const options_case contradictions[] = {
    {(ironmap_access)4, NOT_SET, NOT_SET, 0},
    {(ironmap_access)-1, NOT_SET, NOT_SET, 0},
    {(ironmap_access)INT_MAX, NOT_SET, NOT_SET, 0},
    {IRONMAP_ACCESS_READ, 1, NOT_SET, 0},
    {IRONMAP_ACCESS_WRITE, NOT_SET, 1, 0},
    {IRONMAP_ACCESS_COPY, 2, 1, 0},
    {IRONMAP_ACCESS_WRITE, 0, NOT_SET, 0},
    {IRONMAP_ACCESS_WRITE, NOT_SET, 0, 0},
    {IRONMAP_ACCESS_READ, NOT_SET, NOT_SET, IRONMAP_OPEN_EXTEND},
    {IRONMAP_ACCESS_COPY, NOT_SET, NOT_SET, IRONMAP_OPEN_EXTEND},
    {IRONMAP_ACCESS_WRITE, NOT_SET, NOT_SET, 1U << 31},
    {IRONMAP_ACCESS_WRITE, NOT_SET, NOT_SET, UINT_MAX},
    {IRONMAP_ACCESS_WRITE, NOT_SET, NOT_SET, IRONMAP_OPEN_EXCLUSIVE},
};

static ironmap_options options_of_case(const options_case *row)
{
    ironmap_options options = options_of(row->access, 0, LENGTH);

    options.flags = row->flags;
    options.prot = row->prot;
    options.open = row->open;
    return options;
}

/* Options that contradict each other, or that nobody knows, are invalid, whatever is opened. */
static void contradicting_options(void **state)
{
    fixture *f = *state;
    ironmap_map *map = NULL;

    file_make(f, LENGTH);
    for (size_t i = 0; i < COUNT_OF(contradictions); i++) {
        ironmap_options options = options_of_case(&contradictions[i]);

        assert_fails(ironmap_open_path(&map, f->path, &options, &failure), IRONMAP_E_INVALID);
        assert_fails(ironmap_open_fd(&map, f->fd, &options, &failure), IRONMAP_E_INVALID);
        assert_fails(ironmap_open_anonymous(&map, &options, &failure), IRONMAP_E_INVALID);
    }
    assert_null(map);
    assert_file_untouched(f, LENGTH);
}

/* Invalid options are found before anything is created or extended. */
static void invalid_options_create_nothing(void **state)
{
    fixture *f = *state;
    ironmap_map *map = NULL;

    for (size_t i = 0; i < COUNT_OF(contradictions); i++) {
        ironmap_options options = options_of_case(&contradictions[i]);

        if (options.open != IRONMAP_OPEN_EXCLUSIVE) {
            options.open |= IRONMAP_OPEN_CREATE;
        }
        assert_fails(ironmap_open_path(&map, f->path, &options, &failure), IRONMAP_E_INVALID);
        assert_false(file_exists(f));
    }
    assert_null(map);
}

/* CREATE and EXCLUSIVE mean nothing for a descriptor. */
static void descriptors_are_not_created(void **state)
{
    static const unsigned bits[] = {IRONMAP_OPEN_CREATE, IRONMAP_OPEN_EXCLUSIVE,
                                    IRONMAP_OPEN_CREATE | IRONMAP_OPEN_EXCLUSIVE};
    fixture *f = *state;
    ironmap_map *map = NULL;

    file_make(f, LENGTH);
    for (size_t i = 0; i < COUNT_OF(bits); i++) {
        ironmap_options options = options_of(IRONMAP_ACCESS_WRITE, 0, 0);

        options.open = bits[i];
        assert_fails(ironmap_open_fd(&map, f->fd, &options, &failure), IRONMAP_E_INVALID);
    }
    assert_null(map);
}

/* ---- ranges ---- */

typedef struct huge_case {
    uint64_t offset;
    size_t length;
} huge_case;

/* A range that wraps, or that no file can have, is OVERFLOW, and the file is not extended. */
static void ranges_that_cannot_be_addressed(void **state)
{
    static const huge_case cases[] = {
        {UINT64_MAX, 0},
        {UINT64_MAX, 1},
        {UINT64_MAX - 4096, LENGTH},
        {(uint64_t)INT64_MAX + 1, 0},
        {(uint64_t)INT64_MAX + 1, 1},
        {INT64_MAX, 1},
        {INT64_MAX, SIZE_MAX},
        {INT64_MAX - LENGTH + 1, LENGTH},
    };
    static const unsigned bits[] = {0, IRONMAP_OPEN_EXTEND, IRONMAP_OPEN_NONEMPTY};
    fixture *f = *state;
    ironmap_map *map = NULL;

    file_make(f, LENGTH);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        for (size_t k = 0; k < COUNT_OF(bits); k++) {
            ironmap_options options =
                options_of(IRONMAP_ACCESS_WRITE, cases[i].offset, cases[i].length);

            options.open = bits[k];
            assert_fails(ironmap_open_path(&map, f->path, &options, &failure), IRONMAP_E_OVERFLOW);
            assert_fails(ironmap_open_fd(&map, f->fd, &options, &failure), IRONMAP_E_OVERFLOW);
        }
    }
    assert_null(map);
    assert_file_untouched(f, LENGTH);
}

/* A length beyond the address space is refused, and a file is not extended for it. */
static void lengths_beyond_the_address_space(void **state)
{
    static const size_t lengths[] = {SIZE_MAX, SIZE_MAX - 4095, SIZE_MAX / 2 + 1};
    fixture *f = *state;
    ironmap_map *map = NULL;

    file_make(f, LENGTH);
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        ironmap_options options = options_of(IRONMAP_ACCESS_WRITE, 0, lengths[i]);

        assert_status(ironmap_open_anonymous(&map, &options, &failure), IRONMAP_E_OVERFLOW);
        options.open = IRONMAP_OPEN_EXTEND;
        assert_status(ironmap_open_fd(&map, f->fd, &options, &failure), IRONMAP_E_OVERFLOW);
    }
    assert_null(map);
    assert_file_untouched(f, LENGTH);
}

/* Memory that the system does not have is its error, and told in its words. */
static void memory_that_the_system_lacks(void **state)
{
    const size_t length = SIZE_MAX / 2 - 65535;
    ironmap_map *map = NULL;
    ironmap_options options = options_of(IRONMAP_ACCESS_WRITE, 0, length);

    (void)state;
    skip_on_32_bit();
    assert_system_fails(ironmap_open_anonymous(&map, &options, &failure), IRONMAP_E_SYSTEM,
                        code_of_refused_map(length));
    assert_null(map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_fixture(closed_descriptors),
        with_fixture(pipes),
        with_fixture(paths_that_cannot_be_opened),
        with_fixture(newer_options_are_refused),
        with_fixture(contradicting_options),
        with_fixture(invalid_options_create_nothing),
        with_fixture(descriptors_are_not_created),
        with_fixture(ranges_that_cannot_be_addressed),
        with_fixture(lengths_beyond_the_address_space),
        with_fixture(memory_that_the_system_lacks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
