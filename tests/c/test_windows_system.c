/* What Windows has not: flags, protection, names of memory; and what the library says then. */
#include "support.h"

enum { LENGTH = 10000 };

/* There is none of the constants of Unix. */
static void constants_are_none(void **state)
{
    size_t count = 1;

    (void)state;
    (void)mapio_constants(&count);
    assert_u64(count, 0);
}

/* A view begins at a multiple of 64 KiB, which is more than a page. */
static void granularity_is_more_than_a_page(void **state)
{
    (void)state;
    assert_u64(mapio_page_size(), 4096);
    assert_u64(mapio_granularity(), 65536);
}

/* Flags and protection are not supported, of files and of memory; nothing is made or made longer.
 */
static void flags_and_prot_are_not_supported(void **state)
{
    fixture *f = *state;
    mapio_map *map = NULL;

    file_make(f, LENGTH);
    for (int value = 0; value < 4; value++) {
        mapio_options flags = options_of(MAPIO_ACCESS_DEFAULT, 0, 2 * LENGTH);
        mapio_options prot = flags;

        flags.flags = value;
        flags.open = MAPIO_OPEN_EXTEND;
        prot.prot = value;
        prot.open = MAPIO_OPEN_EXTEND;
        assert_fails(mapio_open_fd(&map, f->fd, &flags, &failure), MAPIO_E_UNSUPPORTED);
        assert_fails(mapio_open_fd(&map, f->fd, &prot, &failure), MAPIO_E_UNSUPPORTED);
        flags.open = 0;
        prot.open = 0;
        assert_fails(mapio_open_anonymous(&map, &flags, &failure), MAPIO_E_UNSUPPORTED);
        assert_fails(mapio_open_anonymous(&map, &prot, &failure), MAPIO_E_UNSUPPORTED);
    }
    assert_null(map);
    assert_file_untouched(f, LENGTH);
}

/* Memory has no names. */
static void memory_has_no_names(void **state)
{
    fixture *f = *state;

    map_anonymous(f, MAPIO_ACCESS_DEFAULT, LENGTH);
    assert_fails(mapio_set_name(f->map, "name", &failure), MAPIO_E_UNSUPPORTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(constants_are_none),
        cmocka_unit_test(granularity_is_more_than_a_page),
        with_fixture(flags_and_prot_are_not_supported),
        with_fixture(memory_has_no_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
