/* Where pages were lost, in bytes of the mapping: beside a plain array of its bytes, for mappings
 * that begin and end inside a page or pages behind the view's beginning. This file replaces the
 * restoring thread, the system and the text of a failure. */
#include "fault/lost.h"

#include <stdlib.h>
#include <time.h>

#include "fault/cause.h"
#include "fault/restore.h"
#include "unit.h"

enum { PAGE = 8, PAGES = 9, LENGTH_MAX = PAGE * PAGES };

#define GUARDED IRONMAP__LOSS_GUARDED
#define EXPORTED IRONMAP__LOSS_EXPORTED

/* ---- what lost.c calls ---- */

static bool is_locked;
static void (*active_handler)(ironmap__mapping *mapping); /* it ends while it is waited for */

void ironmap__restore_lock(ironmap__mapping *mapping)
{
    (void)mapping;
    assert_false(is_locked);
    is_locked = true;
}

void ironmap__restore_unlock(ironmap__mapping *mapping)
{
    (void)mapping;
    assert_true(is_locked);
    is_locked = false;
}

void ironmap__wait_for_handlers(const ironmap__mapping *mapping)
{
    if (active_handler != NULL) {
        active_handler(ironmap__mutable(mapping));
        active_handler = NULL;
    }
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

enum { CODE_OF_PAGE = 7, CODE_OF_FULL_DISK = 28 };

int32_t ironmap__fault_code(ironmap__file file, bool store)
{
    assert_true(file == IRONMAP__NO_FILE && !store);
    return CODE_OF_PAGE;
}

static const char *cause; /* of the next failure */
static int32_t code_of_disk;

/* As the system's: a full disk is no cause for a load. */
int ironmap__fail_fault(const ironmap__mapping *mapping, size_t offset, bool store,
                        ironmap_error *error)
{
    (void)mapping;
    if (error != NULL) {
        *error = (ironmap_error){.status = IRONMAP_E_FAULT,
                                 .system_code = store ? code_of_disk : CODE_OF_PAGE,
                                 .what = cause,
                                 .offset = offset};
    }
    return IRONMAP_E_FAULT;
}

/* ---- a mapping ---- */

static uint8_t memory[LENGTH_MAX];

/* Bytes before the mapping in its view, and behind it in its last page. */
static const struct {
    size_t before;
    size_t behind;
} shapes[] = {{0, 0}, {0, 3}, {3, 0}, {5, 7}, {PAGE, 0}, {2 * PAGE + 1, 1}};
enum { SHAPES = sizeof(shapes) / sizeof(shapes[0]) };

static void map_shape(ironmap__mapping *mapping, size_t i)
{
    *mapping = (ironmap__mapping){.data = memory + shapes[i].before,
                                  .length = LENGTH_MAX - shapes[i].before - shapes[i].behind,
                                  .mode = {.page = PAGE},
                                  .view = {memory, LENGTH_MAX - shapes[i].behind}};
    ironmap__page_state_set_pages(&mapping->state, PAGES);
    assert_true(ironmap__page_state_make_room(&mapping->state));
}

static void unmap(ironmap__mapping *mapping)
{
    ironmap__page_state_set_pages(&mapping->state, 0);
}

static size_t page_of(const ironmap__mapping *mapping, size_t byte)
{
    return (ironmap__alignment(mapping) + byte) / PAGE;
}

static void mark(ironmap__mapping *mapping, ironmap__loss_kind kind, size_t from, size_t to)
{
    ironmap__mark_pages(&mapping->state, kind, (ironmap__page_run){from, to});
    if (kind == EXPORTED) {
        atomic_fetch_add(&mapping->state.exported, 1);
    }
}

static uint64_t random_state;

static size_t random_below(size_t below)
{
    random_state = random_state * 6364136223846793005U + 1442695040888963407U;
    return (size_t)((random_state >> 33) % below);
}

static void start_random(void)
{
    uint64_t seed = (uint64_t)time(NULL);
    random_state = seed * 2 + 1;
    print_message("seed %llu\n", (unsigned long long)seed);
}

/* Marks pages of the kind at random, in `marked` as well. */
static void mark_some(ironmap__mapping *mapping, ironmap__loss_kind kind, bool marked[PAGES])
{
    for (size_t page = 0; page < PAGES; page++) {
        marked[page] = random_below(3) == 0;
        if (marked[page]) {
            mark(mapping, kind, page, page + 1);
        }
    }
}

/* ---- marks ---- */

static size_t first_of(const ironmap__mapping *mapping, const bool marked[PAGES], size_t from,
                       size_t to)
{
    for (size_t byte = from; byte < to; byte++) {
        if (marked[page_of(mapping, byte)]) {
            return byte;
        }
    }
    return to;
}

static void check_first_marked(const ironmap__mapping *mapping, bool marked[2][PAGES], size_t from,
                               size_t to)
{
    size_t guarded = first_of(mapping, marked[GUARDED], from, to);
    size_t exported = first_of(mapping, marked[EXPORTED], from, to);
    assert_int_equal(ironmap__first_marked_byte(mapping, GUARDED, from, to), guarded);
    assert_int_equal(ironmap__first_marked_byte(mapping, EXPORTED, from, to), exported);
    assert_int_equal(ironmap__first_marked_byte_of_any_kind(mapping, from, to),
                     guarded < exported ? guarded : exported);
}

static void first_byte_of_a_marked_page_is_found(void **state)
{
    bool marked[2][PAGES];
    ironmap__mapping mapping;
    (void)state;
    start_random();
    for (size_t i = 0; i < 6 * SHAPES; i++) {
        map_shape(&mapping, i % SHAPES);
        mark_some(&mapping, GUARDED, marked[GUARDED]);
        mark_some(&mapping, EXPORTED, marked[EXPORTED]);
        for (size_t from = 0; from <= mapping.length; from++) {
            for (size_t to = 0; to <= mapping.length; to++) {
                check_first_marked(&mapping, marked, from, to);
            }
        }
        unmap(&mapping);
    }
}

/* ---- damage ---- */

static void check_damage_from(const ironmap__mapping *mapping, const bool marked[PAGES],
                              size_t from)
{
    size_t begin = 0;
    size_t end = 0;
    size_t expected = first_of(mapping, marked, from, mapping->length);
    assert_int_equal(ironmap__first_damaged_byte(mapping, from), expected);
    ironmap__damaged_range(&begin, &end, mapping, from);
    assert_int_equal(begin, expected);
    while (expected < mapping->length && marked[page_of(mapping, expected)]) {
        expected++;
    }
    assert_int_equal(end, expected);
}

static void damage_ends_where_its_pages_or_the_mapping_do(void **state)
{
    bool marked[PAGES];
    ironmap__mapping mapping;
    (void)state;
    start_random();
    for (size_t i = 0; i < 6 * SHAPES; i++) {
        map_shape(&mapping, i % SHAPES);
        mark(&mapping, GUARDED, 2, 4);
        mark_some(&mapping, EXPORTED, marked);
        for (size_t from = 0; from <= mapping.length; from++) {
            check_damage_from(&mapping, marked, from);
        }
        unmap(&mapping);
    }
}

static void assert_damaged_range(const ironmap__mapping *mapping, size_t from, size_t begin,
                                 size_t end)
{
    size_t actual_begin = 0;
    size_t actual_end = 0;
    ironmap__damaged_range(&actual_begin, &actual_end, mapping, from);
    assert_int_equal(actual_begin, begin);
    assert_int_equal(actual_end, end);
}

/* It is one byte, beside the damage of pages. */
static void stale_use_is_damage_of_one_byte(void **state)
{
    ironmap__mapping mapping;
    (void)state;
    map_shape(&mapping, 0);
    ironmap__note_stale_use(&mapping.state, 20);
    assert_damaged_range(&mapping, 0, 20, 21);
    assert_damaged_range(&mapping, 20, 20, 21);
    assert_damaged_range(&mapping, 21, mapping.length, mapping.length);
    mark(&mapping, EXPORTED, 3, 4);
    assert_damaged_range(&mapping, 0, 20, 21);
    assert_damaged_range(&mapping, 21, 3 * PAGE, 4 * PAGE);
    mark(&mapping, EXPORTED, 1, 2);
    assert_damaged_range(&mapping, 0, PAGE, 2 * PAGE);
    assert_damaged_range(&mapping, 2 * PAGE, 20, 21);
    unmap(&mapping);
    map_shape(&mapping, 0);
    ironmap__note_stale_use(&mapping.state, LENGTH_MAX + 5);
    assert_damaged_range(&mapping, 0, LENGTH_MAX + 5, LENGTH_MAX + 6);
    unmap(&mapping);
}

static void lose_page_1(ironmap__mapping *mapping)
{
    assert_true(is_locked);
    mark(mapping, EXPORTED, 1, 2);
}

/* The handler has replaced the page, and its mark is not the last thing that it does. */
static void damaged_range_is_that_after_active_handlers(void **state)
{
    ironmap__mapping mapping;
    (void)state;
    map_shape(&mapping, 0);
    mark(&mapping, EXPORTED, 4, 5);
    active_handler = lose_page_1;
    assert_damaged_range(&mapping, 0, PAGE, 2 * PAGE);
    assert_false(is_locked);
    unmap(&mapping);
}

static void damage_of_active_handlers_is_told(void **state)
{
    ironmap__mapping mapping;
    ironmap_error error = {.status = IRONMAP_OK};
    (void)state;
    map_shape(&mapping, 0);
    atomic_fetch_add(&mapping.state.exported, 1);
    active_handler = lose_page_1;
    assert_int_equal(ironmap__check_damage(&mapping, &error), IRONMAP_E_FAULT);
    assert_int_equal(error.offset, PAGE);
    assert_false(is_locked);
    unmap(&mapping);
}

/* ---- losses ---- */

/* The first byte of the page that failed if the access needs it, else of all that were replaced. */
static size_t first_lost(const ironmap__mapping *mapping, ironmap__loss loss, size_t from,
                         size_t to)
{
    bool failed[PAGES] = {false};
    bool replaced[PAGES] = {false};
    failed[loss.failed] = true;
    for (size_t page = loss.replaced.from; page < loss.replaced.to; page++) {
        replaced[page] = true;
    }
    size_t first = first_of(mapping, failed, from, to);
    return first < to ? first : first_of(mapping, replaced, from, to);
}

static ironmap__loss random_loss(void)
{
    size_t failed = random_below(PAGES);
    size_t from = random_below(failed + 1);
    size_t to = failed + 1 + random_below(PAGES - failed);
    return (ironmap__loss){failed, {from, to}};
}

enum { LOSSES = 3 };

static void check_losses(const ironmap__mapping *mapping, const ironmap__loss losses[LOSSES],
                         size_t from, size_t to)
{
    size_t expected = to;
    for (size_t count = 0; count <= LOSSES; count++) {
        size_t lost = 0;
        assert_true(ironmap__first_lost_byte(&lost, mapping, 0, count, from, to));
        assert_int_equal(lost, expected);
        if (count < LOSSES) {
            size_t first = first_lost(mapping, losses[count], from, to);
            expected = first < expected ? first : expected;
        }
    }
}

static void first_byte_that_losses_took_is_found(void **state)
{
    ironmap__loss losses[LOSSES];
    ironmap__mapping mapping;
    (void)state;
    start_random();
    for (size_t i = 0; i < 6 * SHAPES; i++) {
        map_shape(&mapping, i % SHAPES);
        for (size_t number = 0; number < LOSSES; number++) {
            losses[number] = random_loss();
            ironmap__log_loss(&mapping.state.log, number, &losses[number]);
        }
        for (size_t from = 0; from <= mapping.length; from++) {
            for (size_t to = from; to <= mapping.length; to++) {
                check_losses(&mapping, losses, from, to);
            }
        }
        unmap(&mapping);
    }
}

/* No byte was lost where there is none, whatever the log has. */
static void loss_that_is_not_logged_is_unknown(void **state)
{
    ironmap__mapping mapping;
    size_t lost = 0;
    (void)state;
    map_shape(&mapping, 0);
    ironmap__log_loss(&mapping.state.log, 0, &(ironmap__loss){5, {5, 6}});
    assert_true(ironmap__first_lost_byte(&lost, &mapping, 0, 1, 0, PAGE));
    assert_int_equal(lost, PAGE);
    assert_false(ironmap__first_lost_byte(&lost, &mapping, 0, 2, 0, PAGE));
    assert_true(ironmap__first_lost_byte(&lost, &mapping, 0, 2, PAGE, PAGE));
    assert_int_equal(lost, PAGE);
    unmap(&mapping);
}

/* ---- the failure ---- */

typedef struct damage_case {
    bool shared;
    bool writable;
    const char *cause;
    int32_t disk;
    int32_t code;
    const char *what;
} damage_case;

static const char lost_earlier[] = "lost earlier under exported memory";

static const damage_case damage_cases[] = {
    /* A store through the address may be the cause, if it needed a block. */
    {true, true, NULL, CODE_OF_FULL_DISK, CODE_OF_FULL_DISK, NULL},
    {true, true, NULL, CODE_OF_PAGE, CODE_OF_PAGE, lost_earlier},
    {false, true, NULL, CODE_OF_FULL_DISK, CODE_OF_PAGE, lost_earlier},
    {true, false, NULL, CODE_OF_FULL_DISK, CODE_OF_PAGE, lost_earlier},
    /* A known cause stays. */
    {true, true, "file truncated", CODE_OF_PAGE, CODE_OF_PAGE, "file truncated"},
};

static void damage_has_the_cause_that_lasts(void **state)
{
    ironmap__mapping mapping;
    (void)state;
    for (size_t i = 0; i < sizeof(damage_cases) / sizeof(damage_cases[0]); i++) {
        const damage_case *row = &damage_cases[i];
        ironmap_error error = {.status = IRONMAP_OK};
        map_shape(&mapping, 3);
        mapping.mode.shared = row->shared;
        mapping.mode.writable = row->writable;
        cause = row->cause;
        code_of_disk = row->disk;
        assert_int_equal(ironmap__check_damage(&mapping, &error), IRONMAP_OK);
        mark(&mapping, EXPORTED, 2, 4);
        assert_int_equal(ironmap__check_damage(&mapping, &error), IRONMAP_E_FAULT);
        assert_int_equal(error.offset, 2 * PAGE - 5);
        assert_int_equal(error.system_code, row->code);
        assert_true((error.what == NULL) == (row->what == NULL));
        if (row->what != NULL) {
            assert_string_equal(error.what, row->what);
        }
        assert_int_equal(ironmap__check_damage(&mapping, NULL), IRONMAP_E_FAULT);
        unmap(&mapping);
    }
}

static void stale_use_is_told_after_the_damage_of_pages(void **state)
{
    ironmap_error error = {.status = IRONMAP_OK};
    ironmap__mapping mapping;
    (void)state;
    map_shape(&mapping, 0);
    cause = NULL;
    ironmap__note_stale_use(&mapping.state, 6);
    assert_int_equal(ironmap__check_damage(&mapping, &error), IRONMAP_E_FAULT);
    assert_int_equal(error.offset, 6);
    assert_string_equal(error.what, "used at an address from before a resize");
    mapping.reserved_for = &mapping;
    assert_int_equal(ironmap__check_damage(&mapping, &error), IRONMAP_E_FAULT);
    assert_string_equal(error.what, "used after the map was closed");
    mark(&mapping, EXPORTED, 2, 3);
    assert_int_equal(ironmap__check_damage(&mapping, &error), IRONMAP_E_FAULT);
    assert_int_equal(error.offset, 2 * PAGE);
    unmap(&mapping);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_byte_of_a_marked_page_is_found),
        cmocka_unit_test(damage_ends_where_its_pages_or_the_mapping_do),
        cmocka_unit_test(stale_use_is_damage_of_one_byte),
        cmocka_unit_test(damaged_range_is_that_after_active_handlers),
        cmocka_unit_test(damage_of_active_handlers_is_told),
        cmocka_unit_test(first_byte_that_losses_took_is_found),
        cmocka_unit_test(loss_that_is_not_logged_is_unknown),
        cmocka_unit_test(damage_has_the_cause_that_lasts),
        cmocka_unit_test(stale_use_is_told_after_the_damage_of_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
