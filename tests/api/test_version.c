/* Header and library are of one version. */
#include "support.h"

#include <stdio.h>

/* The library that runs is the one of the header. */
static void number_agrees(void **state)
{
    (void)state;
    assert_u64(ironmap_version(), IRONMAP_VERSION);
}

/* The text is "major.minor.patch" of the same number. */
static void text_agrees(void **state)
{
    char text[64];

    (void)state;
    (void)snprintf(text, sizeof(text), "%d.%d.%d", IRONMAP_VERSION_MAJOR, IRONMAP_VERSION_MINOR,
                   IRONMAP_VERSION_PATCH);
    assert_string_equal(ironmap_version_string(), text);
}

/* A version is one number, 0x00MMmmpp, and a later version is a greater one. */
static void numbers_compare(void **state)
{
    (void)state;
    assert_u64(IRONMAP_VERSION_NUMBER(1, 2, 3), 0x010203);
    assert_true(IRONMAP_VERSION_NUMBER(0, 1, 255) < IRONMAP_VERSION_NUMBER(0, 2, 0));
    assert_true(IRONMAP_VERSION_NUMBER(0, 255, 255) < IRONMAP_VERSION_NUMBER(1, 0, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(number_agrees),
        cmocka_unit_test(text_agrees),
        cmocka_unit_test(numbers_compare),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
