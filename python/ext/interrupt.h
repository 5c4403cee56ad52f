/* Ctrl-C and other signals in the middle of long work. */
#ifndef IRONMAP_EXT_INTERRUPT_H
#define IRONMAP_EXT_INTERRUPT_H

#include "compat.h"

/* Gives the GIL up and takes it back, around work in which the library may ask whether to go on. */
PyThreadState *interrupt_let_go(void);
void interrupt_take_back(PyThreadState *thread);

/* The question, as ironmap_options.check: now and then the GIL is taken and handlers of signals
 * run. Not 0, and an exception is set, where one has raised. */
int interrupt_check(void *unused);

/* Lets whoever waits for the GIL run, and the handlers of signals. False, with an exception, where
 * one has raised. */
bool interrupt_give_turn(void);

/* What that needs of the module: an object of this name, which interrupt_turn_new makes. */
#define INTERRUPT_TURN_NAME "_turn"
PyObject *interrupt_turn_new(void);

/* The same after much work in small pieces, as iterators do it, for code in C that asks for one
 * after the other and never lets go of the GIL itself. `*work` adds up the bytes; a turn comes
 * after about a millisecond. A piece counts for some bytes more than it has. */
enum { INTERRUPT_TURN = 1 << 21, INTERRUPT_PIECE = 64 };

static inline bool interrupt_turn(size_t *work, size_t bytes)
{
    *work += bytes + INTERRUPT_PIECE;
    if (*work < INTERRUPT_TURN) {
        return true;
    }
    *work = 0;
    return interrupt_give_turn();
}

#endif /* IRONMAP_EXT_INTERRUPT_H */
