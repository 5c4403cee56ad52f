/* SIGBUS that is not ours is forwarded to the handler that was installed before, with its flags and
 * on its stack. Each test is a child process, without maps and with the default action. */
#include "signal_support.h"

#include <ironmap/extra.h>

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { ROUNDS = 50 };

static bool is_blocked(int number)
{
    sigset_t mask;

    return sigprocmask(SIG_BLOCK, NULL, &mask) != 0 || sigismember(&mask, number) == 1;
}

/* ---- the application's handlers ---- */

static sigjmp_buf way_out;

static void jump(int number, siginfo_t *info, void *context)
{
    uintptr_t address = (uintptr_t)info->si_addr;

    (void)context;
    /* Some processors report only the page. */
    note_call(number == SIGBUS && address - (uintptr_t)foreign < page(1) &&
              info->si_code == BUS_ADRERR);
    siglongjmp(way_out, 1);
}

static void jump_plain(int number)
{
    note_call(number == SIGBUS);
    siglongjmp(way_out, 1);
}

/* Maps memory in place of the lost page. */
static void map_lost_page(int number)
{
    void *base = mmap((void *)(uintptr_t)foreign, page(1), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

    note_call(number == SIGBUS && base != MAP_FAILED);
    errno = ERANGE;
}

/* The same for any page. */
static void map_any_page(int number, siginfo_t *info, void *context)
{
    uintptr_t start = (uintptr_t)info->si_addr / page(1) * page(1);
    void *base = mmap((void *)start, page(1), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

    (void)context;
    note_call(number == SIGBUS && base != MAP_FAILED);
}

static void count_only(int number)
{
    note_call(number == SIGBUS);
}

/* A map makes our handler the first one again. */
static int another_map(void)
{
    ironmap_map *another = NULL;

    child_check(ironmap_open_path(&another, files->path, IRONMAP_WRITE, NULL, NULL) == IRONMAP_OK);
    child_check(ironmap_close(another, NULL) == IRONMAP_OK);
    return 0;
}

/* ---- when it is installed -------------------------------------------------------------------- */

static bool is_default(void)
{
    struct sigaction found;

    return sigaction(SIGBUS, NULL, &found) == 0 && (found.sa_flags & SA_SIGINFO) == 0 &&
           found.sa_handler == SIG_DFL;
}

static int no_map_no_handler(void *unused)
{
    ironmap_options options = options_of(0, 10000);
    ironmap_map *map = NULL;

    (void)unused;
    child_check(is_default());
    child_check(ironmap_version() == IRONMAP_VERSION && ironmap_page_size() > 0);
    child_check(ironmap_open_path(&map, "/nonexistent/file", IRONMAP_WRITE, NULL, NULL) ==
                IRONMAP_E_SYSTEM);
    child_check(is_default());
    child_check(ironmap_open_anonymous(&map, IRONMAP_WRITE, &options, NULL) == IRONMAP_OK);
    child_check(!is_default());
    child_check(ironmap_close(map, NULL) == IRONMAP_OK);
    return 0;
}

/* ---- no other handler ------------------------------------------------------------------------ */

static int foreign_fault(void *unused)
{
    (void)unused;
    child_check(foreign_map() == 0 && own_map() == 0 && own_fault_is_handled() == 0);
    return touch_foreign();
}

static int sent_by_kill(void *unused)
{
    (void)unused;
    child_check(own_map() == 0 && own_fault_is_handled() == 0);
    (void)kill(getpid(), SIGBUS);
    return 0;
}

static int sent_by_raise(void *unused)
{
    (void)unused;
    child_check(own_map() == 0);
    (void)raise(SIGBUS);
    return 0;
}

static int sent_and_ignored(void *unused)
{
    (void)unused;
    (void)signal(SIGBUS, SIG_IGN);
    child_check(own_map() == 0 && own_fault_is_handled() == 0);
    child_check(kill(getpid(), SIGBUS) == 0 && raise(SIGBUS) == 0);
    return own_fault_is_handled();
}

/* A fault cannot be ignored: the process ends. */
static int foreign_fault_ignored(void *unused)
{
    (void)unused;
    (void)signal(SIGBUS, SIG_IGN);
    child_check(foreign_map() == 0 && own_map() == 0);
    return touch_foreign();
}

/* The address was the library's. */
static int foreign_fault_after_close(void *unused)
{
    volatile uint8_t *data = NULL;

    (void)unused;
    child_check(own_map() == 0);
    data = ironmap_data(own);
    child_check(ironmap_close(own, NULL) == IRONMAP_OK);
    child_check(mmap((void *)(uintptr_t)data, page(1), PROT_READ, MAP_SHARED | MAP_FIXED, files->fd,
                     0) != MAP_FAILED);
    child_check(ftruncate(files->fd, 0) == 0);
    return data[0];
}

/* ---- the application's handler --------------------------------------------------------------- */

/* Accesses the foreign page from a deeper frame each time. The handler jumps back. */
static int jump_from(size_t depth)
{
    volatile uint8_t frame[512];

    frame[0] = 0;
    return depth == 0 ? touch_foreign() : jump_from(depth - 1) + frame[0];
}

static int jump_often(void)
{
    for (volatile size_t i = 0; i < ROUNDS; i++) {
        if (sigsetjmp(way_out, 1) == 0) {
            (void)jump_from(i * 7 % 31);
            return 1;
        }
        child_check(!is_blocked(SIGBUS));
        child_check(calls == (int)i + 1);
    }
    child_check(flaws == 0);
    return own_fault_is_handled();
}

static int before_ours(void *unused)
{
    (void)unused;
    child_check(install(NULL, jump, 0, 0) == 0);
    child_check(foreign_map() == 0 && own_map() == 0 && own_fault_is_handled() == 0);
    return jump_often();
}

static int before_ours_plain(void *unused)
{
    (void)unused;
    child_check(install(jump_plain, NULL, 0, 0) == 0);
    child_check(foreign_map() == 0 && own_map() == 0 && own_fault_is_handled() == 0);
    return jump_often();
}

/* The application's handler gets the signal. The next map reinstalls ours. */
static int after_ours(void *unused)
{
    ironmap_map *another = NULL;

    (void)unused;
    child_check(foreign_map() == 0 && own_map() == 0);
    child_check(install(NULL, jump, 0, 0) == 0);
    child_check(ironmap_open_path(&another, files->path, IRONMAP_WRITE, NULL, NULL) == IRONMAP_OK);
    child_check(own_fault_is_handled() == 0 && calls == 0);
    return jump_often();
}

static int after_ours_resize(void *unused)
{
    (void)unused;
    child_check(foreign_map() == 0 && own_map() == 0);
    child_check(install(jump_plain, NULL, SA_NODEFER, 0) == 0);
    child_check(ironmap_resize(own, page(PAGES + 1), NULL) == IRONMAP_OK);
    child_check(own_fault_is_handled() == 0 && calls == 0);
    return jump_often();
}

/* A kill reaches the handler at any depth of the stack. */
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
    child_check(own_map() == 0);
    for (int i = 0; i < ROUNDS; i++) {
        child_check(kill_from((size_t)i) == 0);
        child_check(calls == i + 1);
        child_check(!is_blocked(SIGBUS));
    }
    child_check(flaws == 0);
    return own_fault_is_handled();
}

/* The handler maps the page. The access continues, with errno and mask unchanged. */
static int handler_that_maps_the_page(void *unused)
{
    (void)unused;
    child_check(install(map_lost_page, NULL, 0, SIGUSR1) == 0);
    child_check(foreign_map() == 0 && own_map() == 0);
    errno = EDOM;
    child_check(touch_foreign() == 0);
    child_check(errno == EDOM);
    child_check(calls == 1 && flaws == 0);
    child_check(!is_blocked(SIGBUS) && !is_blocked(SIGUSR1));
    return own_fault_is_handled();
}

/* It is no repetition of the last access: not another page, and not one of another handler. The
 * page of a closed chain is asked for again. */
static int each_page_is_asked_for(void *unused)
{
    volatile const uint8_t *first = NULL;

    (void)unused;
    child_check(foreign_map() == 0);
    first = foreign;
    child_check(foreign_map() == 0 && own_map() == 0);
    child_check(install(NULL, map_any_page, 0, 0) == 0 && another_map() == 0);
    child_check(first[5] == 0 && touch_foreign() == 0);
    child_check(calls == 2);
    child_check(foreign_lose() == 0);
    child_check(install(map_lost_page, NULL, 0, 0) == 0 && another_map() == 0);
    child_check(touch_foreign() == 0);
    child_check(calls == 3 && flaws == 0);
    return own_fault_is_handled();
}

static volatile sig_atomic_t jumps_next;

static void map_or_jump(int number, siginfo_t *info, void *context)
{
    if (jumps_next) {
        note_call(number == SIGBUS);
        siglongjmp(way_out, 1);
    }
    map_any_page(number, info, context);
}

/* A handler that left with longjmp for another page has not come back for this one. */
static int page_is_asked_for_after_a_jump(void *unused)
{
    volatile uint8_t *first = NULL;

    (void)unused;
    child_check(foreign_map() == 0);
    first = foreign;
    child_check(foreign_map() == 0 && own_map() == 0);
    child_check(install(NULL, map_or_jump, 0, 0) == 0 && another_map() == 0);
    child_check(first[5] == 0);
    jumps_next = 1;
    if (sigsetjmp(way_out, 1) == 0) {
        return touch_foreign() + 1;
    }
    jumps_next = 0;
    foreign = first;
    child_check(foreign_lose() == 0 && touch_foreign() == 0);
    child_check(calls == 3 && flaws == 0);
    return own_fault_is_handled();
}

static int page_is_asked_for_again(void *unused)
{
    (void)unused;
    child_check(install(map_lost_page, NULL, 0, 0) == 0);
    child_check(foreign_map() == 0 && own_map() == 0);
    child_check(touch_foreign() == 0 && foreign_lose() == 0 && touch_foreign() == 0);
    child_check(calls == 2 && flaws == 0);
    return own_fault_is_handled();
}

/* ---- the handler's flags --------------------------------------------------------------------- */

static void note_mask(int number)
{
    note_call(is_blocked(SIGBUS) && is_blocked(SIGUSR2) && !is_blocked(SIGUSR1) &&
              is_blocked(SIGHUP));
    map_lost_page(number);
}

/* The code that lost the page blocks SIGHUP. */
static int mask_is_applied(void *unused)
{
    sigset_t hangup;

    (void)unused;
    (void)sigemptyset(&hangup);
    (void)sigaddset(&hangup, SIGHUP);
    child_check(install(note_mask, NULL, 0, SIGUSR2) == 0);
    child_check(foreign_map() == 0 && own_map() == 0);
    child_check(sigprocmask(SIG_BLOCK, &hangup, NULL) == 0);
    child_check(touch_foreign() == 0);
    child_check(calls == 2 && flaws == 0);
    child_check(!is_blocked(SIGBUS) && !is_blocked(SIGUSR2));
    return 0;
}

static void note_no_mask(int number)
{
    note_call(!is_blocked(SIGBUS) && !is_blocked(SIGUSR1) && !is_blocked(SIGUSR2));
    map_lost_page(number);
}

static int nodefer_is_applied(void *unused)
{
    (void)unused;
    child_check(install(note_no_mask, NULL, SA_NODEFER, 0) == 0);
    child_check(foreign_map() == 0 && own_map() == 0);
    child_check(touch_foreign() == 0);
    child_check(calls == 2 && flaws == 0);
    return 0;
}

static void print_and_return(int number)
{
    (void)number;
    note_call_and_stop_loops();
}

/* A handler for one signal returns, as in crash reporters. The next fault ends the process. */
static int resethand_is_applied(void *unused)
{
    (void)unused;
    child_check(install(print_and_return, NULL, (int)SA_RESETHAND, 0) == 0);
    child_check(foreign_map() == 0 && own_map() == 0);
    return touch_foreign();
}

static int resethand_of_kill(void *unused)
{
    (void)unused;
    child_check(install(print_and_return, NULL, (int)SA_RESETHAND, 0) == 0);
    child_check(own_map() == 0);
    (void)raise(SIGBUS);
    child_check(calls == 1);
    (void)raise(SIGBUS);
    return 78;
}

/* A program that installs its handler again has one signal more, and as many as it likes with other
 * flags. */
static int resethand_is_installed_again(void *unused)
{
    (void)unused;
    child_check(install(print_and_return, NULL, (int)SA_RESETHAND, 0) == 0);
    child_check(own_map() == 0 && raise(SIGBUS) == 0);
    child_check(install(print_and_return, NULL, (int)SA_RESETHAND, 0) == 0);
    child_check(another_map() == 0 && raise(SIGBUS) == 0);
    child_check(calls == 2);
    child_check(install(print_and_return, NULL, 0, 0) == 0);
    child_check(another_map() == 0 && raise(SIGBUS) == 0 && raise(SIGBUS) == 0);
    child_check(calls == 4);
    return own_fault_is_handled();
}

/* ---- stacks ---------------------------------------------------------------------------------- */

/* Runs `work` in a thread with a small stack and an alternate signal stack. */
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

static void note_stack(int number)
{
    volatile uint8_t here = 0;

    handler_frame = (uintptr_t)&here;
    map_lost_page(number);
}

static int handler_on_other_stack(void)
{
    volatile uint8_t here = 0;
    uintptr_t mine = (uintptr_t)&here;
    stack_t stack;

    child_check(own_fault_is_handled() == 0 && touch_foreign() == 0);
    child_check(calls == 1 && flaws == 0);
    child_check(sigaltstack(NULL, &stack) == 0);
    child_check(handler_frame - (uintptr_t)stack.ss_sp < stack.ss_size);
    child_check(mine - (uintptr_t)stack.ss_sp >= stack.ss_size);
    return 0;
}

static int alternate_stack(void *unused)
{
    (void)unused;
    child_check(install(note_stack, NULL, SA_ONSTACK, 0) == 0);
    child_check(foreign_map() == 0 && own_map() == 0);
    return in_small_thread(handler_on_other_stack);
}

static int jumps_off_other_stack(void *unused)
{
    (void)unused;
    child_check(install(NULL, jump, SA_ONSTACK, 0) == 0);
    child_check(foreign_map() == 0 && own_map() == 0);
    return in_small_thread(jump_often);
}

/* Jumps from an alternate stack above this one, which is then unmapped. It must not be read
 * later. */
static int jump_off_unmapped_stack(void)
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
    child_check(calls == 2 && flaws == 0);
    return own_fault_is_handled();
}

