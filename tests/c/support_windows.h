/* What only tests of Windows use. */
#ifndef MAPIO_TESTS_SUPPORT_WINDOWS_H
#define MAPIO_TESTS_SUPPORT_WINDOWS_H

#include "support.h"

/* True where Wine runs the program. */
bool inside_wine(void);

/* Sets the length of a file in a way that Windows does not know of, as a disk or another machine
 * may lose bytes of a file that is mapped. Leaves the test where that cannot be done: only inside
 * Wine is there another system below. */
void file_cut_from_below(const char *path, uint64_t length);

/* Returns how many handles are open, and stores at most `capacity` of them. */
size_t open_handles(uintptr_t *handles, size_t capacity);

/* Whether programs that are started inherit the handle. */
bool handle_is_inherited(uintptr_t handle);

#endif /* MAPIO_TESTS_SUPPORT_WINDOWS_H */
