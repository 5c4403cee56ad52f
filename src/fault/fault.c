/* What happens when a page cannot be had: the handler and the guard.
 *
 * THE MECHANISM. A page that cannot be had (its file was cut, the disk fails or is full) raises a
 * signal in the thread that touches it. The handler finds the map by the address, puts a page of
 * zeros in the place of the lost one, and returns: the access is done again and succeeds. That it
 * was a loss is written into the map. The guard around every access of the library compares the
 * number of losses before and after, and turns a difference into IRONMAP_E_FAULT; then the file's
 * page is put back, so that the next access finds it if it can be had again. Memory that was handed
 * out (ironmap_data) has no guard around it: there the zeros stay, the map is marked damaged, and
 * every operation reports it until ironmap_clear_damage.
 *
 * THE STATE of a map (ironmap__health): `losses` counts losses; `restored` is the number of losses
 * up to which all pages are the file's again; so losses != restored says that zeros may be about.
 * `handed` and `cleared` are the same pair for handed-out memory. `at_work` counts the handlers
 * that run. A handler does, in this order:
 *
 *     at_work++, [handed++], losses++, mark pages, replace pages, mark pages, log, at_work--
 *
 * WHY NO ZEROS PASS FOR DATA. An access reads `losses`, then `restored`, then the bytes, then
 * `losses` again. Say it read a zero that is none of the file's, from a page that a handler
 * replaced.
 * - The handler counted the loss before it replaced the page. If it did so after the access had
 *   begun, the second look at `losses` differs from the first: the page-table change that let the
 *   zero be seen comes after the count, and the load of the byte before the second look.
 * - Otherwise `losses` included it when the access began. `restored` was then below (slow path) or
 *   it included the loss too; but `restored` moves to n only when, after n was read, no handler was
 *   at work and all marked pages were put back; so the page was the file's again, and only a later
 *   handler, one with a later count, could have made it zeros: the first case.
 * - In the slow path the access waits until no handler is at work and restores itself, holding
 *   `restoring`, so that it does not run past another thread which has taken the mark off a page
 *   and not yet put the page back. It looks for damage and for what could not be put back before
 *   it lets go, since the next to hold it may take marks off, fail, and set them again.
 *
 * Pages are marked before they are replaced so that a child of fork, in which the handling thread
 * does not exist, knows of them; and after, because a restoring thread may have taken the first
 * mark off while the handler was still to replace the page. A restoring thread takes the mark off
 * first and puts the page back then: a handler that comes between leaves its own mark behind, and
 * at worst a whole page is restored once more.
 *
 * Two threads may lose the same page at once, and the later handler replace a page that was just
 * put back: that costs an error that was true a moment ago. What a private map had stored in a lost
 * page is gone with the page.
 *
 * WHO IS TOLD. Zeros that one thread's guarded access puts in place can be seen by another thread
 * through an address that was handed out, and nobody would tell it. So while a map is pinned, every
 * loss is damage. A pin is counted before the map's state is looked at, and a handler is at work
 * before it looks for pins: either the handler sees the pin, or the pin waits for the handler and
 * puts the pages back (ironmap__health_settle).
 *
 * A FORK can come at any moment of another thread. The child has no handler at work and nobody who
 * restores; a run of pages that was just being put back has its marks again (forget_threads).
 *
 * Everything that the handler calls is async-signal-safe: atomics, and mmap(2) and fstat(2), which
 * are plain system calls.
 */
#include "fault/fault.h"

#include <stdlib.h>

#include "map/internal.h"

_Thread_local const ironmap_map *volatile ironmap__accessed;
_Thread_local ironmap__frame *volatile ironmap__frames;

/* ---- the bitmaps ---- */

/* A bit for each page that is replaced: one bitmap for losses inside the guard, which whoever
 * meets them restores, one for handed-out memory. */
enum { GUARDED, HANDED_OUT, KINDS };

enum { WORD_BITS = sizeof(size_t) * 8 };

static size_t page_count(const ironmap_map *map)
{
    return ironmap__view_reach(map) / ironmap__page_size();
}

/* The bitmap of one kind. */
static atomic_size_t *bitmap(const ironmap_map *map, int kind)
{
    return map->health.replaced + (size_t)kind * map->health.words;
}

