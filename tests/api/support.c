#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "support_system.h"

/* ---- checks ---------------------------------------------------------------------------------- */

/* `failure` before a call: values that no function of the library writes. */
#define UNTOUCHED_STATUS IRONMAP_STATUS_FORCE_INT
#define UNTOUCHED_CODE 0x5a5a5a5a
#define UNTOUCHED_OFFSET UINT64_C(0x5a5a5a5a5a5a5a5a)
static const char untouched_text[] = "untouched";

#define UNTOUCHED                                                                                  \
    {                                                                                              \
        .status = UNTOUCHED_STATUS,                                                                \
        .system_code = UNTOUCHED_CODE,                                                             \
        .call = untouched_text,                                                                    \
        .what = untouched_text,                                                                    \
        .offset = UNTOUCHED_OFFSET,                                                                \
        .file_length = UNTOUCHED_OFFSET,                                                           \
        .reserved = {UNTOUCHED_OFFSET},                                                            \
    }

ironmap_error failure = UNTOUCHED;

/* Returns what the last call wrote, and resets `failure`. */
static ironmap_error pop_failure(void)
{
    ironmap_error popped = failure;

    failure = (ironmap_error)UNTOUCHED;
    return popped;
}

static bool untouched(const ironmap_error *error)
{
    return error->status == UNTOUCHED_STATUS && error->system_code == UNTOUCHED_CODE &&
           error->call == untouched_text && error->what == untouched_text &&
           error->offset == UNTOUCHED_OFFSET && error->file_length == UNTOUCHED_OFFSET &&
           error->reserved[0] == UNTOUCHED_OFFSET;
}

static void describe(const char *call, int result, const ironmap_error *error)
{
    char text[256] = "the error is unchanged";

    if (!untouched(error)) {
        ironmap_error_text(text, sizeof(text), error);
    }
    print_error("%s\nreturned %s (%d): %s\n", call, ironmap_status_name(result), result, text);
}

void check_ok(int result, const char *call, const char *file, int line)
{
    ironmap_error error = pop_failure();

    if (result != IRONMAP_OK || !untouched(&error)) {
        describe(call, result, &error);
        print_error("expected IRONMAP_OK and an unchanged error\n");
        _fail(file, line);
    }
}

/* True if every field is filled, and invalid arguments are explained. */
static bool is_filled(const ironmap_error *error)
{
    bool explained = error->status != IRONMAP_E_INVALID || error->what != NULL;

    return error->system_code != UNTOUCHED_CODE && error->call != untouched_text &&
           error->what != untouched_text && error->offset != UNTOUCHED_OFFSET &&
           error->file_length != UNTOUCHED_OFFSET && error->reserved[0] == 0 && explained;
}

/* Checks that the call returned `status` and filled the error with it. */
static ironmap_error check_failed(int result, int status, const char *call, const char *file,
                                  int line)
{
    ironmap_error error = pop_failure();

    if (result != status || (int)error.status != status || !is_filled(&error)) {
        describe(call, result, &error);
        print_error("expected %s, also in the error\n", ironmap_status_name(status));
        _fail(file, line);
    }
    return error;
}

void check_status(int result, int status, const char *call, const char *file, int line)
{
    (void)check_failed(result, status, call, file, line);
}

void check_fails(int result, int status, const char *call, const char *file, int line)
{
    ironmap_error error = check_failed(result, status, call, file, line);

    if (error.system_code != 0 || error.call != NULL) {
        describe(call, result, &error);
        print_error("expected an error without a system call\n");
        _fail(file, line);
    }
}

void check_system_fails(int result, int status, int code, const char *call, const char *file,
                        int line)
{
    ironmap_error error = check_failed(result, status, call, file, line);

    if (error.system_code != code || error.call == NULL || error.call[0] == '\0') {
        describe(call, result, &error);
        char words[256];

        system_words(words, sizeof(words), code);
        print_error("expected system code %d (%s) and a call\n", code, words);
        _fail(file, line);
    }
}

void check_invalid(int result, const char *what, const char *call, const char *file, int line)
{
    ironmap_error error = check_failed(result, IRONMAP_E_INVALID, call, file, line);

    if (strcmp(error.what, what) != 0 || error.system_code != 0 || error.call != NULL) {
        describe(call, result, &error);
        print_error("expected: %s\n", what);
        _fail(file, line);
    }
}

void check_status_or_ok(int result, int status, const char *call, const char *file, int line)
{
    if (status == IRONMAP_OK) {
        check_ok(result, call, file, line);
    } else {
        check_status(result, status, call, file, line);
    }
}

