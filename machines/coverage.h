/* For the build that measures coverage, in front of every source. A process that ends by _exit, as
 * a child of a test does, or by a signal whose default action the library restores, writes its
 * counters first. */
#ifndef IRONMAP_COVERAGE_H
#define IRONMAP_COVERAGE_H

#define IRONMAP_WEAK __attribute__((weak, visibility("hidden")))

void __gcov_dump(void);
void __gcov_reset(void);

/* The functions by other names, since the system's headers declare them later. */
void ironmap_real_exit(int status) __asm__("_exit") __attribute__((noreturn));
int ironmap_real_sigaction(int number, const void *action, void *before) __asm__("sigaction");

IRONMAP_WEAK __attribute__((noreturn)) void ironmap_test_exit(int status);
IRONMAP_WEAK int ironmap_test_sigaction_of(int number, const void *action,
                                           void *before) __asm__("ironmap_test_sigaction");

IRONMAP_WEAK __attribute__((noreturn)) void ironmap_test_exit(int status)
{
    __gcov_dump();
    ironmap_real_exit(status);
}

/* The handler is the first member, and SIG_DFL is 0. */
IRONMAP_WEAK int ironmap_test_sigaction_of(int number, const void *action, void *before)
{
    if (action != 0 && *(void *const *)action == 0) {
        __gcov_dump();
        __gcov_reset();
    }
    return ironmap_real_sigaction(number, action, before);
}

/* The declarations in the system's headers become those of these functions. */
#define _exit(status) ironmap_test_exit(status)
#define sigaction(number, action, before) ironmap_test_sigaction(number, action, before)

#endif /* IRONMAP_COVERAGE_H */
