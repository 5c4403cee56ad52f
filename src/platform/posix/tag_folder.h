/* The folder in which a user's tags are files. */
#ifndef IRONMAP_TAG_FOLDER_H
#define IRONMAP_TAG_FOLDER_H

#include <sys/types.h>

#include "tag_name.h"

/* Capacity for the path of the folder. */
enum { IRONMAP__TAG_FOLDER_MAX = 512 };

/* Where the file of a tag is. */
typedef struct ironmap__tag_path {
    char *folder; /* in the heap, for the owner of the path to free */
    const char *file;
} ironmap__tag_path;

/* A descriptor of a folder or a file, and what it is open for. */
typedef struct ironmap__tag_fd {
    int number;
    dev_t device;
    ino_t inode;
    struct ironmap__tag_fd *next; /* see tag_users.h */
} ironmap__tag_fd;

/* Returned beside the values of ironmap_status. The caller starts again. */
enum {
    IRONMAP__BUSY = 1,   /* another process or thread has the lock */
    IRONMAP__CHANGED = 2 /* the folder or the file was made, removed or replaced meanwhile. `error`
                          * has the call that found it, for a caller that does not start again. */
};

/* ---- with the list of users locked, since a child of fork must not have the descriptors ---- */

/* Finds and opens the folder of this user's tags, and keeps its path. If it does not exist it is
 * made if `create` is true, otherwise that is IRONMAP_E_NO_TAG. EPERM if its name, in every place
 * where it may be, is held by another user or by something else than a folder. */
int ironmap__tag_folder_find(ironmap__tag_fd *folder, ironmap__tag_path *path, bool create,
                             ironmap_error *error);

/* Opens a folder that was found before. IRONMAP_E_NO_TAG if it does not exist. */
int ironmap__tag_folder_open(ironmap__tag_fd *folder, const ironmap__tag_path *path,
                             ironmap_error *error);

/* Opens a file of the folder for reading and writing, or makes it if it does not exist and `create`
 * is true: otherwise that is IRONMAP_E_NO_TAG. EPERM if it is not a file of this user alone. */
int ironmap__tag_file_open(ironmap__tag_fd *file, int folder, const char *name, bool create,
                           ironmap_error *error);

/* ---- with or without it ---- */

/* IRONMAP_OK if the file `name` of the folder is still `file`, IRONMAP__CHANGED if not. */
int ironmap__tag_file_check(int folder, const char *name, const ironmap__tag_fd *file,
                            ironmap_error *error);

/* flock(2) without waiting. IRONMAP__BUSY if another lock forbids it. */
int ironmap__tag_lock(int fd, int operation, ironmap_error *error);

/* Removes the file `name` if it is `file` and has no users. `file` then keeps it locked. */
void ironmap__tag_file_remove_unused(int folder, const char *name, const ironmap__tag_fd *file);

#endif /* IRONMAP_TAG_FOLDER_H */
