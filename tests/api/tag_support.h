/* Shared by the tests of tags on Unix. If it may, the program has its own /dev/shm, without other
 * tags. */
#ifndef IRONMAP_TESTS_TAG_SUPPORT_H
#define IRONMAP_TESTS_TAG_SUPPORT_H

#include "support_posix.h"

#include <limits.h>
#include <sys/types.h>

/* The tests' tag, which no other program uses, and the folder of the user's tags. */
extern char tag[64];
extern char tag_folder[PATH_MAX];

/* True if the folder has no tags of other programs. */
extern bool tags_alone;

/* Called first: sets the variables above. */
void tags_begin(void);

/* Mounts a tmpfs at `path` for this program alone. False if it lacks the rights. */
bool own_memory(const char *path, const char *options);

/* Finds the folder again after own_memory or a new TMPDIR. */
void tags_find_folder(void);

/* The path of a tag's file. The tag has lowercase letters only. */
const char *tag_path(const char *name);
bool tag_is_there(const char *name);

/* The file of this tag is gone, and all files if no other program has tags. */
void assert_nothing_left(const char *name);

/* Opens memory of a tag. */
int tag_open(ironmap_map **map, const char *name, size_t length);

/* The same for `tag`, which must succeed. */
ironmap_map *open_tag(size_t length);
void close_map(ironmap_map *map);

/* The name of one of many tags, until the next call, and memory of the first `count` of them. */
const char *numbered_tag(size_t number);
void open_numbered_tags(ironmap_map **maps, size_t count, size_t length);

/* The child's exit status, or minus the signal that ended it. */
int status_of(pid_t child);

#endif /* IRONMAP_TESTS_TAG_SUPPORT_H */
