/* Another process truncates the file before and during every operation. A result is judged by what
 * the file had at some moment of the operation: its bytes before the end, zeros from the end to the
 * end of that page, and IRONMAP_E_FAULT beyond.
 *
 * IRONMAP_FAULT_ROUNDS sets the number of rounds, IRONMAP_TEST_SEED the seed.
 */
#include "operations.h"

#include <stdlib.h>

enum { PAGES = 9, TAIL = 100, ROUNDS = 1200 };

/* How maps are opened. */
typedef struct view {
    const char *name;
    ironmap_access access;
    unsigned open;
    size_t pages; /* offset of the map in the file: pages, ... */
    size_t rest;  /* ... and bytes */
} view;

static const view views[] = {
    {"shared", IRONMAP_WRITE, 0, 0, 0},
    {"shared, from the middle of a page", IRONMAP_WRITE, 0, 1, 123},
    {"read-only", IRONMAP_READ, 0, 0, 777},
    {"copy", IRONMAP_COPY, 0, 0, 0},
    {"copy, from the middle of a page", IRONMAP_COPY, 0, 0, 50},
    {"not tracked", IRONMAP_WRITE, IRONMAP_OPEN_NO_TRACK, 0, 0},
};

/* One file, one truncator, and one map for many rounds. */
typedef struct world {
    fixture *f;
    truncator truncator;
    random_source random;
    const view *view;
    size_t file;     /* the length of the whole file */
    uint64_t cut;    /* the truncated length of this round */
    bool seen_fault; /* in this round */
    size_t rounds;
    size_t lost;   /* rounds with IRONMAP_E_FAULT */
    size_t middle; /* rounds with IRONMAP_OK before it */
} world;

/* ---- judgement ------------------------------------------------------------------------------- */

/* What is known during an operation. */
typedef struct moment {
    uint64_t base; /* offset of the map in the file */
    uint64_t cut;
    uint64_t end; /* the first byte after the page of the cut */
    bool is_cut;  /* before the operation began; else at any time */
} moment;

/* True if an operation may have read `byte` at `offset` of the map. */
static bool possible(const moment *m, uint64_t offset, uint8_t byte)
{
    uint64_t at = m->base + offset;
    bool solid = at < m->cut || !m->is_cut;
    bool zero = at >= m->cut && at < m->end;

    return (solid && byte == solid_byte(at)) || (zero && byte == 0);
}

/* True if it must have read `byte`. */
static bool certain(const moment *m, uint64_t offset, uint8_t byte)
{
    uint64_t at = m->base + offset;

    return at < m->cut ? byte == solid_byte(at) : byte == 0 && m->is_cut && at < m->end;
}

static void fail_attempt(const operation *op, const attempt *a, const moment *m, const char *what)
{
    print_error("%s [%zu, +%zu), other %zu, step %zu, map at %" PRIu64 ", truncated to %" PRIu64
                "%s: %s\n",
                op->name, a->offset, a->length, a->other, a->step, m->base, m->cut,
                m->is_cut ? " before" : "", what);
    fail();
}

static size_t place(const operation *op, const attempt *a, size_t i)
{
    return a->offset + ((op->traits & STRIDED) != 0 ? i * a->step : i);
}

static void judge_read(const operation *op, const attempt *a, const moment *m)
{
    for (size_t i = 0; i < a->got; i++) {
        if (!possible(m, place(op, a, i), a->bytes[i])) {
            print_error("byte %zu is %u\n", i, a->bytes[i]);
            fail_attempt(op, a, m, "read a byte that was never there");
        }
    }
}

typedef bool sight(const moment *m, uint64_t offset, uint8_t byte);

/* Stores whether the needle may be, or must be, at `offset`. */
static bool needle_at(const operation *op, const attempt *a, const moment *m, uint64_t offset,
                      sight *seen)
{
    bool inside = (op->traits & NEEDLE_IN_MAP) != 0;

    for (size_t i = 0; i < a->needle_length; i++) {
        uint8_t byte = a->needle[i];

        if (inside && seen == possible && possible(m, a->other + i, 0) &&
            possible(m, offset + i, 0)) {
            continue;
        }
        if ((inside && !seen(m, a->other + i, byte)) || !seen(m, offset + i, byte)) {
            return false;
        }
    }
    return true;
}

