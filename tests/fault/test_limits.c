/* Lost pages while the process is at a limit: no memory, no address space, no more mappings. A lost
 * page never ends it. Each case is a child process. */
#include "fault_support_posix.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

enum { PAGES = 8 };

/* An open file for the child, and the length of its map. */
typedef struct limited {
    fixture *f;
    uint64_t length;
    int (*reach_limit)(void);
} limited;

/* ---- the child ------------------------------------------------------------------------------- */

/* Truncates the file, reaches the limit, and accesses a lost page. */
static int lose_a_page(void *argument)
{
    const limited *l = argument;
    ironmap_options options = options_of(0, (size_t)l->length);
    ironmap_error error = {0};
    ironmap_map *map = NULL;
    uint8_t byte = 0;

    child_check(ironmap_open_path(&map, l->f->path, IRONMAP_WRITE, &options, NULL) == IRONMAP_OK);
    child_check(ironmap_get_byte(&byte, map, 0, NULL) == IRONMAP_OK);
    child_check(ftruncate(l->f->fd, 0) == 0);
    child_check(l->reach_limit() == 0);
    child_check(ironmap_get_byte(&byte, map, ironmap_page_size(), &error) == IRONMAP_E_FAULT);
    child_check(error.offset == ironmap_page_size());
    return 0;
}

static void assert_survives(fixture *f, uint64_t length, int (*reach_limit)(void))
{
    limited l = {f, length, reach_limit};

    assert_int_equal(fate_of(lose_a_page, &l), 0);
}

/* ---- limits ---------------------------------------------------------------------------------- */

static int no_limit(void)
{
    return 0;
}

/* All address space is used. */
static int no_address_space(void)
{
    FILE *status = fopen("/proc/self/statm", "r");
    unsigned long pages = 0;
    struct rlimit limit = {0, 0};

    if (status == NULL || fscanf(status, "%lu", &pages) != 1 || fclose(status) != 0) {
        return 1;
    }
    limit.rlim_cur = pages * ironmap_page_size();
    limit.rlim_max = limit.rlim_cur;
    return setrlimit(RLIMIT_AS, &limit);
}

static int no_data(void)
{
    const struct rlimit limit = {1 << 16, 1 << 16};

    return setrlimit(RLIMIT_DATA, &limit);
}

static int no_descriptors(void)
{
    const struct rlimit limit = {0, 0};

    return setrlimit(RLIMIT_NOFILE, &limit);
}

enum { LAST = 32 };

/* The last mappings of mappings_but. */
static void *last[LAST];

