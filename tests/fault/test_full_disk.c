/* Full disks: a small tmpfs, and a small ext4 on a loop device. A store into a hole without a free
 * block is IRONMAP_E_FAULT with ENOSPC. With IRONMAP_OPEN_PREALLOCATE, open and resize report it.
 *
 * The file systems are mounted in a private namespace.
 */
#include "fault_support.h"

#include <ironmap/extra.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* Few enough for the disks below with pages of 64 KiB. */
enum { HOLES = 16 };

static char disk[256]; /* mount point of a tmpfs, or empty */

static size_t pages(size_t count)
{
    return count * ironmap_page_size();
}

/* ---- disks ----------------------------------------------------------------------------------- */

static bool private_namespace(void)
{
    return unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

/* A directory with a tmpfs for the tests. */
static bool tmpfs_mount(const char *options)
{
    const char *base = getenv("TMPDIR");

    (void)snprintf(disk, sizeof(disk), "%s/ironmap-disk-XXXXXX", base != NULL ? base : "/tmp");
    if (mkdtemp(disk) == NULL) {
        return false;
    }
    if (private_namespace() && mount("ironmap", disk, "tmpfs", 0, options) == 0) {
        return true;
    }
    (void)rmdir(disk);
    disk[0] = '\0';
    return false;
}

/* Creates and mounts an ext4 in a file on the tmpfs. */
static bool ext4_mount(void)
{
    char command[1024];

    (void)snprintf(command, sizeof(command),
                   "exec 2>/dev/null; PATH=$PATH:/sbin:/usr/sbin; cd %s && mkdir fs && "
                   "truncate -s 16M image && mkfs.ext4 -q -m 0 image && mount -o loop image fs",
                   disk);
    return system(command) == 0;
}

static int use_tmpfs(void **state)
{
    (void)state;
    if (!tmpfs_mount("size=8m")) {
        print_message("skipped: tmpfs: mounting takes root\n");
        return 0;
    }
    return setenv("TMPDIR", disk, 1);
}

static int use_ext4(void **state)
{
    char fs[300];

    (void)state;
    if (!tmpfs_mount("size=64m") || !ext4_mount()) {
        print_message("skipped: ext4: this takes root, mkfs.ext4 and a loop device\n");
        if (disk[0] != '\0') {
            (void)umount2(disk, MNT_DETACH);
            (void)rmdir(disk);
            disk[0] = '\0';
        }
        return 0;
    }
    (void)snprintf(fs, sizeof(fs), "%s/fs", disk);
    return setenv("TMPDIR", fs, 1);
}

static int leave_disk(void **state)
{
    const char *fs = getenv("TMPDIR");

    (void)state;
    if (disk[0] != '\0') {
        (void)umount2(fs, MNT_DETACH);
        (void)umount2(disk, MNT_DETACH);
        (void)rmdir(disk);
        (void)unsetenv("TMPDIR");
    }
    return 0;
}

static int fixture_on_disk(void **state)
{
    return disk[0] == '\0' ? 0 : fixture_setup(state);
}

static int fixture_off_disk(void **state)
{
    return disk[0] == '\0' ? 0 : fixture_teardown(state);
}

static void skip_without_disk(void)
{
    if (disk[0] == '\0') {
        skip();
    }
}

static bool on_tmpfs(void)
{
    return strcmp(getenv("TMPDIR"), disk) == 0;
}

static void filler_path(char *path, size_t capacity, const fixture *f)
{
    (void)snprintf(path, capacity, "%s/filler", f->directory);
}

/* Fills the disk, also with blocks that writing back releases. */
static void disk_fill(const fixture *f)
{
    static const uint8_t block[1 << 12] = {1};
    char path[400];
    bool more = true;
    int fd = -1;

    filler_path(path, sizeof(path), f);
    fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    while (more) {
        more = false;
        while (write(fd, block, sizeof(block)) > 0) {
            more = true;
        }
        assert_int_equal(errno, ENOSPC);
        assert_true(fsync(fd) == 0);
    }
    assert_int_equal(close(fd), 0);
}

static void disk_empty(const fixture *f)
{
    char path[400];

    filler_path(path, sizeof(path), f);
    assert_int_equal(unlink(path), 0);
    sync();
}

/* ---- holes ----------------------------------------------------------------------------------- */

/* A map of a file with a solid page and holes, on a full disk. */
static void map_holes(fixture *f)
{
    file_solid(f, pages(1));
    file_truncate(f, pages(1 + HOLES));
    assert_int_equal(fsync(f->fd), 0);
    map_file(f, IRONMAP_WRITE);
    disk_fill(f);
}

/* Stores into each hole and records which stores worked. Returns the number of failures. A file
 * system may have some free blocks. */
static size_t store_into_holes(fixture *f, bool *stored)
{
    size_t failures = 0;

    for (size_t i = 1; i <= HOLES; i++) {
        ironmap_error error = {0};
        int status = ironmap_put(f->map, pages(i) + i, "stored", 6, &error);

        stored[i] = status == IRONMAP_OK;
        if (status != IRONMAP_OK) {
            check_fault(status, &error, pages(i) + i, ENOSPC, "ironmap_put", __FILE__, __LINE__);
            failures++;
        }
    }
    return failures;
}

/* Only stores into holes fail. */
static void stores_into_holes_fail(void **state)
{
    fixture *f = *state;
    bool stored[1 + HOLES] = {false};

    skip_without_disk();
    map_holes(f);
    assert_true(store_into_holes(f, stored) > 0);
    assert_ok(ironmap_put(f->map, 5, "stored", 6, &failure));
    assert_map(f->map, 5, "stored", 6);
    for (size_t i = 1; i <= HOLES; i++) {
        if (stored[i]) {
            assert_map(f->map, pages(i) + i, "stored", 6);
        }
    }
    disk_empty(f);
    assert_u64(store_into_holes(f, stored), 0);
    assert_map(f->map, pages(HOLES) + HOLES, "stored", 6);
    assert_ok(ironmap_flush(f->map, 0, IRONMAP_TO_END, 0, &failure));
    assert_file(f, pages(1) + 1, "stored", 6);
    assert_u64(ironmap_damage_count(f->map), 0);
}

/* fill and byte stores fail too. */
static void every_store_into_a_hole_fails(void **state)
{
    fixture *f = *state;
    bool stored[1 + HOLES] = {false};
    ironmap_error error = {0};
    size_t hole = 1;

    skip_without_disk();
    map_holes(f);
    assert_true(store_into_holes(f, stored) > 0);
    while (stored[hole]) {
        hole++;
    }
    assert_fault(ironmap_put_byte(f->map, pages(hole), 'x', &error), &error, pages(hole), ENOSPC);
    assert_fault(ironmap_fill(f->map, pages(hole) + 9, 'x', 50, &error), &error, pages(hole) + 9,
                 ENOSPC);
    assert_fault(ironmap_move(f->map, pages(hole), 0, 50, &error), &error, pages(hole), ENOSPC);
    assert_fault(ironmap_put_strided(f->map, pages(hole) + 9, 3, "xyz", 3, &error), &error,
                 pages(hole) + 9, ENOSPC);
}

static void poke_into_holes(void *map)
{
    for (size_t i = 1; i <= HOLES; i++) {
        poke(map, pages(i), 'x');
    }
}

/* Damage has the cause, and ends when there are free blocks. */
static void stores_into_exported_holes_are_damage(void **state)
{
    fixture *f = *state;
    ironmap_error error = {0};
    uint64_t lost = 0;
    size_t length = 0;

    skip_without_disk();
    map_holes(f);
    poke_into_holes(f->map);
    assert_true(ironmap_damage_count(f->map) > 0);
    assert_ok(ironmap_damage(&lost, &length, f->map, 0, &failure));
    assert_fault(ironmap_put_byte(f->map, 0, 'x', &error), &error, lost, ENOSPC);
    disk_empty(f);
    assert_ok(ironmap_clear_damage(f->map, &failure));
    assert_ok(ironmap_put_byte(f->map, lost, 'y', &failure));
    assert_map(f->map, lost, "y", 1);
}

/* The guard has the cause, too, and no damage is left. */
static void guarded_stores_into_holes_fail(void **state)
{
    fixture *f = *state;
    ironmap_error error = {0};

    skip_without_disk();
    map_holes(f);
    assert_int_equal(run_guarded(f->map, poke_into_holes, f->map, &error), IRONMAP_E_FAULT);
    assert_int_equal(error.system_code, ENOSPC);
    assert_in_range(error.offset, pages(1), pages(1 + HOLES) - 1);
    assert_false(ironmap_is_damaged(f->map));
}

/* Loads from each hole. Returns the number of failures. */
static size_t load_from_holes(const fixture *f, int32_t code)
{
    size_t failures = 0;

    for (size_t i = 1; i <= HOLES; i++) {
        uint8_t bytes[6] = {1};
        ironmap_error error = {0};
        int status = ironmap_get(f->map, pages(i) + i, bytes, sizeof(bytes), &error);

        if (status != IRONMAP_OK) {
            check_fault(status, &error, pages(i) + i, code, "ironmap_get", __FILE__, __LINE__);
            failures++;
        } else {
            assert_u64(bytes[0], 0);
        }
    }
    return failures;
}

/* A tmpfs needs a block for a hole that is read, an ext4 needs none. */
static void loads_from_holes_fail_on_tmpfs_only(void **state)
{
    fixture *f = *state;
    ironmap_error error = {0};
    uint8_t byte = 0;

    skip_without_disk();
    map_holes(f);
    if (load_from_holes(f, ENOSPC) > 0) {
        assert_true(on_tmpfs());
        (void)peek(f->map, pages(HOLES));
        assert_fault(ironmap_get_byte(&byte, f->map, 0, &error), &error, pages(HOLES), ENOSPC);
        assert_ok(ironmap_clear_damage(f->map, &failure));
    } else {
        assert_false(on_tmpfs());
    }
    disk_empty(f);
    assert_u64(load_from_holes(f, ENOSPC), 0);
}

/* A page beyond the end of the file is lost for another reason. */
static void truncated_file_on_a_full_disk_loses_pages(void **state)
{
    fixture *f = *state;
    uint8_t byte = 0;
    ironmap_error error = {0};

    skip_without_disk();
    map_holes(f);
    file_truncate(f, pages(1));
    assert_fault(ironmap_get_byte(&byte, f->map, pages(2), &error), &error, pages(2), EIO);
    assert_fault(ironmap_put_byte(f->map, pages(2), 'x', &error), &error, pages(2), EIO);
}

/* ---- preallocation --------------------------------------------------------------------------- */

static ironmap_options reserving(unsigned open, size_t length)
{
    ironmap_options options = options_of(0, length);

    options.open = IRONMAP_OPEN_PREALLOCATE | open;
    return options;
}

static uint64_t blocks_of(const fixture *f)
{
    struct stat status;

    assert_int_equal(fstat(f->fd, &status), 0);
    return (uint64_t)status.st_blocks * 512;
}

static void create_without_blocks_is_refused(void **state)
{
    fixture *f = *state;
    ironmap_options options = reserving(IRONMAP_OPEN_CREATE | IRONMAP_OPEN_EXTEND, pages(HOLES));

    skip_without_disk();
    disk_fill(f);
    assert_system_fails(ironmap_open_path(&f->map, f->path, IRONMAP_WRITE, &options, &failure),
                        IRONMAP_E_SYSTEM, ENOSPC);
    assert_false(file_exists(f));
    disk_empty(f);
    assert_ok(ironmap_open_path(&f->map, f->path, IRONMAP_WRITE, &options, &failure));
    assert_map_filled(f->map, 0, pages(HOLES), 0);
}

/* It keeps its length and content. */
static void extend_without_blocks_is_refused(void **state)
{
    fixture *f = *state;
    ironmap_options options = reserving(IRONMAP_OPEN_EXTEND, pages(HOLES));

    skip_without_disk();
    file_make(f, 5000);
    assert_int_equal(fsync(f->fd), 0);
    disk_fill(f);
    assert_system_fails(ironmap_open_path(&f->map, f->path, IRONMAP_WRITE, &options, &failure),
                        IRONMAP_E_SYSTEM, ENOSPC);
    assert_system_fails(ironmap_open_fd(&f->map, f->fd, IRONMAP_WRITE, &options, &failure),
                        IRONMAP_E_SYSTEM, ENOSPC);
    assert_file_unchanged(f, 5000);
    disk_empty(f);
    assert_ok(ironmap_open_path(&f->map, f->path, IRONMAP_WRITE, &options, &failure));
}

/* A preallocated map can be stored into on a full disk, and cannot grow. */
static void resize_without_blocks_is_refused(void **state)
{
    fixture *f = *state;
    ironmap_options options = reserving(IRONMAP_OPEN_EXTEND, pages(HOLES));

    skip_without_disk();
    file_solid(f, pages(1));
    assert_ok(ironmap_open_path(&f->map, f->path, IRONMAP_WRITE, &options, &failure));
    assert_true(blocks_of(f) >= pages(HOLES));
    disk_fill(f);
    assert_ok(ironmap_fill(f->map, pages(1), 'x', pages(HOLES - 1), &failure));
    assert_system_fails(ironmap_resize(f->map, pages(4 * HOLES), &failure), IRONMAP_E_SYSTEM,
                        ENOSPC);
    assert_u64(ironmap_length(f->map), pages(HOLES));
    assert_u64(file_length(f), pages(HOLES));
    assert_map_filled(f->map, pages(1), pages(HOLES - 1), 'x');
    disk_empty(f);
    assert_ok(ironmap_resize(f->map, pages(4 * HOLES), &failure));
    assert_true(blocks_of(f) >= pages(4 * HOLES));
    assert_map_filled(f->map, pages(HOLES), pages(3 * HOLES), 0);
}

/* A longer file stays whole. */
static void refused_resize_keeps_the_bytes_beyond_the_map(void **state)
{
    fixture *f = *state;
    ironmap_options options = reserving(0, pages(1));

    skip_without_disk();
    file_solid(f, pages(1));
    file_truncate(f, pages(1 + HOLES));
    assert_int_equal(pwrite(f->fd, "beyond", 6, (off_t)pages(1 + HOLES)), 6);
    assert_int_equal(fsync(f->fd), 0);
    assert_ok(ironmap_open_path(&f->map, f->path, IRONMAP_WRITE, &options, &failure));
    disk_fill(f);
    assert_system_fails(ironmap_resize(f->map, pages(1 + HOLES), &failure), IRONMAP_E_SYSTEM,
                        ENOSPC);
    assert_u64(file_length(f), pages(1 + HOLES) + 6);
    assert_file(f, pages(1 + HOLES), "beyond", 6);
}

/* ---- the disk itself ------------------------------------------------------------------------- */

/* A block device has no length in its status, but it is mapped whole, and cannot be extended. */
static void block_device_has_its_length(void **state)
{
    enum { IMAGE_BYTES = 16 << 20, MAGIC_AT = 1080 };
    const uint8_t magic[] = {0x53, 0xef}; /* of ext4 */
    const ironmap_options longer = {.length = IMAGE_BYTES + 1};
    struct stat mounted;
    struct stat device;
    char path[64];
    ironmap_map *map = NULL;
    uint64_t length = 0;

    (void)state;
    skip_without_disk();
    if (on_tmpfs()) {
        skip();
    }
    assert_int_equal(stat(getenv("TMPDIR"), &mounted), 0);
    (void)snprintf(path, sizeof(path), "/dev/loop%u", minor(mounted.st_dev));
    if (stat(path, &device) != 0 || device.st_rdev != mounted.st_dev) {
        skip_because("there is no path of the loop device");
    }
    assert_ok(ironmap_open_path(&map, path, IRONMAP_READ, NULL, &failure));
    assert_u64(ironmap_length(map), IMAGE_BYTES);
    assert_ok(ironmap_file_size(&length, map, &failure));
    assert_u64(length, IMAGE_BYTES);
    assert_memory_equal((const uint8_t *)ironmap_data(map) + MAGIC_AT, magic, sizeof(magic));
    assert_ok(ironmap_close(map, &failure));
    assert_fails(ironmap_open_path(&map, path, IRONMAP_READ, &longer, &failure),
                 IRONMAP_E_BEYOND_FILE);
}

/* ---- addresses that a closed map keeps ------------------------------------------------------- */

static uint64_t free_blocks(void)
{
    struct statvfs status;

    sync();
    assert_int_equal(statvfs(getenv("TMPDIR"), &status), 0);
    return status.f_bfree;
}

/* The reservation has neither the file's blocks nor a descriptor. */
static void addresses_of_a_deleted_file_hold_no_blocks(void **state)
{
    const fixture *f = *state;
    char path[400];
    ironmap_map *map = NULL;
    ironmap_reservation *kept = NULL;

    skip_without_disk();
    ironmap_options options = reserving(IRONMAP_OPEN_CREATE | IRONMAP_OPEN_EXTEND, pages(HOLES));
    filler_path(path, sizeof(path), f);
    uint64_t blocks = free_blocks();
    size_t descriptors = open_descriptors();
    assert_ok(ironmap_open_path(&map, path, IRONMAP_WRITE, &options, &failure));
    assert_ok(ironmap_fill(map, 0, 'x', IRONMAP_TO_END, &failure));
    assert_true(free_blocks() < blocks);
    const uint8_t *data = ironmap_data(map);
    ironmap_pin(map);
    ironmap_unpin(map);
    assert_ok(ironmap_close_reserving(&kept, map, &failure));
    assert_int_equal(unlink(path), 0);
    assert_u64(free_blocks(), blocks);
    assert_u64(open_descriptors(), descriptors);
    assert_int_equal(*(const volatile uint8_t *)(data + pages(1)), 0);
    assert_int_equal(ironmap_reservation_check(kept, NULL), IRONMAP_E_FAULT);
    assert_u64(free_blocks(), blocks);
    assert_u64(open_descriptors(), descriptors);
    ironmap_reservation_free(kept);
}

#define on_disk(test) cmocka_unit_test_setup_teardown(test, fixture_on_disk, fixture_off_disk)

int main(void)
{
    const struct CMUnitTest tests[] = {
        on_disk(stores_into_holes_fail),
        on_disk(every_store_into_a_hole_fails),
        on_disk(stores_into_exported_holes_are_damage),
        on_disk(guarded_stores_into_holes_fail),
        on_disk(loads_from_holes_fail_on_tmpfs_only),
        on_disk(truncated_file_on_a_full_disk_loses_pages),
        on_disk(create_without_blocks_is_refused),
        on_disk(extend_without_blocks_is_refused),
        on_disk(resize_without_blocks_is_refused),
        on_disk(refused_resize_keeps_the_bytes_beyond_the_map),
        on_disk(block_device_has_its_length),
        on_disk(addresses_of_a_deleted_file_hold_no_blocks),
    };
    int failed = cmocka_run_group_tests_name("tmpfs", tests, use_tmpfs, leave_disk);

    return failed + cmocka_run_group_tests_name("ext4", tests, use_ext4, leave_disk);
}
