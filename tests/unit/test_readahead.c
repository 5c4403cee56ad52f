/* Read-ahead: the advice to the system during a long access. This file replaces the system: it
 * records the advice, and says which pages are in memory. */
#include "map/readahead.h"

#include "unit.h"

enum { MIB = 1 << 20, PAGE = 4096, LENGTH = 128 * MIB, WINDOW = 8 * MIB };

/* ---- the system ---- */

/* The mapping's data, which is never accessed. */
static const uintptr_t base = (uintptr_t)1 << 30;

static bool cold_from_here[LENGTH / MIB];
static bool prefetched[LENGTH / MIB];
static bool trimmed[LENGTH / MIB];
static size_t checks;
static size_t system_readahead;
static size_t questions; /* how often the system was asked for it */

static size_t mib_of(const void *address)
{
    return (size_t)((uintptr_t)address - base) / MIB;
}

size_t ironmap__page_size(void)
{
    return PAGE;
}

size_t ironmap__granularity(void)
{
    return PAGE;
}

bool ironmap__page_in_memory(void *start)
{
    checks++;
    return !cold_from_here[mib_of(start)];
}

static void set(bool *flags, const void *start, size_t length)
{
    size_t last = mib_of((const uint8_t *)start + length - 1);
    for (size_t i = mib_of(start); i <= last; i++) {
        flags[i] = true;
    }
}

void ironmap__view_prefetch(void *start, size_t length)
{
    set(prefetched, start, length);
}

void ironmap__view_trim(void *start, size_t length)
{
    set(trimmed, start, length);
}

size_t ironmap__file_read_ahead(ironmap__file file)
{
    (void)file;
    questions++;
    return system_readahead;
}

/* ---- an access ---- */

static ironmap__mapping mapping;

static int setup(void **state)
{
    (void)state;
    memset(cold_from_here, 0, sizeof(cold_from_here));
    memset(prefetched, 0, sizeof(prefetched));
    memset(trimmed, 0, sizeof(trimmed));
    checks = 0;
    questions = 0;
    system_readahead = 128 << 10;
    mapping = (ironmap__mapping){
        .data = (uint8_t *)base, .length = LENGTH, .mode = {.shared = true, .readable = true}};
    return 0;
}

static void make_cold(size_t from_mib, size_t to_mib)
{
    memset(cold_from_here + from_mib, true, to_mib - from_mib);
}

static void access_range(size_t from, size_t to, bool backward)
{
    ironmap__readahead readahead;
    ironmap__readahead_begin(&readahead, &mapping, from, to, backward);
    for (size_t done = 0; done < to - from; done += IRONMAP__CHUNK_BYTES) {
        ironmap__readahead_next(&readahead, done);
    }
}

static size_t count(const bool *flags)
{
    size_t n = 0;
    for (size_t i = 0; i < LENGTH / MIB; i++) {
        n += flags[i] ? 1 : 0;
    }
    return n;
}

/* ---- tests ---- */

static void hot_file_is_checked_once_a_window(void **state)
{
    (void)state;
    access_range(0, LENGTH, false);
    assert_in_range(checks, LENGTH / WINDOW - 1, LENGTH / WINDOW);
    assert_int_equal(count(prefetched), 0);
    assert_int_equal(count(trimmed), 0);
}

static void short_access_checks_no_page(void **state)
{
    (void)state;
    make_cold(0, LENGTH / MIB);
    access_range(0, 2 * MIB - 1, false);
    assert_int_equal(checks, 0);
}

static void access_that_ends_in_its_first_chunk_checks_no_page(void **state)
{
    (void)state;
    ironmap__readahead readahead;
    ironmap__readahead_begin(&readahead, &mapping, 0, LENGTH, false);
    ironmap__readahead_next(&readahead, 0);
    assert_int_equal(checks, 0);
}

static void anonymous_memory_gets_no_advice(void **state)
{
    (void)state;
    mapping.mode.anonymous = true;
    make_cold(0, LENGTH / MIB);
    access_range(0, LENGTH, false);
    assert_int_equal(checks, 0);
}

