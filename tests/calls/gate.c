#include "gate.h"

#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include "calls.h"

static atomic_int awaited; /* a gate_place */
static atomic_bool yield_opens_it;
static atomic_bool arrived;
static atomic_bool is_open;
static atomic_bool opened_by_yield;
static void (*visitor)(void);

/* Async-signal-safe, as all that runs in a thread that is held. */
static void rest(void)
{
    (void)nanosleep(&(struct timespec){0, 100000}, NULL);
}

static void come_to(gate_place place)
{
    int expected = (int)place;

    if (!atomic_compare_exchange_strong(&awaited, &expected, GATE_NONE)) {
        return;
    }
    if (visitor != NULL) {
        visitor();
        return;
    }
    atomic_store(&arrived, true);
    while (!atomic_load(&is_open)) {
        rest();
    }
}

static int before_call(const char *name)
{
    calls_mapping mapping = calls_last_mapping();

    if (strcmp(name, "mmap") == 0 && mapping.fixed && !mapping.anonymous) {
        come_to(GATE_BEFORE_RESTORING);
    } else if (strcmp(name, "fstat") == 0) {
        come_to(GATE_BEFORE_LENGTH);
    } else if (strcmp(name, "calloc") == 0) {
        come_to(GATE_BEFORE_ALLOCATING);
    } else if (strcmp(name, "malloc") == 0) {
        come_to(GATE_BEFORE_RECORDING);
    } else if (strcmp(name, "sigaction") == 0 && calls_installs_handler()) {
        come_to(GATE_BEFORE_SIGACTION);
    } else if (strcmp(name, "sched_yield") == 0 && atomic_load(&arrived) &&
               atomic_load(&yield_opens_it)) {
        atomic_store(&opened_by_yield, true);
        atomic_store(&is_open, true);
    }
    return 0;
}

static void after_call(const char *name)
{
    calls_mapping mapping = calls_last_mapping();

    if (strcmp(name, "mmap") == 0 && mapping.fixed && mapping.anonymous) {
        come_to(GATE_AFTER_REPLACING);
    }
}

void gate_set(gate_place place, bool yield_opens)
{
    arrived = false;
    is_open = false;
    opened_by_yield = false;
    visitor = NULL;
    yield_opens_it = yield_opens;
    calls_watch(before_call, after_call);
    atomic_store(&awaited, (int)place);
}

void gate_await(void)
{
    while (!atomic_load(&arrived)) {
        rest();
    }
}

void gate_open(void)
{
    atomic_store(&is_open, true);
}

bool gate_was_opened_by_yield(void)
{
    return atomic_load(&opened_by_yield);
}

void gate_call(void (*visit)(void))
{
    visitor = visit;
}
