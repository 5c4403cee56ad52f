/* Entries, and an index over them.
 *
 * The entries are the truth. They stand in blocks that are never freed, so a signal handler reads
 * them without a lock. Each has a version that is odd while the entry changes. An entry in change
 * belongs to a mapping that is being opened, resized or closed, which no thread accesses meanwhile:
 * the reader skips it.
 *
 * The index is a skip list of the entries that have addresses, by base. Its links lie in the
 * entries:
 *
 *     level 2   head ---------------------------> 0x7000 ----------> NULL
 *     level 1   head ----------> 0x3000 --------> 0x7000 ----------> NULL
 *     level 0   head -> 0x1000 -> 0x3000 -> 0x4000 -> 0x7000 -> 0x9000 -> NULL
 *
 * Writers change it under a lock that is held over no call. The sequence is odd meanwhile. A reader
 * takes no lock and a bounded number of steps: the links that it follows may be changing, but
 * always lead to entries.
 * - A hit is proven by the version of the entry itself.
 * - A miss counts if the sequence was even and is the same after.
 * - Otherwise the reader tries again a few times, and then looks at all entries. That is always
 *   right, also for a signal that interrupts a writer.
 */
#include "fault/registry.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "platform/platform.h"

enum {
    ENTRIES_OF_A_BLOCK = 64,
    LEVELS = 12,      /* each has a quarter of the entries of the one below */
    STEPS_MAX = 1024, /* many more than the index of a whole address space takes */
    TRIES = 4         /* of a reader, before it looks at all entries */
};

typedef _Atomic(ironmap__registry_entry *) entry_link;

struct ironmap__registry_entry {
    atomic_size_t version; /* odd: in change */
    atomic_uintptr_t base;
    atomic_size_t length;
    _Atomic(struct ironmap__mapping *) mapping; /* NULL: free */
    size_t levels;                              /* for writers; 0: not in the index */
    entry_link next[LEVELS];                    /* of a free entry: next[0] is the next free one */
};

struct block {
    ironmap__registry_entry entries[ENTRIES_OF_A_BLOCK];
    struct block *older;
};

static struct block first_block;
static _Atomic(struct block *) newest_block; /* NULL before the first entry */

atomic_size_t ironmap__registry_sequence;

/* Under the lock. */
static atomic_bool locked;
static ironmap__registry_entry head; /* of the index: before all entries, without addresses */
static ironmap__registry_entry *free_entries;
static uint32_t random_state = 0x9E3779B9;

static void lock_index(void)
{
    while (atomic_exchange(&locked, true)) {
        ironmap__yield();
    }
}

static void unlock_index(void)
{
    atomic_store(&locked, false);
}

/* ---- free entries ---- */

static void push_free(ironmap__registry_entry *entry)
{
    atomic_store(&entry->next[0], free_entries);
    free_entries = entry;
}

static void push_block(struct block *block)
{
    block->older = atomic_load(&newest_block);
    for (size_t i = ENTRIES_OF_A_BLOCK; i-- > 0;) {
        push_free(&block->entries[i]);
    }
    atomic_store(&newest_block, block);
}

/* Gives a free entry to `mapping`; NULL if there is none. */
static ironmap__registry_entry *pop_free(struct ironmap__mapping *mapping)
{
    if (atomic_load(&newest_block) == NULL) {
        push_block(&first_block);
    }
    ironmap__registry_entry *entry = free_entries;
    if (entry != NULL) {
        free_entries = atomic_load(&entry->next[0]);
        atomic_store(&entry->mapping, mapping);
    }
    return entry;
}

/* ---- the index, for writers ---- */

/* 1, and one more in a quarter of the cases (xorshift). */
static size_t random_levels(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    size_t count = 1;
    for (uint32_t bits = random_state; count < LEVELS && bits % 4 == 0; bits /= 4) {
        count++;
    }
    return count;
}

/* `before[level]` is the last entry of each level with a base lower than `base`. */
static void find_before(ironmap__registry_entry *before[LEVELS], uintptr_t base)
{
    ironmap__registry_entry *at = &head;
    for (size_t level = LEVELS; level-- > 0;) {
        ironmap__registry_entry *next = atomic_load(&at->next[level]);
        while (next != NULL && atomic_load(&next->base) < base) {
            at = next;
            next = atomic_load(&at->next[level]);
        }
        before[level] = at;
    }
}

