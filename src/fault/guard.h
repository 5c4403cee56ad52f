/* The pieces of the fault guard: what every access of the library does before and after it touches
 * mapped memory. They are here by themselves so that a build without them can be measured beside
 * this one (bench/unguarded). Included by internal.h; the reasoning is in fault.c. */
#ifndef IRONMAP_GUARD_H
#define IRONMAP_GUARD_H

/* Begins where no page of the map is lost, and tells whether it did. */
static inline bool ironmap__guard_try(ironmap__guard *guard, const ironmap_map *map)
{
    guard->map = map;
    guard->losses = atomic_load_explicit(&map->health.losses, memory_order_acquire);
    return guard->losses == atomic_load_explicit(&map->health.restored, memory_order_acquire);
}

static inline void ironmap__guard_enter(const ironmap_map *map)
{
    ironmap__accessed = map;
    atomic_signal_fence(memory_order_seq_cst);
}

static inline void ironmap__guard_leave(void)
{
    atomic_signal_fence(memory_order_seq_cst);
    ironmap__accessed = NULL;
}

/* Whether nothing was lost since begin. */
static inline bool ironmap__guard_whole(ironmap__guard guard)
{
    atomic_thread_fence(memory_order_acquire);
    return atomic_load_explicit(&guard.map->health.losses, memory_order_relaxed) == guard.losses;
}

#endif /* IRONMAP_GUARD_H */
