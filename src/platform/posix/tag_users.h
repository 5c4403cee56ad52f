/* The tags that this process has open, and the descriptors that a child of fork must not keep. */
#ifndef IRONMAP_TAG_USERS_H
#define IRONMAP_TAG_USERS_H

#include <sys/types.h>

#include "tag_folder.h"

/* An open tag. */
typedef struct ironmap__tag_user {
    ironmap__tag tag;   /* first: the library's pointer is to this field */
    ironmap__tag_fd fd; /* has the lock; its number is tag.handle */
    ironmap__tag_path path;
    pid_t process;    /* that acquired the lock */
    bool shares_lock; /* with another process: never unlock explicitly */
    int child_fd;     /* during fork: the descriptor with the child's lock; -1: none */
    struct ironmap__tag_user *next;
    struct ironmap__tag_user **link; /* which points here */
} ironmap__tag_user;

/* Registers the handler for the end of the program. An error if that or the handlers for fork could
 * not be registered. */
int ironmap__tag_users_prepare(ironmap_error *error);

/* Lock what this file declares: no other thread of the process forks meanwhile. Never held while a
 * call may wait or take long: not for memory, a lock of flock(2), or close(2). */
void ironmap__tag_users_lock(void);
void ironmap__tag_users_unlock(void);

/* ---- descriptors in use for a moment ----
 *
 * A child of fork closes its copies, newest first: a lock of a file never outlives that of the
 * folder which was locked before. */

/* Record a descriptor that was just opened, and forget one. With the list locked. */
void ironmap__tag_fd_add(ironmap__tag_fd *fd);
void ironmap__tag_fd_remove(ironmap__tag_fd *fd);

/* Closes a recorded descriptor, then forgets it. With the list unlocked: close(2) takes long if the
 * file was removed and has much memory. Returns 0 or an errno. */
int ironmap__tag_fd_close(ironmap__tag_fd *fd);

/* ---- open tags ---- */

/* Makes `user`, whose descriptor is recorded, an open tag. With the list unlocked. */
void ironmap__tag_user_add(ironmap__tag_user *user);

/* Releases the lock, removes the file if that was the last lock, and closes the descriptor. With
 * the list unlocked. Returns 0 or an errno. */
int ironmap__tag_user_end(ironmap__tag_user *user);

#endif /* IRONMAP_TAG_USERS_H */
