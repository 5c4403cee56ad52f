#include "fault/shape.h"

#include "fault/changes.h"
#include "fault/guard.h"
#include "fault/handler.h"
#include "fault/registry.h"
#include "fault/restore.h"

/* The data of a mapping without a view, so that data + 0 is an address. */
static uint8_t nothing[1];

void ironmap__mapping_init(ironmap__mapping *mapping, const ironmap__mode *mode, ironmap__file file,
                           uint64_t offset)
{
    *mapping = (ironmap__mapping){.data = nothing, .mode = *mode, .file = file, .offset = offset};
    mapping->mode.page = ironmap__page_size();
}

int ironmap__enter(ironmap__mapping *mapping, ironmap_error *error)
{
    int status = ironmap__handler_install(error);
    if (status != IRONMAP_OK) {
        return status;
    }
    if (mapping->entry == NULL) {
        mapping->entry = ironmap__registry_enter(mapping);
    }
    return mapping->entry == NULL ? ironmap__fail(error, IRONMAP_E_NOMEM) : IRONMAP_OK;
}

void ironmap__suspend(ironmap__mapping *mapping)
{
    if (mapping->entry != NULL && !mapping->suspended) {
        ironmap__change_begin();
        mapping->suspended = true;
        ironmap__registry_set(mapping->entry, 0, 0);
        ironmap__wait_for_handlers(mapping);
    }
}

/* Says which addresses are the mapping's, if it has an entry. */
static void resume(ironmap__mapping *mapping)
{
    if (mapping->entry != NULL) {
        ironmap__registry_set(mapping->entry, (uintptr_t)mapping->view.base,
                              ironmap__view_size_in_pages(mapping));
    }
    if (mapping->suspended) {
        mapping->suspended = false;
        ironmap__change_end();
    }
}

/* True if zeros stand in for any page. */
static bool has_lost_pages(const ironmap__mapping *mapping)
{
    ironmap__page_run whole = {0, mapping->state.marks[0].pages};
    ironmap__page_run guarded = ironmap__next_marked(&mapping->state, IRONMAP__LOSS_GUARDED, whole);
    ironmap__page_run exported =
        ironmap__next_marked(&mapping->state, IRONMAP__LOSS_EXPORTED, whole);
    return guarded.from < guarded.to || exported.from < exported.to;
}

void ironmap__replace_view(ironmap__mapping *mapping, ironmap__view view, size_t alignment,
                           size_t length)
{
    mapping->view = view;
    mapping->data = view.base == NULL ? nothing : view.base + alignment;
    mapping->length = view.base == NULL ? 0 : length;
    bool lost = has_lost_pages(mapping);
    size_t pages = ironmap__page_count(mapping);
    ironmap__page_state_set_pages(&mapping->state, lost ? 0 : pages);
    if (lost) {
        ironmap__page_state_set_pages(&mapping->state, pages);
        ironmap__mark_pages(&mapping->state, IRONMAP__LOSS_EXPORTED, (ironmap__page_run){0, pages});
    }
    resume(mapping);
}

void ironmap__set_reserved(ironmap__mapping *mapping, ironmap__view view, uint8_t *data)
{
    mapping->view = view;
    mapping->data = data;
    mapping->length = 0;
    ironmap__page_state_set_pages(&mapping->state, 0);
    resume(mapping);
}

ironmap__view ironmap__withdraw_view(ironmap__mapping *mapping)
{
    ironmap__view view = mapping->view;
    if (mapping->entry != NULL) {
        ironmap__registry_exit(mapping->entry);
        mapping->entry = NULL;
    }
    resume(mapping);
    ironmap__page_state_set_pages(&mapping->state, 0);
    mapping->view = (ironmap__view){.base = NULL, .length = 0};
    mapping->data = nothing;
    mapping->length = 0;
    return view;
}

size_t ironmap__mapping_overhead(const ironmap__mapping *mapping)
{
    size_t entry = mapping->entry == NULL ? 0 : ironmap__registry_entry_size();
    size_t view = mapping->view.base == NULL ? 0 : ironmap__view_overhead();
    size_t room = ironmap__page_state_room(&mapping->state);
    return entry + view + ironmap__align_up(room, ironmap__page_size());
}

int ironmap__restore_or_fail(ironmap__mapping *mapping, ironmap_error *error)
{
    ironmap__guard guard;
    const ironmap__access_range whole = {0, mapping->length, false};
    int status = mapping->entry == NULL ? IRONMAP_OK : ironmap__handler_install(error);
    if (status == IRONMAP_OK) {
        status = ironmap__guard_begin(&guard, mapping, whole, error);
    }
    return status == IRONMAP_OK ? ironmap__guard_end(guard, whole, error) : status;
}
