/* Orders of two threads, or of a thread and a fork, that are rare: a gate makes each of them happen
 * in every run. */
#include "calls.h"
#include "fault_support_posix.h"
#include "gate.h"
#include "support_posix.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { PAGES = 8 };

static int gate_teardown(void **state)
{
    calls_watch(NULL, NULL);
    return fixture_teardown(state);
}

#define with_gate(test) cmocka_unit_test_setup_teardown(test, fixture_setup, gate_teardown)

/* ---- a thread that gets the second byte of page 1 ---- */

static size_t lost_offset(void)
{
    return ironmap_page_size() + 1;
}

typedef struct getter {
    test_thread thread;
    const fixture *f;
    int status;
    uint8_t byte;
} getter;

static void get_byte(void *argument)
{
    getter *g = argument;

    g->status = ironmap_get_byte(&g->byte, g->f->map, lost_offset(), NULL);
}

static void getter_start(getter *g, const fixture *f)
{
    *g = (getter){.f = f};
    thread_start(&g->thread, get_byte, g);
}

static void map_whole_file(fixture *f)
{
    file_solid(f, PAGES * ironmap_page_size());
    map_file(f, IRONMAP_WRITE);
}

static void file_lose(const fixture *f)
{
    file_truncate(f, 0);
}

static void file_bring_back(fixture *f)
{
    file_solid(f, PAGES * ironmap_page_size());
}

/* The thread holds the page's zeros in place, or is about to put the page back. */
static void hold_in_a_loss(getter *g, fixture *f, gate_place place, bool yield_opens)
{
    map_whole_file(f);
    file_lose(f);
    gate_set(place, yield_opens);
    getter_start(g, f);
    gate_await();
}

static void release(getter *g)
{
    gate_open();
    thread_join(&g->thread);
}

/* ---- handler and pin ---- */

/* The damage is there as soon as an exported address reads as zeros: the handler counts the loss
 * before it replaces the page. */
static void zeros_of_a_pinned_map_are_damage_at_once(void **state)
{
    fixture *f = *state;
    getter g;

    map_whole_file(f);
    ironmap_pin(f->map);
    file_lose(f);
    gate_set(GATE_AFTER_REPLACING, false);
    getter_start(&g, f);
    gate_await();
    assert_int_equal(peek(f->map, lost_offset()), 0);
    assert_true(ironmap_is_damaged(f->map));
    release(&g);
    ironmap_unpin(f->map);
}

/* The handler saw no pin, so its zeros are no damage. A pin waits until they are put back. */
static void pin_waits_for_a_handler(void **state)
{
    fixture *f = *state;
    getter g;

    hold_in_a_loss(&g, f, GATE_AFTER_REPLACING, true);
    file_bring_back(f);
    ironmap_pin(f->map);
    assert_true(gate_was_opened_by_yield());
    assert_int_equal(peek(f->map, lost_offset()), solid_byte(lost_offset()));
    assert_false(ironmap_is_damaged(f->map));
    release(&g);
    ironmap_unpin(f->map);
}

/* The caller's code saw the zeros of another thread's handler, which has not logged the loss yet.
 */
static void guard_waits_for_the_handler_whose_zeros_it_saw(void **state)
{
    fixture *f = *state;
    ironmap_guard guard;
    getter g;

    map_whole_file(f);
    assert_ok(ironmap_guard_begin(&guard, f->map, &failure));
    file_lose(f);
    gate_set(GATE_AFTER_REPLACING, true);
    getter_start(&g, f);
    gate_await();
    assert_int_equal(peek(f->map, lost_offset()), 0);
    assert_status(ironmap_guard_end(&guard, &failure), IRONMAP_E_FAULT);
    assert_true(gate_was_opened_by_yield());
    release(&g);
}

/* The other thread's handler has counted its loss, and neither replaced nor marked a page. Which
 * one was lost is known when it has. */
