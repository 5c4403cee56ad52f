/* What differs between the systems of the Unix family: each difference is one function here. */
#include "posix.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef __linux__
#include <linux/fs.h>
#include <sys/prctl.h>
#endif

#include "../../status.h"

size_t mapio__page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

size_t mapio__granularity(void)
{
    return mapio__page_size();
}

/* strerror_r comes in two shapes, strerror_l in one; strerror is safe where it is asked for a known
 * code: glibc, musl and the BSDs return constant text then, and a thread's own buffer otherwise. */
void mapio__system_message(char *buffer, size_t capacity, int32_t code)
{
    // NOLINTNEXTLINE(concurrency-mt-unsafe)
    (void)snprintf(buffer, capacity, "%s", strerror(code));
}

#ifdef __linux__
bool mapio__block_device_length(uint64_t *length, int fd)
{
    return ioctl(fd, BLKGETSIZE64, length) == 0;
}
#else
bool mapio__block_device_length(uint64_t *length, int fd)
{
    (void)length;
    (void)fd;
    return false;
}
#endif

#if defined(__linux__)
/* msync(MS_SYNC) ends in the file system's fsync of the range, the disk's cache included (Linux
 * mm/msync.c: vfs_fsync_range). */
int mapio__file_settle(mapio__file file, mapio_error *error)
{
    (void)file;
    (void)error;
    return MAPIO_OK;
}
#elif defined(F_FULLFSYNC)
/* fsync(2) of macOS: data may stay in the drive's cache; F_FULLFSYNC empties that too. File systems
 * that do not know it answer ENOTSUP or EINVAL and get the fsync. */
int mapio__file_settle(mapio__file file, mapio_error *error)
{
    if (file == MAPIO__NO_FILE || fcntl((int)file, F_FULLFSYNC) != -1 || fsync((int)file) == 0) {
        return MAPIO_OK;
    }
    return mapio__fail_system(error, errno, "fsync");
}
#else
int mapio__file_settle(mapio__file file, mapio_error *error)
{
    if (file == MAPIO__NO_FILE || fsync((int)file) == 0) {
        return MAPIO_OK;
    }
    return mapio__fail_system(error, errno, "fsync");
}
#endif

#if defined(__linux__) && defined(PR_SET_VMA)
/* PR_SET_VMA_ANON_NAME(2const), since Linux 5.17. EINVAL, which a good name and range never are,
 * says that the kernel is older or was built without it. */
int mapio__view_set_name(const mapio__view *view, const char *name, mapio_error *error)
{
    size_t page = mapio__page_size();
    size_t length = (view->length + page - 1) / page * page;
    if (prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, (unsigned long)(uintptr_t)view->base, length,
              (unsigned long)(uintptr_t)name) == -1) {
        return errno == EINVAL ? mapio__fail_unsupported(error, errno, "prctl")
                               : mapio__fail_system(error, errno, "prctl");
    }
    return MAPIO_OK;
}
#else
int mapio__view_set_name(const mapio__view *view, const char *name, mapio_error *error)
{
    (void)view;
    (void)name;
    return mapio__fail(error, MAPIO_E_UNSUPPORTED);
}
#endif
