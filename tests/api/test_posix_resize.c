/* resize on Unix: private maps that grow, and limits of file lengths. */
#include "support_posix.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/resource.h>

enum { LENGTH = 10000 };

static void private_map_of_a_file_keeps_its_stores(void **state)
{
    fixture *f = *state;
    ironmap_options options = IRONMAP_OPTIONS_INIT;

    options.flags = MAP_PRIVATE;
    options.prot = PROT_READ | PROT_WRITE;
    file_make(f, LENGTH);
    assert_ok(ironmap_open_fd(&f->map, f->fd, IRONMAP_SYSTEM, &options, &failure));
    assert_ok(ironmap_put(f->map, 5000, "mine", 4, &failure));
    assert_ok(ironmap_resize(f->map, 50000, &failure));
    assert_map(f->map, 5000, "mine", 4);
    assert_map_filled(f->map, LENGTH, 40000, 0);
    assert_ok(ironmap_fill(f->map, 4990, 'm', 40, &failure));
    assert_ok(ironmap_resize(f->map, 5000, &failure));
    assert_ok(ironmap_resize(f->map, 6000, &failure));
    assert_map_filled(f->map, 4990, 10, 'm');
    assert_map_filled(f->map, 5000, 1000, 0);
    assert_u64(file_length(f), 6000);
}

/* Old bytes stay, new ones are zero. */
static void private_memory_grows_and_shrinks(void **state)
{
    static const size_t lengths[] = {LENGTH + 1, 1 << 20, 100, 4096, 4097, 0, LENGTH};
    fixture *f = *state;
    size_t kept = LENGTH;
    uint64_t size = 0;

    map_memory(f, MAP_PRIVATE, PROT_READ | PROT_WRITE, LENGTH);
    pattern_fill(ironmap_data(f->map), 0, LENGTH);
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        kept = lengths[i] < kept ? lengths[i] : kept;
        assert_ok(ironmap_resize(f->map, lengths[i], &failure));
        assert_map_kept(f->map, 0, kept, lengths[i]);
        assert_ok(ironmap_file_size(&size, f->map, &failure));
        assert_u64(size, lengths[i]);
    }
}

/* Bytes cut off within one page are zero too. */
static void cut_memory_is_zero_when_grown_again(void **state)
{
    fixture *f = *state;

    map_memory(f, MAP_PRIVATE, PROT_READ | PROT_WRITE, 1000);
    assert_ok(ironmap_fill(f->map, 0, 0xff, 1000, &failure));
    assert_ok(ironmap_resize(f->map, 500, &failure));
    assert_ok(ironmap_resize(f->map, 700, &failure));
    assert_map_filled(f->map, 0, 500, 0xff);
    assert_map_filled(f->map, 500, 200, 0);
    assert_ok(ironmap_resize(f->map, 10000, &failure));
    assert_map_filled(f->map, 500, 9500, 0);
}

/* Stores beyond the cut are lost. */
static void regrown_private_map_shows_the_file(void **state)
{
    fixture *f = *state;
    ironmap_options options = options_of(0, 0);

    file_make(f, 4096);
    options.flags = MAP_PRIVATE;
    options.prot = PROT_READ | PROT_WRITE;
    assert_ok(ironmap_open_fd(&f->map, f->fd, IRONMAP_SYSTEM, &options, &failure));
    assert_ok(ironmap_fill(f->map, 0, 'X', 4096, &failure));
    assert_ok(ironmap_resize(f->map, 1000, &failure));
    file_store(f, 2000, "Y", 1);
    assert_ok(ironmap_resize(f->map, 4096, &failure));
    assert_map_filled(f->map, 0, 1000, 'X');
    assert_map_filled(f->map, 1000, 1000, 0);
    assert_map_filled(f->map, 2000, 1, 'Y');
    assert_map_filled(f->map, 2001, 2095, 0);
}

/* The map begins inside a page, and so its pages end elsewhere than at multiples of their size. */
static void cut_page_of_an_unaligned_map_is_zero_when_grown_again(void **state)
{
    fixture *f = *state;
    const size_t page = ironmap_page_size();
    ironmap_options options = options_of(200, 0);

    file_make(f, 2 * page);
    options.flags = MAP_PRIVATE;
    options.prot = PROT_READ | PROT_WRITE;
    assert_ok(ironmap_open_fd(&f->map, f->fd, IRONMAP_SYSTEM, &options, &failure));
    assert_ok(ironmap_fill(f->map, 0, 'X', 2 * page - 200, &failure));
    assert_ok(ironmap_resize(f->map, page - 96, &failure));
    assert_ok(ironmap_resize(f->map, 2 * page - 200, &failure));
    assert_map_filled(f->map, 0, page - 96, 'X');
    assert_map_filled(f->map, page - 96, page - 104, 0);
}

/* Advice for a part may split the mapping. */
static void private_memory_grows_after_advice(void **state)
{
    fixture *f = *state;
    size_t page = ironmap_page_size();

    if (inside_valgrind()) {
        skip_because("valgrind refuses to grow a mapping that is split");
    }
    map_memory(f, MAP_PRIVATE, PROT_READ | PROT_WRITE, 4 * page);
    pattern_fill(ironmap_data(f->map), 0, 4 * page);
    assert_ok(ironmap_advise(f->map, page, page, IRONMAP_ADVICE_RANDOM, &failure));
    assert_ok(ironmap_resize(f->map, 400 * page, &failure));
    assert_map_kept(f->map, 0, 4 * page, 400 * page);
    assert_ok(ironmap_advise(f->map, page, page, IRONMAP_ADVICE_SEQUENTIAL, &failure));
    assert_ok(ironmap_resize(f->map, 2 * page, &failure));
    assert_map_pattern(f->map, 0, 2 * page);
}

/* Resizes with a limit of `limit` bytes for files. */
static int resize_limited(ironmap_map *map, size_t length, rlim_t limit)
{
    struct rlimit before;
    struct rlimit now;
    int result;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    now = before;
    now.rlim_cur = limit;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &now), 0);
    result = ironmap_resize(map, length, &failure);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    return result;
}

/* No signal is raised, and nothing changes. */
static void file_length_limit_is_an_error(void **state)
{
    fixture *f = *state;

    file_make(f, LENGTH);
    map_file(f, IRONMAP_WRITE);
    assert_system_fails(resize_limited(f->map, 20000, 16384), IRONMAP_E_SYSTEM, EFBIG);
    assert_map_pattern(f->map, 0, LENGTH);
    assert_file_unchanged(f, LENGTH);
    assert_ok(resize_limited(f->map, 16384, 16384));
    assert_ok(resize_limited(f->map, 8192, 100));
    assert_map_pattern(f->map, 0, 8192);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_fixture(private_map_of_a_file_keeps_its_stores),
        with_fixture(private_memory_grows_and_shrinks),
        with_fixture(cut_memory_is_zero_when_grown_again),
        with_fixture(regrown_private_map_shows_the_file),
        with_fixture(cut_page_of_an_unaligned_map_is_zero_when_grown_again),
        with_fixture(private_memory_grows_after_advice),
        with_fixture(file_length_limit_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
