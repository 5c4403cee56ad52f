/* Unmapping that cannot leave a map half closed. */
#ifndef IRONMAP_POSIX_UNMAP_H
#define IRONMAP_POSIX_UNMAP_H

#include <stddef.h>

/* Unmaps whole pages. If the system lacks what it takes to split a mapping (ENOMEM, as at Linux's
 * vm.max_map_count), their memory is given back where it is private, the addresses stay in use, and
 * a later call unmaps them. Returns 0 or an errno. Thread-safe. */
int ironmap__unmap_pages(void *start, size_t length);

/* The same for private pages that can be written and are never unavailable. Async-signal-safe. */
void ironmap__unmap_writable_pages(void *start, size_t length);

/* Unmaps what earlier calls had to leave. */
void ironmap__unmap_leftovers(void);

#endif /* IRONMAP_POSIX_UNMAP_H */
