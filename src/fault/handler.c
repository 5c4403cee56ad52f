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

/* Replaces the whole view where the system refused a part of it. Above the limit of mappings even
 * that needs one to be given back. */
static bool replace_all(ironmap__mapping *mapping, ironmap__loss_kind kind, ironmap__page_run all)
{
    bool done = replace(mapping, kind, all);
    while (!done && ironmap__spare_mapping_give()) {
        done = replace(mapping, kind, all);
    }
    return done || ironmap__page_replace_for_loads(mapping->view.base,
                                                   ironmap__view_size_in_pages(mapping));
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
    bool has_room = !scarce && ironmap__page_state_make_room(&mapping->state);
    ironmap__page_run run = {failed, pages};
    bool done = !scarce && truncated && replace(mapping, kind, run);
    if (!done && has_room) {
        run.to = failed + 1;
        done = replace(mapping, kind, run);
    }
    if (!done) {
        run = (ironmap__page_run){0, pages};
        done = replace_all(mapping, kind, run);
    }
    ironmap__log_loss(&mapping->state, number, failed, run);
    return done;
}

/* Zeros that a guarded access puts in place can be seen by another thread through an exported
 * address, and no guard would tell it. So while a mapping is pinned, every loss is damage. A pin is
 * counted before the page state is looked at, and a handler is counted before it looks for pins:
 * either the handler sees the pin, or the pin waits for the handler and restores the pages
 * (ironmap__restore_pending). */
static bool handle_address(void *address)
{
    ironmap__mapping *mapping = ironmap__registry_find((uintptr_t)address);
    if (mapping == NULL) {
        return false;
    }
    ironmap__page_state *state = &mapping->state;
    atomic_fetch_add(&state->handlers, 1);
    bool guarded = ironmap__is_accessing(mapping) && atomic_load(&mapping->pins) == 0;
    ironmap__loss_kind kind = guarded ? IRONMAP__LOSS_GUARDED : IRONMAP__LOSS_EXPORTED;
    if (kind == IRONMAP__LOSS_EXPORTED) {
        atomic_fetch_add(&state->exported, 1);
    }
    size_t at = (size_t)((uint8_t *)address - mapping->view.base);
    bool done =
        at < ironmap__view_size_in_pages(mapping) && lose(mapping, at / mapping->mode.page, kind);
    atomic_fetch_sub(&state->handlers, 1);
    return done;
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