static int stack_unmapped_after_jump(void *unused)
{
    (void)unused;
    child_check(install(NULL, jump, SA_ONSTACK, 0) == 0);
    child_check(foreign_map() == 0 && own_map() == 0);
    return in_small_thread(jump_off_unmapped_stack);
}

/* ---- blocked, or replaced after the map was opened ---- */

static int block_all(void)
{
    sigset_t all;

    return sigfillset(&all) == 0 ? pthread_sigmask(SIG_BLOCK, &all, NULL) : 1;
}

/* The usual thread of a daemon. */
static void *worker(void *result)
{
    *(int *)result = block_all() == 0 ? own_fault_is_handled() : 1;
    return NULL;
}

static int thread_that_blocks_all_signals(void *unused)
{
    int result = 1;
    pthread_t thread;

    (void)unused;
    child_check(own_map() == 0);
    child_check(pthread_create(&thread, NULL, worker, &result) == 0);
    child_check(pthread_join(thread, NULL) == 0);
    return result;
}

/* Opens a map of some chunks, whose file loses its last page. */
static int long_map(size_t length)
{
    file_solid(files, length);
    child_check(ironmap_open_path(&own, files->path, IRONMAP_READ, NULL, NULL) == IRONMAP_OK);
    uint8_t byte = 0;
    child_check(ironmap_get_byte(&byte, own, 0, NULL) == IRONMAP_OK);
    return truncate(files->path, (off_t)(length - page(1)));
}

