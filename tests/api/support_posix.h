/* What only tests of Unix use. */
#ifndef IRONMAP_TESTS_SUPPORT_POSIX_H
#define IRONMAP_TESTS_SUPPORT_POSIX_H

#include "support.h"

/* Opens f->map: anonymous memory with the system's own flags and protection. */
void map_memory(fixture *f, int flags, int prot, size_t length);

/* The line of /proc/self/`file` about the mapping at `address` that begins with `prefix`, or the
 * mapping's first line where `prefix` is ""; false where there is none. */
bool proc_line(char *line, size_t capacity, const char *file, const void *address,
               const char *prefix);

/* Runs `work` in a child process and returns what it returned, 0 to 100; fails where the child
 * dies otherwise. The child must not use the checks of support.h, but child_check. */
int in_child(int (*work)(void *), void *argument);

#endif /* IRONMAP_TESTS_SUPPORT_POSIX_H */