int ironmap__health_reserve(ironmap_map *map, size_t length, ironmap_error *error)
{
    ironmap__health *health = &map->health;
    size_t words = length / ironmap__page_size() / WORD_BITS + 1;
    if (map->mode.anonymous || words <= health->words) {
        return IRONMAP_OK;
    }
    atomic_size_t *made = calloc(KINDS * words, sizeof(*made));
    if (made == NULL) {
        return ironmap__fail(error, IRONMAP_E_NOMEM);
    }
    free(health->replaced);
    health->replaced = made;
    health->words = words;
    return IRONMAP_OK;
}

void ironmap__health_take(ironmap_map *map, ironmap_map *other)
{
    ironmap__health_free(map);
    map->health.replaced = other->health.replaced;
    map->health.words = other->health.words;
    other->health.replaced = NULL;
    other->health.words = 0;
}

void ironmap__health_free(ironmap_map *map)
{
    free(map->health.replaced);
    map->health.replaced = NULL;
    map->health.words = 0;
}

/* The bits of `word` that stand for pages in [from, to). */
static size_t word_mask(size_t word, size_t from, size_t to)
{
    size_t first = word * WORD_BITS;
    size_t low = from > first ? from - first : 0;
    size_t high = to < first + WORD_BITS ? to - first : WORD_BITS;
    size_t up_to_high = high == WORD_BITS ? SIZE_MAX : ((size_t)1 << high) - 1;
    return up_to_high & ~(((size_t)1 << low) - 1);
}

static void mark(atomic_size_t *bits, size_t from, size_t to)
{
    for (size_t word = from / WORD_BITS; word * WORD_BITS < to; word++) {
        atomic_fetch_or(&bits[word], word_mask(word, from, to));
    }
}

static void unmark(atomic_size_t *bits, size_t from, size_t to)
{
    for (size_t word = from / WORD_BITS; word * WORD_BITS < to; word++) {
        atomic_fetch_and(&bits[word], ~word_mask(word, from, to));
    }
}

/* The first page in [from, to) whose bit is `set`, or `to`. Whole words at once: a bitmap is long
 * and almost all the same. */
static size_t seek_bit(const atomic_size_t *bits, size_t from, size_t to, bool set)
{
    while (from < to) {
        size_t word = atomic_load(&bits[from / WORD_BITS]) >> (from % WORD_BITS);
        size_t wanted = set ? word : ~word;
        size_t left = WORD_BITS - from % WORD_BITS;
        if (!set && from % WORD_BITS != 0) {
            wanted &= ((size_t)1 << left) - 1;
        }
        if (wanted == 0) {
            from += left;
            continue;
        }
        while ((wanted & 1) == 0) {
            wanted >>= 1;
            from++;
        }
        return from < to ? from : to;
    }
    return to;
}

/* ---- the handler ---- */

/* Whether this thread is inside the guard of `map`. */
static bool guarded(const ironmap_map *map)
{
    bool found = ironmap__accessed == map;
    for (const ironmap__frame *frame = ironmap__frames; frame != NULL; frame = frame->outer) {
        found = found || frame->map == map;
    }
    return found;
}

/* Where in the view the file ends now, rounded up to the page; SIZE_MAX where nobody knows. */
static size_t file_end(const ironmap_map *map)
{
    uint64_t length = 0;
    bool sized = false;
    if (map->file == IRONMAP__NO_FILE ||
        ironmap__file_length(&length, &sized, map->file, NULL) != IRONMAP_OK || !sized) {
        return SIZE_MAX;
    }
    uint64_t begin = map->offset - ironmap__lead(map);
    uint64_t rest = length > begin ? length - begin : 0;
    return rest >= map->view.length ? SIZE_MAX
                                    : ironmap__align_up((size_t)rest, ironmap__page_size());
}

/* Puts zeros in the place of pages [from, to), both before and after marking them. */
static bool replace(ironmap_map *map, atomic_size_t *bits, size_t from, size_t to)
{
    size_t page = ironmap__page_size();
    mark(bits, from, to);
    bool done = ironmap__page_replace(map->view.base + from * page, (to - from) * page, &map->mode);
    mark(bits, from, to);
    return done;
}

static void log_loss(ironmap_map *map, size_t number, size_t at, size_t from, size_t to)
{
    ironmap__loss *loss = &map->health.log[number % IRONMAP__LOSS_LOG];
    size_t page = ironmap__page_size();
    atomic_store(&loss->page, at / page * page);
    atomic_store(&loss->from, from * page);
    atomic_store(&loss->to, to * page);
}

/* The page at byte `at` of the view cannot be had. Where the file ends before it, all pages behind
 * it are gone as well, and are replaced at once if the system has so much to give. Where it has no
 * room for one more piece of memory (each replaced page splits the mapping), or replaces whole
 * views alone, the whole view goes.
 */
