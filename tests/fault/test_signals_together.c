/* Handlers that forward to each other, handlers that jump out of ours, and fork. Each test is a
 * child process. */
#include "fault_support_posix.h"
#include "signal_support.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/ptrace.h>
#include <sys/syscall.h>
#endif

/* ---- handlers that forward ------------------------------------------------------------------- */

/* Forwards by calling the previous handler. */
static void forward_by_call(int number, siginfo_t *info, void *context)
{
    note_call_and_stop_loops();
    if ((previous.sa_flags & SA_SIGINFO) != 0) {
        previous.sa_sigaction(number, info, context);
    } else {
        (void)signal(number, SIG_DFL);
    }
}

/* Python's faulthandler: restores the previous handler and raises the signal again. */
static void forward_by_raise(int number)
{
    note_call_and_stop_loops();
    (void)sigaction(number, &previous, NULL);
    (void)raise(number);
}

/* Crash reporters: restores the previous handler, and the access is repeated. */
static void forward_by_return(int number)
{
    note_call_and_stop_loops();
    (void)sigaction(number, &previous, NULL);
}

/* Without another map, the application's handler is called and forwards. */
static int after_ours_forwards(void *unused)
{
    (void)unused;
    child_check(own_map() == 0);
    child_check(install(NULL, forward_by_call, 0, 0) == 0);
    child_check(own_fault_is_handled() == 0);
    child_check(calls > 0 && flaws == 0);
    return 0;
}

