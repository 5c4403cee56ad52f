/* Exported memory: a loss under an address from ironmap_data is damage, which every operation
 * reports until it is cleared. Under a guard nothing is damage. */
#include "operations.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { PAGES = 6 };

static size_t pages(size_t count)
{
    return count * ironmap_page_size();
}

/* A map of a solid file of PAGES pages, from byte `offset` on. */
static void map_solid(fixture *f, ironmap_access access, unsigned open, size_t offset)
{
    ironmap_options options = options_of(offset, pages(PAGES) - offset);

    options.open = open;
    file_solid(f, pages(PAGES));
    assert_ok(ironmap_open_path(&f->map, f->path, access, &options, &failure));
}

/* The same, damaged: the file ends after `left` pages, and the last byte was read. */
static void map_damaged(fixture *f, ironmap_access access, unsigned open, size_t left)
{
    map_solid(f, access, open, 0);
    file_truncate(f, pages(left));
    assert_int_equal(peek(f->map, pages(PAGES) - 1), 0);
}

/* The map works again after the file is whole and the damage cleared. */
static void assert_map_recovers(fixture *f)
{
    file_solid(f, pages(PAGES));
    assert_ok(ironmap_clear_damage(f->map, &failure));
    assert_map_solid(f->map);
}

/* ---- damage ---------------------------------------------------------------------------------- */

/* Stores into a lost page are lost. */
static void lost_memory_reads_as_zeros(void **state)
{
    fixture *f = *state;

    map_solid(f, IRONMAP_WRITE, 0, 0);
    file_truncate(f, pages(2));
    for (size_t at = pages(2); at < pages(PAGES); at += 97) {
        assert_int_equal(peek(f->map, at), 0);
    }
    poke(f->map, pages(3), 'x');
    assert_u64(file_length(f), pages(2));
    assert_map_recovers(f);
}

/* An access of a damaged map touches no page. A page that it lost would be put back later, and
 * those behind it as well, which code outside has seen as zeros. */
static void no_access_adds_losses_to_damage(void **state)
{
    fixture *f = *state;
    ironmap_short_read read;
    uint64_t found = 0;
    uint8_t byte = 0;

    skip_if_whole_views_are_lost();
    map_damaged(f, IRONMAP_READ, 0, 4);
    file_truncate(f, pages(1));
    assert_false(ironmap_short_read_begin(&read, f->map, pages(2), 1));
    assert_status(ironmap_find(&found, f->map, "x", 1, pages(2), 9, &failure), IRONMAP_E_FAULT);
    assert_status(ironmap_rfind(&found, f->map, "xy", 2, 0, pages(3), &failure), IRONMAP_E_FAULT);
    assert_status(ironmap_get_byte(&byte, f->map, pages(2), &failure), IRONMAP_E_FAULT);
    assert_u64(ironmap_damage_count(f->map), 1);

    file_solid(f, pages(PAGES));
    assert_status(ironmap_get_byte(&byte, f->map, pages(2), &failure), IRONMAP_E_FAULT);
    assert_int_equal(peek(f->map, pages(PAGES) - 1), 0);
    assert_int_not_equal(peek(f->map, pages(2)), 0);
    assert_map_recovers(f);
}

/* The first access is a store. */
static void stores_into_lost_memory_are_lost(void **state)
{
    fixture *f = *state;

    map_solid(f, IRONMAP_WRITE, 0, 0);
    file_truncate(f, pages(2));
    poke(f->map, pages(4) + 7, 'x');
    assert_u64(ironmap_damage_count(f->map), 1);
    assert_damage(f->map, pages(4), pages(PAGES - 4));
    assert_map_recovers(f);
}

/* Other pages can be read without damage, while all operations are refused. */
static void damage_counts_losses(void **state)
{
    fixture *f = *state;

    skip_if_whole_views_are_lost();
    map_solid(f, IRONMAP_WRITE, 0, 0);
    assert_u64(ironmap_damage_count(f->map), 0);
    assert_damage(f->map, 0, 0);
    file_truncate(f, pages(3));
    assert_int_equal(peek(f->map, pages(4)), 0);
    assert_damage(f->map, pages(4), pages(2));
    assert_int_equal(peek(f->map, pages(3)), 0);
    assert_u64(ironmap_damage_count(f->map), 2);
    assert_damage(f->map, pages(3), pages(3));
    assert_int_equal(peek(f->map, pages(5)), 0);
    assert_int_equal(peek(f->map, pages(2)), solid_byte(pages(2)));
    assert_u64(ironmap_damage_count(f->map), 2);
}

