/* The versions of header and library. */
#include "support.h"

#include <stdio.h>

static void library_has_the_version_of_the_header(void **state)
{
    (void)state;
    assert_u64(ironmap_version(), IRONMAP_VERSION);
}

/* The text is "major.minor.patch". */
static void text_is_the_version_number(void **state)
{
    char text[64];

    (void)state;
    (void)snprintf(text, sizeof(text), "%d.%d.%d", IRONMAP_VERSION_MAJOR, IRONMAP_VERSION_MINOR,
                   IRONMAP_VERSION_PATCH);
    assert_string_equal(ironmap_version_string(), text);
}

/* A version is 0x00MMmmpp. */
static void later_version_is_a_greater_number(void **state)
{
    (void)state;
    assert_u64(IRONMAP_VERSION_NUMBER(1, 2, 3), 0x010203);
    assert_true(IRONMAP_VERSION_NUMBER(0, 1, 255) < IRONMAP_VERSION_NUMBER(0, 2, 0));
    assert_true(IRONMAP_VERSION_NUMBER(0, 255, 255) < IRONMAP_VERSION_NUMBER(1, 0, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(library_has_the_version_of_the_header),
        cmocka_unit_test(text_is_the_version_number),
        cmocka_unit_test(later_version_is_a_greater_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
