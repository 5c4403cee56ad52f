/* Facts about the system: page size, granularity, constants. */
#include "support.h"

#include <stdio.h>

static void page_size_is_the_systems(void **state)
{
    (void)state;
    assert_u64(ironmap_page_size(), system_page_size());
    assert_u64(ironmap_granularity(), system_granularity());
}

static bool begins_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* There are four kinds of names. */
static void names_of_constants_are_unique(void **state)
{
    const char *name = NULL;
    const char *other = NULL;
    int value = 0;

    (void)state;
    for (size_t i = 0; ironmap_constant(&name, &value, i); i++) {
        assert_true(begins_with(name, "MAP_") || begins_with(name, "PROT_") ||
                    begins_with(name, "MADV_") || begins_with(name, "MS_"));
        for (size_t k = 0; k < i; k++) {
            assert_true(ironmap_constant(&other, &value, k));
            assert_string_not_equal(name, other);
        }
    }
    assert_false(ironmap_constant(&name, &value, SIZE_MAX));
}

/* The values never collide. */
static void values_of_the_library_lie_above_the_systems(void **state)
{
    const char *name = NULL;
    int value = 0;

    (void)state;
    for (size_t i = 0; ironmap_constant(&name, &value, i); i++) {
        if (begins_with(name, "MS_")) {
            assert_true(value < IRONMAP_FLUSH_ASYNC);
        }
        if (begins_with(name, "MADV_")) {
            assert_true(value < IRONMAP_ADVICE_NORMAL);
        }
    }
}

static void whence_has_the_values_of_the_c_library(void **state)
{
    (void)state;
    assert_int_equal((int)IRONMAP_SEEK_SET, SEEK_SET);
    assert_int_equal((int)IRONMAP_SEEK_CUR, SEEK_CUR);
    assert_int_equal((int)IRONMAP_SEEK_END, SEEK_END);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(page_size_is_the_systems),
        cmocka_unit_test(names_of_constants_are_unique),
        cmocka_unit_test(values_of_the_library_lie_above_the_systems),
        cmocka_unit_test(whence_has_the_values_of_the_c_library),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