/* The match is there, and no certain match comes before it. */
static void judge_search(const operation *op, const attempt *a, const moment *m)
{
    bool found = a->index != IRONMAP_NOT_FOUND;
    size_t end = (op->traits & TO_THE_END) != 0 ? ironmap_length(a->map) : a->offset + a->length;
    size_t from = a->offset;

    if (found && (a->index < from || a->index + a->needle_length > end)) {
        fail_attempt(op, a, m, "found outside the range");
    }
    if (found && !needle_at(op, a, m, a->index, possible)) {
        print_error("index %" PRIu64 "\n", a->index);
        fail_attempt(op, a, m, "found what was never there");
    }
    if (found && (op->traits & BACKWARD) != 0) {
        from = (size_t)a->index + 1;
    } else if (found) {
        end = (size_t)a->index + a->needle_length - 1;
    }
    for (; from + a->needle_length <= end; from++) {
        if (needle_at(op, a, m, from, certain)) {
            print_error("index %" PRIu64 ", not %zu\n", a->index, from);
            fail_attempt(op, a, m, "did not find what was there");
        }
    }
}

/* The first accessed byte of the map that is certainly lost, or SIZE_MAX. */
static size_t first_touched_behind(const operation *op, const attempt *a, const moment *m)
{
    size_t behind = (size_t)(m->end > m->base ? m->end - m->base : 0);

    for (size_t i = behind; i < ironmap_length(a->map); i++) {
        if (operation_touches(op, a, i)) {
            return i;
        }
    }
    return SIZE_MAX;
}

/* True if the failure names an accessed byte. For two ranges or a guard, only the page counts. */
static bool names_touched(const operation *op, const attempt *a, size_t at, size_t lead)
{
    size_t end = (size_t)page_up(at + lead + 1) - lead;

    if ((op->traits & (GUARDS | COPIES | NEEDLE_IN_MAP)) == 0) {
        return operation_touches(op, a, at);
    }
    for (size_t i = at; i < end; i++) {
        if (operation_touches(op, a, i)) {
            return true;
        }
    }
    return false;
}

static void judge_fault(const operation *op, const attempt *a, const moment *m)
{
    uint64_t at = a->error.offset;
    size_t lead = (size_t)(m->base % ironmap_page_size());
    bool touched = names_touched(op, a, (size_t)at, lead);

    if (a->error.status != IRONMAP_E_FAULT || a->error.system_code == 0) {
        fail_attempt(op, a, m, "the error is not filled");
    }
    if (at >= ironmap_length(a->map) || m->base + at < m->end || !touched) {
        print_error("offset %" PRIu64 "\n", at);
        fail_attempt(op, a, m, "the offset of the failure is not touched or not lost");
    }
    if (first_touched_behind(op, a, m) == SIZE_MAX) {
        fail_attempt(op, a, m, "failed and touched nothing that is lost");
    }
}

static void judge(world *w, const operation *op, const attempt *a, const moment *m, int status)
{
    if (status == IRONMAP_E_FAULT) {
        judge_fault(op, a, m);
        w->seen_fault = true;
        return;
    }
    if (status != IRONMAP_OK) {
        fail_attempt(op, a, m, ironmap_status_name(status));
    }
    /* A search may end before the lost page. */
    if (w->seen_fault && (op->traits & (SEARCHES | LINE)) == 0) {
        fail_attempt(op, a, m, "succeeded after it had failed");
    }
    if (m->is_cut && (op->traits & (SEARCHES | LINE)) == 0 &&
        first_touched_behind(op, a, m) != SIZE_MAX) {
        fail_attempt(op, a, m, "succeeded over lost pages");
    }
    if ((op->traits & READS) != 0) {
        judge_read(op, a, m);
    }
    if ((op->traits & SEARCHES) != 0) {
        judge_search(op, a, m);
    }
}

/* The byte that a store of this attempt writes at `offset`. -1: outside its range. -2: not
 * certain. */
static int new_byte(const operation *op, const attempt *a, const moment *m, size_t offset)
{
    size_t i = offset - a->offset;
    uint8_t source = 0;

    if (offset < a->offset || i >= a->length) {
        return -1;
    }
    if ((op->traits & COPIES) != 0) {
        source = solid_byte(m->base + a->other + i);
        return certain(m, a->other + i, source) ? source : -2;
    }
    if ((op->traits & STRIDED) != 0) {
        return i % a->step == 0 ? a->bytes[i / a->step] : -1;
    }
    return a->bytes[i];
}

/* Before the cut, the map has old or new bytes, and new ones after a success. */
static void judge_stores(const operation *op, const attempt *a, const moment *m, bool succeeded)
{
    size_t length = (size_t)(m->cut > m->base ? m->cut - m->base : 0);
    uint8_t *now = malloc(length + 1);

    assert_non_null(now);
    length = length < ironmap_length(a->map) ? length : ironmap_length(a->map);
    assert_ok(ironmap_get(a->map, 0, now, length, &failure));
    for (size_t i = 0; i < length; i++) {
        int fresh = new_byte(op, a, m, i);
        bool old = now[i] == solid_byte(m->base + i);
        /* A copy that stopped has stored what its source held then. */
        bool carried = fresh == -2 && now[i] == solid_byte(m->base + a->other + i - a->offset);
        bool stored = fresh == now[i] || carried || (fresh == -2 && (now[i] == 0 || succeeded));

        if (!stored && (!old || (succeeded && fresh >= 0))) {
            print_error("byte %zu is %u, new %d\n", i, now[i], fresh);
            fail_attempt(op, a, m, "stored something else");
        }
    }
    free(now);
}

