/* What the system is told about a map's memory, flush, advise, name, and about other memory:
 * prepare.
 */
#include <string.h>

#include "internal.h"

/* Memory so long has a whole huge page of 2 MiB inside, wherever it begins. A copy into fresh
 * memory, with its release, goes at 2.7 GB/s without and 4.8 with one, at 64 MiB 2.4 and 10.4
 * (docs/architecture has the table). */
enum { LEAST_TO_PREPARE = 4 << 20 };

/* The part of a map that a range means: MAPIO_TO_END resolved. */
static int range_resolve(size_t *length, const mapio_map *map, uint64_t offset, size_t wanted,
                         mapio_error *error)
{
    *length = wanted;
    if (wanted == MAPIO_TO_END) {
        *length = offset <= map->length ? map->length - (size_t)offset : 0;
    }
    mapio_status status = mapio__range_check(offset, *length, map->length);
    return status == MAPIO_OK ? MAPIO_OK : mapio__fail(error, status);
}

/* Bytes between the start of its page and `offset`. */
static size_t lead_in_page(const mapio_map *map, uint64_t offset)
{
    return (size_t)((uintptr_t)(map->data + offset) % mapio__page_size());
}

int mapio_flush(mapio_map *map, uint64_t offset, size_t length, int flags, mapio_error *error)
{
    int status = range_resolve(&length, map, offset, length, error);
    if (status != MAPIO_OK) {
        return status;
    }
    bool keeps_stores =
        map->mode.access == MAPIO_ACCESS_READ || map->mode.access == MAPIO_ACCESS_COPY;
    if (length == 0 || keeps_stores) {
        return MAPIO_OK;
    }
    /* Stores into a lost page that was handed out went nowhere: to say that they are on the disk
     * would be a lie. */
    status = mapio__check_damage(map, error);
    if (status != MAPIO_OK) {
        return status;
    }
    size_t lead = lead_in_page(map, offset);
    return mapio__view_flush(map->data + offset - lead, length + lead, map->file, flags, error);
}

int mapio_advise(mapio_map *map, uint64_t offset, size_t length, int advice, mapio_error *error)
{
    int native = 0;
    bool keeps_content = false;
    int status = mapio__advice_resolve(&native, &keeps_content, advice, error);
    if (status != MAPIO_OK) {
        return status;
    }
    if (offset > map->length) {
        return mapio__fail(error, MAPIO_E_RANGE);
    }
    length = (size_t)mapio__min(length, map->length - offset);
    size_t lead = lead_in_page(map, offset);
    uint8_t *start = map->data + offset - lead;
    if (length == 0) {
        /* With nothing to advise about, the system still judges the advice. */
        return mapio__view_advise(start, 0, native, error);
    }
    if (keeps_content || lead == 0) {
        length += lead;
    } else {
        size_t skipped = (size_t)mapio__min(mapio__page_size() - lead, length);
        start += mapio__page_size();
        length -= skipped;
    }
    return mapio__view_advise(start, length, native, error);
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
    return length <= MAPIO_NAME_MAX;
}

int mapio_set_name(mapio_map *map, const char *name, mapio_error *error)
{
    if (!map->mode.anonymous || !is_name(name)) {
        return mapio__fail(error, MAPIO_E_INVALID);
    }
    return map->view.base == NULL ? MAPIO_OK : mapio__view_set_name(&map->view, name, error);
}

void mapio_prepare(void *memory, size_t length)
{
    if (length >= LEAST_TO_PREPARE) {
        mapio__memory_prepare(memory, length);
    }
}

size_t mapio_page_size(void)
{
    return mapio__page_size();
}

size_t mapio_granularity(void)
{
    return mapio__granularity();
}
