/* A gate holds the first thread that comes to a chosen system call until the test opens it. So an
 * order of two threads that is rare becomes the only one. */
#ifndef IRONMAP_TESTS_GATE_H
#define IRONMAP_TESTS_GATE_H

#include <stdbool.h>

/* A place in the library. */
typedef enum gate_place {
    GATE_NONE,
    GATE_BEFORE_LENGTH,     /* a handler has counted its loss, and asks where the file ends */
    GATE_AFTER_REPLACING,   /* a lost page is zeros */
    GATE_BEFORE_RESTORING,  /* the file's page is about to be mapped again */
    GATE_BEFORE_ALLOCATING, /* calloc(3) */
    GATE_BEFORE_RECORDING,  /* malloc(3), as of the record of another program's handler */
    GATE_BEFORE_SIGACTION   /* sigaction(2) that installs a handler */
} gate_place;

/* The next thread that comes to the place waits there. A thread that yields opens the gate if
 * `yield_opens`: it waits for the one that is held. */
void gate_set(gate_place place, bool yield_opens);

/* Returns when a thread is held. */
void gate_await(void);

void gate_open(void);

/* True if a thread that yielded has opened the gate. */
bool gate_was_opened_by_yield(void);

/* Called in the thread that comes to the place, which then goes on. NULL for none. */
void gate_call(void (*visit)(void));

#endif /* IRONMAP_TESTS_GATE_H */
