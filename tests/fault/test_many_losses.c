/* Losses in the middle of one access, few and more than the library remembers. An access is stopped
 * at a page that the test protects. Meanwhile another thread loses a page of the same map again and
 * again. The pages of the access are there all the time. */
#include "fault_support_posix.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGES = 400, KEPT_PAGES = 390, LOSSES = 4200, LENGTH = 32 };

static fixture *current;
static void *trap; /* the protected page */
static bool was_trapped;
static int losses;   /* while the access is stopped */
static bool damages; /* the other thread loses a page outside of the library as well */

static size_t page(size_t number)
{
    return number * ironmap_page_size();
}

/* A signal handler and a thread have no test to fail. */
static void must(bool condition)
{
    if (!condition) {
        abort();
    }
}

static void lose_many(void *unused)
{
    uint8_t byte = 0;

    (void)unused;
    for (int i = 0; i < losses; i++) {
        must(ironmap_get_byte(&byte, current->map, page(KEPT_PAGES), NULL) == IRONMAP_E_FAULT);
    }
    must(!damages || peek(current->map, page(KEPT_PAGES)) == 0);
}

/* Sets the trap anew at a page that the access meets again only if it is done again. */
static bool traps_again;

static void lose_a_page_of_the_access(void)
{
    const volatile uint8_t *data = ironmap_data(current->map);

    must(ftruncate(current->fd, (off_t)page(5)) == 0);
    must(data[page(10)] == 0);
}

/* Runs in the middle of the access, the second time while it is done again. */
static void on_trap(int number)
{
    test_thread other;

    (void)number;
    must(mprotect(trap, page(1), PROT_READ | PROT_WRITE) == 0);
    if (was_trapped) {
        lose_a_page_of_the_access();
        return;
    }
    was_trapped = true;
    thread_start(&other, lose_many, NULL);
    thread_join(&other);
    if (traps_again) {
        trap = (uint8_t *)ironmap_data(current->map) + page(20);
        must(mprotect(trap, page(1), PROT_NONE) == 0);
    }
}

/* A map that has lost its last pages. Page `trapped` stops the next access. */
static void map_with_trap(fixture *f, size_t trapped)
{
    const struct sigaction action = {.sa_handler = on_trap};

    skip_inside_qemu("losing so many pages takes too long");
    file_solid(f, page(PAGES));
    map_file(f, IRONMAP_WRITE);
    file_truncate(f, page(KEPT_PAGES));
    assert_int_equal(sigaction(SIGSEGV, &action, NULL), 0);
    current = f;
    was_trapped = false;
    traps_again = false;
    damages = false;
    losses = LOSSES;
    trap = (uint8_t *)ironmap_data(f->map) + page(trapped);
    assert_int_equal(mprotect(trap, page(1), PROT_NONE), 0);
}

static void copy_out_is_whole(void **state)
{
    uint8_t *bytes = malloc(page(KEPT_PAGES));

    assert_non_null(bytes);
    map_with_trap(*state, KEPT_PAGES / 2);
    assert_ok(ironmap_get(current->map, 0, bytes, page(KEPT_PAGES), &failure));
    assert_true(was_trapped);
    assert_true(is_solid(bytes, 0, page(KEPT_PAGES)));
    free(bytes);
}

static void few_losses_do_not_end_an_access(void **state)
{
    uint8_t *bytes = malloc(page(KEPT_PAGES));

    assert_non_null(bytes);
    map_with_trap(*state, KEPT_PAGES / 2);
    losses = 3;
    assert_ok(ironmap_get(current->map, 0, bytes, page(KEPT_PAGES), &failure));
    assert_true(was_trapped);
    assert_true(is_solid(bytes, 0, page(KEPT_PAGES)));
    free(bytes);
}

static void store_is_whole(void **state)
{
    uint8_t *bytes = malloc(page(KEPT_PAGES));

    assert_non_null(bytes);
    memset(bytes, 'x', page(KEPT_PAGES));
    map_with_trap(*state, KEPT_PAGES / 2);
    assert_ok(ironmap_put(current->map, 0, bytes, page(KEPT_PAGES), &failure));
    assert_true(was_trapped);
    memset(bytes, 0, page(KEPT_PAGES));
    assert_ok(ironmap_get(current->map, 0, bytes, page(KEPT_PAGES), &failure));
    assert_true(is_filled(bytes, page(KEPT_PAGES), 'x'));
    free(bytes);
}

/* Source and target overlap, so a piece that was stored cannot be read again. */
static void assert_moves(fixture *f, size_t trapped, size_t target, size_t source, size_t length)
{
    uint8_t *expected = malloc(page(KEPT_PAGES));
    uint8_t *bytes = malloc(page(KEPT_PAGES));

    assert_true(expected != NULL && bytes != NULL);
    map_with_trap(f, trapped);
    solid_fill(expected, 0, page(KEPT_PAGES));
    memmove(expected + target, expected + source, length);
    assert_ok(ironmap_move(f->map, target, source, length, &failure));
    assert_true(was_trapped);
    assert_ok(ironmap_get(f->map, 0, bytes, page(KEPT_PAGES), &failure));
    assert_memory_equal(bytes, expected, page(KEPT_PAGES));
    free(expected);
    free(bytes);
}

/* The trap is in the last page of the source, and so met by a load. */
static void move_that_is_stopped_at_a_load_is_whole(void **state)
{
    assert_moves(*state, 40, 0, 100, page(40));
}

