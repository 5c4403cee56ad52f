/* Views on Unix: mmap(2), munmap(2), msync(2), madvise(2). */
#include "features.h"

#include "system.h"
#include "unmap.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "base/range.h"

void ironmap__mode_to_system(ironmap__mode *mode)
{
    mode->prot = mode->writable ? PROT_READ | PROT_WRITE : PROT_READ;
    mode->flags = (mode->shared ? MAP_SHARED : MAP_PRIVATE) | (mode->anonymous ? MAP_ANONYMOUS : 0);
}

/* Flags that the library sets itself: it chooses the address, and the function that opens the map
 * says if there is a file. */
static const int fixed_flags = MAP_FIXED
#ifdef MAP_FIXED_NOREPLACE
                               | MAP_FIXED_NOREPLACE
#endif
    ;

int ironmap__mode_from_system(ironmap__mode *mode, bool has_file, ironmap_error *error)
{
    if ((mode->flags & fixed_flags) != 0) {
        return ironmap__fail_invalid(error, "flags with MAP_FIXED");
    }
    if (has_file && (mode->flags & MAP_ANONYMOUS) != 0) {
        return ironmap__fail_invalid(error, "flags with MAP_ANONYMOUS for a file");
    }
    mode->readable = (mode->prot & PROT_READ) != 0;
    mode->writable = (mode->prot & PROT_WRITE) != 0;
    /* MAP_SHARED_VALIDATE of Linux has both bits. */
    mode->shared = (mode->flags & (MAP_SHARED | MAP_PRIVATE)) != MAP_PRIVATE;
    /* A processor that can write a page can read it, and mmap(2) wants the file open for reading in
     * any case. */
    if (mode->writable) {
        mode->prot |= PROT_READ;
    }
    if (mode->anonymous) {
        mode->flags |= MAP_ANONYMOUS;
    } else {
        mode->flags &= ~MAP_ANONYMOUS;
    }
    return IRONMAP_OK;
}

int ironmap__view_map(ironmap__view *view, const ironmap__mode *mode, ironmap__file file,
                      uint64_t offset, size_t length, ironmap_error *error)
{
    off_t at = mode->anonymous ? 0 : (off_t)offset;
    ironmap__unmap_leftovers();
    if (mode->page > ironmap__page_size()) {
        length = ironmap__align_up(length, mode->page);
    }
    void *base = mmap(NULL, length, mode->prot, mode->flags, (int)file, at);
    if (base == MAP_FAILED) {
        return ironmap__fail_system(error, errno, "mmap");
    }
    *view = (ironmap__view){.base = base, .length = length};
    return IRONMAP_OK;
}

int ironmap__view_unmap(ironmap__view *view, ironmap_error *error)
{
    int code = view->base == NULL ? 0 : ironmap__unmap_pages(view->base, view->length);
    if (code != 0) {
        return ironmap__fail_system(error, code, "munmap");
    }
    *view = (ironmap__view){.base = NULL, .length = 0};
    return IRONMAP_OK;
}

size_t ironmap__view_overhead(void)
{
    return 0;
}

/* The mapping of an empty file. One call puts it in the place of what was there. */
int ironmap__view_reserve(const ironmap__view *pages, const ironmap__mode *mode,
                          ironmap_error *error)
{
    int fd = -1;
    int status = ironmap__empty_file(&fd, error);
    if (status != IRONMAP_OK) {
        return status;
    }
    void *base = mmap(pages->base, pages->length, mode->prot, MAP_SHARED | MAP_FIXED, fd, 0);
    int code = errno;
    (void)close(fd);
    return base != MAP_FAILED ? IRONMAP_OK : ironmap__fail_system(error, code, "mmap");
}

bool ironmap__view_can_be_cut(void)
{
    return true;
}

bool ironmap__view_can_grow(const ironmap__mode *mode)
{
    /* On Linux and NetBSD the new pages of a shared anonymous mapping have no memory (mremap(2),
     * BUGS). */
    return !(mode->anonymous && mode->shared);
}

/* Unmaps the pages after the new length. If there is not even memory to note them for later, the
 * view keeps them until it is unmapped. */
static void shrink_view(ironmap__view *view, size_t length)
{
    size_t kept = ironmap__align_up(length, ironmap__page_size());
    if (kept >= view->length || ironmap__unmap_pages(view->base + kept, view->length - kept) == 0) {
        view->length = length;
    }
}

int ironmap__view_resize(ironmap__view *view, size_t length, bool may_move, ironmap_error *error)
{
    if (length <= view->length) {
        shrink_view(view, length);
        return IRONMAP_OK;
    }
    return ironmap__view_grow(view, length, may_move, error);
}

/* ironmap__view_resize then unmaps what lies beyond the file's new end. */
int ironmap__view_cut(ironmap__view *view, ironmap__file file, size_t keep, uint64_t end,
                      ironmap_error *error)
{
    (void)view;
    (void)keep;
    return ironmap__file_set_length(file, end, error);
}

static int msync_flags(ironmap__flush_flags flags)
{
    int native = flags.native | (flags.invalidate ? MS_INVALIDATE : 0);
    if (flags.async) {
        return native | MS_ASYNC;
    }
    return flags.native == 0 ? native | MS_SYNC : native;
}

int ironmap__view_flush(void *start, size_t length, ironmap__file file, ironmap__flush_flags flags,
                        ironmap_error *error)
{
    int native = msync_flags(flags);
    if (msync(start, length, native) == -1) {
        return ironmap__fail_system(error, errno, "msync");
    }
    /* Not `native & MS_SYNC`, which is 0 on FreeBSD: what is not asynchronous is to be durable. */
    return (native & MS_ASYNC) == 0 ? ironmap__sync_device(file, error) : IRONMAP_OK;
}

int ironmap__view_advise(void *start, size_t length, ironmap__advice advice, ironmap_error *error)
{
    if (madvise(start, length, advice.value) == -1) {
        return ironmap__fail_system(error, errno, "madvise");
    }
    return IRONMAP_OK;
}

int ironmap__pages_lock(void *start, size_t length, ironmap_error *error)
{
    return mlock(start, length) == 0 ? IRONMAP_OK : ironmap__fail_system(error, errno, "mlock");
}

int ironmap__pages_unlock(void *start, size_t length, ironmap_error *error)
{
    return munlock(start, length) == 0 ? IRONMAP_OK : ironmap__fail_system(error, errno, "munlock");
}
