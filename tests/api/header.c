/* Compiles the headers alone, in C and in C++. Every macro is expanded once. Never run. */
#include <ironmap/extra.h>

#define NAME_OF(name, value, message) #name,
static const char *const names[] = {IRONMAP_STATUS_TABLE(NAME_OF)};
#undef NAME_OF

#define VALUE_OF(name, value, message) IRONMAP_##name,
static const ironmap_status statuses[] = {IRONMAP_STATUS_TABLE(VALUE_OF)};
#undef VALUE_OF

#if IRONMAP_VERSION !=                                                                             \
    IRONMAP_VERSION_NUMBER(IRONMAP_VERSION_MAJOR, IRONMAP_VERSION_MINOR, IRONMAP_VERSION_PATCH)
#error the version is no number that the preprocessor can compare
#endif

static const ironmap_options constant_options = IRONMAP_OPTIONS_INIT;

uint64_t header_is_whole(ironmap_map *map);

/* Uses a name of every group. Its result depends on all of them. */
uint64_t header_is_whole(ironmap_map *map)
{
    ironmap_options options = IRONMAP_OPTIONS_INIT;
    ironmap_error error;
    char name[IRONMAP_NAME_MAX + IRONMAP_TAG_MAX] = {'\0'};
    uint64_t index = IRONMAP_NOT_FOUND;
    size_t length = IRONMAP_TO_END;
    int flags = IRONMAP_FLUSH_ASYNC | IRONMAP_FLUSH_INVALIDATE;
    int advice = IRONMAP_ADVICE_DONTNEED;
    bool readable = ironmap_is_readable(map);

    options.open = IRONMAP_OPEN_CREATE | IRONMAP_OPEN_EXCLUSIVE | IRONMAP_OPEN_EXTEND |
                   IRONMAP_OPEN_NO_TRACK | IRONMAP_OPEN_NONEMPTY | IRONMAP_OPEN_PREALLOCATE;
    if (ironmap_open_anonymous(&map, IRONMAP_COPY, &options, &error) != IRONMAP_OK) {
        return error.file_length == IRONMAP_UNKNOWN ? 0 : 1;
    }
    (void)ironmap_seek(map, 0, IRONMAP_SEEK_END, &error);
    if (ironmap_find(&index, map, name, sizeof(name), 0, length, NULL) != IRONMAP_OK ||
        ironmap_flush(map, 0, length, flags, &error) != IRONMAP_OK) {
        return ironmap_overhead(map);
    }
    (void)ironmap_advise(map, 0, length, advice, &error);
    return names[0] != NULL && statuses[0] == IRONMAP_OK && readable ? index
                                                                     : constant_options.length;
}
