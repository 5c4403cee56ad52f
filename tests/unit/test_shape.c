/* A mapping that changes its shape, and what becomes of its addresses. This file replaces the
 * system and the registry, and looks at both in the middle of a change. */
#include "fault/shape.h"

#include <stdlib.h>

#include "fault/changes.h"
#include "fault/guard.h"
#include "fault/handler.h"
#include "fault/registry.h"
#include "fault/reservation.h"
#include "fault/restore.h"
#include "unit.h"

enum { PAGE = 32, PAGES = 6 };

static uint8_t memory[PAGE * PAGES];
static ironmap__mapping mapping;

/* ---- the registry ---- */

struct ironmap__registry_entry {
    struct ironmap__mapping *mapping;
    uintptr_t base;
    size_t length;
};

static ironmap__registry_entry entry;
static bool is_full;

ironmap__registry_entry *ironmap__registry_enter(struct ironmap__mapping *of)
{
    if (is_full) {
        return NULL;
    }
    assert_null(entry.mapping);
    entry.mapping = of;
    return &entry;
}

void ironmap__registry_set(ironmap__registry_entry *of, uintptr_t base, size_t length)
{
    assert_ptr_equal(of, &entry);
    entry.base = base;
    entry.length = length;
}

void ironmap__registry_exit(ironmap__registry_entry *of)
{
    assert_ptr_equal(of, &entry);
    entry = (ironmap__registry_entry){.mapping = NULL};
}

size_t ironmap__registry_entry_size(void)
{
    return sizeof(ironmap__registry_entry);
}

enum { VIEW_OVERHEAD = 7 };

size_t ironmap__view_overhead(void)
{
    return VIEW_OVERHEAD;
}

static void assert_registered(const uint8_t *base, size_t length)
{
    assert_int_equal(entry.base, (uintptr_t)base);
    assert_int_equal(entry.length, length);
}

/* ---- handler, guard, and the system ---- */

static int installation;
static size_t waits;
static size_t changes_ended_before;
static bool reserves;
static bool replaces;
static size_t replaced_bytes;
static size_t reserved_bytes;
static size_t unmapped_bytes;

int ironmap__handler_install(ironmap_error *error)
{
    return installation == IRONMAP_OK ? IRONMAP_OK
                                      : ironmap__fail(error, (ironmap_status)installation);
}

/* In the middle of a change no address is the mapping's, and who asks is told to try again. */
void ironmap__wait_for_handlers(const ironmap__mapping *of)
{
    assert_ptr_equal(of, entry.mapping);
    assert_registered(NULL, 0);
    assert_true(ironmap__changed_since(changes_ended_before));
    waits++;
}

/* Pages that cannot be restored. */
static size_t first_lost;

int ironmap__guard_begin_slow(ironmap__guard *guard, ironmap__access_range range,
                              ironmap_error *error)
{
    assert_ptr_equal(guard->mapping, &mapping);
    return first_lost >= range.offset && first_lost < range.offset + range.length
               ? ironmap__fail(error, IRONMAP_E_FAULT)
               : IRONMAP_OK;
}

int ironmap__guard_end_slow(ironmap__guard guard, ironmap__access_range range, ironmap_error *error)
{
    (void)guard;
    (void)range;
    return ironmap__fail(error, IRONMAP_E_FAULT);
}

void ironmap__fault_unblock(void)
{
}

size_t ironmap__page_size(void)
{
    return PAGE;
}

size_t ironmap__granularity(void)
{
    return PAGE;
}

int ironmap__view_reserve(const ironmap__view *view, const ironmap__mode *mode,
                          ironmap_error *error)
{
    assert_false(mode->anonymous);
    assert_ptr_equal(view->base, memory);
    reserved_bytes += view->length;
    return reserves ? IRONMAP_OK : ironmap__fail(error, IRONMAP_E_NOMEM);
}

bool ironmap__page_replace(void *start, size_t length, const ironmap__mode *mode)
{
    (void)mode;
    assert_ptr_equal(start, memory);
    replaced_bytes += replaces ? length : 0;
    return replaces;
}

