/* Unavailable pages on Unix: the SIGBUS handler, and the chain of previous handlers.
 *
 * The handler is installed when the first map is made, and installed again with each further one if
 * another was installed since. Each installation records the handler that it replaced:
 *
 *     SIGBUS --> on_signal --> newest previous --> earlier --> ... --> default action
 *                    |
 *                    +--> one of our pages: replaced, and the access is retried
 *
 * A signal that is not ours is forwarded to the newest previous handler. If that handler was
 * installed between two of our installations, it may come back to ours, and the signal then goes
 * one link further down the chain:
 *
 *     it calls on_signal                          same siginfo, deeper on the stack     is_nested
 *     it raises the signal again                  sent, deeper on the stack             is_nested
 *     it reinstalls on_signal and returns         same address, after the return        is_repeated
 *
 * A handler that was installed after ours gets all signals first, also those of our pages. If it
 * reinstalls ours and raises the signal again, as faulthandler does, ours gets a signal without an
 * address. If the thread is inside an access of the library, nothing else raises the signal there:
 * it is ignored and the access is retried. If its page is unavailable it fails again, with its
 * address.
 *
 * A handler may leave with longjmp. The thread's record of the forwarding (`current`) then stays.
 * The only effect: a signal that is sent, not one of an access, counts as raised again while the
 * stack is deeper than it was.
 */
#include "features.h"

#include "huge_pages.h"
#include "spare_mappings.h"
#include "system.h"
#include "unmap.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/error.h"
#include "pin_module.h"
#include "platform/thread_local.h"

/* A handler that ours has replaced. Never freed: another thread may be running it. */
typedef struct previous_handler {
    struct sigaction action;
    struct previous_handler *earlier;
    atomic_flag used; /* with SA_RESETHAND: it has had its one signal */
} previous_handler;

/* The forwarding that this thread is in. Not on the stack, which longjmp may have discarded. */
typedef struct forwarding {
    uintptr_t frame; /* an address in the frame of on_signal; 0: none */
    const siginfo_t *info;
    previous_handler *to;
} forwarding;

/* The forwarding that ended last: its handler has returned, and was not left by longjmp. */
typedef struct ended_forwarding {
    void *address;        /* of the access that failed */
    previous_handler *to; /* NULL: none since the last one began */
} ended_forwarding;

static _Atomic(previous_handler *) newest_previous;
static _Atomic(ironmap__fault_handler *) fault_handler;
static void (*fault_after_fork)(void); /* NULL before the first installation */
static int fault_atfork;               /* what pthread_atfork has returned */
static pthread_mutex_t install_mutex = PTHREAD_MUTEX_INITIALIZER;
static IRONMAP__THREAD_LOCAL volatile forwarding current;
static IRONMAP__THREAD_LOCAL volatile ended_forwarding last_ended;

/* ---- forwarding ---- */

/* True if a program has sent the signal, false if an access has raised it. POSIX leaves the values
 * of SI_USER and the like to the system: Linux, NetBSD and OpenBSD count down from 0, FreeBSD and
 * macOS up from 0x10001 (sigaction(2), siginfo(3), their <signal.h>). */
static bool was_sent(const siginfo_t *info)
{
    return info->si_code <= 0 || (SI_USER > 0 && info->si_code >= SI_USER);
}

/* Ends the process as without any handler. An access is retried with the default action in place,
 * so that the core dump shows it. A signal that was sent is sent again. */
static void default_action(int number, const siginfo_t *info)
{
    struct sigaction action = {.sa_handler = SIG_DFL};
    (void)sigaction(number, &action, NULL);
    if (was_sent(info)) {
        (void)raise(number);
    }
}

/* True if this call comes from the handler that the thread is forwarding to: deeper on the stack,
 * with the same siginfo (called directly) or sent (raised again). */
static bool is_nested(uintptr_t frame, const siginfo_t *info)
{
    return current.frame > frame && (current.info == info || was_sent(info));
}

