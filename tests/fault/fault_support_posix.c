#include "fault_support_posix.h"

#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- a process that truncates ---------------------------------------------------------------- */

struct mailbox {
    atomic_uint requested;
    atomic_uint done;
    atomic_bool over;
    uint64_t length; /* of the last request */
    unsigned delay;
};

static void serve_requests(struct mailbox *mailbox, int fd)
{
    pid_t parent = getppid();

    while (!atomic_load(&mailbox->over) && getppid() == parent) {
        unsigned requested = atomic_load(&mailbox->requested);

        if (requested != atomic_load(&mailbox->done)) {
            spin(mailbox->delay);
            if (ftruncate(fd, (off_t)mailbox->length) != 0) {
                _exit(1);
            }
            atomic_store(&mailbox->done, requested);
        }
        (void)sched_yield();
    }
    _exit(0);
}

void truncator_start(truncator *c, const fixture *f)
{
    c->mailbox =
        mmap(NULL, sizeof(*c->mailbox), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(c->mailbox != MAP_FAILED);
    c->process = fork();
    assert_true(c->process >= 0);
    if (c->process == 0) {
        serve_requests(c->mailbox, f->fd);
    }
}

void truncator_stop(truncator *c)
{
    int status = 0;

    atomic_store(&c->mailbox->over, true);
    assert_int_equal(waitpid((pid_t)c->process, &status, 0), c->process);
    assert_int_equal(status, 0);
    assert_int_equal(munmap(c->mailbox, sizeof(*c->mailbox)), 0);
}

void truncator_request(truncator *c, uint64_t length, unsigned delay)
{
    c->mailbox->length = length;
    c->mailbox->delay = delay;
    atomic_fetch_add(&c->mailbox->requested, 1);
}

bool truncator_done(const truncator *c)
{
    return atomic_load(&c->mailbox->done) == atomic_load(&c->mailbox->requested);
}

void truncator_wait(const truncator *c)
{
    while (!truncator_done(c)) {
        assert_int_equal(waitpid((pid_t)c->process, NULL, WNOHANG), 0);
        (void)sched_yield();
    }
}

/* ---- children -------------------------------------------------------------------------------- */

/* cmocka handles fatal signals. */
static void forget_handlers(void)
{
    (void)signal(SIGBUS, SIG_DFL);
    (void)signal(SIGSEGV, SIG_DFL);
}

void end_if_hanging(unsigned seconds)
{
    (void)alarm(inside_qemu() ? 20 * seconds : seconds);
}

int fate_of(int (*work)(void *), void *argument)
{
    const struct rlimit no_core = {0, 0};
    int status = 0;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        (void)setrlimit(RLIMIT_CORE, &no_core);
        end_if_hanging(30 + (unsigned)setting("IRONMAP_FAULT_ROUNDS", 0) / 10);
        forget_handlers();
        _exit(work(argument));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}
