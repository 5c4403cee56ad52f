/* What Windows has not: flags, protection, names of memory; and what the library says then. */
#include "support.h"

enum { LENGTH = 10000 };

/* There is none of the constants of Unix. */
static void constants_are_none(void **state)
{
    const char *name = NULL;
    int value = 0;

    (void)state;
    assert_false(ironmap_constant(&name, &value, 0));
}

/* A view begins at a multiple of 64 KiB, which is more than a page. */
static void granularity_is_more_than_a_page(void **state)
{
    (void)state;
    assert_u64(ironmap_page_size(), 4096);
    assert_u64(ironmap_granularity(), 65536);
}

/* Flags and protection are not supported, of files and of memory; nothing is made or made longer.
 */
static void flags_and_prot_are_not_supported(void **state)
{
    fixture *f = *state;
    ironmap_map *map = NULL;

    file_make(f, LENGTH);
    for (int value = 0; value < 4; value++) {
        ironmap_options flags = options_of(0, 2 * LENGTH);
        ironmap_options prot = flags;

        flags.flags = value;
        flags.open = IRONMAP_OPEN_EXTEND;
        prot.prot = value;
        prot.open = IRONMAP_OPEN_EXTEND;
        assert_fails(ironmap_open_fd(&map, f->fd, IRONMAP_SYSTEM, &flags, &failure),
                     IRONMAP_E_UNSUPPORTED);
        assert_fails(ironmap_open_fd(&map, f->fd, IRONMAP_SYSTEM, &prot, &failure),
                     IRONMAP_E_UNSUPPORTED);
        flags.open = 0;
        prot.open = 0;
        assert_fails(ironmap_open_anonymous(&map, IRONMAP_SYSTEM, &flags, &failure),
                     IRONMAP_E_UNSUPPORTED);
        assert_fails(ironmap_open_anonymous(&map, IRONMAP_SYSTEM, &prot, &failure),
                     IRONMAP_E_UNSUPPORTED);
    }
    assert_null(map);
    assert_file_untouched(f, LENGTH);
}

/* Memory has no names. */
static void memory_has_no_names(void **state)
{
    fixture *f = *state;

    map_anonymous(f, IRONMAP_WRITE, LENGTH);
    assert_fails(ironmap_set_name(f->map, "name", &failure), IRONMAP_E_UNSUPPORTED);
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
