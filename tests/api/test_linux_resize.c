/* Resizes that Linux can make fail half-way: sealed files, no address space, a full file system.
 * Map and file stay unchanged. */
#include "support_posix.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LENGTH = 10000 };

/* Beyond the address space of a 64-bit system, but allowed for a memory file. */
#define TOO_LONG ((size_t)1 << (sizeof(size_t) * 8 - 4))

/* Opens f->fd and f->map: a memory file that holds the pattern, with `seals`. */
static void map_sealed(fixture *f, int seals)
{
    uint8_t bytes[LENGTH];

    f->fd = memfd_create("ironmap-test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (f->fd < 0) {
        skip_because("the system has no memory files");
    }
    pattern_fill(bytes, 0, LENGTH);
    assert_int_equal(write(f->fd, bytes, LENGTH), LENGTH);
    assert_int_equal(fcntl(f->fd, F_ADD_SEALS, seals), 0);
    assert_ok(ironmap_open_fd(&f->map, f->fd, IRONMAP_WRITE, NULL, &failure));
}

/* Opens f->fd and f->map: a memory file that may exceed the address space. */
static void map_growable(fixture *f)
{
    skip_on_32_bit();
    map_sealed(f, 0);
}

static uint64_t length_of(int fd)
{
    struct stat status;

    assert_int_equal(fstat(fd, &status), 0);
    return (uint64_t)status.st_size;
}

/* Map, file, address and position are unchanged. */
static void assert_unchanged(const fixture *f, const void *data)
{
    assert_ptr_equal(ironmap_data(f->map), data);
    assert_u64(ironmap_tell(f->map), LENGTH / 2);
    assert_map_pattern(f->map, 0, LENGTH);
    assert_u64(length_of(f->fd), LENGTH);
    assert_file(f, 0, data, LENGTH);
    assert_ok(ironmap_put_byte(f->map, LENGTH - 1, pattern_byte(LENGTH - 1), &failure));
}

static void assert_resize_forbidden(fixture *f, size_t length)
{
    void *data = ironmap_data(f->map);

    assert_ok(ironmap_seek(f->map, LENGTH / 2, IRONMAP_SEEK_SET, &failure));
    assert_system_fails(ironmap_resize(f->map, length, &failure), IRONMAP_E_SYSTEM, EPERM);
    assert_unchanged(f, data);
}

/* It still shrinks. */
static void file_sealed_against_growing_does_not_grow(void **state)
{
    fixture *f = *state;

    map_sealed(f, F_SEAL_GROW);
    assert_resize_forbidden(f, LENGTH + 1);
    assert_resize_forbidden(f, 100 * LENGTH);
    assert_ok(ironmap_resize(f->map, 1000, &failure));
    assert_map_pattern(f->map, 0, 1000);
}

/* It still grows. */
static void file_sealed_against_shrinking_does_not_shrink(void **state)
{
    fixture *f = *state;

    map_sealed(f, F_SEAL_SHRINK);
    assert_resize_forbidden(f, LENGTH - 1);
    assert_resize_forbidden(f, 1);
    assert_resize_forbidden(f, 0);
    assert_ok(ironmap_resize(f->map, 2 * LENGTH, &failure));
    assert_map_filled(f->map, LENGTH, LENGTH, 0);
}

/* The file allows the length, and then gets its old length back. */
static void lack_of_address_space_restores_the_file(void **state)
{
    fixture *f = *state;
    void *data;

    map_growable(f);
    data = ironmap_data(f->map);
    assert_ok(ironmap_seek(f->map, LENGTH / 2, IRONMAP_SEEK_SET, &failure));
    assert_status(ironmap_resize(f->map, TOO_LONG, &failure), IRONMAP_E_SYSTEM);
    assert_unchanged(f, data);
    assert_ok(ironmap_resize(f->map, 2 * LENGTH, &failure));
}

/* An empty map has no memory to extend. */
static void lack_of_address_space_keeps_a_map_empty(void **state)
{
    fixture *f = *state;

    map_growable(f);
    assert_ok(ironmap_resize(f->map, 0, &failure));
    assert_system_fails(ironmap_resize(f->map, TOO_LONG, &failure), IRONMAP_E_SYSTEM,
                        code_of_refused_map(TOO_LONG));
    assert_u64(ironmap_length(f->map), 0);
    assert_null(ironmap_data(f->map));
    assert_u64(length_of(f->fd), 0);
    assert_ok(ironmap_resize(f->map, LENGTH, &failure));
}

/* Opening would extend the file. */
static void lack_of_address_space_at_open_restores_the_file(void **state)
{
    fixture *f = *state;
    ironmap_map *map = NULL;
    ironmap_options options = options_of(0, TOO_LONG);

    map_growable(f);
    options.open = IRONMAP_OPEN_EXTEND;
    assert_system_fails(ironmap_open_fd(&map, f->fd, IRONMAP_WRITE, &options, &failure),
                        IRONMAP_E_SYSTEM, code_of_refused_map(TOO_LONG));
    assert_null(map);
    assert_u64(length_of(f->fd), LENGTH);
}