/* ironmap_damage returns the runs in order, as bytes of the map. */
static void damage_is_found_from_an_offset(void **state)
{
    fixture *f = *state;
    uint64_t offset = 0;
    size_t length = 0;

    skip_if_whole_views_are_lost();
    map_solid(f, IRONMAP_WRITE, 0, 100);
    file_truncate(f, pages(3));
    assert_int_equal(peek(f->map, pages(4)), 0);
    assert_ok(ironmap_damage(&offset, &length, f->map, 0, &failure));
    assert_u64(offset, pages(4) - 100);
    assert_u64(length, pages(2));
    assert_ok(ironmap_damage(&offset, &length, f->map, pages(4), &failure));
    assert_u64(offset, pages(4));
    assert_u64(length, pages(2) - 100);
    assert_ok(ironmap_damage(&offset, &length, f->map, ironmap_length(f->map), &failure));
    assert_u64(offset, IRONMAP_NOT_FOUND);
    assert_u64(length, 0);
    assert_fails(ironmap_damage(&offset, &length, f->map, ironmap_length(f->map) + 1, &failure),
                 IRONMAP_E_RANGE);
}

/* The map begins inside its first page. */
static void damage_in_an_unaligned_first_page_is_found(void **state)
{
    fixture *f = *state;
    ironmap_error error = {0};
    uint8_t byte = 0;

    map_solid(f, IRONMAP_WRITE, 0, 100);
    file_truncate(f, 0);
    assert_int_equal(peek(f->map, 5), 0);
    assert_damage(f->map, 0, pages(PAGES) - 100);
    assert_fault(ironmap_get_byte(&byte, f->map, 3, &error), &error, 0, codes.lost_page);
}

/* Each operation at any offset fails until the damage is cleared, and then works. */
static void every_operation_reports_damage(void **state)
{
    fixture *f = *state;
    uint8_t *bytes = malloc(pages(1));

    assert_non_null(bytes);
    map_solid(f, IRONMAP_WRITE, 0, 0);
    for (size_t i = 0; i < operation_count; i++) {
        const operation *op = &operations[i];
        attempt a = {.map = f->map, .offset = 5, .length = 1, .other = 10, .step = 1};

        a.bytes = bytes;
        a.needle_length = 1;
        bytes[0] = solid_byte(5);
        file_truncate(f, pages(3));
        assert_int_equal(peek(f->map, pages(4)), 0);
        assert_fault(op->run(&a), &a.error, first_damaged(pages(4)), codes.lost_page);
        file_solid(f, pages(PAGES));
        assert_fault(op->run(&a), &a.error, first_damaged(pages(4)), codes.lost_page);
        assert_ok(ironmap_clear_damage(f->map, &failure));
        assert_int_equal(op->run(&a), IRONMAP_OK);
    }
    assert_u64(ironmap_damage_count(f->map), operation_count);
    free(bytes);
}

/* resize changes nothing. */
static void resize_reports_damage(void **state)
{
    fixture *f = *state;
    ironmap_error error = {0};

    skip_without_pages_beyond_a_file();
    map_damaged(f, IRONMAP_WRITE, 0, 2);
    assert_fault(ironmap_resize(f->map, pages(9), &error), &error, first_damaged(pages(PAGES - 1)),
                 codes.lost_page);
    assert_u64(ironmap_length(f->map), pages(PAGES));
    assert_u64(file_length(f), pages(2));
    assert_ok(ironmap_clear_damage(f->map, &failure));
    assert_ok(ironmap_resize(f->map, pages(9), &failure));
    assert_u64(file_length(f), pages(9));
    assert_u64(ironmap_damage_count(f->map), 1);
    assert_map_filled(f->map, pages(2), pages(7), 0);
}

