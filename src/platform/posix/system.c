/* What differs between the systems of the Unix family: a function for each difference. */
#include "features.h"

#include "system.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/param.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef __linux__
#include <linux/fs.h>
#include <linux/magic.h>
#include <sys/prctl.h>
#include <sys/vfs.h>
#endif

#include "base/error.h"
#include "base/range.h"

size_t ironmap__page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

size_t ironmap__granularity(void)
{
    return ironmap__page_size();
}

/* strerror_r has two incompatible signatures. strerror is thread-safe for a known code: glibc, musl
 * and the BSDs return constant text for it, and the thread's own buffer otherwise. */
void ironmap__system_message(char *buffer, size_t capacity, int32_t code)
{
    // NOLINTNEXTLINE(concurrency-mt-unsafe)
    (void)snprintf(buffer, capacity, "%s", strerror(code));
}

#if defined(__linux__) || defined(F_GETPATH)
/* False if no file has this name, or another one has. A file that cannot be asked for keeps it. */
static bool is_name_of(const char *path, ironmap__file file)
{
    struct stat named;
    struct stat mapped;
    if (stat(path, &named) == -1) {
        return errno != ENOENT && errno != ENOTDIR;
    }
    return fstat((int)file, &mapped) == -1 ||
           (named.st_dev == mapped.st_dev && named.st_ino == mapped.st_ino);
}

static int give_path(char *buffer, size_t capacity, const char *path, ironmap__file file,
                     ironmap_error *error)
{
    if (!is_name_of(path, file)) {
        return ironmap__fail_for(error, IRONMAP_E_NO_FILE, "the file has no name any more");
    }
    int length = snprintf(buffer, capacity, "%s", path);
    return (size_t)length < capacity
               ? IRONMAP_OK
               : ironmap__fail_for(error, IRONMAP_E_RANGE, "the buffer is too short");
}
#endif

#if defined(__linux__)
/* proc(5): /proc/self/fd. What it has for a removed file or a memfd is not a name. */
int ironmap__file_path(char *buffer, size_t capacity, ironmap__file file, ironmap_error *error)
{
    char link[64];
    char path[PATH_MAX + 1] = {'\0'};
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", (int)file);
    if (readlink(link, path, PATH_MAX) == -1) {
        return ironmap__fail_system(error, errno, "readlink");
    }
    return give_path(buffer, capacity, path, file, error);
}
#elif defined(F_GETPATH)
/* fcntl(2) of macOS writes up to MAXPATHLEN bytes. */
int ironmap__file_path(char *buffer, size_t capacity, ironmap__file file, ironmap_error *error)
{
    char path[MAXPATHLEN];
    if (fcntl((int)file, F_GETPATH, path) == -1) {
        return ironmap__fail_system(error, errno, "fcntl");
    }
    return give_path(buffer, capacity, path, file, error);
}
#else
int ironmap__file_path(char *buffer, size_t capacity, ironmap__file file, ironmap_error *error)
{
    (void)buffer;
    (void)capacity;
    (void)file;
    return ironmap__fail(error, IRONMAP_E_UNSUPPORTED);
}
#endif

#if defined(__linux__) || defined(SHM_ANON)
static int new_empty_file(const char **call)
{
#ifdef __linux__
    *call = "memfd_create";
    return memfd_create("ironmap", MFD_CLOEXEC);
#else
    *call = "shm_open";
    return shm_open(SHM_ANON, O_RDWR | O_CLOEXEC, 0600);
#endif
}

int ironmap__empty_file(int *fd, ironmap_error *error)
{
    const char *call = NULL;
    *fd = ironmap__descriptor_beyond_streams(new_empty_file(&call));
    return *fd != -1 ? IRONMAP_OK : ironmap__fail_system(error, errno, call);
}
#else
int ironmap__empty_file(int *fd, ironmap_error *error)
{
    (void)fd;
    return ironmap__fail(error, IRONMAP_E_UNSUPPORTED);
}
#endif

#ifdef __linux__
bool ironmap__block_device_length(uint64_t *length, int fd)
{
    return ioctl(fd, BLKGETSIZE64, length) == 0;
}
#else
bool ironmap__block_device_length(uint64_t *length, int fd)
{
    (void)length;
    (void)fd;
    return false;
}
#endif

#ifdef __linux__
/* tmpfs(5): its pages are its blocks, and a load from a mapped hole makes a page. */
bool ironmap__loads_allocate_blocks(int fd)
{
    struct statfs disk;
    return fstatfs(fd, &disk) == 0 && disk.f_type == TMPFS_MAGIC;
}
#else
bool ironmap__loads_allocate_blocks(int fd)
{
    (void)fd;
    return false;
}
#endif

#ifdef __linux__
/* proc(5), sysfs(5), cgroups(7): their files have the length 0, or one that is no more than a
 * limit, and bytes that are made when they are read. */
bool ironmap__on_pseudo_file_system(int fd)
{
    struct statfs disk;
    if (fstatfs(fd, &disk) == -1) {
        return false;
    }
    switch (disk.f_type) {
    case PROC_SUPER_MAGIC:
    case SYSFS_MAGIC:
    case DEBUGFS_MAGIC:
    case TRACEFS_MAGIC:
    case SECURITYFS_MAGIC:
    case CGROUP_SUPER_MAGIC:
    case CGROUP2_SUPER_MAGIC:
        return true;
    default:
        return false;
    }
}
#else
bool ironmap__on_pseudo_file_system(int fd)
{
    (void)fd;
    return false;
}
#endif

