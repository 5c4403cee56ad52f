/* The fault handler, without a signal. This file replaces the system, the registry and the length
 * of the file. While a page is replaced it looks at the state of the pages, and does what another
 * thread could do at that moment. */
#include "fault/handler.h"

#include <stdlib.h>

#include "fault/accessed.h"
#include "fault/cause.h"
#include "fault/changes.h"
#include "fault/mapping.h"
#include "fault/registry.h"
#include "unit.h"

enum { PAGE = 16, PAGES = 70, FAILED = 3 };

#define GUARDED IRONMAP__LOSS_GUARDED
#define EXPORTED IRONMAP__LOSS_EXPORTED

static uint8_t memory[PAGE * PAGES];
static ironmap__mapping mapping;

/* ---- the system ---- */

static ironmap__fault_handler *handle;
static void (*after_fork)(void);
static size_t installed;
static size_t unblocked;
static size_t yielded;
static bool is_scarce;
static bool has_memory;
static size_t spare_mappings;
static size_t refused; /* replacements, from the next one on */

/* The replacements that were made, as pages, and what happens before and after each. */
static ironmap__page_run replaced[4];
static size_t replacements;
static bool for_loads;
static void (*before_replacing)(ironmap__page_run run);

int ironmap__fault_handler_install(ironmap__fault_handler *handler, void (*in_child)(void),
                                   ironmap_error *error)
{
    (void)error;
    handle = handler;
    after_fork = in_child;
    installed++;
    return IRONMAP_OK;
}

void ironmap__fault_unblock(void)
{
    unblocked++;
}

void ironmap__yield(void)
{
    yielded++;
}

bool ironmap__mappings_are_scarce(void)
{
    return is_scarce;
}

bool ironmap__spare_mapping_give(void)
{
    is_scarce = true;
    return spare_mappings > 0 && spare_mappings-- > 0;
}

void *ironmap__zeros_allocate(size_t length)
{
    return has_memory ? calloc(length, 1) : NULL;
}

void ironmap__zeros_free(void *zeros, size_t length)
{
    (void)length;
    free(zeros);
}

static bool note_replacement(void *start, size_t length)
{
    size_t from = (size_t)((uint8_t *)start - memory);
    ironmap__page_run run = {from / PAGE, (from + length) / PAGE};
    assert_true(from % PAGE == 0 && length % PAGE == 0 && run.to <= PAGES);
    assert_true(replacements < sizeof(replaced) / sizeof(replaced[0]));
    if (before_replacing != NULL) {
        before_replacing(run);
    }
    replaced[replacements++] = run;
    return true;
}

bool ironmap__page_replace(void *start, size_t length, const ironmap__mode *mode)
{
    assert_ptr_equal(mode, &mapping.mode);
    if (refused > 0) {
        refused--;
        return false;
    }
    return note_replacement(start, length);
}

bool ironmap__page_replace_for_loads(void *start, size_t length)
{
    for_loads = true;
    return note_replacement(start, length);
}

/* ---- the registry, and the file ---- */

static struct ironmap__mapping *registered; /* has all addresses of `memory` */
static size_t lookups;
static void (*after_lookup)(void);

struct ironmap__mapping *ironmap__registry_find(uintptr_t address)
{
    bool inside = address - (uintptr_t)memory < sizeof(memory);
    struct ironmap__mapping *found = inside ? registered : NULL;
    lookups++;
    if (after_lookup != NULL && lookups == 1) {
        after_lookup();
    }
    return found;
}

void ironmap__registry_each(void (*visit)(struct ironmap__mapping *mapping))
{
    visit(&mapping);
}

static size_t repaired;

void ironmap__registry_after_fork(void)
{
    repaired++;
}

static size_t file_end;

size_t ironmap__file_end_in_view(const ironmap__mapping *of)
{
    assert_ptr_equal(of, &mapping);
    return file_end;
}

/* ---- a mapping, which is accessed ---- */

