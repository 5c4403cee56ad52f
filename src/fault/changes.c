#include "fault/changes.h"

#include <stdatomic.h>

static atomic_size_t changes_begun;
static atomic_size_t changes_ended;

void ironmap__change_begin(void)
{
    atomic_fetch_add(&changes_begun, 1);
}

void ironmap__change_end(void)
{
    atomic_fetch_add(&changes_ended, 1);
}

size_t ironmap__changes_ended(void)
{
    return atomic_load(&changes_ended);
}

/* A change that had not ended when `before` was read is counted in `changes_begun` and not in
 * `before`. One that had is of no interest: the registry had its result already. */
bool ironmap__changed_since(size_t before)
{
    return atomic_load(&changes_begun) != before;
}

void ironmap__changes_after_fork(void)
{
    atomic_store(&changes_ended, atomic_load(&changes_begun));
}
