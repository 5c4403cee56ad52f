/* What the tests of tags on Unix share. Where the program may, it has a /dev/shm of its own, so
 * that nobody else's tags are in the way. */
#ifndef IRONMAP_TESTS_TAG_SUPPORT_H
#define IRONMAP_TESTS_TAG_SUPPORT_H

#include "support_posix.h"

#include <limits.h>
#include <sys/types.h>

/* The tag that the tests use, of which nobody else knows, and the folder of the user's tags. */
extern char tag[64];
extern char tag_folder[PATH_MAX];

/* Nobody else has tags there. */
extern bool tags_alone;

/* To be called first: sets the above. */
void tags_begin(void);

/* Puts a tmpfs of this program's own, with these options, in the place of `path`; false where that
 * takes more rights. */
bool own_memory(const char *path, const char *options);

/* Finds the folder again, after that or a new TMPDIR. */
void tags_find_folder(void);

/* The path of the file of a tag that has small letters only. */
const char *tag_path(const char *name);
bool tag_is_there(const char *name);

/* Neither a file of this tag is left nor, if nobody else has tags, anything at all. */
void assert_nothing_left(const char *name);

/* Opens memory of a tag. */
int tag_open(ironmap_map **map, const char *name, size_t length);

/* The same of `tag`, which must succeed. */
ironmap_map *open_tag(size_t length);
void close_map(ironmap_map *map);

/* What a child ends with: its status, or the signal that has killed it, negative. */
int status_of(pid_t child);

#endif /* IRONMAP_TESTS_TAG_SUPPORT_H */
