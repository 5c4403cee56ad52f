/* Fuzzes the C interface. The input is a program: a map to open, then calls with their arguments.
 *
 * While no page was lost, a model in plain memory has the bytes of the map, and each call must do
 * to the map what it does to the model. The file may be truncated at any time. From then on a call
 * may fail with IRONMAP_E_FAULT, and what it reads from a shared map must be what pread(2) reads.
 */
#include <fcntl.h>
#include <ironmap/extra.h>
#include <ironmap/ironmap.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE = 4096, LENGTH_MAX = 24 * PAGE, CALLS_MAX = 200 };

/* What is left of the input. An input that is over goes on with zeros. */
static const uint8_t *input;
static size_t input_left;

static ironmap_map *map;
static int file; /* -1: anonymous */
static uint64_t file_offset;
static bool shared;
static bool lossy; /* the file was truncated: there is no model */
static uint8_t model[LENGTH_MAX];
static size_t length;   /* of the map and the model */
static size_t position; /* of the stream */
static uint8_t buffer[LENGTH_MAX];

static void check(bool condition)
{
    if (!condition) {
        abort();
    }
}

/* ---- arguments ---- */

static unsigned next_byte(void)
{
    if (input_left == 0) {
        return 0;
    }
    input_left--;
    return *input++;
}

static unsigned next_word(void)
{
    unsigned low = next_byte();
    return low | next_byte() << 8;
}

/* An offset: inside the map, near its end or a page's, or far outside. */
static uint64_t next_offset(void)
{
    unsigned kind = next_byte();
    unsigned value = next_word();
    switch (kind % 8) {
    case 0:
        return length + value % 3;
    case 1:
        return length > value % 16 ? length - value % 16 : 0;
    case 2:
        return value % 24 * PAGE + kind / 8 % 3 - 1;
    case 3:
        return value % 2 == 0 ? UINT64_MAX - value % 3 : (uint64_t)INT64_MAX - value % 3;
    default:
        return length == 0 ? 0 : value * 2 % length;
    }
}

/* A length, at most LENGTH_MAX if the call gets a buffer. */
static size_t next_length(bool buffered)
{
    unsigned kind = next_byte();
    unsigned value = next_word();
    if (kind % 16 == 0 && !buffered) {
        return SIZE_MAX - value % 3;
    }
    size_t chosen = kind % 4 == 1 ? value * 2 : value % 64;
    return chosen < LENGTH_MAX ? chosen : LENGTH_MAX;
}

static void fill_buffer(size_t count)
{
    unsigned seed = next_byte();
    for (size_t i = 0; i < count; i++) {
        buffer[i] = (uint8_t)(seed % 4 == 0 ? seed : seed + i % 5 * (seed % 3));
    }
}

/* ---- what is expected ---- */

static int range_status(uint64_t offset, uint64_t count)
{
    if (offset <= length && count <= length - offset) {
        return IRONMAP_OK;
    }
    return count > UINT64_MAX - offset ? IRONMAP_E_OVERFLOW : IRONMAP_E_RANGE;
}

static int read_status(uint64_t offset, uint64_t count)
{
    return ironmap_is_readable(map) ? range_status(offset, count) : IRONMAP_E_NOT_READABLE;
}

static int write_status(uint64_t offset, uint64_t count)
{
    return ironmap_is_writable(map) ? range_status(offset, count) : IRONMAP_E_READONLY;
}

/* True if the call succeeded and there is a model to compare with. */
static bool succeeded(int status, int expected)
{
    check(status == expected || (lossy && expected == IRONMAP_OK && status == IRONMAP_E_FAULT));
    return status == IRONMAP_OK && !lossy;
}

/* What was read from a shared map with lost pages is what the file has. Behind the file's end, in
 * its last page, is what was stored there. */
static void check_read(int status, uint64_t offset, size_t count)
{
    static uint8_t bytes[LENGTH_MAX];
    if (status != IRONMAP_OK || count == 0) {
        return;
    }
    if (!lossy) {
        check(memcmp(buffer, model + offset, count) == 0);
    } else if (shared && file != -1) {
        ssize_t found = pread(file, bytes, count, (off_t)(file_offset + offset));
        check(found >= 0 && memcmp(buffer, bytes, (size_t)found) == 0);
    }
}

