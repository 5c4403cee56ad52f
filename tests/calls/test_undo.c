/* What is undone after a failure, and what is done later. */
#include "calls.h"
#include "support_posix.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- a file that another process appends to ---- */

static const char entry[] = "entry of another process";
static const fixture *shared_file;
static bool is_appended;

/* Appends to the file when the view is about to be mapped or to grow, which then fails. */
static int append_and_fail(const char *name)
{
    if (strcmp(name, "mmap") != 0 && strcmp(name, "mremap") != 0) {
        return 0;
    }
    if (!is_appended) {
        is_appended = true;
        int fd = open(shared_file->path, O_WRONLY | O_APPEND | O_CLOEXEC);
        is_appended = write(fd, entry, sizeof(entry)) == (ssize_t)sizeof(entry);
        (void)close(fd);
    }
    return ENOMEM;
}

static void begin_to_append(const fixture *f)
{
    shared_file = f;
    is_appended = false;
    calls_watch(append_and_fail, NULL);
}

static void assert_appended(const fixture *f, size_t end)
{
    calls_watch(NULL, NULL);
    assert_u64(file_length(f), end + sizeof(entry));
    assert_file(f, end, entry, sizeof(entry));
}

static void failed_open_keeps_what_another_process_appended(void **state)
{
    fixture *f = *state;
    ironmap_map *map = NULL;
    ironmap_options options = options_of(0, 4096);

    file_make(f, 10);
    options.open = IRONMAP_OPEN_EXTEND;
    begin_to_append(f);
    assert_system_fails(ironmap_open_path(&map, f->path, IRONMAP_WRITE, &options, &failure),
                        IRONMAP_E_SYSTEM, ENOMEM);
    assert_appended(f, 4096);
}

static void failed_open_keeps_a_file_that_another_process_wrote_to(void **state)
{
    fixture *f = *state;
    ironmap_map *map = NULL;
    ironmap_options options = options_of(0, 4096);

    options.open = IRONMAP_OPEN_CREATE | IRONMAP_OPEN_EXTEND;
    begin_to_append(f);
    assert_system_fails(ironmap_open_path(&map, f->path, IRONMAP_WRITE, &options, &failure),
                        IRONMAP_E_SYSTEM, ENOMEM);
    f->fd = open(f->path, O_RDWR | O_CLOEXEC);
    assert_true(f->fd != -1);
    assert_appended(f, 4096);
}

/* Another process replaces the file that was just made, as by rename(2). */
static int replace_and_fail(const char *name)
{
    char aside[sizeof(shared_file->path) + 8];

    if (strcmp(name, "mmap") != 0 || is_appended) {
        return 0;
    }
    is_appended = true;
    (void)snprintf(aside, sizeof(aside), "%s.aside", shared_file->path);
    int fd = rename(shared_file->path, aside) == 0
                 ? open(shared_file->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600)
                 : -1;
    (void)close(fd);
    (void)unlink(aside);
    return ENOMEM;
}

static void failed_open_keeps_a_file_that_took_the_name(void **state)
{
    fixture *f = *state;
    ironmap_map *map = NULL;
    ironmap_options options = options_of(0, 4096);

    options.open = IRONMAP_OPEN_CREATE | IRONMAP_OPEN_EXTEND;
    shared_file = f;
    is_appended = false;
    calls_watch(replace_and_fail, NULL);
    assert_system_fails(ironmap_open_path(&map, f->path, IRONMAP_WRITE, &options, &failure),
                        IRONMAP_E_SYSTEM, ENOMEM);
    calls_watch(NULL, NULL);
    assert_true(file_exists(f));
    assert_int_equal(unlink(f->path), 0);
}

static void failed_resize_keeps_what_another_process_appended(void **state)
{
    fixture *f = *state;
    size_t length = 10 * ironmap_page_size();

    file_make(f, 100);
    map_file(f, IRONMAP_WRITE);
    begin_to_append(f);
    assert_system_fails(ironmap_resize(f->map, length, &failure), IRONMAP_E_SYSTEM, ENOMEM);
    assert_appended(f, length);
    assert_map_pattern(f->map, 0, 100);
}