/* Maps single pages of two kinds in turn up to the limit of the system, and unmaps `left`. */
static int mappings_but(size_t left)
{
    size_t page = ironmap_page_size();
    size_t count = 0;

    for (;; count++) {
        int prot = count % 2 == 0 ? PROT_NONE : PROT_READ;
        void *made = mmap(NULL, page, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (made == MAP_FAILED) {
            break;
        }
        last[count % LAST] = made;
    }
    for (size_t i = 0; i < left; i++) {
        (void)munmap(last[(count - 1 - i) % LAST], page);
    }
    return errno == ENOMEM ? 0 : 1;
}

/* Not enough mappings to split the map. */
static int few_mappings(void)
{
    return mappings_but(2);
}

/* Above the limit: the system refuses every mmap. */
static int no_mappings(void)
{
    return mappings_but(0);
}

static int everything_locked(void)
{
    return mlockall(MCL_CURRENT | MCL_FUTURE) == 0 || errno == EPERM || errno == ENOMEM ? 0 : 1;
}

/* All memory is locked, the limit of it is reached, and it holds for this process. */
static int no_memory_to_lock(void)
{
    enum { UNPRIVILEGED = 65534 };
    unsigned long kibibytes = 0;

    if (everything_locked() != 0) {
        return 1;
    }
    FILE *status = fopen("/proc/self/status", "r");
    char line[128];
    while (status != NULL && fgets(line, sizeof(line), status) != NULL) {
        (void)sscanf(line, "VmLck: %lu", &kibibytes);
    }
    const struct rlimit limit = {kibibytes * 1024, kibibytes * 1024};
    bool closed = status != NULL && fclose(status) == 0;
    return closed && setrlimit(RLIMIT_MEMLOCK, &limit) == 0 && setuid(UNPRIVILEGED) == 0 ? 0 : 1;
}

static void skip_without_a_limit_of_mappings(void)
{
    if (inside_valgrind()) {
        skip_because("valgrind has fewer mappings than the system");
    }
    if (sizeof(size_t) < sizeof(uint64_t)) {
        skip_inside_qemu("keeps all 32-bit addresses mapped: unmapping frees none");
    }
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void page_is_lost_without_limits(void **state)
{
    file_solid(*state, PAGES * ironmap_page_size());
    assert_survives(*state, PAGES * ironmap_page_size(), no_limit);
}

static void page_is_lost_without_address_space(void **state)
{
    file_solid(*state, PAGES * ironmap_page_size());
    assert_survives(*state, PAGES * ironmap_page_size(), no_address_space);
}

static void page_is_lost_without_data_segment(void **state)
{
    file_solid(*state, PAGES * ironmap_page_size());
    assert_survives(*state, PAGES * ironmap_page_size(), no_data);
}

/* Memory to write counts for this limit, if it is private. */
static int store_without_data_segment(void *argument)
{
    const fixture *f = argument;
    ironmap_map *map = NULL;

    child_check(ironmap_open_path(&map, f->path, IRONMAP_WRITE, NULL, NULL) == IRONMAP_OK);
    child_check(ftruncate(f->fd, 0) == 0);
    child_check(no_data() == 0);
    child_check(ironmap_put_byte(map, ironmap_page_size(), 'x', NULL) == IRONMAP_E_FAULT);
    return 0;
}

static void store_into_a_lost_page_without_data_segment_is_a_fault(void **state)
{
    file_solid(*state, PAGES * ironmap_page_size());
    assert_int_equal(fate_of(store_without_data_segment, *state), 0);
}

static void page_is_lost_without_descriptors(void **state)
{
    file_solid(*state, PAGES * ironmap_page_size());
    assert_survives(*state, PAGES * ironmap_page_size(), no_descriptors);
}

static void page_is_lost_with_few_mappings(void **state)
{
    skip_without_a_limit_of_mappings();
    file_solid(*state, PAGES * ironmap_page_size());
    assert_survives(*state, PAGES * ironmap_page_size(), few_mappings);
}

static void page_is_lost_without_mappings(void **state)
{
    skip_without_a_limit_of_mappings();
    file_solid(*state, PAGES * ironmap_page_size());
    assert_survives(*state, PAGES * ironmap_page_size(), no_mappings);
}

enum { MANY = 16 };

/* The mappings that are given back for the first loss last for all. */
static int lose_pages_of_many_maps(void *argument)
{
    const limited *l = argument;
    ironmap_options options = options_of(0, (size_t)l->length);
    ironmap_map *maps[MANY] = {NULL};
    uint8_t byte = 0;

    for (size_t i = 0; i < MANY; i++) {
        child_check(ironmap_open_path(&maps[i], l->f->path, IRONMAP_WRITE, &options, NULL) ==
                    IRONMAP_OK);
    }
    child_check(ftruncate(l->f->fd, 0) == 0);
    child_check(l->reach_limit() == 0);
    for (size_t i = 0; i < MANY; i++) {
        uint64_t offset = (i % PAGES) * ironmap_page_size();
        child_check(ironmap_get_byte(&byte, maps[i], offset, NULL) == IRONMAP_E_FAULT);
    }
    child_check(ftruncate(l->f->fd, (off_t)l->length) == 0);
    for (size_t i = 0; i < MANY; i++) {
        child_check(ironmap_get_byte(&byte, maps[i], 0, NULL) == IRONMAP_OK && byte == 0);
        child_check(ironmap_close(maps[i], NULL) == IRONMAP_OK);
    }
    return 0;
}

static void pages_of_many_maps_are_lost_without_mappings(void **state)
{
    limited l = {*state, PAGES * ironmap_page_size(), no_mappings};

    skip_without_a_limit_of_mappings();
    file_solid(l.f, (size_t)l.length);
    assert_int_equal(fate_of(lose_pages_of_many_maps, &l), 0);
}

static bool damage_begins_at(const ironmap_map *map, uint64_t expected)
{
    uint64_t offset = 0;
    size_t length = 0;

    return ironmap_damage(&offset, &length, map, 0, NULL) == IRONMAP_OK && offset == expected;
}

/* At the limit a whole view is lost. When the process may have mappings again, and a map was
 * opened, pages are. */
static int leave_the_limit(void *argument)
{
    const limited *l = argument;
    ironmap_options options = options_of(0, (size_t)l->length);
    uint64_t kept = (PAGES / 2) * ironmap_page_size();
    ironmap_map *maps[2] = {NULL};

    child_check(ironmap_open_path(&maps[0], l->f->path, IRONMAP_READ, &options, NULL) ==
                IRONMAP_OK);
    ironmap_pin(maps[0]);
    const volatile uint8_t *data = ironmap_data(maps[0]);
    child_check(ftruncate(l->f->fd, (off_t)kept) == 0);
    child_check(l->reach_limit() == 0);
    child_check(data[kept] == 0 && damage_begins_at(maps[0], 0));
    for (size_t i = 0; i < LAST; i++) {
        child_check(munmap(last[i], ironmap_page_size()) == 0);
    }
    child_check(ironmap_clear_damage(maps[0], NULL) == IRONMAP_OK);
    child_check(ironmap_open_path(&maps[1], l->f->path, IRONMAP_READ, NULL, NULL) == IRONMAP_OK);
    child_check(data[kept] == 0 && damage_begins_at(maps[0], kept));
    return 0;
}

static void pages_are_lost_again_after_the_limit(void **state)
{
    limited l = {*state, PAGES * ironmap_page_size(), no_mappings};

    skip_without_a_limit_of_mappings();
    file_solid(l.f, (size_t)l.length);
    assert_int_equal(fate_of(leave_the_limit, &l), 0);
}

static void page_is_lost_without_memory_to_lock(void **state)
{
    if (geteuid() != 0) {
        skip_because("only root can lock all memory and lose the right to lock more");
    }
    skip_inside_qemu("does not lock memory");
    file_solid(*state, PAGES * ironmap_page_size());
    assert_survives(*state, PAGES * ironmap_page_size(), no_memory_to_lock);
}

static void page_is_lost_under_mlockall(void **state)
{
    file_solid(*state, PAGES * ironmap_page_size());
    assert_survives(*state, PAGES * ironmap_page_size(), everything_locked);
}

/* ---- maps that end at the limit ---- */

enum { NEIGHBOURS = 5 };

/* Private memory is one mapping with its neighbours, so unmapping one in the middle needs one
 * mapping more than there are. */
static int end_in_the_middle(void *argument)
{
    const ironmap_options options = {
        .length = 64 * ironmap_page_size(), .flags = MAP_PRIVATE, .prot = PROT_READ | PROT_WRITE};
    ironmap_map *maps[NEIGHBOURS] = {NULL};

    (void)argument;
    for (size_t i = 0; i < NEIGHBOURS; i++) {
        child_check(ironmap_open_anonymous(&maps[i], IRONMAP_SYSTEM, &options, NULL) == IRONMAP_OK);
        child_check(ironmap_fill(maps[i], 0, 'x', 1, NULL) == IRONMAP_OK);
    }
    child_check(mappings_but(0) == 0);
    child_check(ironmap_resize(maps[2], 0, NULL) == IRONMAP_OK);
    child_check(ironmap_length(maps[2]) == 0 && ironmap_data(maps[2]) == NULL);
    child_check(ironmap_close(maps[1], NULL) == IRONMAP_OK);
    child_check(ironmap_close(maps[3], NULL) == IRONMAP_OK);
    return 0;
}

static void maps_end_without_another_mapping(void **state)
{
    (void)state;
    skip_without_a_limit_of_mappings();
    assert_int_equal(fate_of(end_in_the_middle, NULL), 0);
}

/* Zeros in place of all pages would exceed memory. */
static void page_is_lost_in_a_file_longer_than_memory(void **state)
{
    fixture *f = *state;
    uint64_t terabyte = UINT64_C(1) << 40;

    skip_on_32_bit();
    skip_inside_qemu("records each page, which is too much for a terabyte");
    file_solid(f, PAGES * ironmap_page_size());
    if (ftruncate(f->fd, (off_t)terabyte) != 0) {
        skip_because("the file system has no files of a terabyte");
    }
    assert_survives(f, terabyte, no_limit);
}

/* ---- size ------------------------------------------------------------------------------------ */

static long resident_pages(void)
{
    FILE *status = fopen("/proc/self/statm", "r");
    unsigned long all = 0;
    long resident = -1;

    if (status == NULL || fscanf(status, "%lu %ld", &all, &resident) != 2 || fclose(status) != 0) {
        return -1;
    }
    return resident;
}

/* Loses the last page of a long map, and all but the first. To access the first one restores. */
static int lose_far_and_near(void *argument)
{
    const limited *l = argument;
    ironmap_options options = options_of(0, (size_t)l->length);
    ironmap_map *map = NULL;
    uint8_t byte = 0;

    child_check(ironmap_open_path(&map, l->f->path, IRONMAP_READ, &options, NULL) == IRONMAP_OK);
    child_check(ftruncate(l->f->fd, (off_t)ironmap_page_size()) == 0);
    long before = resident_pages();
    for (int i = 0; i < 10; i++) {
        child_check(ironmap_get_byte(&byte, map, l->length - 1, NULL) == IRONMAP_E_FAULT);
        child_check(ironmap_get_byte(&byte, map, 0, NULL) == IRONMAP_OK);
        child_check(ironmap_get_byte(&byte, map, ironmap_page_size(), NULL) == IRONMAP_E_FAULT);
        child_check(ironmap_get_byte(&byte, map, 0, NULL) == IRONMAP_OK);
    }
    long after = resident_pages();
    child_check(before > 0 && after > 0);
    child_check((after - before) * (long)ironmap_page_size() < 1 << 20);
    return 0;
}

/* A mark for each of its pages would fill 32 MiB. */
static void loss_in_a_terabyte_takes_as_little_memory_as_in_a_page(void **state)
{
    fixture *f = *state;
    limited l = {f, UINT64_C(1) << 40, no_limit};

    skip_on_32_bit();
    skip_inside_qemu("records each page, which is too much for a terabyte");
    if (inside_valgrind()) {
        skip_because("valgrind has memory of its own for the map");
    }
    file_solid(f, PAGES * ironmap_page_size());
    if (ftruncate(f->fd, (off_t)l.length) != 0) {
        skip_because("the file system has no files of a terabyte");
    }
    assert_int_equal(fate_of(lose_far_and_near, &l), 0);
}

/* On Linux the limit of mappings is the system's, and test_linux_many_maps.c changes it. So it is
 * locked as long as this process runs. */
static void keep_limit_of_mappings(void)
{
    int fd = open("/proc/sys/vm/max_map_count", O_RDONLY | O_CLOEXEC);

    (void)(fd == -1 || flock(fd, LOCK_SH) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_fixture(page_is_lost_without_limits),
        with_fixture(page_is_lost_without_address_space),
        with_fixture(page_is_lost_without_data_segment),
        with_fixture(store_into_a_lost_page_without_data_segment_is_a_fault),
        with_fixture(page_is_lost_without_descriptors),
        with_fixture(page_is_lost_with_few_mappings),
        with_fixture(page_is_lost_without_mappings),
        with_fixture(pages_of_many_maps_are_lost_without_mappings),
        with_fixture(pages_are_lost_again_after_the_limit),
        with_fixture(page_is_lost_without_memory_to_lock),
        with_fixture(page_is_lost_under_mlockall),
        cmocka_unit_test(maps_end_without_another_mapping),
        with_fixture(page_is_lost_in_a_file_longer_than_memory),
        with_fixture(loss_in_a_terabyte_takes_as_little_memory_as_in_a_page),
    };

    keep_limit_of_mappings();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
