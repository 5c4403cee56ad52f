/* The register of live maps, by which the fault handler finds a map by an address.
 *
 * It is read in a signal handler, so it has no locks: slots in blocks that are never freed, each
 * with a version that is odd while the slot changes. A slot in change belongs to a map that is
 * being opened, resized or closed, which no thread touches meanwhile; the reader passes it over.
 */
#include <stdlib.h>

#include "fault/fault.h"
#include "map/internal.h"

enum { BLOCK_SLOTS = 64 };

struct ironmap__slot {
    atomic_size_t version; /* odd: in change */
    atomic_uintptr_t base;
    atomic_size_t length;
    _Atomic(ironmap_map *) map; /* NULL: free */
};

struct block {
    ironmap__slot slots[BLOCK_SLOTS];
    _Atomic(struct block *) next;
};

static struct block first_block;

/* Takes a free slot of `block` for `map`. */
static ironmap__slot *take_slot(struct block *block, ironmap_map *map)
{
    for (size_t i = 0; i < BLOCK_SLOTS; i++) {
        ironmap_map *nobody = NULL;
        if (atomic_compare_exchange_strong(&block->slots[i].map, &nobody, map)) {
            return &block->slots[i];
        }
    }
    return NULL;
}

/* The block after `block`, made where there is none; NULL where memory is out. */
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

/* Says which addresses the slot stands for; none with length 0. */
static void slot_set(ironmap__slot *slot, uintptr_t base, size_t length)
{
    atomic_fetch_add(&slot->version, 1);
    atomic_store(&slot->base, base);
    atomic_store(&slot->length, length);
    atomic_fetch_add(&slot->version, 1);
}

/* The map that the slot stands for if `address` is in its view. */
static ironmap_map *slot_match(ironmap__slot *slot, uintptr_t address)
{
    size_t version = atomic_load(&slot->version);
    uintptr_t base = atomic_load(&slot->base);
    size_t length = atomic_load(&slot->length);
    ironmap_map *map = atomic_load(&slot->map);
    bool stable = version % 2 == 0 && atomic_load(&slot->version) == version;
    return stable && address >= base && address - base < length ? map : NULL;
}

ironmap_map *ironmap__register_find(uintptr_t address)
{
    for (struct block *block = &first_block; block != NULL; block = atomic_load(&block->next)) {
        for (size_t i = 0; i < BLOCK_SLOTS; i++) {
            ironmap_map *map = slot_match(&block->slots[i], address);
            if (map != NULL) {
                return map;
            }
        }
    }
    return NULL;
}

void ironmap__register_each(void (*visit)(ironmap_map *map))
{
    for (struct block *block = &first_block; block != NULL; block = atomic_load(&block->next)) {
        for (size_t i = 0; i < BLOCK_SLOTS; i++) {
            ironmap_map *map = atomic_load(&block->slots[i].map);
            if (map != NULL) {
                visit(map);
            }
        }
    }
}

static ironmap__slot *claim_slot(ironmap_map *map)
{
    struct block *block = &first_block;
    ironmap__slot *slot = take_slot(block, map);
    while (slot == NULL) {
        block = next_block(block);
        if (block == NULL) {
            return NULL;
        }
        slot = take_slot(block, map);
    }
    return slot;
}

int ironmap__register(ironmap_map *map, ironmap_error *error)
{
    int status = ironmap__fault_guard_process(error);
    if (status != IRONMAP_OK) {
        return status;
    }
    if (map->slot == NULL) {
        map->slot = claim_slot(map);
        if (map->slot == NULL) {
            return ironmap__fail(error, IRONMAP_E_NOMEM);
        }
    }
    ironmap__show(map);
    return IRONMAP_OK;
}

void ironmap__hide(const ironmap_map *map)
{
    if (map->slot != NULL) {
        slot_set(map->slot, 0, 0);
    }
}

void ironmap__show(const ironmap_map *map)
{
    if (map->slot != NULL) {
        slot_set(map->slot, (uintptr_t)map->view.base, ironmap__view_reach(map));
    }
}

void ironmap__unregister(ironmap_map *map)
{
    if (map->slot != NULL) {
        ironmap__hide(map);
        atomic_store(&map->slot->map, NULL);
        map->slot = NULL;
    }
}
