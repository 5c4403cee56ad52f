/* Inside the Unix room: the tags that this process uses. */
#ifndef MAPIO_TAG_USERS_H
#define MAPIO_TAG_USERS_H

#include "tag_place.h"

/* A hold on a tag, as this process knows it. tag.hold is the descriptor with the lock. */
typedef struct mapio__tag_user {
    mapio__tag tag; /* first: what the library has is a pointer to it */
    mapio__tag_place place;
    pid_t process; /* whose lock it is */
    bool shared;   /* the lock is another process's, too: it must not be let go by hand */
    bool left;     /* the lock was let go when the program ended */
    int spare;     /* during fork: the child's lock; -1: none */
    struct mapio__tag_user *next;
} mapio__tag_user;

/* Between these two no other thread of the process opens or closes a tag, and none forks, so that
 * no child has a part in locks that are being taken. Sees to it that the end of the program is
 * noticed. */
int mapio__tag_users_lock(mapio_error *error);
void mapio__tag_users_unlock(void);

/* Enters and leaves the list, under the lock. */
void mapio__tag_users_add(mapio__tag_user *user);
void mapio__tag_users_remove(mapio__tag_user *user);

/* Lets go of the lock, and removes the file if that was the last one. Under the lock. */
void mapio__tag_leave(const mapio__tag_user *user);

#endif /* MAPIO_TAG_USERS_H */
