/* What Linux shows of read-ahead: pages that a search leaves in the page table, and memory for
 * which huge pages are requested. */
#include "support_posix.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)

/* LENGTH: a file. SMALL: a file without read-ahead. LEFT: the most that a search of LENGTH leaves
 * in the page table. */
enum { LENGTH = 96 << 20, SMALL = 40 << 20, LEFT = 56 << 20 };

/* Bytes of the map in the page table. */
static uint64_t in_page_table(const ironmap_map *map)
{
    char line[512];

    if (!proc_line(line, sizeof(line), "smaps", ironmap_data(map), "Rss:")) {
        skip_because("the system does not show the state of pages");
    }
    return strtoull(line + strlen("Rss:"), NULL, 10) * 1024;
}

/* Skips the test unless the pages of a hole count as not in memory. */
static void skip_unless_cold(const fixture *f)
{
    unsigned char resident = 1;

    if (mincore(ironmap_data(f->map), 1, &resident) == -1 || (resident & 1) != 0) {
        skip_because("the system does not tell which pages are in memory");
    }
}

/* Opens f->map: a file that is not in memory. */
static void map_cold(fixture *f, ironmap_access access, size_t length)
{
    file_make(f, 0);
    file_truncate(f, length);
    map_file(f, access);
    skip_unless_cold(f);
}

static void search(fixture *f, bool forward)
{
    uint64_t index = 0;

    assert_ok(forward ? ironmap_find(&index, f->map, "x", 1, 0, IRONMAP_TO_END, &failure)
                      : ironmap_rfind(&index, f->map, "x", 1, 0, IRONMAP_TO_END, &failure));
    assert_u64(index, IRONMAP_NOT_FOUND);
}

static void copy(fixture *f)
{
    uint8_t *bytes = malloc(LENGTH);

    assert_non_null(bytes);
    assert_ok(ironmap_get(f->map, 0, bytes, LENGTH, &failure));
    free(bytes);
}

/* Most pages that a search read leave the page table, so that the system evicts them first. */
static void cold_searches_drop_their_pages(void **state)
{
    fixture *f = *state;

    map_cold(f, IRONMAP_READ, LENGTH);
    search(f, true);
    assert_true(in_page_table(f->map) <= LEFT);
    map_close(f);
    map_cold(f, IRONMAP_WRITE, LENGTH);
    search(f, false);
    assert_true(in_page_table(f->map) <= LEFT);
    map_close(f);
    map_cold(f, IRONMAP_READ, LENGTH);
    copy(f);
    assert_true(in_page_table(f->map) <= LEFT);
}

/* Pages that were in memory before stay in the page table. */
static void hot_searches_keep_their_pages(void **state)
{
    fixture *f = *state;

    map_cold(f, IRONMAP_READ, LENGTH);
    search(f, true);
    map_close(f);
    map_file(f, IRONMAP_READ);
    search(f, true);
    assert_u64(in_page_table(f->map), LENGTH);
    search(f, false);
    copy(f);
    assert_u64(in_page_table(f->map), LENGTH);
}

/* All pages of a small file and of a private map, whose page table holds its stores. */
static void small_and_private_maps_keep_their_pages(void **state)
{
    fixture *f = *state;

    map_cold(f, IRONMAP_READ, SMALL);
    search(f, true);
    assert_u64(in_page_table(f->map), SMALL);
    map_close(f);
    map_cold(f, IRONMAP_COPY, LENGTH);
    search(f, true);
    assert_u64(in_page_table(f->map), LENGTH);
}

/* True if huge pages were requested for the memory at `data`. */
static bool huge_pages_requested(const void *data)
{
    char line[512];

    if (access("/sys/kernel/mm/transparent_hugepage", F_OK) != 0 ||
        !proc_line(line, sizeof(line), "smaps", data, "VmFlags:")) {
        skip_because("the system has no huge pages on request, or does not show them");
    }
    return strstr(line, " hg") != NULL;
}

static bool prepared(fixture *f, size_t length, bool used)
{
    bool requested = false;

    map_memory(f, MAP_PRIVATE, PROT_READ | PROT_WRITE, 16 * MIB);
    if (used) {
        assert_ok(ironmap_fill(f->map, 0, 1, 16 * MIB, &failure));
    }
    ironmap_prepare(ironmap_data(f->map), length);
    requested = huge_pages_requested(ironmap_data(f->map));
    map_close(f);
    return requested;
}

/* Huge pages are requested for at least 4 MiB of unused memory. */
static void huge_pages_are_requested_for_long_fresh_memory(void **state)
{
    fixture *f = *state;

    skip_inside_qemu("takes every advice and does nothing");
    assert_true(prepared(f, 16 * MIB, false));
    assert_true(prepared(f, 4 * MIB, false));
    assert_false(prepared(f, 4 * MIB - 1, false));
    assert_false(prepared(f, 16 * MIB, true));
}

/* A heap returns such adjacent blocks. */
static void prepared_blocks_stay_one_mapping(void **state)
{
    enum { PIECES = 8, PIECE = 4 << 20 };
    fixture *f = *state;
    size_t before = 0;

    map_memory(f, MAP_PRIVATE, PROT_READ | PROT_WRITE, (size_t)PIECES * PIECE + MIB);
    before = mapped_regions();
    for (size_t i = 0; i < PIECES; i++) {
        ironmap_prepare((uint8_t *)ironmap_data(f->map) + i * PIECE + 48, PIECE - 16);
    }
    assert_true(mapped_regions() <= before + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_fixture(cold_searches_drop_their_pages),
        with_fixture(hot_searches_keep_their_pages),
        with_fixture(small_and_private_maps_keep_their_pages),
        with_fixture(huge_pages_are_requested_for_long_fresh_memory),
        with_fixture(prepared_blocks_stay_one_mapping),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
