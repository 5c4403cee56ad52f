/* Pages that cannot be had, on Unix: SIGBUS.
 *
 * The handler is installed when the first map of a file is made, and asked for again with every
 * further one. What it does not own goes to the action that it found there. That one may itself
 * hand on to us, if it was installed between two of our claims (faulthandler does, by restoring its
 * predecessor and raising the signal again): such a call is known by the forwarding that is going
 * on in the thread, and goes to the action that was found one claim earlier, in the end to the
 * default.
 */
#include "posix.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/statvfs.h>

#include "../../status.h"

/* The action that a claim found. Never freed: a handler may be using it. */
typedef struct claim {
    struct sigaction found;
    struct claim *earlier;
} claim;

/* A signal that is being forwarded, on the stack of its thread. */
typedef struct forwarding {
    uintptr_t self; /* its own address */
    const siginfo_t *info;
    const claim *to;
} forwarding;

static _Atomic(claim *) newest_claim;
static _Atomic(mapio__fault_handler *) own_handler;
static void (*own_after_fork)(void);
static pthread_mutex_t claiming = PTHREAD_MUTEX_INITIALIZER;
static _Thread_local forwarding *volatile current;

/* ---- forwarding ---- */

/* Sent by a program, rather than raised by an access. */
static bool was_sent(const siginfo_t *info)
{
    return info->si_code <= 0;
}

/* Ends the process as if nobody had ever handled the signal: an access is done again with the
 * default action in place, so that the core shows it; what was sent is sent once more. */
static void default_action(int number, const siginfo_t *info)
{
    struct sigaction action = {.sa_handler = SIG_DFL};
    (void)sigaction(number, &action, NULL);
    if (was_sent(info)) {
        (void)raise(number);
    }
}

/* Whether this call comes out of the forwarding of another: from above on this stack, with the
 * same siginfo (called directly) or sent (raised again). The record of a handler that left with
 * longjmp may linger; a new access below it has a siginfo of its own. */
static bool is_nested(const forwarding *outer, const forwarding *here, const siginfo_t *info)
{
    return outer != NULL && (uintptr_t)outer > (uintptr_t)here && outer->self == (uintptr_t)outer &&
           (outer->info == info || was_sent(info));
}