static void cold_file_is_requested_ahead(void **state)
{
    (void)state;
    make_cold(0, LENGTH / MIB);
    access_range(0, LENGTH, false);
    assert_int_equal(count(prefetched), LENGTH / MIB - 1); /* the first chunk was in memory
                                                            * before */
}

static void cold_file_is_requested_backward(void **state)
{
    (void)state;
    system_readahead = 8 * MIB; /* the system reads ahead forward only */
    make_cold(0, LENGTH / MIB);
    access_range(0, LENGTH, true);
    assert_int_equal(count(prefetched), LENGTH / MIB - 1);
    assert_false(prefetched[LENGTH / MIB - 1]);
}

static void system_that_reads_enough_ahead_is_not_asked(void **state)
{
    (void)state;
    system_readahead = MIB;
    make_cold(0, LENGTH / MIB);
    access_range(0, LENGTH, false);
    assert_int_equal(count(prefetched), 0);
    assert_true(count(trimmed) > 0);
}

static void only_cold_windows_are_requested(void **state)
{
    (void)state;
    make_cold(64, 72);
    access_range(0, LENGTH, false);
    for (size_t i = 0; i < LENGTH / MIB; i++) {
        assert_int_equal(prefetched[i], i >= 64 && i < 72);
    }
}

/* The system's own read-ahead has the first pages of the window in memory. */
static void window_is_judged_by_the_page_that_comes_last(void **state)
{
    (void)state;
    make_cold(65, 72);
    access_range(0, LENGTH, false);
    for (size_t i = 0; i < LENGTH / MIB; i++) {
        assert_int_equal(prefetched[i], i >= 64 && i < 72);
    }
}

/* The page behind the range tells nothing. */
static void last_window_is_judged_by_the_last_page_of_the_range(void **state)
{
    (void)state;
    make_cold(66, 68);
    access_range(0, 68 * (size_t)MIB, false);
    for (size_t i = 0; i < LENGTH / MIB; i++) {
        assert_int_equal(prefetched[i], i >= 64 && i < 68);
    }
}

static void system_is_asked_once_for_an_access(void **state)
{
    (void)state;
    make_cold(0, LENGTH / MIB);
    access_range(0, LENGTH, false);
    assert_int_equal(questions, 1);
}

static void cold_windows_are_trimmed_except_the_last_ones(void **state)
{
    (void)state;
    make_cold(0, LENGTH / MIB);
    access_range(0, LENGTH, false);
    for (size_t i = 0; i < LENGTH / MIB; i++) {
        assert_int_equal(trimmed[i], i < (LENGTH - 5 * (size_t)WINDOW) / MIB);
    }
}

static void windows_that_were_in_memory_are_not_trimmed(void **state)
{
    (void)state;
    make_cold(16, 24);
    access_range(0, LENGTH, false);
    for (size_t i = 0; i < LENGTH / MIB; i++) {
        assert_int_equal(trimmed[i], i >= 16 && i < 24);
    }
}

static void private_map_is_not_trimmed(void **state)
{
    (void)state;
    mapping.mode.shared = false;
    make_cold(0, LENGTH / MIB);
    access_range(0, LENGTH, false);
    assert_int_equal(count(trimmed), 0);
}

static void file_of_five_windows_is_not_trimmed(void **state)
{
    (void)state;
    make_cold(0, LENGTH / MIB);
    access_range(0, 5 * (size_t)WINDOW, false);
    assert_int_equal(count(trimmed), 0);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(hot_file_is_checked_once_a_window),
        TEST(short_access_checks_no_page),
        TEST(access_that_ends_in_its_first_chunk_checks_no_page),
        TEST(anonymous_memory_gets_no_advice),
        TEST(cold_file_is_requested_ahead),
        TEST(cold_file_is_requested_backward),
        TEST(system_that_reads_enough_ahead_is_not_asked),
        TEST(only_cold_windows_are_requested),
        TEST(window_is_judged_by_the_page_that_comes_last),
        TEST(last_window_is_judged_by_the_last_page_of_the_range),
        TEST(system_is_asked_once_for_an_access),
        TEST(cold_windows_are_trimmed_except_the_last_ones),
        TEST(windows_that_were_in_memory_are_not_trimmed),
        TEST(private_map_is_not_trimmed),
        TEST(file_of_five_windows_is_not_trimmed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
