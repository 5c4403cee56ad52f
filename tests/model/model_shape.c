/* Operations on the map as a whole: opening, resizing, advice, pins, guards, damage. */
#include "model.h"

#include <fcntl.h>
#include <unistd.h>

/* ---- opening and resizing -------------------------------------------------------------------- */

/* A multiple of the page, or any number; at most `most`. */
static size_t some_length(model *m, size_t most)
{
    size_t length = model_below(m, most + 1);

    return m->huge || model_chance(m, 2) ? length / m->page * m->page : length;
}

/* Takes the file that has the name now. */
static void take_next_file(model *m)
{
    if (m->replaced) {
        (void)close(m->fd);
        m->fd = open(m->path, O_RDWR | O_CLOEXEC);
        model_check(m, m->fd >= 0, "open the new file");
        memset(m->file, 0, m->capacity);
        memcpy(m->file, m->next_file, m->next_size);
        m->size = m->next_size;
        m->replaced = false;
    }
}

static int open_either(model *m, const ironmap_options *options)
{
    return model_chance(m, 2) ? ironmap_open_fd(&m->map, m->fd, m->access, options, &m->error)
                              : ironmap_open_path(&m->map, m->path, m->access, options, &m->error);
}

void model_open(model *m)
{
    static const ironmap_access accesses[] = {IRONMAP_WRITE, IRONMAP_WRITE, IRONMAP_WRITE,
                                              IRONMAP_COPY,  IRONMAP_COPY,  IRONMAP_READ};

    take_next_file(m);
    m->access = accesses[model_below(m, COUNT_OF(accesses))];
    m->offset = model_chance(m, 2) ? 0 : some_length(m, m->capacity / 2);
    m->length = 1 + model_below(m, m->capacity - m->offset);
    ironmap_options options = options_of(m->offset, m->length);
    bool is_short = m->offset + m->length > m->size;
    bool extends = is_short && m->access == IRONMAP_WRITE && !m->huge;
    options.open = extends ? IRONMAP_OPEN_EXTEND : 0;
    /* The blocks are reserved by every resize, too. */
    if (m->access == IRONMAP_WRITE && !m->huge && model_chance(m, 4)) {
        options.open |= IRONMAP_OPEN_PREALLOCATE;
    }
    model_note(m, "open", m->offset, m->length);
    int status = open_either(m, &options);
    if (is_short && !extends) {
        model_check(m, status == IRONMAP_E_BEYOND_FILE, "open beyond the file");
        model_lengthen(m, m->offset + m->length);
        status = open_either(m, &options);
    }
    model_check(m, status == IRONMAP_OK, "open");
    if (m->offset + m->length > m->size) {
        m->size = m->offset + m->length;
    }
    m->position = 0;
    m->damage = m->length;
    m->stored_beside = false;
    memset(m->is_private, 0, sizeof(m->is_private));
    m->counts->opens++;
}

void model_reopen(model *m)
{
    model_note(m, "close", 0, 0);
    model_check(m, ironmap_close(m->map, &m->error) == IRONMAP_OK, "close");
    model_open(m);
}

void model_resize(model *m)
{
    size_t most = m->capacity - m->offset;
    size_t length = some_length(m, most);

    /* A file of huge pages has whole ones only. */
    if (m->huge) {
        size_t end = (m->offset + length + m->page - 1) / m->page * m->page;

        length = (end < m->capacity ? end : m->capacity) - m->offset;
    }
    model_note(m, "resize", length, 0);
    int status = ironmap_resize(m->map, length, &m->error);
    if (m->access != IRONMAP_WRITE) {
        model_check(m, status == IRONMAP_E_NOT_RESIZABLE, "resize of a map that is not resizable");
        return;
    }
    if (!model_judge(m, status, 0, 0)) {
        return;
    }
    m->counts->resizes++;
    m->length = m->damage = length;
    if (m->offset + length < m->size) {
        memset(m->file + m->offset + length, 0, m->size - m->offset - length);
    }
    m->size = m->offset + length;
}

/* ---- flush and advice ------------------------------------------------------------------------ */

void model_flush(model *m)
{
    span range = model_span(m);
    int flags = model_chance(m, 64) ? 0 : IRONMAP_FLUSH_ASYNC;

    model_note(m, "flush", range.from, range.to);
    int status = ironmap_flush(m->map, range.from, range.to - range.from, flags, &m->error);
    if (m->access == IRONMAP_WRITE) {
        (void)model_judge(m, status, 0, 0);
    } else {
        model_check(m, status == IRONMAP_OK, "flush of a map whose stores reach no file");
    }
}

void model_advise(model *m)
{
    static const int advices[] = {IRONMAP_ADVICE_NORMAL, IRONMAP_ADVICE_SEQUENTIAL,
                                  IRONMAP_ADVICE_RANDOM, IRONMAP_ADVICE_WILLNEED,
                                  IRONMAP_ADVICE_DONTNEED};
    span range = model_span(m);
    int advice = advices[model_below(m, COUNT_OF(advices))];

    /* Huge pages take advice from Linux 5.18 on only; what it drops is not tested there. */
    if ((m->huge || m->emulated) && advice == IRONMAP_ADVICE_DONTNEED) {
        return;
    }
    model_note(m, "advise", range.from, range.to);
    int status = ironmap_advise(m->map, range.from, range.to - range.from, advice, &m->error);
    model_check(m, status == IRONMAP_OK || m->huge, "advise");
    if (advice == IRONMAP_ADVICE_DONTNEED && m->access == IRONMAP_COPY) {
        size_t first = (m->offset + range.from + m->page - 1) / m->page * m->page;

        if (first < m->offset + range.to) {
            model_drop_private(m, first, m->offset + range.to);
        }
    }
}

