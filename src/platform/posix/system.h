/* What differs between the systems of the Unix family. */
#ifndef IRONMAP_POSIX_SYSTEM_H
#define IRONMAP_POSIX_SYSTEM_H

#include <signal.h>
#include <sys/types.h>

#include "platform/platform.h"

/* Moves the new descriptor `fd` away from 0, 1 and 2: a program that has closed a standard stream
 * would write its messages into the file. Returns the descriptor, with close-on-exec. -1, with
 * errno set and `fd` closed, if there is none left. Returns an `fd` of -1 as it is. */
int ironmap__descriptor_beyond_streams(int fd);

/* The length in bytes of the block device `fd`. False if the system cannot tell. */
bool ironmap__block_device_length(uint64_t *length, int fd);

/* Reserves blocks for a range of the file. Returns 0 or an errno. Never writes where the file
 * system cannot reserve: that could undo another process's stores. */
int ironmap__reserve_blocks(int fd, off_t offset, off_t length);

/* True if a load from a hole of a mapped file allocates a block, as a store does. */
bool ironmap__loads_allocate_blocks(int fd);

/* True if the file system makes its files when they are read, as /proc. */
bool ironmap__on_pseudo_file_system(int fd);

/* Waits until the disk itself has what was written to `file`, where msync(2) alone does not. `file`
 * may be IRONMAP__NO_FILE. */
int ironmap__sync_device(ironmap__file file, ironmap_error *error);

/* Opens a new file without a name that is empty. IRONMAP_E_UNSUPPORTED where the system has none.
 */
int ironmap__empty_file(int *fd, ironmap_error *error);

/* The signals that were blocked in the code that a signal has interrupted. `context` is the third
 * argument of its handler. Async-signal-safe. */
void ironmap__interrupted_mask(sigset_t *mask, const void *context);

/* Makes a view longer, as ironmap__view_resize. */
int ironmap__view_grow(ironmap__view *view, size_t length, bool may_move, ironmap_error *error);

#endif /* IRONMAP_POSIX_SYSTEM_H */