static int setup(void **state)
{
    (void)state;
    installed = unblocked = yielded = refused = replacements = lookups = repaired = 0;
    spare_mappings = 0;
    is_scarce = false;
    has_memory = true;
    for_loads = false;
    before_replacing = NULL;
    after_lookup = NULL;
    file_end = 0;
    mapping = (ironmap__mapping){.data = memory,
                                 .length = sizeof(memory),
                                 .mode = {.page = PAGE},
                                 .view = {memory, sizeof(memory)}};
    registered = &mapping;
    ironmap__page_state_set_pages(&mapping.state, PAGES);
    ironmap__accessed = &mapping;
    return ironmap__handler_install(NULL) == IRONMAP_OK && handle != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    ironmap__accessed = NULL;
    ironmap__page_state_set_pages(&mapping.state, 0);
    return mapping.state.handlers == 0 ? 0 : -1;
}

static bool lose(size_t page)
{
    return handle(memory + page * PAGE + 5);
}

/* Just these pages are marked. */
static bool is_marked(ironmap__loss_kind kind, size_t from, size_t to)
{
    const ironmap__page_run whole = {0, PAGES};
    ironmap__page_run run = ironmap__next_marked(&mapping.state, kind, whole);
    ironmap__page_run rest = {run.to, PAGES};
    rest = ironmap__next_marked(&mapping.state, kind, rest);
    return run.from == from && run.to == to && rest.from == rest.to;
}

static bool nothing_is_marked(ironmap__loss_kind kind)
{
    return is_marked(kind, PAGES, PAGES);
}

static void assert_replaced(size_t from, size_t to)
{
    assert_true(replacements > 0);
    assert_int_equal(replaced[replacements - 1].from, from);
    assert_int_equal(replaced[replacements - 1].to, to);
}

static void copy_loss(void *copy, const ironmap__loss *loss)
{
    *(ironmap__loss *)copy = *loss;
}

static void assert_logged(size_t number, size_t failed, size_t from, size_t to)
{
    ironmap__loss loss;
    assert_int_equal(
        ironmap__logged_losses(&mapping.state.log, number, number + 1, copy_loss, &loss), 1);
    assert_int_equal(loss.failed, failed);
    assert_int_equal(loss.replaced.from, from);
    assert_int_equal(loss.replaced.to, to);
}

/* ---- what is replaced ---- */

/* The page that failed. Those behind it as well, if the file ends before it. */
static void pages_behind_the_end_go_together(void **state)
{
    (void)state;
    file_end = SIZE_MAX;
    assert_true(lose(FAILED));
    assert_replaced(FAILED, FAILED + 1);
    assert_true(is_marked(GUARDED, FAILED, FAILED + 1));
    assert_logged(0, FAILED, FAILED, FAILED + 1);

    file_end = (FAILED + 1) * PAGE;
    assert_true(lose(FAILED));
    assert_replaced(FAILED, FAILED + 1);
    assert_logged(1, FAILED, FAILED, FAILED + 1);

    file_end = FAILED * PAGE;
    assert_true(lose(FAILED));
    assert_replaced(FAILED, PAGES);
    assert_true(is_marked(GUARDED, FAILED, PAGES));
    assert_logged(2, FAILED, FAILED, PAGES);
    assert_int_equal(replacements, 3);
    assert_int_equal(mapping.state.losses, 3);
    assert_true(nothing_is_marked(EXPORTED));
}

/* Where the system refuses a part, and where nothing has a mark for it. */
static void whole_view_goes_where_a_part_cannot(void **state)
{
    (void)state;
    file_end = 0;
    refused = 1;
    assert_true(lose(FAILED));
    assert_replaced(FAILED, FAILED + 1);
    refused = 2;
    assert_true(lose(FAILED));
    assert_replaced(0, PAGES);
    assert_true(is_marked(GUARDED, 0, PAGES));
    assert_logged(1, FAILED, 0, PAGES);
}

static void single_page_needs_memory_for_its_mark(void **state)
{
    (void)state;
    has_memory = false;
    file_end = SIZE_MAX;
    assert_true(lose(FAILED));
    assert_replaced(0, PAGES);
    assert_int_equal(replacements, 1);
    assert_true(is_marked(GUARDED, 0, PAGES));
}

/* The pages behind the end of the file are a run to the last page. */
static void truncated_file_needs_no_memory_for_marks(void **state)
{
    (void)state;
    has_memory = false;
    assert_true(lose(FAILED));
    assert_replaced(FAILED, PAGES);
    assert_true(is_marked(GUARDED, FAILED, PAGES));
    assert_logged(0, FAILED, FAILED, PAGES);
}