static void guard_waits_for_the_handler_whose_loss_it_counted(void **state)
{
    fixture *f = *state;
    ironmap_guard guard;
    ironmap_error error = {.offset = 0};
    getter g;

    map_whole_file(f);
    assert_ok(ironmap_guard_begin(&guard, f->map, &failure));
    file_lose(f);
    gate_set(GATE_BEFORE_LENGTH, true);
    getter_start(&g, f);
    gate_await();
    file_bring_back(f);
    assert_int_equal(ironmap_guard_end(&guard, &error), IRONMAP_E_FAULT);
    assert_true(gate_was_opened_by_yield());
    assert_u64(error.offset, ironmap_page_size());
    release(&g);
}

/* ---- fork ---- */

/* The byte, or an error: never zeros. */
static int get_in_child(void *argument)
{
    const fixture *f = argument;
    uint8_t byte = 0;

    end_if_hanging(30);
    int status = ironmap_get_byte(&byte, f->map, lost_offset(), NULL);
    child_check(status == IRONMAP_E_FAULT ||
                (status == IRONMAP_OK && byte == solid_byte(lost_offset())));
    child_check(ironmap_get_byte(&byte, f->map, lost_offset(), NULL) == IRONMAP_OK);
    child_check(byte == solid_byte(lost_offset()));
    return 0;
}

static void child_of_fork_knows_what_a_handler_replaced(void **state)
{
    fixture *f = *state;
    getter g;

    hold_in_a_loss(&g, f, GATE_AFTER_REPLACING, false);
    file_bring_back(f);
    assert_int_equal(in_child(get_in_child, f), 0);
    release(&g);
    assert_true(g.status == IRONMAP_E_FAULT || g.byte == solid_byte(lost_offset()));
}

/* The thread has unmarked the page, and does not exist in the child. */
static void child_of_fork_knows_what_a_thread_was_restoring(void **state)
{
    fixture *f = *state;
    getter g;

    hold_in_a_loss(&g, f, GATE_BEFORE_RESTORING, false);
    file_bring_back(f);
    assert_int_equal(in_child(get_in_child, f), 0);
    release(&g);
}

/* ---- restoring ---- */

/* A page is lost, inside a guard of this thread, while another thread puts others back. It is then
 * not among those that are whole again. */
static void loss_while_a_thread_restores_is_restored_later(void **state)
{
    fixture *f = *state;
    ironmap_guard guard;
    getter g;
    uint8_t byte = 0;

    map_whole_file(f);
    assert_ok(ironmap_guard_begin(&guard, f->map, &failure));
    file_lose(f);
    gate_set(GATE_BEFORE_RESTORING, false);
    getter_start(&g, f);
    gate_await();
    assert_int_equal(peek(f->map, 0), 0);
    file_bring_back(f);
    release(&g);
    assert_ok(ironmap_get_byte(&byte, f->map, 0, &failure));
    assert_int_equal(byte, solid_byte(0));
    assert_status(ironmap_guard_end(&guard, &failure), IRONMAP_E_FAULT);
}

static void clear_damage(void *argument)
{
    getter *g = argument;

    g->status = ironmap_clear_damage(g->f->map, NULL);
}

/* Damage that comes while an earlier one is cleared stays. */
static void damage_while_a_thread_clears_it_stays(void **state)
{
    fixture *f = *state;
    getter g = {.f = f};

    map_whole_file(f);
    file_lose(f);
    assert_int_equal(peek(f->map, lost_offset()), 0);
    gate_set(GATE_BEFORE_RESTORING, false);
    thread_start(&g.thread, clear_damage, &g);
    gate_await();
    assert_int_equal(peek(f->map, 0), 0);
    release(&g);
    assert_int_equal(g.status, IRONMAP_OK);
    assert_true(ironmap_is_damaged(f->map));
}

/* While one thread restores, another that reads the same page waits for it. */
static void reader_waits_for_a_restoring_thread(void **state)
{
    fixture *f = *state;
    getter g;
    uint8_t byte = 0;

    hold_in_a_loss(&g, f, GATE_BEFORE_RESTORING, true);
    file_bring_back(f);
    assert_ok(ironmap_get_byte(&byte, f->map, lost_offset(), &failure));
    assert_true(gate_was_opened_by_yield());
    assert_int_equal(byte, solid_byte(lost_offset()));
    release(&g);
}

