/* Views of huge pages. */
#ifndef IRONMAP_HUGE_PAGES_H
#define IRONMAP_HUGE_PAGES_H

#include <sys/types.h>

#include "platform/platform.h"

/* Maps the pages of a file of huge pages from `offset` again, in place of the run, as
 * ironmap__page_restore. Never makes the file longer. `flags` are without MAP_FIXED. */
int ironmap__restore_huge(const ironmap__view *run, const ironmap__mode *mode, int flags, int fd,
                          off_t offset, ironmap_error *error);

#endif /* IRONMAP_HUGE_PAGES_H */
