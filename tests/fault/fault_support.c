#include "fault_support.h"

#include <stdlib.h>

unsigned long setting(const char *name, unsigned long fallback)
{
    const char *given = getenv(name);

    return given != NULL ? strtoul(given, NULL, 10) : fallback;
}

uint64_t page_up(uint64_t offset)
{
    uint64_t page = ironmap_page_size();

    return (offset + page - 1) / page * page;
}

/* ---- content --------------------------------------------------------------------------------- */

enum { NEWLINE_AT = 1000 };

uint8_t solid_byte(uint64_t offset)
{
    uint64_t z = (offset + 1) * 0x9e3779b97f4a7c15U;
    uint8_t byte = (uint8_t)(11 + (z ^ (z >> 29) ^ (z >> 47)) % 117);

    return offset % ironmap_page_size() == NEWLINE_AT ? '\n' : byte;
}

uint8_t stored_byte(uint64_t offset)
{
    return solid_byte(offset) | 0x80;
}

void solid_fill(uint8_t *buffer, uint64_t offset, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        buffer[i] = solid_byte(offset + i);
    }
}

void stored_fill(uint8_t *buffer, uint64_t offset, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        buffer[i] = stored_byte(offset + i);
    }
}

bool is_solid(const uint8_t *bytes, uint64_t offset, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] != solid_byte(offset + i)) {
            return false;
        }
    }
    return true;
}

bool is_filled(const uint8_t *bytes, size_t length, uint8_t byte)
{
    return length == 0 || (bytes[0] == byte && memcmp(bytes, bytes + 1, length - 1) == 0);
}

/* Each write ends with a page, and so does the file. */
bool solid_write(int fd, uint64_t from, uint64_t to)
{
    uint8_t piece[1 << 16];
    bool all = true;

    while (all && from < to) {
        uint64_t end = (from / sizeof(piece) + 1) * sizeof(piece);
        size_t length = (size_t)((end < to ? end : to) - from);

        solid_fill(piece, from, length);
        all = descriptor_store(fd, from, piece, length);
        from += length;
    }
    return all;
}

void file_solid(fixture *f, size_t length)
{
    if (f->fd < 0) {
        file_bytes(f, "", 0);
    }
    if (!solid_write(f->fd, 0, length)) {
        fail_msg("%s cannot be written", f->path);
    }
    file_truncate(f, length);
}

const uint8_t *map_source(fixture *f, size_t length)
{
    file_solid(f, length);
    map_file(f, IRONMAP_WRITE);
    return ironmap_data(f->map);
}

ironmap_map *make_target(size_t length)
{
    ironmap_options options = options_of(0, length);
    ironmap_map *target = NULL;

    assert_ok(ironmap_open_anonymous(&target, IRONMAP_WRITE, &options, &failure));
    assert_ok(ironmap_fill(target, 0, BACKGROUND, length, &failure));
    return target;
}

void assert_map_solid(const ironmap_map *map)
{
    size_t length = ironmap_length(map);
    uint8_t *bytes = malloc(length + 1);

    assert_non_null(bytes);
    assert_ok(ironmap_get(map, 0, bytes, length, &failure));
    assert_true(is_solid(bytes, ironmap_offset(map), length));
    free(bytes);
}

/* ---- faults ---------------------------------------------------------------------------------- */

void check_fault(int result, const ironmap_error *error, uint64_t offset, int code,
                 const char *call, const char *file, int line)
{
    if (result != IRONMAP_E_FAULT || error->status != IRONMAP_E_FAULT || error->offset != offset ||
        error->system_code != code) {
        print_error("%s\nreturned %s, error: %s at %" PRIu64 ", code %d\n"
                    "expected IRONMAP_E_FAULT at %" PRIu64 ", code %d\n",
                    call, ironmap_status_name(result), ironmap_status_name((int)error->status),
                    error->offset, (int)error->system_code, offset, code);
        _fail(file, line);
    }
}

uint64_t first_damaged(uint64_t offset)
{
    return traits.loses_whole_views ? 0 : offset;
}

int run_guarded(ironmap_map *map, void (*work)(void *context), void *context, ironmap_error *error)
{
    ironmap_guard guard;
    int status = ironmap_guard_begin(&guard, map, error);

    if (status != IRONMAP_OK) {
        return status;
    }
    work(context);
    return ironmap_guard_end(&guard, error);
}

void skip_if_whole_views_are_lost(void)
{
    if (traits.loses_whole_views) {
        skip_because("this system loses all pages of a view at once");
    }
}

void assert_damage(const ironmap_map *map, uint64_t offset, size_t length)
{
    bool whole = traits.loses_whole_views && length > 0;
    uint64_t found = 0;
    size_t run = 0;

    assert_ok(ironmap_damage(&found, &run, map, 0, &failure));
    assert_u64(found, length == 0 ? IRONMAP_NOT_FOUND : first_damaged(offset));
    assert_u64(run, whole ? ironmap_length(map) : length);
}

uint8_t peek(const ironmap_map *map, size_t offset)
{
    return ((volatile const uint8_t *)ironmap_data(map))[offset];
}

void poke(ironmap_map *map, size_t offset, uint8_t byte)
{
    ((volatile uint8_t *)ironmap_data(map))[offset] = byte;
}

void skip_without_pages_beyond_a_file(void)
{
    skip_on_emulated_pages("maps zeros beyond the end of a file");
}

void spin(unsigned turns)
{
    for (volatile unsigned i = 0; i < turns; i++) {
    }
}
