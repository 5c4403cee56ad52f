#include "fault/page_state.h"

#include "platform/platform.h"

/* ---- room ---- */

static size_t room_bytes(const ironmap__page_state *state)
{
    size_t words = IRONMAP__LOSS_KINDS * ironmap__page_set_words(state->marks[0].pages);
    return sizeof(ironmap__page_room) + words * sizeof(atomic_size_t);
}

void ironmap__page_state_set_pages(ironmap__page_state *state, size_t pages)
{
    ironmap__page_room *room = atomic_load(&state->room);
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
    ironmap__page_room *room = atomic_load(&state->room);
    if (room == NULL) {
        ironmap__page_room *made = ironmap__zeros_allocate(room_bytes(state));
        if (made == NULL) {
            return false;
        }
        if (atomic_compare_exchange_strong(&state->room, &room, made)) {
            room = made;
        } else {
            ironmap__zeros_free(made, room_bytes(state));
        }
    }
    size_t words = ironmap__page_set_words(state->marks[0].pages);
    for (size_t kind = 0; kind < IRONMAP__LOSS_KINDS; kind++) {
        ironmap__page_set_give(&state->marks[kind], room->words + kind * words);
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

/* ---- the log ---- */

enum { LOGGING = -1 };

/* A place is written by one handler at a time. Another that comes meanwhile leaves its loss out. */
void ironmap__log_loss(ironmap__page_state *state, size_t number, size_t failed,
                       ironmap__page_run run)
{
    ironmap__page_room *room = atomic_load(&state->room);
    if (room == NULL) {
        return;
    }
    ironmap__loss_place *place = &room->log[number % IRONMAP__LOSS_LOG_CAPACITY];
    size_t before = atomic_exchange(&place->number, (size_t)LOGGING);
    if (before == (size_t)LOGGING) {
        return;
    }
    atomic_store(&place->failed, failed);
    atomic_store(&place->from, run.from);
    atomic_store(&place->to, run.to);
    atomic_store(&place->number, number + 1);
}

bool ironmap__logged_loss(ironmap__loss *loss, const ironmap__page_state *state, size_t number)
{
    const ironmap__page_room *room = atomic_load(&state->room);
    if (room == NULL) {
        return false;
    }
    const ironmap__loss_place *place = &room->log[number % IRONMAP__LOSS_LOG_CAPACITY];
    if (atomic_load(&place->number) != number + 1) {
        return false;
    }
    loss->failed = atomic_load(&place->failed);
    loss->replaced.from = atomic_load(&place->from);
    loss->replaced.to = atomic_load(&place->to);
    return atomic_load(&place->number) == number + 1;
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

void ironmap__page_state_after_fork(ironmap__page_state *state)
{
    if (state->run_to != 0) {
        ironmap__page_run run = {state->run_from, state->run_to};
        ironmap__mark_pages(state, (ironmap__loss_kind)state->run_kind, run);
        atomic_store(&state->run_to, 0);
    }
    atomic_store(&state->handlers, 0);
    atomic_flag_clear(&state->restoring);
}
