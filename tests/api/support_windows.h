/* For tests of Windows only. */
#ifndef IRONMAP_TESTS_SUPPORT_WINDOWS_H
#define IRONMAP_TESTS_SUPPORT_WINDOWS_H

#include "support.h"

/* Returns the number of open handles, and stores at most `capacity` of them. */
size_t open_handles(uintptr_t *handles, size_t capacity);

/* True if started programs inherit the handle. */
bool handle_is_inherited(uintptr_t handle);

#endif /* IRONMAP_TESTS_SUPPORT_WINDOWS_H */
