/* Good manners: SIGBUS that is none of the library's goes to whoever had it. Each test is a child
 * process, in which no map was ever made and the default action is in place. */
#include "fault_support.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PAGES = 4, ROUNDS = 50 };

static const int died = -SIGBUS;

/* ---- what a child has -------------------------------------------------------------------------
 */

static fixture *files;              /* a file of PAGES solid pages */
static volatile uint8_t *foreign;   /* a map of an emptied file that the library knows nothing of */
static mapio_map *own;              /* a map of the library's */
static volatile sig_atomic_t calls; /* of the application's handler */
static volatile sig_atomic_t flaw;  /* the handler saw something that is not as it must be */
static sigjmp_buf way_out;
static struct sigaction previous; /* what the application's handler found */

static size_t page(size_t count)
{
    return count * mapio_page_size();
}

/* A plain map of a file that is empty by now. */
static int foreign_make(void)
{
    char path[400];
    void *base = NULL;
    int fd = -1;

    (void)snprintf(path, sizeof(path), "%s/foreign", files->directory);
    fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    child_check(fd >= 0 && ftruncate(fd, (off_t)page(1)) == 0);
    base = mmap(NULL, page(1), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    child_check(base != MAP_FAILED && ftruncate(fd, 0) == 0 && close(fd) == 0);
    foreign = base;
    return 0;
}

/* The library's map, whole. */
static int own_make(void)
{
    child_check(solid_write(files->fd, 0, page(PAGES)));
    child_check(mapio_open_path(&own, files->path, NULL, NULL) == MAPIO_OK);
    return 0;
}

/* Loses pages of the library's map and gets them back: all as ever. */
static int own_fault(void)
{
    uint8_t byte = 0;

    child_check(ftruncate(files->fd, (off_t)page(1)) == 0);
    child_check(mapio_get_byte(&byte, own, page(2), NULL) == MAPIO_E_FAULT);
    child_check(solid_write(files->fd, 0, page(PAGES)));
    child_check(mapio_get_byte(&byte, own, page(2), NULL) == MAPIO_OK);
    child_check(byte == solid_byte(page(2)));
    return 0;
}

static int touch_foreign(void)
{
    return foreign[5];
}

static bool is_blocked(int number)
{
    sigset_t mask;

    return sigprocmask(SIG_BLOCK, NULL, &mask) != 0 || sigismember(&mask, number) == 1;
}

/* ---- the application's handlers ----------------------------------------------------------------
 */

static void note(bool good)
{
    calls = calls + 1;
    if (!good) {
        flaw = flaw + 1;
    }
}

static void leave(int number, siginfo_t *info, void *context)
{
    uintptr_t address = (uintptr_t)info->si_addr;

    (void)context;
    /* Some processors tell the page alone. */
    note(number == SIGBUS && address - (uintptr_t)foreign < page(1) && info->si_code == BUS_ADRERR);
    siglongjmp(way_out, 1);
}

static void leave_plain(int number)
{
    note(number == SIGBUS);
    siglongjmp(way_out, 1);
}

/* Gives the process memory in the place of what was lost. */
static void mend(int number)
{
    void *base = mmap((void *)(uintptr_t)foreign, page(1), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

    note(number == SIGBUS && base != MAP_FAILED);
    errno = ERANGE;
}

static void count_only(int number)
{
    note(number == SIGBUS);
}

/* What runs in a circle is called too often for one signal. */
static void note_and_stop_loops(void)
{
    note(true);
    if (calls > 10) {
        _exit(77);
    }
}

/* Hands on what it gets to whom it found, by a call. */
static void chain_by_call(int number, siginfo_t *info, void *context)
{
    note_and_stop_loops();
    if ((previous.sa_flags & SA_SIGINFO) != 0) {
        previous.sa_sigaction(number, info, context);
    } else {
        (void)signal(number, SIG_DFL);
    }
}

/* The same as Python's faulthandler: puts back whom it found and raises the signal once more. */
static void chain_by_raise(int number)
{
    note_and_stop_loops();
    (void)sigaction(number, &previous, NULL);
    (void)raise(number);
}

/* As crash reporters do: puts back whom it found, and has the access done again. */
static void chain_by_return(int number)
{
    note_and_stop_loops();
    (void)sigaction(number, &previous, NULL);
}

static int install(void (*plain)(int), void (*full)(int, siginfo_t *, void *), int flags, int mask)
{
    struct sigaction action = {.sa_flags = flags};

    (void)sigemptyset(&action.sa_mask);
    if (mask != 0) {
        (void)sigaddset(&action.sa_mask, mask);
    }
    if (full != NULL) {
        action.sa_flags |= SA_SIGINFO;
        action.sa_sigaction = full;
    } else {
        action.sa_handler = plain;
    }
    child_check(sigaction(SIGBUS, &action, &previous) == 0);
    return 0;
}

/* ---- when it is installed ----------------------------------------------------------------------
 */

static bool is_default(void)
{
    struct sigaction found;

    return sigaction(SIGBUS, NULL, &found) == 0 && (found.sa_flags & SA_SIGINFO) == 0 &&
           found.sa_handler == SIG_DFL;
}

static int no_file_no_handler(void *unused)
{
    mapio_options options = options_of(MAPIO_ACCESS_DEFAULT, 0, 10000);
    mapio_map *map = NULL;

    (void)unused;
    child_check(is_default());
    child_check(mapio_version() == MAPIO_VERSION && mapio_page_size() > 0);
    child_check(mapio_open_path(&map, "/nonexistent/file", NULL, NULL) == MAPIO_E_SYSTEM);
    child_check(mapio_open_anonymous(&map, &options, NULL) == MAPIO_OK);
    child_check(mapio_fill(map, 0, 10000, 1, NULL) == MAPIO_OK);
    child_check(mapio_close(map, NULL) == MAPIO_OK);
    child_check(is_default());
    child_check(own_make() == 0);
    child_check(!is_default());
    return 0;
}

/* ---- nobody else handles it --------------------------------------------------------------------
 */

static int foreign_fault(void *unused)
{
    (void)unused;
    child_check(foreign_make() == 0 && own_make() == 0 && own_fault() == 0);
    return touch_foreign();
}

static int sent_by_kill(void *unused)
{
    (void)unused;
    child_check(own_make() == 0 && own_fault() == 0);
    (void)kill(getpid(), SIGBUS);
    return 0;
}

static int sent_by_raise(void *unused)
{
    (void)unused;
    child_check(own_make() == 0);
    (void)raise(SIGBUS);
    return 0;
}

static int sent_and_ignored(void *unused)
{
    (void)unused;
    (void)signal(SIGBUS, SIG_IGN);
    child_check(own_make() == 0 && own_fault() == 0);
    child_check(kill(getpid(), SIGBUS) == 0 && raise(SIGBUS) == 0);
    return own_fault();
}

/* A fault cannot be ignored: the system ends the process. */
static int foreign_fault_ignored(void *unused)
{
    (void)unused;
    (void)signal(SIGBUS, SIG_IGN);
    child_check(foreign_make() == 0 && own_make() == 0);
    return touch_foreign();
}

/* Within its own handler's time, too: what is touched is not the library's. */
static int foreign_fault_after_close(void *unused)
{
    volatile uint8_t *data = NULL;

    (void)unused;
    child_check(own_make() == 0);
    data = mapio_data(own);
    child_check(mapio_close(own, NULL) == MAPIO_OK);
    child_check(mmap((void *)(uintptr_t)data, page(1), PROT_READ, MAP_SHARED | MAP_FIXED, files->fd,
                     0) != MAP_FAILED);
    child_check(ftruncate(files->fd, 0) == 0);
    return data[0];
}

/* ---- the application handles it -----------------------------------------------------------------
 */

/* Touches the foreign page some frames further down the stack each time, and comes back by the
 * handler's jump. */
static int leave_from(size_t depth)
{
    volatile uint8_t frame[512];

    frame[0] = 0;
    return depth == 0 ? touch_foreign() : leave_from(depth - 1) + frame[0];
}

static int leave_often(void)
{
    for (volatile size_t i = 0; i < ROUNDS; i++) {
        if (sigsetjmp(way_out, 1) == 0) {
            (void)leave_from(i * 7 % 31);
            return 1;
        }
        child_check(!is_blocked(SIGBUS));
        child_check(calls == (int)i + 1);
    }
    child_check(flaw == 0);
    return own_fault();
}

static int before_ours(void *unused)
{
    (void)unused;
    child_check(install(NULL, leave, 0, 0) == 0);
    child_check(foreign_make() == 0 && own_make() == 0 && own_fault() == 0);
    return leave_often();
}

static int before_ours_plain(void *unused)
{
    (void)unused;
    child_check(install(leave_plain, NULL, 0, 0) == 0);
    child_check(foreign_make() == 0 && own_make() == 0 && own_fault() == 0);
    return leave_often();
}

/* It has the signal then; the next map takes it back, and faults of ours are ours again. */
static int after_ours(void *unused)
{
    mapio_map *another = NULL;

    (void)unused;
    child_check(foreign_make() == 0 && own_make() == 0);
    child_check(install(NULL, leave, 0, 0) == 0);
    child_check(mapio_open_path(&another, files->path, NULL, NULL) == MAPIO_OK);
    child_check(own_fault() == 0 && calls == 0);
    return leave_often();
}

static int after_ours_resize(void *unused)
{
    (void)unused;
    child_check(foreign_make() == 0 && own_make() == 0);
    child_check(install(leave_plain, NULL, SA_NODEFER, 0) == 0);
    child_check(mapio_resize(own, page(PAGES + 1), NULL) == MAPIO_OK);
    child_check(own_fault() == 0 && calls == 0);
    return leave_often();
}

/* Without another map, it is the application's own handler that is called, and it hands on. */
static int after_ours_chains(void *unused)
{
    (void)unused;
    child_check(own_make() == 0);
    child_check(install(NULL, chain_by_call, 0, 0) == 0);
    child_check(own_fault() == 0);
    child_check(calls > 0 && flaw == 0);
    return 0;
}

/* A kill reaches the application's handler, wherever on the stack it comes. */
static int kill_from(size_t depth)
{
    volatile uint8_t frame[512];

    frame[0] = 0;
    return depth == 0 ? raise(SIGBUS) : kill_from(depth - 1) + frame[0];
}

static int kill_reaches_handler(void *unused)
{
    (void)unused;
    child_check(install(count_only, NULL, 0, 0) == 0);
    child_check(own_make() == 0);
    for (int i = 0; i < ROUNDS; i++) {
        child_check(kill_from((size_t)i) == 0);
        child_check(calls == i + 1);
        child_check(!is_blocked(SIGBUS));
    }
    child_check(flaw == 0);
    return own_fault();
}

/* The handler mends the page, and the access goes on: with errno and mask as they were. */
static int mending_handler(void *unused)
{
    (void)unused;
    child_check(install(mend, NULL, 0, SIGUSR1) == 0);
    child_check(foreign_make() == 0 && own_make() == 0);
    errno = EDOM;
    child_check(touch_foreign() == 0);
    child_check(calls == 1 && flaw == 0);
    child_check(!is_blocked(SIGBUS) && !is_blocked(SIGUSR1));
    return own_fault();
}

/* ---- what the handler asked for -------------------------------------------------------------- */

static void see_mask(int number)
{
    note(is_blocked(SIGBUS) && is_blocked(SIGUSR2) && !is_blocked(SIGUSR1));
    mend(number);
}

static int mask_is_honoured(void *unused)
{
    (void)unused;
    child_check(install(see_mask, NULL, 0, SIGUSR2) == 0);
    child_check(foreign_make() == 0 && own_make() == 0);
    child_check(touch_foreign() == 0);
    child_check(calls == 2 && flaw == 0);
    child_check(!is_blocked(SIGBUS) && !is_blocked(SIGUSR2));
    return 0;
}

static void see_no_mask(int number)
{
    note(!is_blocked(SIGBUS) && !is_blocked(SIGUSR1) && !is_blocked(SIGUSR2));
    mend(number);
}

static int nodefer_is_honoured(void *unused)
{
    (void)unused;
    child_check(install(see_no_mask, NULL, SA_NODEFER, 0) == 0);
    child_check(foreign_make() == 0 && own_make() == 0);
    child_check(touch_foreign() == 0);
    child_check(calls == 2 && flaw == 0);
    return 0;
}

static void print_and_return(int number)
{
    (void)number;
    note_and_stop_loops();
}

/* A handler for one signal, as crash reporters are: it returns, and the next fault is the end. */
static int resethand_is_honoured(void *unused)
{
    (void)unused;
    child_check(install(print_and_return, NULL, (int)SA_RESETHAND, 0) == 0);
    child_check(foreign_make() == 0 && own_make() == 0);
    return touch_foreign();
}

static int resethand_of_kill(void *unused)
{
    (void)unused;
    child_check(install(print_and_return, NULL, (int)SA_RESETHAND, 0) == 0);
    child_check(own_make() == 0);
    (void)raise(SIGBUS);
    child_check(calls == 1);
    (void)raise(SIGBUS);
    return 78;
}

/* ---- handlers that hand on ------------------------------------------------------------------- */

/* Installed before and after ours, any number of times, it is called and the process then dies. */
static int chained(void (*plain)(int), void (*full)(int, siginfo_t *, void *), int flags)
{
    mapio_map *another = NULL;

    child_check(foreign_make() == 0 && own_make() == 0);
    child_check(install(plain, full, flags, 0) == 0);
    child_check(mapio_open_path(&another, files->path, NULL, NULL) == MAPIO_OK);
    child_check(own_fault() == 0 && calls == 0);
    (void)touch_foreign();
    return 79;
}

static int chained_by_call(void *unused)
{
    (void)unused;
    return chained(NULL, chain_by_call, 0);
}

static int chained_by_call_nodefer(void *unused)
{
    (void)unused;
    return chained(NULL, chain_by_call, SA_NODEFER);
}

static int chained_by_raise(void *unused)
{
    (void)unused;
    return chained(chain_by_raise, NULL, SA_NODEFER);
}

static int chained_by_return(void *unused)
{
    (void)unused;
    return chained(chain_by_return, NULL, 0);
}

static int chained_before_ours(void *unused)
{
    (void)unused;
    child_check(install(chain_by_raise, NULL, SA_NODEFER, 0) == 0);
    child_check(foreign_make() == 0 && own_make() == 0);
    (void)touch_foreign();
    return 79;
}

/* Installed after ours with no map made since: it has the signal, and raises it for us. */
static int chained_without_a_claim(void *unused)
{
    (void)unused;
    child_check(foreign_make() == 0 && own_make() == 0);
    child_check(install(chain_by_raise, NULL, SA_NODEFER, 0) == 0);
    (void)touch_foreign();
    return 79;
}

/* An application that takes the signal again and again, and a library that takes it back. */
static int taken_often(void *unused)
{
    (void)unused;
    child_check(foreign_make() == 0 && own_make() == 0);
    for (int i = 0; i < 2000; i++) {
        mapio_map *another = NULL;
        struct sigaction first = previous;

        child_check(install(NULL, chain_by_call, 0, 0) == 0);
        previous = i == 0 ? previous : first;
        child_check(mapio_open_path(&another, files->path, NULL, NULL) == MAPIO_OK);
        child_check(mapio_close(another, NULL) == MAPIO_OK);
    }
    child_check(own_fault() == 0 && calls == 0);
    (void)touch_foreign();
    return 79;
}

/* ---- stacks ---------------------------------------------------------------------------------- */

/* Runs `work` in a thread with an alternate signal stack and, for the rest, a small stack. */
typedef struct small_thread {
    int (*work)(void);
    int result;
} small_thread;

static void *on_small_stack(void *context)
{
    small_thread *t = context;
    size_t size = 1 << 16;
    stack_t stack = {.ss_size = size};
    stack_t none = {.ss_flags = SS_DISABLE};

    stack.ss_sp = malloc(size);
    t->result = stack.ss_sp == NULL || sigaltstack(&stack, NULL) != 0 ? 1 : t->work();
    (void)sigaltstack(&none, NULL);
    free(stack.ss_sp);
    return NULL;
}

static int in_small_thread(int (*work)(void))
{
    small_thread t = {.work = work, .result = 1};
    pthread_attr_t attributes;
    pthread_t thread;

    child_check(pthread_attr_init(&attributes) == 0);
    child_check(pthread_attr_setstacksize(&attributes, 1 << 17) == 0);
    child_check(pthread_create(&thread, &attributes, on_small_stack, &t) == 0);
    child_check(pthread_join(thread, NULL) == 0);
    child_check(pthread_attr_destroy(&attributes) == 0);
    return t.result;
}

static volatile uintptr_t handler_frame;

static void where_am_i(int number)
{
    volatile uint8_t here = 0;

    handler_frame = (uintptr_t)&here;
    mend(number);
}

static int handler_on_other_stack(void)
{
    volatile uint8_t here = 0;
    uintptr_t mine = (uintptr_t)&here;
    stack_t stack;

    child_check(own_fault() == 0 && touch_foreign() == 0);
    child_check(calls == 1 && flaw == 0);
    child_check(sigaltstack(NULL, &stack) == 0);
    child_check(handler_frame - (uintptr_t)stack.ss_sp < stack.ss_size);
    child_check(mine - (uintptr_t)stack.ss_sp >= stack.ss_size);
    return 0;
}

static int alternate_stack(void *unused)
{
    (void)unused;
    child_check(install(where_am_i, NULL, SA_ONSTACK, 0) == 0);
    child_check(foreign_make() == 0 && own_make() == 0);
    return in_small_thread(handler_on_other_stack);
}

static int jumps_off_other_stack(void *unused)
{
    (void)unused;
    child_check(install(NULL, leave, SA_ONSTACK, 0) == 0);
    child_check(foreign_make() == 0 && own_make() == 0);
    return in_small_thread(leave_often);
}

/* Leaves the handler by a jump from an alternate stack that lies above this one and is unmapped
 * then: nothing of it may be looked at later. */
static int stack_that_goes(void)
{
    size_t size = 1 << 16;
    uint8_t here = 0;
    uintptr_t top = ((uintptr_t)&here + (UINT32_C(1) << 24)) & ~(uintptr_t)0xffff;
    stack_t none = {.ss_flags = SS_DISABLE};
    stack_t stack = {.ss_size = size};

    for (stack.ss_sp = MAP_FAILED; stack.ss_sp == MAP_FAILED; top += size) {
        stack.ss_sp = mmap((void *)top, size, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    }
    child_check(sigaltstack(&stack, NULL) == 0);
    if (sigsetjmp(way_out, 1) == 0) {
        return touch_foreign() + 1;
    }
    child_check(sigaltstack(&none, NULL) == 0 && munmap(stack.ss_sp, size) == 0);
    if (sigsetjmp(way_out, 1) == 0) {
        return touch_foreign() + 1;
    }
    child_check(calls == 2 && flaw == 0);
    return own_fault();
}

static int stack_unmapped_after_jump(void *unused)
{
    (void)unused;
    child_check(install(NULL, leave, SA_ONSTACK, 0) == 0);
    child_check(foreign_make() == 0 && own_make() == 0);
    return in_small_thread(stack_that_goes);
}

/* ---- other signals, and fork ----------------------------------------------------------------- */

static atomic_bool enough;

static void jump_out(int number)
{
    (void)number;
    siglongjmp(way_out, 1);
}

/* Another signal's handler that jumps out of whatever it interrupts, again and again, while pages
 * of handed-out memory are lost: the map works afterwards. */
static int timer_jumps(void *unused)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    const struct itimerspec never = {{0, 0}, {0, 0}};
    timer_t timer;

    (void)unused;
    child_check(own_make() == 0 && signal(SIGUSR1, jump_out) != SIG_ERR);
    child_check(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
    for (volatile int round = 0; round < 1000; round = round + 1) {
        const struct itimerspec soon = {{0, 60000}, {0, 1000 + round % 100 * 500}};
        volatile const uint8_t *data = mapio_data(own);

        child_check(solid_write(files->fd, 0, page(PAGES)));
        child_check(mapio_clear_damage(own, NULL) == MAPIO_OK);
        child_check(ftruncate(files->fd, (off_t)page(1)) == 0);
        if (sigsetjmp(way_out, 1) == 0) {
            child_check(timer_settime(timer, 0, &soon, NULL) == 0);
            for (size_t i = page(PAGES) - 1; data[i] == 0; i -= 256) {
            }
            for (;;) {
                linger(1000);
            }
        }
        child_check(timer_settime(timer, 0, &never, NULL) == 0);
    }
    child_check(timer_delete(timer) == 0);
    child_check(solid_write(files->fd, 0, page(PAGES)));
    child_check(mapio_clear_damage(own, NULL) == MAPIO_OK);
    return own_fault();
}

static void *lose_and_restore(void *unused)
{
    uint8_t byte = 0;

    while (!atomic_load(&enough)) {
        (void)mapio_get_byte(&byte, own, page(PAGES - 1), NULL);
    }
    return unused;
}

/* In the child of the child: only this thread, and the map in whatever state the other one left it.
 */
static int all_is_usable(void *unused)
{
    uint8_t *bytes = malloc(page(PAGES));

    (void)unused;
    child_check(bytes != NULL);
    (void)alarm(20);
    child_check(solid_write(files->fd, 0, page(PAGES)));
    child_check(mapio_get(bytes, own, 0, page(PAGES), NULL) == MAPIO_OK);
    child_check(is_solid(bytes, 0, page(PAGES)));
    free(bytes);
    return own_fault();
}

/* Forks while another thread loses pages and puts them back. */
static int forks_during_faults(void *unused)
{
    size_t rounds = setting("MAPIO_FAULT_ROUNDS", 1000);

    (void)unused;
    child_check(own_make() == 0);
    for (size_t i = 0; i < rounds; i++) {
        pthread_t thread;
        int go[2];
        int status = 0;
        pid_t child = 0;

        child_check(ftruncate(files->fd, (off_t)page(1)) == 0 && pipe(go) == 0);
        atomic_store(&enough, false);
        child_check(pthread_create(&thread, NULL, lose_and_restore, NULL) == 0);
        linger((unsigned)(i % 50) * 100);
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
    child_check(own_make() == 0 && own_fault() == 0);
    child = fork();
    if (child == 0) {
        _exit(own_fault());
    }
    child_check(waitpid(child, &status, 0) == child && status == 0);
    return own_fault();
}

/* ---- each in its child ----------------------------------------------------------------------- */

typedef struct signal_case {
    const char *name;
    int (*work)(void *);
    bool dies;
} signal_case;

static const signal_case cases[] = {
    {"without a file's map nothing is installed", no_file_no_handler, false},
    {"foreign fault", foreign_fault, true},
    {"sent by kill", sent_by_kill, true},
    {"sent by raise", sent_by_raise, true},
    {"sent and ignored", sent_and_ignored, false},
    {"foreign fault, ignored", foreign_fault_ignored, true},
    {"foreign fault where a map was", foreign_fault_after_close, true},
    {"handler before ours", before_ours, false},
    {"plain handler before ours", before_ours_plain, false},
    {"handler after ours", after_ours, false},
    {"handler after ours, then resize", after_ours_resize, false},
    {"handler after ours hands on", after_ours_chains, false},
    {"kill reaches the handler", kill_reaches_handler, false},
    {"handler that mends", mending_handler, false},
    {"sa_mask", mask_is_honoured, false},
    {"SA_NODEFER", nodefer_is_honoured, false},
    {"SA_RESETHAND", resethand_is_honoured, true},
    {"SA_RESETHAND, sent", resethand_of_kill, true},
    {"hands on by a call", chained_by_call, true},
    {"hands on by a call, SA_NODEFER", chained_by_call_nodefer, true},
    {"hands on by raise", chained_by_raise, true},
    {"hands on by return", chained_by_return, true},
    {"hands on by raise, before ours", chained_before_ours, true},
    {"hands on by raise, no map since", chained_without_a_claim, true},
    {"taken again and again", taken_often, true},
    {"alternate stack", alternate_stack, false},
    {"jumps off an alternate stack", jumps_off_other_stack, false},
    {"stack unmapped after a jump", stack_unmapped_after_jump, false},
    {"a timer's handler jumps", timer_jumps, false},
    {"fork during faults", forks_during_faults, false},
    {"child of fork", child_of_fork, false},
};

static const signal_case *current_case;

static void has_its_fate(void **state)
{
    int fate = 0;

    files = *state;
    file_solid(files, page(PAGES));
    fate = fate_of(current_case->work, NULL);
    if (fate != (current_case->dies ? died : 0)) {
        fail_msg("%s: ended with %d", current_case->name, fate);
    }
}

static bool is_wanted(const char *name, int count, char **words)
{
    bool wanted = count == 0;

    for (int i = 0; i < count; i++) {
        wanted = wanted || strstr(name, words[i]) != NULL;
    }
    return wanted;
}

/* One group for each case, so that a failure names it. Arguments choose cases by a part of the
 * name. */
int main(int count, char **arguments)
{
    const struct CMUnitTest test[] = {with_fixture(has_its_fate)};
    int failed = 0;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        current_case = &cases[i];
        if (!is_wanted(cases[i].name, count - 1, arguments + 1)) {
            continue;
        }
        failed += cmocka_run_group_tests_name(cases[i].name, test, NULL, NULL) != 0;
    }
    return failed;
}
