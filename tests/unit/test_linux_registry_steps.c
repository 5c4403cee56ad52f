/* A signal, a fork by another thread or a change can come between any two instructions of a thread
 * that uses the registry. So a process uses it in single steps, and is interrupted by a signal
 * between them.
 * - In the middle of a change the reader must find all live mappings, and the repair of a child of
 *   fork must make the registry whole.
 * - In the middle of a lookup other mappings change, time after time, and the lookup must find the
 *   one that stays. */
#include "fault/registry.h"

#include <signal.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support.h"

/* A change is interrupted at so many of its instructions. */
enum { MAPPINGS = 70, LENGTH = 0x1000, INTERRUPTIONS = 100, STEPS_MAX = 100000 };

static char storage[MAPPINGS + 1];
static ironmap__registry_entry *entries[MAPPINGS];

static struct ironmap__mapping *mapping_number(size_t i)
{
    return (struct ironmap__mapping *)(void *)&storage[i];
}

static uintptr_t base_number(size_t i)
{
    return 0x10000 + i * 2 * LENGTH;
}

/* The one that changes comes and goes between the others. */
enum { CHANGING = 33 };

static void fill(void)
{
    for (size_t i = 0; i < MAPPINGS; i++) {
        entries[i] = ironmap__registry_enter(mapping_number(i));
        if (i != CHANGING) {
            ironmap__registry_set(entries[i], base_number(i), LENGTH);
        }
    }
}

static void change(void)
{
    ironmap__registry_set(entries[CHANGING], base_number(CHANGING), LENGTH);
    ironmap__registry_set(entries[CHANGING], base_number(CHANGING) + LENGTH, LENGTH);
    ironmap__registry_exit(entries[CHANGING]);
    entries[CHANGING] = ironmap__registry_enter(mapping_number(CHANGING));
}

static bool all_are_found(void)
{
    for (size_t i = 0; i < MAPPINGS; i++) {
        struct ironmap__mapping *found = ironmap__registry_find(base_number(i));
        if (found != mapping_number(i) && (found != NULL || i != CHANGING)) {
            return false;
        }
        found = ironmap__registry_first(base_number(i) + LENGTH, base_number(i) + LENGTH);
        if (found != NULL && (found != mapping_number(CHANGING) || i != CHANGING)) {
            return false;
        }
    }
    return true;
}

/* All other mappings are there once, and there is room for more. */
static bool is_whole(void)
{
    const uintptr_t added = base_number(MAPPINGS);
    ironmap__registry_after_fork();
    if (!all_are_found() || ironmap__registry_find(0) != NULL) {
        return false;
    }
    for (size_t i = 0; i < 2 * MAPPINGS; i++) {
        ironmap__registry_entry *entry = ironmap__registry_enter(mapping_number(MAPPINGS));
        if (entry == NULL) {
            return false;
        }
        ironmap__registry_set(entry, added + i * LENGTH, LENGTH);
    }
    for (size_t i = 0; i < 2 * MAPPINGS; i++) {
        if (ironmap__registry_find(added + i * LENGTH) != mapping_number(MAPPINGS)) {
            return false;
        }
    }
    for (size_t i = 0; i < MAPPINGS; i++) {
        if (i != CHANGING) {
            ironmap__registry_exit(entries[i]);
        }
        if (i != CHANGING && ironmap__registry_find(base_number(i)) != NULL) {
            return false;
        }
    }
    return true;
}

enum { UNFOUND = 3, NOT_WHOLE = 4 };

static void interrupt(int number)
{
    (void)number;
    if (!all_are_found()) {
        _exit(UNFOUND);
    }
    _exit(is_whole() ? 0 : NOT_WHOLE);
}

/* A process that has stopped before it calls `use`; -1 if none can be traced. */
static pid_t start_traced(int *status, void (*use)(void), void (*on_signal)(int))
{
    pid_t traced = fork();
    if (traced == 0) {
        (void)alarm(60);
        fill();
        (void)signal(SIGUSR1, on_signal);
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == -1) {
            _exit(1);
        }
        (void)raise(SIGSTOP);
        use();
        _exit(0);
    }
    return traced != -1 && waitpid(traced, status, 0) == traced && WIFSTOPPED(*status) ? traced
                                                                                       : -1;
}

