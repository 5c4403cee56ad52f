#include "model.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statfs.h>
#include <unistd.h>

/* ---- reports --------------------------------------------------------------------------------- */

void model_note(model *m, const char *what, size_t a, size_t b)
{
    (void)snprintf(m->log[m->counts->operations % MODEL_LOG], sizeof(m->log[0]),
                   "%s %zu %zu (file %zu, map %zu + %zu, access %d, position %zu)", what, a, b,
                   m->size, m->offset, m->length, (int)m->access, m->position);
}

_Noreturn void model_wrong(const model *m, const char *why)
{
    char text[200];
    size_t last = m->counts->operations;

    for (size_t i = last < MODEL_LOG ? 0 : last - MODEL_LOG + 1; i <= last; i++) {
        print_error("%8zu %s\n", i, m->log[i % MODEL_LOG]);
    }
    (void)ironmap_error_text(text, sizeof(text), &m->error);
    print_error("%s (seed %" PRIu64 ", operation %zu; file %zu, map %zu + %zu, lost from %zu, "
                "damage from %zu)\nthe last error was %s: %s\n",
                why, m->seed, last, m->size, m->offset, m->length, model_lost(m), m->damage,
                ironmap_status_name((int)m->error.status), text);
    _exit(1);
}

void model_check(const model *m, bool condition, const char *why)
{
    if (!condition) {
        model_wrong(m, why);
    }
}

/* ---- random arguments ------------------------------------------------------------------------ */

size_t model_below(model *m, size_t bound)
{
    return (size_t)random_below(&m->random, bound);
}

bool model_chance(model *m, size_t in)
{
    return model_below(m, in) == 0;
}

span model_span(model *m)
{
    static const size_t longest[] = {1, 16, 100, 5000, SIZE_MAX};
    size_t bound = longest[model_below(m, COUNT_OF(longest))];
    size_t from = model_below(m, m->length);
    size_t rest = m->length - from;

    /* Where something is lost, often near it. */
    if (model_lost(m) < m->length && model_chance(m, 2)) {
        size_t lost = model_lost(m);

        from = lost - model_below(m, lost < 200 ? lost + 1 : 200);
        rest = m->length - from;
    }
    return (span){from, from + 1 + model_below(m, rest < bound ? rest : bound)};
}

bool model_clip_store(const model *m, span *range)
{
    bool shared = m->access == IRONMAP_WRITE && m->size % m->page != 0;
    size_t end = m->size > m->offset ? m->size - m->offset : 0;

    if (shared && range->to > end && range->from < model_lost(m)) {
        range->to = end;
    }
    return range->from < range->to;
}

bool model_store_span(model *m, span *range)
{
    *range = model_span(m);
    return model_clip_store(m, range);
}

/* Few different bytes, so that searches find something; newlines among them. */
void model_random_bytes(model *m, uint8_t *bytes, size_t length)
{
    uint32_t kinds = model_chance(m, 2) ? 3 : 200;

    for (size_t i = 0; i < length;) {
        uint64_t numbers = random_below(&m->random, UINT64_MAX);

        for (size_t end = length - i < 4 ? length : i + 4; i < end; i++, numbers >>= 16) {
            bytes[i] = (uint8_t)(8 + ((numbers & 0xffff) * kinds >> 16));
        }
    }
}

/* ---- what must be ---------------------------------------------------------------------------- */

size_t model_lost(const model *m)
{
    size_t end = (m->size + m->page - 1) / m->page * m->page;

    if (end <= m->offset) {
        return 0;
    }
    return end - m->offset < m->length ? end - m->offset : m->length;
}

bool model_is_damaged(const model *m)
{
    return m->damage < m->length;
}

size_t model_page_start(const model *m, size_t at)
{
    size_t start = (m->offset + at) / m->page * m->page;

    return start > m->offset ? start - m->offset : 0;
}

void model_expect(const model *m, uint8_t *bytes, size_t from, size_t to)
{
    memcpy(bytes, m->file + m->offset + from, to - from);
    if (m->access != IRONMAP_COPY) {
        return;
    }
    for (size_t at = from; at < to;) {
        size_t in_file = m->offset + at;
        size_t rest = m->page - in_file % m->page;
        size_t count = rest < to - at ? rest : to - at;

        if (m->is_private[in_file / m->page]) {
            memcpy(bytes + (at - from), m->copy + in_file, count);
        }
        at += count;
    }
}

