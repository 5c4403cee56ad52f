/* Putting pages back, beside handlers, pins and forks. This file replaces the system: a view is an
 * array, and its file another one. A handler, a fork or a pin comes before each atomic access in
 * turn. At any moment a page that is zeros is marked, and its loss is known. */
#include "fault/restore.h"

#include <setjmp.h>
#include <stdlib.h>

#include "fault/accessed.h"
#include "fault/cause.h"
#include "fault/handler.h"
#include "fault/registry.h"
#include "interrupts.h"
#include "unit.h"

enum { PAGE = 16, PAGES = 6, ALIGNMENT = 5, SKIPPED = 2 * PAGE };

#define GUARDED IRONMAP__LOSS_GUARDED
#define EXPORTED IRONMAP__LOSS_EXPORTED

static uint8_t file[SKIPPED + PAGE * PAGES];
static uint8_t memory[PAGE * PAGES];
static ironmap__mapping mapping;

/* ---- the system ---- */

static ironmap__fault_handler *handle;
static void (*after_fork)(void);
static void (*on_yield)(void);
static size_t yields;
static size_t file_end; /* in the view */
static int status_of_page[PAGES];
static size_t restored_runs;
static bool is_alone; /* nothing happens in the middle */

int ironmap__fault_handler_install(ironmap__fault_handler *handler, void (*in_child)(void),
                                   ironmap_error *error)
{
    (void)error;
    handle = handler;
    after_fork = in_child;
    return IRONMAP_OK;
}

void ironmap__fault_unblock(void)
{
}

void ironmap__yield(void)
{
    assert_non_null(on_yield);
    yields++;
    on_yield();
}

bool ironmap__mappings_are_scarce(void)
{
    return false;
}

bool ironmap__spare_mapping_give(void)
{
    return false;
}

void *ironmap__zeros_allocate(size_t length)
{
    return calloc(length, 1);
}

void ironmap__zeros_free(void *zeros, size_t length)
{
    (void)length;
    free(zeros);
}

bool ironmap__page_replace(void *start, size_t length, const ironmap__mode *mode)
{
    (void)mode;
    memset(start, 0, length);
    return true;
}

bool ironmap__page_replace_for_loads(void *start, size_t length)
{
    (void)start;
    (void)length;
    return false;
}

struct ironmap__mapping *ironmap__registry_find(uintptr_t address)
{
    (void)address;
    return &mapping;
}

void ironmap__registry_each(void (*visit)(struct ironmap__mapping *mapping))
{
    visit(&mapping);
}

void ironmap__registry_after_fork(void)
{
}

size_t ironmap__file_end_in_view(const ironmap__mapping *of)
{
    (void)of;
    return file_end;
}

static ironmap__page_run next_marked(ironmap__loss_kind kind, size_t from, size_t to)
{
    return ironmap__next_marked(&mapping.state, kind, (ironmap__page_run){from, to});
}

static bool is_marked(ironmap__loss_kind kind, size_t page)
{
    ironmap__page_run run = next_marked(kind, page, page + 1);
    return run.from < run.to;
}

/* The run is noted, and not marked. */
static void look_at_note(ironmap__page_run run)
{
    ironmap__page_state *state = &mapping.state;
    ironmap__loss_kind kind = (ironmap__loss_kind)state->run_kind;
    assert_true(state->restoring);
    assert_int_equal(state->run_from, run.from);
    assert_int_equal(state->run_to, run.to);
    assert_int_equal(next_marked(kind, run.from, run.to).from, run.to);
}

int ironmap__page_restore(const ironmap__view *run, const ironmap__mode *mode, ironmap__file of,
                          uint64_t offset, ironmap_error *error)
{
    size_t at = (size_t)(run->base - memory);
    assert_ptr_equal(mode, &mapping.mode);
    assert_true(of == mapping.file && at + run->length <= sizeof(memory));
    assert_true(offset == SKIPPED + at);
    restored_runs++;
    if (is_alone) {
        look_at_note((ironmap__page_run){at / PAGE, (at + run->length) / PAGE});
    }
    for (size_t page = at / PAGE; page < (at + run->length) / PAGE; page++) {
        if (status_of_page[page] != IRONMAP_OK) {
            return ironmap__fail(error, status_of_page[page]);
        }
    }
    memcpy(run->base, file + offset, run->length);
    return IRONMAP_OK;
}