/* ---- the registry ---- */

enum { MAPS_MAX = 1024 };

typedef struct opener {
    test_thread thread;
    const fixture *f;
    ironmap_map *map;
} opener;

static void open_map(void *argument)
{
    opener *o = argument;

    ignore(ironmap_open_path(&o->map, o->f->path, IRONMAP_WRITE, NULL, NULL));
}

/* Opens maps until one needs another block of the registry: opening it allocates once more. Returns
 * how many maps a block has. */
static size_t fill_a_block(ironmap_map **maps, const fixture *f)
{
    size_t usual = SIZE_MAX;

    for (size_t i = 0; i < MAPS_MAX / 2; i++) {
        size_t before = calls_allocations();

        assert_ok(ironmap_open_path(&maps[i], f->path, IRONMAP_WRITE, NULL, &failure));
        size_t made = calls_allocations() - before;
        if (i > 1 && made > usual) {
            return i;
        }
        usual = made;
    }
    fail_msg("%d maps need one block", MAPS_MAX / 2);
    return 0;
}

static void close_maps(ironmap_map **maps, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_ok(ironmap_close(maps[i], &failure));
    }
}

static void lose_and_check(const ironmap_map *map, const fixture *f)
{
    uint8_t byte = 0;

    file_truncate(f, 0);
    assert_status(ironmap_get_byte(&byte, map, 0, &failure), IRONMAP_E_FAULT);
    file_truncate(f, PAGES * ironmap_page_size());
}

/* Opens maps until two blocks are full. Returns how many. */
static size_t fill_two_blocks(ironmap_map **maps, const fixture *f)
{
    size_t capacity = fill_a_block(maps, f);

    for (size_t i = capacity + 1; i < 2 * capacity; i++) {
        assert_ok(ironmap_open_path(&maps[i], f->path, IRONMAP_WRITE, NULL, &failure));
    }
    return 2 * capacity;
}

static unsigned allocations_passed;

/* The first allocation of an open is the map, and the second one the block. */
static void skip_the_first_allocation(void)
{
    allocations_passed++;
    if (allocations_passed == 1) {
        gate_set(GATE_BEFORE_ALLOCATING, false);
    }
}

/* Two threads find the registry full and make a block. One block stays, and both maps are in it. */
static void two_threads_make_one_block(void **state)
{
    fixture *f = *state;
    static ironmap_map *maps[MAPS_MAX];
    opener first = {.f = f};
    ironmap_map *second = NULL;

    file_solid(f, PAGES * ironmap_page_size());
    size_t count = fill_two_blocks(maps, f);
    size_t before = calls_allocations();
    gate_set(GATE_BEFORE_ALLOCATING, false);
    allocations_passed = 0;
    gate_call(skip_the_first_allocation);
    thread_start(&first.thread, open_map, &first);
    gate_await();
    assert_ok(ironmap_open_path(&second, f->path, IRONMAP_WRITE, NULL, &failure));
    gate_open();
    thread_join(&first.thread);
    assert_non_null(first.map);
    lose_and_check(first.map, f);
    lose_and_check(second, f);
    assert_ok(ironmap_close(first.map, &failure));
    assert_ok(ironmap_close(second, &failure));
    assert_u64(calls_allocations(), before + 1);
    close_maps(maps, count);
}

static unsigned callocs;

/* The map is made, and there is no memory for the block. */
static int refuse_the_second_calloc(const char *name)
{
    callocs += strcmp(name, "calloc") == 0;
    return strcmp(name, "calloc") == 0 && callocs == 2 ? ENOMEM : 0;
}

