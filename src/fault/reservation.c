#include "fault/reservation.h"

#include <stdlib.h>

#include "fault/registry.h"
#include "fault/shape.h"

int ironmap__give_up_pages(const ironmap__view *pages, const ironmap__mode *mode,
                           ironmap_error *error)
{
    ironmap_error refusal = {.status = IRONMAP_OK};
    int status = ironmap__view_reserve(pages, mode, &refusal);
    if (status == IRONMAP_OK || ironmap__page_replace(pages->base, pages->length, mode)) {
        return IRONMAP_OK;
    }
    if (error != NULL) {
        *error = refusal;
    }
    return status;
}

int ironmap__reservation_new(ironmap__reservation **kept, const ironmap__mapping *mapping,
                             ironmap_error *error)
{
    ironmap__reservation *made = malloc(sizeof(*made));
    if (made == NULL) {
        return ironmap__fail(error, IRONMAP_E_NOMEM);
    }
    ironmap__mapping_init(&made->mapping, &mapping->mode, IRONMAP__NO_FILE, 0);
    made->mapping.mode.page = mapping->mode.page;
    made->mapping.mode.anonymous = false;
    made->next = NULL;
    int status = ironmap__enter(&made->mapping, error);
    if (status != IRONMAP_OK) {
        free(made);
        return status;
    }
    *kept = made;
    return IRONMAP_OK;
}

void ironmap__reservation_free(ironmap__reservation *kept)
{
    ironmap__view view = ironmap__whole_view(&kept->mapping);
    (void)ironmap__withdraw_view(&kept->mapping);
    (void)ironmap__view_unmap(&view, NULL);
    free(kept);
}

/* Its data is that of the owner, from which places count. It may lie before the view. */
void ironmap__reservation_set(ironmap__reservation *kept, ironmap__mapping *owner,
                              ironmap__view view)
{
    ironmap__suspend(&kept->mapping);
    kept->mapping.reserved_for = owner;
    ironmap__set_reserved(&kept->mapping, view, owner->data);
}

void ironmap__reservation_renew(ironmap__reservation *kept)
{
    const ironmap__view pages = ironmap__whole_view(&kept->mapping);
    if (pages.base != NULL && atomic_exchange(&kept->mapping.state.stale, 0) != 0) {
        (void)ironmap__give_up_pages(&pages, &kept->mapping.mode, NULL);
    }
}

int ironmap__become_reservation(ironmap__mapping *mapping, ironmap_error *error)
{
    const ironmap__view pages = ironmap__whole_view(mapping);
    ironmap__suspend(mapping);
    mapping->mode.anonymous = false;
    int status =
        pages.base == NULL ? IRONMAP_OK : ironmap__give_up_pages(&pages, &mapping->mode, error);
    mapping->reserved_for = mapping;
    mapping->file = IRONMAP__NO_FILE;
    ironmap__set_reserved(mapping, pages, mapping->data);
    return status;
}
