/* Pages that cannot be had, on Unix: SIGBUS.
 *
 * The handler is installed when the first map of a file is made, and asked for again with every
 * further one and every resize. What it does not own goes to the action that it found there. That
 * one may itself hand on to us, if it was installed between two of our claims: it calls us, its
 * predecessor; or raises the signal again (faulthandler does); or puts us back and returns, so that
 * the access fails once more. Each of them is known by the forwarding that the thread has going on
 * or had last, and goes to the action that was found one claim earlier, in the end to the default.
 *
 * An action that was installed after the last claim has the signal first, that of our own pages
 * too. If it then puts us back and raises the signal again, as faulthandler does, what we get has
 * no address. But the thread is in the middle of an access of the library, in which nothing else
 * would raise it: so it is ignored, the access is done again, and fails again if its page is lost;
 * that failure is ours to cure.
 *
 * A handler may leave with longjmp. What was being forwarded then stays noted; all that comes of it
 * is that a signal which is sent (not an access that fails) while the stack is deeper than it was
 * counts as raised again.
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
#include <unistd.h>

#include "base/error.h"
#include "pin_module.h"
#include "platform/thread_local.h"

/* The action that a claim found. Never freed: a handler may be using it. */
typedef struct claim {
    struct sigaction found;
    struct claim *earlier;
    atomic_flag used; /* with SA_RESETHAND: whether it has had its one signal */
} claim;

/* A signal that is being forwarded by this thread, or was when a handler left it with longjmp. Kept
 * here and not on the stack, which may be gone by then. */
typedef struct forwarding {
    uintptr_t frame; /* an address in the frame of on_signal; 0: none */
    const siginfo_t *info;
    void *address; /* of the access that failed */
    claim *to;
    bool returned; /* from the action, rather than left it by longjmp or being in it still */
} forwarding;

static _Atomic(claim *) newest_claim;
static _Atomic(ironmap__fault_handler *) own_handler;
static void (*own_after_fork)(void); /* NULL before the first claim */
static int watches_forks;            /* what pthread_atfork has returned */
static pthread_mutex_t claiming = PTHREAD_MUTEX_INITIALIZER;
static IRONMAP__THREAD_LOCAL volatile forwarding current;

/* ---- forwarding ---- */

/* Sent by a program, rather than raised by an access. POSIX leaves the values of SI_USER and its
 * kin to the system: Linux, NetBSD and OpenBSD count down from 0, FreeBSD and macOS up from 0x10001
 * (sigaction(2), siginfo(3), their <signal.h>). */