/* A durable flush would promise lost stores. */
static void flush_reports_damage(void **state)
{
    fixture *f = *state;
    ironmap_error error = {0};

    map_damaged(f, IRONMAP_WRITE, 0, 2);
    poke(f->map, pages(3), 'x');
    assert_fault(ironmap_flush(f->map, 0, IRONMAP_TO_END, 0, &error), &error,
                 first_damaged(pages(3)), codes.lost_page);
}

/* Maps whose stores do not reach the file have promised nothing. */
static void flush_of_maps_that_never_write_ignores_damage(void **state)
{
    static const ironmap_access accesses[] = {IRONMAP_READ, IRONMAP_COPY};
    fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(accesses); i++) {
        map_damaged(f, accesses[i], 0, 2);
        assert_ok(ironmap_flush(f->map, 0, IRONMAP_TO_END, 0, &failure));
        assert_true(ironmap_is_damaged(f->map));
        map_close(f);
    }
}

/* The same error as that of an operation, and none without damage. */
static void damage_can_be_asked_for_without_an_access(void **state)
{
    fixture *f = *state;
    ironmap_error error;

    map_damaged(f, IRONMAP_READ, 0, 2);
    assert_fault(ironmap_check_damage(f->map, &error), &error, first_damaged(pages(PAGES - 1)),
                 codes.lost_page);
    assert_ok(ironmap_clear_damage(f->map, &failure));
    assert_ok(ironmap_check_damage(f->map, &failure));
}

/* Once the pages are available again, it is not known why they were lost. Windows has told the
 * thread that lost them, once. */
static void damage_of_an_available_page_has_no_cause(void **state)
{
    fixture *f = *state;
    ironmap_error error;

    map_damaged(f, IRONMAP_WRITE, 0, 2);
    file_solid(f, pages(PAGES));
    assert_int_equal(ironmap_check_damage(f->map, &error), IRONMAP_E_FAULT);
    assert_int_equal(ironmap_check_damage(f->map, &error), IRONMAP_E_FAULT);
    assert_string_equal(error.what, "lost earlier under exported memory");
    assert_u64(error.file_length, pages(PAGES));
}

/* The page in which the file ends is available. */
static void check_file_end_finds_the_first_page_behind_it(void **state)
{
    fixture *f = *state;
    ironmap_error error;

    map_solid(f, IRONMAP_READ, 0, 100);
    assert_ok(ironmap_check_file_end(f->map, &failure));
    skip_if_whole_views_are_lost();
    file_truncate(f, pages(PAGES - 1) + 1);
    assert_ok(ironmap_check_file_end(f->map, &failure));
    file_truncate(f, pages(PAGES - 1));
    assert_fault(ironmap_check_file_end(f->map, &error), &error, pages(PAGES - 1) - 100,
                 codes.lost_page);
    assert_string_equal(error.what, "file truncated");
    file_truncate(f, 0);
    assert_fault(ironmap_check_file_end(f->map, &error), &error, 0, codes.lost_page);
    assert_false(ironmap_is_damaged(f->map));
}

/* The map begins inside a page, and ends with it. */
static void check_file_end_counts_from_the_maps_first_byte(void **state)
{
    fixture *f = *state;
    ironmap_options options = options_of(pages(2) + 100, pages(1) - 100);
    ironmap_error error;

    file_solid(f, pages(PAGES));
    assert_ok(ironmap_open_path(&f->map, f->path, IRONMAP_READ, &options, &failure));
    skip_if_whole_views_are_lost();
    file_truncate(f, pages(2) + 1);
    assert_ok(ironmap_check_file_end(f->map, &failure));
    file_truncate(f, pages(2));
    assert_fault(ironmap_check_file_end(f->map, &error), &error, 0, codes.lost_page);
    file_truncate(f, pages(1));
    assert_fault(ironmap_check_file_end(f->map, &error), &error, 0, codes.lost_page);
    assert_u64(error.file_length, pages(1));
}

/* Also of a map that stores nothing into it. */
static void check_file_end_knows_the_file_of_any_access(void **state)
{
    fixture *f = *state;

    skip_if_whole_views_are_lost();
    for (size_t i = 0; i < COUNT_OF(all_accesses); i++) {
        ironmap_error error;

        map_solid(f, all_accesses[i], 0, 0);
        file_truncate(f, pages(2));
        assert_fault(ironmap_check_file_end(f->map, &error), &error, pages(2), codes.lost_page);
        assert_string_equal(error.what, "file truncated");
        assert_u64(error.file_length, pages(2));
        map_close(f);
    }
}