static bool lose(ironmap_map *map, size_t at, int kind)
{
    atomic_size_t *bits = bitmap(map, kind);
    size_t number = atomic_fetch_add(&map->health.losses, 1);
    size_t from = at / ironmap__page_size();
    size_t to = at >= file_end(map) ? page_count(map) : from + 1;
    bool done = replace(map, bits, from, to);
    if (!done) {
        to = from + 1;
        done = replace(map, bits, from, to);
    }
    if (!done) {
        from = 0;
        to = page_count(map);
        done = replace(map, bits, from, to);
    }
    log_loss(map, number, at, from, to);
    return done;
}

/* Called by the platform in a signal handler: true where `address` was a page of ours and can be
 * accessed now; for no address, where an access of this thread may have been the cause. */
static bool fault(void *address)
{
    if (address == NULL) {
        return ironmap__accessed != NULL;
    }
    ironmap_map *map = ironmap__register_find((uintptr_t)address);
    if (map == NULL) {
        return false;
    }
    ironmap__health *health = &map->health;
    atomic_fetch_add(&health->at_work, 1);
    int kind = guarded(map) && ironmap_pins(map) == 0 ? GUARDED : HANDED_OUT;
    if (kind == HANDED_OUT) {
        atomic_fetch_add(&health->handed, 1);
    }
    bool done = lose(map, (size_t)((uint8_t *)address - map->view.base), kind);
    atomic_fetch_sub(&health->at_work, 1);
    return done;
}

/* In a child of fork only the forking thread exists: no handler is at work and nobody restores. A
 * run that a thread of the parent was about to restore gets its marks again. */
static void forget_threads(ironmap_map *map)
{
    ironmap__health *health = &map->health;
    if (health->undoing[2] != 0) {
        mark(bitmap(map, (int)health->undoing[0]), health->undoing[1], health->undoing[2]);
        atomic_store(&health->undoing[2], 0);
    }
    atomic_store(&health->at_work, 0);
    atomic_flag_clear(&health->restoring);
}

static void after_fork(void)
{
    ironmap__register_each(forget_threads);
}

int ironmap__fault_guard_process(ironmap_error *error)
{
    return ironmap__fault_handler_install(fault, after_fork, error);
}

/* ---- restoring ---- */

static void wait_for_handlers(const ironmap_map *map)
{
    while (atomic_load(&map->health.at_work) != 0) {
        ironmap__yield();
    }
}

/* What is about to be done is written down first, for a child of fork in the middle of it. */
static void note_undoing(ironmap_map *map, int kind, size_t from, size_t to)
{
    atomic_store(&map->health.undoing[0], (size_t)kind);
    atomic_store(&map->health.undoing[1], from);
    atomic_store(&map->health.undoing[2], to);
}

static bool restore_run(ironmap_map *map, int kind, size_t from, size_t to)
{
    atomic_size_t *bits = bitmap(map, kind);
    size_t page = ironmap__page_size();
    note_undoing(map, kind, from, to);
    ironmap__view run = {map->view.base + from * page, (to - from) * page};
    unmark(bits, from, to);
    bool done = ironmap__page_restore(&run, &map->mode, map->file,
                                      map->offset - ironmap__lead(map) + (uint64_t)from * page,
                                      NULL) == IRONMAP_OK;
    if (!done) {
        mark(bits, from, to);
    }
    note_undoing(map, kind, 0, 0);
    return done;
}

/* Puts the file's pages back where bits of one kind say so; false where one could not be. */
static bool restore_kind(ironmap_map *map, int kind)
{
    atomic_size_t *bits = bitmap(map, kind);
    size_t pages = map->health.replaced == NULL ? 0 : page_count(map);
    bool all = true;
    for (size_t from = 0; from < pages;) {
        from = seek_bit(bits, from, pages, true);
        size_t to = seek_bit(bits, from, pages, false);
        if (from < to && !restore_run(map, kind, from, to)) {
            all = false;
        }
        from = to;
    }
    return all;
}

/* Whoever holds `restoring` may go by the marks: no other thread has just taken one off. */
static void marks_hold(ironmap_map *map)
{
    while (atomic_flag_test_and_set(&map->health.restoring)) {
        ironmap__yield();
    }
}

static void marks_release(ironmap_map *map)
{
    atomic_flag_clear(&map->health.restoring);
}

/* Restores what was lost inside guards, and handed-out memory too if `clear`, while the marks are
 * held. */
