#include "fault_support.h"

#include "support_below.h"

/* A native program below Wine truncates: Windows does not truncate a mapped file. */

void truncator_start(truncator *c, const fixture *f)
{
    if (!below_start()) {
        skip_because("Windows does not truncate a mapped file");
    }
    *c = (truncator){.f = f};
}

/* The program ends with this one. */
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
