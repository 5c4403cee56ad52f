/* Shared by a test program under Wine and the native program that truncates files: a mapped
 * file. */
#ifndef IRONMAP_TESTS_TRUNCATOR_H
#define IRONMAP_TESTS_TRUNCATOR_H

#include <stdatomic.h>
#include <stdint.h>

typedef struct truncator_mailbox {
    atomic_uint requested; /* number of requests */
    atomic_uint done;      /* number of requests done */
    atomic_uint over;      /* not 0: the native program has ended, or must end */
    uint32_t delay;        /* turns of an empty loop before the file is truncated */
    uint64_t length;       /* new length of the file */
    char path[1024];       /* native path */
} truncator_mailbox;

#endif /* IRONMAP_TESTS_TRUNCATOR_H */
