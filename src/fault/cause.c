#include "fault/cause.h"

/* The length of the file now, or IRONMAP_UNKNOWN. */
static uint64_t file_length(const ironmap__mapping *mapping)
{
    uint64_t length = 0;
    bool sized = false;
    bool known = mapping->file != IRONMAP__NO_FILE &&
                 ironmap__file_length(&length, &sized, mapping->file, NULL) == IRONMAP_OK && sized;
    return known ? length : IRONMAP_UNKNOWN;
}

/* Where a file of this length ends in the view. */
static size_t end_in_view(const ironmap__mapping *mapping, uint64_t length)
{
    if (length == IRONMAP_UNKNOWN) {
        return SIZE_MAX;
    }
    uint64_t begin = mapping->offset - ironmap__alignment(mapping);
    uint64_t rest = length > begin ? length - begin : 0;
    return rest >= mapping->view.length ? SIZE_MAX
                                        : ironmap__align_up((size_t)rest, mapping->mode.page);
}

size_t ironmap__file_end_in_view(const ironmap__mapping *mapping)
{
    return end_in_view(mapping, file_length(mapping));
}

size_t ironmap__first_byte_behind_file(const ironmap__mapping *mapping)
{
    size_t end = ironmap__file_end_in_view(mapping);
    size_t alignment = ironmap__alignment(mapping);
    size_t first = end > alignment ? end - alignment : 0;
    return (size_t)ironmap__min(first, mapping->length);
}

/* A full disk may be the cause, but not where the file is too short: then that is the cause. */
int ironmap__fail_fault(const ironmap__mapping *mapping, size_t offset, bool store,
                        ironmap_error *error)
{
    if (error != NULL) {
        uint64_t length = file_length(mapping);
        bool inside = ironmap__alignment(mapping) + offset < end_in_view(mapping, length);
        ironmap__file disk = inside ? mapping->file : IRONMAP__NO_FILE;
        *error = (ironmap_error){.status = IRONMAP_E_FAULT,
                                 .system_code = ironmap__fault_code(disk, store),
                                 .what = inside ? NULL : "file truncated",
                                 .offset = offset,
                                 .file_length = length};
    }
    return IRONMAP_E_FAULT;
}
