/* The folder in which a user's tags are files. */
#ifndef IRONMAP_TAG_FOLDER_H
#define IRONMAP_TAG_FOLDER_H

#include "platform/platform.h"

/* Capacity for the path of the folder, and for a tag's file name: capitals take two bytes. */
enum { IRONMAP__TAG_FOLDER_MAX = 512, IRONMAP__TAG_FILE_MAX = 2 * IRONMAP__TAG_MAX + 1 };

/* Where the file of a tag is. */
typedef struct ironmap__tag_path {
    char folder[IRONMAP__TAG_FOLDER_MAX];
    char file[IRONMAP__TAG_FILE_MAX];
} ironmap__tag_path;

/* Returned beside the values of ironmap_status: the folder or the file was removed, or another
 * process has it locked. The caller starts again. */
enum { IRONMAP__RETRY = 1 };

/* Where the tag `name` of this user is, or would be. */
int ironmap__tag_path_of(ironmap__tag_path *path, const char *name, ironmap_error *error);

/* Opens the folder, or makes it if it does not exist and `create` is true: otherwise that is
 * IRONMAP_E_NO_TAG. EPERM if it is not a folder of this user alone. */
int ironmap__tag_folder_open(int *folder, const ironmap__tag_path *path, bool create,
                             ironmap_error *error);

/* Removes the folder if it has no tags. */
void ironmap__tag_folder_remove(const ironmap__tag_path *path);

/* Opens a file of the folder for reading and writing, or makes it if it does not exist and `create`
 * is true: otherwise that is IRONMAP_E_NO_TAG. EPERM if it is not a file of this user alone. */
int ironmap__tag_file_open(int *fd, int folder, const char *name, bool create,
                           ironmap_error *error);

/* True if the file `name` of the folder is still the one that `fd` is open for. */
bool ironmap__tag_file_is(int folder, const char *name, int fd);

/* flock(2) without waiting. IRONMAP__RETRY if another lock forbids it. */
int ironmap__tag_lock(int fd, int operation, ironmap_error *error);

/* Removes the file `name` if it is that of `fd` and has no users. `fd` then keeps it locked. */
void ironmap__tag_file_remove_unused(int folder, const char *name, int fd);

/* Removes all files of the folder that have no users. Returns how many files it looked at. */
size_t ironmap__tag_folder_sweep(int folder);

#endif /* IRONMAP_TAG_FOLDER_H */