static int long_read_is_a_fault(size_t length)
{
    uint8_t *bytes = malloc(length);
    ironmap_error error;

    child_check(bytes != NULL);
    child_check(ironmap_get(own, 0, bytes, length, &error) == IRONMAP_E_FAULT);
    child_check(error.offset == length - page(1));
    free(bytes);
    return 0;
}

enum { LONG_BYTES = 3 << 20 };

static int blocked_before_long_work(void *unused)
{
    (void)unused;
    child_check(long_map(LONG_BYTES) == 0 && block_all() == 0);
    return long_read_is_a_fault(LONG_BYTES);
}

static int default_before_long_work(void *unused)
{
    (void)unused;
    child_check(long_map(LONG_BYTES) == 0);
    child_check(signal(SIGBUS, SIG_DFL) != SIG_ERR);
    return long_read_is_a_fault(LONG_BYTES);
}

/* It looks after the handler behind the nearest positions, of which none is lost. */
static int default_before_a_long_search(void *unused)
{
    ironmap_error error;
    uint64_t index = 0;

    (void)unused;
    child_check(long_map(LONG_BYTES) == 0);
    child_check(signal(SIGBUS, SIG_DFL) != SIG_ERR);
    child_check(ironmap_find(&index, own, "\x80", 1, 0, IRONMAP_TO_END, &error) == IRONMAP_E_FAULT);
    child_check(error.offset == LONG_BYTES - page(1));
    return 0;
}