static void restore_held(ironmap_map *map, bool clear)
{
    ironmap__health *health = &map->health;
    size_t losses = atomic_load(&health->losses);
    size_t handed = atomic_load(&health->handed);
    wait_for_handlers(map);
    bool all = restore_kind(map, GUARDED);
    if (clear && restore_kind(map, HANDED_OUT)) {
        atomic_store(&health->cleared, handed);
    }
    if (all && atomic_load(&health->handed) == atomic_load(&health->cleared)) {
        atomic_store(&health->restored, losses);
    }
}

static void restore(ironmap_map *map, bool clear)
{
    marks_hold(map);
    restore_held(map, clear);
    marks_release(map);
}

/* ---- the guard ---- */

/* A full disk may be why, but not where the file is too short: that is why, then. */
static int fail_fault(const ironmap_map *map, size_t offset, bool store, ironmap_error *error)
{
    if (error != NULL) {
        bool inside = ironmap__lead(map) + offset < file_end(map);
        ironmap__file disk = inside ? map->file : IRONMAP__NO_FILE;
        *error = (ironmap_error){.status = IRONMAP_E_FAULT,
                                 .system_code = ironmap__fault_code(disk, store),
                                 .offset = offset};
    }
    return IRONMAP_E_FAULT;
}

/* Whether handed-out memory was lost and nobody has said that he knows. */
bool ironmap_damaged(const ironmap_map *map)
{
    return atomic_load(&map->health.handed) != atomic_load(&map->health.cleared);
}

/* The first byte in [from, to) of the map that lies in a replaced page of this kind, or `to`. */
static size_t first_replaced(const ironmap_map *map, int kind, size_t from, size_t to)
{
    if (map->health.replaced == NULL || from >= to) {
        return to;
    }
    const atomic_size_t *bits = bitmap(map, kind);
    size_t page = ironmap__page_size();
    size_t shift = ironmap__lead(map);
    size_t last = (shift + to - 1) / page + 1;
    size_t found = seek_bit(bits, (shift + from) / page, last, true);
    if (found == last) {
        return to;
    }
    return found * page > shift + from ? found * page - shift : from;
}

/* A map's pages change under what is const for those who read them. */
static ironmap_map *mutable_map(const ironmap_map *map)
{
    return (ironmap_map *)(uintptr_t)map;
}

/* The same of either kind. */
static size_t first_lost_page(const ironmap_map *map, size_t from, size_t to)
{
    return first_replaced(map, HANDED_OUT, from, first_replaced(map, GUARDED, from, to));
}

/* The first damaged byte at or after `from`, or the map's length, while the marks are held. */
static size_t damage_held(const ironmap_map *map, size_t from)
{
    return ironmap_damaged(map) ? first_replaced(map, HANDED_OUT, from, map->length) : map->length;
}

/* What was done through the address nobody saw; if the map writes to a full disk, a store. */
static int fail_damage(const ironmap_map *map, size_t offset, ironmap_error *error)
{
    return fail_fault(map, offset, map->mode.shared && map->mode.writable, error);
}

int ironmap__check_damage(const ironmap_map *map, ironmap_error *error)
{
    if (!ironmap_damaged(map)) {
        return IRONMAP_OK;
    }
    marks_hold(mutable_map(map));
    size_t damage = damage_held(map, 0);
    marks_release(mutable_map(map));
    return damage == map->length ? IRONMAP_OK : fail_damage(map, damage, error);
}

void ironmap__health_settle(ironmap_map *map)
{
    const ironmap__health *health = &map->health;
    if (atomic_load(&health->at_work) != 0 ||
        atomic_load(&health->losses) != atomic_load(&health->restored)) {
        restore(map, false);
    }
}

/* Damage and what is still lost are looked for before the marks are released: another thread may
 * then take them off, and not be able to put the pages back. */
int ironmap__guard_settle(ironmap__guard *guard, ironmap__touch touch, ironmap_error *error)
{
    const ironmap_map *map = guard->map;
    size_t end = touch.offset + touch.length;
    guard->losses = atomic_load(&map->health.losses);
    marks_hold(mutable_map(map));
    restore_held(mutable_map(map), false);
    size_t damage = damage_held(map, 0);
    size_t lost = first_replaced(map, GUARDED, touch.offset, end);
    marks_release(mutable_map(map));
    if (damage < map->length) {
        return fail_damage(map, damage, error);
    }
    return lost < end ? fail_fault(map, lost, touch.store, error) : IRONMAP_OK;
}

