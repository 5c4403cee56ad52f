/* What the library's own files need of fault.c: the guard around every access to mapped memory, and
 * the register of live maps. How it works, and why no loss is ever missed, is said in fault.c.
 */
#ifndef IRONMAP_FAULT_H
#define IRONMAP_FAULT_H

#include <stdatomic.h>

#include "platform/platform.h"

/* How many losses of a map are remembered one by one. */
enum { IRONMAP__LOSS_LOG = 16 };

/* A run of pages that were lost at once, in bytes of the view; and the one of them that could not
 * be had, since where a system replaces no single pages the others may be whole. */
typedef struct ironmap__loss {
    atomic_size_t page;
    atomic_size_t from;
    atomic_size_t to;
} ironmap__loss;

/* The state of a map's pages, written by the fault handler on any thread at any moment. */
typedef struct ironmap__health {
    atomic_size_t losses;    /* how often pages were lost, ever */
    atomic_size_t restored;  /* the losses up to which every page is the file's again */
    atomic_size_t handed;    /* losses outside the guard, in memory that was handed out */
    atomic_size_t cleared;   /* those up to which ironmap_clear_damage was called */
    atomic_size_t at_work;   /* handlers that are replacing pages right now */
    atomic_flag restoring;   /* one thread restores at a time */
    atomic_size_t *replaced; /* two bitmaps of the view's pages, of `words` words each */
    size_t words;
    atomic_size_t undoing[3]; /* the run of pages that is being put back: kind, from, to */
    ironmap__loss log[IRONMAP__LOSS_LOG]; /* loss n stands at n % IRONMAP__LOSS_LOG */
} ironmap__health;

/* The bytes of the map that an access touches. */
typedef struct ironmap__touch {
    size_t offset;
    size_t length;
    bool store; /* it needs a block of the disk, which may be full */
} ironmap__touch;

/* An access that has begun. */
typedef struct ironmap__guard {
    const ironmap_map *map;
    size_t losses; /* of the map, as it began */
} ironmap__guard;

/* What the handler knows a loss inside the guard by. The library's own accesses run no code of
 * others and so do not nest: the map of the one that is going on in this thread is enough. Accesses
 * around other code (ironmap_guard) or of two maps at once are a chain on the stack. */
typedef struct ironmap__frame {
    const ironmap_map *map;
    struct ironmap__frame *outer;
} ironmap__frame;

extern _Thread_local const ironmap_map *volatile ironmap__accessed;
extern _Thread_local ironmap__frame *volatile ironmap__frames;

/* Sees to it that the handler of fault.c is asked first about pages that cannot be had. */
int ironmap__fault_guard_process(ironmap_error *error);

/* A place in the register. */
typedef struct ironmap__slot ironmap__slot;

/* The map in whose view `address` lies, or NULL. Async-signal-safe. */
ironmap_map *ironmap__register_find(uintptr_t address);

/* Calls `visit` for every map in the register; only where no other thread runs. */
void ironmap__register_each(void (*visit)(ironmap_map *map));

/* Enters and leaves the register, which is how the handler finds a map by an address. A map of a
 * file is in it whenever its view can be touched. Entering again claims the signal again. */
int ironmap__register(ironmap_map *map, ironmap_error *error);
void ironmap__unregister(ironmap_map *map);

/* Takes the addresses of a registered map out of the register while its view changes, and puts the
 * new ones in; nothing for a map that is not registered. */
void ironmap__hide(const ironmap_map *map);
void ironmap__show(const ironmap_map *map);

/* The slow half of the guard, where pages were lost: before and after an access. */
int ironmap__guard_settle(ironmap__guard *guard, ironmap__touch touch, ironmap_error *error);
int ironmap__guard_report(ironmap__guard guard, ironmap__touch touch, ironmap_error *error);

/* Puts back what was lost inside guards; returns at once where nothing was. */
void ironmap__health_settle(ironmap_map *map);

/* IRONMAP_E_FAULT where the map is damaged. */
int ironmap__check_damage(const ironmap_map *map, ironmap_error *error);

/* Makes room for what there is to know about the pages of a view of `length` bytes: the handler has
 * no heap. Nothing may be lost at the time. IRONMAP_E_NOMEM. */
int ironmap__health_reserve(ironmap_map *map, size_t length, ironmap_error *error);
void ironmap__health_free(ironmap_map *map);

/* Gives `map` the room of `other`, which has then none; nothing is lost in either. */
void ironmap__health_take(ironmap_map *map, ironmap_map *other);

#endif /* IRONMAP_FAULT_H */
