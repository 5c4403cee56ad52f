/* Writing changed pages to the disk. */
#include "fault/lost.h"
#include "map/map.h"

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
    length = ironmap__to_end(length, offset, map->mapping.length);
    ironmap_status range = ironmap__range_check(offset, length, map->mapping.length);
    if (range != IRONMAP_OK) {
        return ironmap__fail(error, range);
    }
    bool keeps_stores = map->access == IRONMAP_READ || map->access == IRONMAP_COPY;
    if (length == 0 || keeps_stores) {
        return IRONMAP_OK;
    }
    /* Stores into a lost page under ironmap_data were discarded: they are not on the disk. */
    int status = ironmap__check_damage(&map->mapping, error);
    if (status != IRONMAP_OK) {
        return status;
    }
    size_t alignment = ironmap__offset_in_page(map, offset);
    return ironmap__view_flush(map->mapping.data + offset - alignment, length + alignment,
                               map->mapping.file, flush_flags(flags), error);
}
