/* The file system that fails where it is told to: what it and its test share. */
#ifndef IRONMAP_TESTS_FAULTY_FS_H
#define IRONMAP_TESTS_FAULTY_FS_H

#include <stdatomic.h>

/* Its files are named "0" to "9", all the same: pages of 4096 bytes, each filled with its number
 * plus 1. They are separate, so that the system has cached nothing of one that is fresh. */
enum { FAULTY_FILES = 10, FAULTY_PAGE = 4096, FAULTY_PAGES = 64 };

/* The control file, mapped by both: which pages cannot be read, of every file. */
typedef struct faulty_control {
    atomic_bool bad[FAULTY_PAGES];
    atomic_uint reads; /* how often it was asked */
} faulty_control;

#endif /* IRONMAP_TESTS_FAULTY_FS_H */