/* There is no byte that could be lost. */
static void check_file_end_accepts_an_empty_map(void **state)
{
    fixture *f = *state;
    ironmap_options options = options_of(pages(PAGES), 0);

    file_solid(f, pages(PAGES));
    assert_ok(ironmap_open_path(&f->map, f->path, IRONMAP_READ, &options, &failure));
    assert_u64(ironmap_length(f->map), 0);
    file_truncate(f, 0);
    assert_ok(ironmap_check_file_end(f->map, &failure));
}

/* Without the file nothing tells where it ends. */
static void check_file_end_does_not_know_an_untracked_file(void **state)
{
    fixture *f = *state;
    ironmap_options options = options_of(0, 0);

    file_solid(f, pages(PAGES));
    options.open = IRONMAP_OPEN_NO_TRACK;
    assert_ok(ironmap_open_path(&f->map, f->path, IRONMAP_READ, &options, &failure));
    file_truncate(f, 0);
    assert_ok(ironmap_check_file_end(f->map, &failure));
}

/* Damage is untold until all of it was noted or cleared. */
static void damage_is_untold_until_it_is_noted(void **state)
{
    fixture *f = *state;

    map_solid(f, IRONMAP_WRITE, 0, 0);
    assert_false(ironmap_has_untold_damage(f->map));
    file_truncate(f, pages(2));
    for (size_t count = 1; count <= 3; count++) {
        assert_int_equal(peek(f->map, pages(PAGES) - 1), 0);
        assert_true(ironmap_has_untold_damage(f->map));
        ironmap_note_told_damage(f->map, count - 1);
        assert_true(ironmap_has_untold_damage(f->map));
        ironmap_note_told_damage(f->map, count);
        ironmap_note_told_damage(f->map, 0);
        assert_false(ironmap_has_untold_damage(f->map));
        assert_ok(ironmap_clear_damage(f->map, &failure));
    }
    assert_int_equal(peek(f->map, pages(PAGES) - 1), 0);
    assert_true(ironmap_has_untold_damage(f->map));
    assert_ok(ironmap_clear_damage(f->map, &failure));
    assert_false(ironmap_has_untold_damage(f->map));
}

/* Calls that access no bytes work. */
static void calls_without_access_ignore_damage(void **state)
{
    fixture *f = *state;
    uint64_t size = 0;

    map_damaged(f, IRONMAP_WRITE, 0, 2);
    assert_ok(ironmap_file_size(&size, f->map, &failure));
    assert_u64(size, pages(2));
    assert_ok(ironmap_seek(f->map, 3, IRONMAP_SEEK_SET, &failure));
    assert_non_null(ironmap_data(f->map));
    assert_ok(ironmap_advise(f->map, 0, IRONMAP_TO_END, IRONMAP_ADVICE_RANDOM, &failure));
    map_close(f);
}

/* Clearing unavailable pages is not an error. The next access loses them again. */
static void clearing_unavailable_pages_succeeds(void **state)
{
    fixture *f = *state;
    ironmap_error error = {0};
    uint8_t byte = 0;

    skip_without_pages_beyond_a_file();
    map_damaged(f, IRONMAP_WRITE, 0, 2);
    assert_ok(ironmap_clear_damage(f->map, &failure));
    assert_damage(f->map, 0, 0);
    assert_fault(ironmap_get_byte(&byte, f->map, pages(2) + 9, &error), &error, pages(2) + 9,
                 codes.lost_page);
    assert_u64(ironmap_damage_count(f->map), 1);
    assert_int_equal(peek(f->map, pages(2)), 0);
    assert_u64(ironmap_damage_count(f->map), 2);
}

static void clearing_a_whole_map_does_nothing(void **state)
{
    fixture *f = *state;

    map_solid(f, IRONMAP_WRITE, 0, 0);
    assert_ok(ironmap_clear_damage(f->map, &failure));
    assert_map_solid(f->map);
    map_close(f);
    map_anonymous(f, IRONMAP_WRITE, 10);
    assert_ok(ironmap_clear_damage(f->map, &failure));
}

