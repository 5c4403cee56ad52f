/* Inside the Unix room: the tags that this process uses. */
#ifndef IRONMAP_TAG_USERS_H
#define IRONMAP_TAG_USERS_H

#include "tag_place.h"

/* A hold on a tag, as this process knows it. tag.handle is the descriptor with the lock. */
typedef struct ironmap__tag_user {
    ironmap__tag tag; /* first: what the library has is a pointer to it */
    ironmap__tag_place place;
    pid_t process; /* whose lock it is */
    bool shared;   /* the lock is another process's, too: it must not be let go by hand */
    bool left;     /* the lock was let go when the program ended */
    int spare;     /* during fork: the child's lock; -1: none */
    struct ironmap__tag_user *next;
} ironmap__tag_user;

/* Between these two no other thread of the process opens or closes a tag, and none forks, so that
 * no child has a part in locks that are being taken. Sees to it that the end of the program is
 * noticed. */
int ironmap__tag_users_lock(ironmap_error *error);
void ironmap__tag_users_unlock(void);

/* Enters and leaves the list, under the lock. */
void ironmap__tag_users_add(ironmap__tag_user *user);
void ironmap__tag_users_remove(ironmap__tag_user *user);

/* Lets go of the lock, and removes the file if that was the last one. Under the lock. */
void ironmap__tag_leave(const ironmap__tag_user *user);

#endif /* IRONMAP_TAG_USERS_H */
