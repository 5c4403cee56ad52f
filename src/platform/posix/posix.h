/* Inside the Unix room: what its files share. */
#ifndef MAPIO_POSIX_H
#define MAPIO_POSIX_H

#include "../platform.h"

/* `*length` becomes the length in bytes of the block device `fd`; false where it cannot be told. */
bool mapio__block_device_length(uint64_t *length, int fd);

/* Waits until the disk itself has what was written to `file`, where the system's msync(2) alone
 * does not say so. `file` may be MAPIO__NO_FILE. */
int mapio__file_settle(mapio__file file, mapio_error *error);

/* Makes a view longer, moving it if need be. As mapio__view_resize. */
int mapio__view_grow(mapio__view *view, const mapio__mode *mode, mapio__file file, uint64_t offset,
                     size_t length, mapio_error *error);

#endif /* MAPIO_POSIX_H */
