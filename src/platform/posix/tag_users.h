/* The tags that this process has open. */
#ifndef IRONMAP_TAG_USERS_H
#define IRONMAP_TAG_USERS_H

#include <sys/types.h>

#include "tag_folder.h"

/* An open tag. tag.handle is the descriptor that has the lock. */
typedef struct ironmap__tag_user {
    ironmap__tag tag; /* first: the library's pointer is to this field */
    ironmap__tag_path path;
    pid_t process;    /* that acquired the lock */
    bool shares_lock; /* with another process: never unlock explicitly */
    bool released;    /* when the program exited */
    int child_fd;     /* during fork: the descriptor with the child's lock; -1: none */
    struct ironmap__tag_user *next;
} ironmap__tag_user;

/* Locks the list: no other thread of the process opens or closes a tag, or forks, so that no child
 * shares a lock that is just being acquired. Registers the handler for the end of the program. */
int ironmap__tag_users_lock(ironmap_error *error);
void ironmap__tag_users_unlock(void);

/* Adds to the list and removes from it, while it is locked. */
void ironmap__tag_users_add(ironmap__tag_user *user);
void ironmap__tag_users_remove(ironmap__tag_user *user);

/* Releases the tag's lock, and removes its file if that was the last lock. While the list is
 * locked. */
void ironmap__tag_release(const ironmap__tag_user *user);

#endif /* IRONMAP_TAG_USERS_H */
