/* advise, lock, unlock and set_name. */
#include "support.h"

enum { LENGTH = 10000 };

/* Every portable advice is accepted for every access, and the bytes stay. */
static void portable_advice_is_accepted(void **state)
{
    static const int advice[] = {
        IRONMAP_ADVICE_NORMAL,   IRONMAP_ADVICE_SEQUENTIAL, IRONMAP_ADVICE_RANDOM,
        IRONMAP_ADVICE_WILLNEED, IRONMAP_ADVICE_DONTNEED,
    };
    static const ironmap_access accesses[] = {IRONMAP_READ, IRONMAP_WRITE, IRONMAP_COPY};
    fixture *f = *state;

    file_make(f, LENGTH);
    for (size_t a = 0; a < COUNT_OF(accesses); a++) {
        map_file(f, accesses[a]);
        for (size_t i = 0; i < COUNT_OF(advice); i++) {
            assert_ok(ironmap_advise(f->map, 0, IRONMAP_TO_END, advice[i], &failure));
            assert_map_pattern(f->map, 0, LENGTH);
        }
        map_close(f);
    }
    assert_file_unchanged(f, LENGTH);
}

typedef struct advise_case {
    uint64_t offset;
    size_t length;
    int status;
} advise_case;

/* A range may end beyond the map, but not begin there. */
static void ranges_are_clipped_to_the_map(void **state)
{
    static const advise_case cases[] = {
        {0, 0, IRONMAP_OK},
        {0, 1, IRONMAP_OK},
        {1, 1, IRONMAP_OK},
        {4095, 2, IRONMAP_OK},
        {0, LENGTH, IRONMAP_OK},
        {0, LENGTH + 1, IRONMAP_OK},
        {5000, IRONMAP_TO_END, IRONMAP_OK},
        {5000, IRONMAP_TO_END - 1, IRONMAP_OK},
        {LENGTH - 1, 100000, IRONMAP_OK},
        {LENGTH, 0, IRONMAP_OK},
        {LENGTH, IRONMAP_TO_END, IRONMAP_OK},
        {LENGTH + 1, 0, IRONMAP_E_RANGE},
        {LENGTH + 1, IRONMAP_TO_END, IRONMAP_E_RANGE},
        {INT64_MAX, 1, IRONMAP_E_RANGE},
        {UINT64_MAX, 1, IRONMAP_E_RANGE},
        {UINT64_MAX, IRONMAP_TO_END, IRONMAP_E_RANGE},
    };
    static const int advice[] = {IRONMAP_ADVICE_RANDOM, IRONMAP_ADVICE_DONTNEED};
    fixture *f = *state;

    file_make(f, LENGTH);
    map_file(f, IRONMAP_READ);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        for (size_t k = 0; k < COUNT_OF(advice); k++) {
            assert_status_or_ok(
                ironmap_advise(f->map, cases[i].offset, cases[i].length, advice[k], &failure),
                cases[i].status);
        }
    }
    assert_map_pattern(f->map, 0, LENGTH);
}

static void unknown_advice_is_refused(void **state)
{
    fixture *f = *state;

    file_make(f, LENGTH);
    map_file(f, IRONMAP_WRITE);
    assert_fails(ironmap_advise(f->map, 0, IRONMAP_TO_END, IRONMAP_ADVICE_DONTNEED + 1, &failure),
                 IRONMAP_E_INVALID);
    assert_invalid(ironmap_advise(f->map, 0, IRONMAP_TO_END, INT32_MAX, &failure),
                   "advice has an unknown value");
}

/* Private stores before the range survive, wherever in a page the range begins. */
static void dontneed_keeps_the_bytes_before_its_range(void **state)
{
    fixture *f = *state;
    size_t page = ironmap_page_size();
    const size_t offsets[] = {1, 100, page - 1, page, page + 1, 2 * page + 7, 3 * page - 1};

    for (size_t i = 0; i < COUNT_OF(offsets); i++) {
        map_anonymous(f, IRONMAP_COPY, 3 * page);
        assert_ok(ironmap_fill(f->map, 0, 0xaa, 3 * page, &failure));
        assert_ok(
            ironmap_advise(f->map, offsets[i], IRONMAP_TO_END, IRONMAP_ADVICE_DONTNEED, &failure));
        assert_map_filled(f->map, 0, offsets[i], 0xaa);
        map_close(f);
    }
}

static void dontneed_inside_a_page_drops_nothing(void **state)
{
    fixture *f = *state;
    size_t page = ironmap_page_size();

    map_anonymous(f, IRONMAP_COPY, 3 * page);
    assert_ok(ironmap_fill(f->map, 0, 0xaa, 3 * page, &failure));
    assert_ok(ironmap_advise(f->map, page + 1, page - 1, IRONMAP_ADVICE_DONTNEED, &failure));
    assert_ok(ironmap_advise(f->map, page + 1, 1, IRONMAP_ADVICE_DONTNEED, &failure));
    assert_ok(ironmap_advise(f->map, 3 * page - 1, 1, IRONMAP_ADVICE_DONTNEED, &failure));
    assert_map_filled(f->map, 0, 3 * page, 0xaa);
}

