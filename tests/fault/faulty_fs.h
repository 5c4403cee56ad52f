/* Shared by the file system that fails on request and its test. */
#ifndef IRONMAP_TESTS_FAULTY_FS_H
#define IRONMAP_TESTS_FAULTY_FS_H

#include <stdatomic.h>

/* Its files "0" to "9" are equal: pages of 4096 bytes, each filled with its number plus 1. The
 * system has cached nothing of an unused file. */
enum { FAULTY_FILES = 10, FAULTY_PAGE = 4096, FAULTY_PAGES = 64 };

/* The control file, mapped by both: the pages that cannot be read, in every file. */
typedef struct faulty_control {
    atomic_bool bad[FAULTY_PAGES];
    atomic_uint reads;  /* number of read requests */
    atomic_uint blocks; /* of the disk; 0: the file system does not tell */
    atomic_uint free_blocks;
} faulty_control;

#endif /* IRONMAP_TESTS_FAULTY_FS_H */