static void link_entry(ironmap__registry_entry *entry)
{
    ironmap__registry_entry *before[LEVELS];
    find_before(before, atomic_load(&entry->base));
    entry->levels = random_levels();
    for (size_t level = 0; level < entry->levels; level++) {
        atomic_store(&entry->next[level], atomic_load(&before[level]->next[level]));
        atomic_store(&before[level]->next[level], entry);
    }
}

static void unlink_entry(ironmap__registry_entry *entry)
{
    ironmap__registry_entry *before[LEVELS];
    find_before(before, atomic_load(&entry->base));
    for (size_t level = 0; level < entry->levels; level++) {
        atomic_store(&before[level]->next[level], atomic_load(&entry->next[level]));
    }
    entry->levels = 0;
}

/* ---- writers ---- */

ironmap__registry_entry *ironmap__registry_enter(struct ironmap__mapping *mapping)
{
    lock_index();
    ironmap__registry_entry *entry = pop_free(mapping);
    unlock_index();
    if (entry != NULL) {
        return entry;
    }
    struct block *made = calloc(1, sizeof(*made));
    lock_index();
    entry = pop_free(mapping); /* another thread may have made a block meanwhile */
    if (entry == NULL && made != NULL) {
        push_block(made);
        made = NULL;
        entry = pop_free(mapping);
    }
    unlock_index();
    free(made);
    return entry;
}

void ironmap__registry_set(ironmap__registry_entry *entry, uintptr_t base, size_t length)
{
    lock_index();
    atomic_fetch_add(&ironmap__registry_sequence, 1);
    if (entry->levels > 0) {
        unlink_entry(entry);
    }
    atomic_fetch_add(&entry->version, 1);
    atomic_store(&entry->base, base);
    atomic_store(&entry->length, length);
    atomic_fetch_add(&entry->version, 1);
    if (length > 0) {
        link_entry(entry);
    }
    atomic_fetch_add(&ironmap__registry_sequence, 1);
    unlock_index();
}

void ironmap__registry_exit(ironmap__registry_entry *entry)
{
    ironmap__registry_set(entry, 0, 0);
    lock_index();
    atomic_store(&entry->mapping, NULL);
    push_free(entry);
    unlock_index();
}

size_t ironmap__registry_entry_size(void)
{
    return sizeof(ironmap__registry_entry);
}

/* ---- readers ---- */

/* The entry's mapping if it has one of the addresses [first, last]; then `*lowest` is the lowest of
 * them. */
static struct ironmap__mapping *entry_match(uintptr_t *lowest, const ironmap__registry_entry *entry,
                                            uintptr_t first, uintptr_t last)
{
    size_t version = atomic_load(&entry->version);
    uintptr_t base = atomic_load(&entry->base);
    size_t length = atomic_load(&entry->length);
    struct ironmap__mapping *mapping = atomic_load(&entry->mapping);
    bool stable = version % 2 == 0 && atomic_load(&entry->version) == version;
    bool has_first = first >= base && first - base < length;
    bool begins_inside = base > first && base <= last && length > 0;
    *lowest = has_first ? first : base;
    return stable && (has_first || begins_inside) ? mapping : NULL;
}

/* The entry with the highest base up to `address`, or the head. NULL after too many steps. */
static const ironmap__registry_entry *index_floor(uintptr_t address)
{
    const ironmap__registry_entry *at = &head;
    size_t steps = 0;
    for (size_t level = LEVELS; level-- > 0;) {
        const ironmap__registry_entry *next = atomic_load(&at->next[level]);
        while (next != NULL && atomic_load(&next->base) <= address) {
            if (++steps == STEPS_MAX) {
                return NULL;
            }
            at = next;
            next = atomic_load(&at->next[level]);
        }
    }
    return at;
}

