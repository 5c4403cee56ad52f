/* The registry finds the mapping of an address. A mapping is a pointer here, and is never read. */
#include "fault/registry.h"

#include "unit.h"

/* More than two blocks of entries. */
enum { MANY = 150, LENGTH = 0x1000 };

static char storage[MANY];

static struct ironmap__mapping *mapping_number(size_t i)
{
    return (struct ironmap__mapping *)(void *)&storage[i];
}

static uintptr_t base_number(size_t i)
{
    return 0x10000 + i * 2 * LENGTH;
}

static void address_without_a_mapping_is_not_found(void **state)
{
    (void)state;
    assert_null(ironmap__registry_find(0));
    assert_null(ironmap__registry_find(base_number(0)));
    assert_null(ironmap__registry_find(UINTPTR_MAX));
}

static void entry_has_no_address_at_first(void **state)
{
    (void)state;
    ironmap__registry_entry *entry = ironmap__registry_enter(mapping_number(0));
    assert_non_null(entry);
    assert_null(ironmap__registry_find(0));
    ironmap__registry_exit(entry);
}

static void first_and_last_byte_are_found(void **state)
{
    (void)state;
    ironmap__registry_entry *entry = ironmap__registry_enter(mapping_number(0));
    assert_non_null(entry);
    ironmap__registry_set(entry, base_number(0), LENGTH);
    assert_ptr_equal(ironmap__registry_find(base_number(0)), mapping_number(0));
    assert_ptr_equal(ironmap__registry_find(base_number(0) + LENGTH - 1), mapping_number(0));
    assert_null(ironmap__registry_find(base_number(0) - 1));
    assert_null(ironmap__registry_find(base_number(0) + LENGTH));
    ironmap__registry_exit(entry);
}

static void last_address_of_all_is_found(void **state)
{
    (void)state;
    ironmap__registry_entry *entry = ironmap__registry_enter(mapping_number(0));
    assert_non_null(entry);
    ironmap__registry_set(entry, UINTPTR_MAX - LENGTH + 1, LENGTH);
    assert_ptr_equal(ironmap__registry_find(UINTPTR_MAX), mapping_number(0));
    assert_null(ironmap__registry_find(0));
    ironmap__registry_exit(entry);
}

static void suspended_addresses_are_not_found(void **state)
{
    (void)state;
    ironmap__registry_entry *entry = ironmap__registry_enter(mapping_number(0));
    assert_non_null(entry);
    ironmap__registry_set(entry, base_number(0), LENGTH);
    ironmap__registry_set(entry, 0, 0);
    assert_null(ironmap__registry_find(base_number(0)));
    ironmap__registry_exit(entry);
}

static void released_entry_is_reused(void **state)
{
    (void)state;
    ironmap__registry_entry *entry = ironmap__registry_enter(mapping_number(0));
    assert_non_null(entry);
    ironmap__registry_set(entry, base_number(0), LENGTH);
    ironmap__registry_exit(entry);
    assert_null(ironmap__registry_find(base_number(0)));
    ironmap__registry_entry *again = ironmap__registry_enter(mapping_number(1));
    assert_ptr_equal(again, entry);
    assert_null(ironmap__registry_find(base_number(0)));
    ironmap__registry_exit(again);
}

static size_t visited;

static void count(struct ironmap__mapping *mapping)
{
    assert_in_range((uintptr_t)mapping, (uintptr_t)storage, (uintptr_t)storage + MANY - 1);
    visited++;
}

static void every_mapping_of_many_is_found_and_visited(void **state)
{
    ironmap__registry_entry *entries[MANY];
    (void)state;
    for (size_t i = 0; i < MANY; i++) {
        entries[i] = ironmap__registry_enter(mapping_number(i));
        assert_non_null(entries[i]);
        ironmap__registry_set(entries[i], base_number(i), LENGTH);
    }
    for (size_t i = 0; i < MANY; i++) {
        assert_ptr_equal(ironmap__registry_find(base_number(i) + 1), mapping_number(i));
    }
    visited = 0;
    ironmap__registry_each(count);
    assert_int_equal(visited, MANY);
    for (size_t i = 0; i < MANY; i++) {
        ironmap__registry_exit(entries[i]);
    }
    visited = 0;
    ironmap__registry_each(count);
    assert_int_equal(visited, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(address_without_a_mapping_is_not_found),
        cmocka_unit_test(entry_has_no_address_at_first),
        cmocka_unit_test(first_and_last_byte_are_found),
        cmocka_unit_test(last_address_of_all_is_found),
        cmocka_unit_test(suspended_addresses_are_not_found),
        cmocka_unit_test(released_entry_is_reused),
        cmocka_unit_test(every_mapping_of_many_is_found_and_visited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
