/* Operations that copy bytes, by offset and by position. */
#include "model.h"

#include <stdlib.h>

static bool is_readonly(const model *m)
{
    return m->access == IRONMAP_READ;
}

static void check_readonly(model *m, int status)
{
    model_check(m, status == IRONMAP_E_READONLY, "a store into a map that is only read");
}

/* m->bytes are what the map shows in the range. */
static void check_bytes(model *m, span range)
{
    model_expect(m, m->expected, range.from, range.to);
    model_check(m, memcmp(m->bytes, m->expected, range.to - range.from) == 0, "bytes");
}

/* ---- by offset ------------------------------------------------------------------------------- */

void model_get(model *m)
{
    span range = model_span(m);

    model_note(m, "get", range.from, range.to);
    if (model_judge(m, ironmap_get(m->map, range.from, m->bytes, range.to - range.from, &m->error),
                    range.from, range.to)) {
        check_bytes(m, range);
    }
}

void model_get_byte(model *m)
{
    span range = model_span(m);

    range.to = range.from + 1;
    model_note(m, "get_byte", range.from, range.to);
    if (model_judge(m, ironmap_get_byte(m->bytes, m->map, range.from, &m->error), range.from,
                    range.to)) {
        check_bytes(m, range);
    }
}

/* The status of a store of m->bytes, and what it leaves. */
static void judge_store(model *m, int status, span range)
{
    if (is_readonly(m)) {
        check_readonly(m, status);
        return;
    }
    (void)model_judge(m, status, range.from, range.to);
    if (!model_is_damaged(m)) {
        model_store(m, range.from, m->bytes, range.to - range.from);
    }
}

void model_put(model *m)
{
    span range;

    if (model_store_span(m, &range)) {
        model_note(m, "put", range.from, range.to);
        model_random_bytes(m, m->bytes, range.to - range.from);
        judge_store(m, ironmap_put(m->map, range.from, m->bytes, range.to - range.from, &m->error),
                    range);
    }
}

void model_put_byte(model *m)
{
    span range;

    if (model_store_span(m, &range)) {
        range.to = range.from + 1;
        model_note(m, "put_byte", range.from, range.to);
        model_random_bytes(m, m->bytes, 1);
        judge_store(m, ironmap_put_byte(m->map, range.from, m->bytes[0], &m->error), range);
    }
}

void model_fill(model *m)
{
    span range;

    if (model_store_span(m, &range)) {
        size_t length = range.to - range.from;

        model_note(m, "fill", range.from, range.to);
        memset(m->bytes, (int)model_below(m, 256), length);
        judge_store(m, ironmap_fill(m->map, range.from, m->bytes[0], length, &m->error), range);
    }
}

/* A failing move has stored some of its pieces: each byte is the old or the new one. Where the
 * source is lost, it is the old one. */
static void accept_part(model *m, span target, size_t source, const uint8_t *moved)
{
    size_t lost = model_lost(m);
    size_t end = target.to < lost ? target.to : lost;

    if (target.from >= end) {
        return;
    }
    model_check(m,
                ironmap_get(m->map, target.from, m->expected, end - target.from, &m->error) ==
                    IRONMAP_OK,
                "get after a move");
    for (size_t at = target.from; at < end; at++) {
        uint8_t now = m->expected[at - target.from];

        bool may_be_moved = source + (at - target.from) < lost;

        model_check(
            m, now == m->file[m->offset + at] || (may_be_moved && now == moved[at - target.from]),
            "a move stored another byte");
        m->file[m->offset + at] = now;
    }
}

void model_move(model *m)
{
    span target;
    size_t source = 0;
    size_t first = 0;

    if (!model_store_span(m, &target)) {
        return;
    }
    source = model_below(m, m->length - (target.to - target.from) + 1);
    first = source > target.from ? source : target.from;
    /* What a failing move has made private cannot be seen. */
    if (m->access == IRONMAP_COPY && first + (target.to - target.from) > model_lost(m)) {
        return;
    }
    size_t length = target.to - target.from;
    model_note(m, "move", target.from, source);
    if (!is_readonly(m)) {
        model_expect(m, m->bytes, source, source + length);
    }
    int status = ironmap_move(m->map, target.from, source, length, &m->error);
    if (is_readonly(m)) {
        check_readonly(m, status);
        return;
    }
    size_t low = source < target.from ? source : target.from;
    if (model_judge_search(m, status, low, first + length, first + length > model_lost(m))) {
        model_store(m, target.from, m->bytes, length);
    } else if (!model_is_damaged(m)) {
        accept_part(m, target, source, m->bytes);
    }
}