/* Damage stays where restoring needs a descriptor. Closing works. */
static void untracked_damage_stays(void **state)
{
    fixture *f = *state;
    ironmap_error error = {0};
    uint8_t byte = 0;

    map_damaged(f, IRONMAP_WRITE, IRONMAP_OPEN_NO_TRACK, 2);
    if (!traits.restore_needs_the_file) {
        assert_map_recovers(f);
        return;
    }
    assert_fails(ironmap_clear_damage(f->map, &failure), IRONMAP_E_NO_FILE);
    file_solid(f, pages(PAGES));
    assert_fails(ironmap_clear_damage(f->map, &failure), IRONMAP_E_NO_FILE);
    assert_fault(ironmap_get_byte(&byte, f->map, 0, &error), &error,
                 first_damaged(pages(PAGES - 1)), codes.lost_page);
    assert_damage(f->map, pages(PAGES - 1), pages(1));
    map_close(f);
}

/* Operations on other pages work, except guards and searches to the end. */
static void untracked_map_works_on_other_pages(void **state)
{
    fixture *f = *state;
    uint8_t bytes[64] = {0};
    ironmap_error error = {0};

    map_solid(f, IRONMAP_WRITE, IRONMAP_OPEN_NO_TRACK, 0);
    file_truncate(f, pages(2));
    assert_fault(ironmap_get_byte(bytes, f->map, pages(3), &error), &error, pages(3),
                 codes.lost_page);
    file_solid(f, pages(PAGES));
    for (size_t i = 0; i < operation_count; i++) {
        attempt a = {.map = f->map, .offset = pages(1), .length = 8, .other = 16, .step = 1};
        int status = 0;

        a.bytes = bytes;
        a.needle_length = 8;
        stored_fill(bytes, pages(1), sizeof(bytes));
        status = operations[i].run(&a);
        if (status != IRONMAP_OK && (operations[i].traits & (GUARDS | LINE | TO_THE_END)) == 0) {
            fail_msg("%s: %s", operations[i].name, ironmap_status_name(status));
        }
    }
}

/* Pages that were not lost keep private stores. */
static void private_stores_survive_a_loss(void **state)
{
    fixture *f = *state;
    uint8_t byte = 0;
    ironmap_error error = {0};

    map_solid(f, IRONMAP_COPY, 0, 0);
    assert_ok(ironmap_put_byte(f->map, 5, 200, &failure));
    assert_ok(ironmap_put_byte(f->map, pages(4), 201, &failure));
    file_truncate(f, pages(2));
    assert_int_equal(peek(f->map, pages(4)), 0);
    assert_int_equal(peek(f->map, 5), traits.loses_whole_views ? 0 : 200);
    assert_fault(ironmap_get_byte(&byte, f->map, 5, &error), &error, first_damaged(pages(4)),
                 codes.lost_page);
    file_solid(f, pages(PAGES));
    assert_ok(ironmap_clear_damage(f->map, &failure));
    assert_int_equal(peek(f->map, 5), 200);
    assert_int_equal(peek(f->map, pages(4)), solid_byte(pages(4)));
    assert_file(f, 5, &(uint8_t){solid_byte(5)}, 1);
}

static uint8_t line[100];

/* Loses a page, once. */
static void *lose_and_allocate(void *context, size_t length)
{
    const fixture *f = context;

    if (file_length(f) != pages(2)) {
        file_truncate(f, pages(2));
        assert_int_equal(peek(f->map, pages(PAGES) - 1), 0);
    }
    return length <= sizeof(line) ? line : NULL;
}

/* The allocator is foreign code: nothing guards what it loads. */
static void loss_in_the_allocator_of_a_line_is_damage(void **state)
{
    fixture *f = *state;
    size_t length = 0;

    map_solid(f, IRONMAP_WRITE, 0, 0);
    assert_status(
        ironmap_copy_line(&length, f->map, 0, sizeof(line), true, lose_and_allocate, f, &failure),
        IRONMAP_E_FAULT);
    assert_u64(ironmap_damage_count(f->map), 1);
}

/* ---- the guard ------------------------------------------------------------------------------- */

/* An offset to read, and what was read. */
typedef struct look {
    ironmap_map *map;
    size_t at;
    int seen;
    int status; /* of an operation under the guard */
} look;

