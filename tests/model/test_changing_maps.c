/* Threads whose maps change shape at once: they open, close, grow and shrink maps, lose pages of
 * truncated files, and look. The address that one map leaves is soon that of another thread's map.
 *
 * Each thread has files and maps of its own, so it knows what every byte must be. The byte at an
 * offset depends on the file and is never zero. So a byte of another map, a zero that passes for
 * data, and an error for a page that was there all the time are recognised. A second thread
 * truncates the files, at a moment that the owner knows or while it looks.
 *
 * IRONMAP_MODEL_SECONDS sets the time in whole seconds, IRONMAP_TEST_SEED the seed.
 */
#include "cut.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { WORKERS = 12, FILES = 2, PAGES = 16, SECONDS = 3, LOOKS = 4 };

static atomic_bool over; /* set by the first error, and at the end */
static time_t end;
static bool pages_can_be_lost;

static size_t pages(size_t count)
{
    return count * ironmap_page_size();
}

static size_t below(random_source *random, size_t bound)
{
    return (size_t)random_below(random, bound);
}

/* ---- a file and its map ---------------------------------------------------------------------- */

typedef struct subject {
    char path[300];
    int fd;
    uint8_t *marks; /* the bytes of the file, as far as maps go */
    uint64_t size;  /* of the file */
    uint64_t cut;   /* what the file may be cut to right now; else as `size` */
    ironmap_map *map;
} subject;

typedef struct worker {
    subject subjects[FILES];
    random_source random;
    uint8_t *bytes;      /* a buffer for all of a map */
    const char *why;     /* the error, or NULL */
    ironmap_error error; /* of the call that failed */
    subject *cutting;    /* of the request */
    atomic_uint requested, done;
    size_t looks, faults, opens, resizes, moves, reuses;
} worker;

/* Where the longest map ends in the file. */
static size_t limit(void)
{
    return ironmap_granularity() + pages(PAGES);
}

/* Bytes that are those of no other file, and not zero. */
static void make_marks(subject *s, random_source *random)
{
    s->marks = malloc(limit());
    assert_non_null(s->marks);
    for (size_t i = 0; i < limit(); i++) {
        s->marks[i] = (uint8_t)(1 + random_below(random, 255));
    }
}

static bool report(worker *w, const char *why)
{
    if (w->why == NULL) {
        w->why = why;
    }
    atomic_store(&over, true);
    return false;
}

static bool expect_ok(worker *w, int status, const char *what)
{
    return status == IRONMAP_OK || report(w, what);
}

/* Makes the file longer, with its bytes: a zero is never data. */
static bool extend(worker *w, subject *s, uint64_t size)
{
    if (s->size < size) {
        if (!descriptor_store(s->fd, s->size, s->marks + s->size, (size_t)(size - s->size))) {
            return report(w, "the file cannot be written");
        }
        s->size = size;
    }
    s->cut = s->size;
    return true;
}

/* ---- addresses that were left ---------------------------------------------------------------- */

static _Atomic(void *) left[64];
static atomic_size_t left_next;

static void leave(void *address)
{
    atomic_store(&left[atomic_fetch_add(&left_next, 1) % COUNT_OF(left)], address);
}

/* True if another map was at this address not long ago. */
static bool is_left(const ironmap_map *map)
{
    for (size_t i = 0; i < COUNT_OF(left); i++) {
        if (atomic_load(&left[i]) == ironmap_data(map)) {
            return true;
        }
    }
    return false;
}

/* ---- looks ----------------------------------------------------------------------------------- */

/* Where the lost bytes of a map begin if its file has `size` bytes; the map's length if nothing is
 * lost. */
static size_t lost_from(const subject *s, uint64_t size)
{
    uint64_t file_end = page_up(size);
    uint64_t offset = ironmap_offset(s->map);
    size_t length = ironmap_length(s->map);

    if (file_end <= offset) {
        return 0;
    }
    return file_end - offset < length ? (size_t)(file_end - offset) : length;
}

/* Where the page of a byte begins in the map: what damage and guards report. */
static size_t page_of(const subject *s, size_t at)
{
    size_t alignment = (size_t)(ironmap_offset(s->map) % ironmap_page_size());
    size_t first = (alignment + at) / ironmap_page_size() * ironmap_page_size();

    return first > alignment ? first - alignment : 0;
}

