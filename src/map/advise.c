/* What the system is told about memory: advice, locks, names, and hints about other memory. */
#include <string.h>

#include "map/map.h"

/* Memory of this length contains a whole huge page of 2 MiB, wherever it begins.
 * docs/performance.md has what the hint gains. */
enum { PREPARE_MIN_BYTES = 4 << 20 };

/* ---- advice ---- */

/* Advice in the system's terms: portable advice, or a value of the system's own. */
static int advice_resolve(ironmap__advice *native, int advice, ironmap_error *error)
{
    static const ironmap__usage usages[] = {
        [0] = IRONMAP__USE_NORMAL,
        [IRONMAP_ADVICE_SEQUENTIAL - IRONMAP_ADVICE_NORMAL] = IRONMAP__USE_SEQUENTIAL,
        [IRONMAP_ADVICE_RANDOM - IRONMAP_ADVICE_NORMAL] = IRONMAP__USE_RANDOM,
        [IRONMAP_ADVICE_WILLNEED - IRONMAP_ADVICE_NORMAL] = IRONMAP__USE_SOON,
        [IRONMAP_ADVICE_DONTNEED - IRONMAP_ADVICE_NORMAL] = IRONMAP__USE_LATER,
    };
    if (advice < IRONMAP_ADVICE_NORMAL) {
        return ironmap__advice_from_system(native, advice, error);
    }
    if (advice > IRONMAP_ADVICE_DONTNEED) {
        return ironmap__fail_invalid(error, "advice has an unknown value");
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
    size_t alignment = ironmap__offset_in_page(map, offset);
    uint8_t *start = map->mapping.data + offset - alignment;
    if (length == 0) {
        /* The system still checks the advice. */
        return ironmap__view_advise(start, 0, native, error);
    }
    if (native.is_hint) {
        length = ironmap__align_up(length + alignment, map->mapping.mode.page);
    } else if (alignment > 0) {
        size_t skipped = (size_t)ironmap__min(map->mapping.mode.page - alignment, length);
        start += map->mapping.mode.page;
        length -= skipped;
    }
    return ironmap__view_advise(start, length, native, error);
}

/* ---- locks ---- */

typedef int page_operation(void *start, size_t length, ironmap_error *error);

static int on_pages(ironmap_map *map, uint64_t offset, size_t length, page_operation *operation,
                    ironmap_error *error)
{
    length = ironmap__to_end(length, offset, map->mapping.length);
    ironmap_status range = ironmap__range_check(offset, length, map->mapping.length);
    if (range != IRONMAP_OK) {
        return ironmap__fail(error, range);
    }
    if (length == 0) {
        return IRONMAP_OK;
    }
    size_t alignment = ironmap__offset_in_page(map, offset);
    return operation(map->mapping.data + offset - alignment,
                     ironmap__align_up(length + alignment, map->mapping.mode.page), error);
}

int ironmap_lock_pages(ironmap_map *map, uint64_t offset, size_t length, ironmap_error *error)
{
    return on_pages(map, offset, length, ironmap__pages_lock, error);
}

int ironmap_unlock_pages(ironmap_map *map, uint64_t offset, size_t length, ironmap_error *error)
{
    return on_pages(map, offset, length, ironmap__pages_unlock, error);
}

/* ---- names ---- */

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
    if (!map->mapping.mode.anonymous) {
        return ironmap__fail_invalid(error, "a name for the map of a file");
    }
    if (!is_name(name)) {
        return ironmap__fail_invalid(error, "name is too long or has a forbidden character");
    }
    return map->mapping.view.base == NULL ? IRONMAP_OK
                                          : ironmap__view_set_name(&map->mapping.view, name, error);
}

/* ---- other memory, and the system ---- */

void ironmap_prepare(void *memory, size_t length)
{
    if (length >= PREPARE_MIN_BYTES) {
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
