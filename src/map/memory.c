/* What the system is told about a map's memory, flush, advise, name, and about other memory:
 * prepare.
 */
#include <string.h>

#include "fault/lost.h"
#include "map/map.h"

/* Memory so long has a whole huge page of 2 MiB inside, wherever it begins. A copy into fresh
 * memory, with its release, goes at 2.7 GB/s without and 4.8 with one, at 64 MiB 2.4 and 10.4
 * (docs/architecture has the table). */
enum { LEAST_TO_PREPARE = 4 << 20 };

/* The part of a map that a range means: IRONMAP_TO_END resolved. */
static int range_resolve(size_t *length, const ironmap_map *map, uint64_t offset, size_t wanted,
                         ironmap_error *error)
{
    *length = wanted;
    if (wanted == IRONMAP_TO_END) {
        *length = offset <= map->mapping.length ? map->mapping.length - (size_t)offset : 0;
    }
    ironmap_status status = ironmap__range_check(offset, *length, map->mapping.length);
    return status == IRONMAP_OK ? IRONMAP_OK : ironmap__fail(error, status);
}

/* Bytes between the start of its page and `offset`. */
static size_t lead_in_page(const ironmap_map *map, uint64_t offset)
{
    return (size_t)((uintptr_t)(map->mapping.data + offset) % ironmap__page_size());
}

static ironmap__flush_flags flush_flags(int flags)
{
    return (ironmap__flush_flags){
        .async = (flags & IRONMAP_FLUSH_ASYNC) != 0,
        .invalidate = (flags & IRONMAP_FLUSH_INVALIDATE) != 0,
        .native = flags & ~(IRONMAP_FLUSH_ASYNC | IRONMAP_FLUSH_INVALIDATE),
    };
}

int ironmap_flush(ironmap_map *map, uint64_t offset, size_t length, int flags, ironmap_error *error)
{
    int status = range_resolve(&length, map, offset, length, error);
    if (status != IRONMAP_OK) {
        return status;
    }
    bool keeps_stores = map->access == IRONMAP_ACCESS_READ || map->access == IRONMAP_ACCESS_COPY;
    if (length == 0 || keeps_stores) {
        return IRONMAP_OK;
    }
    /* Stores into a lost page that was handed out went nowhere: to say that they are on the disk
     * would be a lie. */
    status = ironmap__check_damage(&map->mapping, error);
    if (status != IRONMAP_OK) {
        return status;
    }
    size_t lead = lead_in_page(map, offset);
    return ironmap__view_flush(map->mapping.data + offset - lead, length + lead, map->mapping.file,
                               flush_flags(flags), error);
}

/* Advice in the system's terms: portable advice, or a value of the system's own. */
static int advice_resolve(ironmap__advice *native, int advice, ironmap_error *error)
{
    static const ironmap__usage usages[] = {
        [IRONMAP_ADVICE_NORMAL - IRONMAP_ADVICE_NORMAL] = IRONMAP__USE_NORMAL,
        [IRONMAP_ADVICE_SEQUENTIAL - IRONMAP_ADVICE_NORMAL] = IRONMAP__USE_SEQUENTIAL,
        [IRONMAP_ADVICE_RANDOM - IRONMAP_ADVICE_NORMAL] = IRONMAP__USE_RANDOM,
        [IRONMAP_ADVICE_WILLNEED - IRONMAP_ADVICE_NORMAL] = IRONMAP__USE_SOON,
        [IRONMAP_ADVICE_DONTNEED - IRONMAP_ADVICE_NORMAL] = IRONMAP__USE_LATER,
    };
    if (advice < IRONMAP_ADVICE_NORMAL) {
        return ironmap__advice_from_system(native, advice, error);
    }
    if (advice > IRONMAP_ADVICE_DONTNEED) {
        return ironmap__fail(error, IRONMAP_E_INVALID);
    }
    *native = ironmap__advice_for(usages[advice - IRONMAP_ADVICE_NORMAL]);
    return IRONMAP_OK;
}

int ironmap_advise(ironmap_map *map, uint64_t offset, size_t length, int advice,
                   ironmap_error *error)
{
    ironmap__advice native;
    int status = advice_resolve(&native, advice, error);
    if (status != IRONMAP_OK) {
        return status;
    }
    if (offset > map->mapping.length) {
        return ironmap__fail(error, IRONMAP_E_RANGE);
    }
    length = (size_t)ironmap__min(length, map->mapping.length - offset);
    size_t lead = lead_in_page(map, offset);
    uint8_t *start = map->mapping.data + offset - lead;
    if (length == 0) {
        /* With nothing to advise about, the system still judges the advice. */
        return ironmap__view_advise(start, 0, native, error);
    }
    if (native.is_hint || lead == 0) {
        length += lead;
    } else {
        size_t skipped = (size_t)ironmap__min(ironmap__page_size() - lead, length);
        start += ironmap__page_size();
        length -= skipped;
    }
    return ironmap__view_advise(start, length, native, error);
}

/* What the kernel accepts in a name: PR_SET_VMA_ANON_NAME(2const). */
static bool is_name(const char *name)
{
    size_t length = strlen(name);
    for (size_t i = 0; i < length; i++) {
        if (name[i] < ' ' || name[i] > '~' || strchr("[]\\$`", name[i]) != NULL) {
            return false;
        }
    }
    return length <= IRONMAP_NAME_MAX;
}

int ironmap_set_name(ironmap_map *map, const char *name, ironmap_error *error)
{
    if (!map->mapping.mode.anonymous || !is_name(name)) {
        return ironmap__fail(error, IRONMAP_E_INVALID);
    }
    return map->mapping.view.base == NULL ? IRONMAP_OK
                                          : ironmap__view_set_name(&map->mapping.view, name, error);
}

void ironmap_prepare(void *memory, size_t length)
{
    if (length >= LEAST_TO_PREPARE) {
        ironmap__memory_prepare(memory, length);
    }
}

size_t ironmap_page_size(void)
{
    return ironmap__page_size();
}

size_t ironmap_granularity(void)
{
    return ironmap__granularity();
}
