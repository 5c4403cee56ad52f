/* Truncates mapped files: the system does it, or the system below Wine. */
#ifndef IRONMAP_TESTS_CUT_H
#define IRONMAP_TESTS_CUT_H

#include "fault_support.h"

/* Call once before the first cut, on the thread of the test. It skips the test if no mapped file
 * can be truncated. */
void cut_begin(void);

/* Truncates the file to `length`, and returns when that is done. Thread-safe. */
bool cut_file(int fd, const char *path, uint64_t length);

#endif /* IRONMAP_TESTS_CUT_H */