/* From other memory into the map. */
void model_copy_in(model *m)
{
    span range;

    if (model_store_span(m, &range)) {
        size_t length = range.to - range.from;
        size_t from = model_below(m, m->capacity - length + 1);

        model_note(m, "copy in", range.from, range.to);
        memcpy(m->bytes, m->other_bytes + from, length);
        judge_store(m, ironmap_copy(m->map, range.from, m->other, from, length, &m->error), range);
        model_check(m, !m->error.in_source || m->error.status != IRONMAP_E_FAULT, "in_source");
    }
}

/* From the map into other memory: all, or the whole chunks before the lost page. */
void model_copy_out(model *m)
{
    span range = model_span(m);
    size_t length = range.to - range.from;
    size_t to = model_below(m, m->capacity - length + 1);

    model_note(m, "copy out", range.from, range.to);
    m->error.in_source = false;
    if (model_judge(m, ironmap_copy(m->other, to, m->map, range.from, length, &m->error),
                    range.from, range.to)) {
        model_expect(m, m->other_bytes + to, range.from, range.to);
    } else {
        size_t lost = model_is_damaged(m) ? 0 : model_lost(m);
        size_t whole = lost > range.from ? (lost - range.from) / MODEL_CHUNK * MODEL_CHUNK : 0;

        model_expect(m, m->other_bytes + to, range.from, range.from + whole);
        model_check(m, m->error.in_source, "not in_source");
        m->error.in_source = false;
    }
    model_check(m, ironmap_get(m->other, to, m->bytes, length, &m->error) == IRONMAP_OK, "other");
    model_check(m, memcmp(m->bytes, m->other_bytes + to, length) == 0, "bytes of the other");
}

/* ---- bytes at a distance --------------------------------------------------------------------- */

typedef struct stride {
    size_t first, count, low, high; /* high: behind the last byte */
    int64_t step;
} stride;

static stride some_stride(model *m)
{
    span range = model_span(m);
    size_t step = 1 + model_below(m, model_chance(m, 2) ? 5 : 5000);
    size_t count = 1 + (range.to - range.from - 1) / step;
    stride s = {.first = range.from, .count = count, .step = (int64_t)step, .low = range.from};

    s.high = s.first + (count - 1) * step + 1;
    if (model_chance(m, 2)) {
        s.first = s.high - 1;
        s.step = -s.step;
    }
    return s;
}

static size_t place(const stride *s, size_t i)
{
    return (size_t)((int64_t)s->first + (int64_t)i * s->step);
}

void model_get_strided(model *m)
{
    stride s = some_stride(m);

    model_note(m, "get_strided", s.first, s.count);
    if (!model_judge_search(
            m, ironmap_get_strided(m->map, s.first, s.step, m->bytes, s.count, &m->error), s.low,
            s.high, s.high > model_lost(m))) {
        return;
    }
    model_expect(m, m->expected, s.low, s.high);
    for (size_t i = 0; i < s.count; i++) {
        model_check(m, m->bytes[i] == m->expected[place(&s, i) - s.low], "strided bytes");
    }
}

void model_put_strided(model *m)
{
    stride s = some_stride(m);
    span range = {s.low, s.high};

    /* Of what is longer than a chunk of the library, a failing store leaves a part. */
    if (!model_clip_store(m, &range) || range.to != s.high ||
        (s.high > model_lost(m) && s.high - s.low > MODEL_CHUNK)) {
        return;
    }
    model_note(m, "put_strided", s.first, s.count);
    model_random_bytes(m, m->bytes, s.count);
    int status = ironmap_put_strided(m->map, s.first, s.step, m->bytes, s.count, &m->error);
    if (is_readonly(m)) {
        check_readonly(m, status);
        return;
    }
    (void)model_judge_search(m, status, s.low, s.high, s.high > model_lost(m));
    for (size_t i = 0; i < s.count && !model_is_damaged(m); i++) {
        model_store(m, place(&s, i), &m->bytes[i], 1);
    }
}

/* ---- by position ----------------------------------------------------------------------------- */

void model_seek(model *m)
{
    static const int whences[] = {IRONMAP_SEEK_SET, IRONMAP_SEEK_CUR, IRONMAP_SEEK_END};
    int whence = whences[model_below(m, COUNT_OF(whences))];
    int64_t offset = (int64_t)model_below(m, m->length + 10) - (int64_t)model_below(m, 10);
    int64_t base = whence == IRONMAP_SEEK_SET   ? 0
                   : whence == IRONMAP_SEEK_CUR ? (int64_t)m->position
                                                : (int64_t)m->length;

    offset -= whence == IRONMAP_SEEK_SET ? 0 : base / 2;
    model_note(m, "seek", (size_t)(base + offset), (size_t)whence);
    int status = ironmap_seek(m->map, offset, whence, &m->error);
    if (base + offset < 0 || base + offset > (int64_t)m->length) {
        model_check(m, status == IRONMAP_E_RANGE, "seek outside");
    } else {
        model_check(m, status == IRONMAP_OK, "seek");
        m->position = (size_t)(base + offset);
    }
}

