/* For fault tests of Unix only: children that die of a signal. */
#ifndef IRONMAP_TESTS_FAULT_SUPPORT_POSIX_H
#define IRONMAP_TESTS_FAULT_SUPPORT_POSIX_H

#include "fault_support.h"

/* Ends this process after `seconds`, much later under qemu-user, so that no test hangs. */
void end_if_hanging(unsigned seconds);

/* Runs `work` in a child without a SIGBUS handler and without core dumps. Returns the child's
 * result, or minus the number of the signal that ended it. The library's handler state is inherited
 * from the parent. */
int fate_of(int (*work)(void *), void *argument);

#endif /* IRONMAP_TESTS_FAULT_SUPPORT_POSIX_H */