/* An error must be a lost page at an offset in [first, last]. */
static void judge_fault(model *m, int status, size_t first, size_t last)
{
    if (status != IRONMAP_E_FAULT || m->error.status != IRONMAP_E_FAULT) {
        model_wrong(m, ironmap_status_name(status));
    }
    model_check(m, m->error.offset >= first && m->error.offset <= last, "not the lost offset");
    m->counts->faults++;
}

bool model_judge(model *m, int status, size_t from, size_t to)
{
    size_t lost = model_lost(m);

    if (model_is_damaged(m)) {
        judge_fault(m, status, m->damage, m->damage);
        return false;
    }
    if (to <= lost) {
        if (status != IRONMAP_OK) {
            model_wrong(m, ironmap_status_name(status));
        }
        return true;
    }
    lost = lost > from ? lost : from;
    judge_fault(m, status, lost, lost);
    return false;
}

bool model_judge_search(model *m, int status, size_t from, size_t to, bool must_fail)
{
    size_t lost = model_lost(m);
    size_t first = lost > from ? lost : from;

    if (model_is_damaged(m)) {
        judge_fault(m, status, m->damage, m->damage);
        return false;
    }
    if (status == IRONMAP_OK) {
        model_check(m, !must_fail, "no error for a lost page");
        return true;
    }
    if (to <= lost) {
        model_wrong(m, ironmap_status_name(status));
    }
    judge_fault(m, status, first, to - 1);
    return false;
}

/* ---- stores ---------------------------------------------------------------------------------- */

static void make_private(model *m, size_t page)
{
    if (!m->is_private[page]) {
        memcpy(m->copy + page * m->page, m->file + page * m->page, m->page);
        m->is_private[page] = true;
    }
}

void model_store(model *m, size_t from, const uint8_t *bytes, size_t length)
{
    size_t lost = model_lost(m);
    size_t to = from + length < lost ? from + length : lost;

    if (from >= to) {
        return;
    }
    if (m->access == IRONMAP_COPY) {
        for (size_t page = (m->offset + from) / m->page; page * m->page < m->offset + to; page++) {
            make_private(m, page);
        }
    }
    memcpy((m->access == IRONMAP_COPY ? m->copy : m->file) + m->offset + from, bytes, to - from);
}

void model_drop_private(model *m, size_t from, size_t to)
{
    for (size_t page = (from + m->page - 1) / m->page; page < MODEL_PAGES && page * m->page < to;
         page++) {
        m->is_private[page] = false;
    }
}

/* ---- steps ----------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    model_act *act;
    unsigned weight;
    bool empty; /* also for an empty map */
    bool huge;  /* also for files of huge pages */
} acts[] = {
    {"get", model_get, 10, false, true},
    {"get_byte", model_get_byte, 5, false, true},
    {"put", model_put, 10, false, true},
    {"put_byte", model_put_byte, 5, false, true},
    {"fill", model_fill, 5, false, true},
    {"move", model_move, 5, false, true},
    {"copy in", model_copy_in, 4, false, true},
    {"copy out", model_copy_out, 4, false, true},
    {"get_strided", model_get_strided, 4, false, true},
    {"put_strided", model_put_strided, 4, false, true},
    {"find", model_find, 5, false, true},
    {"rfind", model_rfind, 5, false, true},
    {"count", model_count, 4, false, true},
    {"find_all", model_find_all, 4, false, true},
    {"lines", model_lines, 4, false, true},
    {"seek", model_seek, 5, true, true},
    {"read", model_read, 4, true, true},
    {"readline", model_readline, 4, true, true},
    {"line_length", model_line_length, 2, true, true},
    {"write", model_write, 4, true, true},
    {"read_byte", model_read_byte, 2, true, true},
    {"write_byte", model_write_byte, 2, true, true},
    {"flush", model_flush, 1, false, true},
    {"advise", model_advise, 3, false, true},
    {"pin, access", model_pin_access, 4, false, true},
    {"pin, get", model_pin_get, 2, false, true},
    {"guard", model_guard, 5, false, true},
    {"clear_damage", model_clear_damage, 12, true, true},
    {"damage", model_look_at_damage, 2, false, true},
    {"resize", model_resize, 4, true, true},
    {"reopen", model_reopen, 2, true, true},
    {"truncate the file", model_truncate, 6, true, true},
    {"write the file", model_file_write, 6, true, true},
    {"punch the file", model_punch, 2, true, true},
    {"zero the file", model_zero, 2, true, false},
    {"collapse the file", model_collapse, 1, true, false},
    {"insert into the file", model_insert, 1, true, false},
    {"replace the file", model_replace, 1, true, false},
    {"evict the file", model_evict, 2, true, false},
};