/* ---- the caller's own accesses --------------------------------------------------------------- */

/* Pages from that of `at` on are lost under an exported address. */
static void note_damage(model *m, size_t at)
{
    size_t start = model_page_start(m, at);

    m->damage = start < m->damage ? start : m->damage;
    m->counts->damages++;
}

void model_pin_access(model *m)
{
    span range;
    bool store = m->access != IRONMAP_READ && model_chance(m, 2);

    if (!model_store_span(m, &range)) {
        return;
    }
    model_note(m, store ? "pin, store" : "pin, load", range.from, store);
    ironmap_pin(m->map);
    model_random_bytes(m, m->bytes, 1);
    bool is_zero = range.from >= m->damage;
    if (store) {
        poke(m->map, range.from, m->bytes[0]);
    } else {
        model_expect(m, m->expected, range.from, range.from + 1);
        m->expected[0] = range.from >= model_lost(m) || is_zero ? 0 : m->expected[0];
        bool right = peek(m->map, range.from) == m->expected[0];
        model_check(m, right || (is_zero && m->stored_beside), "exported byte");
    }
    ironmap_unpin(m->map);
    m->stored_beside = m->stored_beside || (store && (is_zero || range.from >= model_lost(m)));
    if (range.from >= model_lost(m) && !is_zero) {
        note_damage(m, range.from);
    } else if (store && !is_zero) {
        model_store(m, range.from, m->bytes, 1);
    }
    model_check(m, ironmap_is_damaged(m->map) == model_is_damaged(m), "damage");
}

/* While a map is pinned, a loss of the library's own access is damage, too. */
void model_pin_get(model *m)
{
    span range = model_span(m);
    bool was_damaged = model_is_damaged(m);

    model_note(m, "pin, get", range.from, range.to);
    ironmap_pin(m->map);
    int status = ironmap_get(m->map, range.from, m->bytes, range.to - range.from, &m->error);
    ironmap_unpin(m->map);
    if (!was_damaged && range.to > model_lost(m)) {
        size_t lost = model_lost(m) > range.from ? model_lost(m) : range.from;

        note_damage(m, lost);
        model_check(m, status == IRONMAP_E_FAULT, "no error for a lost page");
        model_check(m, m->error.offset >= m->damage && m->error.offset <= lost, "the lost offset");
        m->counts->faults++;
    } else {
        (void)model_judge(m, status, range.from, range.to);
    }
}

void model_guard(model *m)
{
    ironmap_guard guard;
    span loaded = model_span(m);
    span stored = {0, 0};
    bool stores = m->access != IRONMAP_READ && model_store_span(m, &stored);
    size_t lost = model_lost(m);
    size_t first = loaded.to > lost ? (loaded.from > lost ? loaded.from : lost) : SIZE_MAX;
    uint8_t *data = ironmap_data(m->map);

    model_note(m, stores ? "guard, load and store" : "guard, load", loaded.from, loaded.to);
    int status = ironmap_guard_begin(&guard, m->map, &m->error);
    if (!model_judge(m, status, 0, 0)) {
        return;
    }
    memcpy(m->bytes, data + loaded.from, loaded.to - loaded.from);
    model_expect(m, m->expected, loaded.from, loaded.to);
    if (first == SIZE_MAX) {
        model_check(m, memcmp(m->bytes, m->expected, loaded.to - loaded.from) == 0, "guarded");
    }
    if (stores) {
        model_random_bytes(m, m->bytes, stored.to - stored.from);
        memcpy(data + stored.from, m->bytes, stored.to - stored.from);
        model_store(m, stored.from, m->bytes, stored.to - stored.from);
        if (stored.to > lost) {
            size_t first_stored = stored.from > lost ? stored.from : lost;

            first = first_stored < first ? first_stored : first;
        }
    }
    status = ironmap_guard_end(&guard, &m->error);
    if (first == SIZE_MAX) {
        model_check(m, status == IRONMAP_OK, "guard_end");
    } else {
        (void)model_judge(m, status, model_page_start(m, first), m->length);
    }
}

/* ---- damage ---------------------------------------------------------------------------------- */

void model_clear_damage(model *m)
{
    model_note(m, "clear_damage", 0, 0);
    model_check(m, ironmap_clear_damage(m->map, &m->error) == IRONMAP_OK, "clear_damage");
    m->damage = m->length;
    m->stored_beside = false;
}

void model_look_at_damage(model *m)
{
    size_t from = model_below(m, m->length + 1);
    uint64_t offset = 0;
    size_t length = 0;

    model_note(m, "damage", from, 0);
    model_check(m, ironmap_damage(&offset, &length, m->map, from, &m->error) == IRONMAP_OK,
                "damage");
    size_t right = m->damage > from ? m->damage : from;
    if (right < m->length) {
        model_check(m, offset == right && length == m->length - right, "damage: the run");
    } else {
        model_check(m, offset == IRONMAP_NOT_FOUND && length == 0, "damage: none");
    }
}
