/* For tests of Unix only. */
#ifndef IRONMAP_TESTS_SUPPORT_POSIX_H
#define IRONMAP_TESTS_SUPPORT_POSIX_H

#include "support.h"

/* Opens f->map: anonymous memory with the system's flags and protection. */
void map_memory(fixture *f, int flags, int prot, size_t length);

/* The line of /proc/self/`file` about the mapping at `address` that begins with `prefix`. With ""
 * the first line of the mapping. False if there is none. */
bool proc_line(char *line, size_t capacity, const char *file, const void *address,
               const char *prefix);

/* Runs `work` in a child process and returns its result, 0 to 100. Fails if the child dies. The
 * child uses child_check instead of the checks of support.h. */
int in_child(int (*work)(void *), void *argument);

#endif /* IRONMAP_TESTS_SUPPORT_POSIX_H */
