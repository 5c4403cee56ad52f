/* Failing disks: a file system of the test (faulty_fs.c) that returns EIO for chosen pages, and
 * that is killed while it is mapped. IRONMAP_FAULTY_FS is its program.
 */
#include "faulty_fs.h"
#include "operations.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the file system ------------------------------------------------------------------------- */

static fixture *f;              /* holds the control file and the mount point */
static faulty_control *control; /* shared with the file system */
static pid_t server;            /* 0: not running */

static int control_make(void)
{
    file_name(f, "control");
    f->fd = open(f->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (f->fd < 0 || ftruncate(f->fd, sizeof(*control)) != 0) {
        return -1;
    }
    control = mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, f->fd, 0);
    return control == MAP_FAILED ? -1 : 0;
}

static void serve(const char *program, const char *mounted, int output)
{
    if (dup2(output, STDOUT_FILENO) >= 0 && freopen("/dev/null", "w", stderr) != NULL) {
        (void)execl(program, program, f->path, mounted, (char *)NULL);
    }
    _exit(127);
}

/* Starts the program and waits until it is ready. False if it cannot mount. */
static bool server_start(const char *program, const char *mounted)
{
    int output[2];
    char ready = 0;

    assert_int_equal(pipe(output), 0);
    server = fork();
    if (server == 0) {
        serve(program, mounted, output[1]);
    }
    (void)close(output[1]);
    if (server < 0 || read(output[0], &ready, 1) != 1) {
        (void)waitpid(server, NULL, 0);
        server = 0;
    }
    (void)close(output[0]);
    return server != 0;
}

static void server_kill(void)
{
    if (server != 0) {
        (void)kill(server, SIGKILL);
        (void)waitpid(server, NULL, 0);
        server = 0;
    }
}

static void mount_point(char *path, size_t capacity)
{
    (void)snprintf(path, capacity, "%s/mounted", f->directory);
}

static void unmount(void)
{
    char path[300];
    char command[400];

    mount_point(path, sizeof(path));
    if (umount2(path, MNT_DETACH) != 0) {
        (void)snprintf(command, sizeof(command), "fusermount3 -uz %s 2>/dev/null", path);
        (void)!system(command);
    }
    (void)rmdir(path);
}

static int setup(void **state)
{
    if (fixture_setup(state) != 0) {
        return -1;
    }
    f = *state;
    return control_make();
}

static int teardown(void **state)
{
    (void)ironmap_close(f->map, NULL);
    f->map = NULL;
    unmount();
    server_kill();
    (void)munmap(control, sizeof(*control));
    return fixture_teardown(state);
}

/* Sets f->path to file `number` of the mounted file system, or skips the test. */
static void mounted_file(int number)
{
    const char *program = getenv("IRONMAP_FAULTY_FS");
    char path[290];

    mount_point(path, sizeof(path));
    if (program == NULL) {
        skip_because("the test file system is not built: it takes libfuse3");
    }
    if (ironmap_page_size() != FAULTY_PAGE) {
        skip_because("the page size is not that of the test file system");
    }
    if (mkdir(path, 0700) == 0 && !server_start(program, path)) {
        skip_because("mounting with FUSE takes /dev/fuse and root or fusermount3");
    }
    (void)snprintf(f->path, sizeof(f->path), "%s/%d", path, number);
}

static void map_faulty(ironmap_access access, int number)
{
    mounted_file(number);
    map_file(f, access);
    assert_u64(ironmap_length(f->map), FAULTY_PAGES * FAULTY_PAGE);
}

/* Sets whether this page can be read. */
static void page_bad(size_t page, bool bad)
{
    atomic_store(&control->bad[page], bad);
}

/* Each good page is read, each bad one is IRONMAP_E_FAULT with EIO. */
static void assert_pages(void)
{
    for (size_t page = 0; page < FAULTY_PAGES; page++) {
        uint8_t bytes[FAULTY_PAGE];
        ironmap_error error = {0};
        size_t at = page * FAULTY_PAGE;

        if (atomic_load(&control->bad[page])) {
            assert_fault(ironmap_get(f->map, at + 7, bytes, 100, &error), &error, at + 7, EIO);
        } else {
            assert_ok(ironmap_get(f->map, at, bytes, sizeof(bytes), &failure));
            assert_true(is_filled(bytes, sizeof(bytes), (uint8_t)(page + 1)));
        }
    }
}