static size_t bytes_left(const model *m)
{
    return m->position < m->length ? m->length - m->position : 0;
}

void model_read(model *m)
{
    size_t capacity = 1 + model_below(m, model_chance(m, 4) ? m->capacity : 300);
    size_t rest = bytes_left(m);
    span range = {m->position, m->position + (rest < capacity ? rest : capacity)};
    size_t got = 0;

    model_note(m, "read", capacity, range.to);
    int status = ironmap_read(&got, m->map, m->bytes, capacity, &m->error);
    if (range.from == range.to) {
        model_check(m, status == IRONMAP_OK || model_is_damaged(m), "read at the end");
        model_check(m, got == 0, "read at the end");
    } else if (model_judge(m, status, range.from, range.to)) {
        model_check(m, got == range.to - range.from, "read: length");
        check_bytes(m, range);
        m->position = range.to;
    }
}

/* The end of the line at the position, at most `capacity` bytes behind it. */
static size_t line_end(model *m, size_t capacity)
{
    size_t rest = bytes_left(m);
    size_t end = m->position + (rest < capacity ? rest : capacity);
    const uint8_t *newline = NULL;

    model_expect(m, m->expected, m->position, end);
    newline = memchr(m->expected, '\n', end - m->position);
    return newline == NULL ? end : m->position + (size_t)(newline - m->expected) + 1;
}

/* The same if lost bytes are no newlines. */
static bool line_needs_lost(const model *m, size_t end)
{
    return end > model_lost(m);
}

void model_readline(model *m)
{
    size_t capacity = 1 + model_below(m, model_chance(m, 4) ? m->capacity : 300);
    size_t got = 0;

    if (bytes_left(m) == 0) {
        return;
    }
    size_t end = line_end(m, capacity);
    span range = {m->position, end};
    model_note(m, "readline", capacity, end);
    int status = ironmap_readline(&got, m->map, m->bytes, capacity, &m->error);
    if (model_judge_search(m, status, m->position, m->length, line_needs_lost(m, end))) {
        model_check(m, got == end - m->position, "readline: length");
        check_bytes(m, range);
        m->position = end;
    }
}

void model_line_length(model *m)
{
    size_t got = 0;

    if (bytes_left(m) == 0) {
        return;
    }
    size_t end = line_end(m, SIZE_MAX - m->position);
    model_note(m, "line_length", m->position, end);
    if (model_judge_search(m, ironmap_line_length(&got, m->map, &m->error), m->position, m->length,
                           line_needs_lost(m, end))) {
        model_check(m, got == end - m->position, "line_length");
    }
}

void model_write(model *m)
{
    span range = {m->position, m->position + 1 + model_below(m, model_chance(m, 4) ? 9000 : 300)};

    if (m->length < range.to || m->position >= m->length) {
        model_note(m, "write beyond", range.from, range.to);
        int status = ironmap_write(m->map, m->bytes, range.to - range.from, &m->error);
        model_check(m, status == (is_readonly(m) ? IRONMAP_E_READONLY : IRONMAP_E_RANGE), "write");
    } else if (model_clip_store(m, &range)) {
        model_note(m, "write", range.from, range.to);
        model_random_bytes(m, m->bytes, range.to - range.from);
        int status = ironmap_write(m->map, m->bytes, range.to - range.from, &m->error);
        judge_store(m, status, range);
        m->position = status == IRONMAP_OK ? range.to : m->position;
    }
}

void model_read_byte(model *m)
{
    span range = {m->position, m->position + 1};

    model_note(m, "read_byte", m->position, 0);
    int status = ironmap_read_byte(m->bytes, m->map, &m->error);
    if (bytes_left(m) == 0) {
        model_check(m, status == IRONMAP_E_END, "read_byte at the end");
    } else if (model_judge(m, status, range.from, range.to)) {
        check_bytes(m, range);
        m->position++;
    }
}

void model_write_byte(model *m)
{
    span range = {m->position, m->position + 1};

    if (bytes_left(m) > 0 && !model_clip_store(m, &range)) {
        return;
    }
    model_note(m, "write_byte", m->position, 0);
    model_random_bytes(m, m->bytes, 1);
    int status = ironmap_write_byte(m->map, m->bytes[0], &m->error);
    if (bytes_left(m) == 0) {
        model_check(m, status == (is_readonly(m) ? IRONMAP_E_READONLY : IRONMAP_E_END),
                    "write_byte at the end");
    } else {
        judge_store(m, status, range);
        m->position += status == IRONMAP_OK;
    }
}
