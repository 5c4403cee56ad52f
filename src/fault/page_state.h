/* The state of a mapping's pages: which of them are zeros in the place of the file's page, and how
 * many losses there were. No lock, and one system call, for memory: so the fault handler may use
 * all of it. Units are pages, counted from the beginning of the view.
 *
 * The life of a page. The handler marks a page when it replaces it; a restoring thread takes the
 * mark off when it puts the file's page back:
 *
 *                    unavailable, in a guarded access
 *        +--------+ -----------------------------------> +-------------------+
 *        | file's |                                      | zeros, GUARDED    |
 *        |  page  | <----------------------------------- +-------------------+
 *        +--------+    the next guard puts it back
 *          |    ^
 *          |    |      clear_damage puts it back         +-------------------+
 *          |    +--------------------------------------- | zeros, EXPORTED:  |
 *          +-------------------------------------------> | the map is damaged|
 *            unavailable, outside a guard, or pinned     +-------------------+
 */
#ifndef IRONMAP_PAGE_STATE_H
#define IRONMAP_PAGE_STATE_H

#include <stdbool.h>

#include "fault/loss_log.h"
#include "fault/page_set.h"

/* Who can have seen the zeros of a lost page. GUARDED: only an access of this library, which finds
 * out. EXPORTED: code that reads through an exported address. */
typedef enum ironmap__loss_kind {
    IRONMAP__LOSS_GUARDED,
    IRONMAP__LOSS_EXPORTED,
    IRONMAP__LOSS_KINDS
} ironmap__loss_kind;

typedef struct ironmap__page_state {
    atomic_size_t losses;   /* how often pages were lost, ever */
    atomic_size_t restored; /* the losses up to which every page is the file's again */
    atomic_size_t exported; /* losses of kind EXPORTED, ever */
    atomic_size_t cleared;  /* those up to which damage was cleared */
    atomic_size_t handlers; /* handlers that are replacing pages right now */
    atomic_bool restoring;  /* held by the one thread that restores */

    /* Uses of addresses that were the mapping's (reservation.h). They are damage as well. */
    atomic_size_t stale;      /* the first byte of the map used so, and 1; 0: none */
    atomic_size_t stale_uses; /* how many were noted, ever */

    ironmap__page_set marks[IRONMAP__LOSS_KINDS];
    _Atomic(atomic_size_t *) room; /* the words of the marks, one kind after the other, or NULL */
    ironmap__loss_owner log;       /* whose losses are this mapping's in the log */

    atomic_size_t run_kind; /* the run that is being restored, for a child of fork */
    atomic_size_t run_from;
    atomic_size_t run_to; /* 0: none */
} ironmap__page_state;

/* The mapping has `pages` pages from now on. Gives the room back if that is another number. No page
 * may be marked, and no handler active. */
void ironmap__page_state_set_pages(ironmap__page_state *state, size_t pages);

/* Makes room for marks of single pages, unless there is some or none is needed: few pages have it
 * in the state itself. False if memory is out: then only a run up to the last page can be marked.
 * Async-signal-safe. */
bool ironmap__page_state_make_room(ironmap__page_state *state);

/* The memory that the room takes, in bytes. Of a large one, what was never touched is no memory. */
size_t ironmap__page_state_room(const ironmap__page_state *state);

void ironmap__mark_pages(ironmap__page_state *state, ironmap__loss_kind kind,
                         ironmap__page_run run);
void ironmap__unmark_pages(ironmap__page_state *state, ironmap__loss_kind kind,
                           ironmap__page_run run);

/* The first run of marked pages of this kind inside `within`; empty, at its end, if there is none.
 */
ironmap__page_run ironmap__next_marked(const ironmap__page_state *state, ironmap__loss_kind kind,
                                       ironmap__page_run within);

/* Notes the run that is about to be restored; an empty one when it is done. A child of fork sees
 * one of the two, or none. */
void ironmap__note_restoring(ironmap__page_state *state, ironmap__loss_kind kind,
                             ironmap__page_run run);

/* In a child of fork, where no other thread exists: no handler is active, nothing restores, and a
 * run that the parent was restoring is marked again. */
void ironmap__page_state_after_fork(ironmap__page_state *state);

/* Notes that an address was used that had been the mapping's, at byte `place`. The next access then
 * takes the slow path: `restored` is a number that losses never reach. Async-signal-safe, and uses
 * no room. */
void ironmap__note_stale_use(ironmap__page_state *state, size_t place);

/* Every page is the file's again, up to this number of losses, unless a stale use is noted. */
void ironmap__note_restored(ironmap__page_state *state, size_t losses);

/* True if a page under an exported address was lost, or a stale use noted, and the damage has not
 * been cleared. */
static inline bool ironmap__is_damaged(const ironmap__page_state *state)
{
    return atomic_load(&state->exported) != atomic_load(&state->cleared) ||
           atomic_load(&state->stale) != 0;
}

/* How often there was damage, ever. */
static inline size_t ironmap__damage_count(const ironmap__page_state *state)
{
    return atomic_load(&state->exported) + atomic_load(&state->stale_uses);
}

#endif /* IRONMAP_PAGE_STATE_H */