/* ---- bad pages ------------------------------------------------------------------------------- */

/* A bad page fails until it can be read. */
static void only_bad_pages_fail(void **state)
{
    (void)state;
    for (size_t page = 0; page < FAULTY_PAGES; page += 5) {
        page_bad(page, true);
    }
    map_faulty(IRONMAP_READ, 0);
    assert_pages();
    assert_pages();
    for (size_t page = 0; page < FAULTY_PAGES; page += 10) {
        page_bad(page, false);
    }
    assert_pages();
    for (size_t page = 0; page < FAULTY_PAGES; page++) {
        page_bad(page, false);
    }
    assert_pages();
    assert_u64(ironmap_damage_count(f->map), 0);
}

/* Every second page: more runs than are recorded. The first one is named. */
static void many_bad_pages_are_reported_by_the_first(void **state)
{
    uint8_t *bytes = malloc(FAULTY_PAGES * FAULTY_PAGE);
    ironmap_error error = {0};

    (void)state;
    assert_non_null(bytes);
    for (size_t page = 3; page < FAULTY_PAGES; page += 2) {
        page_bad(page, true);
    }
    map_faulty(IRONMAP_READ, 1);
    assert_fault(ironmap_get(f->map, 0, bytes, FAULTY_PAGES * FAULTY_PAGE, &error), &error,
                 3 * FAULTY_PAGE, EIO);
    assert_pages();
    free(bytes);
}

/* It works when the page is available again. */
static void every_operation_over_a_bad_page_fails(void **state)
{
    uint8_t bytes[FAULTY_PAGE];

    (void)state;
    for (size_t i = 0; i < operation_count; i++) {
        const operation *op = &operations[i];
        size_t bad = 1 + i;
        attempt a = {.offset = bad * FAULTY_PAGE, .length = 100, .other = 0, .step = 3};

        page_bad(bad, true);
        map_faulty(IRONMAP_WRITE, (int)(i % FAULTY_FILES));
        a.map = f->map;
        a.bytes = bytes;
        a.needle_length = 4;
        a.length = (op->traits & ONE_BYTE) != 0 ? 1 : a.length;
        assert_fault(op->run(&a), &a.error, a.offset, EIO);
        page_bad(bad, false);
        assert_int_equal(op->run(&a), IRONMAP_OK);
        map_close(f);
    }
}

/* Exported memory: single pages of zeros, counted and found. */
static void bad_pages_of_exported_memory_are_damage(void **state)
{
    ironmap_error error = {0};
    uint8_t byte = 0;
    uint64_t offset = 0;
    size_t length = 0;

    (void)state;
    page_bad(5, true);
    page_bad(9, true);
    map_faulty(IRONMAP_WRITE, 2);
    for (size_t page = 0; page < FAULTY_PAGES; page++) {
        bool bad = page == 5 || page == 9;

        assert_int_equal(peek(f->map, page * FAULTY_PAGE), bad ? 0 : (int)page + 1);
    }
    assert_u64(ironmap_damage_count(f->map), 2);
    assert_damage(f->map, 5 * FAULTY_PAGE, FAULTY_PAGE);
    assert_ok(ironmap_damage(&offset, &length, f->map, 6 * FAULTY_PAGE, &failure));
    assert_u64(offset, 9 * FAULTY_PAGE);
    assert_fault(ironmap_get_byte(&byte, f->map, 0, &error), &error, 5 * FAULTY_PAGE, EIO);
    page_bad(5, false);
    page_bad(9, false);
    assert_ok(ironmap_clear_damage(f->map, &failure));
    assert_pages();
}