static void refused_open_keeps_no_memory(void **state)
{
    fixture *f = *state;
    ironmap_map *map = NULL;
    const ironmap_options options = {.open = IRONMAP_OPEN_EXTEND};
    size_t before = calls_allocations();

    file_make(f, 10);
    assert_fails(ironmap_open_path(&map, f->path, IRONMAP_READ, &options, &failure),
                 IRONMAP_E_INVALID);
    assert_u64(calls_allocations(), before);
}

/* ---- views that the system does not unmap ---- */

static bool no_memory_to_unmap;
static bool no_memory_at_all;
static bool no_memory_to_map;
static unsigned unmaps;

static int refuse_to_unmap(const char *name)
{
    bool unmap = strcmp(name, "munmap") == 0;
    bool allocate = strcmp(name, "malloc") == 0;

    unmaps += unmap;
    if (no_memory_to_map && strcmp(name, "mmap") == 0) {
        return ENOMEM;
    }
    return (unmap && no_memory_to_unmap) || (allocate && no_memory_at_all) ? ENOMEM : 0;
}

static int watch_unmapping(void **state)
{
    unmaps = 0;
    calls_watch(refuse_to_unmap, NULL);
    return fixture_setup(state);
}

static int unwatch_unmapping(void **state)
{
    calls_watch(NULL, NULL);
    return fixture_teardown(state);
}

static void private_memory(fixture *f, size_t length)
{
    map_memory(f, MAP_PRIVATE, PROT_READ | PROT_WRITE, length);
    assert_ok(ironmap_fill(f->map, 0, 'p', length, &failure));
}

static void open_and_close(fixture *f)
{
    map_anonymous(f, IRONMAP_WRITE, 1);
    map_close(f);
}

/* At Linux's vm.max_map_count munmap(2) of a part of a mapping fails. */
static void view_of_a_closed_map_is_unmapped_later(void **state)
{
    enum { MAPS = 20 };
    fixture *f = *state;
    size_t before = calls_mapped_bytes();
    size_t blocks = calls_allocations();

    no_memory_to_unmap = true;
    for (size_t i = 0; i < MAPS; i++) {
        private_memory(f, 3 * ironmap_page_size());
        map_close(f);
    }
    assert_u64(calls_mapped_bytes(), before + MAPS * 3 * ironmap_page_size());
    no_memory_to_unmap = false;
    open_and_close(f);
    assert_u64(calls_mapped_bytes(), before);
    assert_u64(calls_allocations(), blocks);
}

/* A map that is opened while nothing can be unmapped tries for one of the views only. */
static void opening_does_not_try_each_view(void **state)
{
    fixture *f = *state;

    no_memory_to_unmap = true;
    for (size_t i = 0; i < 20; i++) {
        map_anonymous(f, IRONMAP_WRITE, 1);
        map_close(f);
    }
    unmaps = 0;
    map_anonymous(f, IRONMAP_WRITE, 1);
    assert_u64(unmaps, 1);
    no_memory_to_unmap = false;
    map_close(f);
}

static void map_becomes_empty_though_its_view_stays(void **state)
{
    fixture *f = *state;
    size_t page = ironmap_page_size();
    size_t before = calls_mapped_bytes();

    private_memory(f, 4 * page);
    no_memory_to_unmap = true;
    assert_ok(ironmap_resize(f->map, 0, &failure));
    assert_u64(ironmap_length(f->map), 0);
    assert_null(ironmap_data(f->map));
    assert_ok(ironmap_resize(f->map, 2 * page, &failure));
    assert_map_filled(f->map, 0, 2 * page, 0);
    no_memory_to_unmap = false;
    map_close(f);
    assert_u64(calls_mapped_bytes(), before);
}

/* The map itself keeps a view for which there is not even memory for a note. It stays empty until
 * that is unmapped. */
static void map_becomes_empty_without_any_memory(void **state)
{
    fixture *f = *state;
    size_t page = ironmap_page_size();
    size_t before = calls_mapped_bytes();

    private_memory(f, 4 * page);
    no_memory_to_unmap = true;
    no_memory_at_all = true;
    assert_ok(ironmap_resize(f->map, 0, &failure));
    assert_u64(ironmap_length(f->map), 0);
    assert_system_fails(ironmap_resize(f->map, 2 * page, &failure), IRONMAP_E_SYSTEM, ENOMEM);
    assert_u64(ironmap_length(f->map), 0);
    no_memory_at_all = false;
    no_memory_to_unmap = false;
    assert_ok(ironmap_resize(f->map, 2 * page, &failure));
    assert_map_filled(f->map, 0, 2 * page, 0);
    map_close(f);
    assert_u64(calls_mapped_bytes(), before);
}