static uint64_t naive_find(const uint8_t *needle, size_t size, uint64_t from, uint64_t to)
{
    for (uint64_t at = from; at + size <= to; at++) {
        if (memcmp(model + at, needle, size) == 0) {
            return at;
        }
    }
    return IRONMAP_NOT_FOUND;
}

static uint64_t naive_rfind(const uint8_t *needle, size_t size, uint64_t from, uint64_t to)
{
    for (uint64_t at = to + 1; at-- > from;) {
        if (at + size <= to && memcmp(model + at, needle, size) == 0) {
            return at;
        }
    }
    return IRONMAP_NOT_FOUND;
}

static uint64_t range_end(uint64_t offset, size_t count)
{
    return offset > length || count > length - offset ? length : offset + count;
}

/* ---- the calls ---- */

static void call_get(void)
{
    uint64_t offset = next_offset();
    size_t count = next_length(true);
    int status = ironmap_get(map, offset, buffer, count, NULL);
    (void)succeeded(status, read_status(offset, count));
    check_read(status, offset, count);
}

static void call_put(void)
{
    uint64_t offset = next_offset();
    size_t count = next_length(true);
    fill_buffer(count);
    if (succeeded(ironmap_put(map, offset, buffer, count, NULL), write_status(offset, count)) &&
        count > 0) {
        memcpy(model + offset, buffer, count);
    }
}

static void call_bytes(void)
{
    uint64_t offset = next_offset();
    uint8_t byte = (uint8_t)next_byte();
    if (succeeded(ironmap_put_byte(map, offset, byte, NULL), write_status(offset, 1))) {
        model[offset] = byte;
    }
    int status = ironmap_get_byte(buffer, map, offset, NULL);
    (void)succeeded(status, read_status(offset, 1));
    check_read(status, offset, 1);
}

static void call_fill(void)
{
    uint64_t offset = next_offset();
    size_t count = next_length(false);
    uint8_t byte = (uint8_t)next_byte();
    size_t filled = count != IRONMAP_TO_END ? count : offset <= length ? length - offset : 0;
    if (succeeded(ironmap_fill(map, offset, byte, count, NULL), write_status(offset, filled)) &&
        filled > 0) {
        memset(model + offset, byte, filled);
    }
}

static void call_move(void)
{
    uint64_t to = next_offset();
    uint64_t from = next_offset();
    size_t count = next_length(false);
    int expected = write_status(to, count);
    expected = expected == IRONMAP_OK ? read_status(from, count) : expected;
    if (succeeded(ironmap_move(map, to, from, count, NULL), expected) && count > 0) {
        memmove(model + to, model + from, count);
    }
}

/* Bytes that lie a step apart, one side of them in the map's own memory if `own` is not 0. */
static void call_strided(void)
{
    uint64_t offset = next_offset();
    int64_t step = (int8_t)next_byte();
    size_t count = next_byte();
    bool inside = step != 0;
    for (size_t i = 0; i < count && inside; i++) {
        inside = offset + (uint64_t)((int64_t)i * step) < length;
    }
    int status = ironmap_get_strided(map, offset, step, buffer, count, NULL);
    if (step == 0) {
        check(status == IRONMAP_E_INVALID);
        return;
    }
    check(count == 0 || lossy || (status == IRONMAP_OK) == inside);
    for (size_t i = 0; i < count && status == IRONMAP_OK && !lossy; i++) {
        check(buffer[i] == model[offset + (uint64_t)((int64_t)i * step)]);
    }
    fill_buffer(count);
    status = ironmap_put_strided(map, offset, step, buffer, count, NULL);
    for (size_t i = 0; i < count && status == IRONMAP_OK && !lossy; i++) {
        model[offset + (uint64_t)((int64_t)i * step)] = buffer[i];
    }
}

