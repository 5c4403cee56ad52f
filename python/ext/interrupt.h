/* Ctrl-C and other signals in the middle of long work. */
#ifndef MAPIO_EXT_INTERRUPT_H
#define MAPIO_EXT_INTERRUPT_H

#include "compat.h"

/* Gives the GIL up and takes it back, around work in which the library may ask whether to go on. */
PyThreadState *interrupt_let_go(void);
void interrupt_take_back(PyThreadState *thread);

/* The question, as mapio_options.check: now and then the GIL is taken and handlers of signals run.
 * Not 0, and an exception is set, where one has raised. */
int interrupt_check(void *unused);

#endif /* MAPIO_EXT_INTERRUPT_H */
