/* Shared by the tests of signals: the state of a child process, pages of the library and of others,
 * and cases that run in a child each. */
#ifndef IRONMAP_TESTS_SIGNAL_SUPPORT_H
#define IRONMAP_TESTS_SIGNAL_SUPPORT_H

#include "fault_support.h"

#include <signal.h>

enum { PAGES = 4 };

/* ---- state of a child ---- */

extern fixture *files;              /* a file of PAGES solid pages */
extern volatile uint8_t *foreign;   /* a map of an emptied file, unknown to the library */
extern ironmap_map *own;            /* a map of the library */
extern volatile sig_atomic_t calls; /* of the application's handler */
extern volatile sig_atomic_t flaws; /* unexpected observations of the handler */
extern struct sigaction previous;   /* the handler before the application's */

/* Bytes of `count` pages. */
size_t page(size_t count);

/* The functions of a child return 0 for success. */

/* Map an emptied file without the library, and touch the map. Lose it again after a handler has
 * mapped memory in its place. */
int foreign_map(void);
int touch_foreign(void);
int foreign_lose(void);

/* Open the library's map, and lose and restore pages of it. */
int own_map(void);
int own_fault_is_handled(void);

/* ---- the application's handlers ---- */

/* Called in a handler: counts calls and flaws. The second one ends an endless loop of signals. */
void note_call(bool good);
void note_call_and_stop_loops(void);

/* Installs one of two handlers for SIGBUS. `mask` is a signal to block, or 0. */
int install(void (*plain)(int), void (*full)(int, siginfo_t *, void *), int flags, int mask);

/* ---- cases ---- */

typedef struct signal_case {
    const char *name;
    int (*work)(void *);
    bool dies; /* of SIGBUS, instead of returning 0 */
} signal_case;

/* Runs each case as a group, named in failures. Returns the number of failed cases. Arguments
 * select cases by a part of the name. */
int run_signal_cases(const signal_case *cases, size_t count, int words, char **arguments);

#endif /* IRONMAP_TESTS_SIGNAL_SUPPORT_H */