/* Dropped pages are pages of memory, even if the map begins inside one. */
static void dontneed_of_an_unaligned_map_drops_whole_pages(void **state)
{
    fixture *f = *state;
    size_t page = ironmap_page_size();
    ironmap_options options = options_of(page / 2, 0);

    file_make(f, 4 * page);
    assert_ok(ironmap_open_path(&f->map, f->path, IRONMAP_COPY, &options, &failure));
    assert_ok(ironmap_fill(f->map, 0, 0xaa, ironmap_length(f->map), &failure));
    assert_ok(ironmap_advise(f->map, page, IRONMAP_TO_END, IRONMAP_ADVICE_DONTNEED, &failure));
    assert_map_filled(f->map, 0, page + page / 2, 0xaa);
}

/* ---- locks ---- */

/* Every range can be locked, and unlocked repeatedly. */
static void ranges_are_locked(void **state)
{
    fixture *f = *state;
    size_t page = ironmap_page_size();
    ironmap_options options = options_of(page / 2, 0);

    file_make(f, 4 * page);
    assert_ok(ironmap_open_path(&f->map, f->path, IRONMAP_WRITE, &options, &failure));
    assert_ok(ironmap_lock_pages(f->map, 1, page, &failure));
    assert_map_pattern(f->map, page / 2, ironmap_length(f->map));
    assert_ok(ironmap_unlock_pages(f->map, 1, page, &failure));
    assert_ok(ironmap_lock_pages(f->map, page, IRONMAP_TO_END, &failure));
    assert_ok(ironmap_lock_pages(f->map, 0, 0, &failure));
    assert_ok(ironmap_unlock_pages(f->map, page, IRONMAP_TO_END, &failure));
}

static void locks_outside_are_refused(void **state)
{
    fixture *f = *state;

    map_anonymous(f, IRONMAP_WRITE, LENGTH);
    assert_fails(ironmap_lock_pages(f->map, 0, LENGTH + 1, &failure), IRONMAP_E_RANGE);
    assert_fails(ironmap_lock_pages(f->map, LENGTH + 1, 0, &failure), IRONMAP_E_RANGE);
    assert_fails(ironmap_lock_pages(f->map, LENGTH + 1, IRONMAP_TO_END, &failure), IRONMAP_E_RANGE);
    assert_fails(ironmap_lock_pages(f->map, UINT64_MAX, 2, &failure), IRONMAP_E_OVERFLOW);
    assert_fails(ironmap_unlock_pages(f->map, 1, LENGTH, &failure), IRONMAP_E_RANGE);
}

/* ---- names ---- */

/* A name that is too long is refused, and any name of a map of a file. */
static void names_are_checked(void **state)
{
    fixture *f = *state;
    static const char wrong_name[] = "name is too long or has a forbidden character";
    static const char *const forbidden[] = {"a[b", "a]b",   "a\\b",  "a$b",
                                            "a`b", "a\x1f", "a\x7f", "\xc3\xa4"};
    char name[IRONMAP_NAME_MAX + 2];
    const char *const allowed[] = {" ~", "a", name};

    memset(name, 'n', sizeof(name));
    name[IRONMAP_NAME_MAX + 1] = '\0';
    map_anonymous(f, IRONMAP_WRITE, LENGTH);
    assert_invalid(ironmap_set_name(f->map, name, &failure), wrong_name);
    for (size_t i = 0; i < COUNT_OF(forbidden); i++) {
        assert_invalid(ironmap_set_name(f->map, forbidden[i], &failure), wrong_name);
    }
    name[IRONMAP_NAME_MAX] = '\0';
    for (size_t i = 0; i < COUNT_OF(allowed); i++) {
        assert_status_or_ok(ironmap_set_name(f->map, allowed[i], &failure), IRONMAP_E_UNSUPPORTED);
    }
    map_close(f);
    file_make(f, LENGTH);
    map_file(f, IRONMAP_WRITE);
    assert_invalid(ironmap_set_name(f->map, "name", &failure), "a name for the map of a file");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_fixture(portable_advice_is_accepted),
        with_fixture(ranges_are_clipped_to_the_map),
        with_fixture(unknown_advice_is_refused),
        with_fixture(dontneed_keeps_the_bytes_before_its_range),
        with_fixture(dontneed_inside_a_page_drops_nothing),
        with_fixture(dontneed_of_an_unaligned_map_drops_whole_pages),
        with_fixture(ranges_are_locked),
        with_fixture(locks_outside_are_refused),
        with_fixture(names_are_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