#if defined(__linux__)
/* Not posix_fallocate(3): glibc's writes to each block if the file system cannot reserve. */
int ironmap__reserve_blocks(int fd, off_t offset, off_t length)
{
    return fallocate(fd, 0, offset, length) == 0 ? 0 : errno;
}
#elif defined(F_PREALLOCATE)
/* fcntl(2) of macOS reserves from the end of the allocated blocks, which suffices for a file that
 * was just extended. */
int ironmap__reserve_blocks(int fd, off_t offset, off_t length)
{
    fstore_t store = {
        .fst_flags = F_ALLOCATEALL, .fst_posmode = F_PEOFPOSMODE, .fst_length = offset + length};
    return fcntl(fd, F_PREALLOCATE, &store) != -1 ? 0 : errno;
}
#elif defined(__OpenBSD__)
/* OpenBSD has neither call. */
int ironmap__reserve_blocks(int fd, off_t offset, off_t length)
{
    (void)fd;
    (void)offset;
    (void)length;
    return EOPNOTSUPP;
}
#else
int ironmap__reserve_blocks(int fd, off_t offset, off_t length)
{
    return posix_fallocate(fd, offset, length);
}
#endif

#ifdef __OpenBSD__
/* sigaction(2): the context is a struct sigcontext, with the mask as the bits of an int. */
void ironmap__interrupted_mask(sigset_t *mask, const void *context)
{
    *mask = (sigset_t)((const struct sigcontext *)context)->sc_mask;
}
#else
void ironmap__interrupted_mask(sigset_t *mask, const void *context)
{
    *mask = ((const ucontext_t *)context)->uc_sigmask;
}
#endif

#if defined(__linux__)
/* msync(MS_SYNC) calls the file system's fsync for the range, which flushes the disk's cache (Linux
 * mm/msync.c: vfs_fsync_range). */
int ironmap__sync_device(ironmap__file file, ironmap_error *error)
{
    (void)file;
    (void)error;
    return IRONMAP_OK;
}
#elif defined(F_FULLFSYNC)
/* After fsync(2) of macOS data may stay in the drive's cache. F_FULLFSYNC flushes that too. File
 * systems without it answer ENOTSUP or EINVAL: fsync is the fallback. */
int ironmap__sync_device(ironmap__file file, ironmap_error *error)
{
    if (file == IRONMAP__NO_FILE || fcntl((int)file, F_FULLFSYNC) != -1 || fsync((int)file) == 0) {
        return IRONMAP_OK;
    }
    return ironmap__fail_system(error, errno, "fsync");
}
#else
int ironmap__sync_device(ironmap__file file, ironmap_error *error)
{
    if (file == IRONMAP__NO_FILE || fsync((int)file) == 0) {
        return IRONMAP_OK;
    }
    return ironmap__fail_system(error, errno, "fsync");
}
#endif

#if defined(__linux__) && !defined(IRONMAP_NO_MREMAP)
int ironmap__view_grow(ironmap__view *view, size_t length, bool may_move, ironmap_error *error)
{
    void *base = mremap(view->base, view->length, length, may_move ? MREMAP_MAYMOVE : 0);
    if (base != MAP_FAILED) {
        *view = (ironmap__view){.base = base, .length = length};
        return IRONMAP_OK;
    }
    /* mremap(2) moves one mapping only. Advice about a part, or a replaced page, has split the view
     * (ENOMEM under valgrind). Huge pages never become more (EINVAL). If memory is missing, mapping
     * again will report it. */
    bool again = errno == EFAULT || errno == ENOMEM || errno == EINVAL;
    return again ? ironmap__fail(error, IRONMAP_E_UNSUPPORTED)
                 : ironmap__fail_system(error, errno, "mremap");
}
#else
int ironmap__view_grow(ironmap__view *view, size_t length, bool may_move, ironmap_error *error)
{
    (void)view;
    (void)length;
    (void)may_move;
    return ironmap__fail(error, IRONMAP_E_UNSUPPORTED);
}
#endif

#if defined(__linux__) && defined(PR_SET_VMA)
/* PR_SET_VMA_ANON_NAME(2const), since Linux 5.17. For a valid name and range, EINVAL means that the
 * kernel is older or built without it, EBADF that it names private memory only (before 6.2). */
int ironmap__view_set_name(const ironmap__view *view, const char *name, ironmap_error *error)
{
    size_t length = ironmap__align_up(view->length, ironmap__page_size());
    if (prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, (unsigned long)(uintptr_t)view->base, length,
              (unsigned long)(uintptr_t)name) == -1) {
        return errno == EINVAL || errno == EBADF ? ironmap__fail_unsupported(error, errno, "prctl")
                                                 : ironmap__fail_system(error, errno, "prctl");
    }
    return IRONMAP_OK;
}
#else
int ironmap__view_set_name(const ironmap__view *view, const char *name, ironmap_error *error)
{
    (void)view;
    (void)name;
    return ironmap__fail(error, IRONMAP_E_UNSUPPORTED);
}
#endif
