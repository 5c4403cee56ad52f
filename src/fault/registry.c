/* Entries stand in blocks that are never freed, so a signal handler reads them without a lock. Each
 * has a version that is odd while the entry changes. An entry in change belongs to a mapping that
 * is being opened, resized or closed, which no thread accesses meanwhile: the reader skips it.
 */
#include "fault/registry.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

enum { ENTRIES_OF_A_BLOCK = 64 };

struct ironmap__registry_entry {
    atomic_size_t version; /* odd: in change */
    atomic_uintptr_t base;
    atomic_size_t length;
    _Atomic(struct ironmap__mapping *) mapping; /* NULL: free */
};

struct block {
    ironmap__registry_entry entries[ENTRIES_OF_A_BLOCK];
    _Atomic(struct block *) next;
};

static struct block first_block;

/* Acquires a free entry of `block`. */
static ironmap__registry_entry *acquire_entry(struct block *block, struct ironmap__mapping *mapping)
{
    for (size_t i = 0; i < ENTRIES_OF_A_BLOCK; i++) {
        struct ironmap__mapping *none = NULL;
        if (atomic_compare_exchange_strong(&block->entries[i].mapping, &none, mapping)) {
            return &block->entries[i];
        }
    }
    return NULL;
}

/* The block after `block`, made if there is none; NULL if memory is out. */
static struct block *next_block(struct block *block)
{
    struct block *next = atomic_load(&block->next);
    if (next != NULL) {
        return next;
    }
    struct block *made = calloc(1, sizeof(*made));
    if (made != NULL && !atomic_compare_exchange_strong(&block->next, &next, made)) {
        free(made);
        return next;
    }
    return made;
}

ironmap__registry_entry *ironmap__registry_enter(struct ironmap__mapping *mapping)
{
    for (struct block *block = &first_block; block != NULL; block = next_block(block)) {
        ironmap__registry_entry *entry = acquire_entry(block, mapping);
        if (entry != NULL) {
            return entry;
        }
    }
    return NULL;
}

void ironmap__registry_set(ironmap__registry_entry *entry, uintptr_t base, size_t length)
{
    atomic_fetch_add(&entry->version, 1);
    atomic_store(&entry->base, base);
    atomic_store(&entry->length, length);
    atomic_fetch_add(&entry->version, 1);
}

void ironmap__registry_exit(ironmap__registry_entry *entry)
{
    ironmap__registry_set(entry, 0, 0);
    atomic_store(&entry->mapping, NULL);
}

/* The entry's mapping if `address` is one of its addresses. */
static struct ironmap__mapping *entry_match(ironmap__registry_entry *entry, uintptr_t address)
{
    size_t version = atomic_load(&entry->version);
    uintptr_t base = atomic_load(&entry->base);
    size_t length = atomic_load(&entry->length);
    struct ironmap__mapping *mapping = atomic_load(&entry->mapping);
    bool stable = version % 2 == 0 && atomic_load(&entry->version) == version;
    return stable && address >= base && address - base < length ? mapping : NULL;
}

struct ironmap__mapping *ironmap__registry_find(uintptr_t address)
{
    for (struct block *block = &first_block; block != NULL; block = atomic_load(&block->next)) {
        for (size_t i = 0; i < ENTRIES_OF_A_BLOCK; i++) {
            struct ironmap__mapping *mapping = entry_match(&block->entries[i], address);
            if (mapping != NULL) {
                return mapping;
            }
        }
    }
    return NULL;
}

void ironmap__registry_each(void (*visit)(struct ironmap__mapping *mapping))
{
    for (struct block *block = &first_block; block != NULL; block = atomic_load(&block->next)) {
        for (size_t i = 0; i < ENTRIES_OF_A_BLOCK; i++) {
            struct ironmap__mapping *mapping = atomic_load(&block->entries[i].mapping);
            if (mapping != NULL) {
                visit(mapping);
            }
        }
    }
}
