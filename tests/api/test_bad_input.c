/* Invalid input: each has a status, and creates and changes nothing. */
#include "support.h"

#include <limits.h>

enum { LENGTH = 10000 };

/* ---- descriptors ---- */

/* A descriptor that is not open, or is negative, is a system error. */
static void closed_descriptors_are_system_errors(void **state)
{
    static const int descriptors[] = {-1, -2, INT_MIN, INT_MAX, 100000};
    fixture *f = *state;
    ironmap_map *map = NULL;
    ironmap_options options = options_of(0, LENGTH);
    int closed;

    file_make(f, LENGTH);
    closed = descriptor_duplicate(f->fd);
    descriptor_close(closed);
    assert_system_fails(ironmap_open_fd(&map, closed, IRONMAP_WRITE, NULL, &failure),
                        IRONMAP_E_SYSTEM, codes.bad_descriptor);
    assert_system_fails(ironmap_open_fd(&map, closed, IRONMAP_READ, &options, &failure),
                        IRONMAP_E_SYSTEM, codes.bad_descriptor);
    for (size_t i = 0; i < COUNT_OF(descriptors); i++) {
        assert_system_fails(ironmap_open_fd(&map, descriptors[i], IRONMAP_WRITE, NULL, &failure),
                            IRONMAP_E_SYSTEM, codes.bad_descriptor);
    }
    assert_null(map);
}

/* Without a length there is nothing to map. With one the system refuses. */
static void pipes_cannot_be_mapped(void **state)
{
    ironmap_map *map = NULL;
    ironmap_options some = options_of(0, LENGTH);
    int ends[2];

    skip_on_emulated_pages("does not map a file without a length");
    (void)state;
    descriptor_pipe(ends);
    for (size_t i = 0; i < COUNT_OF(all_accesses); i++) {
        ironmap_options options = options_of(0, 0);

        assert_invalid(ironmap_open_fd(&map, ends[0], all_accesses[i], &options, &failure),
                       "length 0 of a file without a length");
    }
    assert_system_fails(ironmap_open_fd(&map, ends[0], IRONMAP_READ, &some, &failure),
                        IRONMAP_E_SYSTEM, codes.not_mappable);
    assert_null(map);
    descriptor_close(ends[0]);
    descriptor_close(ends[1]);
}

/* ---- paths ---- */

static void paths_that_cannot_be_opened_are_system_errors(void **state)
{
    fixture *f = *state;
    ironmap_map *map = NULL;
    ironmap_options create = options_of(0, 0);

    create.open = IRONMAP_OPEN_CREATE;
    assert_system_fails(ironmap_open_path(&map, "", IRONMAP_WRITE, NULL, &failure),
                        IRONMAP_E_SYSTEM, codes.empty_path);
    assert_system_fails(ironmap_open_path(&map, f->path, IRONMAP_WRITE, NULL, &failure),
                        IRONMAP_E_SYSTEM, codes.not_found);
    file_make(f, LENGTH);
    (void)strncat(f->path, "/inside", sizeof(f->path) - strlen(f->path) - 1);
    assert_system_fails(ironmap_open_path(&map, f->path, IRONMAP_WRITE, &create, &failure),
                        IRONMAP_E_SYSTEM, codes.not_a_directory);
    assert_invalid(ironmap_open_path(&map, NULL, IRONMAP_WRITE, NULL, &failure), "path is NULL");
    assert_null(map);
}

/* ---- options ---- */

/* A reserved word that is not 0 is a field of a newer header: an error. */
static void unknown_fields_are_refused(void **state)
{
    fixture *f = *state;
    ironmap_map *map = NULL;

    file_make(f, LENGTH);
    for (size_t i = 0; i < COUNT_OF(((ironmap_options *)NULL)->reserved); i++) {
        ironmap_options options = {.length = LENGTH};
        ironmap_error error = {.status = IRONMAP_OK};

        options.reserved[i] = UINT64_C(1) << 63;
        assert_fails(ironmap_open_path(&map, f->path, IRONMAP_WRITE, &options, &failure),
                     IRONMAP_E_UNSUPPORTED);
        assert_fails(ironmap_open_fd(&map, f->fd, IRONMAP_WRITE, &options, &failure),
                     IRONMAP_E_UNSUPPORTED);
        assert_int_equal(ironmap_open_anonymous(&map, IRONMAP_WRITE, &options, &error),
                         IRONMAP_E_UNSUPPORTED);
        assert_string_equal(error.what, "a field that this library does not know");
    }
    assert_null(map);
}

typedef struct arguments_case {
    ironmap_access access;
    int flags;
    int prot;
    uint32_t open;
    const char *what;
} arguments_case;