int ironmap__view_unmap(ironmap__view *view, ironmap_error *error)
{
    (void)error;
    assert_true(view->base == memory || view->base == NULL);
    unmapped_bytes += view->length;
    return IRONMAP_OK;
}

static size_t bytes_in_use;

void *ironmap__zeros_allocate(size_t length)
{
    bytes_in_use += length;
    return calloc(length, 1);
}

void ironmap__zeros_free(void *zeros, size_t length)
{
    bytes_in_use -= length;
    free(zeros);
}

/* ---- a mapping of all pages, the first and the last of which in part ---- */

enum { ALIGNMENT = 5, LENGTH = PAGE * PAGES - ALIGNMENT - 3 };

static const ironmap__view whole_view = {memory, ALIGNMENT + LENGTH};

static int setup(void **state)
{
    const ironmap__mode mode = {.writable = true};
    (void)state;
    entry = (ironmap__registry_entry){.mapping = NULL};
    is_full = false;
    installation = IRONMAP_OK;
    waits = replaced_bytes = reserved_bytes = unmapped_bytes = 0;
    reserves = replaces = true;
    first_lost = SIZE_MAX;
    ironmap__mapping_init(&mapping, &mode, IRONMAP__NO_FILE, ALIGNMENT);
    changes_ended_before = ironmap__changes_ended();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    (void)ironmap__withdraw_view(&mapping);
    return bytes_in_use != 0 || ironmap__changed_since(ironmap__changes_ended()) ? -1 : 0;
}

static void enter_and_map(void)
{
    assert_int_equal(ironmap__enter(&mapping, NULL), IRONMAP_OK);
    ironmap__replace_view(&mapping, whole_view, ALIGNMENT, LENGTH);
}

/* ---- entering ---- */

static void mapping_has_no_view_at_first(void **state)
{
    (void)state;
    assert_non_null(mapping.data);
    assert_int_equal(mapping.length, 0);
    assert_null(mapping.view.base);
    assert_int_equal(mapping.mode.page, PAGE);
    assert_true(mapping.mode.writable);
    assert_int_equal(mapping.offset, ALIGNMENT);
    assert_int_equal(ironmap__enter(&mapping, NULL), IRONMAP_OK);
    assert_ptr_equal(entry.mapping, &mapping);
    assert_registered(NULL, 0);
}

static void mapping_enters_once(void **state)
{
    (void)state;
    assert_int_equal(ironmap__enter(&mapping, NULL), IRONMAP_OK);
    assert_int_equal(ironmap__enter(&mapping, NULL), IRONMAP_OK);
}

static void mapping_without_handler_or_entry_is_refused(void **state)
{
    ironmap_error error = {.status = IRONMAP_OK};
    (void)state;
    installation = IRONMAP_E_SYSTEM;
    assert_int_equal(ironmap__enter(&mapping, &error), IRONMAP_E_SYSTEM);
    assert_int_equal(error.status, IRONMAP_E_SYSTEM);
    assert_null(entry.mapping);
    installation = IRONMAP_OK;
    is_full = true;
    assert_int_equal(ironmap__enter(&mapping, &error), IRONMAP_E_NOMEM);
    assert_int_equal(error.status, IRONMAP_E_NOMEM);
}

/* ---- changing ---- */

/* The rest of the first and the last page is the mapping's: it can fail like any other. */
static void view_has_whole_pages(void **state)
{
    (void)state;
    enter_and_map();
    assert_registered(memory, sizeof(memory));
    assert_ptr_equal(mapping.data, memory + ALIGNMENT);
    assert_int_equal(mapping.length, LENGTH);
    assert_int_equal(mapping.state.marks[0].pages, PAGES);
    ironmap__suspend(&mapping);
    ironmap__replace_view(&mapping, (ironmap__view){NULL, 0}, 0, 7);
    assert_registered(NULL, 0);
    assert_non_null(mapping.data);
    assert_int_equal(mapping.length, 0);
}