/* Each part would take a mapping of its own. */
static void whole_view_goes_where_mappings_are_scarce(void **state)
{
    (void)state;
    is_scarce = true;
    assert_true(lose(FAILED));
    assert_replaced(0, PAGES);
    assert_int_equal(replacements, 1);
}

static void spare_mappings_are_given_until_the_view_is_replaced(void **state)
{
    (void)state;
    refused = 2 + 3;
    spare_mappings = 4;
    assert_true(lose(FAILED));
    assert_replaced(0, PAGES);
    assert_int_equal(spare_mappings, 1);
    assert_false(for_loads);
    refused = SIZE_MAX;
    assert_true(lose(FAILED));
    assert_replaced(0, PAGES);
    assert_int_equal(spare_mappings, 0);
    assert_true(for_loads);
}

/* ---- in which order ---- */

static void look_while_replacing(ironmap__page_run run)
{
    assert_int_equal(mapping.state.handlers, 1);
    assert_int_equal(mapping.state.losses, 1);
    assert_int_equal(mapping.state.exported, mapping.pins);
    assert_true(is_marked(mapping.pins == 0 ? GUARDED : EXPORTED, run.from, run.to));
}

/* A child of fork, a pin and a guard that ends at this moment know of the loss. */
static void loss_is_known_before_its_pages_are_replaced(void **state)
{
    before_replacing = look_while_replacing;
    for (size_t pins = 0; pins < 2; pins++) {
        for (size_t refusals = 0; refusals < 3; refusals++) {
            assert_int_equal(teardown(state), 0);
            assert_int_equal(setup(state), 0);
            before_replacing = look_while_replacing;
            mapping.pins = pins;
            refused = refusals == 1 ? 2 : 0;
            has_memory = refusals < 2;
            file_end = refusals == 2 ? SIZE_MAX : 0;
            assert_true(lose(FAILED));
            assert_int_equal(replacements, 1);
        }
    }
}

static void restore_in_between(ironmap__page_run run)
{
    ironmap__unmark_pages(&mapping.state, GUARDED, run);
}

/* A restoring thread takes the mark off, and puts back a page that is not replaced yet. */
static void pages_are_marked_although_they_were_restored_in_between(void **state)
{
    (void)state;
    before_replacing = restore_in_between;
    assert_true(lose(FAILED));
    assert_true(is_marked(GUARDED, FAILED, PAGES));
    file_end = SIZE_MAX;
    assert_true(lose(1));
    ironmap__unmark_pages(&mapping.state, GUARDED, (ironmap__page_run){FAILED, PAGES});
    assert_true(is_marked(GUARDED, 1, 2));
    refused = 1;
    assert_true(lose(1));
    assert_replaced(0, PAGES);
    assert_true(is_marked(GUARDED, 0, PAGES));
}

/* ---- whose the address is ---- */

static void address_of_no_mapping_is_not_ours(void **state)
{
    (void)state;
    registered = NULL;
    assert_false(lose(FAILED));
    assert_int_equal(replacements + mapping.state.losses + yielded, 0);
}

static void begin_change(void)
{
    ironmap__change_begin();
}

static void end_change(void)
{
    ironmap__change_end();
}

/* In the middle of a change, and if one began or ended since. */
static void address_in_change_is_tried_again(void **state)
{
    (void)state;
    registered = NULL;
    after_lookup = begin_change;
    assert_true(lose(FAILED));
    assert_true(lose(FAILED));
    lookups = 0;
    after_lookup = end_change;
    assert_true(lose(FAILED));
    assert_int_equal(yielded, 3);
    assert_false(lose(FAILED));
    assert_int_equal(replacements, 0);
}

static void give_address_to_another(void)
{
    registered = NULL;
}

/* The mapping was found, and then suspended before its handler was counted. */
static void address_that_the_mapping_left_meanwhile_is_tried_again(void **state)
{
    (void)state;
    after_lookup = give_address_to_another;
    assert_true(lose(FAILED));
    assert_int_equal(replacements, 0);
    assert_int_equal(mapping.state.losses, 0);
}

static void signal_without_an_address_is_ours_inside_an_access(void **state)
{
    (void)state;
    assert_true(handle(NULL));
    ironmap__accessed = NULL;
    assert_false(handle(NULL));
    ironmap__accessed = ironmap__not_prepared;
    assert_false(handle(NULL));
    assert_int_equal(replacements, 0);
}