/* True if an access to [from, to) may report this offset. Bytes from `known` on are lost, and from
 * `possible` on they may be. */
static bool is_offset_of_loss(uint64_t offset, size_t known, size_t possible, size_t from,
                              size_t to)
{
    size_t first = from > possible ? from : possible;

    if (traits.loses_whole_views) {
        return offset < to;
    }
    return known == possible ? offset == first : offset >= first && offset < to;
}

/* Judges the status of an access to [from, to). True if its bytes must be right. */
static bool judge(worker *w, const subject *s, int status, size_t from, size_t to)
{
    size_t known = lost_from(s, s->size);
    size_t possible = lost_from(s, s->cut);

    w->looks++;
    if (status == IRONMAP_OK) {
        return to <= known || report(w, "no error for a lost page");
    }
    w->faults++;
    if (status != IRONMAP_E_FAULT) {
        return report(w, "not a lost page");
    }
    if (to <= possible) {
        return report(w, "lost a page that is there");
    }
    if (!is_offset_of_loss(w->error.offset, known, possible, from, to)) {
        return report(w, "not the offset of the lost page");
    }
    return false;
}

/* What the file has at an offset of the map. */
static const uint8_t *marks_at(const subject *s, size_t offset)
{
    return s->marks + ironmap_offset(s->map) + offset;
}

static bool are_marks(const subject *s, const uint8_t *bytes, size_t from, size_t to)
{
    return memcmp(bytes, marks_at(s, from), to - from) == 0;
}

static void look_at_range(worker *w, subject *s, size_t from, size_t to)
{
    int status = ironmap_get(s->map, from, w->bytes, to - from, &w->error);

    if (judge(w, s, status, from, to) && !are_marks(s, w->bytes, from, to)) {
        (void)report(w, "get: wrong bytes");
    }
}

static void look_at_byte(worker *w, subject *s, size_t from, size_t to)
{
    uint8_t byte = 0;
    int status = ironmap_get_byte(&byte, s->map, from, &w->error);

    (void)to;
    if (judge(w, s, status, from, from + 1) && !are_marks(s, &byte, from, from + 1)) {
        (void)report(w, "get_byte: a wrong byte");
    }
}

static void look_for_zero(worker *w, subject *s, size_t from, size_t to)
{
    uint64_t index = 0;
    int status = ironmap_find(&index, s->map, "", 1, from, to - from, &w->error);

    if (judge(w, s, status, from, to) && index != IRONMAP_NOT_FOUND) {
        (void)report(w, "find: found a zero");
    }
}

/* The guard is of the whole map, and the code touches [from, to). */
static void look_under_guard(worker *w, subject *s, size_t from, size_t to)
{
    ironmap_guard guard;

    if (!expect_ok(w, ironmap_guard_begin(&guard, s->map, &w->error), "guard_begin")) {
        return;
    }
    memcpy(w->bytes, (const uint8_t *)ironmap_data(s->map) + from, to - from);
    if (judge(w, s, ironmap_guard_end(&guard, &w->error), page_of(s, from), to) &&
        !are_marks(s, w->bytes, from, to)) {
        (void)report(w, "guard: wrong bytes");
    }
}

/* A byte of exported memory is right, or it is damage. */
static void look_while_pinned(worker *w, subject *s, size_t from, size_t to)
{
    uint8_t byte = 0;

    (void)to;
    ironmap_pin(s->map);
    byte = peek(s->map, from);
    ironmap_unpin(s->map);
    if (judge(w, s, ironmap_check_damage(s->map, &w->error), page_of(s, from), from + 1)) {
        if (!are_marks(s, &byte, from, from + 1)) {
            (void)report(w, "pinned: a wrong byte");
        }
    } else {
        (void)expect_ok(w, ironmap_clear_damage(s->map, &w->error), "clear_damage");
    }
}

static void store_marks(worker *w, subject *s, size_t from, size_t to)
{
    (void)judge(w, s, ironmap_put(s->map, from, marks_at(s, from), to - from, &w->error), from, to);
}

typedef void look(worker *w, subject *s, size_t from, size_t to);
static look *const looks[] = {look_at_range,    look_at_byte,      look_for_zero,
                              look_under_guard, look_while_pinned, store_marks};

