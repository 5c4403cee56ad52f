/* A child of fork can come between any two instructions of the thread that notes the run which it
 * restores. So a process makes its notes in single steps, and after each the state is what a child
 * would inherit: a whole note, or none. */
#include "fault/page_state.h"

#include <stdio.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <signal.h>

#include "platform/platform.h"
#include "unit.h"

enum { STEPS_MAX = 100000 };

/* This test makes no room. */
void *ironmap__zeros_allocate(size_t length)
{
    (void)length;
    return NULL;
}

void ironmap__zeros_free(void *zeros, size_t length)
{
    (void)zeros;
    (void)length;
}

static const ironmap__page_run runs[IRONMAP__LOSS_KINDS] = {{40, 60}, {100, 200}};

/* The traced process. */
static void make_notes(ironmap__page_state *state)
{
    const ironmap__page_run none = {0, 0};
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == -1) {
        _exit(1);
    }
    (void)raise(SIGSTOP);
    for (int kind = 0; kind < IRONMAP__LOSS_KINDS; kind++) {
        ironmap__note_restoring(state, (ironmap__loss_kind)kind, runs[kind]);
        ironmap__note_restoring(state, (ironmap__loss_kind)kind, none);
    }
    _exit(0);
}

/* The kind of the note that a child would find, or -1 for none. */
static int noted_kind(const ironmap__page_state *state)
{
    if (state->run_to == 0) {
        return -1;
    }
    size_t kind = state->run_kind;
    assert_true(kind < IRONMAP__LOSS_KINDS);
    assert_int_equal(state->run_from, runs[kind].from);
    assert_int_equal(state->run_to, runs[kind].to);
    return (int)kind;
}

static void child_of_fork_finds_a_whole_note_or_none(void **unused)
{
    (void)unused;
    size_t seen[IRONMAP__LOSS_KINDS] = {0};
    int status = 0;
    ironmap__page_state *state =
        mmap(NULL, sizeof(*state), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(state, MAP_FAILED);
    (void)fflush(stdout);
    pid_t traced = fork();
    assert_int_not_equal(traced, -1);
    if (traced == 0) {
        make_notes(state);
    }
    assert_int_equal(waitpid(traced, &status, 0), traced);
    for (size_t steps = 0; WIFSTOPPED(status) && steps < STEPS_MAX; steps++) {
        int kind = noted_kind(state);
        if (kind >= 0) {
            seen[kind]++;
        }
        assert_int_equal(ptrace(PTRACE_SINGLESTEP, traced, NULL, NULL), 0);
        assert_int_equal(waitpid(traced, &status, 0), traced);
    }
    if (WIFSTOPPED(status)) {
        (void)kill(traced, SIGKILL);
        (void)waitpid(traced, &status, 0);
    }
    (void)munmap(state, sizeof(*state));
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        print_message("skipped: no process can be traced here\n");
        skip();
    }
    assert_true(seen[IRONMAP__LOSS_GUARDED] > 0);
    assert_true(seen[IRONMAP__LOSS_EXPORTED] > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(child_of_fork_finds_a_whole_note_or_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