/* Good pages keep private stores. */
static void private_stores_survive_bad_pages(void **state)
{
    (void)state;
    page_bad(7, true);
    map_faulty(IRONMAP_COPY, 3);
    assert_ok(ironmap_fill(f->map, 6 * FAULTY_PAGE, 200, FAULTY_PAGE, &failure));
    assert_ok(ironmap_fill(f->map, 8 * FAULTY_PAGE, 201, FAULTY_PAGE, &failure));
    assert_status(ironmap_fill(f->map, 6 * FAULTY_PAGE, 202, 3 * FAULTY_PAGE, &failure),
                  IRONMAP_E_FAULT);
    page_bad(7, false);
    assert_map_filled(f->map, 6 * FAULTY_PAGE, FAULTY_PAGE, 202);
    assert_map_filled(f->map, 7 * FAULTY_PAGE, FAULTY_PAGE, 8);
}

/* A full disk is the cause of a store that fails, and not of a load. */
static void disk_is_full_for_stores(void **state)
{
    static const struct {
        unsigned blocks;
        unsigned free_blocks;
        int code; /* of a store */
    } disks[] = {{0, 0, EIO}, {100, 10, EIO}, {100, 0, ENOSPC}};
    ironmap_error error = {0};
    uint8_t byte = 0;
    size_t at = 6 * FAULTY_PAGE + 6;

    (void)state;
    page_bad(6, true);
    map_faulty(IRONMAP_WRITE, 6);
    for (size_t i = 0; i < COUNT_OF(disks); i++) {
        atomic_store(&control->blocks, disks[i].blocks);
        atomic_store(&control->free_blocks, disks[i].free_blocks);
        assert_fault(ironmap_get_byte(&byte, f->map, at, &error), &error, at, EIO);
        assert_fault(ironmap_put_byte(f->map, at, 'x', &error), &error, at, disks[i].code);
    }
}

/* ---- a killed file system -------------------------------------------------------------------- */

/* Cached pages may be available. All others fail, and no zero is read. */
static void assert_unavailable(void)
{
    size_t lost = 0;

    for (size_t page = 0; page < FAULTY_PAGES; page++) {
        uint8_t byte = 0;
        int status = ironmap_get_byte(&byte, f->map, page * FAULTY_PAGE, NULL);

        assert_true(status == IRONMAP_E_FAULT || (status == IRONMAP_OK && byte == page + 1));
        lost += status == IRONMAP_E_FAULT;
    }
    assert_true(lost > 0);
}

static void killed_file_system_is_a_lost_page(void **state)
{
    uint8_t byte = 0;

    (void)state;
    map_faulty(IRONMAP_WRITE, 4);
    assert_ok(ironmap_get_byte(&byte, f->map, 0, &failure));
    server_kill();
    assert_unavailable();
    unmount();
    assert_unavailable();
    assert_unavailable();
    ignore(ironmap_flush(f->map, 0, IRONMAP_TO_END, 0, NULL));
    ignore(ironmap_resize(f->map, 5000, NULL));
}

static void killed_file_system_damages_exported_memory(void **state)
{
    ironmap_error error = {0};
    uint8_t byte = 0;

    (void)state;
    map_faulty(IRONMAP_READ, 5);
    server_kill();
    unmount();
    for (size_t page = 0; page < FAULTY_PAGES; page++) {
        int seen = peek(f->map, page * FAULTY_PAGE);

        assert_true(seen == 0 || seen == (int)page + 1);
    }
    assert_true(ironmap_damage_count(f->map) > 0);
    assert_int_equal(ironmap_get_byte(&byte, f->map, 0, &error), IRONMAP_E_FAULT);
    ignore(ironmap_clear_damage(f->map, NULL));
    assert_unavailable();
}

/* ---- random operations ------------------------------------------------------------------------
 */

/* True if a page of [from, to) cannot be read. If it is in memory, it is there all the same. */
static bool is_bad(size_t from, size_t to)
{
    for (size_t page = from / FAULTY_PAGE; page * FAULTY_PAGE < to; page++) {
        if (atomic_load(&control->bad[page])) {
            return true;
        }
    }
    return false;
}