/* ---- random arguments ------------------------------------------------------------------------ */

static size_t below(world *w, size_t bound)
{
    return (size_t)random_below(&w->random, bound);
}

/* To zero, inside the first page, between two pages, or anywhere. */
static uint64_t random_cut(world *w)
{
    size_t page = ironmap_page_size();

    switch (below(w, 4)) {
    case 0:
        return 0;
    case 1:
        return 1 + below(w, page - 1);
    case 2:
        return (1 + below(w, PAGES)) * page;
    default:
        return below(w, w->file);
    }
}

/* Bytes of the map, or zeros, which never match. */
static void randomize_needle(world *w, const operation *op, attempt *a, uint64_t base)
{
    size_t at = (op->traits & NEEDLE_IN_MAP) != 0 ? a->other : below(w, ironmap_length(a->map) - 8);

    a->needle_length = 1 + below(w, sizeof(a->needle));
    a->needle_length = a->needle_length < a->length ? a->needle_length : a->length;
    solid_fill(a->needle, base + at, a->needle_length);
    if ((op->traits & NEEDLE_IN_MAP) == 0 && below(w, 3) == 0) {
        memset(a->needle, 0, a->needle_length);
    }
    if ((op->traits & TO_THE_END) != 0) {
        a->needle[0] = '\n';
        a->needle_length = 1;
    }
}

/* The range and the other range lie in different halves of the map. */
static void randomize(world *w, const operation *op, attempt *a, const moment *m)
{
    size_t half = ironmap_length(w->f->map) / 2;
    size_t place_of = below(w, half);
    size_t length = 1 + below(w, below(w, 2) == 0 ? 64 : half);
    bool swap = below(w, 2) == 0;

    a->map = w->f->map;
    a->length = (op->traits & ONE_BYTE) != 0 ? 1 : length;
    a->length = a->length < half - place_of ? a->length : half - place_of;
    a->offset = place_of + (swap ? half : 0);
    a->other = place_of + (swap ? 0 : half);
    a->step = 1 + below(w, 3 * ironmap_page_size());
    a->other =
        (op->traits & NEEDLE_IN_MAP) != 0 ? (swap ? 0 : half) + below(w, half - 8) : a->other;
    randomize_needle(w, op, a, m->base);
    stored_fill(a->bytes, m->base + a->offset, a->length);
}

/* ---- rounds ---------------------------------------------------------------------------------- */

static void open_view(world *w)
{
    size_t at = w->view->pages * ironmap_page_size() + w->view->rest;
    ironmap_options options = options_of(at, w->file - at);

    options.open = w->view->open;
    assert_ok(ironmap_open_path(&w->f->map, w->f->path, w->view->access, &options, &failure));
}

/* True if the map can be restored. Others are opened again. */
static bool outlives_a_round(const view *v)
{
    return v->access != IRONMAP_COPY && (v->open & IRONMAP_OPEN_NO_TRACK) == 0;
}

/* Restores the file and the map. */
static void restore(world *w)
{
    file_solid(w->f, w->file);
    if (!outlives_a_round(w->view)) {
        map_close(w->f);
        open_view(w);
    }
    assert_map_solid(w->f->map);
    assert_u64(ironmap_damage_count(w->f->map), 0);
}

/* Runs the operation until it has run once after the truncation. */
static void repeat_until_cut(world *w, const operation *op, attempt *a, moment *m)
{
    bool succeeded = false;

    do {
        int status = 0;

        m->is_cut = truncator_done(&w->truncator);
        status = op->run(a);
        judge(w, op, a, m, status);
        succeeded = succeeded || status == IRONMAP_OK;
    } while (!m->is_cut);
    w->lost += w->seen_fault;
    w->middle += w->seen_fault && succeeded;
    if (operation_writes(op)) {
        judge_stores(op, a, m, succeeded);
    }
}

static void one_round(world *w, const operation *op, attempt *a)
{
    moment m = {.base = ironmap_offset(w->f->map), .cut = random_cut(w)};

    m.end = page_up(m.cut);
    w->cut = m.cut;
    w->seen_fault = false;
    randomize(w, op, a, &m);
    truncator_request(&w->truncator, m.cut, (unsigned)below(w, 3000));
    if (below(w, 2) == 0) {
        truncator_wait(&w->truncator);
    }
    spin((unsigned)below(w, 3000));
    repeat_until_cut(w, op, a, &m);
    restore(w);
    w->rounds++;
}

