/* A FUSE file system that returns EIO for the pages that its control file names.
 *
 *     faulty_fs CONTROL DIRECTORY
 *
 * mounts itself on DIRECTORY, prints "ready", and serves until it is killed.
 */
#define FUSE_USE_VERSION 34
#include <fuse_lowlevel.h>

#include "faulty_fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { LENGTH = FAULTY_PAGE * FAULTY_PAGES, FIRST_FILE = FUSE_ROOT_ID + 1 };

static faulty_control *control;
static uint8_t content[FAULTY_FILES][LENGTH];

static bool is_file(fuse_ino_t number)
{
    return number >= FIRST_FILE && number < FIRST_FILE + FAULTY_FILES;
}

/* What stat(2) returns. False if there is no such file. */
static bool describe(fuse_ino_t number, struct stat *status)
{
    *status = (struct stat){.st_ino = (ino_t)number, .st_nlink = 1, .st_uid = getuid()};
    if (number == FUSE_ROOT_ID) {
        status->st_mode = S_IFDIR | 0755;
        return true;
    }
    status->st_mode = S_IFREG | 0644;
    status->st_size = LENGTH;
    return is_file(number);
}

static void on_lookup(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    struct fuse_entry_param entry = {.attr_timeout = 3600, .entry_timeout = 3600};

    entry.ino = FIRST_FILE + (fuse_ino_t)(name[0] - '0');
    if (parent == FUSE_ROOT_ID && strlen(name) == 1 && describe(entry.ino, &entry.attr)) {
        (void)fuse_reply_entry(request, &entry);
    } else {
        (void)fuse_reply_err(request, ENOENT);
    }
}

static void on_getattr(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *info)
{
    struct stat status;

    (void)info;
    if (describe(number, &status)) {
        (void)fuse_reply_attr(request, &status, 3600);
    } else {
        (void)fuse_reply_err(request, ENOENT);
    }
}

static void on_setattr(fuse_req_t request, fuse_ino_t number, struct stat *status, int which,
                       struct fuse_file_info *info)
{
    (void)status;
    (void)which;
    on_getattr(request, number, info);
}

static void on_open(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *info)
{
    if (is_file(number)) {
        info->keep_cache = 1;
        (void)fuse_reply_open(request, info);
    } else {
        (void)fuse_reply_err(request, EISDIR);
    }
}

static bool is_bad(size_t from, size_t to)
{
    for (size_t page = from / FAULTY_PAGE; page * FAULTY_PAGE < to; page++) {
        if (atomic_load(&control->bad[page])) {
            return true;
        }
    }
    return false;
}

static void on_read(fuse_req_t request, fuse_ino_t number, size_t size, off_t offset,
                    struct fuse_file_info *info)
{
    size_t from = (size_t)offset < LENGTH ? (size_t)offset : LENGTH;
    size_t to = size < LENGTH - from ? from + size : LENGTH;

    (void)info;
    atomic_fetch_add(&control->reads, 1);
    if (is_bad(from, to)) {
        (void)fuse_reply_err(request, EIO);
        return;
    }
    (void)fuse_reply_buf(request, (const char *)&content[number - FIRST_FILE][from], to - from);
}

static void on_write(fuse_req_t request, fuse_ino_t number, const char *bytes, size_t size,
                     off_t offset, struct fuse_file_info *info)
{
    (void)info;
    if ((size_t)offset + size > LENGTH) {
        (void)fuse_reply_err(request, ENOSPC);
        return;
    }
    memcpy(&content[number - FIRST_FILE][offset], bytes, size);
    (void)fuse_reply_write(request, size);
}

/* A block is longer than a page. */
static void on_statfs(fuse_req_t request, fuse_ino_t number)
{
    struct statvfs disk = {.f_bsize = 16 * FAULTY_PAGE, .f_frsize = FAULTY_PAGE, .f_namemax = 255};

    (void)number;
    disk.f_blocks = atomic_load(&control->blocks);
    disk.f_bfree = atomic_load(&control->free_blocks);
    disk.f_bavail = disk.f_bfree;
    (void)fuse_reply_statfs(request, &disk);
}

static const struct fuse_lowlevel_ops operations = {
    .lookup = on_lookup,
    .getattr = on_getattr,
    .setattr = on_setattr,
    .open = on_open,
    .read = on_read,
    .write = on_write,
    .statfs = on_statfs,
};

static bool control_map(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    void *base = fd < 0 ? MAP_FAILED
                        : mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    control = base;
    return base != MAP_FAILED;
}

static void content_make(void)
{
    for (size_t file = 0; file < FAULTY_FILES; file++) {
        for (size_t page = 0; page < FAULTY_PAGES; page++) {
            memset(&content[file][page * FAULTY_PAGE], (int)page + 1, FAULTY_PAGE);
        }
    }
}

int main(int count, char **arguments)
{
    struct fuse_args none = FUSE_ARGS_INIT(1, arguments);
    struct fuse_session *session = NULL;

    if (count != 3 || !control_map(arguments[1])) {
        return 2;
    }
    content_make();
    session = fuse_session_new(&none, &operations, sizeof(operations), NULL);
    if (session == NULL || fuse_session_mount(session, arguments[2]) != 0) {
        return 1;
    }
    (void)puts("ready");
    (void)fflush(stdout);
    return fuse_session_loop(session) == 0 ? 0 : 1;
}
