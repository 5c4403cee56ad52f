/* Inside the Unix room: the folder in which a user's tags are files. */
#ifndef MAPIO_TAG_PLACE_H
#define MAPIO_TAG_PLACE_H

#include "posix.h"

/* Room for the path of the folder, and for a tag's file name: capitals take two bytes. */
enum { MAPIO__TAG_FOLDER = 512, MAPIO__TAG_FILE_NAME = 2 * MAPIO_TAG_MAX + 1 };

/* Where the file of a tag is. */
typedef struct mapio__tag_place {
    char folder[MAPIO__TAG_FOLDER];
    char file[MAPIO__TAG_FILE_NAME];
} mapio__tag_place;

/* What functions return, beside a mapio_status, where the folder or the file went away, or is in
 * the hands of another process for a moment: all has to be begun anew. */
enum { MAPIO__AGAIN = 1 };

/* Where the tag `name` of this user is, or would be. */
int mapio__tag_place_of(mapio__tag_place *place, const char *name, mapio_error *error);

/* Opens the folder, which is made if `make` and none is there: MAPIO_E_NO_TAG otherwise. EPERM for
 * what is no folder of this user's own. */
int mapio__tag_folder_open(int *folder, const mapio__tag_place *place, bool make,
                           mapio_error *error);

/* Removes the folder if there is no tag any more. */
void mapio__tag_folder_remove(const mapio__tag_place *place);

/* Opens a file of the folder for reading and writing; it is made if `make` and none is there:
 * MAPIO_E_NO_TAG otherwise. EPERM for what is no file of this user's own. */
int mapio__tag_file_open(int *fd, int folder, const char *name, bool make, mapio_error *error);

/* Whether the file `name` of the folder is still the one that `fd` is open for. */
bool mapio__tag_file_is(int folder, const char *name, int fd);

/* flock(2), which does not wait: MAPIO__AGAIN where another has a lock that forbids it. */
int mapio__tag_lock(int fd, int operation, mapio_error *error);

/* Removes the file `name` if it is that of `fd` and nobody uses it, and leaves it locked then. */
void mapio__tag_file_remove_unused(int folder, const char *name, int fd);

/* Removes all files of the folder that nobody uses, and tells how many it has looked at. */
size_t mapio__tag_folder_sweep(int folder);

#endif /* MAPIO_TAG_PLACE_H */
