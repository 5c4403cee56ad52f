/* What Linux shows of the hints of long accesses: which pages a scan leaves in the page table, and
 * for which memory huge pages are asked for. */
#include "support_posix.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)

/* LENGTH: of the file. SMALL: of one that a scan leaves alone. LEFT: at most so much is in the page
 * table after a scan of the long one. */
enum { LENGTH = 96 << 20, SMALL = 40 << 20, LEFT = 56 << 20 };

/* How much of the map is in the page table. */
static uint64_t in_page_table(const ironmap_map *map)
{
    char line[512];

    if (!proc_line(line, sizeof(line), "smaps", ironmap_data(map), "Rss:")) {
        skip_because("the system does not show the state of pages");
    }
    return strtoull(line + strlen("Rss:"), NULL, 10) * 1024;
}

/* Whether the system tells that the pages of a hole were never read. */
static void skip_unless_cold(const fixture *f)
{
    unsigned char resident = 1;

    if (mincore(ironmap_data(f->map), 1, &resident) == -1 || (resident & 1) != 0) {
        skip_because("the system does not tell which pages are in memory");
    }
}

/* Opens f->map: a file of which nothing is in memory. */
static void map_cold(fixture *f, ironmap_access access, size_t length)
{
    file_make(f, 0);
    file_truncate(f, length);
    map_file(f, access);
    skip_unless_cold(f);
}

static void scan(fixture *f, bool forward)
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

/* Most of what a scan has brought into memory is out of the page table when it is done, so that it
 * is among the first to go when room is needed. */
static void cold_scans_leave_their_pages(void **state)
{
    fixture *f = *state;

    map_cold(f, IRONMAP_READ, LENGTH);
    scan(f, true);
    assert_true(in_page_table(f->map) <= LEFT);
    map_close(f);
    map_cold(f, IRONMAP_WRITE, LENGTH);
    scan(f, false);
    assert_true(in_page_table(f->map) <= LEFT);
    map_close(f);
    map_cold(f, IRONMAP_READ, LENGTH);
    copy(f);
    assert_true(in_page_table(f->map) <= LEFT);
}

/* What was in memory before stays in the page table. */
static void hot_scans_keep_their_pages(void **state)
{
    fixture *f = *state;

    map_cold(f, IRONMAP_READ, LENGTH);
    scan(f, true);
    map_close(f);
    map_file(f, IRONMAP_READ);
    scan(f, true);
    assert_u64(in_page_table(f->map), LENGTH);
    scan(f, false);
    copy(f);
    assert_u64(in_page_table(f->map), LENGTH);
}

/* So does all of a small file, and of a private map, whose stores are in its page table. */
static void small_and_private_maps_keep_their_pages(void **state)
{
    fixture *f = *state;

    map_cold(f, IRONMAP_READ, SMALL);
    scan(f, true);
    assert_u64(in_page_table(f->map), SMALL);
    map_close(f);
    map_cold(f, IRONMAP_COPY, LENGTH);
    scan(f, true);
    assert_u64(in_page_table(f->map), LENGTH);
}

/* Whether huge pages were asked for the memory at `data`. */
static bool asked_for_huge_pages(const void *data)
{
    char line[512];

    if (access("/sys/kernel/mm/transparent_hugepage", F_OK) != 0 ||
        !proc_line(line, sizeof(line), "smaps", data, "VmFlags:")) {
        skip_because("the system has no huge pages for the asking, or does not show it");
    }
    return strstr(line, " hg") != NULL;
}

static bool prepared(fixture *f, size_t length, bool used)
{
    bool asked = false;

    map_memory(f, MAP_PRIVATE, PROT_READ | PROT_WRITE, 16 * MIB);
    if (used) {
        assert_ok(ironmap_fill(f->map, 0, 1, 16 * MIB, &failure));
    }
    ironmap_prepare(ironmap_data(f->map), length);
    asked = asked_for_huge_pages(ironmap_data(f->map));
    map_close(f);
    return asked;
}

/* Huge pages are asked for memory of 4 MiB and more that was not used before. */
static void long_fresh_memory_gets_huge_pages(void **state)
{
    fixture *f = *state;

    skip_inside_qemu("takes every advice and does nothing");
    assert_true(prepared(f, 16 * MIB, false));
    assert_true(prepared(f, 4 * MIB, false));
    assert_false(prepared(f, 4 * MIB - 1, false));
    assert_false(prepared(f, 16 * MIB, true));
}

/* Pieces that follow each other, as a heap gives them, remain one mapping. */
static void prepared_pieces_are_one_mapping(void **state)
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
        with_fixture(cold_scans_leave_their_pages),
        with_fixture(hot_scans_keep_their_pages),
        with_fixture(small_and_private_maps_keep_their_pages),
        with_fixture(long_fresh_memory_gets_huge_pages),
        with_fixture(prepared_pieces_are_one_mapping),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
