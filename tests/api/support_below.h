/* The system below Wine, if any: it truncates mapped files, which Windows does not. */
#ifndef IRONMAP_TESTS_SUPPORT_BELOW_H
#define IRONMAP_TESTS_SUPPORT_BELOW_H

#include "support.h"

/* Starts the program that truncates files, unless it runs. False if there is none. It uses a handle
 * that Wine never closes. */
bool below_start(void);

/* Requests that the file be truncated to `length` after `delay` turns of an empty loop, and returns
 * at once. Skips the test if there is no such program. */
void below_truncate(const char *path, uint64_t length, unsigned delay);

/* True if all requests are done. Fails if the program does not answer. */
bool below_is_done(void);

#endif /* IRONMAP_TESTS_SUPPORT_BELOW_H */