static bool step(pid_t traced, int *status)
{
    return ptrace(PTRACE_SINGLESTEP, traced, NULL, NULL) == 0 &&
           waitpid(traced, status, 0) == traced && WIFSTOPPED(*status);
}

/* How many instructions the change has; 0 if they cannot be counted. */
static size_t count_steps(void)
{
    int status = 0;
    size_t steps = 0;
    pid_t traced = start_traced(&status, change, interrupt);
    while (traced != -1 && steps < STEPS_MAX && step(traced, &status)) {
        steps++;
    }
    if (traced != -1 && WIFSTOPPED(status)) {
        (void)kill(traced, SIGKILL);
        (void)waitpid(traced, &status, 0);
    }
    return traced != -1 && WIFEXITED(status) && WEXITSTATUS(status) == 0 ? steps : 0;
}

/* Lets the process go on, with the signal, until it stops or ends. */
static void send_signal(pid_t traced, int *status)
{
    void *number = (void *)(uintptr_t)SIGUSR1;
    assert_int_equal(ptrace(PTRACE_CONT, traced, NULL, number), 0);
    assert_int_equal(waitpid(traced, status, 0), traced);
}

/* The exit status of a process that is interrupted after so many steps of a change. */
static int interrupted_after(size_t steps)
{
    int status = 0;
    pid_t traced = start_traced(&status, change, interrupt);
    assert_int_not_equal(traced, -1);
    while (steps > 0 && step(traced, &status)) {
        steps--;
    }
    if (WIFSTOPPED(status)) {
        send_signal(traced, &status);
    }
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* The steps of a change, or a skip. */
static size_t traced_steps(void)
{
    (void)fflush(stdout);
    size_t steps = count_steps();
    if (steps == 0) {
        print_message("skipped: no process can be traced here\n");
        skip();
    }
    return steps;
}

static void registry_is_right_between_any_two_instructions_of_a_change(void **state)
{
    (void)state;
    size_t steps = traced_steps();
    for (size_t i = 0; i < INTERRUPTIONS; i++) {
        assert_int_equal(interrupted_after(i * steps / INTERRUPTIONS), 0);
    }
}

/* ---- changes in the middle of a lookup ---- */

/* The highest mapping stays. */
static void find_steady(void)
{
    if (ironmap__registry_find(base_number(MAPPINGS - 1) + 1) != mapping_number(MAPPINGS - 1)) {
        _exit(UNFOUND);
    }
}

/* All others move behind it, or back. A lookup that is at one of them is at the wrong place then.
 */
static void move_others(int number)
{
    static size_t shift;
    (void)number;
    shift = shift == 0 ? MAPPINGS : 0;
    for (size_t i = 0; i < MAPPINGS - 1; i++) {
        ironmap__registry_set(entries[i], base_number(i + shift), LENGTH);
    }
    (void)raise(SIGSTOP);
}

/* The exit status of a lookup that is interrupted every so many steps. */
static int interrupted_every(size_t interval)
{
    int status = 0;
    pid_t traced = start_traced(&status, find_steady, move_others);
    assert_int_not_equal(traced, -1);
    while (WIFSTOPPED(status)) {
        for (size_t steps = 0; steps < interval && step(traced, &status); steps++) {
        }
        if (WIFSTOPPED(status)) {
            send_signal(traced, &status);
        }
    }
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void mapping_is_found_while_others_change_all_the_time(void **state)
{
    (void)state;
    (void)traced_steps();
    for (size_t interval = 40; interval < 400; interval += 7) {
        assert_int_equal(interrupted_every(interval), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(registry_is_right_between_any_two_instructions_of_a_change),
        cmocka_unit_test(mapping_is_found_while_others_change_all_the_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
