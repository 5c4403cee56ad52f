/* Views of huge pages on Linux: files of hugetlbfs, memfd_create(2) with MFD_HUGETLB, and mmap(2)
 * with MAP_HUGETLB. Transparent huge pages are ordinary pages here.
 */
#include "features.h"

#include "huge_pages.h"
#include "unmap.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#ifdef __linux__
#include <linux/magic.h>
#include <linux/mman.h>
#include <sys/vfs.h>
#endif

#include "base/error.h"

#if defined(__linux__) && defined(MAP_HUGETLB)

/* proc_meminfo(5). The size of a page where the flags name none. */
static size_t default_huge_page(void)
{
    static const char name[] = "Hugepagesize:";
    char line[128];
    size_t kibibytes = 0;
    FILE *info = fopen("/proc/meminfo", "re");
    if (info == NULL) {
        return 0;
    }
    while (kibibytes == 0 && fgets(line, sizeof(line), info) != NULL) {
        if (strncmp(line, name, sizeof(name) - 1) == 0) {
            kibibytes = strtoul(line + sizeof(name) - 1, NULL, 10);
        }
    }
    (void)fclose(info);
    return kibibytes * 1024;
}

static size_t huge_page_of_flags(int flags)
{
    unsigned shift = ((unsigned)flags >> MAP_HUGE_SHIFT) & MAP_HUGE_MASK;
    return shift != 0 ? (size_t)1 << shift : default_huge_page();
}

static size_t huge_page_of_file(int fd)
{
    struct statfs system;
    bool is_huge = fstatfs(fd, &system) == 0 && (uint32_t)system.f_type == HUGETLBFS_MAGIC;
    return is_huge ? (size_t)system.f_bsize : 0;
}

size_t ironmap__view_page_size(const ironmap__mode *mode, ironmap__file file)
{
    size_t huge = 0;
    if (mode->anonymous) {
        huge = (mode->flags & MAP_HUGETLB) != 0 ? huge_page_of_flags(mode->flags) : 0;
    } else if (file != IRONMAP__NO_FILE) {
        huge = huge_page_of_file((int)file);
    }
    return huge != 0 ? huge : ironmap__page_size();
}

/* To map a hugetlbfs file for writing beyond its end makes the file longer. So it is mapped for
 * reading, elsewhere, made writable there, and moved to its place (mremap(2), of huge pages since
 * Linux 5.16). Its pages are the file's already, or their absence is found when they are used:
 * nothing is reserved. */
int ironmap__restore_huge(const ironmap__view *run, const ironmap__mode *mode, int flags, int fd,
                          off_t offset, ironmap_error *error)
{
    const char *call = "mmap";
    void *base =
        mmap(NULL, run->length, mode->prot & ~PROT_WRITE, flags | MAP_NORESERVE, fd, offset);
    if (base == MAP_FAILED) {
        return ironmap__fail_system(error, errno, call);
    }
    call = "mprotect";
    bool done = mprotect(base, run->length, mode->prot) == 0;
    if (done) {
        call = "mremap";
        done = mremap(base, run->length, run->length, MREMAP_MAYMOVE | MREMAP_FIXED, run->base) !=
               MAP_FAILED;
    }
    if (!done) {
        int code = errno;
        (void)ironmap__unmap_pages(base, run->length);
        return ironmap__fail_system(error, code, call);
    }
    return IRONMAP_OK;
}

#else

size_t ironmap__view_page_size(const ironmap__mode *mode, ironmap__file file)
{
    (void)mode;
    (void)file;
    return ironmap__page_size();
}

int ironmap__restore_huge(const ironmap__view *run, const ironmap__mode *mode, int flags, int fd,
                          off_t offset, ironmap_error *error)
{
    (void)run;
    (void)mode;
    (void)flags;
    (void)fd;
    (void)offset;
    return ironmap__fail(error, IRONMAP_E_UNSUPPORTED);
}

#endif
