/* What support.c needs of the system. support.h has what tests use. */
#ifndef IRONMAP_TESTS_SUPPORT_SYSTEM_H
#define IRONMAP_TESTS_SUPPORT_SYSTEM_H

#include "support.h"

/* Creates a temporary directory and writes its path into `directory`. */
bool directory_make(char *directory, size_t capacity);

/* Removes a directory and its files, as far as possible. */
void directory_remove(const char *directory);

/* Creates or empties a file, open for reading and writing. */
int descriptor_create(const char *path);

/* Loads from the file with the system's read call. Returns the number of bytes. */
size_t file_load(void *bytes, const fixture *f, uint64_t offset, size_t length);

#endif /* IRONMAP_TESTS_SUPPORT_SYSTEM_H */
