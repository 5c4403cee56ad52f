/* What the system is told about memory, and what it is asked, only to be faster. */
#include "posix.h"

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

/* mincore(2): for files that the caller could not write anyway it always says yes, and for memory
 * that was never touched no. */
bool ironmap__page_in_memory(void *start)
{
    unsigned char resident = 1;
    return mincore(start, 1, &resident) == -1 || (resident & 1) != 0;
}

/* Pages of a shared mapping are taken out of the page table, no more; stores stay in the page. */
void ironmap__view_trim(void *start, size_t length)
{
    (void)madvise(start, length, MADV_DONTNEED);
}

/* The number in a file of /sys, or 0. */
static size_t number_in(const char *path)
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

/* A file system says it under its own number, or it is the disk, of which the number is a part. */
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
    size_t kilobytes = number_in(path);
    if (kilobytes == 0) {
        (void)snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/../queue/read_ahead_kb", kind,
                       number);
        kilobytes = number_in(path);
    }
    return kilobytes * 1024;
}

/* Huge pages: one fault and one run of zeros where there would be 512. The range is widened to
 * whole pages: pieces of a heap that follow each other are then one mapping and not one each, and
 * what else lies in the first and last page keeps its page. Without huge pages the advice is an
 * error or nothing. */
void ironmap__memory_prepare(void *memory, size_t length)
{
    size_t page = ironmap__page_size();
    size_t lead = (uintptr_t)memory % page;
    uint8_t *start = (uint8_t *)memory - lead;
    size_t reach = ironmap__align_up(lead + length, page);
    if (!ironmap__page_in_memory(start + reach / page / 2 * page)) {
        (void)madvise(start, reach, MADV_HUGEPAGE);
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
