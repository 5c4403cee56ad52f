#include "fault_support.h"

#include "support_below.h"

/* A program of the system below Wine cuts: Windows lets nobody cut a file that is mapped. */

void truncator_start(truncator *c, const fixture *f)
{
    if (!below_start()) {
        skip_because("Windows lets nobody cut a file that is mapped");
    }
    *c = (truncator){.f = f};
}

/* It ends with this program. */
void truncator_stop(truncator *c)
{
    truncator_wait(c);
}

void truncator_request(truncator *c, uint64_t length, unsigned delay)
{
    below_truncate(c->f->path, length, delay);
}

bool truncator_done(const truncator *c)
{
    (void)c;
    return below_is_done();
}

void truncator_wait(const truncator *c)
{
    while (!truncator_done(c)) {
    }
}
