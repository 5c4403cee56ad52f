/* What Windows lacks: flags, protection, names of memory. */
#include "support.h"

enum { LENGTH = 10000 };

static void there_are_no_constants_of_unix(void **state)
{
    const char *name = NULL;
    int value = 0;

    (void)state;
    assert_false(ironmap_constant(&name, &value, 0));
}

/* A view begins at a multiple of 64 KiB. */
static void granularity_is_more_than_a_page(void **state)
{
    (void)state;
    assert_u64(ironmap_page_size(), 4096);
    assert_u64(ironmap_granularity(), 65536);
}

/* Nothing is created or extended. */
static void flags_and_prot_are_unsupported(void **state)
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
    assert_file_unchanged(f, LENGTH);
}

static void names_of_memory_are_unsupported(void **state)
{
    fixture *f = *state;

    map_anonymous(f, IRONMAP_WRITE, LENGTH);
    assert_fails(ironmap_set_name(f->map, "name", &failure), IRONMAP_E_UNSUPPORTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_are_no_constants_of_unix),
        cmocka_unit_test(granularity_is_more_than_a_page),
        with_fixture(flags_and_prot_are_unsupported),
        with_fixture(names_of_memory_are_unsupported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
