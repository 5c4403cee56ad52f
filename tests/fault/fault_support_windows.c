#include "fault_support.h"

#include "support_below.h"

/* A program of the system below Wine cuts: Windows lets nobody cut a file that is mapped. */

void cutter_start(cutter *c, const fixture *f)
{
    if (!below_start()) {
        skip_because("Windows lets nobody cut a file that is mapped");
    }
    *c = (cutter){.f = f};
}

/* It ends with this program. */
void cutter_stop(cutter *c)
{
    cutter_wait(c);
}

void cutter_ask(cutter *c, uint64_t length, unsigned delay)
{
    below_cut(c->f->path, length, delay);
}

bool cutter_done(const cutter *c)
{
    (void)c;
    return below_is_done();
}

void cutter_wait(const cutter *c)
{
    while (!cutter_done(c)) {
    }
}