static void map_the_page(int number)
{
    void *base = mmap((void *)(uintptr_t)foreign, page(1), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

    note_call(number == SIGBUS && base != MAP_FAILED);
}

/* Raises the signal again, and then calls the previous handler with the one that it has. It blocks
 * SIGUSR2 all the time. */
static void forward_twice(int number, siginfo_t *info, void *context)
{
    sigset_t mask;

    note_call_and_stop_loops();
    (void)raise(number);
    previous.sa_sigaction(number, info, context);
    flaws += pthread_sigmask(SIG_BLOCK, NULL, &mask) != 0 || sigismember(&mask, SIGUSR2) != 1;
}

/* Both come to the handler that was there before ours. */
static int reaches_the_first_handler(void *unused)
{
    ironmap_map *another = NULL;

    (void)unused;
    child_check(install(map_the_page, NULL, 0, 0) == 0);
    child_check(foreign_map() == 0 && own_map() == 0);
    child_check(install(NULL, forward_twice, SA_NODEFER, SIGUSR2) == 0);
    child_check(ironmap_open_path(&another, files->path, IRONMAP_WRITE, NULL, NULL) == IRONMAP_OK);
    child_check(touch_foreign() == 0);
    child_check(calls == 3 && flaws == 0);
    child_check(foreign_lose() == 0 && touch_foreign() == 0);
    child_check(calls == 6 && flaws == 0);
    child_check(ironmap_close(another, NULL) == IRONMAP_OK);
    return own_fault_is_handled();
}

/* Installed before and after ours, repeatedly. It is called, and the process dies. */
static int forwarded(void (*plain)(int), void (*full)(int, siginfo_t *, void *), int flags)
{
    ironmap_map *another = NULL;

    child_check(foreign_map() == 0 && own_map() == 0);
    child_check(install(plain, full, flags, 0) == 0);
    child_check(ironmap_open_path(&another, files->path, IRONMAP_WRITE, NULL, NULL) == IRONMAP_OK);
    child_check(own_fault_is_handled() == 0 && calls == 0);
    (void)touch_foreign();
    return 79;
}

static int forwarded_by_call(void *unused)
{
    (void)unused;
    return forwarded(NULL, forward_by_call, 0);
}

static int forwarded_by_call_nodefer(void *unused)
{
    (void)unused;
    return forwarded(NULL, forward_by_call, SA_NODEFER);
}

static int forwarded_by_raise(void *unused)
{
    (void)unused;
    return forwarded(forward_by_raise, NULL, SA_NODEFER);
}

static int forwarded_by_return(void *unused)
{
    (void)unused;
    return forwarded(forward_by_return, NULL, 0);
}

static int forwarded_before_ours(void *unused)
{
    (void)unused;
    child_check(install(forward_by_raise, NULL, SA_NODEFER, 0) == 0);
    child_check(foreign_map() == 0 && own_map() == 0);
    (void)touch_foreign();
    return 79;
}

/* Installed after ours, without a map since. It gets the signal, and raises it for ours. */
static int forwarded_without_another_map(void *unused)
{
    (void)unused;
    child_check(foreign_map() == 0 && own_map() == 0);
    child_check(install(forward_by_raise, NULL, SA_NODEFER, 0) == 0);
    (void)touch_foreign();
    return 79;
}

/* The same with our pages: the raised signal comes in an access, which is repeated with our handler
 * installed. Then the signal is ours. */
static int survives_raise(int flags)
{
    child_check(own_map() == 0);
    child_check(install(forward_by_raise, NULL, flags, 0) == 0);
    child_check(own_fault_is_handled() == 0 && own_fault_is_handled() == 0);
    child_check(calls == 1 && flaws == 0);
    return 0;
}

static int ours_is_raised(void *unused)
{
    (void)unused;
    return survives_raise(0);
}

static int ours_is_raised_nodefer(void *unused)
{
    (void)unused;
    return survives_raise(SA_NODEFER);
}

/* A foreign page is lost during an access of ours. */
static int foreign_in_an_access(void *unused)
{
    (void)unused;
    child_check(foreign_map() == 0 && own_map() == 0);
    child_check(install(forward_by_raise, NULL, SA_NODEFER, 0) == 0);
    ignore(ironmap_put(own, 0, (const void *)(uintptr_t)foreign, 100, NULL));
    return 79;
}

/* Searches long memory, until a signal that is not ours ends the process. */
static int search_until_the_end(void)
{
    ironmap_options options = IRONMAP_OPTIONS_INIT;
    ironmap_map *large = NULL;

    options.flags = MAP_PRIVATE | MAP_NORESERVE;
    options.prot = PROT_READ | PROT_WRITE;
    options.length = (size_t)1 << 28;
    child_check(ironmap_open_anonymous(&large, IRONMAP_SYSTEM, &options, NULL) == IRONMAP_OK);
    for (int i = 0; i < 50; i++) {
        uint64_t place = 0;

        child_check(ironmap_find(&place, large, "x", 1, 0, IRONMAP_TO_END, NULL) == IRONMAP_OK);
    }
    return 79;
}

static void *send_to_process(void *unused)
{
    spin(200000);
    (void)kill(getpid(), SIGBUS);
    return unused;
}

/* A sent signal is no lost page, even during an access. */
static int sent_in_an_access(void *unused)
{
    pthread_t sender;

    (void)unused;
    child_check(own_map() == 0);
    child_check(pthread_create(&sender, NULL, send_to_process, NULL) == 0);
    return search_until_the_end();
}

static void sleep_50_ms(void)
{
    (void)nanosleep(&(struct timespec){0, 50000000}, NULL);
}

/* A signal that is ignored does not end a call that waits. */
static int ignored_in_a_call_that_waits(void *unused)
{
    pid_t parent = getpid();
    int ends[2];
    char byte = 0;

    (void)unused;
    (void)signal(SIGBUS, SIG_IGN);
    child_check(own_map() == 0 && pipe(ends) == 0);
    if (fork() == 0) {
        sleep_50_ms();
        (void)kill(parent, SIGBUS);
        sleep_50_ms();
        _exit(write(ends[1], "x", 1) == 1 ? 0 : 1);
    }
    child_check(read(ends[0], &byte, 1) == 1 && byte == 'x');
    child_check(close(ends[0]) == 0 && close(ends[1]) == 0);
    return own_fault_is_handled();
}

#ifdef __linux__

/* The process is the only one that sends signals to its threads. */
static int sent_by_another_process(void *unused)
{
    (void)unused;
    child_check(own_map() == 0);
    if (fork() == 0) {
        spin(200000);
        (void)syscall(SYS_tgkill, getppid(), getppid(), SIGBUS);
        _exit(0);
    }
    return search_until_the_end();
}

/* Sends what the system sends of an unaligned access to our page, which is there. */
static int send_unaligned_access(void)
{
    siginfo_t info = {.si_signo = SIGBUS};

    info.si_code = BUS_ADRALN;
    info.si_addr = (uint8_t *)ironmap_data(own) + 1;
    return (int)syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), SIGBUS, &info);
}

static int unaligned_access_is_forwarded(void *unused)
{
    (void)unused;
    child_check(install(map_the_page, NULL, 0, 0) == 0);
    child_check(foreign_map() == 0 && own_map() == 0);
    ironmap_pin(own);
    child_check(send_unaligned_access() == 0);
    child_check(calls == 1 && !ironmap_is_damaged(own));
    ironmap_unpin(own);
    return own_fault_is_handled();
}

/* Waits for the end of a child that is traced. Returns the code of the last SIGBUS that came to it.
 */