/* True if the same access was forwarded last and its handler has returned without repairing it. It
 * may have reinstalled ours, as its predecessor. */
static bool is_repeated(const siginfo_t *info)
{
    return !was_sent(info) && last_ended.to != NULL && last_ended.address == info->si_addr &&
           last_ended.to == atomic_load(&newest_previous) && last_ended.to->earlier != NULL;
}

/* The handler to forward to. NULL: the default action. */
static previous_handler *next_handler(uintptr_t frame, const siginfo_t *info)
{
    previous_handler *to = is_nested(frame, info) ? current.to->earlier
                           : is_repeated(info)    ? last_ended.to->earlier
                                                  : atomic_load(&newest_previous);
    const int once = (int)SA_RESETHAND;
    bool spent =
        to != NULL && (to->action.sa_flags & once) != 0 && atomic_flag_test_and_set(&to->used);
    return spent ? NULL : to;
}

/* Calls a handler with the signals blocked that its action and the interrupted code block. */
static void call_handler(const struct sigaction *action, int number, siginfo_t *info, void *context)
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

/* Forwards the signal to a previous handler. */
static void forward_signal(int number, siginfo_t *info, void *context)
{
    uintptr_t frame = (uintptr_t)&frame;
    previous_handler *to = next_handler(frame, info);
    if (to == NULL || to->action.sa_handler == SIG_DFL ||
        (to->action.sa_handler == SIG_IGN && !was_sent(info))) {
        default_action(number, info);
        return;
    }
    if (to->action.sa_handler == SIG_IGN) {
        return;
    }
    forwarding outer = current;
    current = (forwarding){frame, info, to};
    last_ended.to = NULL;
    call_handler(&to->action, number, info, context);
    current = outer;
    /* If the handler has forwarded the signal, that forwarding is the one that has had it last. */
    if (last_ended.to == NULL) {
        last_ended = (ended_forwarding){info->si_addr, to};
    }
}

/* True if this process has sent the signal to one of its threads, as raise(3) does. Some systems do
 * not distinguish that from kill(2) of the process. */
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

/* True if the signal is ours. A signal from another process and an unaligned access are not. */
static bool is_handled(ironmap__fault_handler *handler, const siginfo_t *info)
{
    if (was_sent(info)) {
        return was_raised(info) && handler(NULL);
    }
    return info->si_code != BUS_ADRALN && handler(info->si_addr);
}

static void on_signal(int number, siginfo_t *info, void *context)
{
    int saved = errno;
    ironmap__fault_handler *handler = atomic_load(&fault_handler);
    if (!is_handled(handler, info)) {
        forward_signal(number, info, context);
    }
    errno = saved;
}

/* ---- installation ---- */

static void fault_before_fork(void)
{
    (void)pthread_mutex_lock(&install_mutex);
}

static void fault_after_fork_parent(void)
{
    (void)pthread_mutex_unlock(&install_mutex);
}

static void fault_after_fork_child(void)
{
    (void)pthread_mutex_unlock(&install_mutex);
    if (fault_after_fork != NULL) {
        fault_after_fork();
    }
}

/* Runs when the library is loaded. With the first installation would be too late: a child that is
 * forked while another thread has the mutex would find it locked for ever. */
__attribute__((constructor)) static void fault_register_atfork(void)
{
    fault_atfork =
        pthread_atfork(fault_before_fork, fault_after_fork_parent, fault_after_fork_child);
}

/* Sets the functions of the library, once in the life of the process. */
static int set_functions(ironmap__fault_handler *handler, void (*after_fork)(void),
                         ironmap_error *error)
{
    if (atomic_load(&fault_handler) != NULL) {
        return IRONMAP_OK;
    }
    if (fault_atfork != 0) {
        return ironmap__fail_system(error, fault_atfork, "pthread_atfork");
    }
    ironmap__pin_module();
    fault_after_fork = after_fork;
    atomic_store(&fault_handler, handler);
    return IRONMAP_OK;
}

