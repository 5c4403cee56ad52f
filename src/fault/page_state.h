/* The state of a mapping's pages: which of them are zeros in the place of the file's page, how many
 * losses there were, and what the last of them took. Plain data: no system call and no lock, so the
 * fault handler may use all of it. Units are pages, counted from the beginning of the view.
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

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* Who can have seen the zeros of a lost page. GUARDED: only an access of this library, which finds
 * out. EXPORTED: code that reads through an exported address. */
typedef enum ironmap__loss_kind {
    IRONMAP__LOSS_GUARDED,
    IRONMAP__LOSS_EXPORTED,
    IRONMAP__LOSS_KINDS
} ironmap__loss_kind;

/* Pages [from, to). */
typedef struct ironmap__page_run {
    size_t from;
    size_t to;
} ironmap__page_run;

/* One loss: the page that was unavailable, and all that were replaced with it. Where the system
 * replaces no single pages, the others may have been available. */
typedef struct ironmap__loss {
    atomic_size_t failed;
    atomic_size_t from;
    atomic_size_t to;
} ironmap__loss;

enum { IRONMAP__LOSS_LOG_CAPACITY = 16 };

typedef struct ironmap__page_state {
    atomic_size_t losses;   /* how often pages were lost, ever */
    atomic_size_t restored; /* the losses up to which every page is the file's again */
    atomic_size_t exported; /* losses of kind EXPORTED, ever */
    atomic_size_t cleared;  /* those up to which damage was cleared */
    atomic_size_t handlers; /* handlers that are replacing pages right now */
    atomic_flag restoring;  /* held by the one thread that restores */

    atomic_size_t *marks; /* a bitmap of the view's pages for each kind, of `words` words */
    size_t words;
    atomic_size_t run_kind; /* the run that is being restored, for a child of fork */
    atomic_size_t run_from;
    atomic_size_t run_to;                          /* 0: none */
    ironmap__loss log[IRONMAP__LOSS_LOG_CAPACITY]; /* loss n stands at n % capacity */
} ironmap__page_state;

/* Makes room for the marks of `pages` pages, none of them marked; keeps room that is larger. False
 * if memory is out, and nothing changed then. No page may be marked. */
bool ironmap__page_state_reserve(ironmap__page_state *state, size_t pages);

/* Gives the room for marks back. */
void ironmap__page_state_free(ironmap__page_state *state);

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

/* Notes the run that is about to be restored; an empty one when it is done. */
void ironmap__note_restoring(ironmap__page_state *state, ironmap__loss_kind kind,
                             ironmap__page_run run);

/* In a child of fork, where no other thread exists: no handler is active, nothing restores, and a
 * run that the parent was restoring is marked again. */
void ironmap__page_state_after_fork(ironmap__page_state *state);

/* True if a page under an exported address was lost and the damage has not been cleared. */
static inline bool ironmap__is_damaged(const ironmap__page_state *state)
{
    return atomic_load(&state->exported) != atomic_load(&state->cleared);
}

#endif /* IRONMAP_PAGE_STATE_H */
