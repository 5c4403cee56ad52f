#include "interrupts.h"

#include "atomic_steps.h"
#include "unit.h"

enum { STEPS_MAX = 2000 };

static void (*interrupt)(void);
static size_t steps;
static size_t interrupted_at;

void atomic_step(void)
{
    if (interrupt != NULL && steps++ == interrupted_at) {
        void (*now)(void) = interrupt;
        interrupt = NULL;
        now();
    }
}

bool interrupts(void (*middle)(void), void (*work)(void), size_t at)
{
    assert_true(at < STEPS_MAX);
    steps = 0;
    interrupted_at = at;
    interrupt = middle;
    work();
    bool has_interrupted = interrupt == NULL;
    interrupt = NULL;
    return has_interrupted;
}
