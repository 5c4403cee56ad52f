/* The system below Wine, where there is one: it does to files what Windows lets nobody do. */
#ifndef IRONMAP_TESTS_SUPPORT_BELOW_H
#define IRONMAP_TESTS_SUPPORT_BELOW_H

#include "support.h"

/* Starts the program there that cuts files, unless it runs already; false where there is none. It
 * costs a handle that Wine never closes. */
bool below_start(void);

/* Has the file cut to `length`, `delay` turns of an empty loop from now, and returns at once.
 * Leaves the test where nobody can do that. */
void below_cut(const char *path, uint64_t length, unsigned delay);

/* Whether all of that has been done; fails where it never will be. */
bool below_is_done(void);

#endif /* IRONMAP_TESTS_SUPPORT_BELOW_H */
