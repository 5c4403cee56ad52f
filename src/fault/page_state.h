/* The state of a mapping's pages: which of them are zeros in the place of the file's page, how many
 * losses there were, and what the last of them took. No lock, and one system call, for memory: so
 * the fault handler may use all of it. Units are pages, counted from the beginning of the view.
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

#include "fault/page_set.h"

/* Who can have seen the zeros of a lost page. GUARDED: only an access of this library, which finds
 * out. EXPORTED: code that reads through an exported address. */
typedef enum ironmap__loss_kind {
    IRONMAP__LOSS_GUARDED,
    IRONMAP__LOSS_EXPORTED,
    IRONMAP__LOSS_KINDS
} ironmap__loss_kind;

/* One loss: the page that was unavailable, and all that were replaced with it. Where the system
 * replaces no single pages, the others may have been available. */
typedef struct ironmap__loss {
    size_t failed;
    ironmap__page_run replaced;
} ironmap__loss;

/* A place in the log. `number` is that of the loss, and 1; 0: none yet; LOGGING: being written. */
typedef struct ironmap__loss_place {
    atomic_size_t number;
    atomic_size_t failed;
    atomic_size_t from;
    atomic_size_t to;
} ironmap__loss_place;

/* More losses than there are, as a rule, while the system suspends a thread in the middle of an
 * access: one takes some 4 us, and the system handles those of one process one after the other. If
 * there are more, the access is done again (map/access_loop.h). */
enum { IRONMAP__LOSS_LOG_CAPACITY = 1024 };

/* What a mapping needs only when pages were lost. */
typedef struct ironmap__page_room {
    ironmap__loss_place log[IRONMAP__LOSS_LOG_CAPACITY]; /* loss n stands at n % capacity */
    atomic_size_t words[]; /* of the marks, one kind after the other */
} ironmap__page_room;

typedef struct ironmap__page_state {
    atomic_size_t losses;   /* how often pages were lost, ever */
    atomic_size_t restored; /* the losses up to which every page is the file's again */
    atomic_size_t exported; /* losses of kind EXPORTED, ever */
    atomic_size_t cleared;  /* those up to which damage was cleared */
    atomic_size_t handlers; /* handlers that are replacing pages right now */
    atomic_flag restoring;  /* held by the one thread that restores */

    /* Uses of addresses that were the mapping's (reservation.h). They are damage as well. */
    atomic_size_t stale;      /* the first byte of the map used so, and 1; 0: none */
    atomic_size_t stale_uses; /* how many were noted, ever */

    ironmap__page_set marks[IRONMAP__LOSS_KINDS];
    _Atomic(ironmap__page_room *) room; /* NULL before the first loss */

    atomic_size_t run_kind; /* the run that is being restored, for a child of fork */
    atomic_size_t run_from;
    atomic_size_t run_to; /* 0: none */
} ironmap__page_state;

/* The mapping has `pages` pages from now on. Gives the room back if that is another number. No page
 * may be marked, and no handler active. */
void ironmap__page_state_set_pages(ironmap__page_state *state, size_t pages);

/* Makes room for marks and log, unless there is some. False if memory is out: then only a run up to
 * the last page can be marked, and nothing is logged. Async-signal-safe. */
bool ironmap__page_state_make_room(ironmap__page_state *state);

void ironmap__mark_pages(ironmap__page_state *state, ironmap__loss_kind kind,
                         ironmap__page_run run);
void ironmap__unmark_pages(ironmap__page_state *state, ironmap__loss_kind kind,
                           ironmap__page_run run);

/* The first run of marked pages of this kind inside `within`; empty, at its end, if there is none.
 */
ironmap__page_run ironmap__next_marked(const ironmap__page_state *state, ironmap__loss_kind kind,
                                       ironmap__page_run within);

/* Writes loss `number` into the log: page `failed` was unavailable, and `run` was replaced. */
void ironmap__log_loss(ironmap__page_state *state, size_t number, size_t failed,
                       ironmap__page_run run);

/* Gets loss `number`. False if it is not in the log: there are newer ones, or there was no memory,
 * or a handler was stopped in the middle while the log went once around. */
bool ironmap__logged_loss(ironmap__loss *loss, const ironmap__page_state *state, size_t number);

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