static void call_find(void)
{
    uint64_t offset = next_offset();
    size_t count = next_length(false);
    size_t size = next_byte() % 32;
    uint8_t needle[32] = {0};
    uint64_t place = next_offset();
    uint64_t end = range_end(offset, count);
    if (place < length && size <= length - place) {
        memcpy(needle, model + place, size);
    }
    uint64_t first = 0;
    uint64_t last = 0;
    size_t number = 0;
    int status = ironmap_find(&first, map, needle, size, offset, count, NULL);
    bool possible = offset <= end && size <= end - offset;
    if (succeeded(status, IRONMAP_OK)) {
        check(first == (possible ? naive_find(needle, size, offset, end) : IRONMAP_NOT_FOUND));
    }
    status = ironmap_rfind(&last, map, needle, size, offset, count, NULL);
    if (succeeded(status, IRONMAP_OK)) {
        check(last == (possible ? naive_rfind(needle, size, offset, end) : IRONMAP_NOT_FOUND));
    }
    status = ironmap_count(&number, map, needle, size, offset, count, NULL);
    if (succeeded(status, IRONMAP_OK)) {
        size_t expected = 0;
        uint64_t at = possible ? naive_find(needle, size, offset, end) : IRONMAP_NOT_FOUND;
        for (; at != IRONMAP_NOT_FOUND;
             at = naive_find(needle, size, at + (size == 0 ? 1 : size), end)) {
            expected++;
        }
        check(number == expected);
    }
}

static void call_find_all(void)
{
    uint64_t offsets[16];
    uint64_t offset = next_offset();
    size_t size = next_byte() % 4;
    uint8_t needle[4] = {(uint8_t)next_byte(), (uint8_t)next_byte(), 0, 0};
    ironmap_matches matches = {
        .offsets = offsets, .capacity = next_byte() % 17, .overlapping = next_byte() % 2 == 1};
    if (matches.capacity == 0) {
        check(ironmap_find_all(&matches, map, needle, size, offset, IRONMAP_TO_END, NULL) ==
              IRONMAP_E_INVALID);
        return;
    }
    uint64_t expected = offset <= length ? naive_find(needle, size, offset, length) : UINT64_MAX;
    size_t step = matches.overlapping || size == 0 ? 1 : size;
    for (int calls = 0; calls < 50 && matches.next != IRONMAP_NOT_FOUND; calls++) {
        int status = ironmap_find_all(&matches, map, needle, size, offset, IRONMAP_TO_END, NULL);
        if (!succeeded(status, IRONMAP_OK)) {
            return;
        }
        for (size_t i = 0; i < matches.found; i++) {
            check(offsets[i] == expected);
            expected = naive_find(needle, size, expected + step, length);
        }
        check(matches.found == matches.capacity || expected == IRONMAP_NOT_FOUND);
    }
}

static void *allocate(void *context, size_t count)
{
    (void)context;
    return count <= LENGTH_MAX ? buffer : NULL;
}

static void call_lines(void)
{
    uint64_t offset = next_offset();
    size_t line = 0;
    int status = ironmap_copy_line(&line, map, offset, IRONMAP_TO_END, true, allocate, NULL, NULL);
    uint64_t start = offset < length ? offset : length;
    if (succeeded(status, IRONMAP_OK)) {
        uint64_t newline = naive_find((const uint8_t *)"\n", 1, start, length);
        check(line == (newline == IRONMAP_NOT_FOUND ? length : newline + 1) - start);
        check_read(status, start, line);
    }
    uint64_t offsets[8];
    size_t lengths[8];
    ironmap_lines lines = {.offsets = offsets, .lengths = lengths, .capacity = 1 + next_byte() % 8};
    status = ironmap_find_lines(&lines, map, offset, IRONMAP_TO_END, NULL);
    if (succeeded(status, IRONMAP_OK)) {
        for (size_t i = 0; i < lines.found; i++) {
            check(offsets[i] == start && lengths[i] > 0);
            start += lengths[i];
            check(start == length || model[start - 1] == '\n');
        }
    }
}