static int last_code_of(pid_t child)
{
    int status = 0;
    siginfo_t info = {.si_code = 0};

    while (waitpid(child, &status, 0) == child && WIFSTOPPED(status)) {
        int number = WSTOPSIG(status);

        if (number == SIGBUS) {
            (void)ptrace(PTRACE_GETSIGINFO, child, NULL, &info);
        }
        (void)ptrace(PTRACE_CONT, child, NULL, (void *)(intptr_t)number);
    }
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS ? info.si_code : 0;
}

/* A core dump is that of the access, not that of a call of raise in a handler. */
static int death_is_of_the_access(void *unused)
{
    pid_t child = fork();

    (void)unused;
    if (child == 0) {
        child_check(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0);
        child_check(foreign_map() == 0 && own_map() == 0);
        _exit(touch_foreign());
    }
    child_check(last_code_of(child) == BUS_ADRERR);
    return 0;
}

#endif

/* Exporting an address reinstalls our handler. */
static int pin_reinstalls(void *unused)
{
    const volatile uint8_t *data = NULL;

    (void)unused;
    child_check(own_map() == 0);
    child_check(install(NULL, forward_by_call, 0, 0) == 0);
    ironmap_pin(own);
    data = ironmap_data(own);
    child_check(ftruncate(files->fd, (off_t)page(1)) == 0);
    child_check(data[page(PAGES - 1)] == 0 && calls == 0 && ironmap_is_damaged(own));
    ironmap_unpin(own);
    return 0;
}

static void touch_own(void *context)
{
    const volatile uint8_t *data = ironmap_data(own);

    *(uint8_t *)context = data[page(PAGES - 1)];
}

/* A guard reinstalls our handler. */
static int guard_reinstalls(void *unused)
{
    uint8_t byte = 1;

    (void)unused;
    child_check(own_map() == 0);
    child_check(install(forward_by_raise, NULL, 0, 0) == 0);
    child_check(ftruncate(files->fd, (off_t)page(1)) == 0);
    child_check(run_guarded(own, touch_own, &byte, NULL) == IRONMAP_E_FAULT);
    child_check(byte == 0 && calls == 0 && !ironmap_is_damaged(own));
    return 0;
}

/* The application takes the signal repeatedly, and the library reinstalls its handler. */
static int taken_often(void *unused)
{
    (void)unused;
    child_check(foreign_map() == 0 && own_map() == 0);
    for (int i = 0; i < 2000; i++) {
        ironmap_map *another = NULL;
        struct sigaction first = previous;

        child_check(install(NULL, forward_by_call, 0, 0) == 0);
        previous = i == 0 ? previous : first;
        child_check(ironmap_open_path(&another, files->path, IRONMAP_WRITE, NULL, NULL) ==
                    IRONMAP_OK);
        child_check(ironmap_close(another, NULL) == IRONMAP_OK);
    }
    child_check(own_fault_is_handled() == 0 && calls == 0);
    (void)touch_foreign();
    return 79;
}

/* ---- other signals, and fork ----------------------------------------------------------------- */

static atomic_bool enough;
static sigjmp_buf way_out;

static void jump_out(int number)
{
    (void)number;
    siglongjmp(way_out, 1);
}

/* The handler of another signal jumps out of any code, repeatedly, while exported pages are lost.
 * The map works afterwards. */
static int timer_jumps(void *unused)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    const struct itimerspec never = {{0, 0}, {0, 0}};
    int rounds = (int)setting("IRONMAP_FAULT_ROUNDS", 1000);
    timer_t timer;

    (void)unused;
    child_check(own_map() == 0 && signal(SIGUSR1, jump_out) != SIG_ERR);
    child_check(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
    for (volatile int round = 0; round < rounds; round = round + 1) {
        const struct itimerspec soon = {{0, 60000}, {0, 1000 + round % 100 * 500}};
        volatile const uint8_t *data = ironmap_data(own);

        child_check(solid_write(files->fd, 0, page(PAGES)));
        child_check(ironmap_clear_damage(own, NULL) == IRONMAP_OK);
        child_check(ftruncate(files->fd, (off_t)page(1)) == 0);
        if (sigsetjmp(way_out, 1) == 0) {
            child_check(timer_settime(timer, 0, &soon, NULL) == 0);
            for (size_t i = page(PAGES) - 1; data[i] == 0; i -= 256) {
            }
            for (;;) {
                spin(1000);
            }
        }
        child_check(timer_settime(timer, 0, &never, NULL) == 0);
    }
    child_check(timer_delete(timer) == 0);
    child_check(solid_write(files->fd, 0, page(PAGES)));
    child_check(ironmap_clear_damage(own, NULL) == IRONMAP_OK);
    return own_fault_is_handled();
}