static bool is_ours(const struct sigaction *action)
{
    return (action->sa_flags & SA_SIGINFO) != 0 && action->sa_sigaction == on_signal;
}

/* True if two actions call the same function. */
static bool is_same_action(const struct sigaction *a, const struct sigaction *b)
{
    return a->sa_handler == b->sa_handler && a->sa_flags == b->sa_flags;
}

/* Records a handler that ours replaces. If it is the newest already, its program has installed it
 * again. */
static int record_previous(const struct sigaction *action, ironmap_error *error)
{
    previous_handler *newest = atomic_load(&newest_previous);
    if (newest != NULL && is_same_action(&newest->action, action)) {
        atomic_flag_clear(&newest->used);
        return IRONMAP_OK;
    }
    previous_handler *made = malloc(sizeof(*made));
    if (made == NULL) {
        return ironmap__fail(error, IRONMAP_E_NOMEM);
    }
    *made = (previous_handler){.action = *action, .earlier = newest};
    atomic_flag_clear(&made->used);
    atomic_store(&newest_previous, made);
    return IRONMAP_OK;
}

/* Installs our handler if another is installed. The other one is recorded first, since ours may run
 * as soon as it is installed. If a third one was installed in between, that is recorded after. Our
 * handler blocks all signals: another handler that leaves with longjmp could leave a page half
 * replaced. */
static int install(ironmap_error *error)
{
    struct sigaction found;
    struct sigaction replaced;
    if (sigaction(SIGBUS, NULL, &found) == -1) {
        return ironmap__fail_system(error, errno, "sigaction");
    }
    if (is_ours(&found)) {
        return IRONMAP_OK;
    }
    int status = record_previous(&found, error);
    if (status != IRONMAP_OK) {
        return status;
    }
    struct sigaction ours = {.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
    ours.sa_sigaction = on_signal;
    (void)sigfillset(&ours.sa_mask);
    if (sigaction(SIGBUS, &ours, &replaced) == -1) {
        return ironmap__fail_system(error, errno, "sigaction");
    }
    return is_ours(&replaced) || is_same_action(&replaced, &found)
               ? IRONMAP_OK
               : record_previous(&replaced, error);
}

int ironmap__fault_handler_install(ironmap__fault_handler *handler, void (*after_fork)(void),
                                   ironmap_error *error)
{
    (void)pthread_mutex_lock(&install_mutex);
    int status = set_functions(handler, after_fork, error);
    if (status == IRONMAP_OK) {
        status = install(error);
        ironmap__spare_mappings_keep();
    }
    (void)pthread_mutex_unlock(&install_mutex);
    return status;
}

void ironmap__fault_unblock(void)
{
    sigset_t fault;
    (void)sigemptyset(&fault);
    (void)sigaddset(&fault, SIGBUS);
    (void)pthread_sigmask(SIG_UNBLOCK, &fault, NULL);
}

/* The disposition of a signal that is not ours. */
static ironmap__signal_owner owner_of(const struct sigaction *action)
{
    if ((action->sa_flags & SA_SIGINFO) != 0) {
        return IRONMAP__SIGNAL_HANDLER;
    }
    if (action->sa_handler == SIG_DFL) {
        return IRONMAP__SIGNAL_DEFAULT;
    }
    return action->sa_handler == SIG_IGN ? IRONMAP__SIGNAL_IGNORED : IRONMAP__SIGNAL_HANDLER;
}

/* These calls do not fail: the signal exists, and nothing is changed. */
ironmap__signal_owner ironmap__fault_signal_owner(void)
{
    struct sigaction found;
    sigset_t blocked;
    if (atomic_load(&fault_handler) == NULL) {
        return IRONMAP__SIGNAL_NOT_INSTALLED;
    }
    (void)memset(&found, 0, sizeof(found));
    (void)sigaction(SIGBUS, NULL, &found);
    if (!is_ours(&found)) {
        return owner_of(&found);
    }
    (void)sigemptyset(&blocked);
    (void)pthread_sigmask(SIG_BLOCK, NULL, &blocked);
    return sigismember(&blocked, SIGBUS) == 1 ? IRONMAP__SIGNAL_BLOCKED : IRONMAP__SIGNAL_OURS;
}

/* ---- pages ---- */

/* FreeBSD never reserves and has no such flag. */
static const int no_reserve = 0
#ifdef MAP_NORESERVE
                              | MAP_NORESERVE
#endif
    ;

static bool map_zeros(void *start, size_t length, int prot)
{
    int flags = MAP_FIXED | MAP_ANONYMOUS | no_reserve;
    /* Shared memory does not count for RLIMIT_DATA. */
    return mmap(start, length, prot, flags | MAP_PRIVATE, -1, 0) != MAP_FAILED ||
           mmap(start, length, prot, flags | MAP_SHARED, -1, 0) != MAP_FAILED;
}

/* What mmap(2) refuses because the limit of locked memory is reached, it gives once as much is
 * unlocked. */
bool ironmap__page_replace(void *start, size_t length, const ironmap__mode *mode)
{
    int saved = errno;
    bool done = map_zeros(start, length, mode->prot);
    if (!done && errno == EAGAIN && munlock(start, length) == 0) {
        done = map_zeros(start, length, mode->prot);
    }
    errno = saved;
    return done;
}

/* Where the system never overcommits, memory that can be written counts even if it never is. */
bool ironmap__page_replace_for_loads(void *start, size_t length)
{
    int saved = errno;
    int flags = MAP_FIXED | MAP_ANONYMOUS | MAP_PRIVATE;
    bool done = mmap(start, length, PROT_READ, flags, -1, 0) != MAP_FAILED;
    errno = saved;
    return done;
}

void *ironmap__zeros_allocate(size_t length)
{
    int saved = errno;
    void *base =
        mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | no_reserve, -1, 0);
    errno = saved;
    return base == MAP_FAILED ? NULL : base;
}

