/* An access beside a handler that loses a page of it. The handler goes on before some atomic
 * accesses of the guard, at all combinations of them. The access fails, or has the file's byte. So
 * it is in a child of fork, in which neither goes on. */
#include "fault/guard.h"

#include <stdlib.h>

#include "fault/cause.h"
#include "fault/restore.h"
#include "unit.h"

enum { PAGE = 16, PAGES = 6, LOST = 4, LOST_BEFORE = 1 };

static uint8_t memory[PAGE * PAGES];
static ironmap__mapping mapping;

/* ---- the handler, in three parts ---- */

static size_t number; /* of the loss */

static const ironmap__page_run lost_run = {LOST, LOST + 1};

static void handler_begins(void)
{
    atomic_fetch_add(&mapping.state.handlers, 1);
    number = atomic_fetch_add(&mapping.state.losses, 1);
    ironmap__mark_pages(&mapping.state, IRONMAP__LOSS_GUARDED, lost_run);
}

static void handler_replaces(void)
{
    memset(memory + (size_t)LOST * PAGE, 0, PAGE);
}

static void handler_ends(void)
{
    const ironmap__loss loss = {LOST, lost_run};
    ironmap__mark_pages(&mapping.state, IRONMAP__LOSS_GUARDED, lost_run);
    ironmap__log_loss(&mapping.state.log, number, &loss);
    atomic_fetch_sub(&mapping.state.handlers, 1);
}

static void (*const parts[])(void) = {handler_begins, handler_replaces, handler_ends};
enum { PARTS = 3 };

static size_t part_at[PARTS]; /* before which atomic access each part comes */
static size_t done;           /* parts */
static size_t steps;
static bool is_stepping;
static size_t fork_at;
static jmp_buf child;

static void do_part(void)
{
    is_stepping = false; /* the handler's own accesses do not count */
    parts[done++]();
    is_stepping = true;
}

void atomic_step(void)
{
    while (is_stepping && done < PARTS && part_at[done] == steps) {
        do_part();
    }
    if (is_stepping && fork_at == steps) {
        longjmp(child, 1);
    }
    steps += is_stepping;
}

/* ---- the system ---- */

void ironmap__yield(void)
{
    assert_true(done > 0 && done < PARTS);
    do_part();
    while (done < PARTS && part_at[done] <= steps) {
        do_part();
    }
}

