/* The registry of live mappings, by which the fault handler finds a mapping by an address. */
#ifndef IRONMAP_REGISTRY_H
#define IRONMAP_REGISTRY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ironmap__mapping;

/* An entry of the registry. */
typedef struct ironmap__registry_entry ironmap__registry_entry;

/* A free entry, given to `mapping`, without an address; NULL if memory is out. Thread-safe, O(1).
 */
ironmap__registry_entry *ironmap__registry_enter(struct ironmap__mapping *mapping);

/* Says which addresses are the mapping's: [base, base + length), none with length 0. No other entry
 * has one of them. One thread at a time for an entry, O(log n). */
void ironmap__registry_set(ironmap__registry_entry *entry, uintptr_t base, size_t length);

/* The memory of an entry. What was given back is used again, and never freed. */
size_t ironmap__registry_entry_size(void);

/* Gives the entry back. */
void ironmap__registry_exit(ironmap__registry_entry *entry);

/* The mapping that has `address`, or NULL. Async-signal-safe and lock-free. O(log n), or O(n) while
 * other threads change the registry without a pause. */
struct ironmap__mapping *ironmap__registry_find(uintptr_t address);

/* The mapping that has the lowest of the addresses [first, last] that belong to any, or NULL. As
 * ironmap__registry_find. */
struct ironmap__mapping *ironmap__registry_first(uintptr_t first, uintptr_t last);

/* Addresses [first, last] of no mapping, as long as the registry does not change. */
typedef struct ironmap__registry_gap {
    size_t sequence; /* of the registry */
    uintptr_t first;
    uintptr_t last;
} ironmap__registry_gap;

/* Counts the changes of addresses, two for each; odd in the middle of one. */
extern atomic_size_t ironmap__registry_sequence;

/* True if no mapping got or gave up addresses since the gap was found. */
static inline bool ironmap__registry_is_as_at(const ironmap__registry_gap *gap)
{
    return atomic_load_explicit(&ironmap__registry_sequence, memory_order_acquire) == gap->sequence;
}

/* The gap that `address` lies in. False if it is a mapping's, or if the registry is changing. */
bool ironmap__registry_find_gap(ironmap__registry_gap *gap, uintptr_t address);

/* Calls `visit` with every mapping that has an entry. For a child of fork, in which no other thread
 * changes the registry. */
void ironmap__registry_each(void (*visit)(struct ironmap__mapping *mapping));

/* In a child of fork: makes the registry whole if a thread of the parent was changing it. The
 * mapping that it was changing has no address then. */
void ironmap__registry_after_fork(void);

#endif /* IRONMAP_REGISTRY_H */
