/* A file that is compiled with this header in front of it calls `atomic_step` before each of its
 * atomic accesses. There the test lets another handler run, or counts. So the test goes through
 * every place at which an order of two threads can differ, without a thread. */
#ifndef IRONMAP_TESTS_ATOMIC_STEPS_H
#define IRONMAP_TESTS_ATOMIC_STEPS_H

#include <stdatomic.h>

void atomic_step(void);

#define ATOMIC_STEP(access, ...) (atomic_step(), access(__VA_ARGS__, memory_order_seq_cst))

#undef atomic_load
#undef atomic_store
#undef atomic_exchange
#undef atomic_fetch_add
#undef atomic_fetch_and
#undef atomic_fetch_or
#undef atomic_compare_exchange_strong
#undef atomic_compare_exchange_weak
#define atomic_load(place) ATOMIC_STEP(atomic_load_explicit, place)
#define atomic_store(place, value) ATOMIC_STEP(atomic_store_explicit, place, value)
#define atomic_exchange(place, value) ATOMIC_STEP(atomic_exchange_explicit, place, value)
#define atomic_fetch_add(place, value) ATOMIC_STEP(atomic_fetch_add_explicit, place, value)
#define atomic_fetch_and(place, bits) ATOMIC_STEP(atomic_fetch_and_explicit, place, bits)
#define atomic_fetch_or(place, bits) ATOMIC_STEP(atomic_fetch_or_explicit, place, bits)
#define atomic_compare_exchange_strong(place, expected, value)                                     \
    ATOMIC_STEP(atomic_compare_exchange_strong_explicit, place, expected, value,                   \
                memory_order_seq_cst)
#define atomic_compare_exchange_weak(place, expected, value)                                       \
    ATOMIC_STEP(atomic_compare_exchange_weak_explicit, place, expected, value, memory_order_seq_cst)

#endif /* IRONMAP_TESTS_ATOMIC_STEPS_H */
