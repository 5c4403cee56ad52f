/* Views on Unix: mmap(2), munmap(2), msync(2), madvise(2). */
#include "posix.h"

#include <errno.h>
#include <sys/mman.h>

#include "../../range.h"
#include "../../status.h"

/* What access means on Unix. */
static bool access_resolve(mapio__mode *mode, const mapio_options *options)
{
    bool by_hand = options->flags != MAPIO_SYSTEM_DEFAULT || options->prot != MAPIO_SYSTEM_DEFAULT;
    mode->access = options->access;
    mode->flags = MAP_SHARED;
    mode->prot = PROT_READ | PROT_WRITE;
    switch (options->access) {
    case MAPIO_ACCESS_DEFAULT:
        mode->flags = options->flags == MAPIO_SYSTEM_DEFAULT ? MAP_SHARED : options->flags;
        mode->prot = options->prot == MAPIO_SYSTEM_DEFAULT ? mode->prot : options->prot;
        return true;
    case MAPIO_ACCESS_READ:
        mode->prot = PROT_READ;
        return !by_hand;
    case MAPIO_ACCESS_WRITE:
        return !by_hand;
    case MAPIO_ACCESS_COPY:
        mode->flags = MAP_PRIVATE;
        return !by_hand;
    }
    return false;
}

/* What prot means for access: DEFAULT stays only where both directions are allowed. */
static void prot_resolve(mapio__mode *mode)
{
    mode->writable = (mode->prot & PROT_WRITE) != 0;
    mode->readable = (mode->prot & (PROT_READ | PROT_WRITE)) != 0;
    if (mode->access == MAPIO_ACCESS_DEFAULT) {
        if (!mode->writable) {
            mode->access = MAPIO_ACCESS_READ;
        } else if ((mode->prot & PROT_READ) == 0) {
            mode->access = MAPIO_ACCESS_WRITE;
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

int mapio__mode_resolve(mapio__mode *mode, const mapio_options *options, bool anonymous,
                        mapio_error *error)
{
    *mode = (mapio__mode){.anonymous = anonymous && options->tag == NULL};
    if (!access_resolve(mode, options) || (mode->flags & fixed_flags) != 0 ||
        (!anonymous && (mode->flags & MAP_ANONYMOUS) != 0)) {
        return mapio__fail(error, MAPIO_E_INVALID);
    }
    prot_resolve(mode);
    /* MAP_SHARED_VALIDATE of Linux has both bits. */
    mode->shared = (mode->flags & (MAP_SHARED | MAP_PRIVATE)) != MAP_PRIVATE;
    if (mode->anonymous) {
        mode->flags |= MAP_ANONYMOUS;
    } else {
        mode->flags &= ~MAP_ANONYMOUS;
    }
    return MAPIO_OK;
}

int mapio__view_map(mapio__view *view, const mapio__mode *mode, mapio__file file, uint64_t offset,
                    size_t length, mapio_error *error)
{
    off_t at = mode->anonymous ? 0 : (off_t)offset;
    void *base = mmap(NULL, length, mode->prot, mode->flags, (int)file, at);
    if (base == MAP_FAILED) {
        return mapio__fail_system(error, errno, "mmap");
    }
    *view = (mapio__view){.base = base, .length = length};
    return MAPIO_OK;
}

int mapio__view_unmap(mapio__view *view, mapio_error *error)
{
    if (view->base != NULL && munmap(view->base, view->length) == -1) {
        return mapio__fail_system(error, errno, "munmap");
    }
    *view = (mapio__view){.base = NULL, .length = 0};
    return MAPIO_OK;
}

bool mapio__view_can_grow(const mapio__mode *mode)
{
    /* Linux and NetBSD: the new pages of a shared anonymous mapping have nothing behind them
     * (mremap(2), BUGS). */
    return !(mode->anonymous && mode->shared);
}

/* Gives the pages after the new length back. Where that fails (splitting a mapping takes kernel
 * memory) the view keeps them: nobody looks at them, and they go with the view. */
static void shrink(mapio__view *view, size_t length)
{
    size_t kept = mapio__align_up(length, mapio__page_size());
    if (kept >= view->length || munmap(view->base + kept, view->length - kept) == 0) {
        view->length = length;
    }
}

int mapio__view_resize(mapio__view *view, size_t length, mapio_error *error)
{
    if (length <= view->length) {
        shrink(view, length);
        return MAPIO_OK;
    }
    return mapio__view_grow(view, length, error);
}

/* What the view shows behind the file's new end goes with mapio__view_resize. */
int mapio__view_cut(mapio__view *view, mapio__file file, size_t keep, uint64_t end,
                    mapio_error *error)
{
    (void)view;
    (void)keep;
    return mapio__file_set_length(file, end, error);
}

/* The portable bits in the system's words; its own bits as they are. */
static int flush_flags(int flags)
{
    const int portable = MAPIO_FLUSH_ASYNC | MAPIO_FLUSH_INVALIDATE;
    int native = flags & ~portable;
    if ((flags & MAPIO_FLUSH_INVALIDATE) != 0) {
        native |= MS_INVALIDATE;
    }
    if ((flags & MAPIO_FLUSH_ASYNC) != 0) {
        return native | MS_ASYNC;
    }
    return (flags & ~portable) == 0 ? native | MS_SYNC : native;
}

int mapio__view_flush(void *start, size_t length, mapio__file file, int flags, mapio_error *error)
{
    int native = flush_flags(flags);
    if (msync(start, length, native) == -1) {
        return mapio__fail_system(error, errno, "msync");
    }
    /* MS_SYNC is 0 on FreeBSD: what was not asked to be asynchronous is to be durable. */
    return (native & MS_ASYNC) == 0 ? mapio__file_settle(file, error) : MAPIO_OK;
}

int mapio__view_advise(void *start, size_t length, int native, mapio_error *error)
{
    if (madvise(start, length, native) == -1) {
        return mapio__fail_system(error, errno, "madvise");
    }
    return MAPIO_OK;
}