static int blocked_before_pin(void *unused)
{
    (void)unused;
    child_check(long_map(LONG_BYTES) == 0 && block_all() == 0);
    ironmap_pin(own);
    child_check(peek(own, LONG_BYTES - 1) == 0);
    child_check(ironmap_is_damaged(own));
    ironmap_unpin(own);
    return 0;
}

static int blocked_before_guard(void *unused)
{
    ironmap_guard guard;

    (void)unused;
    child_check(long_map(LONG_BYTES) == 0 && block_all() == 0);
    child_check(ironmap_guard_begin(&guard, own, NULL) == IRONMAP_OK);
    child_check(peek(own, LONG_BYTES - 1) == 0);
    child_check(ironmap_guard_end(&guard, NULL) == IRONMAP_E_FAULT);
    return 0;
}

/* A signal that a thread sends to itself before its first access is not an access. */
static int raised_before_the_first_access(void *unused)
{
    ironmap_options options = options_of(0, page(1));

    (void)unused;
    file_solid(files, page(1));
    child_check(ironmap_open_path(&own, files->path, IRONMAP_READ, &options, NULL) == IRONMAP_OK);
    (void)raise(SIGBUS);
    return 0;
}

/* Nor is one that it sends to itself inside a guard, where its own code runs. */
static int raised_inside_a_guard(void *unused)
{
    ironmap_guard guard;

    (void)unused;
    child_check(own_map() == 0);
    child_check(ironmap_guard_begin(&guard, own, NULL) == IRONMAP_OK);
    (void)raise(SIGBUS);
    return 0;
}