#define NO_ACCESS "access is none of READ, WRITE, COPY and SYSTEM"
#define NO_SYSTEM "flags or prot without SYSTEM"
#define NO_WRITER "CREATE, EXTEND or PREALLOCATE for a map that does not write to its file"

/* wrong access, contradictions and unknown bits, in every open function */
static const arguments_case wrong_arguments[] = {
    {(ironmap_access)0, 0, 0, 0, NO_ACCESS},
    {(ironmap_access)5, 0, 0, 0, NO_ACCESS},
    {(ironmap_access)-1, 0, 0, 0, NO_ACCESS},
    {(ironmap_access)INT_MAX, 0, 0, 0, NO_ACCESS},
    {IRONMAP_READ, 1, 0, 0, NO_SYSTEM},
    {IRONMAP_WRITE, 0, 1, 0, NO_SYSTEM},
    {IRONMAP_COPY, 2, 1, 0, NO_SYSTEM},
    {IRONMAP_WRITE, -1, 0, 0, NO_SYSTEM},
    {IRONMAP_WRITE, 0, 0, 1U << 31, "open has an unknown bit"},
    {IRONMAP_WRITE, 0, 0, UINT32_MAX, "open has an unknown bit"},
    {IRONMAP_WRITE, 0, 0, IRONMAP_OPEN_EXCLUSIVE, "EXCLUSIVE without CREATE"},
};

/* contradictions for maps of files only */
static const arguments_case wrong_for_files[] = {
    {IRONMAP_READ, 0, 0, IRONMAP_OPEN_EXTEND, NO_WRITER},
    {IRONMAP_COPY, 0, 0, IRONMAP_OPEN_EXTEND, NO_WRITER},
    {IRONMAP_READ, 0, 0, IRONMAP_OPEN_PREALLOCATE, NO_WRITER},
    {IRONMAP_COPY, 0, 0, IRONMAP_OPEN_CREATE, NO_WRITER},
};

static ironmap_options options_of_case(const arguments_case *row)
{
    return (ironmap_options){
        .length = LENGTH, .flags = row->flags, .prot = row->prot, .open = row->open};
}

/* The error says which argument is wrong, and why. */
static void wrong_arguments_are_named(void **state)
{
    fixture *f = *state;
    ironmap_map *map = NULL;

    file_make(f, LENGTH);
    for (size_t i = 0; i < COUNT_OF(wrong_arguments); i++) {
        const arguments_case *row = &wrong_arguments[i];
        ironmap_options options = options_of_case(row);

        assert_invalid(ironmap_open_path(&map, f->path, row->access, &options, &failure),
                       row->what);
        assert_invalid(ironmap_open_fd(&map, f->fd, row->access, &options, &failure), row->what);
        assert_invalid(ironmap_open_handle(&map, f, row->access, &options, &failure), row->what);
        assert_invalid(ironmap_open_anonymous(&map, row->access, &options, &failure), row->what);
    }
    for (size_t i = 0; i < COUNT_OF(wrong_for_files); i++) {
        const arguments_case *row = &wrong_for_files[i];
        ironmap_options options = options_of_case(row);

        assert_invalid(ironmap_open_path(&map, f->path, row->access, &options, &failure),
                       row->what);
    }
    assert_null(map);
    assert_file_unchanged(f, LENGTH);
}

static void wrong_arguments_create_nothing(void **state)
{
    fixture *f = *state;
    ironmap_map *map = NULL;

    for (size_t i = 0; i < COUNT_OF(wrong_arguments); i++) {
        ironmap_options options = options_of_case(&wrong_arguments[i]);

        if (options.open != IRONMAP_OPEN_EXCLUSIVE) {
            options.open |= IRONMAP_OPEN_CREATE;
        }
        assert_fails(
            ironmap_open_path(&map, f->path, wrong_arguments[i].access, &options, &failure),
            IRONMAP_E_INVALID);
        assert_false(file_exists(f));
    }
    assert_null(map);
}

/* Bits for files are invalid for memory. So is an invalid tag. */
static void anonymous_memory_refuses_bits_for_files(void **state)
{
    static const char no_file[] = "CREATE, EXTEND or PREALLOCATE for anonymous memory";
    static const uint32_t bits[] = {IRONMAP_OPEN_CREATE, IRONMAP_OPEN_EXTEND,
                                    IRONMAP_OPEN_PREALLOCATE};
    ironmap_options tagged = {.length = LENGTH, .tag = ""};
    ironmap_map *map = NULL;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bits); i++) {
        ironmap_options options = {.length = LENGTH, .open = bits[i]};

        assert_invalid(ironmap_open_anonymous(&map, IRONMAP_WRITE, &options, &failure), no_file);
    }
    assert_invalid(ironmap_open_anonymous(&map, IRONMAP_WRITE, &tagged, &failure),
                   "tag name is empty");
    assert_null(map);
}

