/* An unavailable page (its file was truncated, the disk fails or is full) raises a signal in the
 * thread that accesses it. The handler finds the mapping by the address, replaces the page by
 * zeros, and returns: the access is repeated and succeeds. The loss is written into the page state,
 * where the guard around the access finds it (guard.h).
 *
 * A handler does, in this order:
 *
 *     handlers++, [exported++], losses++, [make room], mark pages, replace pages, mark pages, log,
 *     handlers--
 *
 * It marks before it replaces, so that a child of fork, in which the handling thread does not
 * exist, knows of the pages. It marks again after, because a restoring thread may have taken the
 * first mark off before the page was replaced.
 *
 * Two threads may lose the same page at once. The later handler may then replace a page that was
 * just restored. That costs an error that was true a moment ago.
 *
 * Everything that the handler calls is async-signal-safe: atomics, and mmap(2) and fstat(2), which
 * are plain system calls.
 */
#include "fault/handler.h"

#include "fault/accessed.h"
#include "fault/cause.h"
#include "fault/changes.h"
#include "fault/mapping.h"
#include "fault/registry.h"

/* Replaces the pages of the run by zeros. */
static bool replace(ironmap__mapping *mapping, ironmap__loss_kind kind, ironmap__page_run run)
{
    size_t page = mapping->mode.page;
    ironmap__mark_pages(&mapping->state, kind, run);
    bool done = ironmap__page_replace(mapping->view.base + run.from * page,
                                      (run.to - run.from) * page, &mapping->mode);
    ironmap__mark_pages(&mapping->state, kind, run);
    return done;
}

/* Puts zeros in the place of the whole view. Above the limit of mappings even that needs one to be
 * given back. */
static bool replace_view(const ironmap__mapping *mapping)
{
    const ironmap__view whole = ironmap__whole_view(mapping);
    bool done = ironmap__page_replace(whole.base, whole.length, &mapping->mode);
    while (!done && ironmap__spare_mapping_give()) {
        done = ironmap__page_replace(whole.base, whole.length, &mapping->mode);
    }
    return done || ironmap__page_replace_for_loads(whole.base, whole.length);
}

/* Replaces all pages where the system refused a part of them. */
static bool replace_all(ironmap__mapping *mapping, ironmap__loss_kind kind, ironmap__page_run all)
{
    ironmap__mark_pages(&mapping->state, kind, all);
    bool done = replace_view(mapping);
    ironmap__mark_pages(&mapping->state, kind, all);
    return done;
}

/* Replaces page `failed`. If the file ends before it, all pages behind it are unavailable as well,
 * and are replaced with it if the system can. If there is no memory for a mark, mappings are scarce
 * (each replaced page splits one, and marks take one), or the system replaces whole views only, the
 * whole view is replaced.
 */
static bool lose(ironmap__mapping *mapping, size_t failed, ironmap__loss_kind kind)
{
    size_t number = atomic_fetch_add(&mapping->state.losses, 1);
    size_t pages = ironmap__page_count(mapping);
    bool truncated = failed * mapping->mode.page >= ironmap__file_end_in_view(mapping);
    bool scarce = ironmap__mappings_are_scarce();
    ironmap__page_run run = {failed, pages};
    bool done = !scarce && truncated && replace(mapping, kind, run);
    if (!done && !scarce && ironmap__page_state_make_room(&mapping->state)) {
        run.to = failed + 1;
        done = replace(mapping, kind, run);
    }
    if (!done) {
        run = (ironmap__page_run){0, pages};
        done = replace_all(mapping, kind, run);
    }
    ironmap__log_loss(&mapping->state.log, number, &(ironmap__loss){failed, run});
    return done;
}

/* An address that was a map's. Zeros take the place of the whole reservation, so that one fault is
 * all that it costs. */
static bool lose_reservation(ironmap__mapping *mapping, uintptr_t address)
{
    size_t place = ironmap__place_in_map(mapping, address);
    ironmap__note_stale_use(&mapping->state, place);
    if (mapping->reserved_for != mapping) {
        ironmap__note_stale_use(&mapping->reserved_for->state, place);
    }
    return replace_view(mapping);
}

/* Zeros that a guarded access puts in place can be seen by another thread through an exported
 * address, and no guard would tell it. So while a mapping is pinned, every loss is damage. A pin is
 * counted before the page state is looked at, and a handler is counted before it looks for pins:
 * either the handler sees the pin, or the pin waits for the handler and restores the pages
 * (ironmap__restore_pending). */
static bool lose_page(ironmap__mapping *mapping, const void *address)
{
    ironmap__page_state *state = &mapping->state;
    bool guarded = ironmap__is_accessing(mapping) && atomic_load(&mapping->pins) == 0;
    ironmap__loss_kind kind = guarded ? IRONMAP__LOSS_GUARDED : IRONMAP__LOSS_EXPORTED;
    if (kind == IRONMAP__LOSS_EXPORTED) {
        atomic_fetch_add(&state->exported, 1);
    }
    size_t at = (size_t)((const uint8_t *)address - mapping->view.base);
    return at < ironmap__view_size_in_pages(mapping) &&
           lose(mapping, at / mapping->mode.page, kind);
}

/* A thread may use exported addresses while another changes the mapping's shape. So a handler that
 * is counted looks again if the address is still the mapping's: either it is, or the mapping was
 * suspended, which waits for handlers. The mapping's memory stays as long as exported addresses are
 * used. If an address was in change, the access is retried. */
static bool handle_address(void *address)
{
    size_t ended = ironmap__changes_ended();
    ironmap__mapping *mapping = ironmap__registry_find((uintptr_t)address);
    if (mapping != NULL) {
        bool done = true;
        atomic_fetch_add(&mapping->state.handlers, 1);
        if (ironmap__registry_find((uintptr_t)address) == mapping) {
            done = mapping->reserved_for != NULL ? lose_reservation(mapping, (uintptr_t)address)
                                                 : lose_page(mapping, address);
        }
        atomic_fetch_sub(&mapping->state.handlers, 1);
        return done;
    }
    if (!ironmap__changed_since(ended)) {
        return false;
    }
    ironmap__yield();
    return true;
}

/* Called by the platform in a signal handler: true if `address` was a page of ours and can be
 * accessed now. A signal without an address may come from an access of this thread. */
static bool handle(void *address)
{
    return address == NULL ? ironmap__is_accessing_any() : handle_address(address);
}

static void mapping_after_fork(struct ironmap__mapping *mapping)
{
    ironmap__page_state_after_fork(&mapping->state);
}

static void after_fork(void)
{
    ironmap__changes_after_fork();
    ironmap__loss_log_after_fork();
    ironmap__registry_after_fork();
    ironmap__registry_each(mapping_after_fork);
}

int ironmap__handler_install(ironmap_error *error)
{
    return ironmap__fault_handler_install(handle, after_fork, error);
}

void ironmap__handler_ensure(const ironmap__mapping *mapping)
{
    if (mapping->entry != NULL) {
        (void)ironmap__handler_install(NULL);
        ironmap__fault_unblock();
    }
}
