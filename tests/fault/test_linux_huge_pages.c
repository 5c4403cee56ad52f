/* Huge pages: files of them that are truncated, lengths and offsets that are no multiples of them,
 * and anonymous memory when there are none left. Needs root, for some pages in the system's pool.
 */
#include "fault_support.h"

#include <ironmap/extra.h>

#include <errno.h>
#include <linux/mman.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char pool[] = "/proc/sys/vm/nr_hugepages";

enum { POOL_PAGES = 12 };

/* ---- the system's pool ----------------------------------------------------------------------- */

/* A number of /proc/meminfo, or -1. */
static long meminfo(const char *name)
{
    char line[128];
    long value = -1;
    size_t length = strlen(name);
    FILE *info = fopen("/proc/meminfo", "r");

    while (info != NULL && value == -1 && fgets(line, sizeof(line), info) != NULL) {
        if (strncmp(line, name, length) == 0 && line[length] == ':') {
            value = strtol(line + length + 1, NULL, 10);
        }
    }
    if (info != NULL) {
        (void)fclose(info);
    }
    return value;
}

static bool set_pool(long pages)
{
    FILE *file = fopen(pool, "w");
    bool done = file != NULL && fprintf(file, "%ld", pages) > 0;

    return file != NULL && fclose(file) == 0 && done;
}

static size_t huge(void)
{
    return (size_t)meminfo("Hugepagesize") * 1024;
}

static long pool_before;

static int add_to_pool(void **state)
{
    (void)state;
    pool_before = meminfo("HugePages_Total");
    (void)(pool_before >= 0 && set_pool(pool_before + POOL_PAGES));
    return 0;
}

static int reset_pool(void **state)
{
    (void)state;
    (void)(pool_before >= 0 && set_pool(pool_before));
    return 0;
}

static void skip_without_pool(void)
{
    skip_inside_qemu("has no huge pages");
    if (meminfo("HugePages_Free") < POOL_PAGES) {
        skip_because("the system has no huge pages to spare");
    }
}

/* ---- files ----------------------------------------------------------------------------------- */