/* The part that could not be unmapped is not the map's when it grows again. */
static void private_memory_that_grows_again_is_zero(void **state)
{
    fixture *f = *state;
    size_t page = ironmap_page_size();

    private_memory(f, 4 * page);
    no_memory_to_unmap = true;
    assert_ok(ironmap_resize(f->map, page, &failure));
    no_memory_to_unmap = false;
    if (ironmap_resize(f->map, 4 * page, NULL) != IRONMAP_OK) {
        skip_because("private memory does not grow on this system");
    }
    assert_map_filled(f->map, 0, page, 'p');
    uint8_t zeros[512] = {0};
    assert_map(f->map, page, zeros, sizeof(zeros));
}

/* The same for the pages that could not be given up, of a map whose addresses are kept. */
static void exported_memory_that_grows_again_is_zero(void **state)
{
    fixture *f = *state;
    size_t page = ironmap_page_size();

    private_memory(f, 4 * page);
    ironmap_pin(f->map);
    ironmap_unpin(f->map);
    const volatile uint8_t *data = ironmap_data(f->map);
    no_memory_to_map = true;
    assert_ok(ironmap_resize(f->map, page, &failure));
    assert_int_equal(data[2 * page], 'p');
    no_memory_to_map = false;
    assert_ok(ironmap_resize(f->map, 4 * page, &failure));
    assert_ptr_equal(ironmap_data(f->map), data);
    assert_map_filled(f->map, 0, page, 'p');
    assert_map_filled(f->map, page, 3 * page, 0);
}

/* A fork shares shared memory: its pages stay. */
static void memory_of_a_private_view_is_given_back(void **state)
{
    fixture *f = *state;
    const volatile uint8_t *private_data;
    const volatile uint8_t *shared_data;

    skip_inside_qemu("does not drop pages");
    no_memory_to_unmap = true;
    private_memory(f, ironmap_page_size());
    private_data = ironmap_data(f->map);
    map_close(f);
    map_anonymous(f, IRONMAP_WRITE, ironmap_page_size());
    assert_ok(ironmap_fill(f->map, 0, 's', 1, &failure));
    shared_data = ironmap_data(f->map);
    map_close(f);
    assert_int_equal(private_data[0], 0);
    assert_int_equal(shared_data[0], 's');
    no_memory_to_unmap = false;
    open_and_close(f);
}

/* Not even for a note of what to unmap. */
static void closing_without_any_memory_is_an_error(void **state)
{
    fixture *f = *state;
    ironmap_map *map;

    map_anonymous(f, IRONMAP_WRITE, 1);
    map = f->map;
    f->map = NULL;
    no_memory_to_unmap = true;
    no_memory_at_all = true;
    assert_system_fails(ironmap_close(map, &failure), IRONMAP_E_SYSTEM, ENOMEM);
    no_memory_at_all = false;
    no_memory_to_unmap = false;
}

/* The view keeps what it could not give up, until it is unmapped. */
static void pages_that_stay_without_any_memory_go_with_the_view(void **state)
{
    fixture *f = *state;
    size_t before = calls_mapped_bytes();
    size_t page = ironmap_page_size();

    private_memory(f, 4 * page);
    no_memory_to_unmap = true;
    no_memory_at_all = true;
    assert_ok(ironmap_resize(f->map, page, &failure));
    no_memory_at_all = false;
    no_memory_to_unmap = false;
    map_close(f);
    assert_u64(calls_mapped_bytes(), before);
}

/* ---- memory that the system never overcommits ---- */

static int refuse_memory_to_write(const char *name)
{
    calls_mapping mapping = calls_last_mapping();
    bool refused = strcmp(name, "mmap") == 0 && mapping.anonymous && mapping.writable;

    return refused ? ENOMEM : 0;
}

