#include "interrupts.h"

#include "atomic_steps.h"
#include "unit.h"

/* More than there are. */
enum { STEPS_MAX = 1000, STEPS_OF_WORK_MAX = 2000 };

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

static void begin(void (*middle)(void), size_t at)
{
    steps = 0;
    interrupted_at = at;
    interrupt = middle;
}

void interrupt_at(void (*middle)(void), size_t at)
{
    assert_true(at < STEPS_MAX);
    begin(middle, at);
}

bool was_interrupted(void)
{
    bool was = interrupt == NULL;
    interrupt = NULL;
    return was;
}

bool interrupts(void (*middle)(void), void (*work)(void), size_t at)
{
    assert_true(at < STEPS_OF_WORK_MAX);
    begin(middle, at);
    work();
    return was_interrupted();
}