/* ---- a mapping ---- */

static void map(void)
{
    mapping = (ironmap__mapping){.data = memory + ALIGNMENT,
                                 .length = sizeof(memory) - ALIGNMENT,
                                 .mode = {.page = PAGE},
                                 .offset = SKIPPED + ALIGNMENT,
                                 .view = {memory, sizeof(memory)}};
    ironmap__page_state_set_pages(&mapping.state, PAGES);
    memcpy(memory, file + SKIPPED, sizeof(memory));
    memset(status_of_page, 0, sizeof(status_of_page));
    ironmap__accessed = &mapping;
    file_end = SIZE_MAX;
    restored_runs = 0;
    is_alone = false;
    on_yield = NULL;
    yields = 0;
}

static void unmap(void)
{
    ironmap__accessed = NULL;
    ironmap__page_state_set_pages(&mapping.state, 0);
}

static int setup(void **state)
{
    (void)state;
    memset(file, 'f', sizeof(file));
    map();
    return ironmap__handler_install(NULL) == IRONMAP_OK && handle != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    unmap();
    return 0;
}

/* A page is lost: by an access of the library, or under an exported address. */
static void lose(size_t page, ironmap__loss_kind kind)
{
    ironmap__accessed = kind == GUARDED ? &mapping : NULL;
    assert_true(handle(memory + page * PAGE + 7));
}

static bool is_zeros(size_t page)
{
    return memory[page * PAGE] == 0;
}

static bool is_whole(void)
{
    return memcmp(memory, file + SKIPPED, sizeof(memory)) == 0;
}

/* An access takes the slow path, which finds the marks; code with an exported address finds the
 * damage. */
static void assert_zeros_are_known(void)
{
    for (size_t page = 0; page < PAGES; page++) {
        bool guarded = is_marked(GUARDED, page);
        bool exported = is_marked(EXPORTED, page);
        assert_true(!is_zeros(page) || guarded || exported);
        assert_true(!is_zeros(page) || mapping.state.losses != mapping.state.restored);
        assert_true(!exported || ironmap__is_damaged(&mapping.state));
    }
}

static void assert_all_can_be_restored(void)
{
    assert_int_equal(ironmap__restore(&mapping, true, NULL), IRONMAP_OK);
    assert_true(is_whole());
    assert_false(ironmap__is_damaged(&mapping.state));
    assert_int_equal(mapping.state.losses, mapping.state.restored);
    assert_int_equal(mapping.state.run_to, 0);
    assert_int_equal(next_marked(GUARDED, 0, PAGES).from, PAGES);
    assert_int_equal(next_marked(EXPORTED, 0, PAGES).from, PAGES);
}

/* ---- alone ---- */

static void all_runs_are_put_back_from_their_places(void **state)
{
    (void)state;
    is_alone = true;
    lose(0, GUARDED);
    lose(2, GUARDED);
    lose(3, GUARDED);
    file_end = 5 * PAGE;
    lose(5, GUARDED);
    assert_zeros_are_known();
    assert_int_equal(ironmap__restore(&mapping, false, NULL), IRONMAP_OK);
    assert_int_equal(restored_runs, 3);
    assert_true(is_whole());
    assert_int_equal(mapping.state.restored, mapping.state.losses);
    assert_int_equal(mapping.state.run_to, 0);
    assert_false(mapping.state.restoring);
}

static void damage_is_put_back_on_demand(void **state)
{
    (void)state;
    is_alone = true;
    lose(1, GUARDED);
    lose(4, EXPORTED);
    ironmap__note_stale_use(&mapping.state, 9);
    assert_int_equal(ironmap__restore(&mapping, false, NULL), IRONMAP_OK);
    assert_true(!is_zeros(1) && is_zeros(4));
    assert_true(ironmap__is_damaged(&mapping.state));
    assert_zeros_are_known();
    assert_all_can_be_restored();
    assert_int_equal(mapping.state.stale, 0);
    assert_int_equal(restored_runs, 2);
}

