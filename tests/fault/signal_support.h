/* What the tests of signals share: the state of a child process, pages of the library's and of
 * others to lose in it, and cases that each run in a child. Everything here is for one child at a
 * time. */
#ifndef IRONMAP_TESTS_SIGNAL_SUPPORT_H
#define IRONMAP_TESTS_SIGNAL_SUPPORT_H

#include "fault_support.h"

#include <signal.h>

enum { PAGES = 4 };

/* ---- what a child has ---- */

extern fixture *files;              /* a file of PAGES solid pages */
extern volatile uint8_t *foreign;   /* a map of an emptied file that the library knows nothing of */
extern ironmap_map *own;            /* a map of the library's */
extern volatile sig_atomic_t calls; /* of the application's handler */
extern volatile sig_atomic_t flaw;  /* the handler saw something that is not as it must be */
extern struct sigaction previous;   /* what the application's handler found */

/* Bytes in `count` pages. */
size_t page(size_t count);

/* The functions of a child return 0 for success. */

/* Makes a plain map of a file that is empty by now, and touches it. */
int foreign_make(void);
int touch_foreign(void);

/* Makes the library's map, whole; loses pages of it and gets them back: all as ever. */
int own_make(void);
int own_fault(void);

/* ---- the application's handlers ---- */

/* In a handler: counts its call, and what is not good. The second one ends what runs in a circle,
 * and so is called too often for one signal. */
void note(bool good);
void note_and_stop_loops(void);

/* Installs a handler for SIGBUS, one of the two, with a signal that it wants blocked or 0. */
int install(void (*plain)(int), void (*full)(int, siginfo_t *, void *), int flags, int mask);

/* ---- each in its child ---- */

typedef struct signal_case {
    const char *name;
    int (*work)(void *);
    bool dies; /* of SIGBUS; otherwise it returns 0 */
} signal_case;

/* Runs the cases, each as a group so that a failure names it, and returns how many failed. The
 * program's arguments choose cases by a part of the name. */
int run_signal_cases(const signal_case *cases, size_t count, int words, char **arguments);

#endif /* IRONMAP_TESTS_SIGNAL_SUPPORT_H */
