/* Hints on Unix: madvise(2) and mincore(2), to be faster. */
#include "features.h"

#include "platform/platform.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/sysmacros.h>
#endif

#include "base/range.h"

void ironmap__view_prefetch(void *start, size_t length)
{
    (void)madvise(start, length, MADV_WILLNEED);
}

#ifdef __linux__

/* mincore(2) always answers yes for a file that the caller may not write, and no for memory that
 * was never touched. */
bool ironmap__page_in_memory(void *start)
{
    unsigned char resident = 1;
    return mincore(start, 1, &resident) == -1 || (resident & 1) != 0;
}

/* Removes the pages of a shared mapping from the page table, and no more: stores stay in the page.
 */
void ironmap__view_trim(void *start, size_t length)
{
    (void)madvise(start, length, MADV_DONTNEED);
}

/* The number in a file of /sys, or 0. */
static size_t read_number(const char *path)
{
    char text[24] = {'\0'};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd == -1) {
        return 0;
    }
    ssize_t length = read(fd, text, sizeof(text) - 1);
    (void)close(fd);
    return length > 0 ? (size_t)strtoull(text, NULL, 10) : 0;
}

/* The file system has the value under its own number, or its disk has, of which that is a
 * partition. */
size_t ironmap__file_read_ahead(ironmap__file file)
{
    struct stat status;
    char path[96];
    if (file == IRONMAP__NO_FILE || fstat((int)file, &status) == -1) {
        return 0;
    }
    unsigned kind = major(status.st_dev);
    unsigned number = minor(status.st_dev);
    (void)snprintf(path, sizeof(path), "/sys/class/bdi/%u:%u/read_ahead_kb", kind, number);
    size_t kilobytes = read_number(path);
    if (kilobytes == 0) {
        (void)snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/../queue/read_ahead_kb", kind,
                       number);
        kilobytes = read_number(path);
    }
    return kilobytes * 1024;
}

/* Huge pages: one fault in place of 512. The range is widened to whole pages, so that adjacent
 * parts of a heap become one mapping and not one each. The other bytes of the first and last page
 * are not affected. Without huge pages the advice does nothing. */
void ironmap__memory_prepare(void *memory, size_t length)
{
    size_t page = ironmap__page_size();
    size_t before = (uintptr_t)memory % page;
    uint8_t *start = (uint8_t *)memory - before;
    size_t widened = ironmap__align_up(before + length, page);
    if (!ironmap__page_in_memory(start + widened / page / 2 * page)) {
        (void)madvise(start, widened, MADV_HUGEPAGE);
    }
}

#else

bool ironmap__page_in_memory(void *start)
{
    (void)start;
    return true;
}

void ironmap__view_trim(void *start, size_t length)
{
    (void)start;
    (void)length;
}

size_t ironmap__file_read_ahead(ironmap__file file)
{
    (void)file;
    return 0;
}

void ironmap__memory_prepare(void *memory, size_t length)
{
    (void)memory;
    (void)length;
}

#endif
