/* Files on Unix: open(2), fcntl(2), fstat(2), ftruncate(2). */
#include "features.h"

#include "system.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

/* O_NONBLOCK: opening a pipe or a modem must not wait. It has no effect on a mapped file. */
enum { COMMON_FLAGS = O_CLOEXEC | O_NOCTTY | O_NONBLOCK };

enum { FIRST_BEYOND_STREAMS = STDERR_FILENO + 1 };

/* A limit of so few descriptors is EINVAL. */
static int duplicate_beyond_streams(int fd)
{
    int made = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_BEYOND_STREAMS);
    if (made == -1 && errno == EINVAL) {
        errno = EMFILE;
    }
    return made;
}

/* As ironmap__descriptor_beyond_streams; `created` is the name of a file to remove on failure. */
static int move_beyond_streams(int fd, const char *created)
{
    if (fd == -1 || fd >= FIRST_BEYOND_STREAMS) {
        return fd;
    }
    int moved = duplicate_beyond_streams(fd);
    int code = errno;
    if (moved == -1 && created != NULL) {
        ironmap__file_remove(created, fd);
    }
    (void)close(fd);
    errno = code;
    return moved;
}

int ironmap__descriptor_beyond_streams(int fd)
{
    return move_beyond_streams(fd, NULL);
}

static int open_retry(const char *path, int flags, mode_t permission)
{
    int fd = -1;
    do {
        fd = open(path, flags, permission);
    } while (fd == -1 && errno == EINTR);
    return fd;
}

enum { CREATE_ATTEMPTS = 3 };

/* Creates the file or opens it, in two calls that tell which of both was done. Retried if another
 * process removes or makes the file in between. If every attempt fails, the name is a dangling
 * symbolic link: the file at its end is made, and counts as not made by this process. */
static int open_or_create(bool *created, const char *path, int flags, mode_t permission)
{
    for (int attempt = 0; attempt < CREATE_ATTEMPTS; attempt++) {
        int fd = open_retry(path, flags | O_CREAT | O_EXCL, permission);
        *created = fd != -1;
        if (fd != -1 || errno != EEXIST) {
            return fd;
        }
        fd = open_retry(path, flags, 0);
        if (fd != -1 || errno != ENOENT) {
            return fd;
        }
    }
    return open_retry(path, flags | O_CREAT, permission);
}

static int open_as(bool *created, const char *path, int flags, ironmap__disposition disposition,
                   mode_t permission)
{
    int fd = -1;
    *created = false;
    switch (disposition) {
    case IRONMAP__CREATE_NEW:
        fd = open_retry(path, flags | O_CREAT | O_EXCL, permission);
        *created = fd != -1;
        break;
    case IRONMAP__OPEN_OR_CREATE:
        fd = open_or_create(created, path, flags, permission);
        break;
    case IRONMAP__OPEN_EXISTING:
        fd = open_retry(path, flags, 0);
        break;
    }
    return fd;
}

int ironmap__file_open(ironmap__file *file, bool *created, const char *path, bool writable,
                       ironmap__disposition disposition, unsigned permission, ironmap_error *error)
{
    int flags = COMMON_FLAGS | (writable ? O_RDWR : O_RDONLY);
    int fd = open_as(created, path, flags, disposition, (mode_t)permission);
    fd = move_beyond_streams(fd, *created ? path : NULL);
    if (fd == -1) {
        return ironmap__fail_system(error, errno, "open");
    }
    *file = fd;
    return IRONMAP_OK;
}

int ironmap__file_from_fd(ironmap__file *file, int fd, ironmap_error *error)
{
    if (fcntl(fd, F_GETFD) == -1) {
        return ironmap__fail_system(error, errno, "fcntl");
    }
    *file = fd;
    return IRONMAP_OK;
}

// NOLINTNEXTLINE(readability-non-const-parameter): Windows writes it
int ironmap__file_from_handle(ironmap__file *file, void *handle, ironmap_error *error)
{
    (void)file;
    (void)handle;
    return ironmap__fail(error, IRONMAP_E_UNSUPPORTED);
}