/* Calls a handler with the signals blocked that it asked for. */
static void call(const struct sigaction *action, int number, siginfo_t *info, void *context)
{
    sigset_t before;
    sigset_t deferred;
    (void)pthread_sigmask(SIG_BLOCK, &action->sa_mask, &before);
    if ((action->sa_flags & SA_NODEFER) != 0) {
        (void)sigemptyset(&deferred);
        (void)sigaddset(&deferred, number);
        (void)pthread_sigmask(SIG_UNBLOCK, &deferred, NULL);
    }
    if ((action->sa_flags & SA_SIGINFO) != 0) {
        action->sa_sigaction(number, info, context);
    } else {
        action->sa_handler(number);
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* Hands the signal to whoever had it before. */
static void forward(int number, siginfo_t *info, void *context)
{
    forwarding here = {.info = info};
    forwarding *outer = current;
    bool nested = is_nested(outer, &here, info);
    const claim *to = nested ? outer->to->earlier : atomic_load(&newest_claim);
    if (to == NULL || to->found.sa_handler == SIG_DFL ||
        (to->found.sa_handler == SIG_IGN && !was_sent(info))) {
        default_action(number, info);
        return;
    }
    if (to->found.sa_handler == SIG_IGN) {
        return;
    }
    here.to = to;
    here.self = (uintptr_t)&here;
    current = &here;
    call(&to->found, number, info, context);
    current = nested ? outer : NULL;
    here.self = 0;
}

static void on_signal(int number, siginfo_t *info, void *context)
{
    int saved = errno;
    mapio__fault_handler *handler = atomic_load(&own_handler);
    bool access = !was_sent(info) && info->si_code != BUS_ADRALN;
    if (!access || !handler(info->si_addr)) {
        forward(number, info, context);
    }
    errno = saved;
}

/* ---- claiming ---- */

static void before_fork(void)
{
    (void)pthread_mutex_lock(&claiming);
}

static void after_fork_parent(void)
{
    (void)pthread_mutex_unlock(&claiming);
}

static void after_fork_child(void)
{
    (void)pthread_mutex_unlock(&claiming);
    own_after_fork();
}

/* Once in the life of the process. */
static int prepare(mapio__fault_handler *handler, void (*after_fork)(void), mapio_error *error)
{
    if (atomic_load(&own_handler) != NULL) {
        return MAPIO_OK;
    }
    own_after_fork = after_fork;
    int code = pthread_atfork(before_fork, after_fork_parent, after_fork_child);
    if (code != 0) {
        return mapio__fail_system(error, code, "pthread_atfork");
    }
    atomic_store(&own_handler, handler);
    return MAPIO_OK;
}

/* Takes the signal where someone else has it. What is found is published first: our handler may run
 * the moment that it is installed. */
static int take_signal(mapio_error *error)
{
    struct sigaction found;
    if (sigaction(SIGBUS, NULL, &found) == -1) {
        return mapio__fail_system(error, errno, "sigaction");
    }
    if ((found.sa_flags & SA_SIGINFO) != 0 && found.sa_sigaction == on_signal) {
        return MAPIO_OK;
    }
    claim *made = malloc(sizeof(*made));
    if (made == NULL) {
        return mapio__fail(error, MAPIO_E_NOMEM);
    }
    *made = (claim){.found = found, .earlier = atomic_load(&newest_claim)};
    atomic_store(&newest_claim, made);
    struct sigaction ours = {.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
    ours.sa_sigaction = on_signal;
    (void)sigemptyset(&ours.sa_mask);
    return sigaction(SIGBUS, &ours, NULL) == -1 ? mapio__fail_system(error, errno, "sigaction")
                                                : MAPIO_OK;
}

int mapio__fault_watch(mapio__fault_handler *handler, void (*after_fork)(void), mapio_error *error)
{
    (void)pthread_mutex_lock(&claiming);
    int status = prepare(handler, after_fork, error);
    if (status == MAPIO_OK) {
        status = take_signal(error);
    }
    (void)pthread_mutex_unlock(&claiming);
    return status;
}

/* ---- pages ---- */

bool mapio__page_replace(void *start, size_t length, const mapio__mode *mode)
{
    int saved = errno;
    void *base = mmap(start, length, mode->prot, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    errno = saved;
    return base != MAP_FAILED;
}

/* Populating would only read what may be lost again. */
static const int once_flags = 0
#ifdef MAP_POPULATE
                              | MAP_POPULATE
#endif
    ;

int mapio__page_restore(const mapio__view *run, const mapio__mode *mode, mapio__file file,
                        uint64_t offset, mapio_error *error)
{
    int flags = (mode->flags & ~once_flags) | MAP_FIXED;
    if (mmap(run->base, run->length, mode->prot, flags, (int)file, (off_t)offset) == MAP_FAILED) {
        return mapio__fail_system(error, errno, "mmap");
    }
    return MAPIO_OK;
}

void *mapio__zeros_map(size_t length)
{
    int saved = errno;
    void *base = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    errno = saved;
    return base == MAP_FAILED ? NULL : base;
}

void mapio__zeros_unmap(void *start, size_t length)
{
    int saved = errno;
    (void)munmap(start, length);
    errno = saved;
}

int32_t mapio__fault_code(mapio__file file, bool store)
{
    struct statvfs disk;
    bool full =
        store && file != MAPIO__NO_FILE && fstatvfs((int)file, &disk) == 0 && disk.f_bavail == 0;
    return full ? ENOSPC : EIO;
}

void mapio__yield(void)
{
    (void)sched_yield();
}