void ironmap__fault_unblock(void)
{
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

int ironmap__page_restore(const ironmap__view *run, const ironmap__mode *mode, ironmap__file file,
                          uint64_t offset, ironmap_error *error)
{
    (void)mode;
    (void)file;
    (void)offset;
    (void)error;
    memset(run->base, 'f', run->length);
    return IRONMAP_OK;
}

size_t ironmap__first_byte_behind_file(const ironmap__mapping *of)
{
    return of->length;
}

int ironmap__fail_fault(const ironmap__mapping *of, size_t offset, bool store, ironmap_error *error)
{
    (void)of;
    (void)store;
    error->offset = offset;
    return IRONMAP_E_FAULT;
}

int32_t ironmap__fault_code(ironmap__file file, bool store)
{
    (void)file;
    (void)store;
    return 0;
}

/* ---- accesses ---- */

static const ironmap__access_range range = {.offset = (size_t)2 * PAGE, .length = (size_t)4 * PAGE};

static uint8_t read_byte(void)
{
    atomic_step();
    uint8_t byte = memory[LOST * PAGE + 3];
    atomic_step();
    return byte;
}

static int access_in_turn(uint8_t *byte, ironmap_error *error)
{
    ironmap__guard guard;
    int status = ironmap__guard_begin(&guard, &mapping, range, error);
    if (status == IRONMAP_OK) {
        *byte = read_byte();
        status = ironmap__guard_end(guard, range, error);
    }
    return status;
}

static int access_locked(uint8_t *byte, ironmap_error *error)
{
    ironmap__guard guard = {.mapping = &mapping};
    int status = ironmap__guard_begin_locked(&guard, range, error);
    if (status == IRONMAP_OK) {
        *byte = read_byte();
        status = ironmap__guard_end_locked(guard, range, error);
    }
    return status;
}

/* Another page may have been lost before. */
static void map(bool lost_before)
{
    mapping = (ironmap__mapping){.data = memory,
                                 .length = sizeof(memory),
                                 .mode = {.page = PAGE},
                                 .view = {memory, sizeof(memory)}};
    ironmap__page_state_set_pages(&mapping.state, PAGES);
    memset(memory, 'f', sizeof(memory));
    if (lost_before) {
        atomic_fetch_add(&mapping.state.losses, 1);
        ironmap__mark_pages(&mapping.state, IRONMAP__LOSS_GUARDED,
                            (ironmap__page_run){LOST_BEFORE, LOST_BEFORE + 1});
    }
}

typedef int access_function(uint8_t *byte, ironmap_error *error);

static size_t most_steps; /* of an access until now */

static void assert_is_known(int status, uint8_t byte, size_t offset)
{
    assert_true(status == IRONMAP_OK || status == IRONMAP_E_FAULT);
    assert_true(status == IRONMAP_E_FAULT || byte == 'f');
    assert_true(status == IRONMAP_OK || offset == (size_t)LOST * PAGE);
    assert_false(mapping.state.restoring);
}

static void check_access(access_function *access)
{
    ironmap_error error = {.status = IRONMAP_OK};
    uint8_t byte = 0;
    steps = done = 0;
    is_stepping = true;
    int status = access(&byte, &error);
    is_stepping = false;
    most_steps = steps > most_steps ? steps : most_steps;
    assert_is_known(status, byte, (size_t)error.offset);
}

static void check_child(void)
{
    ironmap_error error = {.status = IRONMAP_OK};
    uint8_t byte = 0;
    is_stepping = false;
    ironmap__page_state_after_fork(&mapping.state);
    ironmap__loss_log_after_fork();
    int status = access_in_turn(&byte, &error);
    assert_is_known(status, byte, (size_t)error.offset);
}

static void check_place(access_function *access, bool lost_before)
{
    map(lost_before);
    if (setjmp(child) == 0) {
        check_access(access);
    } else {
        check_child();
    }
}

static void check_all_places(access_function *access, bool lost_before)
{
    most_steps = 0;
    fork_at = SIZE_MAX;
    for (part_at[0] = 0; part_at[0] <= most_steps; part_at[0]++) {
        for (part_at[1] = part_at[0]; part_at[1] <= most_steps; part_at[1]++) {
            for (part_at[2] = part_at[1]; part_at[2] <= most_steps; part_at[2]++) {
                check_place(access, lost_before);
            }
        }
    }
}

/* The handler does not end. */
static void check_all_forks(access_function *access, bool lost_before)
{
    part_at[2] = SIZE_MAX;
    for (part_at[0] = 0; part_at[0] <= most_steps; part_at[0]++) {
        for (part_at[1] = part_at[0]; part_at[1] <= most_steps; part_at[1]++) {
            for (fork_at = part_at[1]; fork_at <= most_steps; fork_at++) {
                check_place(access, lost_before);
            }
        }
    }
}

static void no_zeros_pass_for_data(void **state)
{
    (void)state;
    check_all_places(access_in_turn, false);
    check_all_places(access_in_turn, true);
}

static void no_zeros_pass_for_data_when_an_access_is_done_again(void **state)
{
    (void)state;
    check_all_places(access_locked, false);
    check_all_places(access_locked, true);
}

static void no_zeros_pass_for_data_in_a_child_of_fork(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        check_all_places(access_in_turn, i != 0);
        check_all_forks(access_in_turn, i != 0);
        check_all_places(access_locked, i != 0);
        check_all_forks(access_locked, i != 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_zeros_pass_for_data),
        cmocka_unit_test(no_zeros_pass_for_data_when_an_access_is_done_again),
        cmocka_unit_test(no_zeros_pass_for_data_in_a_child_of_fork),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