/* Looks into the index. False if what it tells does not count. */
static bool index_first(struct ironmap__mapping **found, uintptr_t first, uintptr_t last)
{
    uintptr_t lowest = 0;
    size_t before = atomic_load(&ironmap__registry_sequence);
    const ironmap__registry_entry *entry = index_floor(first);
    if (entry == NULL) {
        return false;
    }
    *found = entry_match(&lowest, entry, first, last);
    if (*found != NULL && lowest == first) {
        return true;
    }
    const ironmap__registry_entry *after = atomic_load(&entry->next[0]);
    *found = after == NULL ? NULL : entry_match(&lowest, after, first, last);
    return before % 2 == 0 && atomic_load(&ironmap__registry_sequence) == before;
}

bool ironmap__registry_find_gap(ironmap__registry_gap *gap, uintptr_t address)
{
    size_t before = atomic_load(&ironmap__registry_sequence);
    const ironmap__registry_entry *floor = index_floor(address);
    if (floor == NULL) {
        return false;
    }
    uintptr_t last_before = atomic_load(&floor->base) + (atomic_load(&floor->length) - 1);
    const ironmap__registry_entry *after = atomic_load(&floor->next[0]);
    *gap = (ironmap__registry_gap){
        .sequence = before,
        .first = floor == &head ? 0 : last_before + 1,
        .last = after == NULL ? UINTPTR_MAX : atomic_load(&after->base) - 1,
    };
    bool is_free = floor == &head || address > last_before;
    return is_free && before % 2 == 0 && ironmap__registry_is_as_at(gap);
}

/* Looks at all entries. */
static struct ironmap__mapping *entries_first(uintptr_t first, uintptr_t last)
{
    struct ironmap__mapping *found = NULL;
    uintptr_t at = 0;
    for (const struct block *block = atomic_load(&newest_block); block != NULL;
         block = block->older) {
        for (size_t i = 0; i < ENTRIES_OF_A_BLOCK; i++) {
            uintptr_t lowest = 0;
            struct ironmap__mapping *mapping =
                entry_match(&lowest, &block->entries[i], first, last);
            if (mapping != NULL && (found == NULL || lowest < at)) {
                found = mapping;
                at = lowest;
            }
        }
    }
    return found;
}

struct ironmap__mapping *ironmap__registry_first(uintptr_t first, uintptr_t last)
{
    struct ironmap__mapping *found = NULL;
    for (int i = 0; i < TRIES; i++) {
        if (index_first(&found, first, last)) {
            return found;
        }
    }
    return entries_first(first, last);
}

struct ironmap__mapping *ironmap__registry_find(uintptr_t address)
{
    return ironmap__registry_first(address, address);
}

void ironmap__registry_each(void (*visit)(struct ironmap__mapping *mapping))
{
    for (struct block *block = atomic_load(&newest_block); block != NULL; block = block->older) {
        for (size_t i = 0; i < ENTRIES_OF_A_BLOCK; i++) {
            struct ironmap__mapping *mapping = atomic_load(&block->entries[i].mapping);
            if (mapping != NULL) {
                visit(mapping);
            }
        }
    }
}

/* ---- fork ---- */

/* An entry that a thread of the parent was changing gets no address: its mapping belongs to that
 * thread, which does not exist here. */
static void repair_entry(ironmap__registry_entry *entry)
{
    entry->levels = 0;
    if (atomic_load(&entry->version) % 2 != 0) {
        atomic_store(&entry->base, 0);
        atomic_store(&entry->length, 0);
        atomic_fetch_add(&entry->version, 1);
    }
    if (atomic_load(&entry->mapping) == NULL) {
        push_free(entry);
    } else if (atomic_load(&entry->length) > 0) {
        link_entry(entry);
    }
}

/* A thread that changes the registry holds the lock, so if it is free there is nothing to repair.
 */
void ironmap__registry_after_fork(void)
{
    if (!atomic_load(&locked)) {
        return;
    }
    atomic_store(&ironmap__registry_sequence, atomic_load(&ironmap__registry_sequence) | 1);
    free_entries = NULL;
    for (size_t level = 0; level < LEVELS; level++) {
        atomic_store(&head.next[level], NULL);
    }
    for (struct block *block = atomic_load(&newest_block); block != NULL; block = block->older) {
        for (size_t i = ENTRIES_OF_A_BLOCK; i-- > 0;) {
            repair_entry(&block->entries[i]);
        }
    }
    atomic_fetch_add(&ironmap__registry_sequence, 1);
    unlock_index();
}