static void ranges_beyond_the_file_are_named(void **state)
{
    fixture *f = *state;
    ironmap_map *map = NULL;
    ironmap_error error = {.status = IRONMAP_OK};
    ironmap_options offset = {.offset = LENGTH + 1};
    ironmap_options length = {.offset = 1, .length = LENGTH};

    file_make(f, LENGTH);
    assert_int_equal(ironmap_open_path(&map, f->path, IRONMAP_READ, &offset, &error),
                     IRONMAP_E_BEYOND_FILE);
    assert_string_equal(error.what, "offset lies beyond the end of the file");
    assert_int_equal(ironmap_open_path(&map, f->path, IRONMAP_READ, &length, &error),
                     IRONMAP_E_BEYOND_FILE);
    assert_string_equal(error.what, "offset + length lies beyond the end of the file");
    assert_null(map);
}

static void create_needs_a_path(void **state)
{
    static const uint32_t bits[] = {IRONMAP_OPEN_CREATE,
                                    IRONMAP_OPEN_CREATE | IRONMAP_OPEN_EXCLUSIVE};
    fixture *f = *state;
    ironmap_map *map = NULL;

    file_make(f, LENGTH);
    for (size_t i = 0; i < COUNT_OF(bits); i++) {
        ironmap_options options = options_of(0, 0);

        options.open = bits[i];
        assert_invalid(ironmap_open_fd(&map, f->fd, IRONMAP_WRITE, &options, &failure),
                       "CREATE without a path");
    }
    assert_null(map);
}

/* ---- ranges ---- */

typedef struct huge_case {
    uint64_t offset;
    size_t length;
} huge_case;

/* A range that wraps, or is too large for any file, is OVERFLOW. The file is not extended. */
static void ranges_that_wrap_are_overflow(void **state)
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
            ironmap_options options = options_of(cases[i].offset, cases[i].length);

            options.open = bits[k];
            assert_fails(ironmap_open_path(&map, f->path, IRONMAP_WRITE, &options, &failure),
                         IRONMAP_E_OVERFLOW);
            assert_fails(ironmap_open_fd(&map, f->fd, IRONMAP_WRITE, &options, &failure),
                         IRONMAP_E_OVERFLOW);
        }
    }
    assert_null(map);
    assert_file_unchanged(f, LENGTH);
}

/* The file is not extended. */
static void lengths_beyond_the_address_space_are_refused(void **state)
{
    static const size_t lengths[] = {SIZE_MAX, SIZE_MAX - 4095, SIZE_MAX / 2 + 1};
    fixture *f = *state;
    ironmap_map *map = NULL;

    file_make(f, LENGTH);
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        ironmap_options options = options_of(0, lengths[i]);

        assert_status(ironmap_open_anonymous(&map, IRONMAP_WRITE, &options, &failure),
                      IRONMAP_E_OVERFLOW);
        options.open = IRONMAP_OPEN_EXTEND;
        assert_status(ironmap_open_fd(&map, f->fd, IRONMAP_WRITE, &options, &failure),
                      IRONMAP_E_OVERFLOW);
    }
    assert_null(map);
    assert_file_unchanged(f, LENGTH);
}

/* The system's code is reported. */
static void lack_of_memory_is_a_system_error(void **state)
{
    const size_t length = SIZE_MAX / 2 - 65535;
    ironmap_map *map = NULL;
    ironmap_options options = options_of(0, length);

    (void)state;
    skip_on_32_bit();
    assert_system_fails(ironmap_open_anonymous(&map, IRONMAP_WRITE, &options, &failure),
                        IRONMAP_E_SYSTEM, code_of_refused_map(length));
    assert_null(map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_fixture(closed_descriptors_are_system_errors),
        with_fixture(pipes_cannot_be_mapped),
        with_fixture(paths_that_cannot_be_opened_are_system_errors),
        with_fixture(unknown_fields_are_refused),
        with_fixture(wrong_arguments_are_named),
        with_fixture(wrong_arguments_create_nothing),
        with_fixture(anonymous_memory_refuses_bits_for_files),
        with_fixture(ranges_beyond_the_file_are_named),
        with_fixture(create_needs_a_path),
        with_fixture(ranges_that_wrap_are_overflow),
        with_fixture(lengths_beyond_the_address_space_are_refused),
        with_fixture(lack_of_memory_is_a_system_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
