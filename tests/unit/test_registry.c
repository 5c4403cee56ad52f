/* The registry finds the mapping of an address. A mapping is a pointer here, and is never read. */
#include "fault/registry.h"

#include <stdatomic.h>

#include "support.h"

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

/* ---- the first of many addresses ---- */

static void lowest_mapping_of_a_range_is_found(void **state)
{
    ironmap__registry_entry *entries[3];
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        entries[i] = ironmap__registry_enter(mapping_number(i));
        assert_non_null(entries[i]);
        ironmap__registry_set(entries[i], base_number(i), LENGTH);
    }
    uintptr_t gap = base_number(0) + LENGTH;
    assert_null(ironmap__registry_first(0, base_number(0) - 1));
    assert_ptr_equal(ironmap__registry_first(0, base_number(0)), mapping_number(0));
    assert_ptr_equal(ironmap__registry_first(gap - 1, base_number(2)), mapping_number(0));
    assert_null(ironmap__registry_first(gap, base_number(1) - 1));
    assert_ptr_equal(ironmap__registry_first(gap, base_number(1)), mapping_number(1));
    assert_ptr_equal(ironmap__registry_first(gap, UINTPTR_MAX), mapping_number(1));
    assert_null(ironmap__registry_first(base_number(2) + LENGTH, UINTPTR_MAX));
    for (size_t i = 0; i < 3; i++) {
        ironmap__registry_exit(entries[i]);
    }
}

/* ---- a model ---- */

/* Mapping i, if it has addresses, has some of [base_number(i), base_number(i + 1)). */
typedef struct model {
    ironmap__registry_entry *entries[MANY];
    uintptr_t bases[MANY];
    size_t lengths[MANY];
} model;

static uint32_t next_random(uint32_t *random)
{
    *random = *random * 1664525 + 1013904223;
    return *random >> 8;
}

static struct ironmap__mapping *model_first(const model *m, uintptr_t first, uintptr_t last)
{
    for (size_t i = 0; i < MANY; i++) {
        if (m->lengths[i] > 0 && m->bases[i] <= last && m->bases[i] + m->lengths[i] > first) {
            return mapping_number(i);
        }
    }
    return NULL;
}

static void model_change(model *m, size_t i, uint32_t *random)
{
    if (m->entries[i] == NULL) {
        m->entries[i] = ironmap__registry_enter(mapping_number(i));
        assert_non_null(m->entries[i]);
        m->lengths[i] = 0;
        return;
    }
    if (next_random(random) % 4 == 0) {
        ironmap__registry_exit(m->entries[i]);
        m->entries[i] = NULL;
        m->lengths[i] = 0;
        return;
    }
    size_t shift = next_random(random) % LENGTH;
    m->bases[i] = base_number(i) + shift;
    m->lengths[i] = next_random(random) % 4 == 0 ? 0 : 1 + next_random(random) % LENGTH;
    ironmap__registry_set(m->entries[i], m->lengths[i] == 0 ? 0 : m->bases[i], m->lengths[i]);
}

static void random_changes_are_as_in_a_plain_list(void **state)
{
    static model m;
    uint32_t random = 1;
    (void)state;
    for (int round = 0; round < 20000; round++) {
        model_change(&m, next_random(&random) % MANY, &random);
        for (int i = 0; i < 4; i++) {
            uintptr_t first = base_number(0) + next_random(&random) % (2 * LENGTH * MANY);
            uintptr_t last = first + next_random(&random) % (4 * LENGTH);
            assert_ptr_equal(ironmap__registry_find(first), model_first(&m, first, first));
            assert_ptr_equal(ironmap__registry_first(first, last), model_first(&m, first, last));
        }
    }
    for (size_t i = 0; i < MANY; i++) {
        if (m.entries[i] != NULL) {
            ironmap__registry_exit(m.entries[i]);
        }
    }
}

/* ---- threads ---- */

enum { CHANGERS = 3, STEADY = 40 };

typedef struct changer {
    test_thread thread;
    size_t number;
} changer;

static atomic_bool is_over;

/* Mappings of its own come and go, between those that stay. */
static void change(void *argument)
{
    const changer *c = argument;
    uint32_t random = (uint32_t)c->number;
    ironmap__registry_entry *entries[MANY] = {NULL};
    while (!atomic_load(&is_over)) {
        size_t i = STEADY + c->number + CHANGERS * (next_random(&random) % 30);
        if (entries[i] == NULL) {
            entries[i] = ironmap__registry_enter(mapping_number(i));
            ironmap__registry_set(entries[i], base_number(i), LENGTH);
        } else {
            ironmap__registry_exit(entries[i]);
            entries[i] = NULL;
        }
    }
    for (size_t i = 0; i < MANY; i++) {
        if (entries[i] != NULL) {
            ironmap__registry_exit(entries[i]);
        }
    }
}

/* Those that stay lie between the others. */
static uintptr_t steady_base(size_t i)
{
    return base_number(STEADY + 2 * i) + LENGTH;
}

static void steady_mapping_is_always_found_and_no_other_in_its_place(void **state)
{
    ironmap__registry_entry *entries[STEADY];
    changer changers[CHANGERS];
    (void)state;
    for (size_t i = 0; i < STEADY; i++) {
        entries[i] = ironmap__registry_enter(mapping_number(i));
        assert_non_null(entries[i]);
        ironmap__registry_set(entries[i], steady_base(i), LENGTH);
    }
    atomic_store(&is_over, false);
    for (size_t i = 0; i < CHANGERS; i++) {
        changers[i].number = i;
        thread_start(&changers[i].thread, change, &changers[i]);
    }
    size_t wrong = 0;
    for (int round = 0; round < 5000; round++) {
        for (size_t i = 0; i < STEADY; i++) {
            wrong += ironmap__registry_find(steady_base(i) + 1) != mapping_number(i);
        }
        for (size_t i = STEADY; i < STEADY + 90; i++) {
            const struct ironmap__mapping *found = ironmap__registry_find(base_number(i));
            wrong += found != NULL && found != mapping_number(i);
        }
    }
    atomic_store(&is_over, true);
    for (size_t i = 0; i < CHANGERS; i++) {
        thread_join(&changers[i].thread);
    }
    assert_u64(wrong, 0);
    for (size_t i = 0; i < STEADY; i++) {
        ironmap__registry_exit(entries[i]);
    }
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
        cmocka_unit_test(lowest_mapping_of_a_range_is_found),
        cmocka_unit_test(random_changes_are_as_in_a_plain_list),
        cmocka_unit_test(steady_mapping_is_always_found_and_no_other_in_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
