/* The fast half of the guard: what every access does before and after it touches mapped bytes. In a
 * file of its own, so that a build without it can be measured beside this one (bench/unguarded).
 */
#ifndef IRONMAP_GUARD_FAST_H
#define IRONMAP_GUARD_FAST_H

#include "base/compiler.h"
#include "fault/accessed.h"
#include "fault/mapping.h"
#include "platform/order_stores.h"

/* An access that has begun. */
typedef struct ironmap__guard {
    const ironmap__mapping *mapping;
    size_t losses; /* of the mapping, when the access began */
} ironmap__guard;

/* True, and the access has begun, if no page of the mapping is zeros. */
static inline bool ironmap__guard_try(ironmap__guard *guard, const ironmap__mapping *mapping)
{
    guard->mapping = mapping;
    guard->losses = atomic_load_explicit(&mapping->state.losses, memory_order_acquire);
    return guard->losses == atomic_load_explicit(&mapping->state.restored, memory_order_acquire);
}

/* False in a thread that has accessed nothing before: ironmap__guard_enter prepares it. */
static inline bool ironmap__guard_is_prepared(void)
{
    return ironmap__accessed == NULL;
}

static inline void ironmap__guard_enter_prepared(const ironmap__mapping *mapping)
{
    ironmap__accessed = mapping;
    atomic_signal_fence(memory_order_seq_cst);
}

static inline void ironmap__guard_enter(const ironmap__mapping *mapping)
{
    if (IRONMAP__RARE(!ironmap__guard_is_prepared())) {
        ironmap__prepare_thread();
    }
    ironmap__guard_enter_prepared(mapping);
}

static inline void ironmap__guard_exit(void)
{
    atomic_signal_fence(memory_order_seq_cst);
    ironmap__accessed = NULL;
}

/* True if nothing was lost since the access began. `stored`: the access may have stored. */
static inline bool ironmap__guard_held(ironmap__guard guard, bool stored)
{
    if (stored) {
        IRONMAP__ORDER_STORES();
    }
    atomic_thread_fence(memory_order_acquire);
    return atomic_load_explicit(&guard.mapping->state.losses, memory_order_relaxed) == guard.losses;
}

#endif /* IRONMAP_GUARD_FAST_H */
