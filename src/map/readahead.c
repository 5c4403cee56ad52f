/* The way of an access is cut into windows. Before the access enters a window, one page of the next
 * one is looked up; if it is not in memory, that window is cold. A hot access pays for nothing
 * else: 0.3 to 0.8 us for each 8 MiB, which take 500 us. (Figures of this comment: AMD EPYC of the
 * Zen 5 generation, 2 cores, Linux 6.18, ext4, November 2026; 1 GiB, minimum of interleaved
 * rounds.)
 *
 * Reading ahead. On a disk for which the system reads 8 MiB ahead, page faults alone stream a cold
 * file as fast as read(2) with 1 MiB buffers (329 and 328 ms). Requesting pages early is slower
 * there (500 to 600 ms), since the system then takes small pages, one by one. With 128 KiB, the
 * usual setting, faults alone are slower than read (675 and 462 ms), and requesting is faster
 * (429 ms). So whether to request depends on what the system does by itself. Backward it never
 * reads ahead: 1006 ms by faults alone, 442 ms by requesting. Two things did not help: asking for
 * sequential read-ahead (no difference), and populating the page table for each chunk
 * (MADV_POPULATE_READ: no difference on a cold file, 10 % slower on a hot one at first touch).
 *
 * Leaving behind. The system keeps a page that is mapped and was touched, but evicts one that came
 * by read(2) next. In a cgroup with 256 MiB, an access of 1 GiB through a map took 8 to 126 of the
 * 128 MiB that another process used at the time; the same with read(2) took 0 to 14. So what was
 * cold is taken out of the page table some way behind the access: then it is 0 to 14. It stays in
 * memory as long as there is room. That costs 6 us for each MiB, and 60 us more when it is touched
 * again. Windows that were in memory before stay as they are. Two things did not help: MADV_COLD is
 * four times slower; MADV_SEQUENTIAL does as well, but it stays and undoes the owner's own advice.
 * Private maps keep their pages, since taking them out of the page table would lose stores.
 */
#include "map/readahead.h"

/* WINDOW_BYTES: what is judged by one page. AHEAD_BYTES: how far ahead is requested, as much as the
 * disks of the measurement could use; a chunk at a time, since requesting much at once keeps the
 * processor busy while the disk rests. KEPT_WINDOWS: how many windows stay in the page table behind
 * the newest, so that smaller files are not touched at all. ENOUGH_BYTES: what the system must read
 * ahead by itself. SHORTEST_BYTES: shorter ranges go without. */
enum {
    WINDOW_BYTES = 8 << 20,
    AHEAD_BYTES = WINDOW_BYTES,
    KEPT_WINDOWS = 5,
    ENOUGH_BYTES = 1 << 20,
    SHORTEST_BYTES = 2 << 20,
};

/* Nothing is looked at before the first chunk is done: a loop over lines begins many accesses, of
 * which each ends in its first chunk. */
void ironmap__readahead_begin(ironmap__readahead *readahead, const ironmap__mapping *mapping,
                              size_t from, size_t to, bool backward)
{
    bool worthwhile = to - from >= SHORTEST_BYTES && !mapping->mode.anonymous;
    *readahead = (ironmap__readahead){.mapping = mapping,
                                      .from = from,
                                      .to = to,
                                      .backward = backward,
                                      .next_look = worthwhile ? IRONMAP__CHUNK_BYTES : SIZE_MAX};
}

/* The whole pages over the `length` bytes, or what is left of them, at byte `at` of the way. */
static ironmap__view pages_at(const ironmap__readahead *readahead, size_t at, size_t length)
{
    const uint8_t *data = readahead->mapping->data;
    length = (size_t)ironmap__min(length, readahead->to - readahead->from - at);
    size_t begin = readahead->backward ? readahead->to - at - length : readahead->from + at;
    size_t in_page = (uintptr_t)(data + begin) % ironmap__page_size();
    return (ironmap__view){readahead->mapping->data + begin - in_page,
                           ironmap__align_up(in_page + length, ironmap__page_size())};
}

/* True if the window at byte `at` of the way is not in memory, judged by the page that the access
 * comes to last: the system's read-ahead for the window before does not come so far. */
static bool is_cold(const ironmap__readahead *readahead, size_t at)
{
    ironmap__view pages = pages_at(readahead, at, WINDOW_BYTES);
    size_t last = readahead->backward ? 0 : pages.length - ironmap__page_size();
    return !ironmap__page_in_memory(pages.base + last);
}

/* True if the window that ends `back` windows before the last one that was examined was cold. */
static bool was_cold(const ironmap__readahead *readahead, size_t back)
{
    return (readahead->cold >> back & 1) != 0;
}

/* Takes the oldest window that is still known out of the page table. */
static void leave_behind(const ironmap__readahead *readahead)
{
    if (was_cold(readahead, KEPT_WINDOWS) && readahead->mapping->mode.shared) {
        size_t at = readahead->examined - (KEPT_WINDOWS + 1) * (size_t)WINDOW_BYTES;
        ironmap__view pages = pages_at(readahead, at, WINDOW_BYTES);
        ironmap__view_trim(pages.base, pages.length);
    }
}

static void examine_window(ironmap__readahead *readahead)
{
    bool cold = is_cold(readahead, readahead->examined);
    readahead->examined += WINDOW_BYTES;
    readahead->cold = readahead->cold << 1 | (cold ? 1 : 0);
    leave_behind(readahead);
}

/* True if requesting pages ahead is faster than not to. */
static bool is_needed(ironmap__readahead *readahead)
{
    if (!readahead->known) {
        readahead->known = true;
        readahead->needed = readahead->backward ||
                            ironmap__file_read_ahead(readahead->mapping->file) < ENOUGH_BYTES;
    }
    return readahead->needed;
}

/* Requests what is cold in [done, end) of the way and was not requested. */
static void request_ahead(ironmap__readahead *readahead, size_t done, size_t end)
{
    readahead->requested = (size_t)ironmap__max(readahead->requested, done);
    for (; readahead->requested < end; readahead->requested += IRONMAP__CHUNK_BYTES) {
        size_t back = (readahead->examined - 1 - readahead->requested) / WINDOW_BYTES;
        if (was_cold(readahead, back)) {
            ironmap__view pages = pages_at(readahead, readahead->requested, IRONMAP__CHUNK_BYTES);
            ironmap__view_prefetch(pages.base, pages.length);
        }
    }
}

void ironmap__readahead_look(ironmap__readahead *readahead, size_t done)
{
    size_t way = readahead->to - readahead->from;
    while (readahead->examined < way && readahead->examined <= done + WINDOW_BYTES) {
        examine_window(readahead);
    }
    readahead->next_look =
        readahead->examined < way ? readahead->examined - WINDOW_BYTES : SIZE_MAX;
    bool cold = was_cold(readahead, 0) || was_cold(readahead, 1);
    if (cold && is_needed(readahead)) {
        request_ahead(readahead, done, (size_t)ironmap__min(done + AHEAD_BYTES, way));
        readahead->next_look = readahead->requested < way ? done + 1 : SIZE_MAX;
    } else {
        readahead->requested = readahead->examined;
    }
}