/* A file of `pages` huge pages, each filled with its number from 1 on. */
static int make_huge_file(size_t pages)
{
    int fd = memfd_create("ironmap-test", MFD_HUGETLB | MFD_CLOEXEC);

    assert_int_not_equal(fd, -1);
    assert_int_equal(ftruncate(fd, (off_t)(pages * huge())), 0);
    uint8_t *bytes = mmap(NULL, pages * huge(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(bytes, MAP_FAILED);
    for (size_t i = 0; i < pages; i++) {
        memset(bytes + i * huge(), (int)i + 1, huge());
    }
    assert_int_equal(munmap(bytes, pages * huge()), 0);
    return fd;
}

static void cut_huge_file(int fd, size_t pages)
{
    assert_int_equal(ftruncate(fd, (off_t)(pages * huge())), 0);
}

static void assert_huge_length(int fd, size_t pages)
{
    struct stat status;

    assert_int_equal(fstat(fd, &status), 0);
    assert_u64((uint64_t)status.st_size, pages * huge());
}

static void map_huge_file(fixture *f, int fd, ironmap_access access, size_t offset, size_t length)
{
    ironmap_options options = options_of(offset, length);

    assert_ok(ironmap_open_fd(&f->map, fd, access, &options, &failure));
}

static void assert_byte(const ironmap_map *map, size_t offset, uint8_t expected)
{
    uint8_t byte = 0;

    assert_ok(ironmap_get_byte(&byte, map, offset, &failure));
    assert_int_equal(byte, expected);
}

/* ---- tests ----------------------------------------------------------------------------------- */

/* The file stays as short as it was cut, and the page is back as soon as the file has it. */
static void truncated_file_is_a_fault_and_stays_short(void **state)
{
    static const ironmap_access kinds[] = {IRONMAP_READ, IRONMAP_WRITE, IRONMAP_COPY};
    fixture *f = *state;
    uint8_t byte = 0;
    ironmap_error error;

    skip_without_pool();
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        int fd = make_huge_file(3);

        map_huge_file(f, fd, kinds[i], 0, 0);
        assert_byte(f->map, 2 * huge(), 3);
        cut_huge_file(fd, 1);
        for (int k = 0; k < 3; k++) {
            assert_fault(ironmap_get_byte(&byte, f->map, 2 * huge() + 5, &error), &error,
                         2 * huge() + 5, codes.lost_page);
            assert_byte(f->map, huge() - 1, 1);
            assert_huge_length(fd, 1);
        }
        assert_false(ironmap_is_damaged(f->map));
        cut_huge_file(fd, 3);
        assert_byte(f->map, 2 * huge() + 5, 0);
        if (kinds[i] != IRONMAP_READ) {
            assert_ok(ironmap_put_byte(f->map, 2 * huge() + 5, 'y', &failure));
        }
        map_close(f);
        assert_int_equal(close(fd), 0);
    }
}

static void store_into_a_truncated_file_is_a_fault_and_keeps_it_short(void **state)
{
    fixture *f = *state;
    ironmap_error error;

    skip_without_pool();
    int fd = make_huge_file(2);
    map_huge_file(f, fd, IRONMAP_WRITE, 0, 0);
    cut_huge_file(fd, 1);
    assert_fault(ironmap_fill(f->map, 0, 'x', 2 * huge(), &error), &error, huge(), codes.lost_page);
    assert_huge_length(fd, 1);
    assert_byte(f->map, 0, 'x');
    assert_huge_length(fd, 1);
    map_close(f);
    assert_int_equal(close(fd), 0);
}

static void damage_of_an_exported_huge_page_can_be_cleared(void **state)
{
    fixture *f = *state;

    skip_without_pool();
    int fd = make_huge_file(2);
    map_huge_file(f, fd, IRONMAP_WRITE, 0, 0);
    cut_huge_file(fd, 1);
    assert_int_equal(peek(f->map, huge() + 77), 0);
    assert_damage(f->map, huge(), huge());
    assert_ok(ironmap_clear_damage(f->map, &failure));
    assert_false(ironmap_is_damaged(f->map));
    assert_huge_length(fd, 1);
    map_close(f);
    assert_int_equal(close(fd), 0);
}

/* What a private map has stored in other pages survives. */
static void private_stores_survive_a_loss_elsewhere(void **state)
{
    fixture *f = *state;
    uint8_t byte = 0;
    ironmap_error error;

    skip_without_pool();
    int fd = make_huge_file(3);
    map_huge_file(f, fd, IRONMAP_COPY, 0, 0);
    assert_ok(ironmap_put_byte(f->map, 9, 99, &failure));
    cut_huge_file(fd, 2);
    assert_fault(ironmap_get_byte(&byte, f->map, 2 * huge(), &error), &error, 2 * huge(),
                 codes.lost_page);
    assert_byte(f->map, 9, 99);
    assert_byte(f->map, huge(), 2);
    map_close(f);
    assert_int_equal(close(fd), 0);
}

/* Neither offset nor length is a multiple of a page, nor is the end of the map. */
static void any_offset_and_length_can_be_mapped(void **state)
{
    fixture *f = *state;
    uint8_t byte = 0;
    ironmap_error error;
    const size_t offset = huge() + 4096 + 5;

    skip_without_pool();
    long free_before = meminfo("HugePages_Free");
    int fd = make_huge_file(3);
    map_huge_file(f, fd, IRONMAP_WRITE, offset, huge());
    assert_byte(f->map, 0, 2);
    assert_byte(f->map, huge() - 1, 3);
    assert_ok(ironmap_flush(f->map, 100, 1, 0, &failure));
    assert_ok(ironmap_advise(f->map, 3, 1, IRONMAP_ADVICE_RANDOM, &failure));
    cut_huge_file(fd, 2);
    assert_fault(ironmap_get_byte(&byte, f->map, huge() - 1, &error), &error, huge() - 1,
                 codes.lost_page);
    assert_byte(f->map, 0, 2);
    map_close(f);
    assert_int_equal(close(fd), 0);
    assert_int_equal(meminfo("HugePages_Free"), free_before);
}

/* Takes all pages that are left in the pool and not reserved. */
static void *take_pool(size_t *length)
{
    *length = (size_t)(meminfo("HugePages_Free") - meminfo("HugePages_Rsvd")) * huge();
    void *taken = mmap(NULL, *length, PROT_READ | PROT_WRITE,
                       MAP_HUGETLB | MAP_ANONYMOUS | MAP_PRIVATE | MAP_POPULATE, -1, 0);
    assert_ptr_not_equal(taken, MAP_FAILED);
    return taken;
}

/* The page is the file's: no other is needed to load from it. */
static void page_is_back_though_the_pool_is_empty(void **state)
{
    fixture *f = *state;
    uint8_t byte = 0;
    size_t length = 0;

    skip_without_pool();
    int fd = make_huge_file(2);
    map_huge_file(f, fd, IRONMAP_COPY, 0, 0);
    cut_huge_file(fd, 1);
    assert_int_equal(peek(f->map, huge()), 0);
    cut_huge_file(fd, 2);
    uint8_t *bytes = mmap(NULL, 2 * huge(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(bytes, MAP_FAILED);
    bytes[huge()] = 77;
    void *taken = take_pool(&length);
    int cleared = ironmap_clear_damage(f->map, NULL);
    int found = ironmap_get_byte(&byte, f->map, huge(), NULL);
    assert_int_equal(munmap(taken, length), 0);
    assert_int_equal(cleared, IRONMAP_OK);
    assert_int_equal(found, IRONMAP_OK);
    assert_int_equal(byte, 77);
    assert_int_equal(munmap(bytes, 2 * huge()), 0);
    map_close(f);
    assert_int_equal(close(fd), 0);
}

/* Pages of 1 GiB, of which the system needs to have none: nothing is stored. A view that is not
 * whole pages could not be unmapped. */
static void page_size_is_that_of_the_flags_and_of_the_file(void **state)
{
    ironmap_options options = options_of(0, 100);
    ironmap_map *map = NULL;

    (void)state;
    skip_inside_qemu("has no huge pages");
    skip_on_32_bit();
    int fd = memfd_create("ironmap-test", MFD_HUGETLB | MAP_HUGE_1GB | MFD_CLOEXEC);
    if (fd == -1 || ftruncate(fd, (off_t)1 << 30) == -1) {
        skip_because("the processor has no pages of 1 GiB");
    }
    options.prot = PROT_READ;
    options.flags = MAP_SHARED | MAP_NORESERVE;
    assert_ok(ironmap_open_fd(&map, fd, IRONMAP_SYSTEM, &options, &failure));
    assert_ok(ironmap_close(map, &failure));
    assert_int_equal(close(fd), 0);
    options.flags = MAP_HUGETLB | MAP_HUGE_1GB | MAP_ANONYMOUS | MAP_PRIVATE | MAP_NORESERVE;
    assert_ok(ironmap_open_anonymous(&map, IRONMAP_SYSTEM, &options, &failure));
    assert_ok(ironmap_close(map, &failure));
}

static void map_of_a_huge_file_grows_and_shrinks(void **state)
{
    fixture *f = *state;

    skip_without_pool();
    int fd = make_huge_file(2);
    map_huge_file(f, fd, IRONMAP_WRITE, 0, 0);
    assert_ok(ironmap_resize(f->map, 4 * huge(), &failure));
    assert_byte(f->map, huge(), 2);
    assert_byte(f->map, 3 * huge(), 0);
    assert_ok(ironmap_resize(f->map, huge(), &failure));
    assert_huge_length(fd, 1);
    assert_byte(f->map, huge() - 1, 1);
    map_close(f);
    assert_int_equal(close(fd), 0);
}

static ironmap_map *map_huge_memory(size_t length)
{
    ironmap_options options = options_of(0, length);
    ironmap_map *map = NULL;

    options.flags = MAP_HUGETLB | MAP_ANONYMOUS | MAP_PRIVATE | MAP_NORESERVE;
    options.prot = PROT_READ | PROT_WRITE;
    assert_ok(ironmap_open_anonymous(&map, IRONMAP_SYSTEM, &options, &failure));
    return map;
}

static void memory_of_an_odd_length_is_unmapped_whole(void **state)
{
    (void)state;
    skip_without_pool();
    long free_before = meminfo("HugePages_Free");
    ironmap_map *map = map_huge_memory(100);
    assert_ok(ironmap_put_byte(map, 99, 1, &failure));
    assert_int_equal(ironmap_length(map), 100);
    assert_ok(ironmap_close(map, &failure));
    assert_int_equal(meminfo("HugePages_Free"), free_before);
}

/* A page that was there once stays lost: what it held is gone, and zeros are not that. */
static void memory_without_pages_left_is_a_fault(void **state)
{
    (void)state;
    ironmap_error error;

    skip_without_pool();
    ironmap_map *map = map_huge_memory(3 * huge());
    assert_ok(ironmap_put_byte(map, 0, 1, &failure));
    size_t rest = 0;
    void *taken = take_pool(&rest);
    assert_fault(ironmap_put_byte(map, huge(), 1, &error), &error, huge(), codes.lost_page);
    assert_byte(map, 0, 1);
    assert_int_equal(munmap(taken, rest), 0);
    assert_int_equal(ironmap_put_byte(map, huge(), 1, &error), IRONMAP_E_FAULT);
    assert_ok(ironmap_clear_damage(map, &failure));
    assert_ok(ironmap_put_byte(map, huge(), 1, &failure));
    assert_byte(map, 0, 1);
    assert_ok(ironmap_close(map, &failure));
}

/* ---- addresses that a closed map keeps ------------------------------------------------------- */

typedef struct pool_state {
    long free;
    long reserved;
} pool_state;

static pool_state look_at_pool(void)
{
    return (pool_state){meminfo("HugePages_Free"), meminfo("HugePages_Rsvd")};
}

static void assert_pool(pool_state expected)
{
    assert_int_equal(meminfo("HugePages_Free"), expected.free);
    assert_int_equal(meminfo("HugePages_Rsvd"), expected.reserved);
}

static uint8_t load(const uint8_t *address)
{
    return *(const volatile uint8_t *)address;
}

/* Closes a map that was exported. Its addresses read as zeros, and hold nothing of the pool before
 * and after the first use. */
static void assert_keeps_no_huge_pages(ironmap_map *map, pool_state without)
{
    ironmap_reservation *kept = NULL;
    ironmap_error error = {0};
    uint8_t *data = ironmap_data(map);
    size_t length = ironmap_length(map);

    ironmap_pin(map);
    ironmap_unpin(map);
    assert_ok(ironmap_put_byte(map, length - 1, 7, &failure));
    assert_ok(ironmap_close_reserving(&kept, map, &failure));
    assert_pool(without);
    assert_ok(ironmap_reservation_check(kept, &failure));
    assert_int_equal(load(data + huge() + 5), 0);
    assert_fault(ironmap_reservation_check(kept, &error), &error, huge() + 5, codes.lost_page);
    for (size_t at = 0; at < length; at += ironmap_page_size()) {
        assert_int_equal(load(data + at), 0);
    }
    *(volatile uint8_t *)(data + length - 1) = 1;
    assert_pool(without);
    ironmap_reservation_free(kept);
    assert_pool(without);
}

static void addresses_of_a_huge_file_hold_no_huge_pages(void **state)
{
    fixture *f = *state;
    const ironmap_access accesses[] = {IRONMAP_WRITE, IRONMAP_COPY};
    const size_t offsets[] = {0, 100};

    skip_without_pool();
    for (size_t i = 0; i < COUNT_OF(accesses) * COUNT_OF(offsets); i++) {
        pool_state before = look_at_pool();
        int fd = make_huge_file(3);
        map_huge_file(f, fd, accesses[i / 2], offsets[i % 2], 0);
        ironmap_map *map = f->map;
        f->map = NULL;
        assert_int_equal(close(fd), 0);
        assert_keeps_no_huge_pages(map, before);
    }
}

static void addresses_of_huge_memory_hold_no_huge_pages(void **state)
{
    (void)state;
    skip_without_pool();
    pool_state before = look_at_pool();
    ironmap_map *map = map_huge_memory(3 * huge());
    assert_ok(ironmap_fill(map, 0, 'x', IRONMAP_TO_END, &failure));
    assert_keeps_no_huge_pages(map, before);
}

/* What a shrinking map leaves is told of while it is open. */
static void addresses_behind_a_shorter_huge_map_hold_no_huge_pages(void **state)
{
    fixture *f = *state;
    ironmap_error error = {0};
    uint8_t byte = 0;

    skip_without_pool();
    pool_state before = look_at_pool();
    int fd = make_huge_file(3);
    map_huge_file(f, fd, IRONMAP_WRITE, 0, 0);
    const uint8_t *data = ironmap_data(f->map);
    ironmap_pin(f->map);
    ironmap_unpin(f->map);
    assert_ok(ironmap_resize(f->map, huge(), &failure));
    assert_pool((pool_state){before.free - 1, before.reserved});
    assert_int_equal(load(data + 2 * huge()), 0);
    assert_fault(ironmap_get_byte(&byte, f->map, 0, &error), &error, 2 * huge(), codes.lost_page);
    assert_pool((pool_state){before.free - 1, before.reserved});
    assert_ok(ironmap_clear_damage(f->map, &failure));
    assert_ok(ironmap_resize(f->map, 2 * huge(), &failure));
    assert_byte(f->map, huge() - 1, 1);
    assert_byte(f->map, huge(), 0);
    assert_ok(ironmap_put_byte(f->map, huge(), 9, &failure));
    map_close(f);
    assert_int_equal(close(fd), 0);
    assert_pool(before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_fixture(truncated_file_is_a_fault_and_stays_short),
        with_fixture(store_into_a_truncated_file_is_a_fault_and_keeps_it_short),
        with_fixture(damage_of_an_exported_huge_page_can_be_cleared),
        with_fixture(private_stores_survive_a_loss_elsewhere),
        with_fixture(any_offset_and_length_can_be_mapped),
        with_fixture(page_is_back_though_the_pool_is_empty),
        with_fixture(page_size_is_that_of_the_flags_and_of_the_file),
        with_fixture(map_of_a_huge_file_grows_and_shrinks),
        with_fixture(memory_of_an_odd_length_is_unmapped_whole),
        with_fixture(memory_without_pages_left_is_a_fault),
        with_fixture(addresses_of_a_huge_file_hold_no_huge_pages),
        with_fixture(addresses_of_huge_memory_hold_no_huge_pages),
        with_fixture(addresses_behind_a_shorter_huge_map_hold_no_huge_pages),
    };

    return cmocka_run_group_tests(tests, add_to_pool, reset_pool);
}
