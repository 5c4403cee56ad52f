/* Random operations on maps whose files change meanwhile, beside plain memory (model.h).
 *
 * A child process does the work, so that a death is counted. IRONMAP_MODEL_OPERATIONS and
 * IRONMAP_MODEL_LOSSES set how many operations and lost pages there are at least, IRONMAP_TEST_SEED
 * the seed. The file is in the temporary folder: TMPDIR chooses the file system.
 */
#include "model.h"

#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* Operations of one child: a report then has a seed that is soon repeated. */
enum { SLICE = 20000, OPERATIONS = 60000, LOSSES = 10000 };

/* An emulated processor is slow. */
static unsigned long fewer(unsigned long count)
{
    return inside_qemu() ? count / 20 : count;
}

static model_counts *shared_counts(void)
{
    void *memory =
        mmap(NULL, sizeof(model_counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    assert_true(memory != MAP_FAILED);
    return memory;
}

static int run_slice(const char *directory, uint64_t seed, bool loses, model_counts *counts)
{
    model m;

    (void)signal(SIGBUS, SIG_DFL);
    (void)signal(SIGSEGV, SIG_DFL);
    model_begin(&m, directory, seed, counts);
    m.loses = loses;
    while (counts->operations < fewer(SLICE)) {
        model_step(&m);
    }
    model_end(&m);
    return 0;
}

static void add(model_counts *sum, const model_counts *counts)
{
    sum->operations += counts->operations;
    sum->faults += counts->faults;
    sum->damages += counts->damages;
    sum->opens += counts->opens;
    sum->resizes += counts->resizes;
    sum->file_changes += counts->file_changes;
}

typedef struct outcome {
    model_counts sum;
    size_t deaths, wrong;
} outcome;

static void slice(outcome *o, const fixture *f, uint64_t seed, bool loses, model_counts *counts)
{
    int status = 0;

    *counts = (model_counts){0};
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit(run_slice(f->directory, seed, loses, counts));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    add(&o->sum, counts);
    if (WIFSIGNALED(status)) {
        print_error("ended by signal %d (seed %" PRIu64 ")\n", WTERMSIG(status), seed);
        o->deaths++;
    }
    o->wrong += WIFEXITED(status) && WEXITSTATUS(status) != 0;
}

/* Slices until there are so many operations and lost pages. */
static void run(const fixture *f, size_t operations, size_t losses)
{
    random_source random = random_start();
    uint64_t seed = random.state;
    model_counts *counts = shared_counts();
    outcome o = {.deaths = 0};

    while ((o.sum.operations < operations || o.sum.faults + o.sum.damages < losses) &&
           o.deaths + o.wrong < 3) {
        slice(&o, f, seed++, losses > 0, counts);
    }
    print_message(
        "%zu operations: %zu opens, %zu resizes, %zu changes of the file, %zu lost pages, "
        "%zu damages, %zu deaths, %zu wrong\n",
        o.sum.operations, o.sum.opens, o.sum.resizes, o.sum.file_changes, o.sum.faults,
        o.sum.damages, o.deaths, o.wrong);
    assert_int_equal(munmap(counts, sizeof(*counts)), 0);
    assert_u64(o.deaths, 0);
    assert_u64(o.wrong, 0);
}

static void random_operations_leave_what_memory_has(void **state)
{
    run(*state, setting("IRONMAP_MODEL_OPERATIONS", fewer(OPERATIONS)), 0);
}

static void lost_pages_end_no_process_and_show_no_zeros(void **state)
{
    skip_without_pages_beyond_a_file();
    run(*state, 0, setting("IRONMAP_MODEL_LOSSES", fewer(LOSSES)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_fixture(random_operations_leave_what_memory_has),
        with_fixture(lost_pages_end_no_process_and_show_no_zeros),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