/* ---- what damages ---- */

static void loss_outside_an_access_is_damage(void **state)
{
    const ironmap__mapping other = {.length = 1};
    const struct ironmap__mapping *const accessed[] = {NULL, ironmap__not_prepared, &other};
    (void)state;
    for (size_t i = 0; i < sizeof(accessed) / sizeof(accessed[0]); i++) {
        ironmap__accessed = accessed[i];
        assert_true(lose(FAILED));
        assert_int_equal(mapping.state.exported, i + 1);
    }
    assert_true(is_marked(EXPORTED, FAILED, PAGES));
    assert_true(nothing_is_marked(GUARDED));
}

/* Another thread may see the zeros through the address that the pin is for. */
static void loss_of_a_pinned_mapping_is_damage(void **state)
{
    (void)state;
    atomic_store(&mapping.pins, 1);
    assert_true(lose(FAILED));
    assert_int_equal(mapping.state.exported, 1);
    assert_true(is_marked(EXPORTED, FAILED, PAGES));
}

static void use_of_a_reservation_is_told_to_the_map_that_left_it(void **state)
{
    ironmap__mapping owner = {.length = 1};
    (void)state;
    ironmap__accessed = NULL;
    mapping.reserved_for = &owner;
    mapping.data = memory + 2 * PAGE;
    assert_true(handle(memory + 3 * PAGE));
    assert_int_equal(mapping.state.stale, PAGE + 1);
    assert_int_equal(owner.state.stale, PAGE + 1);
    assert_int_equal(owner.state.stale_uses, 1);
    assert_replaced(0, PAGES);
    assert_true(handle(memory + PAGE));
    assert_int_equal(owner.state.stale, 0 + 1);
    assert_int_equal(owner.state.stale_uses, 2);
    assert_int_equal(mapping.state.losses, 0);
}

static void use_of_a_closed_map_is_counted_once(void **state)
{
    (void)state;
    mapping.reserved_for = &mapping;
    assert_true(handle(memory + 7));
    assert_int_equal(mapping.state.stale, 7 + 1);
    assert_int_equal(mapping.state.stale_uses, 1);
    assert_replaced(0, PAGES);
}

/* ---- around it ---- */

static void child_of_fork_has_no_active_handler(void **state)
{
    (void)state;
    atomic_store(&mapping.state.handlers, 3);
    ironmap__change_begin();
    after_fork();
    assert_int_equal(mapping.state.handlers, 0);
    assert_int_equal(repaired, 1);
    registered = NULL;
    assert_false(lose(FAILED));
}

/* The program may have changed the handler, and its mask. Memory needs neither. */
static void long_access_ensures_the_handler(void **state)
{
    (void)state;
    installed = 0;
    ironmap__handler_ensure(&mapping);
    assert_int_equal(installed + unblocked, 0);
    mapping.entry = (ironmap__registry_entry *)(void *)memory;
    ironmap__handler_ensure(&mapping);
    assert_int_equal(installed, 1);
    assert_int_equal(unblocked, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(pages_behind_the_end_go_together),
        TEST(whole_view_goes_where_a_part_cannot),
        TEST(single_page_needs_memory_for_its_mark),
        TEST(truncated_file_needs_no_memory_for_marks),
        TEST(whole_view_goes_where_mappings_are_scarce),
        TEST(spare_mappings_are_given_until_the_view_is_replaced),
        TEST(loss_is_known_before_its_pages_are_replaced),
        TEST(pages_are_marked_although_they_were_restored_in_between),
        TEST(address_of_no_mapping_is_not_ours),
        TEST(address_in_change_is_tried_again),
        TEST(address_that_the_mapping_left_meanwhile_is_tried_again),
        TEST(signal_without_an_address_is_ours_inside_an_access),
        TEST(loss_outside_an_access_is_damage),
        TEST(loss_of_a_pinned_mapping_is_damage),
        TEST(use_of_a_reservation_is_told_to_the_map_that_left_it),
        TEST(use_of_a_closed_map_is_counted_once),
        TEST(child_of_fork_has_no_active_handler),
        TEST(long_access_ensures_the_handler),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