/* The wait of a suspension looks at it. A change that was begun is ended once. */
static void suspended_mapping_has_no_address(void **state)
{
    (void)state;
    enter_and_map();
    ironmap__suspend(&mapping);
    ironmap__suspend(&mapping);
    assert_int_equal(waits, 1);
    assert_registered(NULL, 0);
    assert_true(ironmap__changed_since(ironmap__changes_ended()));
    ironmap__replace_view(&mapping, whole_view, ALIGNMENT, LENGTH);
    assert_registered(memory, sizeof(memory));
    assert_false(ironmap__changed_since(ironmap__changes_ended()));
    ironmap__replace_view(&mapping, whole_view, ALIGNMENT, LENGTH);
    assert_false(ironmap__changed_since(ironmap__changes_ended()));
}

static void mapping_without_an_entry_is_not_suspended(void **state)
{
    (void)state;
    ironmap__replace_view(&mapping, whole_view, ALIGNMENT, LENGTH);
    ironmap__suspend(&mapping);
    assert_int_equal(waits, 0);
    assert_false(ironmap__changed_since(ironmap__changes_ended()));
}

static bool all_is_marked(ironmap__loss_kind kind)
{
    const ironmap__page_run whole = {0, mapping.state.marks[0].pages};
    ironmap__page_run run = ironmap__next_marked(&mapping.state, kind, whole);
    return run.from == 0 && run.to == whole.to;
}

static bool nothing_is_marked(ironmap__loss_kind kind)
{
    const ironmap__page_run whole = {0, mapping.state.marks[0].pages};
    return ironmap__next_marked(&mapping.state, kind, whole).from == whole.to;
}

/* Another thread has lost a page after all were restored. Which one it is in the new view, nothing
 * tells. */
static void lost_pages_stay_lost_in_another_view(void **state)
{
    const size_t lengths[] = {LENGTH, LENGTH - 2 * PAGE};
    (void)state;
    enter_and_map();
    for (size_t kind = 0; kind < IRONMAP__LOSS_KINDS; kind++) {
        for (size_t i = 0; i < 2; i++) {
            assert_true(ironmap__page_state_make_room(&mapping.state));
            ironmap__mark_pages(&mapping.state, (ironmap__loss_kind)kind,
                                (ironmap__page_run){2, 3});
            ironmap__suspend(&mapping);
            ironmap__replace_view(&mapping, (ironmap__view){memory, ALIGNMENT + lengths[i]},
                                  ALIGNMENT, lengths[i]);
            assert_true(all_is_marked(IRONMAP__LOSS_EXPORTED));
            assert_true(nothing_is_marked(IRONMAP__LOSS_GUARDED));
            ironmap__unmark_pages(&mapping.state, IRONMAP__LOSS_EXPORTED,
                                  (ironmap__page_run){0, mapping.state.marks[0].pages});
            ironmap__replace_view(&mapping, whole_view, ALIGNMENT, LENGTH);
            assert_true(nothing_is_marked(IRONMAP__LOSS_EXPORTED));
        }
    }
}

static void mapping_that_is_withdrawn_leaves_the_registry(void **state)
{
    (void)state;
    enter_and_map();
    assert_true(ironmap__page_state_make_room(&mapping.state));
    ironmap__view old = ironmap__withdraw_view(&mapping);
    assert_ptr_equal(old.base, memory);
    assert_int_equal(old.length, whole_view.length);
    assert_null(entry.mapping);
    assert_registered(NULL, 0);
    assert_null(mapping.entry);
    assert_null(mapping.view.base);
    assert_non_null(mapping.data);
    assert_int_equal(mapping.length, 0);
    assert_int_equal(bytes_in_use, 0);
}