/* The others are restored. The first failure is told. */
static void page_that_cannot_be_put_back_stays_lost(void **state)
{
    ironmap_error error = {.status = IRONMAP_OK};
    (void)state;
    lose(0, EXPORTED);
    lose(2, EXPORTED);
    lose(4, EXPORTED);
    status_of_page[0] = IRONMAP_E_SYSTEM;
    status_of_page[2] = IRONMAP_E_NOMEM;
    assert_int_equal(ironmap__restore(&mapping, true, &error), IRONMAP_E_SYSTEM);
    assert_int_equal(error.status, IRONMAP_E_SYSTEM);
    assert_true(is_marked(EXPORTED, 0) && is_marked(EXPORTED, 2) && !is_marked(EXPORTED, 4));
    assert_false(is_zeros(4));
    assert_int_equal(mapping.state.run_to, 0);
    assert_zeros_are_known();
    status_of_page[0] = status_of_page[2] = IRONMAP_OK;
    lose(3, GUARDED);
    status_of_page[3] = IRONMAP_E_SYSTEM;
    assert_int_equal(ironmap__restore(&mapping, true, NULL), IRONMAP_OK);
    assert_false(ironmap__is_damaged(&mapping.state));
    assert_zeros_are_known();
    status_of_page[3] = IRONMAP_OK;
    assert_all_can_be_restored();
}

/* What an anonymous page held is gone: fresh zeros are none that it ever had. */
static void anonymous_page_is_put_back_on_demand(void **state)
{
    (void)state;
    mapping.mode.anonymous = true;
    lose(1, GUARDED);
    assert_int_equal(ironmap__restore(&mapping, false, NULL), IRONMAP_OK);
    assert_int_equal(restored_runs, 0);
    assert_zeros_are_known();
    assert_all_can_be_restored();
}

/* ---- waiting ---- */

static void end_handlers(void)
{
    assert_int_equal(restored_runs, 0);
    atomic_store(&mapping.state.handlers, 0);
}

static void unlock(void)
{
    assert_int_equal(restored_runs, 0);
    atomic_store(&mapping.state.restoring, false);
}

static void restoring_thread_waits_for_handlers_and_others_like_it(void **state)
{
    (void)state;
    lose(1, GUARDED);
    on_yield = end_handlers;
    atomic_store(&mapping.state.handlers, 1);
    assert_int_equal(ironmap__restore(&mapping, false, NULL), IRONMAP_OK);
    assert_int_equal(restored_runs, 1);
    assert_int_equal(yields, 1);
    lose(1, GUARDED);
    restored_runs = 0;
    on_yield = unlock;
    atomic_store(&mapping.state.restoring, true);
    assert_int_equal(ironmap__restore(&mapping, false, NULL), IRONMAP_OK);
    assert_int_equal(restored_runs, 1);
    assert_int_equal(yields, 2);
}

/* ---- a handler in the middle ---- */

static const ironmap__loss_kind kinds[] = {GUARDED, EXPORTED};
static ironmap__loss_kind first_kind; /* of what is restored */
static ironmap__loss_kind kind_in_the_middle;
static size_t page_in_the_middle;
static bool clears;

static void lose_some(void)
{
    unmap();
    map();
    lose(1, first_kind);
    lose(2, first_kind);
    file_end = 4 * PAGE;
    lose(4, first_kind);
    file_end = SIZE_MAX;
}

static void restore_some(void)
{
    (void)ironmap__restore(&mapping, clears, NULL);
}

static void lose_in_the_middle(void)
{
    lose(page_in_the_middle, kind_in_the_middle);
}

/* Calls `check` for both kinds of losses before and in the middle, with and without clearing. */
static void each_case(void (*check)(void))
{
    for (size_t i = 0; i < 16; i++) {
        first_kind = kinds[i % 2];
        kind_in_the_middle = kinds[i / 2 % 2];
        clears = i / 4 % 2 != 0;
        page_in_the_middle = i / 8 % 2 != 0 ? 3 : 2;
        check();
    }
}