/* ---- what protects a thread ---- */

static int protection_is_told(void *unused)
{
    const struct sigaction other = {.sa_handler = count_only};
    sigset_t fault;

    (void)unused;
    (void)sigemptyset(&fault);
    (void)sigaddset(&fault, SIGBUS);
    child_check(ironmap_thread_protection() == IRONMAP_UNPROTECTED_NO_MAP);
    child_check(own_map() == 0);
    child_check(ironmap_thread_protection() == IRONMAP_PROTECTED);
    (void)pthread_sigmask(SIG_BLOCK, &fault, NULL);
    child_check(ironmap_thread_protection() == IRONMAP_UNPROTECTED_BLOCKED);
    (void)signal(SIGBUS, SIG_DFL);
    child_check(ironmap_thread_protection() == IRONMAP_UNPROTECTED_DEFAULT);
    (void)signal(SIGBUS, SIG_IGN);
    child_check(ironmap_thread_protection() == IRONMAP_UNPROTECTED_IGNORED);
    (void)sigaction(SIGBUS, &other, NULL);
    child_check(ironmap_thread_protection() == IRONMAP_UNPROTECTED_HANDLER);
    ironmap_pin(own);
    child_check(ironmap_thread_protection() == IRONMAP_PROTECTED);
    return 0;
}