void check_u64(uint64_t actual, uint64_t expected, const char *what, const char *file, int line)
{
    if (actual != expected) {
        print_error("%s is %" PRIu64 " (0x%" PRIx64 "), expected %" PRIu64 " (0x%" PRIx64 ")\n",
                    what, actual, actual, expected, expected);
        _fail(file, line);
    }
}

void skip_on_32_bit(void)
{
    if (sizeof(size_t) < sizeof(uint64_t)) {
        skip_because("addresses have 32 bits");
    }
}

/* ---- known bytes ----------------------------------------------------------------------------- */

uint8_t pattern_byte(uint64_t offset)
{
    return (uint8_t)(offset ^ (offset >> 8) * 31 ^ (offset >> 16) * 17);
}

void pattern_fill(void *buffer, uint64_t offset, size_t length)
{
    uint8_t *bytes = buffer;

    for (size_t i = 0; i < length; i++) {
        bytes[i] = pattern_byte(offset + i);
    }
}

/* ---- one test's files and map ---------------------------------------------------------------- */

int fixture_setup(void **state)
{
    static fixture only;

    only = (fixture){.fd = -1, .descriptors = open_descriptors()};
    if (!directory_make(only.directory, sizeof(only.directory))) {
        print_error("%s cannot be created\n", only.directory);
        return -1;
    }
    file_name(&only, "file");
    (void)pop_failure();
    *state = &only;
    return 0;
}

int fixture_teardown(void **state)
{
    fixture *f = *state;
    size_t left;

    while (f->map != NULL && ironmap_pins(f->map) > 0) {
        ironmap_unpin(f->map);
    }
    (void)ironmap_close(f->map, NULL);
    f->map = NULL;
    if (f->fd >= 0) {
        descriptor_close(f->fd);
    }
    directory_remove(f->directory);
    left = open_descriptors();
    if (left != f->descriptors) {
        print_error("%zu descriptors are open, %zu before the test\n", left, f->descriptors);
        return -1;
    }
    return 0;
}

void file_name(fixture *f, const char *name)
{
    (void)snprintf(f->path, sizeof(f->path), "%s/%s", f->directory, name);
}

static void create_file(fixture *f)
{
    if (f->fd >= 0) {
        descriptor_close(f->fd);
    }
    f->fd = descriptor_create(f->path);
}

void file_bytes(fixture *f, const void *bytes, size_t length)
{
    create_file(f);
    descriptor_write(f->fd, bytes, length);
}

void file_make(fixture *f, size_t length)
{
    uint8_t block[4096];

    create_file(f);
    for (size_t done = 0; done < length;) {
        size_t part = length - done < sizeof(block) ? length - done : sizeof(block);

        pattern_fill(block, done, part);
        descriptor_write(f->fd, block, part);
        done += part;
    }
}

void assert_file(const fixture *f, uint64_t offset, const void *expected, size_t length)
{
    uint8_t block[4096];
    const uint8_t *bytes = expected;

    for (size_t done = 0; done < length;) {
        size_t part = length - done < sizeof(block) ? length - done : sizeof(block);

        assert_u64(file_load(block, f, offset + done, part), part);
        assert_memory_equal(block, bytes + done, part);
        done += part;
    }
}

void assert_file_unchanged(const fixture *f, size_t length)
{
    uint8_t *expected = malloc(length + 1);

    assert_non_null(expected);
    pattern_fill(expected, 0, length);
    assert_u64(file_length(f), length);
    assert_file(f, 0, expected, length);
    free(expected);
}

/* ---- maps ------------------------------------------------------------------------------------ */

size_t length_between(uint64_t start, uint64_t end)
{
    return end - start < IRONMAP_TO_END ? (size_t)(end - start) : IRONMAP_TO_END;
}

const ironmap_access all_accesses[3] = {
    IRONMAP_READ,
    IRONMAP_WRITE,
    IRONMAP_COPY,
};

ironmap_options options_of(uint64_t offset, size_t length)
{
    ironmap_options options = IRONMAP_OPTIONS_INIT;

    options.offset = offset;
    options.length = length;
    return options;
}

void map_file(fixture *f, ironmap_access access)
{
    ironmap_options options = options_of(0, 0);

    assert_ok(ironmap_open_path(&f->map, f->path, access, &options, &failure));
}

void map_anonymous(fixture *f, ironmap_access access, size_t length)
{
    ironmap_options options = options_of(0, length);

    assert_ok(ironmap_open_anonymous(&f->map, access, &options, &failure));
}

void map_text(fixture *f, const char *text)
{
    map_anonymous(f, IRONMAP_WRITE, strlen(text));
    assert_ok(ironmap_put(f->map, 0, text, strlen(text), &failure));
}

void map_close(fixture *f)
{
    ironmap_map *map = f->map;

    f->map = NULL;
    assert_ok(ironmap_close(map, &failure));
}