static void check_losses_in_the_middle(void)
{
    bool interrupted = true;
    for (size_t at = 0; interrupted; at++) {
        lose_some();
        interrupted = interrupts(lose_in_the_middle, restore_some, at);
        assert_zeros_are_known();
        assert_all_can_be_restored();
    }
}

static void loss_in_the_middle_of_a_restore_is_known(void **state)
{
    (void)state;
    each_case(check_losses_in_the_middle);
}

/* ---- a fork in the middle ---- */

static jmp_buf child;

static void fork_here(void)
{
    longjmp(child, 1);
}

/* The state of a child in which the thread does not go on. False if it has no such access. */
static bool forks_at(void (*work)(void), size_t at)
{
    if (setjmp(child) == 0) {
        return interrupts(fork_here, work, at);
    }
    after_fork();
    assert_zeros_are_known();
    return true;
}

static bool fails; /* in part */

static void check_forks_in_a_restore(void)
{
    bool interrupted = true;
    for (size_t at = 0; interrupted; at++) {
        lose_some();
        status_of_page[2] = fails ? IRONMAP_E_SYSTEM : IRONMAP_OK;
        interrupted = forks_at(restore_some, at);
        assert_zeros_are_known();
        status_of_page[2] = IRONMAP_OK;
        assert_all_can_be_restored();
    }
}

static void check_forks_in_a_handler(void)
{
    bool interrupted = true;
    for (size_t at = 0; interrupted; at++) {
        lose_some();
        interrupted = forks_at(lose_in_the_middle, at);
        assert_all_can_be_restored();
    }
}

static void child_of_fork_knows_all_zeros(void **state)
{
    (void)state;
    fails = false;
    each_case(check_forks_in_a_restore);
    fails = true;
    each_case(check_forks_in_a_restore);
    each_case(check_forks_in_a_handler);
}

/* ---- a pin in the middle of a handler ---- */

static jmp_buf pin;
static bool pin_waits;

static void come_back_later(void)
{
    longjmp(pin, 1);
}

static void pin_here(void)
{
    on_yield = come_back_later;
    pin_waits = false;
    atomic_fetch_add(&mapping.pins, 1);
    if (setjmp(pin) == 0) {
        ironmap__restore_pending(&mapping);
    } else {
        atomic_store(&mapping.state.restoring, false);
        pin_waits = true;
    }
}

static void lose_in_an_access(void)
{
    lose(2, GUARDED);
}

/* The handler sees the pin, and its zeros are damage. Or the pin waits, and there are none. */
static void zeros_under_a_pin_are_damage(void **state)
{
    bool interrupted = true;
    (void)state;
    for (size_t at = 0; interrupted; at++) {
        unmap();
        map();
        interrupted = interrupts(pin_here, lose_in_an_access, at);
        if (interrupted && pin_waits) {
            ironmap__restore_pending(&mapping);
        }
        for (size_t page = 0; interrupted && page < PAGES; page++) {
            assert_true(!is_zeros(page) || is_marked(EXPORTED, page));
        }
    }
}

/* What an access had lost before is no damage. */
static void pin_restores_what_an_access_lost(void **state)
{
    (void)state;
    lose(2, GUARDED);
    ironmap__restore_pending(&mapping);
    assert_true(is_whole());
    restored_runs = 0;
    ironmap__restore_pending(&mapping);
    assert_int_equal(restored_runs, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_runs_are_put_back_from_their_places),
        TEST(damage_is_put_back_on_demand),
        TEST(page_that_cannot_be_put_back_stays_lost),
        TEST(anonymous_page_is_put_back_on_demand),
        TEST(restoring_thread_waits_for_handlers_and_others_like_it),
        TEST(loss_in_the_middle_of_a_restore_is_known),
        TEST(child_of_fork_knows_all_zeros),
        TEST(zeros_under_a_pin_are_damage),
        TEST(pin_restores_what_an_access_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