static void look_once(void *context)
{
    look *l = context;

    l->seen = peek(l->map, l->at);
}

/* A loss under a guard is no damage. */
static void guard_reports_what_was_lost(void **state)
{
    fixture *f = *state;
    ironmap_error error = {0};
    look l = {.seen = -1};

    skip_without_pages_beyond_a_file();
    map_solid(f, IRONMAP_WRITE, 0, 0);
    l.map = f->map;
    l.at = pages(3) + 5;
    assert_ok(run_guarded(f->map, look_once, &l, &failure));
    assert_int_equal(l.seen, solid_byte(l.at));
    file_truncate(f, pages(2));
    assert_fault(run_guarded(f->map, look_once, &l, &error), &error, pages(3), codes.lost_page);
    assert_int_equal(l.seen, 0);
    assert_u64(ironmap_damage_count(f->map), 0);
    l.at = pages(1);
    assert_ok(run_guarded(f->map, look_once, &l, &failure));
    file_solid(f, pages(PAGES));
    assert_map_solid(f->map);
}

/* With damage a guard does not begin. */
static void guard_refuses_damage(void **state)
{
    fixture *f = *state;
    ironmap_error error = {0};
    look l = {.seen = -1};

    map_damaged(f, IRONMAP_WRITE, 0, 2);
    l.map = f->map;
    assert_fault(run_guarded(f->map, look_once, &l, &error), &error,
                 first_damaged(pages(PAGES - 1)), codes.lost_page);
    assert_int_equal(l.seen, -1);
}

/* Runs `work`, which reads a lost page, under a guard. The guard reports it, and there is no
 * damage. */
static look look_at_lost_page(fixture *f, void (*work)(void *))
{
    ironmap_error error = {0};
    look l = {.seen = -1};

    map_solid(f, IRONMAP_WRITE, 0, 0);
    file_truncate(f, pages(2));
    l.map = f->map;
    l.at = pages(4);
    assert_fault(run_guarded(f->map, work, &l, &error), &error, pages(4), codes.lost_page);
    assert_u64(ironmap_damage_count(f->map), 0);
    return l;
}

static void guard_again(void *context)
{
    look *l = context;

    l->status = run_guarded(l->map, look_once, l, NULL);
    l->seen = peek(l->map, 0);
}

/* An outer guard reports the loss of an inner one. */
static void nested_guards_report_a_loss(void **state)
{
    look l = look_at_lost_page(*state, guard_again);

    assert_int_equal(l.status, IRONMAP_E_FAULT);
    assert_int_equal(l.seen, solid_byte(0));
}

static void get_then_look(void *context)
{
    look *l = context;
    uint8_t byte = 0;

    l->status = ironmap_get_byte(&byte, l->map, 0, NULL);
    l->seen = peek(l->map, l->at);
}

static void guard_stays_after_an_operation(void **state)
{
    look l = look_at_lost_page(*state, get_then_look);

    assert_int_equal(l.status, IRONMAP_OK);
}

/* After a guard, a loss is damage. */
static void loss_after_a_guard_is_damage(void **state)
{
    fixture *f = *state;
    look l = {.seen = -1};

    map_solid(f, IRONMAP_WRITE, 0, 0);
    l.map = f->map;
    assert_ok(run_guarded(f->map, look_once, &l, &failure));
    file_truncate(f, pages(2));
    assert_int_equal(peek(f->map, pages(3)), 0);
    assert_u64(ironmap_damage_count(f->map), 1);
}

/* The thread has made no call of the library. */
static void loss_in_a_new_thread_is_damage(void **state)
{
    fixture *f = *state;
    test_thread reader;
    look l = {.seen = -1};

    map_solid(f, IRONMAP_WRITE, 0, 0);
    file_truncate(f, pages(2));
    l.map = f->map;
    l.at = pages(3);
    thread_start(&reader, look_once, &l);
    thread_join(&reader);
    assert_int_equal(l.seen, 0);
    assert_u64(ironmap_damage_count(f->map), 1);
    assert_damage(f->map, pages(3), pages(PAGES - 3));
}

