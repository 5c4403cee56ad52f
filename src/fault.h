/* What the library's own files need of fault.c: the guard around every access to mapped memory, and
 * the register of live maps. How it works, and why no loss is ever missed, is said in fault.c.
 */
#ifndef MAPIO_FAULT_H
#define MAPIO_FAULT_H

#include <stdatomic.h>

#include "platform/platform.h"

/* How many losses of a map are remembered one by one. */
enum { MAPIO__LOSS_LOG = 16 };

/* A run of pages that were lost at once, in bytes of the view; and the one of them that could not
 * be had, since where a system replaces no single pages the others may be whole. */
typedef struct mapio__loss {
    atomic_size_t page;
    atomic_size_t from;
    atomic_size_t to;
} mapio__loss;

/* The state of a map's pages, written by the fault handler on any thread at any moment. */
typedef struct mapio__health {
    atomic_size_t losses;    /* how often pages were lost, ever */
    atomic_size_t restored;  /* the losses up to which every page is the file's again */
    atomic_size_t handed;    /* losses outside the guard, in memory that was handed out */
    atomic_size_t cleared;   /* those up to which mapio_clear_damage was called */
    atomic_size_t at_work;   /* handlers that are replacing pages right now */
    atomic_flag restoring;   /* one thread restores at a time */
    atomic_size_t *replaced; /* two bitmaps of the view's pages, of `words` words each */
    size_t words;
    atomic_size_t undoing[3];         /* the run of pages that is being put back: kind, from, to */
    mapio__loss log[MAPIO__LOSS_LOG]; /* loss n stands at n % MAPIO__LOSS_LOG */
} mapio__health;

/* The bytes of the map that an access touches. */
typedef struct mapio__touch {
    size_t offset;
    size_t length;
    bool store; /* it needs a block of the disk, which may be full */
} mapio__touch;

/* An access that has begun. */
typedef struct mapio__guard {
    const mapio_map *map;
    size_t losses; /* of the map, as it began */
} mapio__guard;

/* What the handler knows a loss inside the guard by. The library's own accesses run no code of
 * others and so do not nest: the map of the one that is going on in this thread is enough. Accesses
 * around other code (mapio_guard) or of two maps at once are a chain on the stack. */
typedef struct mapio__frame {
    const mapio_map *map;
    struct mapio__frame *outer;
} mapio__frame;

extern _Thread_local const mapio_map *volatile mapio__accessed;
extern _Thread_local mapio__frame *volatile mapio__frames;

/* Sees to it that the handler of fault.c is asked first about pages that cannot be had. */
int mapio__fault_guard_process(mapio_error *error);

/* A place in the register. */
typedef struct mapio__slot mapio__slot;

/* The map in whose view `address` lies, or NULL. Async-signal-safe. */
mapio_map *mapio__register_find(uintptr_t address);

/* Calls `visit` for every map in the register; only where no other thread runs. */
void mapio__register_each(void (*visit)(mapio_map *map));

/* Enters and leaves the register, which is how the handler finds a map by an address. A map of a
 * file is in it whenever its view can be touched. Entering again claims the signal again. */
int mapio__register(mapio_map *map, mapio_error *error);
void mapio__unregister(mapio_map *map);

/* Takes the addresses of a registered map out of the register while its view changes, and puts the
 * new ones in; nothing for a map that is not registered. */
void mapio__hide(const mapio_map *map);
void mapio__show(const mapio_map *map);

/* The slow half of the guard, where pages were lost: before and after an access. */
int mapio__guard_settle(mapio__guard *guard, mapio__touch touch, mapio_error *error);
int mapio__guard_report(mapio__guard guard, mapio__touch touch, mapio_error *error);

/* Puts back what was lost inside guards; returns at once where nothing was. */
void mapio__health_settle(mapio_map *map);

/* MAPIO_E_FAULT where the map is damaged. */
int mapio__check_damage(const mapio_map *map, mapio_error *error);

/* Makes room for what there is to know about the pages of a view of `length` bytes: the handler has
 * no heap. Nothing may be lost at the time. MAPIO_E_NOMEM. */
int mapio__health_reserve(mapio_map *map, size_t length, mapio_error *error);
void mapio__health_free(mapio_map *map);

/* Gives `map` the room of `other`, which has then none; nothing is lost in either. */
void mapio__health_take(mapio_map *map, mapio_map *other);

#endif /* MAPIO_FAULT_H */