static bool was_sent(const siginfo_t *info)
{
    return info->si_code <= 0 || (SI_USER > 0 && info->si_code >= SI_USER);
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
 * same siginfo (called directly) or sent (raised again). */
static bool is_nested(uintptr_t frame, const siginfo_t *info)
{
    return current.frame > frame && (current.info == info || was_sent(info));
}

/* Whether the action that had this access last has returned without a cure. It may have put us
 * back in its place, as its predecessor: then the one before it is next. */
static bool is_repeated(const siginfo_t *info)
{
    return !was_sent(info) && current.returned && current.address == info->si_addr &&
           current.to == atomic_load(&newest_claim) && current.to->earlier != NULL;
}

/* The action whose turn it is; NULL: the default. */
static claim *next_claim(uintptr_t frame, const siginfo_t *info)
{
    bool next = is_nested(frame, info) || is_repeated(info);
    claim *to = next ? current.to->earlier : atomic_load(&newest_claim);
    const int once = (int)SA_RESETHAND;
    bool spent =
        to != NULL && (to->found.sa_flags & once) != 0 && atomic_flag_test_and_set(&to->used);
    return spent ? NULL : to;
}

/* Calls a handler with the signals blocked that it asked for, beside those that the interrupted
 * code had blocked. */
static void call(const struct sigaction *action, int number, siginfo_t *info, void *context)
{
    sigset_t mask;
    sigset_t before;
    ironmap__interrupted_mask(&mask, context);
    if ((action->sa_flags & SA_NODEFER) == 0) {
        (void)sigaddset(&mask, number);
    }
    (void)pthread_sigmask(SIG_SETMASK, &mask, &before);
    (void)pthread_sigmask(SIG_BLOCK, &action->sa_mask, NULL);
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
    uintptr_t frame = (uintptr_t)&frame;
    claim *to = next_claim(frame, info);
    if (to == NULL || to->found.sa_handler == SIG_DFL ||
        (to->found.sa_handler == SIG_IGN && !was_sent(info))) {
        default_action(number, info);
        return;
    }
    if (to->found.sa_handler == SIG_IGN) {
        return;
    }
    forwarding outer = current;
    current = (forwarding){frame, info, info->si_addr, to, false};
    call(&to->found, number, info, context);
    /* The address and the action stay, to know a repetition by. */
    current.frame = outer.frame;
    current.info = outer.info;
    current.returned = true;
}

/* Sent by this process to one of its threads, as raise(3) does. Some systems do not tell that from
 * kill(2) of the whole process. */
static bool was_raised(const siginfo_t *info)
{
#if defined(SI_TKILL)
    bool to_a_thread = info->si_code == SI_TKILL;
#elif defined(SI_LWP)
    bool to_a_thread = info->si_code == SI_LWP;
#else
    bool to_a_thread = true;
#endif
    return to_a_thread && info->si_pid == getpid();
}

/* What is sent by others, and an access that is not aligned, have nothing to do with lost pages. */
static bool handler_takes(ironmap__fault_handler *handler, const siginfo_t *info)
{
    if (was_sent(info)) {
        return was_raised(info) && handler(NULL);
    }
    return info->si_code != BUS_ADRALN && handler(info->si_addr);
}

static void on_signal(int number, siginfo_t *info, void *context)
{
    int saved = errno;
    ironmap__fault_handler *handler = atomic_load(&own_handler);
    if (!handler_takes(handler, info)) {
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
    if (own_after_fork != NULL) {
        own_after_fork();
    }
}

/* When the library is loaded, and not with the first claim: a child that was forked in between,
 * while another thread had the mutex, would find it locked for ever. */
__attribute__((constructor)) static void watch_forks(void)
{
    watches_forks = pthread_atfork(before_fork, after_fork_parent, after_fork_child);
}

/* Once in the life of the process. */
static int prepare(ironmap__fault_handler *handler, void (*after_fork)(void), ironmap_error *error)
{
    if (atomic_load(&own_handler) != NULL) {
        return IRONMAP_OK;
    }
    if (watches_forks != 0) {
        return ironmap__fail_system(error, watches_forks, "pthread_atfork");
    }
    ironmap__pin_module();
    own_after_fork = after_fork;
    atomic_store(&own_handler, handler);
    return IRONMAP_OK;
}

static bool is_ours(const struct sigaction *action)
{
    return (action->sa_flags & SA_SIGINFO) != 0 && action->sa_sigaction == on_signal;
}

/* Whether two actions call the same function. */
static bool is_same(const struct sigaction *a, const struct sigaction *b)
{
    return a->sa_handler == b->sa_handler && a->sa_flags == b->sa_flags;
}

/* Remembers an action; one that is the newest already is the same program's, once more. */
static int remember(const struct sigaction *found, ironmap_error *error)
{
    claim *newest = atomic_load(&newest_claim);
    if (newest != NULL && is_same(&newest->found, found)) {
        atomic_flag_clear(&newest->used);
        return IRONMAP_OK;
    }
    claim *made = malloc(sizeof(*made));
    if (made == NULL) {
        return ironmap__fail(error, IRONMAP_E_NOMEM);
    }
    *made = (claim){.found = *found, .earlier = newest};
    atomic_flag_clear(&made->used);
    atomic_store(&newest_claim, made);
    return IRONMAP_OK;
}

/* Takes the signal where someone else has it. What is found is remembered first: our handler may
 * run the moment that it is installed. And what it truly replaced after that, should someone have
 * come between. All signals wait meanwhile: one whose handler left with longjmp would leave the
 * replacing of a page half done. */
static int take_signal(ironmap_error *error)
{
    struct sigaction found;
    struct sigaction replaced;
    if (sigaction(SIGBUS, NULL, &found) == -1) {
        return ironmap__fail_system(error, errno, "sigaction");
    }
    if (is_ours(&found)) {
        return IRONMAP_OK;
    }
    int status = remember(&found, error);
    if (status != IRONMAP_OK) {
        return status;
    }
    struct sigaction ours = {.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
    ours.sa_sigaction = on_signal;
    (void)sigfillset(&ours.sa_mask);
    if (sigaction(SIGBUS, &ours, &replaced) == -1) {
        return ironmap__fail_system(error, errno, "sigaction");
    }
    return is_ours(&replaced) || is_same(&replaced, &found) ? IRONMAP_OK
                                                            : remember(&replaced, error);
}

int ironmap__fault_handler_install(ironmap__fault_handler *handler, void (*after_fork)(void),
                                   ironmap_error *error)
{
    (void)pthread_mutex_lock(&claiming);
    int status = prepare(handler, after_fork, error);
    if (status == IRONMAP_OK) {
        status = take_signal(error);
    }
    (void)pthread_mutex_unlock(&claiming);
    return status;
}

/* ---- pages ---- */

/* FreeBSD never reserves, and has no word for it. */
static const int no_reserve = 0
#ifdef MAP_NORESERVE
                              | MAP_NORESERVE
#endif
    ;

bool ironmap__page_replace(void *start, size_t length, const ironmap__mode *mode)
{
    int saved = errno;
    int flags = MAP_FIXED | MAP_ANONYMOUS | no_reserve;
    void *base = mmap(start, length, mode->prot, flags | MAP_PRIVATE, -1, 0);
    if (base == MAP_FAILED) {
        /* Shared memory is no data of the process's own (RLIMIT_DATA). */
        base = mmap(start, length, mode->prot, flags | MAP_SHARED, -1, 0);
    }
    errno = saved;
    return base != MAP_FAILED;
}

/* Populating would only read what may be lost again. */
static const int once_flags = 0
#ifdef MAP_POPULATE
                              | MAP_POPULATE
#endif
    ;

int ironmap__page_restore(const ironmap__view *run, const ironmap__mode *mode, ironmap__file file,
                          uint64_t offset, ironmap_error *error)
{
    if (file == IRONMAP__NO_FILE) {
        return ironmap__fail(error, IRONMAP_E_NO_FILE);
    }
    int flags = (mode->flags & ~once_flags) | MAP_FIXED;
    if (mmap(run->base, run->length, mode->prot, flags, (int)file, (off_t)offset) == MAP_FAILED) {
        return ironmap__fail_system(error, errno, "mmap");
    }
    return IRONMAP_OK;
}

int32_t ironmap__fault_code(ironmap__file file, bool store)
{
    struct statvfs disk;
    bool takes = file != IRONMAP__NO_FILE && (store || ironmap__loads_take_blocks((int)file));
    /* A file system that does not tell says that it has no blocks at all. */
    bool told = takes && fstatvfs((int)file, &disk) == 0;
    return told && disk.f_blocks > 0 && disk.f_bavail == 0 ? ENOSPC : EIO;
}

bool ironmap__keeps_wide_registers(void)
{
    return true;
}

void ironmap__yield(void)
{
    (void)sched_yield();
}
