/* Constants, advice and flush flags of Unix. */
#include "support_posix.h"

#include <errno.h>
#include <sys/mman.h>

enum { LENGTH = 10000 };

/* ---- constants ---- */

static void assert_constant(const char *name, int expected)
{
    int value = 0;

    if (!system_constant(&value, name)) {
        fail_msg("%s is missing", name);
    }
    assert_int_equal(value, expected);
}

static void constants_have_the_systems_values(void **state)
{
    (void)state;
    assert_constant("PROT_NONE", PROT_NONE);
    assert_constant("PROT_READ", PROT_READ);
    assert_constant("PROT_WRITE", PROT_WRITE);
    assert_constant("PROT_EXEC", PROT_EXEC);
    assert_constant("MAP_SHARED", MAP_SHARED);
    assert_constant("MAP_PRIVATE", MAP_PRIVATE);
    assert_constant("MAP_ANON", MAP_ANON);
    assert_constant("MAP_ANONYMOUS", MAP_ANONYMOUS);
    assert_constant("MS_SYNC", MS_SYNC);
    assert_constant("MS_ASYNC", MS_ASYNC);
    assert_constant("MS_INVALIDATE", MS_INVALIDATE);
    assert_constant("MADV_NORMAL", MADV_NORMAL);
    assert_constant("MADV_SEQUENTIAL", MADV_SEQUENTIAL);
    assert_constant("MADV_RANDOM", MADV_RANDOM);
    assert_constant("MADV_WILLNEED", MADV_WILLNEED);
    assert_constant("MADV_DONTNEED", MADV_DONTNEED);
}

/* ---- advice ---- */

/* These hints never change bytes. */
static void systems_advice_is_accepted(void **state)
{
    static const int advice[] = {MADV_NORMAL, MADV_SEQUENTIAL, MADV_RANDOM, MADV_WILLNEED};
    fixture *f = *state;

    file_make(f, LENGTH);
    map_file(f, IRONMAP_WRITE);
    for (size_t i = 0; i < COUNT_OF(advice); i++) {
        assert_ok(ironmap_advise(f->map, 0, IRONMAP_TO_END, advice[i], &failure));
        assert_ok(ironmap_advise(f->map, 4097, 1, advice[i], &failure));
    }
    assert_map_pattern(f->map, 0, LENGTH);
}

static void unknown_advice_is_a_system_error(void **state)
{
    fixture *f = *state;

    file_make(f, LENGTH);
    map_file(f, IRONMAP_WRITE);
    skip_inside_qemu("takes every advice and does nothing");
    assert_system_fails(ironmap_advise(f->map, 0, IRONMAP_TO_END, 9999, &failure), IRONMAP_E_SYSTEM,
                        EINVAL);
    assert_system_fails(ironmap_advise(f->map, 0, IRONMAP_TO_END, -1, &failure), IRONMAP_E_SYSTEM,
                        EINVAL);
}

/* Private stores before the range survive either value of the advice. */
static void dontneed_keeps_the_bytes_before_its_range(void **state)
{
    static const int advice[] = {IRONMAP_ADVICE_DONTNEED, MADV_DONTNEED};
    fixture *f = *state;
    size_t page = ironmap_page_size();
    const size_t offsets[] = {1, 100, page - 1, page, page + 1, 2 * page + 7, 3 * page - 1};

    for (size_t i = 0; i < COUNT_OF(offsets); i++) {
        for (size_t k = 0; k < COUNT_OF(advice); k++) {
            map_memory(f, MAP_PRIVATE, PROT_READ | PROT_WRITE, 3 * page);
            assert_ok(ironmap_fill(f->map, 0, 0xaa, 3 * page, &failure));
            assert_ok(ironmap_advise(f->map, offsets[i], IRONMAP_TO_END, advice[k], &failure));
            assert_map_filled(f->map, 0, offsets[i], 0xaa);
            map_close(f);
        }
    }
}

/* ---- flush ---- */

/* Flags are accepted alone and with the library's. */
static void systems_flags_are_accepted(void **state)
{
    static const int flags[] = {
        MS_SYNC,
        MS_ASYNC,
        MS_INVALIDATE | MS_SYNC,
        MS_INVALIDATE | MS_ASYNC,
        MS_SYNC | IRONMAP_FLUSH_INVALIDATE,
    };
    fixture *f = *state;

    file_make(f, LENGTH);
    map_file(f, IRONMAP_WRITE);
    for (size_t i = 0; i < COUNT_OF(flags); i++) {
        assert_ok(ironmap_put(f->map, 10 * i, "flushed", 7, &failure));
        assert_ok(ironmap_flush(f->map, 0, IRONMAP_TO_END, flags[i], &failure));
        assert_file(f, 10 * i, "flushed", 7);
    }
}

static void flush_of_private_memory_succeeds(void **state)
{
    fixture *f = *state;

    map_memory(f, MAP_PRIVATE, PROT_READ | PROT_WRITE, LENGTH);
    assert_flush_ranges(f->map);
}

static void refused_flags_are_system_errors(void **state)
{
    fixture *f = *state;

    file_make(f, LENGTH);
    map_file(f, IRONMAP_WRITE);
    assert_system_fails(ironmap_flush(f->map, 0, IRONMAP_TO_END, MS_SYNC | MS_ASYNC, &failure),
                        IRONMAP_E_SYSTEM, EINVAL);
}

/* The bytes stay. */
static void invalidating_locked_memory_is_a_system_error(void **state)
{
    fixture *f = *state;

    file_make(f, LENGTH);
    map_file(f, IRONMAP_WRITE);
    if (mlock(ironmap_data(f->map), 1) != 0 ||
        msync(ironmap_data(f->map), 1, MS_SYNC | MS_INVALIDATE) == 0) {
        skip_because("no memory can be locked");
    }
    assert_system_fails(
        ironmap_flush(f->map, 0, IRONMAP_TO_END, IRONMAP_FLUSH_INVALIDATE, &failure),
        IRONMAP_E_SYSTEM, EBUSY);
    assert_map_pattern(f->map, 0, LENGTH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(constants_have_the_systems_values),
        with_fixture(systems_advice_is_accepted),
        with_fixture(unknown_advice_is_a_system_error),
        with_fixture(dontneed_keeps_the_bytes_before_its_range),
        with_fixture(systems_flags_are_accepted),
        with_fixture(flush_of_private_memory_succeeds),
        with_fixture(refused_flags_are_system_errors),
        with_fixture(invalidating_locked_memory_is_a_system_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