/* A loss in one map is no failure of another map's guard. */
static void guard_is_for_one_map(void **state)
{
    fixture *f = *state;
    ironmap_options options = options_of(0, 100);
    ironmap_map *other = NULL;
    look l = {.seen = -1};

    map_solid(f, IRONMAP_WRITE, 0, 0);
    file_truncate(f, pages(2));
    assert_ok(ironmap_open_path(&other, f->path, IRONMAP_WRITE, &options, &failure));
    l.map = f->map;
    l.at = pages(3);
    assert_ok(run_guarded(other, look_once, &l, &failure));
    assert_u64(ironmap_damage_count(f->map), 1);
    assert_u64(ironmap_damage_count(other), 0);
    assert_ok(ironmap_close(other, &failure));
}

/* Two threads on one map, the first one under a guard. */
typedef struct meeting {
    look l;
    atomic_int stage; /* 1: the first has lost the page, 2: the second has read */
} meeting;

static void wait_for(meeting *m, int stage)
{
    while (atomic_load(&m->stage) < stage) {
        thread_yield();
    }
}

static void lose_and_wait(void *context)
{
    meeting *m = context;

    m->l.seen = peek(m->l.map, m->l.at);
    atomic_store(&m->stage, 1);
    wait_for(m, 2);
}

static void guard_in_thread(void *context)
{
    meeting *m = context;

    m->l.status = run_guarded(m->l.map, lose_and_wait, m, NULL);
}

/* Zeros under one thread's guard are damage if another thread reads them through its address. */
static void zeros_read_beside_another_threads_guard_are_damage(void **state)
{
    fixture *f = *state;
    meeting m = {.l = {.seen = -1}};
    test_thread guarded;
    uint8_t seen = 0;
    size_t count = 0;

    skip_without_pages_beyond_a_file();
    map_solid(f, IRONMAP_WRITE, 0, 0);
    m.l.map = f->map;
    m.l.at = pages(3);
    file_truncate(f, pages(2));
    thread_start(&guarded, guard_in_thread, &m);
    wait_for(&m, 1);
    ironmap_pin(f->map);
    seen = peek(f->map, pages(4));
    ironmap_unpin(f->map);
    atomic_store(&m.stage, 2);
    thread_join(&guarded);
    count = ironmap_damage_count(f->map);
    assert_int_equal(m.l.status, IRONMAP_E_FAULT);
    assert_int_equal(seen, 0);
    assert_true(count > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_fixture(lost_memory_reads_as_zeros),
        with_fixture(no_access_adds_losses_to_damage),
        with_fixture(stores_into_lost_memory_are_lost),
        with_fixture(damage_counts_losses),
        with_fixture(damage_is_found_from_an_offset),
        with_fixture(damage_in_an_unaligned_first_page_is_found),
        with_fixture(every_operation_reports_damage),
        with_fixture(resize_reports_damage),
        with_fixture(flush_reports_damage),
        with_fixture(flush_of_maps_that_never_write_ignores_damage),
        with_fixture(damage_can_be_asked_for_without_an_access),
        with_fixture(damage_of_an_available_page_has_no_cause),
        with_fixture(check_file_end_finds_the_first_page_behind_it),
        with_fixture(check_file_end_counts_from_the_maps_first_byte),
        with_fixture(check_file_end_knows_the_file_of_any_access),
        with_fixture(check_file_end_accepts_an_empty_map),
        with_fixture(check_file_end_does_not_know_an_untracked_file),
        with_fixture(damage_is_untold_until_it_is_noted),
        with_fixture(calls_without_access_ignore_damage),
        with_fixture(clearing_unavailable_pages_succeeds),
        with_fixture(clearing_a_whole_map_does_nothing),
        with_fixture(untracked_damage_stays),
        with_fixture(untracked_map_works_on_other_pages),
        with_fixture(private_stores_survive_a_loss),
        with_fixture(loss_in_the_allocator_of_a_line_is_damage),
        with_fixture(guard_reports_what_was_lost),
        with_fixture(guard_refuses_damage),
        with_fixture(nested_guards_report_a_loss),
        with_fixture(guard_stays_after_an_operation),
        with_fixture(loss_after_a_guard_is_damage),
        with_fixture(loss_in_a_new_thread_is_damage),
        with_fixture(guard_is_for_one_map),
        with_fixture(zeros_read_beside_another_threads_guard_are_damage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