/* The marks of more pages than a word has bits take whole pages. */
static void overhead_is_the_memory_of_entry_view_and_marks(void **state)
{
    const size_t least = sizeof(entry) + VIEW_OVERHEAD;
    (void)state;
    assert_int_equal(ironmap__mapping_overhead(&mapping), 0);
    enter_and_map();
    assert_int_equal(ironmap__mapping_overhead(&mapping), least);
    assert_true(ironmap__page_state_make_room(&mapping.state));
    assert_int_equal(ironmap__mapping_overhead(&mapping), least);
    ironmap__page_state_set_pages(&mapping.state, 1000);
    assert_int_equal(ironmap__mapping_overhead(&mapping), least);
    assert_true(ironmap__page_state_make_room(&mapping.state));
    assert_true(bytes_in_use > 0);
    size_t pages_in_use = (bytes_in_use + PAGE - 1) / PAGE;
    assert_int_equal(ironmap__mapping_overhead(&mapping), least + pages_in_use * PAGE);
    (void)ironmap__withdraw_view(&mapping);
    assert_int_equal(ironmap__mapping_overhead(&mapping), 0);
}

/* Also a suspended one, as after a failure. */
static void withdrawing_ends_a_change(void **state)
{
    (void)state;
    enter_and_map();
    ironmap__suspend(&mapping);
    (void)ironmap__withdraw_view(&mapping);
    assert_null(entry.mapping);
    assert_false(ironmap__changed_since(ironmap__changes_ended()));
}

/* Any page of it, and what is lost in the middle. */
static void change_of_a_mapping_with_lost_pages_is_refused(void **state)
{
    ironmap_error error = {.status = IRONMAP_OK};
    (void)state;
    enter_and_map();
    assert_int_equal(ironmap__restore_or_fail(&mapping, NULL), IRONMAP_OK);
    atomic_store(&mapping.state.losses, 1);
    assert_int_equal(ironmap__restore_or_fail(&mapping, NULL), IRONMAP_OK);
    first_lost = 0;
    assert_int_equal(ironmap__restore_or_fail(&mapping, NULL), IRONMAP_E_FAULT);
    first_lost = LENGTH - 1;
    assert_int_equal(ironmap__restore_or_fail(&mapping, &error), IRONMAP_E_FAULT);
    assert_int_equal(error.status, IRONMAP_E_FAULT);
    first_lost = SIZE_MAX;
    installation = IRONMAP_E_SYSTEM;
    assert_int_equal(ironmap__restore_or_fail(&mapping, NULL), IRONMAP_E_SYSTEM);
    assert_null(ironmap__accessed);
}

/* ---- reservations ---- */

static void closed_map_becomes_a_reservation(void **state)
{
    (void)state;
    enter_and_map();
    mapping.mode.anonymous = true;
    mapping.file = (ironmap__file)7;
    assert_int_equal(ironmap__become_reservation(&mapping, NULL), IRONMAP_OK);
    assert_int_equal(waits, 1);
    assert_registered(memory, sizeof(memory));
    assert_ptr_equal(mapping.reserved_for, &mapping);
    assert_true(mapping.file == IRONMAP__NO_FILE);
    assert_ptr_equal(mapping.data, memory + ALIGNMENT);
    assert_int_equal(mapping.length, 0);
    assert_int_equal(reserved_bytes, sizeof(memory));
    assert_int_equal(replaced_bytes, 0);
}

/* Zeros take their place where the system has no empty file, or else nothing does. */
static void pages_that_cannot_be_given_up_stay(void **state)
{
    ironmap_error error = {.status = IRONMAP_OK};
    (void)state;
    enter_and_map();
    reserves = false;
    assert_int_equal(ironmap__become_reservation(&mapping, &error), IRONMAP_OK);
    assert_int_equal(replaced_bytes, sizeof(memory));
    assert_int_equal(error.status, IRONMAP_OK);
    replaces = false;
    mapping.reserved_for = NULL;
    assert_int_equal(ironmap__become_reservation(&mapping, &error), IRONMAP_E_NOMEM);
    assert_int_equal(error.status, IRONMAP_E_NOMEM);
    assert_int_equal(ironmap__become_reservation(&mapping, NULL), IRONMAP_E_NOMEM);
    assert_ptr_equal(mapping.reserved_for, &mapping);
    assert_registered(memory, sizeof(memory));
}

