#include "fault/page_state.h"

#include "platform/platform.h"

/* ---- room ---- */

static size_t room_bytes(const ironmap__page_state *state)
{
    size_t words = IRONMAP__LOSS_KINDS * ironmap__page_set_words(state->marks[0].pages);
    return words * sizeof(atomic_size_t);
}

size_t ironmap__page_state_room(const ironmap__page_state *state)
{
    return atomic_load(&state->room) == NULL ? 0 : room_bytes(state);
}

void ironmap__page_state_set_pages(ironmap__page_state *state, size_t pages)
{
    atomic_size_t *room = atomic_load(&state->room);
    if (room != NULL && pages == state->marks[0].pages) {
        return;
    }
    if (room != NULL) {
        ironmap__zeros_free(room, room_bytes(state));
    }
    atomic_store(&state->room, NULL);
    for (int kind = 0; kind < IRONMAP__LOSS_KINDS; kind++) {
        ironmap__page_set_init(&state->marks[kind], pages);
    }
}

/* Two handlers may make room at once: one of them wins, and both use its room. */
bool ironmap__page_state_make_room(ironmap__page_state *state)
{
    size_t words = ironmap__page_set_words(state->marks[0].pages);
    atomic_size_t *room = atomic_load(&state->room);
    if (words == 0) {
        return true;
    }
    if (room == NULL) {
        atomic_size_t *made = ironmap__zeros_allocate(room_bytes(state));
        if (made == NULL) {
            return false;
        }
        if (atomic_compare_exchange_strong(&state->room, &room, made)) {
            room = made;
        } else {
            ironmap__zeros_free(made, room_bytes(state));
        }
    }
    for (size_t kind = 0; kind < IRONMAP__LOSS_KINDS; kind++) {
        ironmap__page_set_give(&state->marks[kind], room + kind * words);
    }
    return true;
}

/* ---- marks ---- */

void ironmap__mark_pages(ironmap__page_state *state, ironmap__loss_kind kind, ironmap__page_run run)
{
    ironmap__page_set_add(&state->marks[kind], run);
}

void ironmap__unmark_pages(ironmap__page_state *state, ironmap__loss_kind kind,
                           ironmap__page_run run)
{
    ironmap__page_set_remove(&state->marks[kind], run);
}

ironmap__page_run ironmap__next_marked(const ironmap__page_state *state, ironmap__loss_kind kind,
                                       ironmap__page_run within)
{
    return ironmap__page_set_next(&state->marks[kind], within);
}

/* ---- stale uses ---- */

enum { NEVER_RESTORED = -1 };

/* The place comes first, so that a use that is counted is damage. `restored` comes last, so that a
 * slow path finds the place. */
void ironmap__note_stale_use(ironmap__page_state *state, size_t place)
{
    size_t noted = atomic_load(&state->stale);
    while ((noted == 0 || noted > place + 1) &&
           !atomic_compare_exchange_weak(&state->stale, &noted, place + 1)) {
    }
    atomic_fetch_add(&state->stale_uses, 1);
    atomic_store(&state->restored, (size_t)NEVER_RESTORED);
}

/* Looks again after: a use that was noted in between wins. */
void ironmap__note_restored(ironmap__page_state *state, size_t losses)
{
    atomic_store(&state->restored, losses);
    if (atomic_load(&state->stale) != 0) {
        atomic_store(&state->restored, (size_t)NEVER_RESTORED);
    }
}

/* ---- fork ---- */

/* `to` says that there is a note: it is cleared before the rest changes, and set after. */
void ironmap__note_restoring(ironmap__page_state *state, ironmap__loss_kind kind,
                             ironmap__page_run run)
{
    atomic_store(&state->run_to, 0);
    atomic_store(&state->run_kind, (size_t)kind);
    atomic_store(&state->run_from, run.from);
    atomic_store(&state->run_to, run.to);
}

/* Stores nothing into a state that is at rest: the child would get a copy of its memory. */
void ironmap__page_state_after_fork(ironmap__page_state *state)
{
    if (state->run_to != 0) {
        ironmap__page_run run = {state->run_from, state->run_to};
        ironmap__mark_pages(state, (ironmap__loss_kind)state->run_kind, run);
        atomic_store(&state->run_to, 0);
    }
    if (atomic_load(&state->handlers) != 0) {
        atomic_store(&state->handlers, 0);
    }
    if (atomic_load(&state->restoring)) {
        atomic_store(&state->restoring, false);
    }
}