static void look_once(worker *w, subject *s)
{
    size_t length = ironmap_length(s->map);
    size_t from = below(&w->random, length);
    size_t to = from + 1 + below(&w->random, length - from);

    looks[below(&w->random, COUNT_OF(looks))](w, s, from, to);
}

static void look_at_all(worker *w, subject *s)
{
    look_at_range(w, s, 0, ironmap_length(s->map));
}

/* ---- truncation ------------------------------------------------------------------------------ */

/* Truncates for all workers until all is over. */
static void truncate_files(void *context)
{
    worker *workers = context;

    while (!atomic_load(&over)) {
        for (size_t i = 0; i < WORKERS; i++) {
            worker *w = &workers[i];
            unsigned requested = atomic_load(&w->requested);

            if (requested != atomic_load(&w->done)) {
                if (!cut_file(w->cutting->fd, w->cutting->path, w->cutting->cut)) {
                    atomic_store(&over, true);
                }
                atomic_store(&w->done, requested);
            }
        }
        thread_yield();
    }
}

/* Another thread truncates the file to s->cut while this one looks. False if all is over. */
static bool cut_while_looking(worker *w, subject *s)
{
    w->cutting = s;
    atomic_fetch_add(&w->requested, 1);
    for (size_t i = 0; atomic_load(&w->done) != atomic_load(&w->requested) && !atomic_load(&over);
         i++) {
        if (i < LOOKS) {
            look_once(w, s);
        } else {
            thread_yield();
        }
    }
    return !atomic_load(&over);
}

/* The file is truncated, the lost pages are looked at, and the file is as long as before. */
static void lose_and_look(worker *w, subject *s)
{
    uint64_t size = s->size;
    bool looking = below(&w->random, 64) == 0;

    if (!pages_can_be_lost) {
        return;
    }
    s->cut = pages(below(&w->random, (size_t)(size / pages(1)) + 1));
    if (looking ? !cut_while_looking(w, s) : !cut_file(s->fd, s->path, s->cut)) {
        return;
    }
    s->size = s->cut;
    for (size_t i = below(&w->random, 4); i > 0; i--) {
        look_once(w, s);
    }
    if (extend(w, s, size)) {
        look_at_all(w, s);
    }
}

/* ---- shapes ---------------------------------------------------------------------------------- */

/* A length of whole pages, or somewhat less. */
static size_t some_length(worker *w)
{
    size_t length = pages(1 + below(&w->random, PAGES));

    return below(&w->random, 2) == 0 ? length : length - below(&w->random, ironmap_page_size());
}

static void open_map(worker *w, subject *s)
{
    uint64_t offset = below(&w->random, 4) == 0 ? ironmap_granularity() : 0;
    ironmap_options options = options_of(offset, some_length(w));

    if (!extend(w, s, offset + options.length)) {
        return;
    }
    if (expect_ok(w, ironmap_open_fd(&s->map, s->fd, IRONMAP_WRITE, &options, &w->error), "open")) {
        w->opens++;
        w->reuses += is_left(s->map);
        look_at_all(w, s);
    }
}

static bool close_map(worker *w, subject *s)
{
    leave(ironmap_data(s->map));
    if (!expect_ok(w, ironmap_close(s->map, &w->error), "close")) {
        return false;
    }
    s->map = NULL;
    return true;
}

static void open_again(worker *w, subject *s)
{
    if (close_map(w, s)) {
        open_map(w, s);
    }
}

/* Two kinds of memory in one map: Linux cannot move them together, so the map grows by being mapped
 * anew. */
static void split(worker *w, subject *s)
{
    size_t page = ironmap_page_size();

    if (ironmap_length(s->map) > 2 * page) {
        (void)ironmap_advise(s->map, page, 1, IRONMAP_ADVICE_RANDOM, &w->error);
    }
}

/* New bytes are zeros, where the file was not longer before. */
static void fill_new_bytes(worker *w, subject *s, size_t from)
{
    size_t length = ironmap_length(s->map);

    if (from < length && expect_ok(w, ironmap_get(s->map, from, w->bytes, length - from, &w->error),
                                   "get after growing")) {
        if (!is_filled(w->bytes, length - from, 0)) {
            (void)report(w, "new bytes are not zero");
        }
        store_marks(w, s, from, length);
    }
}

