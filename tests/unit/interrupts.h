/* Something that comes in the middle of other work: a handler, a fork, another thread's change. */
#ifndef IRONMAP_TESTS_INTERRUPTS_H
#define IRONMAP_TESTS_INTERRUPTS_H

#include <stdbool.h>
#include <stddef.h>

/* From now on `middle` comes before atomic access number `at` (atomic_steps.h). */
void interrupt_at(void (*middle)(void), size_t at);

/* True if it has come. If not, it comes no more. */
bool was_interrupted(void);

/* Does `work`, with `middle` before its atomic access number `at`. False if it has no such access.
 */
bool interrupts(void (*middle)(void), void (*work)(void), size_t at);

#endif /* IRONMAP_TESTS_INTERRUPTS_H */
