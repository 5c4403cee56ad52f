#include "fault/shape.h"

#include "fault/guard.h"
#include "fault/handler.h"
#include "fault/registry.h"

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
    if (mapping->mode.anonymous && mapping->mode.page == ironmap__page_size()) {
        return IRONMAP_OK;
    }
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
    if (mapping->entry != NULL) {
        ironmap__registry_set(mapping->entry, 0, 0);
    }
}

void ironmap__replace_view(ironmap__mapping *mapping, ironmap__view view, size_t alignment,
                           size_t length)
{
    mapping->view = view;
    mapping->data = view.base == NULL ? nothing : view.base + alignment;
    mapping->length = view.base == NULL ? 0 : length;
    ironmap__page_state_set_pages(&mapping->state, ironmap__page_count(mapping));
    if (mapping->entry != NULL) {
        ironmap__registry_set(mapping->entry, (uintptr_t)view.base,
                              ironmap__view_size_in_pages(mapping));
    }
}

ironmap__view ironmap__withdraw_view(ironmap__mapping *mapping)
{
    ironmap__view view = mapping->view;
    if (mapping->entry != NULL) {
        ironmap__registry_exit(mapping->entry);
        mapping->entry = NULL;
    }
    ironmap__page_state_set_pages(&mapping->state, 0);
    mapping->view = (ironmap__view){.base = NULL, .length = 0};
    mapping->data = nothing;
    mapping->length = 0;
    return view;
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