/* As with vm.overcommit_memory = 2 of Linux at the limit. */
static void page_is_lost_without_memory_to_write(void **state)
{
    fixture *f = *state;
    uint8_t byte = 0;

    file_make(f, ironmap_page_size());
    map_file(f, IRONMAP_WRITE);
    file_truncate(f, 0);
    calls_watch(refuse_memory_to_write, NULL);
    int lost = ironmap_get_byte(&byte, f->map, 0, &failure);
    file_truncate(f, ironmap_page_size());
    int found = ironmap_put_byte(f->map, 0, 'x', NULL);
    calls_watch(NULL, NULL);
    assert_int_equal(lost, IRONMAP_E_FAULT);
    assert_int_equal(found, IRONMAP_OK);
    assert_file(f, 0, "x", 1);
}

/* ---- a page that cannot be put back ---- */

static int refuse_to_map_a_file(const char *name)
{
    return strcmp(name, "mmap") == 0 && !calls_last_mapping().anonymous ? ENOMEM : 0;
}

/* The access fails for the zeros in page 3. Page 1 is the first that it cannot have. */
static void failure_is_of_the_first_page_behind_the_file(void **state)
{
    fixture *f = *state;
    size_t page = ironmap_page_size();
    uint8_t *bytes = malloc(4 * page);

    assert_non_null(bytes);
    file_make(f, 6 * page);
    map_file(f, IRONMAP_READ);
    file_truncate(f, page);
    calls_watch(refuse_to_map_a_file, NULL);
    int lost = ironmap_get_byte(bytes, f->map, 3 * page, NULL);
    int before = ironmap_get(f->map, 10, bytes, 4 * page, &failure);
    calls_watch(NULL, NULL);
    free(bytes);
    assert_int_equal(lost, IRONMAP_E_FAULT);
    assert_int_equal(before, IRONMAP_E_FAULT);
    assert_u64(failure.offset, page);
}

static const char *refused;

static int refuse(const char *name)
{
    return strcmp(name, refused) == 0 ? ENOMEM : 0;
}

/* It is mapped elsewhere first. Nothing of that is left. */
static void huge_page_that_cannot_be_put_back_leaves_no_mapping(void **state)
{
    static const char *const calls[] = {"mprotect", "mremap"};
    fixture *f = *state;
    struct stat status;
    uint8_t byte = 0;
    ironmap_options options = {.flags = MAP_SHARED | MAP_NORESERVE, .prot = PROT_READ | PROT_WRITE};

    file_make(f, 0);
    int fd = memfd_create("ironmap-test", MFD_HUGETLB | MFD_CLOEXEC);
    if (fd == -1 || fstat(fd, &status) == -1 || ftruncate(fd, status.st_blksize) == -1 ||
        ironmap_open_fd(&f->map, fd, IRONMAP_SYSTEM, &options, NULL) != IRONMAP_OK) {
        (void)close(fd);
        skip_because("the system has no huge pages");
    }
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_status(ironmap_get_byte(&byte, f->map, 0, &failure), IRONMAP_E_FAULT);
    size_t mapped = calls_mapped_bytes();
    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        refused = calls[i];
        calls_watch(refuse, NULL);
        int lost = ironmap_get_byte(&byte, f->map, 0, NULL);
        calls_watch(NULL, NULL);
        assert_int_equal(lost, IRONMAP_E_FAULT);
        assert_u64(calls_mapped_bytes(), mapped);
    }
    map_close(f);
    assert_int_equal(close(fd), 0);
}

#define watched(test) cmocka_unit_test_setup_teardown(test, watch_unmapping, unwatch_unmapping)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_fixture(failed_open_keeps_what_another_process_appended),
        with_fixture(failed_open_keeps_a_file_that_another_process_wrote_to),
        with_fixture(failed_open_keeps_a_file_that_took_the_name),
        with_fixture(failed_resize_keeps_what_another_process_appended),
        with_fixture(refused_open_keeps_no_memory),
        watched(view_of_a_closed_map_is_unmapped_later),
        watched(opening_does_not_try_each_view),
        watched(map_becomes_empty_though_its_view_stays),
        watched(map_becomes_empty_without_any_memory),
        watched(private_memory_that_grows_again_is_zero),
        watched(exported_memory_that_grows_again_is_zero),
        watched(memory_of_a_private_view_is_given_back),
        watched(closing_without_any_memory_is_an_error),
        watched(pages_that_stay_without_any_memory_go_with_the_view),
        with_fixture(page_is_lost_without_memory_to_write),
        with_fixture(failure_is_of_the_first_page_behind_the_file),
        with_fixture(huge_page_that_cannot_be_put_back_leaves_no_mapping),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
