/* What only fault tests of Unix use: children that are expected to die of a signal. */
#ifndef IRONMAP_TESTS_FAULT_SUPPORT_POSIX_H
#define IRONMAP_TESTS_FAULT_SUPPORT_POSIX_H

#include "fault_support.h"

/* Has the system end this process if it still runs after `seconds`, or long after under qemu-user:
 * far more than it takes, so that nothing waits for what hangs. */
void end_if_hanging(unsigned seconds);

/* Runs `work` in a child process in which nobody handles SIGBUS, and which ends with what it
 * returns. The result is that, or minus the number of the signal that ended the child; it leaves
 * no core. Where the parent has made maps, the library knows of the handlers there. */
int fate_of(int (*work)(void *), void *argument);

#endif /* IRONMAP_TESTS_FAULT_SUPPORT_POSIX_H */
