/* A restoring thread takes the mark off first and puts the page back then. A handler that comes
 * between leaves its own mark behind, and at worst a good page is restored once more. What a
 * private map had stored in a lost page is gone with the page.
 */
#include "fault/restore.h"

void ironmap__restore_lock(ironmap__mapping *mapping)
{
    while (atomic_exchange(&mapping->state.restoring, true)) {
        ironmap__yield();
    }
}

void ironmap__restore_unlock(ironmap__mapping *mapping)
{
    atomic_store(&mapping->state.restoring, false);
}

void ironmap__wait_for_handlers(const ironmap__mapping *mapping)
{
    while (atomic_load(&mapping->state.handlers) != 0) {
        ironmap__yield();
    }
}

/* Notes the run first, for a child of fork in the middle of it. A handler whose first mark is taken
 * off here may replace its page after this, and would not mark it again in the child. So the note
 * stays until no handler is active. */
static int restore_run(ironmap__mapping *mapping, ironmap__loss_kind kind, ironmap__page_run run,
                       ironmap_error *error)
{
    size_t page = mapping->mode.page;
    ironmap__view pages = {mapping->view.base + run.from * page, (run.to - run.from) * page};
    uint64_t offset = mapping->offset - ironmap__alignment(mapping) + (uint64_t)run.from * page;
    ironmap__note_restoring(&mapping->state, kind, run);
    ironmap__unmark_pages(&mapping->state, kind, run);
    int status = ironmap__page_restore(&pages, &mapping->mode, mapping->file, offset, error);
    if (status != IRONMAP_OK) {
        ironmap__mark_pages(&mapping->state, kind, run);
    }
    ironmap__wait_for_handlers(mapping);
    ironmap__note_restoring(&mapping->state, kind, (ironmap__page_run){0, 0});
    return status;
}

/* Restores all marked pages of one kind, as far as possible. Returns the first failure. What an
 * anonymous page held is gone: fresh zeros take its place only if the damage is cleared. */
static int restore_kind(ironmap__mapping *mapping, ironmap__loss_kind kind, bool clear,
                        ironmap_error *error)
{
    const bool can_restore = clear || !mapping->mode.anonymous;
    ironmap__page_run rest = {0, ironmap__page_count(mapping)};
    int first = IRONMAP_OK;
    while (rest.from < rest.to) {
        ironmap__page_run run = ironmap__next_marked(&mapping->state, kind, rest);
        if (run.from < run.to && !can_restore) {
            return IRONMAP_E_FAULT;
        }
        if (run.from < run.to) {
            int status = restore_run(mapping, kind, run, first == IRONMAP_OK ? error : NULL);
            first = first == IRONMAP_OK ? status : first;
        }
        rest.from = run.to;
    }
    return first;
}

int ironmap__restore_locked(ironmap__mapping *mapping, bool clear, ironmap_error *error)
{
    ironmap__page_state *state = &mapping->state;
    size_t losses = atomic_load(&state->losses);
    size_t exported = atomic_load(&state->exported);
    ironmap__wait_for_handlers(mapping);
    bool all = restore_kind(mapping, IRONMAP__LOSS_GUARDED, clear, NULL) == IRONMAP_OK;
    int status = clear ? restore_kind(mapping, IRONMAP__LOSS_EXPORTED, clear, error) : IRONMAP_OK;
    if (clear && status == IRONMAP_OK) {
        atomic_store(&state->cleared, exported);
        atomic_store(&state->stale, 0);
    }
    if (all && !ironmap__is_damaged(state)) {
        ironmap__note_restored(state, losses);
    }
    return status;
}

int ironmap__restore(ironmap__mapping *mapping, bool clear, ironmap_error *error)
{
    ironmap__restore_lock(mapping);
    int status = ironmap__restore_locked(mapping, clear, error);
    ironmap__restore_unlock(mapping);
    return status;
}

void ironmap__restore_pending(ironmap__mapping *mapping)
{
    const ironmap__page_state *state = &mapping->state;
    if (atomic_load(&state->handlers) != 0 ||
        atomic_load(&state->losses) != atomic_load(&state->restored)) {
        (void)ironmap__restore(mapping, false, NULL);
    }
}
