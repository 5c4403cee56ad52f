/* What a test program under Wine and the program of the system below that cuts files for it share:
 * a file that both map. */
#ifndef IRONMAP_TESTS_CUTTER_H
#define IRONMAP_TESTS_CUTTER_H

#include <stdatomic.h>
#include <stdint.h>

typedef struct cutter_desk {
    atomic_uint asked; /* how many files were to be cut, ... */
    atomic_uint done;  /* ... and how many have been */
    atomic_uint over;  /* not 0: there is no cutter any more, or is not to be one */
    uint32_t delay;    /* turns of an empty loop before the file is cut */
    uint64_t length;   /* that the file is to have */
    char path[1024];   /* as the system below names it */
} cutter_desk;

#endif /* IRONMAP_TESTS_CUTTER_H */