/* The trap is in the first page of the target, and so met by a store. */
static void move_that_is_stopped_at_a_store_is_whole(void **state)
{
    assert_moves(*state, 0, 0, page(1), page(40));
}

static void search_finds_what_is_there(void **state)
{
    fixture *f = *state;
    uint8_t needle[LENGTH];
    uint64_t index = 0;
    size_t count = 0;

    map_with_trap(f, 40);
    stored_fill(needle, 0, sizeof(needle));
    must(mprotect(trap, page(1), PROT_READ | PROT_WRITE) == 0);
    assert_ok(ironmap_put(f->map, page(10), needle, LENGTH, &failure));
    assert_ok(ironmap_put(f->map, page(350), needle, LENGTH, &failure));
    must(mprotect(trap, page(1), PROT_NONE) == 0);
    assert_ok(ironmap_count(&count, f->map, needle, LENGTH, 0, page(KEPT_PAGES), &failure));
    assert_true(was_trapped);
    assert_u64(count, 2);
    was_trapped = false;
    must(mprotect(trap, page(1), PROT_NONE) == 0);
    assert_ok(ironmap_rfind(&index, f->map, needle, LENGTH, 0, page(300), &failure));
    assert_true(was_trapped);
    assert_u64(index, page(10));
}

/* The page that the other thread loses is one of the access. */
static void page_of_the_access_is_lost(void **state)
{
    ironmap_error error = {0};
    uint8_t *bytes = malloc(page(PAGES));

    assert_non_null(bytes);
    map_with_trap(*state, 0);
    assert_fault(ironmap_get(current->map, 0, bytes, page(PAGES), &error), &error, page(KEPT_PAGES),
                 codes.lost_page);
    assert_true(was_trapped);
    free(bytes);
}

/* The map is damaged when the access is to be done again. */
static void damage_ends_an_access_that_is_done_again(void **state)
{
    fixture *f = *state;
    ironmap_error error = {0};
    uint8_t *bytes = malloc(page(KEPT_PAGES));

    assert_non_null(bytes);
    map_with_trap(f, 40);
    damages = true;
    assert_fault(ironmap_get(f->map, 0, bytes, page(KEPT_PAGES), &error), &error, page(KEPT_PAGES),
                 codes.lost_page);
    assert_true(was_trapped);
    assert_ok(ironmap_clear_damage(f->map, &failure));
    assert_ok(ironmap_get(f->map, 0, bytes, page(KEPT_PAGES), &failure));
    assert_true(is_solid(bytes, 0, page(KEPT_PAGES)));
    free(bytes);
}

static void lose_many_pages(void *map)
{
    uint8_t byte = 0;

    for (int i = 0; i < LOSSES; i++) {
        assert_int_equal(ironmap_get_byte(&byte, map, page(KEPT_PAGES), NULL), IRONMAP_E_FAULT);
    }
}

static void guard_around_too_many_losses_names_where_the_file_ends(void **state)
{
    fixture *f = *state;
    ironmap_error error = {0};

    skip_inside_qemu("losing so many pages takes too long");
    file_solid(f, page(PAGES));
    map_file(f, IRONMAP_WRITE);
    file_truncate(f, page(KEPT_PAGES));
    assert_fault(run_guarded(f->map, lose_many_pages, f->map, &error), &error, page(KEPT_PAGES),
                 codes.lost_page);
    assert_false(ironmap_is_damaged(f->map));
}

static void lose_many_pages_that_come_back(void *map)
{
    uint8_t byte = 0;

    lose_many_pages(map);
    assert_int_equal(ftruncate(current->fd, (off_t)page(PAGES)), 0);
    assert_int_equal(ironmap_get_byte(&byte, map, page(KEPT_PAGES), NULL), IRONMAP_OK);
}

static void guard_around_too_many_losses_is_a_fault_when_all_is_whole_again(void **state)
{
    fixture *f = *state;

    skip_inside_qemu("losing so many pages takes too long");
    file_solid(f, page(PAGES));
    map_file(f, IRONMAP_WRITE);
    file_truncate(f, page(KEPT_PAGES));
    current = f;
    assert_status(run_guarded(f->map, lose_many_pages_that_come_back, f->map, &failure),
                  IRONMAP_E_FAULT);
}

static void page_is_lost_while_the_access_is_done_again(void **state)
{
    ironmap_error error = {0};
    uint8_t *bytes = malloc(page(KEPT_PAGES));

    assert_non_null(bytes);
    map_with_trap(*state, 40);
    traps_again = true;
    assert_fault(ironmap_get(current->map, 0, bytes, page(KEPT_PAGES), &error), &error, page(10),
                 codes.lost_page);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_fixture(copy_out_is_whole),
        with_fixture(few_losses_do_not_end_an_access),
        with_fixture(store_is_whole),
        with_fixture(move_that_is_stopped_at_a_load_is_whole),
        with_fixture(move_that_is_stopped_at_a_store_is_whole),
        with_fixture(search_finds_what_is_there),
        with_fixture(page_of_the_access_is_lost),
        with_fixture(page_is_lost_while_the_access_is_done_again),
        with_fixture(damage_ends_an_access_that_is_done_again),
        with_fixture(guard_around_too_many_losses_names_where_the_file_ends),
        with_fixture(guard_around_too_many_losses_is_a_fault_when_all_is_whole_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