/* The first of the touched bytes [begin, end) of the view that the loss took, or `end`: of its page
 * that could not be had, if that was touched, else of all that were replaced with it. */
static size_t first_taken(const ironmap__loss *loss, size_t begin, size_t end)
{
    size_t page = atomic_load(&loss->page);
    bool touched = page < end && page + ironmap__page_size() > begin;
    size_t from = touched ? page : atomic_load(&loss->from);
    size_t taken = (size_t)ironmap__max(from, begin);
    return taken < atomic_load(&loss->to) ? (size_t)ironmap__min(taken, end) : end;
}

/* The first of the touched bytes that one of the losses [first, last) took, or their end. Losses
 * that the log no longer has may have been anywhere: the marks tell, unless another thread has
 * restored the pages already. */
static size_t first_lost(const ironmap_map *map, size_t first, size_t last, ironmap__touch touch)
{
    size_t end = touch.offset + touch.length;
    if (last - first > IRONMAP__LOSS_LOG) {
        size_t marked = first_lost_page(map, touch.offset, end);
        return marked < end ? marked : touch.offset;
    }
    size_t lead = ironmap__lead(map);
    size_t lost = end;
    for (size_t number = first; number != last; number++) {
        const ironmap__loss *loss = &map->health.log[number % IRONMAP__LOSS_LOG];
        lost =
            (size_t)ironmap__min(lost, first_taken(loss, lead + touch.offset, lead + end) - lead);
    }
    return lost;
}

int ironmap__guard_report(ironmap__guard guard, ironmap__touch touch, ironmap_error *error)
{
    const ironmap_map *map = guard.map;
    size_t losses = 0;
    size_t lost = 0;
    do {
        losses = atomic_load(&map->health.losses);
        wait_for_handlers(map);
        lost = first_lost(map, guard.losses, losses, touch);
    } while (atomic_load(&map->health.losses) != losses);
    bool touched = lost < touch.offset + touch.length;
    int status = touched ? fail_fault(map, lost, touch.store, error) : IRONMAP_OK;
    restore(mutable_map(map), false);
    return status;
}

/* The frame is what makes a loss inside `work` one of ours. It is the caller's code, in which a
 * signal without an address may be meant: so the signal is taken back first from whoever took it
 * since. If that fails, it is as it was. */
int ironmap_guard(ironmap_map *map, void (*work)(void *context), void *context,
                  ironmap_error *error)
{
    ironmap__guard guard;
    const ironmap__touch touch = {0, map->length, map->mode.writable};
    if (map->slot != NULL) {
        (void)ironmap__fault_guard_process(NULL);
    }
    int status = ironmap__guard_begin(&guard, map, touch, error);
    if (status != IRONMAP_OK) {
        return status;
    }
    ironmap__frame frame;
    ironmap__guard_leave();
    ironmap__frame_enter(&frame, map);
    work(context);
    ironmap__frame_leave(&frame);
    return ironmap__guard_end(guard, touch, error);
}

/* ---- damage ---- */

size_t ironmap_damage_count(const ironmap_map *map)
{
    return atomic_load(&map->health.handed);
}

/* The end of the damage that begins at `begin`, while the marks are held. */
static size_t damage_end_held(const ironmap_map *map, size_t begin)
{
    size_t page = ironmap__page_size();
    size_t whole = seek_bit(bitmap(map, HANDED_OUT), (ironmap__lead(map) + begin) / page,
                            page_count(map), false);
    return (size_t)ironmap__min(whole * page - ironmap__lead(map), map->length);
}

int ironmap_damage(uint64_t *offset, size_t *length, const ironmap_map *map, uint64_t from,
                   ironmap_error *error)
{
    if (from > map->length) {
        return ironmap__fail(error, IRONMAP_E_RANGE);
    }
    marks_hold(mutable_map(map));
    wait_for_handlers(map);
    size_t begin = damage_held(map, (size_t)from);
    size_t end = begin < map->length ? damage_end_held(map, begin) : begin;
    marks_release(mutable_map(map));
    *offset = begin < end ? begin : IRONMAP_NOT_FOUND;
    *length = end - begin;
    return IRONMAP_OK;
}

int ironmap_clear_damage(ironmap_map *map, ironmap_error *error)
{
    restore(map, true);
    bool stuck = map->file == IRONMAP__NO_FILE && ironmap_damaged(map);
    return stuck ? ironmap__fail(error, IRONMAP_E_NO_FILE) : IRONMAP_OK;
}
