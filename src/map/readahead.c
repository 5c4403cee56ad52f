/* What the system is told about a long access: how to bring a cold file in, and what to push out.
 *
 * The way of a scan is cut into windows. Before the access enters one, one page of the window after
 * it is looked up; if that is not in memory, the window is cold. A hot scan pays for nothing else:
 * 0.3 to 0.8 us for each 8 MiB, which take 500 us. (The figures here: AMD EPYC of the Zen 5
 * generation, 2 cores, Linux 6.18, ext4, November 2026; 1 GiB, minimum of interleaved rounds.)
 *
 * BRINGING IN. On a disk for which the system reads 8 MiB ahead, page faults alone stream a cold
 * file as fast as read(2) with 1 MiB buffers (329 and 328 ms), and asking for pages early makes it
 * slower (500 to 600 ms: the system then takes small pages, one by one). With 128 KiB, the usual
 * setting, faults alone are slower than read (675 and 462 ms) and asking ahead is faster
 * (429 ms). So whether to ask depends on what the system does by itself. Downward it never reads
 * ahead: 1006 ms by faults alone, 442 ms by asking. What did not help: asking for sequential
 * read-ahead (the same as nothing), and having the pages of each piece entered into the page table
 * at once (MADV_POPULATE_READ: the same on a cold file, 10 % slower on a hot one that is touched
 * for the first time).
 *
 * PUSHING OUT. A page that is mapped and was touched is one that the system keeps, where one that
 * came by read(2) is the next to go: in a group of processes with 256 MiB, a scan of 1 GiB through
 * a map took 8 to 126 of the 128 MiB that another process was using at the time; the same scan
 * with read(2), 0 to 14. So what was cold is taken out of the page table some way behind the scan:
 * then it is 0 to 14. It stays in memory as long as there is room. That costs 6 us for each MiB,
 * and 60 us more when it is touched again; windows that were in memory before the scan are left as
 * they are. What did not help: MADV_COLD, four times slower; MADV_SEQUENTIAL does as well, but it
 * stays, and undoes what the owner of the map has advised himself. Private maps keep their pages,
 * since taking them out of the page table would lose what was stored.
 */
#include "map/readahead.h"

#include "map/internal.h"

/* WINDOW: what is looked at by one page. AHEAD: what is asked for before it is touched, as much as
 * the disks of the measurement could use; by the piece, since asking for much at once keeps the
 * processor busy while the disk rests. BEHIND: how many windows are left in the page table behind
 * the newest, so that smaller files are not touched at all. ENOUGH: what the system must read ahead
 * by itself. */
enum {
    WINDOW = 8 << 20,
    AHEAD = WINDOW,
    BEHIND = 5,
    ENOUGH = 1 << 20,
    SHORTEST = 2 << 20,
};

/* Nothing is looked at before the first piece is done: what goes from line to line begins many
 * scans of which each ends in its first piece. */
void ironmap__scan_begin(ironmap__scan *scan, const ironmap_map *map, size_t from, size_t to,
                         bool forward)
{
    bool worthwhile = to - from >= SHORTEST && !map->mode.anonymous;
    *scan = (ironmap__scan){.map = map,
                            .from = from,
                            .to = to,
                            .forward = forward,
                            .look = worthwhile ? IRONMAP__PIECE : SIZE_MAX};
}

/* The whole pages over the `length` bytes, or what is left of them, that begin `way` bytes from the
 * scan's beginning. */
static ironmap__view stretch(const ironmap__scan *scan, size_t way, size_t length)
{
    length = (size_t)ironmap__min(length, scan->to - scan->from - way);
    size_t begin = scan->forward ? scan->from + way : scan->to - way - length;
    size_t lead = (uintptr_t)(scan->map->data + begin) % ironmap__page_size();
    return (ironmap__view){scan->map->data + begin - lead,
                           ironmap__align_up(lead + length, ironmap__page_size())};
}

/* Whether the window is not in memory, going by the page that the access comes to last: what the
 * system reads ahead for the window before does not reach so far. */
static bool is_cold(const ironmap__scan *scan, size_t way)
{
    ironmap__view pages = stretch(scan, way, WINDOW);
    size_t last = scan->forward ? pages.length - ironmap__page_size() : 0;
    return !ironmap__page_in_memory(pages.base + last);
}

/* Whether the window that ends `back` windows before the last that was looked at was cold. */
static bool was_cold(const ironmap__scan *scan, size_t back)
{
    return (scan->cold >> back & 1) != 0;
}

/* Takes the oldest window that is still known out of the page table. */
static void leave_behind(const ironmap__scan *scan)
{
    if (was_cold(scan, BEHIND) && scan->map->mode.shared) {
        ironmap__view pages = stretch(scan, scan->looked - (BEHIND + 1) * (size_t)WINDOW, WINDOW);
        ironmap__view_trim(pages.base, pages.length);
    }
}

static void look_at_next(ironmap__scan *scan)
{
    bool cold = is_cold(scan, scan->looked);
    scan->looked += WINDOW;
    scan->cold = scan->cold << 1 | (cold ? 1 : 0);
    leave_behind(scan);
}

/* Whether asking for pages ahead is faster than not to. */
static bool needs_help(ironmap__scan *scan)
{
    if (!scan->asked) {
        scan->asked = true;
        scan->helped = !scan->forward || ironmap__file_read_ahead(scan->map->file) < ENOUGH;
    }
    return scan->helped;
}

/* Asks for what is cold in [done, reach) of the way and was not asked for. */
static void ask_ahead(ironmap__scan *scan, size_t done, size_t reach)
{
    scan->expected = (size_t)ironmap__max(scan->expected, done);
    for (; scan->expected < reach; scan->expected += IRONMAP__PIECE) {
        if (was_cold(scan, (scan->looked - 1 - scan->expected) / WINDOW)) {
            ironmap__view pages = stretch(scan, scan->expected, IRONMAP__PIECE);
            ironmap__view_prefetch(pages.base, pages.length);
        }
    }
}

void ironmap__scan_look(ironmap__scan *scan, size_t done)
{
    size_t way = scan->to - scan->from;
    while (scan->looked < way && scan->looked <= done + WINDOW) {
        look_at_next(scan);
    }
    scan->look = scan->looked < way ? scan->looked - WINDOW : SIZE_MAX;
    bool cold = was_cold(scan, 0) || was_cold(scan, 1);
    if (cold && needs_help(scan)) {
        ask_ahead(scan, done, (size_t)ironmap__min(done + AHEAD, way));
        scan->look = scan->expected < way ? done + 1 : SIZE_MAX;
    } else {
        scan->expected = scan->looked;
    }
}

/* Asks whoever opened the map whether to go on; that is no access. */
static int ask_to_go_on(const ironmap_map *map, ironmap_error *error)
{
    if (map->check == NULL) {
        return IRONMAP_OK;
    }
    ironmap__guard_leave();
    bool stop = map->check(map->check_context) != 0;
    ironmap__guard_enter(map);
    return stop ? ironmap__fail(error, IRONMAP_E_INTERRUPTED) : IRONMAP_OK;
}

int ironmap__scan_check(ironmap__guard *guard, ironmap__touch touch, bool over,
                        ironmap_error *error)
{
    int status = ironmap__guard_check(guard, touch, error);
    if (status != IRONMAP_OK || over) {
        return status;
    }
    status = ask_to_go_on(guard->map, error);
    if (status != IRONMAP_OK) {
        ironmap__guard_leave();
    }
    return status;
}