void assert_map(const ironmap_map *map, uint64_t offset, const void *expected, size_t length)
{
    uint8_t *bytes = malloc(length + 1);

    assert_non_null(bytes);
    assert_ok(ironmap_get(map, offset, bytes, length, &failure));
    assert_memory_equal(bytes, expected, length);
    free(bytes);
}

void assert_map_pattern(const ironmap_map *map, uint64_t offset, size_t length)
{
    uint8_t *expected = malloc(length + 1);

    assert_non_null(expected);
    pattern_fill(expected, offset, length);
    assert_u64(ironmap_length(map), length);
    assert_map(map, 0, expected, length);
    free(expected);
}

void assert_map_kept(const ironmap_map *map, uint64_t offset, size_t kept, size_t length)
{
    uint8_t *expected = calloc(length + 1, 1);

    assert_non_null(expected);
    pattern_fill(expected, offset, kept);
    assert_u64(ironmap_length(map), length);
    assert_map(map, 0, expected, length);
    free(expected);
}

void assert_map_filled(const ironmap_map *map, uint64_t offset, size_t length, uint8_t byte)
{
    uint8_t *expected = malloc(length + 1);

    assert_non_null(expected);
    memset(expected, byte, length);
    assert_map(map, offset, expected, length);
    free(expected);
}

typedef struct flush_case {
    uint64_t offset;
    size_t length;
    int status;
} flush_case;

void assert_flush_ranges(ironmap_map *map)
{
    const size_t n = ironmap_length(map);
    const flush_case cases[] = {
        {0, IRONMAP_TO_END, IRONMAP_OK},
        {0, n, IRONMAP_OK},
        {0, 0, IRONMAP_OK},
        {0, 1, IRONMAP_OK},
        {1, 1, IRONMAP_OK},
        {4095, 2, IRONMAP_OK},
        {4096, 4096, IRONMAP_OK},
        {5000, IRONMAP_TO_END, IRONMAP_OK},
        {n - 1, 1, IRONMAP_OK},
        {n - 1, IRONMAP_TO_END, IRONMAP_OK},
        {n, 0, IRONMAP_OK},
        {n, IRONMAP_TO_END, IRONMAP_OK},
        {0, n + 1, IRONMAP_E_RANGE},
        {1, n, IRONMAP_E_RANGE},
        {n, 1, IRONMAP_E_RANGE},
        {n + 1, 0, IRONMAP_E_RANGE},
        {INT64_MAX, 1, IRONMAP_E_RANGE},
        {UINT64_MAX, 0, IRONMAP_E_RANGE},
        {UINT64_MAX, 1, IRONMAP_E_OVERFLOW},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_status_or_ok(ironmap_flush(map, cases[i].offset, cases[i].length, 0, &failure),
                            cases[i].status);
    }
}

void assert_stores_refused(ironmap_map *map)
{
    assert_fails(ironmap_put(map, 0, "x", 1, &failure), IRONMAP_E_READONLY);
    assert_fails(ironmap_put_byte(map, 0, 'x', &failure), IRONMAP_E_READONLY);
    assert_false(ironmap_short_put_byte(map, 0, 'x'));
    assert_fails(ironmap_put_strided(map, 0, 2, "xy", 2, &failure), IRONMAP_E_READONLY);
    assert_fails(ironmap_fill(map, 0, 'x', 1, &failure), IRONMAP_E_READONLY);
    assert_fails(ironmap_move(map, 0, 1, 1, &failure), IRONMAP_E_READONLY);
    assert_fails(ironmap_write(map, "x", 1, &failure), IRONMAP_E_READONLY);
    assert_fails(ironmap_write_byte(map, 'x', &failure), IRONMAP_E_READONLY);
    assert_u64(ironmap_tell(map), 0);
}

/* ---- random numbers -------------------------------------------------------------------------- */

random_source random_start(void)
{
    const char *given = getenv("IRONMAP_TEST_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 10)
                                  : (uint64_t)time(NULL) * 1000003U + process_number();

    print_message("seed %" PRIu64 " (IRONMAP_TEST_SEED=%" PRIu64 " repeats it)\n", seed, seed);
    return (random_source){seed};
}

/* splitmix64 */
static uint64_t random_next(random_source *random)
{
    uint64_t z = (random->state += 0x9e3779b97f4a7c15U);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

uint64_t random_below(random_source *random, uint64_t bound)
{
    return random_next(random) % bound;
}

/* ---- the process ----------------------------------------------------------------------------- */

bool system_constant(int *value, const char *name)
{
    const char *found = NULL;
    size_t index = 0;

    while (ironmap_constant(&found, value, index) && strcmp(found, name) != 0) {
        index++;
    }
    return ironmap_constant(&found, value, index);
}
