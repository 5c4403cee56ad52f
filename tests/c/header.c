/* The header alone, in C and in C++: everything that it defines is used once, so that each macro is
 * seen to expand to what both languages take. Compiled, never run. */
#include <mapio/mapio.h>

#define NAME_OF(name, value, message) #name,
static const char *const names[] = {MAPIO_STATUS_TABLE(NAME_OF)};
#undef NAME_OF

#define VALUE_OF(name, value, message) MAPIO_##name,
static const mapio_status statuses[] = {MAPIO_STATUS_TABLE(VALUE_OF)};
#undef VALUE_OF

#if MAPIO_VERSION !=                                                                               \
    MAPIO_VERSION_NUMBER(MAPIO_VERSION_MAJOR, MAPIO_VERSION_MINOR, MAPIO_VERSION_PATCH)
#error the version is no number that the preprocessor can compare
#endif

static const mapio_options constant_options = MAPIO_OPTIONS_INIT;

uint64_t header_is_whole(mapio_map *map);

/* Uses the names of every group; returns something made of all of them. */
uint64_t header_is_whole(mapio_map *map)
{
    mapio_options options = MAPIO_OPTIONS_INIT;
    mapio_error error = {MAPIO_OK, 0, NULL, 0};
    mapio_constant constant = {"name", 0};
    char name[MAPIO_NAME_MAX + 1] = {'\0'};
    uint64_t index = MAPIO_NOT_FOUND;
    size_t length = MAPIO_TO_END;
    int flags = MAPIO_FLUSH_ASYNC | MAPIO_FLUSH_INVALIDATE;
    int advice = MAPIO_ADVICE_DONTNEED;
    bool readable = mapio_readable(map);

    options.open = MAPIO_OPEN_CREATE | MAPIO_OPEN_EXCLUSIVE | MAPIO_OPEN_EXTEND |
                   MAPIO_OPEN_NO_TRACK | MAPIO_OPEN_NONEMPTY | MAPIO_OPEN_PREALLOCATE;
    options.access = MAPIO_ACCESS_COPY;
    options.flags = MAPIO_SYSTEM_DEFAULT;
    (void)mapio_open_anonymous(&map, &options, &error);
    (void)mapio_seek(map, 0, MAPIO_SEEK_END, &error);
    (void)mapio_find(&index, map, name, sizeof(name), 0, length, NULL);
    (void)mapio_flush(map, 0, length, flags, &error);
    (void)mapio_advise(map, 0, length, advice, &error);
    return names[0] != NULL && statuses[0] == MAPIO_OK && constant.value == 0 && readable
               ? index
               : constant_options.length;
}