/* Bytes of the file beyond the map, which resize would cut off, stay. */
static void failed_resize_keeps_the_bytes_beyond_the_map(void **state)
{
    fixture *f = *state;
    ironmap_options options = options_of(0, LENGTH);

    map_growable(f);
    map_close(f);
    assert_int_equal(ftruncate(f->fd, (off_t)(2 * TOO_LONG)), 0);
    assert_int_equal(pwrite(f->fd, "beyond", 6, (off_t)(TOO_LONG + LENGTH)), 6);
    assert_ok(ironmap_open_fd(&f->map, f->fd, IRONMAP_WRITE, &options, &failure));
    assert_status(ironmap_resize(f->map, TOO_LONG, &failure), IRONMAP_E_SYSTEM);
    assert_map_pattern(f->map, 0, LENGTH);
    assert_u64(length_of(f->fd), 2 * TOO_LONG);
    assert_file(f, TOO_LONG + LENGTH, "beyond", 6);
}

/* It stays unchanged. */
static void private_memory_too_long_is_refused(void **state)
{
    fixture *f = *state;
    void *data;

    skip_on_32_bit();
    map_memory(f, MAP_PRIVATE, PROT_READ | PROT_WRITE, LENGTH);
    data = ironmap_data(f->map);
    pattern_fill(data, 0, LENGTH);
    assert_status(ironmap_resize(f->map, SIZE_MAX / 2 - 65535, &failure), IRONMAP_E_SYSTEM);
    assert_ptr_equal(ironmap_data(f->map), data);
    assert_map_pattern(f->map, 0, LENGTH);
}

/* ---- limits of the process ---- */

static uint64_t address_space_in_use(void)
{
    char text[128] = {0};
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);

    if (fd >= 0) {
        (void)!read(fd, text, sizeof(text) - 1);
        (void)close(fd);
    }
    return strtoull(text, NULL, 10) * ironmap_page_size();
}

/* In a child: may use 64 MiB more address space, and grows the map by 1 GiB. */
static int resize_in_little_space(void *argument)
{
    fixture *f = argument;
    void *data = ironmap_data(f->map);
    struct rlimit limit;
    ironmap_error error = {.status = IRONMAP_OK};
    int result;

    child_check(getrlimit(RLIMIT_AS, &limit) == 0);
    limit.rlim_cur = address_space_in_use() + (64U << 20);
    child_check(setrlimit(RLIMIT_AS, &limit) == 0);
    result = ironmap_resize(f->map, 1U << 30, &error);
    limit.rlim_cur = limit.rlim_max;
    child_check(setrlimit(RLIMIT_AS, &limit) == 0);
    child_check(result == IRONMAP_E_SYSTEM && error.system_code == ENOMEM);
    child_check(ironmap_data(f->map) == data && ironmap_length(f->map) == LENGTH);
    child_check(ironmap_put_byte(f->map, LENGTH - 1, pattern_byte(LENGTH - 1), NULL) == IRONMAP_OK);
    return 0;
}

/* The file gets its old length back. */
static void address_space_limit_is_an_error(void **state)
{
    fixture *f = *state;

    skip_inside_qemu("does not limit a program's address space");
    if (address_space_in_use() > UINT64_C(1) << 36) {
        skip_because("this process uses too much address space to limit it");
    }
    file_make(f, LENGTH);
    map_file(f, IRONMAP_WRITE);
    assert_int_equal(in_child(resize_in_little_space, f), 0);
    assert_file_unchanged(f, LENGTH);
    assert_map_pattern(f->map, 0, LENGTH);
}

/* ---- a full file system ---- */

/* In a child with its own namespaces: grows a map on a file system of 64 KiB. */
static int resize_on_full_file_system(void *argument)
{
    fixture *f = argument;
    ironmap_options options = options_of(0, 32768);
    uint64_t size = 0;
    int result;

    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", f->directory, "tmpfs", 0, "size=64k") != 0) {
        return 77;
    }
    options.open = IRONMAP_OPEN_CREATE | IRONMAP_OPEN_EXTEND;
    child_check(ironmap_open_path(&f->map, f->path, IRONMAP_WRITE, &options, NULL) == IRONMAP_OK);
    child_check(ironmap_fill(f->map, 0, 'x', 32768, NULL) == IRONMAP_OK);
    result = ironmap_resize(f->map, 1 << 20, NULL);
    child_check(result == IRONMAP_OK || result == IRONMAP_E_SYSTEM);
    child_check(ironmap_file_size(&size, f->map, NULL) == IRONMAP_OK);
    child_check(size == ironmap_length(f->map));
    child_check(size == (result == IRONMAP_OK ? 1 << 20 : 32768));
    child_check(((const char *)ironmap_data(f->map))[32767] == 'x');
    return 0;
}

static void resize_on_a_full_file_system_is_all_or_nothing(void **state)
{
    int result = in_child(resize_on_full_file_system, *state);

    if (result == 77) {
        skip_because("this user may not mount a file system");
    }
    assert_int_equal(result, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_fixture(file_sealed_against_growing_does_not_grow),
        with_fixture(file_sealed_against_shrinking_does_not_shrink),
        with_fixture(lack_of_address_space_restores_the_file),
        with_fixture(lack_of_address_space_keeps_a_map_empty),
        with_fixture(lack_of_address_space_at_open_restores_the_file),
        with_fixture(failed_resize_keeps_the_bytes_beyond_the_map),
        with_fixture(private_memory_too_long_is_refused),
        with_fixture(address_space_limit_is_an_error),
        with_fixture(resize_on_a_full_file_system_is_all_or_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