static void resize_map(worker *w, subject *s)
{
    uint64_t offset = ironmap_offset(s->map);
    size_t length = some_length(w);
    void *before = ironmap_data(s->map);
    uint64_t size = 0;

    if (below(&w->random, 2) == 0) {
        split(w, s);
    }
    if (below(&w->random, 2) == 0 && !extend(w, s, offset + length)) {
        return;
    }
    if (!expect_ok(w, ironmap_resize(s->map, length, &w->error), "resize")) {
        return;
    }
    w->resizes++;
    if (ironmap_data(s->map) != before) {
        leave(before);
        w->moves++;
    }
    size = s->size;
    s->size = s->cut = offset + length;
    if (ironmap_length(s->map) != length) {
        (void)report(w, "resize: a wrong length");
    } else if (size < s->size) {
        fill_new_bytes(w, s, (size_t)(size - offset));
    }
    look_at_all(w, s);
}

/* ---- threads --------------------------------------------------------------------------------- */

typedef void act(worker *w, subject *s);
static act *const acts[] = {open_again, resize_map, lose_and_look, look_once};

static void work(void *context)
{
    worker *w = context;

    for (size_t i = 0; i < FILES && !atomic_load(&over); i++) {
        open_map(w, &w->subjects[i]);
    }
    while (!atomic_load(&over) && time(NULL) < end) {
        acts[below(&w->random, COUNT_OF(acts))](w, &w->subjects[below(&w->random, FILES)]);
    }
}

static void worker_begin(worker *w, fixture *f, size_t number, random_source *random)
{
    *w = (worker){.random = {random_below(random, UINT64_MAX)}, .bytes = malloc(pages(PAGES))};
    assert_non_null(w->bytes);
    for (size_t i = 0; i < FILES; i++) {
        subject *s = &w->subjects[i];
        char name[20];

        (void)snprintf(name, sizeof(name), "%zu", number * FILES + i);
        file_name(f, name);
        file_bytes(f, "", 0);
        memcpy(s->path, f->path, strlen(f->path) + 1);
        s->fd = f->fd;
        f->fd = -1;
        make_marks(s, random);
    }
}

/* Prints what went wrong. */
static bool worker_end(worker *w)
{
    char text[200];

    if (w->why != NULL) {
        (void)ironmap_error_text(text, sizeof(text), &w->error);
        print_error("%s; the last error was: %s\n", w->why, text);
    }
    for (size_t i = 0; i < FILES; i++) {
        ignore(ironmap_close(w->subjects[i].map, NULL));
        descriptor_close(w->subjects[i].fd);
        free(w->subjects[i].marks);
    }
    free(w->bytes);
    return w->why == NULL;
}

static void maps_that_change_shape_at_once_show_their_own_bytes(void **state)
{
    fixture *f = *state;
    static worker workers[WORKERS];
    test_thread threads[WORKERS + 1];
    random_source random = random_start();
    worker sum = {.looks = 0};
    bool right = true;

    pages_can_be_lost = !(inside_qemu() && ironmap_page_size() != 4096);
    cut_begin();
    for (size_t i = 0; i < WORKERS; i++) {
        worker_begin(&workers[i], f, i, &random);
    }
    end = time(NULL) + (time_t)setting("IRONMAP_MODEL_SECONDS", SECONDS);
    for (size_t i = 0; i < WORKERS; i++) {
        thread_start(&threads[i], work, &workers[i]);
    }
    thread_start(&threads[WORKERS], truncate_files, workers);
    for (size_t i = 0; i < WORKERS; i++) {
        thread_join(&threads[i]);
    }
    atomic_store(&over, true);
    thread_join(&threads[WORKERS]);
    for (size_t i = 0; i < WORKERS; i++) {
        const worker *w = &workers[i];

        sum.looks += w->looks;
        sum.faults += w->faults;
        sum.opens += w->opens;
        sum.reuses += w->reuses;
        sum.resizes += w->resizes;
        sum.moves += w->moves;
        right = worker_end(&workers[i]) && right;
    }
    print_message("%zu opens, %zu at an address that was left; %zu resizes, %zu moved; "
                  "%zu looks, %zu of them lost pages\n",
                  sum.opens, sum.reuses, sum.resizes, sum.moves, sum.looks, sum.faults);
    assert_true(right);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_fixture(maps_that_change_shape_at_once_show_their_own_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
