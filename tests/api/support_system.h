/* What support.c needs of the system, beside what tests use of it: see support.h. */
#ifndef IRONMAP_TESTS_SUPPORT_SYSTEM_H
#define IRONMAP_TESTS_SUPPORT_SYSTEM_H

#include "support.h"

/* Makes a new folder for temporary files and writes its path into `directory`. */
bool directory_make(char *directory, size_t capacity);

/* Removes a folder with the files in it, as far as that can be done. */
void directory_remove(const char *directory);

/* Makes an empty file, in place of one that there is; open to read and write. */
int descriptor_create(const char *path);

/* Loads from the file with the system's read call, and returns how much there was. */
size_t file_load(void *bytes, const fixture *f, uint64_t offset, size_t length);

#endif /* IRONMAP_TESTS_SUPPORT_SYSTEM_H */