static void full_registry_without_memory_is_an_error(void **state)
{
    fixture *f = *state;
    static ironmap_map *maps[MAPS_MAX];
    ironmap_map *map = NULL;

    file_solid(f, PAGES * ironmap_page_size());
    size_t count = fill_two_blocks(maps, f);
    size_t before = calls_allocations();
    size_t mapped = calls_mapped_bytes();
    callocs = 0;
    calls_watch(refuse_the_second_calloc, NULL);
    assert_fails(ironmap_open_path(&map, f->path, IRONMAP_WRITE, NULL, &failure), IRONMAP_E_NOMEM);
    assert_null(map);
    assert_u64(calls_allocations(), before);
    assert_u64(calls_mapped_bytes(), mapped);
    assert_ok(ironmap_open_path(&map, f->path, IRONMAP_WRITE, NULL, &failure));
    lose_and_check(map, f);
    assert_ok(ironmap_close(map, &failure));
    close_maps(maps, count);
}

/* ---- the signal ---- */

enum { OTHER_HANDLER = 9 };

static void other_handler(int number)
{
    (void)number;
    _exit(OTHER_HANDLER);
}

static void install_other_handler(void)
{
    const struct sigaction other = {.sa_handler = other_handler};

    calls_watch(NULL, NULL);
    (void)sigaction(SIGBUS, &other, NULL);
}

/* A handler that is installed between the library's look and its own installation is not lost. */
static int install_between(void *argument)
{
    fixture *f = argument;
    ironmap_map *map = NULL;
    uint8_t byte = 0;

    gate_set(GATE_BEFORE_SIGACTION, false);
    gate_call(install_other_handler);
    child_check(ironmap_open_path(&map, f->path, IRONMAP_WRITE, NULL, NULL) == IRONMAP_OK);
    file_truncate(f, 0);
    child_check(ironmap_get_byte(&byte, map, 0, NULL) == IRONMAP_E_FAULT);
    (void)raise(SIGBUS);
    return 1;
}

static void handler_that_comes_between_gets_its_signals(void **state)
{
    fixture *f = *state;

    file_solid(f, PAGES * ironmap_page_size());
    assert_int_equal(fate_of(install_between, f), OTHER_HANDLER);
}

static volatile sig_atomic_t interruptions;
static sig_atomic_t interruptions_inside;

static void count_interruption(int number)
{
    (void)number;
    interruptions = interruptions + 1;
}

static void raise_another_signal(void)
{
    (void)raise(SIGUSR1);
    interruptions_inside = interruptions;
}

/* Another program's handler may leave with longjmp, and a page would be half replaced. */
static void another_signal_waits_for_the_handler(void **state)
{
    fixture *f = *state;
    const struct sigaction count = {.sa_handler = count_interruption};
    struct sigaction before;
    uint8_t byte = 0;

    map_whole_file(f);
    file_lose(f);
    assert_int_equal(sigaction(SIGUSR1, &count, &before), 0);
    gate_set(GATE_AFTER_REPLACING, false);
    gate_call(raise_another_signal);
    assert_status(ironmap_get_byte(&byte, f->map, 0, &failure), IRONMAP_E_FAULT);
    assert_int_equal(sigaction(SIGUSR1, &before, NULL), 0);
    assert_int_equal(interruptions_inside, 0);
    assert_int_equal(interruptions, 1);
}

/* ---- a thread that installs the handler ---- */

static atomic_bool second_is_done;

/* A second thread may be done while the first one is held, if it does not wait for it. Whether it
 * waits cannot be seen. So it has some time. */
static void give_the_second_time(void)
{
    for (int i = 0; i < 1000 && !atomic_load(&second_is_done); i++) {
        (void)nanosleep(&(struct timespec){0, 100000}, NULL);
    }
}

static void open_second_map(void *argument)
{
    open_map(argument);
    atomic_store(&second_is_done, true);
}

static void ignore_signal(int number)
{
    (void)number;
}

/* Two threads find two handlers that were installed one after the other. The newer one is asked
 * first, whichever thread records it. */
static int record_two_handlers(void *argument)
{
    const struct sigaction older = {.sa_handler = ignore_signal};
    const struct sigaction newer = {.sa_handler = other_handler};
    opener first = {.f = argument};
    opener second = {.f = argument};

    end_if_hanging(30);
    (void)sigaction(SIGBUS, &older, NULL);
    gate_set(GATE_BEFORE_RECORDING, false);
    thread_start(&first.thread, open_map, &first);
    gate_await();
    (void)sigaction(SIGBUS, &newer, NULL);
    thread_start(&second.thread, open_second_map, &second);
    give_the_second_time();
    gate_open();
    thread_join(&first.thread);
    thread_join(&second.thread);
    (void)raise(SIGBUS);
    return 1;
}

