#include "fault_support_posix.h"

#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- another process that cuts ----------------------------------------------------------------
 */

struct desk {
    atomic_uint asked;
    atomic_uint done;
    atomic_bool over;
    uint64_t length; /* of the request that was asked last */
    unsigned delay;
};

static void cut_what_is_asked(struct desk *desk, int fd)
{
    pid_t parent = getppid();

    while (!atomic_load(&desk->over) && getppid() == parent) {
        unsigned asked = atomic_load(&desk->asked);

        if (asked != atomic_load(&desk->done)) {
            linger(desk->delay);
            if (ftruncate(fd, (off_t)desk->length) != 0) {
                _exit(1);
            }
            atomic_store(&desk->done, asked);
        }
        (void)sched_yield();
    }
    _exit(0);
}

void truncator_start(truncator *c, const fixture *f)
{
    c->desk =
        mmap(NULL, sizeof(*c->desk), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(c->desk != MAP_FAILED);
    c->process = fork();
    assert_true(c->process >= 0);
    if (c->process == 0) {
        cut_what_is_asked(c->desk, f->fd);
    }
}

void truncator_stop(truncator *c)
{
    int status = 0;

    atomic_store(&c->desk->over, true);
    assert_int_equal(waitpid((pid_t)c->process, &status, 0), c->process);
    assert_int_equal(status, 0);
    assert_int_equal(munmap(c->desk, sizeof(*c->desk)), 0);
}

void truncator_request(truncator *c, uint64_t length, unsigned delay)
{
    c->desk->length = length;
    c->desk->delay = delay;
    atomic_fetch_add(&c->desk->asked, 1);
}

bool truncator_done(const truncator *c)
{
    return atomic_load(&c->desk->done) == atomic_load(&c->desk->asked);
}

void truncator_wait(const truncator *c)
{
    while (!truncator_done(c)) {
        assert_int_equal(waitpid((pid_t)c->process, NULL, WNOHANG), 0);
        (void)sched_yield();
    }
}

/* ---- children -------------------------------------------------------------------------------- */

/* cmocka catches what a program dies of. */
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