static size_t choose(model *m)
{
    size_t sum = 0;
    size_t at = 0;

    for (size_t i = 0; i < COUNT_OF(acts); i++) {
        sum += acts[i].weight;
    }
    at = model_below(m, sum);
    for (size_t i = 0;; i++) {
        if (at < acts[i].weight) {
            return i;
        }
        at -= acts[i].weight;
    }
}

/* The file has what the memory has, and so has the map. */
static void check_all(model *m)
{
    size_t lost = model_lost(m);

    model_check(m, ironmap_length(m->map) == m->length, "length");
    model_check(m, ironmap_is_damaged(m->map) == model_is_damaged(m), "damage");
    model_check(m, ironmap_tell(m->map) == m->position, "position");
    model_check(m, pread(m->fd, m->bytes, m->capacity, 0) == (ssize_t)m->size, "size of the file");
    model_check(m, memcmp(m->bytes, m->file, m->size) == 0, "bytes of the file");
    if (model_is_damaged(m) || lost == 0) {
        return;
    }
    model_check(m, ironmap_get(m->map, 0, m->bytes, lost, &m->error) == IRONMAP_OK, "get all");
    model_expect(m, m->expected, 0, lost);
    model_check(m, memcmp(m->bytes, m->expected, lost) == 0, "bytes of the map");
}

static size_t index_of(model_act *act)
{
    size_t i = 0;

    while (acts[i].act != act) {
        i++;
    }
    return i;
}

/* Where many pages must be lost, some are lost at all times, and damage does not last. */
static size_t choose_loss(model *m)
{
    if (model_is_damaged(m)) {
        return index_of(model_clear_damage);
    }
    if (m->length > 0 && model_lost(m) == m->length) {
        return index_of(model_truncate);
    }
    return choose(m);
}

void model_step(model *m)
{
    size_t i = m->loses ? choose_loss(m) : choose(m);

    if ((m->length == 0 && !acts[i].empty) || (m->huge && !acts[i].huge)) {
        return;
    }
    m->counts->operations++;
    model_note(m, acts[i].name, 0, 0);
    acts[i].act(m);
    if ((m->capacity < MODEL_CHUNK && !m->loses) || model_chance(m, 16)) {
        check_all(m);
    }
}

/* ---- life ------------------------------------------------------------------------------------ */

static void *zeros(size_t length)
{
    void *memory = calloc(1, length);

    if (memory == NULL) {
        _exit(2);
    }
    return memory;
}

void model_begin(model *m, const char *directory, uint64_t seed, model_counts *counts)
{
    static const unsigned long hugetlbfs = 0x958458f6;
    struct statfs status;

    *m = (model){.random = {seed}, .seed = seed, .fd = -1, .counts = counts};
    if (statfs(directory, &status) != 0) {
        _exit(2);
    }
    m->huge = (unsigned long)status.f_type == hugetlbfs;
    m->emulated = inside_qemu() && ironmap_page_size() != 4096;
    m->page = m->huge ? (size_t)status.f_bsize : ironmap_page_size();
    m->capacity = (m->huge ? 4 : MODEL_PAGES) * m->page;
    m->file = zeros(m->capacity + m->page);
    m->next_file = zeros(m->capacity);
    m->copy = zeros(m->capacity + m->page);
    m->bytes = zeros(m->capacity + 1);
    m->expected = zeros(m->capacity + 1);
    m->other_bytes = zeros(m->capacity);
    (void)snprintf(m->path, sizeof(m->path), "%s/model-%ld", directory, (long)getpid());
    model_file_create(m);
    ironmap_options options = options_of(0, m->capacity);
    model_check(m,
                ironmap_open_anonymous(&m->other, IRONMAP_WRITE, &options, &m->error) == IRONMAP_OK,
                "anonymous memory");
    model_open(m);
}

void model_end(model *m)
{
    model_check(m, ironmap_close(m->map, &m->error) == IRONMAP_OK, "close");
    model_check(m, ironmap_close(m->other, &m->error) == IRONMAP_OK, "close the other");
    (void)close(m->fd);
    (void)unlink(m->path);
    free(m->file);
    free(m->next_file);
    free(m->copy);
    free(m->bytes);
    free(m->expected);
    free(m->other_bytes);
}