static void two_threads_record_two_handlers(void **state)
{
    fixture *f = *state;

    file_solid(f, PAGES * ironmap_page_size());
    assert_int_equal(fate_of(record_two_handlers, f), OTHER_HANDLER);
}

static int fate_of_the_child;

static int open_in_child(void *argument)
{
    opener o = {.f = argument};

    end_if_hanging(10);
    install_other_handler();
    open_map(&o);
    return o.map != NULL ? 0 : 1;
}

static void fork_a_child(void *argument)
{
    fate_of_the_child = fate_of(open_in_child, argument);
    atomic_store(&second_is_done, true);
}

/* A child that is forked in the middle of an installation could install none. */
static int fork_while_a_thread_installs(void *argument)
{
    opener first = {.f = argument};
    test_thread forker;

    end_if_hanging(30);
    install_other_handler();
    gate_set(GATE_BEFORE_SIGACTION, false);
    thread_start(&first.thread, open_map, &first);
    gate_await();
    thread_start(&forker, fork_a_child, argument);
    give_the_second_time();
    gate_open();
    thread_join(&first.thread);
    thread_join(&forker);
    return fate_of_the_child;
}

static void child_of_fork_can_install_the_handler(void **state)
{
    fixture *f = *state;

    file_solid(f, PAGES * ironmap_page_size());
    assert_int_equal(fate_of(fork_while_a_thread_installs, f), 0);
}

/* ---- a change of shape, and a thread that uses an exported address without a pin ---- */

typedef struct closer {
    test_thread thread;
    fixture *f;
    ironmap_reservation *kept;
} closer;

static void close_it(void *argument)
{
    closer *c = argument;

    (void)ironmap_close_reserving(&c->kept, c->f->map, NULL);
    c->f->map = NULL;
}

static void map_exported_file(fixture *f)
{
    map_whole_file(f);
    ironmap_pin(f->map);
    ironmap_unpin(f->map);
    file_lose(f);
}

/* The registry has no address of the map while its view is replaced. A handler lets the access be
 * retried meanwhile, and yields. */
static void access_in_the_middle_of_a_close_is_retried(void **state)
{
    fixture *f = *state;
    closer c = {.f = f};

    map_exported_file(f);
    const volatile uint8_t *byte = (const uint8_t *)ironmap_data(f->map) + lost_offset();
    gate_set(GATE_BEFORE_RESTORING, true);
    thread_start(&c.thread, close_it, &c);
    gate_await();
    assert_int_equal(*byte, 0);
    assert_true(gate_was_opened_by_yield());
    thread_join(&c.thread);
    ironmap_reservation_free(c.kept);
}

static void peek_at_it(void *argument)
{
    (void)*(const volatile uint8_t *)argument;
}

/* The handler uses the state of the map's pages, which a close resets. */
static void close_waits_for_a_handler(void **state)
{
    fixture *f = *state;
    test_thread peeking;
    ironmap_reservation *kept = NULL;

    map_exported_file(f);
    gate_set(GATE_AFTER_REPLACING, true);
    thread_start(&peeking, peek_at_it, (uint8_t *)ironmap_data(f->map) + lost_offset());
    gate_await();
    assert_ok(ironmap_close_reserving(&kept, f->map, &failure));
    f->map = NULL;
    assert_true(gate_was_opened_by_yield());
    thread_join(&peeking);
    ironmap_reservation_free(kept);
}

/* No other thread ends the change in a child that was forked in the middle of it. A signal that is
 * no map's must not be taken for one of an address in change. */
static int raise_in_strange_memory(void *argument)
{
    fixture *f = argument;
    void *base = NULL;

    end_if_hanging(30);
    file_truncate(f, ironmap_page_size());
    base = mmap(NULL, ironmap_page_size(), PROT_READ, MAP_SHARED, f->fd, 0);
    file_truncate(f, 0);
    return *(const volatile uint8_t *)base;
}

