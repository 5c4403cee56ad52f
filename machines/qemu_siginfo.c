/* A sigaction for the tests on big-endian processors under qemu-user, which replaces the C
 * library's.
 *
 * qemu-user, up to at least 7.2, exchanges the two halves of si_addr of a SIGBUS. It treats the
 * address as the pid and uid of a sent signal. This sigaction corrects the address before a handler
 * sees it, and calls the C library's for everything else. An address that is right stays as it is,
 * since the highest 16 bits of a right address are zero.
 */
#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

typedef void full_handler(int, siginfo_t *, void *);
typedef int sigaction_call(int, const struct sigaction *, struct sigaction *);

int sigaction(int number, const struct sigaction *action, struct sigaction *previous);

static _Atomic(full_handler *) program_handler; /* the tests' or the library's, for SIGBUS */

static void put_right(int number, siginfo_t *info, void *context)
{
    uint64_t address = (uintptr_t)info->si_addr;
    if (info->si_code > 0 && address >> 48 != 0) {
        info->si_addr = (void *)(uintptr_t)(address << 32 | address >> 32);
    }
    atomic_load (&program_handler)(number, info, context);
}

static sigaction_call *real_sigaction(void)
{
    static _Atomic(sigaction_call *) known;
    if (atomic_load(&known) == NULL) {
        void *found = dlsym(RTLD_NEXT, "sigaction");
        if (found == NULL) {
            abort();
        }
        atomic_store(&known, (sigaction_call *)(uintptr_t)found);
    }
    return atomic_load(&known);
}

int sigaction(int number, const struct sigaction *action, struct sigaction *previous)
{
    full_handler *before = atomic_load(&program_handler);
    struct sigaction ours;
    if (number != SIGBUS) {
        return real_sigaction()(number, action, previous);
    }
    if (action != NULL && (action->sa_flags & SA_SIGINFO) != 0) {
        ours = *action;
        ours.sa_sigaction = put_right;
        atomic_store(&program_handler, action->sa_sigaction);
        action = &ours;
    }
    int result = real_sigaction()(number, action, previous);
    if (result == 0 && previous != NULL && (previous->sa_flags & SA_SIGINFO) != 0 &&
        previous->sa_sigaction == put_right) {
        previous->sa_sigaction = before;
    }
    return result;
}
