/* As many maps in one process as the system allows: Linux has 65,530 mappings for a process
 * (vm.max_map_count). Where the test may, it raises that for 100,000 maps, and puts it back. */
#include "fault_support_posix.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

enum { USUAL = 60000, MORE = 100000, PAGES = 2 };

typedef struct crowd {
    fixture *f;
    size_t count;
    ironmap_map *maps[MORE];
} crowd;

static crowd everyone;

static size_t length(void)
{
    return PAGES * ironmap_page_size();
}

static int open_one(ironmap_map **map, const crowd *c)
{
    ironmap_options options = options_of(0, 0);

    options.open = IRONMAP_OPEN_NO_TRACK;
    return ironmap_open_fd(map, c->f->fd, IRONMAP_WRITE, &options, NULL);
}

static int open_all(crowd *c)
{
    for (size_t i = 0; i < c->count; i++) {
        child_check(open_one(&c->maps[i], c) == IRONMAP_OK);
    }
    return 0;
}

static int close_all(crowd *c)
{
    for (size_t i = 0; i < c->count; i++) {
        child_check(ironmap_close(c->maps[i], NULL) == IRONMAP_OK);
        c->maps[i] = NULL;
    }
    return 0;
}

/* A byte of the second page, which others see in a map that was there before. */
static bool shares_bytes(const ironmap_map *map, ironmap_map *other, uint8_t byte)
{
    uint8_t seen = 0;

    return ironmap_put_byte(other, ironmap_page_size(), byte, NULL) == IRONMAP_OK &&
           ironmap_get_byte(&seen, map, ironmap_page_size(), NULL) == IRONMAP_OK && seen == byte;
}

/* ---- open, fault and close ------------------------------------------------------------------- */

/* The loss is an error of the map that met it, and takes no memory. Without a descriptor the page
 * stays lost. */
static int lose_pages(crowd *c)
{
    uint8_t byte = 0;

    child_check(ftruncate(c->f->fd, (off_t)ironmap_page_size()) == 0);
    for (size_t i = 0; i < c->count; i += 997) {
        ironmap_error error = {0};
        child_check(ironmap_get_byte(&byte, c->maps[i], ironmap_page_size(), &error) ==
                    IRONMAP_E_FAULT);
        child_check(error.offset == ironmap_page_size());
        child_check(ironmap_get_byte(&byte, c->maps[i], 0, NULL) == IRONMAP_OK && byte == 1);
        child_check(ironmap_overhead(c->maps[i]) == ironmap_overhead(c->maps[i + 1]));
    }
    child_check(ftruncate(c->f->fd, (off_t)length()) == 0);
    return 0;
}

/* Every third is another map now. */
static int exchange_some(crowd *c)
{
    for (size_t i = 0; i < c->count; i += 3) {
        child_check(ironmap_close(c->maps[i], NULL) == IRONMAP_OK);
    }
    for (size_t i = 0; i < c->count; i += 3) {
        child_check(open_one(&c->maps[i], c) == IRONMAP_OK);
    }
    return 0;
}

static int use_many(void *argument)
{
    crowd *c = argument;
    child_check(open_all(c) == 0);
    child_check(shares_bytes(c->maps[0], c->maps[c->count - 1], 5));
    child_check(lose_pages(c) == 0);
    child_check(exchange_some(c) == 0);
    child_check(lose_pages(c) == 0);
    for (size_t i = 0; i < c->count; i++) {
        uint8_t byte = 0;
        child_check(ironmap_get_byte(&byte, c->maps[i], 0, NULL) == IRONMAP_OK && byte == 1);
        child_check(ironmap_overhead(c->maps[i]) < 768);
    }
    child_check(shares_bytes(c->maps[1], c->maps[c->count - 1], 6));
    return close_all(c);
}

/* The library takes no descriptor for any of them. */
static int use_many_with_few_descriptors(void *argument)
{
    int before = dup(0);

    child_check(before != -1 && close(before) == 0);
    child_check(use_many(argument) == 0);
    int after = dup(0);
    child_check(after == before);
    return 0;
}

/* ---- the limit ------------------------------------------------------------------------------- */