static void child_forked_in_the_middle_of_a_close_can_die(void **state)
{
    fixture *f = *state;
    closer c = {.f = f};

    map_exported_file(f);
    gate_set(GATE_BEFORE_RESTORING, false);
    thread_start(&c.thread, close_it, &c);
    gate_await();
    assert_int_equal(fate_of(raise_in_strange_memory, f), -SIGBUS);
    gate_open();
    thread_join(&c.thread);
    ironmap_reservation_free(c.kept);
}

/* ---- a view that moves ---- */

enum { NOT_MOVED = 7 };

/* A page of another file where the view was, and a thread that touches it. */
typedef struct stranger {
    test_thread thread;
    void *place;
    bool is_mapped;
    atomic_bool is_touched;
    atomic_bool has_yielded;
} stranger;

static stranger strange;

static void touch_stranger(void *unused)
{
    (void)unused;
    peek_at_it(strange.place);
    atomic_store(&strange.is_touched, true);
}

static int note_yield(const char *name)
{
    if (strcmp(name, "sched_yield") == 0) {
        atomic_store(&strange.has_yielded, true);
    }
    return 0;
}

/* The view has moved, and the map does not have its new address yet. */
static void map_stranger(const char *name)
{
    FILE *file = strcmp(name, "mremap") == 0 ? tmpfile() : NULL;

    if (file == NULL) {
        return;
    }
    void *base = mmap(strange.place, ironmap_page_size(), PROT_READ, MAP_SHARED, fileno(file), 0);
    strange.is_mapped = base == strange.place;
    if (strange.is_mapped) {
        thread_start(&strange.thread, touch_stranger, NULL);
    }
    while (strange.is_mapped && !atomic_load(&strange.has_yielded) &&
           !atomic_load(&strange.is_touched)) {
        (void)nanosleep(&(struct timespec){0, 100000}, NULL);
    }
}

/* The access is retried until the map has its new address, and is then none of the library's. */
static int grow_beside_a_stranger(void *argument)
{
    const fixture *f = argument;
    const size_t page = ironmap_page_size();

    end_if_hanging(30);
    strange.place = ironmap_data(f->map);
    (void)mmap((uint8_t *)strange.place + PAGES * page, page, PROT_NONE,
               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    calls_watch(note_yield, map_stranger);
    child_check(ironmap_resize(f->map, 1000 * page, NULL) == IRONMAP_OK);
    if (!strange.is_mapped) {
        return NOT_MOVED;
    }
    thread_join(&strange.thread);
    return 0;
}

static void address_from_before_a_move_is_no_address_of_the_map(void **state)
{
    fixture *f = *state;

    map_whole_file(f);
    int fate = fate_of(grow_beside_a_stranger, f);
    if (fate == NOT_MOVED) {
        skip_because("the system does not move views");
    }
    assert_int_equal(fate, -SIGBUS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_gate(zeros_of_a_pinned_map_are_damage_at_once),
        with_gate(pin_waits_for_a_handler),
        with_gate(guard_waits_for_the_handler_whose_zeros_it_saw),
        with_gate(guard_waits_for_the_handler_whose_loss_it_counted),
        with_gate(loss_while_a_thread_restores_is_restored_later),
        with_gate(damage_while_a_thread_clears_it_stays),
        with_gate(child_of_fork_knows_what_a_handler_replaced),
        with_gate(child_of_fork_knows_what_a_thread_was_restoring),
        with_gate(reader_waits_for_a_restoring_thread),
        with_gate(full_registry_without_memory_is_an_error),
        with_gate(two_threads_make_one_block),
        with_gate(handler_that_comes_between_gets_its_signals),
        with_gate(another_signal_waits_for_the_handler),
        with_gate(two_threads_record_two_handlers),
        with_gate(child_of_fork_can_install_the_handler),
        with_gate(access_in_the_middle_of_a_close_is_retried),
        with_gate(close_waits_for_a_handler),
        with_gate(child_forked_in_the_middle_of_a_close_can_die),
        with_gate(address_from_before_a_move_is_no_address_of_the_map),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
