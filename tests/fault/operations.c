#include "operations.h"

/* ---- reading --------------------------------------------------------------------------------- */

static int run_get(attempt *a)
{
    a->got = a->length;
    return ironmap_get(a->map, a->offset, a->bytes, a->length, &a->error);
}

static int run_get_byte(attempt *a)
{
    a->got = 1;
    return ironmap_get_byte(a->bytes, a->map, a->offset, &a->error);
}

/* What does not count is read in the other way, as the header says. */
static int run_short_read(attempt *a)
{
    ironmap_short_read read;

    a->got = a->length;
    if (ironmap_short_read_begin(&read, a->map, a->offset, a->length)) {
        memcpy(a->bytes, read.bytes, a->length);
        if (ironmap_short_read_end(&read, a->map)) {
            return IRONMAP_OK;
        }
    }
    return ironmap_get(a->map, a->offset, a->bytes, a->length, &a->error);
}

static size_t strides(const attempt *a)
{
    return (a->length - 1) / a->step + 1;
}

static int run_get_strided(attempt *a)
{
    a->got = strides(a);
    return ironmap_get_strided(a->map, a->offset, (int64_t)a->step, a->bytes, a->got, &a->error);
}

static int run_get_strided_back(attempt *a)
{
    size_t last = a->offset + (strides(a) - 1) * a->step;
    int status = 0;

    a->got = strides(a);
    status = ironmap_get_strided(a->map, last, -(int64_t)a->step, a->bytes, a->got, &a->error);
    for (size_t i = 0; i < a->got / 2; i++) {
        uint8_t first = a->bytes[i];

        a->bytes[i] = a->bytes[a->got - 1 - i];
        a->bytes[a->got - 1 - i] = first;
    }
    return status;
}

static int seek(const attempt *a)
{
    return ironmap_seek(a->map, (int64_t)a->offset, IRONMAP_SEEK_SET, NULL);
}

static int run_read(attempt *a)
{
    (void)seek(a);
    return ironmap_read(&a->got, a->map, a->bytes, a->length, &a->error);
}

static int run_read_byte(attempt *a)
{
    (void)seek(a);
    a->got = 1;
    return ironmap_read_byte(a->bytes, a->map, &a->error);
}

static int run_readline(attempt *a)
{
    (void)seek(a);
    return ironmap_readline(&a->got, a->map, a->bytes, a->length, &a->error);
}

static void *allocate_in_attempt(void *context, size_t length)
{
    attempt *a = context;

    a->got = length;
    return a->bytes;
}

static int run_copy_line(attempt *a)
{
    size_t length = 0;

    return ironmap_copy_line(&length, a->map, a->offset, a->length, true, allocate_in_attempt, a,
                             &a->error);
}

static void read_in_guard(void *context)
{
    attempt *a = context;
    const uint8_t *data = ironmap_data(a->map);

    memcpy(a->bytes, data + a->offset, a->length);
}

static int run_guard_read(attempt *a)
{
    a->got = a->length;
    return run_guarded(a->map, read_in_guard, a, &a->error);
}

static void get_in_guard(void *context)
{
    attempt *a = context;

    ignore(ironmap_get(a->map, a->offset, a->bytes, a->length, NULL));
}

static int run_guard_get(attempt *a)
{
    a->got = a->length;
    return run_guarded(a->map, get_in_guard, a, &a->error);
}

static void guard_in_guard(void *context)
{
    attempt *a = context;

    ignore(run_guarded(a->map, read_in_guard, a, NULL));
}

static int run_guard_nested(attempt *a)
{
    a->got = a->length;
    return run_guarded(a->map, guard_in_guard, a, &a->error);
}

/* ---- storing --------------------------------------------------------------------------------- */

static int run_put(attempt *a)
{
    return ironmap_put(a->map, a->offset, a->bytes, a->length, &a->error);
}

static int run_short_put_byte(attempt *a)
{
    return ironmap_short_put_byte(a->map, a->offset, a->bytes[0])
               ? IRONMAP_OK
               : ironmap_put_byte(a->map, a->offset, a->bytes[0], &a->error);
}

static int run_put_byte(attempt *a)
{
    return ironmap_put_byte(a->map, a->offset, a->bytes[0], &a->error);
}

static int run_put_strided(attempt *a)
{
    return ironmap_put_strided(a->map, a->offset, (int64_t)a->step, a->bytes, strides(a),
                               &a->error);
}

static int run_write(attempt *a)
{
    (void)seek(a);
    return ironmap_write(a->map, a->bytes, a->length, &a->error);
}

static int run_write_byte(attempt *a)
{
    (void)seek(a);
    return ironmap_write_byte(a->map, a->bytes[0], &a->error);
}

static int run_fill(attempt *a)
{
    memset(a->bytes, stored_byte(a->offset), a->length);
    return ironmap_fill(a->map, a->offset, stored_byte(a->offset), a->length, &a->error);
}

static void store_in_guard(void *context)
{
    attempt *a = context;
    uint8_t *data = ironmap_data(a->map);

    memcpy(data + a->offset, a->bytes, a->length);
}

static int run_guard_store(attempt *a)
{
    return run_guarded(a->map, store_in_guard, a, &a->error);
}

/* ---- from the map to the map ----------------------------------------------------------------- */

static int run_move(attempt *a)
{
    return ironmap_move(a->map, a->offset, a->other, a->length, &a->error);
}