static void *lose_and_restore(void *unused)
{
    uint8_t byte = 0;

    while (!atomic_load(&enough)) {
        ignore(ironmap_get_byte(&byte, own, page(PAGES - 1), NULL));
    }
    return unused;
}

/* In a child of the child: one thread, and the map in any state. */
static int all_is_usable(void *unused)
{
    uint8_t *bytes = malloc(page(PAGES));

    (void)unused;
    child_check(bytes != NULL);
    end_if_hanging(20);
    child_check(solid_write(files->fd, 0, page(PAGES)));
    child_check(ironmap_get(own, 0, bytes, page(PAGES), NULL) == IRONMAP_OK);
    child_check(is_solid(bytes, 0, page(PAGES)));
    free(bytes);
    return own_fault_is_handled();
}

/* Forks while another thread loses and restores pages. */
static int forks_during_faults(void *unused)
{
    size_t rounds = setting("IRONMAP_FAULT_ROUNDS", 1000);

    (void)unused;
    child_check(own_map() == 0);
    for (size_t i = 0; i < rounds; i++) {
        pthread_t thread;
        int go[2];
        int status = 0;
        pid_t child = 0;

        child_check(ftruncate(files->fd, (off_t)page(1)) == 0 && pipe(go) == 0);
        atomic_store(&enough, false);
        child_check(pthread_create(&thread, NULL, lose_and_restore, NULL) == 0);
        spin((unsigned)(i % 50) * 100);
        child = fork();
        if (child == 0) {
            char told = 0;

            _exit(read(go[0], &told, 1) == 1 ? all_is_usable(NULL) : 1);
        }
        atomic_store(&enough, true);
        child_check(pthread_join(thread, NULL) == 0);
        child_check(write(go[1], "x", 1) == 1 && close(go[0]) == 0 && close(go[1]) == 0);
        child_check(waitpid(child, &status, 0) == child);
        child_check(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    return 0;
}

/* A child handles its own losses with the parent's handler. */
static int child_of_fork(void *unused)
{
    int status = 0;
    pid_t child = 0;

    (void)unused;
    child_check(own_map() == 0 && own_fault_is_handled() == 0);
    child = fork();
    if (child == 0) {
        _exit(own_fault_is_handled());
    }
    child_check(waitpid(child, &status, 0) == child && status == 0);
    return own_fault_is_handled();
}

/* ---- cases ---- */

static const signal_case cases[] = {
    {"handler after ours forwards", after_ours_forwards, false},
    {"forwards by a call", forwarded_by_call, true},
    {"forwards by a call, SA_NODEFER", forwarded_by_call_nodefer, true},
    {"forwards by raise", forwarded_by_raise, true},
    {"forwards by return", forwarded_by_return, true},
    {"forwards by raise, before ours", forwarded_before_ours, true},
    {"forwards twice", reaches_the_first_handler, false},
    {"forwards by raise, no map since", forwarded_without_another_map, true},
    {"forwards ours by raise", ours_is_raised, false},
    {"forwards ours by raise, SA_NODEFER", ours_is_raised_nodefer, false},
    {"forwards by raise in an access", foreign_in_an_access, true},
    {"a pin reinstalls our handler", pin_reinstalls, false},
    {"a guard reinstalls our handler", guard_reinstalls, false},
    {"taken again and again", taken_often, true},
    {"a timer's handler jumps", timer_jumps, false},
    {"fork during faults", forks_during_faults, false},
    {"child of fork", child_of_fork, false},
};

/* qemu-user loses such signals even without the library. */
static const signal_case sent_cases[] = {
    {"sent in an access", sent_in_an_access, true},
    {"ignored in a call that waits", ignored_in_a_call_that_waits, false},
#ifdef __linux__
    {"sent by another process", sent_by_another_process, true},
    {"unaligned access", unaligned_access_is_forwarded, false},
    {"death of the access", death_is_of_the_access, false},
#endif
};

int main(int count, char **arguments)
{
    int failed = run_signal_cases(cases, COUNT_OF(cases), count, arguments);

    if (inside_qemu()) {
        print_message("skipped: qemu-user loses SIGBUS that another thread sends to the process\n");
    } else {
        failed += run_signal_cases(sent_cases, COUNT_OF(sent_cases), count, arguments);
    }
    return failed;
}