static void call_stream(void)
{
    size_t count = next_length(true);
    size_t done = 0;
    size_t left = position < length ? length - position : 0;
    int status = ironmap_read(&done, map, buffer, count, NULL);
    (void)succeeded(status, IRONMAP_OK);
    if (status == IRONMAP_OK) {
        check(done == (count < left ? count : left));
        check_read(status, position, done);
        position += done;
    }
    check(ironmap_tell(map) == position);
    int64_t offset = (int64_t)next_offset();
    int whence = (int)(next_byte() % 4);
    uint64_t from = whence == IRONMAP_SEEK_CUR ? position : whence == IRONMAP_SEEK_END ? length : 0;
    uint64_t to = from + (uint64_t)offset;
    status = ironmap_seek(map, offset, whence, NULL);
    check(status == (whence == 3 ? IRONMAP_E_INVALID : to > length ? IRONMAP_E_RANGE : IRONMAP_OK));
    position = status == IRONMAP_OK ? (size_t)to : position;
    fill_buffer(count);
    int expected = write_status(position, count);
    status = ironmap_write(map, buffer, count, NULL);
    if (succeeded(status, expected) && count > 0) {
        memcpy(model + position, buffer, count);
    }
    position += status == IRONMAP_OK ? count : 0;
    check(ironmap_tell(map) == position);
}

/* A longer map shows what the file has there. */
static void call_resize(void)
{
    size_t wanted = next_word() * 2 % LENGTH_MAX;
    size_t more = wanted > length ? wanted - length : 0;
    memset(buffer, 0, more);
    if (file != -1) {
        check(pread(file, buffer, more, (off_t)(file_offset + length)) >= 0);
    }
    int status = ironmap_resize(map, wanted, NULL);
    if (status == IRONMAP_OK) {
        memcpy(model + length, buffer, more);
        length = wanted;
    }
    length = ironmap_length(map);
    check(length <= LENGTH_MAX);
}

/* Another program truncates the file, or makes it longer. */
static void call_truncate(void)
{
    unsigned value = next_word();
    if (file != -1) {
        lossy = true;
        check(ftruncate(file, value * 4 % (4 * LENGTH_MAX)) == 0);
    }
}

static void call_exported(void)
{
    ironmap_guard guard;
    bool guarded = next_byte() % 2 == 0;
    uint64_t offset = next_offset();
    if (guarded && ironmap_guard_begin(&guard, map, NULL) != IRONMAP_OK) {
        check(lossy);
        return;
    }
    ironmap_pin(map);
    check(ironmap_resize(map, 1, NULL) != IRONMAP_OK);
    volatile uint8_t *bytes = ironmap_data(map);
    if (offset < length) {
        uint8_t byte = bytes[offset];
        check(lossy || byte == model[offset]);
        if (ironmap_is_writable(map)) {
            bytes[offset] = byte;
        }
    }
    ironmap_unpin(map);
    if (guarded) {
        (void)succeeded(ironmap_guard_end(&guard, NULL), IRONMAP_OK);
    }
}

static void call_damage(void)
{
    uint64_t offset = 0;
    size_t count = 0;
    uint64_t from = next_offset();
    ironmap_error error;
    char text[256];
    int status = ironmap_damage(&offset, &count, map, from, &error);
    check(status == (from > length ? IRONMAP_E_RANGE : IRONMAP_OK));
    check(lossy || status != IRONMAP_OK || offset == IRONMAP_NOT_FOUND);
    if (ironmap_check_damage(map, &error) != IRONMAP_OK) {
        check(ironmap_is_damaged(map) && ironmap_error_text(text, sizeof(text), &error) > 0);
    }
    if (ironmap_check_file_end(map, &error) != IRONMAP_OK) {
        check(lossy && error.offset < length);
    }
    if (next_byte() % 2 == 0 && ironmap_clear_damage(map, &error) == IRONMAP_OK) {
        check(!ironmap_is_damaged(map));
    }
}

