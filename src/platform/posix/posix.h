/* Inside the Unix room: what its files share. */
#ifndef IRONMAP_POSIX_H
#define IRONMAP_POSIX_H

#include "features.h"

#include <signal.h>
#include <sys/types.h>

#include "platform/platform.h"

/* `*length` becomes the length in bytes of the block device `fd`; false where it cannot be told. */
bool ironmap__block_device_length(uint64_t *length, int fd);

/* Reserves blocks for a range of the file; returns 0 or an errno. Never writes in the place of a
 * file system that cannot: that would undo other processes' stores. */
int ironmap__reserve_blocks(int fd, off_t offset, off_t length);

/* Whether a load from a hole of a mapped file takes a block of its disk, as a store does. */
bool ironmap__loads_take_blocks(int fd);

/* Waits until the disk itself has what was written to `file`, where the system's msync(2) alone
 * does not say so. `file` may be IRONMAP__NO_FILE. */
int ironmap__sync_device(ironmap__file file, ironmap_error *error);

/* The signals that were blocked in the code which a signal has interrupted; `context` is the third
 * argument of its handler. Async-signal-safe. */
void ironmap__interrupted_mask(sigset_t *mask, const void *context);

/* Makes a view longer, moving it if need be. As ironmap__view_resize. */
int ironmap__view_grow(ironmap__view *view, size_t length, ironmap_error *error);

#endif /* IRONMAP_POSIX_H */