void ironmap__zeros_free(void *zeros, size_t length)
{
    int saved = errno;
    ironmap__unmap_writable_pages(zeros, length);
    errno = saved;
}

/* Populating would read the whole file again. */
static const int flags_of_first_map = 0
#ifdef MAP_POPULATE
                                      | MAP_POPULATE
#endif
    ;

int ironmap__page_restore(const ironmap__view *run, const ironmap__mode *mode, ironmap__file file,
                          uint64_t offset, ironmap_error *error)
{
    if (file == IRONMAP__NO_FILE && !mode->anonymous) {
        return ironmap__fail(error, IRONMAP_E_NO_FILE);
    }
    int flags = mode->flags & ~flags_of_first_map;
    if (mode->page > ironmap__page_size() && !mode->anonymous) {
        return ironmap__restore_huge(run, mode, flags, (int)file, (off_t)offset, error);
    }
    off_t at = mode->anonymous ? 0 : (off_t)offset;
    flags |= MAP_FIXED;
    if (mmap(run->base, run->length, mode->prot, flags, (int)file, at) == MAP_FAILED) {
        return ironmap__fail_system(error, errno, "mmap");
    }
    return IRONMAP_OK;
}

int32_t ironmap__fault_code(ironmap__file file, bool store)
{
    struct statvfs disk;
    bool allocates =
        file != IRONMAP__NO_FILE && (store || ironmap__loads_allocate_blocks((int)file));
    /* A file system without this information reports 0 blocks in total. */
    bool known = allocates && fstatvfs((int)file, &disk) == 0;
    return known && disk.f_blocks > 0 && disk.f_bavail == 0 ? ENOSPC : EIO;
}

bool ironmap__keeps_wide_registers(void)
{
    return true;
}

void ironmap__yield(void)
{
    (void)sched_yield();
}