static ironmap__reservation *new_reservation(void)
{
    ironmap__reservation *kept = NULL;
    mapping.mode.anonymous = true;
    ironmap__replace_view(&mapping, whole_view, ALIGNMENT, LENGTH);
    assert_int_equal(ironmap__reservation_new(&kept, &mapping, NULL), IRONMAP_OK);
    assert_non_null(kept);
    assert_ptr_equal(entry.mapping, &kept->mapping);
    ironmap__reservation_set(kept, &mapping, (ironmap__view){memory, 2 * PAGE});
    return kept;
}

static void reservation_has_addresses_that_were_another_mappings(void **state)
{
    (void)state;
    mapping.mode.page = 2 * PAGE;
    ironmap__reservation *kept = new_reservation();
    assert_int_equal(waits, 1);
    assert_registered(memory, 2 * PAGE);
    assert_ptr_equal(kept->mapping.reserved_for, &mapping);
    assert_ptr_equal(kept->mapping.data, mapping.data);
    assert_int_equal(kept->mapping.mode.page, 2 * PAGE);
    assert_false(kept->mapping.mode.anonymous);
    ironmap__reservation_free(kept);
    assert_null(entry.mapping);
    assert_int_equal(unmapped_bytes, 2 * PAGE);
}

static void reservation_without_an_entry_is_refused(void **state)
{
    ironmap_error error = {.status = IRONMAP_OK};
    ironmap__reservation *kept = NULL;
    (void)state;
    is_full = true;
    assert_int_equal(ironmap__reservation_new(&kept, &mapping, &error), IRONMAP_E_NOMEM);
    assert_int_equal(error.status, IRONMAP_E_NOMEM);
    assert_null(kept);
}

static void reservation_of_nothing_gives_up_nothing(void **state)
{
    ironmap__reservation *kept = NULL;
    (void)state;
    assert_int_equal(ironmap__become_reservation(&mapping, NULL), IRONMAP_OK);
    assert_int_equal(ironmap__reservation_new(&kept, &mapping, NULL), IRONMAP_OK);
    ironmap__note_stale_use(&kept->mapping.state, 3);
    ironmap__reservation_renew(kept);
    assert_int_equal(reserved_bytes, 0);
    ironmap__reservation_free(kept);
}

/* Its pages are zeros since the use, and no other use would be noted. */
static void reservation_is_renewed_after_a_use(void **state)
{
    (void)state;
    ironmap__reservation *kept = new_reservation();
    ironmap__reservation_renew(kept);
    assert_int_equal(reserved_bytes, 0);
    ironmap__note_stale_use(&kept->mapping.state, 3);
    ironmap__reservation_renew(kept);
    assert_int_equal(reserved_bytes, 2 * PAGE);
    assert_int_equal(kept->mapping.state.stale, 0);
    ironmap__reservation_renew(kept);
    assert_int_equal(reserved_bytes, 2 * PAGE);
    ironmap__reservation_free(kept);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(mapping_has_no_view_at_first),
        TEST(mapping_enters_once),
        TEST(mapping_without_handler_or_entry_is_refused),
        TEST(view_has_whole_pages),
        TEST(suspended_mapping_has_no_address),
        TEST(mapping_without_an_entry_is_not_suspended),
        TEST(lost_pages_stay_lost_in_another_view),
        TEST(overhead_is_the_memory_of_entry_view_and_marks),
        TEST(mapping_that_is_withdrawn_leaves_the_registry),
        TEST(withdrawing_ends_a_change),
        TEST(change_of_a_mapping_with_lost_pages_is_refused),
        TEST(closed_map_becomes_a_reservation),
        TEST(pages_that_cannot_be_given_up_stay),
        TEST(reservation_has_addresses_that_were_another_mappings),
        TEST(reservation_without_an_entry_is_refused),
        TEST(reservation_of_nothing_gives_up_nothing),
        TEST(reservation_is_renewed_after_a_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
