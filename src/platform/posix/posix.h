/* Inside the Unix room: what its files share. */
#ifndef MAPIO_POSIX_H
#define MAPIO_POSIX_H

#include <signal.h>
#include <sys/types.h>

#include "../platform.h"

/* `*length` becomes the length in bytes of the block device `fd`; false where it cannot be told. */
bool mapio__block_device_length(uint64_t *length, int fd);

/* Reserves blocks for a range of the file; returns 0 or an errno. Never writes in the place of a
 * file system that cannot: that would undo other processes' stores. */
int mapio__reserve_blocks(int fd, off_t offset, off_t length);

/* Whether a load from a hole of a mapped file takes a block of its disk, as a store does. */
bool mapio__loads_take_blocks(int fd);

/* Waits until the disk itself has what was written to `file`, where the system's msync(2) alone
 * does not say so. `file` may be MAPIO__NO_FILE. */
int mapio__file_settle(mapio__file file, mapio_error *error);

/* The signals that were blocked in the code which a signal has interrupted; `context` is the third
 * argument of its handler. Async-signal-safe. */
void mapio__interrupted_mask(sigset_t *mask, const void *context);

/* Makes a view longer, moving it if need be. As mapio__view_resize. */
int mapio__view_grow(mapio__view *view, size_t length, mapio_error *error);

#endif /* MAPIO_POSIX_H */
