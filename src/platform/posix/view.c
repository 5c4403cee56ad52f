/* Views on Unix: mmap(2), munmap(2), msync(2), madvise(2). */
#include "posix.h"

#include <errno.h>
#include <sys/mman.h>

#include "base/error.h"
#include "base/range.h"

/* What access means on Unix. */
static bool access_resolve(ironmap__mode *mode, const ironmap_options *options)
{
    bool by_hand =
        options->flags != IRONMAP_SYSTEM_DEFAULT || options->prot != IRONMAP_SYSTEM_DEFAULT;
    mode->access = options->access;
    mode->flags = MAP_SHARED;
    mode->prot = PROT_READ | PROT_WRITE;
    switch (options->access) {
    case IRONMAP_ACCESS_DEFAULT:
        mode->flags = options->flags == IRONMAP_SYSTEM_DEFAULT ? MAP_SHARED : options->flags;
        mode->prot = options->prot == IRONMAP_SYSTEM_DEFAULT ? mode->prot : options->prot;
        return true;
    case IRONMAP_ACCESS_READ:
        mode->prot = PROT_READ;
        return !by_hand;
    case IRONMAP_ACCESS_WRITE:
        return !by_hand;
    case IRONMAP_ACCESS_COPY:
        mode->flags = MAP_PRIVATE;
        return !by_hand;
    }
    return false;
}

/* What prot means for access: DEFAULT stays only where both directions are allowed. */
static void prot_resolve(ironmap__mode *mode)
{
    mode->writable = (mode->prot & PROT_WRITE) != 0;
    mode->readable = (mode->prot & (PROT_READ | PROT_WRITE)) != 0;
    if (mode->access == IRONMAP_ACCESS_DEFAULT) {
        if (!mode->writable) {
            mode->access = IRONMAP_ACCESS_READ;
        } else if ((mode->prot & PROT_READ) == 0) {
            mode->access = IRONMAP_ACCESS_WRITE;
        }
    }
    /* Processors that can write a page can read it, and mmap(2) wants the file open for reading
     * either way: say so, rather than depend on it. */
    if (mode->writable) {
        mode->prot |= PROT_READ;
    }
}

/* Flags that are not the caller's to set: the library chooses the address, and whether there is a
 * file behind the map is said by the function that opens it. */
static const int fixed_flags = MAP_FIXED
#ifdef MAP_FIXED_NOREPLACE
                               | MAP_FIXED_NOREPLACE
#endif
    ;

int ironmap__mode_resolve(ironmap__mode *mode, const ironmap_options *options, bool anonymous,
                          ironmap_error *error)
{
    *mode = (ironmap__mode){.anonymous = anonymous && options->tag == NULL};
    if (!access_resolve(mode, options) || (mode->flags & fixed_flags) != 0 ||
        (!anonymous && (mode->flags & MAP_ANONYMOUS) != 0)) {
        return ironmap__fail(error, IRONMAP_E_INVALID);
    }
    prot_resolve(mode);
    /* MAP_SHARED_VALIDATE of Linux has both bits. */
    mode->shared = (mode->flags & (MAP_SHARED | MAP_PRIVATE)) != MAP_PRIVATE;
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
    void *base = mmap(NULL, length, mode->prot, mode->flags, (int)file, at);
    if (base == MAP_FAILED) {
        return ironmap__fail_system(error, errno, "mmap");
    }
    *view = (ironmap__view){.base = base, .length = length};
    return IRONMAP_OK;
}

int ironmap__view_unmap(ironmap__view *view, ironmap_error *error)
{
    if (view->base != NULL && munmap(view->base, view->length) == -1) {
        return ironmap__fail_system(error, errno, "munmap");
    }
    *view = (ironmap__view){.base = NULL, .length = 0};
    return IRONMAP_OK;
}

bool ironmap__view_can_grow(const ironmap__mode *mode)
{
    /* Linux and NetBSD: the new pages of a shared anonymous mapping have nothing behind them
     * (mremap(2), BUGS). */
    return !(mode->anonymous && mode->shared);
}

/* Gives the pages after the new length back. Where that fails (splitting a mapping takes kernel
 * memory) the view keeps them: nobody looks at them, and they go with the view. */
static void shrink(ironmap__view *view, size_t length)
{
    size_t kept = ironmap__align_up(length, ironmap__page_size());
    if (kept >= view->length || munmap(view->base + kept, view->length - kept) == 0) {
        view->length = length;
    }
}

int ironmap__view_resize(ironmap__view *view, size_t length, ironmap_error *error)
{
    if (length <= view->length) {
        shrink(view, length);
        return IRONMAP_OK;
    }
    return ironmap__view_grow(view, length, error);
}

/* What the view shows behind the file's new end goes with ironmap__view_resize. */
int ironmap__view_cut(ironmap__view *view, ironmap__file file, size_t keep, uint64_t end,
                      ironmap_error *error)
{
    (void)view;
    (void)keep;
    return ironmap__file_set_length(file, end, error);
}

/* The portable bits in the system's words; its own bits as they are. */
static int flush_flags(int flags)
{
    const int portable = IRONMAP_FLUSH_ASYNC | IRONMAP_FLUSH_INVALIDATE;
    int native = flags & ~portable;
    if ((flags & IRONMAP_FLUSH_INVALIDATE) != 0) {
        native |= MS_INVALIDATE;
    }
    if ((flags & IRONMAP_FLUSH_ASYNC) != 0) {
        return native | MS_ASYNC;
    }
    return (flags & ~portable) == 0 ? native | MS_SYNC : native;
}

int ironmap__view_flush(void *start, size_t length, ironmap__file file, int flags,
                        ironmap_error *error)
{
    int native = flush_flags(flags);
    if (msync(start, length, native) == -1) {
        return ironmap__fail_system(error, errno, "msync");
    }
    /* MS_SYNC is 0 on FreeBSD: what was not asked to be asynchronous is to be durable. */
    return (native & MS_ASYNC) == 0 ? ironmap__file_settle(file, error) : IRONMAP_OK;
}

int ironmap__view_advise(void *start, size_t length, int native, ironmap_error *error)
{
    if (madvise(start, length, native) == -1) {
        return ironmap__fail_system(error, errno, "madvise");
    }
    return IRONMAP_OK;
}
