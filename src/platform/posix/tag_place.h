/* Inside the Unix room: the folder in which a user's tags are files. */
#ifndef IRONMAP_TAG_PLACE_H
#define IRONMAP_TAG_PLACE_H

#include "posix.h"

/* Room for the path of the folder, and for a tag's file name: capitals take two bytes. */
enum { IRONMAP__TAG_FOLDER = 512, IRONMAP__TAG_FILE_NAME = 2 * IRONMAP__TAG_MAX + 1 };

/* Where the file of a tag is. */
typedef struct ironmap__tag_place {
    char folder[IRONMAP__TAG_FOLDER];
    char file[IRONMAP__TAG_FILE_NAME];
} ironmap__tag_place;

/* What functions return, beside a ironmap_status, where the folder or the file went away, or is in
 * the hands of another process for a moment: all has to be begun anew. */
enum { IRONMAP__AGAIN = 1 };

/* Where the tag `name` of this user is, or would be. */
int ironmap__tag_place_of(ironmap__tag_place *place, const char *name, ironmap_error *error);

/* Opens the folder, which is made if `make` and none is there: IRONMAP_E_NO_TAG otherwise. EPERM
 * for what is no folder of this user's own. */
int ironmap__tag_folder_open(int *folder, const ironmap__tag_place *place, bool make,
                             ironmap_error *error);

/* Removes the folder if there is no tag any more. */
void ironmap__tag_folder_remove(const ironmap__tag_place *place);

/* Opens a file of the folder for reading and writing; it is made if `make` and none is there:
 * IRONMAP_E_NO_TAG otherwise. EPERM for what is no file of this user's own. */
int ironmap__tag_file_open(int *fd, int folder, const char *name, bool make, ironmap_error *error);

/* Whether the file `name` of the folder is still the one that `fd` is open for. */
bool ironmap__tag_file_is(int folder, const char *name, int fd);

/* flock(2), which does not wait: IRONMAP__AGAIN where another has a lock that forbids it. */
int ironmap__tag_lock(int fd, int operation, ironmap_error *error);

/* Removes the file `name` if it is that of `fd` and nobody uses it, and leaves it locked then. */
void ironmap__tag_file_remove_unused(int folder, const char *name, int fd);

/* Removes all files of the folder that nobody uses, and tells how many it has looked at. */
size_t ironmap__tag_folder_sweep(int folder);

#endif /* IRONMAP_TAG_PLACE_H */