/* The system refuses one more. What is lost at the limit is an error, and when one map is closed,
 * another can be opened. */
static int reach_the_limit(void *argument)
{
    crowd *c = argument;
    ironmap_map *one_more = NULL;
    ironmap_error error = {0};
    uint8_t byte = 0;

    c->count = 0;
    while (c->count < MORE && open_one(&c->maps[c->count], c) == IRONMAP_OK) {
        c->count++;
    }
    child_check(c->count < MORE && c->count >= USUAL);
    child_check(open_one(&one_more, c) == IRONMAP_E_SYSTEM && one_more == NULL);
    child_check(ftruncate(c->f->fd, (off_t)ironmap_page_size()) == 0);
    for (size_t i = 0; i < c->count; i += 9973) {
        child_check(ironmap_get_byte(&byte, c->maps[i], ironmap_page_size(), &error) ==
                    IRONMAP_E_FAULT);
        child_check(error.offset == ironmap_page_size());
    }
    child_check(ftruncate(c->f->fd, (off_t)length()) == 0);
    child_check(ironmap_close(c->maps[0], NULL) == IRONMAP_OK);
    child_check(ironmap_close(c->maps[1], NULL) == IRONMAP_OK);
    child_check(open_one(&c->maps[0], c) == IRONMAP_OK);
    child_check(shares_bytes(c->maps[2], c->maps[0], 7));
    c->maps[1] = NULL;
    return close_all(c);
}

/* ---- tests ----------------------------------------------------------------------------------- */

static const char setting_path[] = "/proc/sys/vm/max_map_count";

/* The setting is the system's: locked, so that another test does not put it back meanwhile. */
static int lock_setting(unsigned long *value)
{
    char text[32] = "";
    int fd = open(setting_path, O_RDWR | O_CLOEXEC);

    if (fd == -1 || flock(fd, LOCK_EX) == -1 || pread(fd, text, sizeof(text) - 1, 0) <= 0) {
        return -1;
    }
    *value = strtoul(text, NULL, 10);
    return fd;
}

static bool change_setting(int fd, unsigned long value)
{
    char text[32];
    int size = snprintf(text, sizeof(text), "%lu\n", value);

    return pwrite(fd, text, (size_t)size, 0) == size;
}

static crowd *crowd_of(fixture *f, size_t count)
{
    if (inside_valgrind()) {
        skip_because("valgrind has fewer mappings than the system");
    }
    skip_inside_qemu("there are fewer mappings than on the system");
    file_make(f, length());
    assert_int_equal(pwrite(f->fd, "\1", 1, 0), 1);
    everyone.f = f;
    everyone.count = count;
    return &everyone;
}

static void sixty_thousand_maps_are_as_one(void **state)
{
    assert_int_equal(fate_of(use_many_with_few_descriptors, crowd_of(*state, USUAL)), 0);
}

static void hundred_thousand_maps_are_as_one(void **state)
{
    crowd *c = crowd_of(*state, MORE);
    unsigned long before = 0;
    int fd = lock_setting(&before);

    if (fd == -1 || !change_setting(fd, 2UL * MORE)) {
        (void)(fd == -1 || close(fd) == 0);
        skip_because("vm.max_map_count cannot be raised");
    }
    int fate = fate_of(use_many, c);
    assert_true(change_setting(fd, before));
    assert_int_equal(close(fd), 0);
    assert_int_equal(fate, 0);
}

static void last_map_that_the_system_allows_works(void **state)
{
    crowd *c = crowd_of(*state, 0);
    unsigned long limit = 0;
    int fd = lock_setting(&limit);

    if (fd != -1 && limit >= MORE) {
        assert_int_equal(close(fd), 0);
        skip_because("vm.max_map_count is higher than usual");
    }
    int fate = fate_of(reach_the_limit, c);
    (void)(fd == -1 || close(fd) == 0);
    assert_int_equal(fate, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_fixture(sixty_thousand_maps_are_as_one),
        with_fixture(hundred_thousand_maps_are_as_one),
        with_fixture(last_map_that_the_system_allows_works),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
