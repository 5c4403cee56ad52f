/* Tags: what a name may be, and how much of its memory a map has. */
#include "map.h"

#include <string.h>

/* As portable file names (POSIX.1-2017, 3.282), but for a leading hyphen, which is allowed. */
static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                              "abcdefghijklmnopqrstuvwxyz"
                              "0123456789._-";

bool mapio_is_tag(const char *name)
{
    size_t length = strspn(name, allowed);
    return length >= 1 && length <= MAPIO_TAG_MAX && name[length] == '\0' && name[0] != '.';
}

const char *mapio_tag(const mapio_map *map)
{
    return map->tag == NULL ? NULL : map->tag->name;
}

/* Compares what is to be mapped with what the tag has. */
static mapio_status fit(size_t *length, uint64_t tag_length, const mapio_options *options,
                        bool anonymous)
{
    if (options->offset > tag_length) {
        return MAPIO_E_BEYOND_FILE;
    }
    uint64_t rest = tag_length - options->offset;
    if (options->length != 0) {
        return *length <= rest ? MAPIO_OK : MAPIO_E_BEYOND_FILE;
    }
    uint64_t most = anonymous ? rest : mapio__min(rest, *length);
    if (most == 0 && (options->open & MAPIO_OPEN_NONEMPTY) != 0) {
        return MAPIO_E_BEYOND_FILE;
    }
    if (most > MAPIO__MEMORY_MAX) {
        return MAPIO_E_OVERFLOW;
    }
    *length = (size_t)most;
    return MAPIO_OK;
}

int mapio__tag_join(size_t *length, mapio_map *map, mapio__file file, const mapio_options *options,
                    mapio_error *error)
{
    bool anonymous = file == MAPIO__NO_FILE;
    uint64_t end = 0;
    if (options->tag == NULL) {
        return MAPIO_OK;
    }
    if (!mapio__add(&end, options->offset, *length) || end > MAPIO__FILE_MAX) {
        return mapio__fail(error, MAPIO_E_OVERFLOW);
    }
    uint64_t wanted = anonymous && options->length == 0 ? 0 : end;
    int status = mapio__tag_open(&map->tag, options, &map->mode, file, wanted, error);
    if (status != MAPIO_OK) {
        return status;
    }
    mapio_status fits = fit(length, map->tag->length, options, anonymous);
    if (fits != MAPIO_OK) {
        return mapio__fail(error, fits);
    }
    if (anonymous) {
        map->offset += map->tag->start;
        map->file = map->tag->memory;
        map->tag_memory = true;
    }
    return MAPIO_OK;
}