/* Judges an access to [from, to). True if it succeeded. */
static bool judge(int status, const ironmap_error *error, size_t from, size_t to)
{
    if (status != IRONMAP_OK) {
        size_t at = (size_t)error->offset;

        assert_int_equal(status, IRONMAP_E_FAULT);
        assert_true(is_bad(from, to));
        assert_true(at / FAULTY_PAGE >= from / FAULTY_PAGE && at < to && is_bad(at, at + 1));
    }
    return status == IRONMAP_OK;
}

static void assert_content(const uint8_t *bytes, size_t from, size_t to)
{
    for (size_t at = from; at < to; at++) {
        assert_int_equal(bytes[at - from], (uint8_t)(at / FAULTY_PAGE + 1));
    }
}

/* One operation on [from, to). True if it succeeded. */
static bool operate(size_t kind, uint8_t *bytes, size_t from, size_t to)
{
    ironmap_error error = {0};
    ironmap_guard guard;
    uint64_t index = 0;
    bool good = false;

    switch (kind) {
    case 0:
        good = judge(ironmap_get(f->map, from, bytes, to - from, &error), &error, from, to);
        break;
    case 1:
        good =
            judge(ironmap_find(&index, f->map, "", 1, from, to - from, &error), &error, from, to);
        assert_true(!good || index == IRONMAP_NOT_FOUND);
        return good;
    case 2:
        assert_ok(ironmap_guard_begin(&guard, f->map, &failure));
        memcpy(bytes, (const uint8_t *)ironmap_data(f->map) + from, to - from);
        good = judge(ironmap_guard_end(&guard, &error), &error, from, to);
        break;
    default:
        to = from + 1;
        ironmap_pin(f->map);
        bytes[0] = peek(f->map, from);
        ironmap_unpin(f->map);
        good = judge(ironmap_check_damage(f->map, &error), &error, from, to);
        assert_ok(ironmap_clear_damage(f->map, &failure));
        break;
    }
    if (good) {
        assert_content(bytes, from, to);
    }
    return good;
}

/* Nothing of the file stays in memory. */
static void evict_file(int number)
{
    mounted_file(number);
    int fd = open(f->path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
    assert_int_equal(close(fd), 0);
}

/* Pages fail and recover while all kinds of accesses go over them. */
static void random_operations_over_bad_pages_show_no_zeros(void **state)
{
    static uint8_t bytes[FAULTY_PAGES * FAULTY_PAGE];
    static const ironmap_access accesses[] = {IRONMAP_READ, IRONMAP_COPY, IRONMAP_WRITE};
    random_source random = random_start();
    size_t rounds = setting("IRONMAP_MODEL_ROUNDS", inside_qemu() ? 10 : 100);
    size_t faults = 0;

    (void)state;
    for (size_t round = 0; round < rounds; round++) {
        evict_file((int)(round % FAULTY_FILES));
        map_faulty(accesses[round % COUNT_OF(accesses)], (int)(round % FAULTY_FILES));
        for (size_t i = 0; i < 100; i++) {
            size_t from = (size_t)random_below(&random, sizeof(bytes));
            size_t length = 1 + (size_t)random_below(&random, 3 * FAULTY_PAGE);
            size_t rest = sizeof(bytes) - from;

            page_bad((size_t)random_below(&random, FAULTY_PAGES), random_below(&random, 2) == 0);
            faults += !operate((size_t)random_below(&random, 4), bytes, from,
                               from + (length < rest ? length : rest));
        }
        map_close(f);
    }
    print_message("%zu operations, %zu lost pages\n", 100 * rounds, faults);
    assert_true(faults > 0);
}

#define with_server(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_server(only_bad_pages_fail),
        with_server(many_bad_pages_are_reported_by_the_first),
        with_server(every_operation_over_a_bad_page_fails),
        with_server(bad_pages_of_exported_memory_are_damage),
        with_server(private_stores_survive_bad_pages),
        with_server(disk_is_full_for_stores),
        with_server(random_operations_over_bad_pages_show_no_zeros),
        with_server(killed_file_system_is_a_lost_page),
        with_server(killed_file_system_damages_exported_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