static void call_system(void)
{
    uint64_t offset = next_offset();
    size_t count = next_length(false);
    size_t whole = count != IRONMAP_TO_END ? count : offset <= length ? length - offset : 0;
    (void)succeeded(ironmap_flush(map, offset, count, 0, NULL), range_status(offset, whole));
    int advice = IRONMAP_ADVICE_NORMAL + (int)(next_byte() % 5);
    if (advice != IRONMAP_ADVICE_DONTNEED) {
        (void)ironmap_advise(map, offset, count, advice, NULL);
    }
    (void)ironmap_set_name(map, "fuzz", NULL);
}

/* Into another map and back. */
static void call_copy(void)
{
    ironmap_map *other = NULL;
    const ironmap_options options = {.length = LENGTH_MAX};
    uint64_t offset = next_offset();
    size_t count = next_length(true);
    check(ironmap_open_anonymous(&other, IRONMAP_WRITE, &options, NULL) == IRONMAP_OK);
    int status = ironmap_copy(other, 0, map, offset, count, NULL);
    (void)succeeded(status, read_status(offset, count));
    if (status == IRONMAP_OK && count > 0) {
        memcpy(buffer, ironmap_data(other), count);
        check_read(status, offset, count);
    }
    uint64_t to = next_offset();
    status = ironmap_copy(map, to, other, 0, count, NULL);
    if (succeeded(status, write_status(to, count)) && count > 0) {
        memcpy(model + to, ironmap_data(other), count);
    }
    check(ironmap_close(other, NULL) == IRONMAP_OK);
}

/* ---- the program ---- */

static void make_file(size_t size)
{
    file = memfd_create("fuzz", MFD_CLOEXEC);
    check(file != -1);
    for (size_t i = 0; i < LENGTH_MAX; i++) {
        buffer[i] = (uint8_t)(i % 251 == 0 ? '\n' : i % 7 + i / PAGE);
    }
    check(write(file, buffer, size) == (ssize_t)size);
}

/* False if the map could not be opened, as it should. */
static bool open_map(void)
{
    static const ironmap_access accesses[] = {IRONMAP_READ, IRONMAP_WRITE, IRONMAP_COPY,
                                              IRONMAP_SYSTEM};
    unsigned kind = next_byte();
    ironmap_access access = accesses[kind / 2 % 4];
    ironmap_options options = {.length = next_word() % (8 * PAGE), .open = kind >> 4};
    if (access == IRONMAP_SYSTEM) {
        options.flags = kind & 16 ? MAP_SHARED : MAP_PRIVATE;
        options.prot = (int)(next_byte() % 4);
    }
    file = -1;
    file_offset = 0;
    shared = access == IRONMAP_SYSTEM ? options.flags == MAP_SHARED : access != IRONMAP_COPY;
    if (kind % 2 == 0) {
        options.open &= IRONMAP_OPEN_NO_TRACK;
        return ironmap_open_anonymous(&map, access, &options, NULL) == IRONMAP_OK;
    }
    size_t size = next_word() % (8 * PAGE);
    make_file(size);
    options.open &= IRONMAP_OPEN_NO_TRACK | IRONMAP_OPEN_EXTEND;
    options.offset = next_word() % (2 * PAGE);
    file_offset = options.offset;
    return ironmap_open_fd(&map, file, access, &options, NULL) == IRONMAP_OK;
}

static void run_calls(void)
{
    static void (*const calls[])(void) = {
        call_get,    call_put,      call_bytes, call_fill,     call_move,   call_strided,
        call_find,   call_find_all, call_lines, call_stream,   call_resize, call_truncate,
        call_damage, call_system,   call_copy,  call_exported,
    };
    for (int i = 0; i < CALLS_MAX && input_left > 0; i++) {
        calls[next_byte() % (sizeof(calls) / sizeof(calls[0]))]();
        check(ironmap_length(map) == length && ironmap_pins(map) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    input = bytes;
    input_left = size;
    lossy = false;
    position = 0;
    if (open_map()) {
        length = ironmap_length(map);
        check(length <= LENGTH_MAX);
        if (ironmap_is_readable(map)) {
            check(ironmap_get(map, 0, model, length, NULL) == IRONMAP_OK);
            run_calls();
        }
        check(ironmap_close(map, NULL) == IRONMAP_OK);
    }
    if (file != -1) {
        (void)close(file);
    }
    return 0;
}
