/* Ctrl-C and other signals in the middle of long work. */
#ifndef IRONMAP_EXT_GIL_H
#define IRONMAP_EXT_GIL_H

#include "compat.h"

/* Gives the GIL up and takes it back, around work in which the library may ask whether to go on. */
PyThreadState *gil_release(void);
void gil_acquire(PyThreadState *thread);

/* The question, as ironmap_options.check: now and then the GIL is taken and handlers of signals
 * run. Not 0, and an exception is set, where one has raised. */
int gil_check_signals(void *unused);

/* Lets whoever waits for the GIL run, and the handlers of signals. False, with an exception, where
 * one has raised. */
bool eval_breaker_check_now(void);

/* What that needs of the module: an object of this name, which eval_breaker_new makes. */
#define EVAL_BREAKER_NAME "_check_eval_breaker"
PyObject *eval_breaker_new(void);

/* The same after much work in small pieces, as iterators do it, for code in C that asks for one
 * after the other and never lets go of the GIL itself. `*work` adds up the bytes; a turn comes
 * after about a millisecond. A piece counts for some bytes more than it has. */
enum { EVAL_BREAKER_BYTES = 1 << 21, EVAL_BREAKER_ITEM_BYTES = 64 };

static inline bool eval_breaker_check(size_t *work, size_t bytes)
{
    *work += bytes + EVAL_BREAKER_ITEM_BYTES;
    if (*work < EVAL_BREAKER_BYTES) {
        return true;
    }
    *work = 0;
    return eval_breaker_check_now();
}

#endif /* IRONMAP_EXT_GIL_H */
