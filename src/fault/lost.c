#include "fault/lost.h"

#include "fault/cause.h"
#include "fault/restore.h"

/* The pages that bytes [from, to) lie in; from < to. */
static ironmap__page_run pages_of(const ironmap__mapping *mapping, size_t from, size_t to)
{
    size_t page = mapping->mode.page;
    size_t alignment = ironmap__alignment(mapping);
    return (ironmap__page_run){(alignment + from) / page, (alignment + to - 1) / page + 1};
}

/* Where page `number` begins, in bytes from data. It may lie before data: then at 0. */
static size_t byte_of(const ironmap__mapping *mapping, size_t number)
{
    size_t at = number * mapping->mode.page;
    size_t alignment = ironmap__alignment(mapping);
    return at > alignment ? at - alignment : 0;
}

size_t ironmap__first_marked_byte(const ironmap__mapping *mapping, ironmap__loss_kind kind,
                                  size_t from, size_t to)
{
    if (from >= to) {
        return to;
    }
    ironmap__page_run within = pages_of(mapping, from, to);
    ironmap__page_run found = ironmap__next_marked(&mapping->state, kind, within);
    if (found.from == within.to) {
        return to;
    }
    return (size_t)ironmap__max(byte_of(mapping, found.from), from);
}

/* The first byte from `from` on that the loss took: of the page that was unavailable, unless that
 * lies behind the access, else of all that were replaced with it. `to` or more if it took none in
 * [from, to). */
static size_t first_taken(const ironmap__mapping *mapping, const ironmap__loss *loss, size_t from,
                          size_t to)
{
    bool is_behind = loss->failed >= pages_of(mapping, from, to).to;
    size_t first = byte_of(mapping, is_behind ? loss->replaced.from : loss->failed);
    size_t taken = (size_t)ironmap__max(first, from);
    return taken < byte_of(mapping, loss->replaced.to) ? taken : to;
}

/* Where the first byte of [from, to) is searched that one of several losses took. */
typedef struct lost_search {
    const ironmap__mapping *mapping;
    size_t from;
    size_t to;
    size_t lost; /* the first one found, or `to` */
} lost_search;

static void look_at_loss(void *context, const ironmap__loss *loss)
{
    lost_search *search = context;
    size_t taken = first_taken(search->mapping, loss, search->from, search->to);
    search->lost = (size_t)ironmap__min(search->lost, taken);
}

bool ironmap__first_lost_byte(size_t *lost, const ironmap__mapping *mapping, size_t first,
                              size_t last, size_t from, size_t to)
{
    lost_search search = {mapping, from, to, to};
    size_t known = from == to ? last - first
                              : ironmap__logged_losses(&mapping->state.log, first, last,
                                                       look_at_loss, &search);
    *lost = search.lost;
    return known == last - first;
}

size_t ironmap__first_marked_byte_of_any_kind(const ironmap__mapping *mapping, size_t from,
                                              size_t to)
{
    size_t guarded = ironmap__first_marked_byte(mapping, IRONMAP__LOSS_GUARDED, from, to);
    return ironmap__first_marked_byte(mapping, IRONMAP__LOSS_EXPORTED, from, guarded);
}

size_t ironmap__first_damaged_byte(const ironmap__mapping *mapping, size_t from)
{
    return ironmap__first_marked_byte(mapping, IRONMAP__LOSS_EXPORTED, from, mapping->length);
}

/* The end of the damage that begins at `from`. */
static size_t damage_end(const ironmap__mapping *mapping, size_t from)
{
    ironmap__page_run within = {pages_of(mapping, from, from + 1).from,
                                ironmap__page_count(mapping)};
    ironmap__page_run run = ironmap__next_marked(&mapping->state, IRONMAP__LOSS_EXPORTED, within);
    return (size_t)ironmap__min(byte_of(mapping, run.to), mapping->length);
}

/* A stale use is a range of one byte, which may lie behind the mapping's end. */
void ironmap__damaged_range(size_t *begin, size_t *end, const ironmap__mapping *mapping,
                            size_t from)
{
    ironmap__restore_lock(ironmap__mutable(mapping));
    ironmap__wait_for_handlers(mapping);
    *begin = ironmap__first_damaged_byte(mapping, from);
    *end = *begin < mapping->length ? damage_end(mapping, *begin) : *begin;
    size_t stale = atomic_load(&mapping->state.stale);
    if (stale > from && (*begin == *end || stale <= *begin)) {
        *begin = stale - 1;
        *end = stale;
    }
    ironmap__restore_unlock(ironmap__mutable(mapping));
}

/* Nothing saw what was done through the exported address. If the map writes to a full disk, take it
 * for a store. Without a cause that lasts, the page may be available again, so an I/O error is no
 * known cause. */
int ironmap__fail_damage(const ironmap__mapping *mapping, size_t offset, ironmap_error *error)
{
    bool store = mapping->mode.shared && mapping->mode.writable;
    int status = ironmap__fail_fault(mapping, offset, store, error);
    if (error != NULL && error->what == NULL &&
        error->system_code == ironmap__fault_code(IRONMAP__NO_FILE, false)) {
        error->what = "lost earlier under exported memory";
    }
    return status;
}

int ironmap__fail_stale_at(const ironmap__mapping *mapping, uint64_t offset, ironmap_error *error)
{
    if (error != NULL) {
        *error = (ironmap_error){.status = IRONMAP_E_FAULT,
                                 .system_code = ironmap__fault_code(IRONMAP__NO_FILE, false),
                                 .what = mapping->reserved_for == mapping
                                             ? "used after the map was closed"
                                             : "used at an address from before a resize",
                                 .offset = offset,
                                 .file_length = IRONMAP_UNKNOWN};
    }
    return IRONMAP_E_FAULT;
}

/* Without a place the offset is IRONMAP_NOT_FOUND. */
int ironmap__fail_stale(const ironmap__mapping *mapping, ironmap_error *error)
{
    size_t stale = atomic_load(&mapping->state.stale);
    return ironmap__fail_stale_at(mapping, (uint64_t)stale - 1, error);
}

/* Clearing may have taken off the first mark of a handler that has counted its loss. */
int ironmap__check_damage(const ironmap__mapping *mapping, ironmap_error *error)
{
    if (!ironmap__is_damaged(&mapping->state)) {
        return IRONMAP_OK;
    }
    ironmap__restore_lock(ironmap__mutable(mapping));
    ironmap__wait_for_handlers(mapping);
    size_t damage = ironmap__first_damaged_byte(mapping, 0);
    ironmap__restore_unlock(ironmap__mutable(mapping));
    if (damage < mapping->length) {
        return ironmap__fail_damage(mapping, damage, error);
    }
    return atomic_load(&mapping->state.stale) == 0 ? IRONMAP_OK
                                                   : ironmap__fail_stale(mapping, error);
}