/* Without a pin, after which losses would be damage. */
static int protected_on_request(void *unused)
{
    const struct sigaction other = {.sa_handler = count_only};
    sigset_t fault;

    (void)unused;
    (void)sigemptyset(&fault);
    (void)sigaddset(&fault, SIGBUS);
    child_check(own_map() == 0);
    (void)sigaction(SIGBUS, &other, NULL);
    (void)pthread_sigmask(SIG_BLOCK, &fault, NULL);
    ironmap_protect(own);
    child_check(ironmap_thread_protection() == IRONMAP_PROTECTED);
    child_check(!ironmap_was_exported(own));
    return 0;
}

/* ---- cases ---- */

static const signal_case cases[] = {
    {"no handler without a map", no_map_no_handler, false},
    {"foreign fault", foreign_fault, true},
    {"sent by kill", sent_by_kill, true},
    {"sent by raise", sent_by_raise, true},
    {"sent and ignored", sent_and_ignored, false},
    {"foreign fault, ignored", foreign_fault_ignored, true},
    {"foreign fault at the address of a closed map", foreign_fault_after_close, true},
    {"handler before ours", before_ours, false},
    {"plain handler before ours", before_ours_plain, false},
    {"handler after ours", after_ours, false},
    {"handler after ours, then resize", after_ours_resize, false},
    {"kill reaches the handler", kill_reaches_handler, false},
    {"handler that maps the page", handler_that_maps_the_page, false},
    {"handler that maps each page", each_page_is_asked_for, false},
    {"handler that maps a page again", page_is_asked_for_again, false},
    {"handler that maps a page after a jump", page_is_asked_for_after_a_jump, false},
    {"sa_mask", mask_is_applied, false},
    {"SA_NODEFER", nodefer_is_applied, false},
    {"SA_RESETHAND", resethand_is_applied, true},
    {"SA_RESETHAND, sent", resethand_of_kill, true},
    {"SA_RESETHAND, again", resethand_is_installed_again, false},
    {"alternate stack", alternate_stack, false},
    {"jumps off an alternate stack", jumps_off_other_stack, false},
    {"stack unmapped after a jump", stack_unmapped_after_jump, false},
    {"thread that blocks all signals", thread_that_blocks_all_signals, false},
    {"blocked before long work", blocked_before_long_work, false},
    {"default action before long work", default_before_long_work, false},
    {"default action before a long search", default_before_a_long_search, false},
    {"blocked before a pin", blocked_before_pin, false},
    {"blocked before a guard", blocked_before_guard, false},
    {"protection", protection_is_told, false},
    {"protected on request", protected_on_request, false},
    {"raised before the first access", raised_before_the_first_access, true},
    {"raised inside a guard", raised_inside_a_guard, true},
};

int main(int count, char **arguments)
{
    return run_signal_cases(cases, COUNT_OF(cases), count, arguments);
}