int ironmap__file_duplicate(ironmap__file *file, ironmap__file source, ironmap_error *error)
{
    int fd = duplicate_beyond_streams((int)source);
    if (fd == -1) {
        return ironmap__fail_system(error, errno, "fcntl");
    }
    *file = fd;
    return IRONMAP_OK;
}

/* After EINTR the descriptor is closed on Linux and FreeBSD, unspecified elsewhere.
 * Closing it again could close another thread's file. */
int ironmap__file_close(ironmap__file file, ironmap_error *error)
{
    if (close((int)file) == -1 && errno != EINTR) {
        return ironmap__fail_system(error, errno, "close");
    }
    return IRONMAP_OK;
}

int ironmap__file_length(uint64_t *length, bool *sized, ironmap__file file, ironmap_error *error)
{
    struct stat status;
    if (fstat((int)file, &status) == -1) {
        return ironmap__fail_system(error, errno, "fstat");
    }
    *length = 0;
    if (S_ISBLK(status.st_mode)) {
        *sized = ironmap__block_device_length(length, (int)file);
        return IRONMAP_OK;
    }
    /* On some systems shared memory objects have no file type, but a length. Linux's anonymous
     * inodes (perf_event_open(2), io_uring) have neither, and some of them can be mapped. */
    *sized = S_ISREG(status.st_mode) || ((status.st_mode & S_IFMT) == 0 && status.st_size > 0);
    if (*sized) {
        *length = (uint64_t)status.st_size;
    }
    return IRONMAP_OK;
}

bool ironmap__file_is_directory(ironmap__file file)
{
    struct stat status;
    return fstat((int)file, &status) == 0 && S_ISDIR(status.st_mode);
}

bool ironmap__file_is_pseudo(ironmap__file file)
{
    return ironmap__on_pseudo_file_system((int)file);
}

int ironmap__file_read(void *buffer, ironmap__file file, uint64_t offset, size_t length,
                       ironmap_error *error)
{
    size_t done = 0;
    ssize_t count = 1;
    while (done < length && count != 0) {
        count = pread((int)file, (uint8_t *)buffer + done, length - done, (off_t)(offset + done));
        if (count == -1 && errno != EINTR) {
            return ironmap__fail_system(error, errno, "pread");
        }
        done += count > 0 ? (size_t)count : 0;
    }
    return IRONMAP_OK;
}

/* A length over the process's limit would fail and raise SIGXFSZ, which ends the process. */
static bool is_over_limit(uint64_t length)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
           length > (uint64_t)limit.rlim_cur;
}

static bool is_as_long(int fd, uint64_t length)
{
    struct stat status;
    return fstat(fd, &status) == 0 && (uint64_t)status.st_size >= length;
}

int ironmap__file_set_length(ironmap__file file, uint64_t length, ironmap_error *error)
{
    int result = -1;
    if (is_over_limit(length) && !is_as_long((int)file, length)) {
        return ironmap__fail_system(error, EFBIG, "ftruncate");
    }
    do {
        result = ftruncate((int)file, (off_t)length);
    } while (result == -1 && errno == EINTR);
    return result == -1 ? ironmap__fail_system(error, errno, "ftruncate") : IRONMAP_OK;
}

/* Where it is not supported the code is EOPNOTSUPP or ENOSYS; posix_fallocate(3) of ZFS: EINVAL. */
int ironmap__file_reserve(ironmap__file file, uint64_t offset, uint64_t length,
                          ironmap_error *error)
{
    int code = 0;
    do {
        code = ironmap__reserve_blocks((int)file, (off_t)offset, (off_t)length);
    } while (code == EINTR);
    if (code == EOPNOTSUPP || code == ENOSYS || code == EINVAL) {
        return ironmap__fail(error, IRONMAP_E_UNSUPPORTED);
    }
    return code == 0 ? IRONMAP_OK : ironmap__fail_system(error, code, "fallocate");
}

void ironmap__file_remove(const char *path, ironmap__file file)
{
    struct stat named;
    struct stat ours;
    if (stat(path, &named) == 0 && fstat((int)file, &ours) == 0 && named.st_dev == ours.st_dev &&
        named.st_ino == ours.st_ino) {
        (void)unlink(path);
    }
}
