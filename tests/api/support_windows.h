/* What only tests of Windows use. */
#ifndef IRONMAP_TESTS_SUPPORT_WINDOWS_H
#define IRONMAP_TESTS_SUPPORT_WINDOWS_H

#include "support.h"

/* Returns how many handles are open, and stores at most `capacity` of them. */
size_t open_handles(uintptr_t *handles, size_t capacity);

/* Whether programs that are started inherit the handle. */
bool handle_is_inherited(uintptr_t handle);

#endif /* IRONMAP_TESTS_SUPPORT_WINDOWS_H */