static int run_get_into_map(attempt *a)
{
    uint8_t *data = ironmap_data(a->map);

    return ironmap_get(a->map, a->other, data + a->offset, a->length, &a->error);
}

static int run_put_from_map(attempt *a)
{
    const uint8_t *data = ironmap_data(a->map);

    return ironmap_put(a->map, a->offset, data + a->other, a->length, &a->error);
}

/* ---- searching ------------------------------------------------------------------------------- */

static int run_find(attempt *a)
{
    return ironmap_find(&a->index, a->map, a->needle, a->needle_length, a->offset, a->length,
                        &a->error);
}

static int run_rfind(attempt *a)
{
    return ironmap_rfind(&a->index, a->map, a->needle, a->needle_length, a->offset, a->length,
                         &a->error);
}

/* The first match. */
static int run_find_all(attempt *a)
{
    uint64_t offsets[3];
    ironmap_matches matches = {.offsets = offsets, .capacity = COUNT_OF(offsets)};
    int status = ironmap_find_all(&matches, a->map, a->needle, a->needle_length, a->offset,
                                  a->length, &a->error);

    a->index = matches.found > 0 ? offsets[0] : IRONMAP_NOT_FOUND;
    return status;
}

/* The index of find, if there is a match. */
static int run_count(attempt *a)
{
    size_t count = 0;
    int status =
        ironmap_count(&count, a->map, a->needle, a->needle_length, a->offset, a->length, &a->error);

    a->index = IRONMAP_NOT_FOUND;
    return status == IRONMAP_OK && count > 0 ? run_find(a) : status;
}

static int run_find_from_map(attempt *a)
{
    const uint8_t *data = ironmap_data(a->map);

    return ironmap_find(&a->index, a->map, data + a->other, a->needle_length, a->offset, a->length,
                        &a->error);
}

static int run_rfind_from_map(attempt *a)
{
    const uint8_t *data = ironmap_data(a->map);

    return ironmap_rfind(&a->index, a->map, data + a->other, a->needle_length, a->offset, a->length,
                         &a->error);
}

/* A search for the newline. */
static int run_line_length(attempt *a)
{
    size_t rest = ironmap_length(a->map) - a->offset;
    int status = 0;

    (void)seek(a);
    status = ironmap_line_length(&a->got, a->map, &a->error);
    a->index = a->offset + a->got - 1;
    if (a->got == rest && solid_byte(ironmap_offset(a->map) + a->index) != '\n') {
        a->index = IRONMAP_NOT_FOUND;
    }
    return status;
}

/* ---- all of them ----------------------------------------------------------------------------- */

const operation operations[] = {
    {"get", run_get, READS},
    {"get_byte", run_get_byte, READS | ONE_BYTE},
    {"short_read", run_short_read, READS},
    {"get_strided", run_get_strided, READS | STRIDED},
    {"get_strided, backward", run_get_strided_back, READS | STRIDED},
    {"read", run_read, READS},
    {"read_byte", run_read_byte, READS | ONE_BYTE},
    {"readline", run_readline, READS | LINE},
    {"copy_line", run_copy_line, READS | LINE},
    {"guard, reading", run_guard_read, READS | GUARDS},
    {"guard, get", run_guard_get, READS | GUARDS},
    {"guard in guard", run_guard_nested, READS | GUARDS},
    {"put", run_put, STORES},
    {"put_byte", run_put_byte, STORES | ONE_BYTE},
    {"short_put_byte", run_short_put_byte, STORES | ONE_BYTE},
    {"put_strided", run_put_strided, STORES | STRIDED},
    {"write", run_write, STORES},
    {"write_byte", run_write_byte, STORES | ONE_BYTE},
    {"fill", run_fill, STORES},
    {"guard, storing", run_guard_store, STORES | GUARDS},
    {"move", run_move, COPIES},
    {"get into the map", run_get_into_map, COPIES},
    {"put from the map", run_put_from_map, COPIES},
    {"find", run_find, SEARCHES},
    {"rfind", run_rfind, SEARCHES | BACKWARD},
    {"find_all", run_find_all, SEARCHES},
    {"count", run_count, SEARCHES},
    {"find, needle in the map", run_find_from_map, SEARCHES | NEEDLE_IN_MAP},
    {"rfind, needle in the map", run_rfind_from_map, SEARCHES | BACKWARD | NEEDLE_IN_MAP},
    {"line_length", run_line_length, SEARCHES | TO_THE_END},
};

const size_t operation_count = COUNT_OF(operations);

bool operation_writes(const operation *op)
{
    return (op->traits & (STORES | COPIES)) != 0;
}

static bool is_inside(size_t offset, size_t from, size_t length)
{
    return offset >= from && offset - from < length;
}

bool operation_touches(const operation *op, const attempt *a, size_t offset)
{
    size_t end = (op->traits & (TO_THE_END | LINE)) != 0 ? ironmap_length(a->map) : 0;
    size_t length = end != 0 ? end - a->offset : a->length;

    if ((op->traits & COPIES) != 0 && is_inside(offset, a->other, a->length)) {
        return true;
    }
    if ((op->traits & NEEDLE_IN_MAP) != 0 && is_inside(offset, a->other, a->needle_length)) {
        return true;
    }
    if ((op->traits & STRIDED) != 0) {
        length = (strides(a) - 1) * a->step + 1;
    }
    return is_inside(offset, a->offset, length);
}
