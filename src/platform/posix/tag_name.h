/* The names of tags, and of their files. */
#ifndef IRONMAP_TAG_NAME_H
#define IRONMAP_TAG_NAME_H

#include "platform/platform.h"

/* Capacity for the name of a tag's file. */
enum { IRONMAP__TAG_FILE_MAX = 256 };

/* The tag that a valid `name` means: the text behind a leading Local\. */
const char *ironmap__tag_of_name(const char *name);

/* Writes the name of the tag's file, terminated. Tags that differ get files that differ, except for
 * long ones, which may rarely have the same file. */
void ironmap__tag_file_name(char file[IRONMAP__TAG_FILE_MAX], const char *tag);

#endif /* IRONMAP_TAG_NAME_H */
