/* advise and set_name. */
#include "support.h"

enum { LENGTH = 10000 };

/* Every portable advice is taken for any map that is shared, and the bytes stay. */
static void portable_advice_is_taken(void **state)
{
    static const int advice[] = {
        MAPIO_ADVICE_NORMAL,   MAPIO_ADVICE_SEQUENTIAL, MAPIO_ADVICE_RANDOM,
        MAPIO_ADVICE_WILLNEED, MAPIO_ADVICE_DONTNEED,
    };
    static const mapio_access accesses[] = {MAPIO_ACCESS_READ, MAPIO_ACCESS_WRITE,
                                            MAPIO_ACCESS_COPY};
    fixture *f = *state;

    file_make(f, LENGTH);
    for (size_t a = 0; a < COUNT_OF(accesses); a++) {
        map_file(f, accesses[a]);
        for (size_t i = 0; i < COUNT_OF(advice); i++) {
            assert_ok(mapio_advise(f->map, 0, MAPIO_TO_END, advice[i], &failure));
            assert_map_pattern(f->map, 0, LENGTH);
        }
        map_close(f);
    }
    assert_file_untouched(f, LENGTH);
}

typedef struct advise_case {
    uint64_t offset;
    size_t length;
    int status;
} advise_case;

/* Any range that begins in the map is taken, what reaches beyond means to the end; one that begins
 * behind it is refused. */
static void ranges_are_cut_to_the_map(void **state)
{
    static const advise_case cases[] = {
        {0, 0, MAPIO_OK},
        {0, 1, MAPIO_OK},
        {1, 1, MAPIO_OK},
        {4095, 2, MAPIO_OK},
        {0, LENGTH, MAPIO_OK},
        {0, LENGTH + 1, MAPIO_OK},
        {5000, MAPIO_TO_END, MAPIO_OK},
        {5000, MAPIO_TO_END - 1, MAPIO_OK},
        {LENGTH - 1, 100000, MAPIO_OK},
        {LENGTH, 0, MAPIO_OK},
        {LENGTH, MAPIO_TO_END, MAPIO_OK},
        {LENGTH + 1, 0, MAPIO_E_RANGE},
        {LENGTH + 1, MAPIO_TO_END, MAPIO_E_RANGE},
        {INT64_MAX, 1, MAPIO_E_RANGE},
        {UINT64_MAX, 1, MAPIO_E_RANGE},
        {UINT64_MAX, MAPIO_TO_END, MAPIO_E_RANGE},
    };
    static const int advice[] = {MAPIO_ADVICE_RANDOM, MAPIO_ADVICE_DONTNEED};
    fixture *f = *state;

    file_make(f, LENGTH);
    map_file(f, MAPIO_ACCESS_READ);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        for (size_t k = 0; k < COUNT_OF(advice); k++) {
            assert_status_or_ok(
                mapio_advise(f->map, cases[i].offset, cases[i].length, advice[k], &failure),
                cases[i].status);
        }
    }
    assert_map_pattern(f->map, 0, LENGTH);
}

/* Portable advice that does not exist is invalid. */
static void unknown_advice_is_refused(void **state)
{
    fixture *f = *state;

    file_make(f, LENGTH);
    map_file(f, MAPIO_ACCESS_WRITE);
    assert_fails(mapio_advise(f->map, 0, MAPIO_TO_END, MAPIO_ADVICE_DONTNEED + 1, &failure),
                 MAPIO_E_INVALID);
    assert_fails(mapio_advise(f->map, 0, MAPIO_TO_END, INT32_MAX, &failure), MAPIO_E_INVALID);
}

/* Stores into private memory in front of the range survive DONTNEED, wherever in a page it
 * begins. */
static void dontneed_keeps_what_lies_in_front(void **state)
{
    fixture *f = *state;
    size_t page = mapio_page_size();
    const size_t offsets[] = {1, 100, page - 1, page, page + 1, 2 * page + 7, 3 * page - 1};

    for (size_t i = 0; i < COUNT_OF(offsets); i++) {
        map_anonymous(f, MAPIO_ACCESS_COPY, 3 * page);
        assert_ok(mapio_fill(f->map, 0, 3 * page, 0xaa, &failure));
        assert_ok(mapio_advise(f->map, offsets[i], MAPIO_TO_END, MAPIO_ADVICE_DONTNEED, &failure));
        assert_map_filled(f->map, 0, offsets[i], 0xaa);
        map_close(f);
    }
}

/* A range inside one page that does not begin at it holds no whole page: nothing is dropped. */
static void dontneed_inside_a_page_drops_nothing(void **state)
{
    fixture *f = *state;
    size_t page = mapio_page_size();

    map_anonymous(f, MAPIO_ACCESS_COPY, 3 * page);
    assert_ok(mapio_fill(f->map, 0, 3 * page, 0xaa, &failure));
    assert_ok(mapio_advise(f->map, page + 1, page - 1, MAPIO_ADVICE_DONTNEED, &failure));
    assert_ok(mapio_advise(f->map, page + 1, 1, MAPIO_ADVICE_DONTNEED, &failure));
    assert_ok(mapio_advise(f->map, 3 * page - 1, 1, MAPIO_ADVICE_DONTNEED, &failure));
    assert_map_filled(f->map, 0, 3 * page, 0xaa);
}

/* Pages are those of memory, also where the map begins in the middle of one. */
static void dontneed_of_an_unaligned_map(void **state)
{
    fixture *f = *state;
    size_t page = mapio_page_size();
    mapio_options options = options_of(MAPIO_ACCESS_COPY, page / 2, 0);

    file_make(f, 4 * page);
    assert_ok(mapio_open_path(&f->map, f->path, &options, &failure));
    assert_ok(mapio_fill(f->map, 0, mapio_length(f->map), 0xaa, &failure));
    assert_ok(mapio_advise(f->map, page, MAPIO_TO_END, MAPIO_ADVICE_DONTNEED, &failure));
    assert_map_filled(f->map, 0, page + page / 2, 0xaa);
}

/* ---- names ---- */

/* A name of a map of a file, or one that is too long, is refused. */
static void names_are_checked(void **state)
{
    fixture *f = *state;
    char name[MAPIO_NAME_MAX + 2];

    memset(name, 'n', sizeof(name));
    name[MAPIO_NAME_MAX + 1] = '\0';
    map_anonymous(f, MAPIO_ACCESS_DEFAULT, LENGTH);
    assert_fails(mapio_set_name(f->map, name, &failure), MAPIO_E_INVALID);
    map_close(f);
    file_make(f, LENGTH);
    map_file(f, MAPIO_ACCESS_WRITE);
    assert_fails(mapio_set_name(f->map, "name", &failure), MAPIO_E_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_fixture(portable_advice_is_taken),
        with_fixture(ranges_are_cut_to_the_map),
        with_fixture(unknown_advice_is_refused),
        with_fixture(dontneed_keeps_what_lies_in_front),
        with_fixture(dontneed_inside_a_page_drops_nothing),
        with_fixture(dontneed_of_an_unaligned_map),
        with_fixture(names_are_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