static void start(world *w, fixture *f)
{
    *w = (world){.f = f, .random = random_start(), .view = &views[0]};
    w->file = PAGES * ironmap_page_size() + TAIL;
    file_solid(f, w->file);
    truncator_start(&w->truncator, f);
}

static void finish(const char *what, world *w)
{
    truncator_stop(&w->truncator);
    print_message("%s: %zu rounds, %zu with a lost page, %zu of them in the middle\n", what,
                  w->rounds, w->lost, w->middle);
}

/* Each view gets equal rounds, each operation in turn. */
static void every_operation_survives_truncation(void **state)
{
    fixture *f = *state;
    world w;
    attempt a = {0};
    size_t rounds = setting("IRONMAP_FAULT_ROUNDS", ROUNDS);

    skip_without_pages_beyond_a_file();
    start(&w, f);
    a.bytes = malloc(w.file);
    assert_non_null(a.bytes);
    for (size_t v = 0; v < COUNT_OF(views); v++) {
        w.view = &views[v];
        open_view(&w);
        for (size_t round = 0; round < rounds / COUNT_OF(views); round++) {
            const operation *op = &operations[round % operation_count];

            if (w.view->access != IRONMAP_READ || !operation_writes(op)) {
                one_round(&w, op, &a);
            }
        }
        map_close(f);
    }
    free(a.bytes);
    finish("operations", &w);
}

/* ---- operations on the whole file ------------------------------------------------------------ */

/* Resizes to random lengths, then back. It succeeds or loses a page. A system may refuse to map
 * beyond the file. */
static void resize_until_cut(world *w)
{
    bool over = false;

    while (!over) {
        ironmap_error error = {0};
        int status = 0;

        over = truncator_done(&w->truncator);
        status = ironmap_resize(w->f->map, 1 + below(w, 2 * w->file), &error);
        if (status == IRONMAP_E_SYSTEM && !traits.grows_past_truncation) {
            w->lost++;
        } else if (status != IRONMAP_OK && status != IRONMAP_E_FAULT) {
            fail_msg("%s: %s", ironmap_status_name(status), error.call);
        }
        w->lost += status == IRONMAP_E_FAULT;
    }
    assert_ok(ironmap_resize(w->f->map, w->file, &failure));
}

static void resize_rounds(world *w, ironmap_access access, int flags, int prot)
{
    ironmap_options options = IRONMAP_OPTIONS_INIT;
    size_t rounds = setting("IRONMAP_FAULT_ROUNDS", ROUNDS) / 15;

    options.flags = flags;
    options.prot = prot;
    for (size_t round = 0; round < rounds; round++) {
        assert_ok(ironmap_open_fd(&w->f->map, w->f->fd, access, &options, &failure));
        truncator_request(&w->truncator, random_cut(w), (unsigned)below(w, 3000));
        resize_until_cut(w);
        truncator_wait(&w->truncator);
        file_solid(w->f, w->file);
        if (access == IRONMAP_WRITE) {
            assert_map_solid(w->f->map);
        }
        map_close(w->f);
        w->rounds++;
    }
}

/* A private map that grows keeps its stores. */
static void resize_survives_truncation(void **state)
{
    world w;
    int private = 0;
    int load = 0;
    int store = 0;

    skip_without_pages_beyond_a_file();
    start(&w, *state);
    resize_rounds(&w, IRONMAP_WRITE, 0, 0);
    if (system_constant(&private, "MAP_PRIVATE") && system_constant(&load, "PROT_READ") &&
        system_constant(&store, "PROT_WRITE")) {
        resize_rounds(&w, IRONMAP_SYSTEM, private, load | store);
    }
    finish("resize", &w);
}

/* A flush of lost pages does nothing. */
static void flush_survives_truncation(void **state)
{
    world w;
    size_t rounds = setting("IRONMAP_FAULT_ROUNDS", ROUNDS) / 10;

    start(&w, *state);
    open_view(&w);
    for (; w.rounds < rounds; w.rounds++) {
        bool over = false;

        truncator_request(&w.truncator, random_cut(&w), (unsigned)below(&w, 3000));
        while (!over) {
            over = truncator_done(&w.truncator);
            assert_ok(ironmap_flush(w.f->map, below(&w, w.file), IRONMAP_TO_END,
                                    IRONMAP_FLUSH_ASYNC, &failure));
        }
        restore(&w);
    }
    finish("flush", &w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_fixture(every_operation_survives_truncation),
        with_fixture(resize_survives_truncation),
        with_fixture(flush_survives_truncation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
