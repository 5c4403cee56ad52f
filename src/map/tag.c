/* Tags: valid names, and how much of its memory a map has. */
#include "map/tag.h"

#include <assert.h>

static_assert(IRONMAP_TAG_MAX == IRONMAP__TAG_MAX, "the header tells the length of a tag");

bool ironmap_is_valid_tag(const char *name)
{
    return ironmap__tag_refusal(name) == NULL;
}

const char *ironmap_tag(const ironmap_map *map)
{
    return map->tag == NULL ? NULL : map->tag->name;
}

static int fail_beyond(ironmap_error *error)
{
    return ironmap__fail_for(error, IRONMAP_E_BEYOND_FILE, "range lies beyond the end of the tag");
}

/* Cuts the length to what the tag has, or checks it if the caller gave it. */
static int resolve_length(size_t *length, uint64_t tag_length, const ironmap_options *options,
                          bool anonymous, ironmap_error *error)
{
    if (options->offset > tag_length) {
        return fail_beyond(error);
    }
    uint64_t rest = tag_length - options->offset;
    if (options->length != 0) {
        return *length <= rest ? IRONMAP_OK : fail_beyond(error);
    }
    uint64_t most = anonymous ? rest : ironmap__min(rest, *length);
    if (most == 0 && (options->open & IRONMAP_OPEN_NONEMPTY) != 0) {
        return fail_beyond(error);
    }
    if (most > IRONMAP__MEMORY_MAX) {
        return ironmap__fail(error, IRONMAP_E_OVERFLOW);
    }
    *length = (size_t)most;
    return IRONMAP_OK;
}

int ironmap__tag_join(size_t *length, ironmap_map *map, ironmap__file file,
                      const ironmap_options *options, ironmap_error *error)
{
    bool anonymous = file == IRONMAP__NO_FILE;
    uint64_t end = 0;
    if (options->tag == NULL) {
        return IRONMAP_OK;
    }
    if (!ironmap__add(&end, options->offset, *length) || end > IRONMAP__FILE_MAX) {
        return ironmap__fail(error, IRONMAP_E_OVERFLOW);
    }
    uint64_t wanted = anonymous && options->length == 0 ? 0 : end;
    const ironmap__tag_request tag_request = {.name = options->tag,
                                              .mode = &map->mapping.mode,
                                              .file = file,
                                              .length = wanted,
                                              .stop = options->check,
                                              .context = options->context};
    int status = ironmap__tag_open(&map->tag, &tag_request, error);
    if (status != IRONMAP_OK) {
        return status;
    }
    status = resolve_length(length, map->tag->length, options, anonymous, error);
    if (status != IRONMAP_OK) {
        return status;
    }
    if (anonymous) {
        map->mapping.offset += map->tag->start;
        map->mapping.file = map->tag->memory;
        map->tag_memory = true;
    }
    return IRONMAP_OK;
}
