/* The fast half of the guard with nothing in it, to measure what the guard costs. */
#ifndef IRONMAP_GUARD_FAST_H
#define IRONMAP_GUARD_FAST_H

#include "fault/accessed.h"
#include "fault/mapping.h"

typedef struct ironmap__guard {
    const ironmap__mapping *mapping;
    size_t losses;
} ironmap__guard;

static inline bool ironmap__guard_try(ironmap__guard *guard, const ironmap__mapping *mapping)
{
    guard->mapping = mapping;
    guard->losses = 0;
    return true;
}

static inline bool ironmap__guard_is_prepared(void)
{
    return true;
}

static inline void ironmap__guard_enter_prepared(const ironmap__mapping *mapping)
{
    (void)mapping;
}

static inline size_t ironmap__guard_enter_short(const ironmap__mapping *mapping)
{
    (void)mapping;
    return 0;
}

static inline void ironmap__guard_enter(const ironmap__mapping *mapping)
{
    (void)mapping;
}

static inline void ironmap__guard_exit(void)
{
}

static inline bool ironmap__guard_held(ironmap__guard guard, bool stored)
{
    (void)guard;
    (void)stored;
    return true;
}

#endif /* IRONMAP_GUARD_FAST_H */
