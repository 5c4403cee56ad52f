/* The tags that this process uses, and what becomes of them when it forks and when it ends.
 *
 * FORK. A lock of flock(2) belongs to the open file description, which a child shares: if either
 * let go of it, both would have lost it. So each tag is opened and locked once more before fork;
 * the parent closes that descriptor afterwards, the child puts it in the place of the one that it
 * has inherited. Each has a lock of its own then, and there is no moment without one. Where a tag
 * cannot be opened again (no descriptor left, or somebody has removed its file) both go on with the
 * one lock and never let go of it by hand: it ends when the last of them has closed its descriptor,
 * and the file is then one that nobody uses. The same goes for a process that came about without
 * these handlers, as with clone(2): `process` tells.
 *
 * THE END. A program that ends without closing its maps leaves its tags, as if it had closed them;
 * one that is killed, or ends with _exit, leaves files that nobody uses.
 */
#include "tag_users.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/error.h"

static pthread_mutex_t users_mutex = PTHREAD_MUTEX_INITIALIZER;
static ironmap__tag_user *users;
static bool watches_end;
static int watches_forks; /* what pthread_atfork has returned */

/* ---- fork ---- */

/* A second descriptor with a lock of its own, or -1. */
static int open_again(const ironmap__tag_user *user)
{
    int folder = -1;
    int fd = -1;
    if (ironmap__tag_folder_open(&folder, &user->place, false, NULL) != IRONMAP_OK) {
        return -1;
    }
    int status = ironmap__tag_file_open(&fd, folder, user->place.file, false, NULL);
    bool done = status == IRONMAP_OK &&
                ironmap__tag_file_is(folder, user->place.file, (int)user->tag.handle) &&
                ironmap__tag_file_is(folder, user->place.file, fd) &&
                ironmap__tag_lock(fd, LOCK_SH, NULL) == IRONMAP_OK;
    if (status == IRONMAP_OK && !done) {
        (void)close(fd);
    }
    (void)close(folder);
    return done ? fd : -1;
}

static void before_fork(void)
{
    (void)pthread_mutex_lock(&users_mutex);
    for (ironmap__tag_user *user = users; user != NULL; user = user->next) {
        user->spare = user->shared || user->left ? -1 : open_again(user);
        user->shared = user->spare == -1;
    }
}

static void after_fork_parent(void)
{
    for (ironmap__tag_user *user = users; user != NULL; user = user->next) {
        if (user->spare != -1) {
            (void)close(user->spare);
        }
    }
    (void)pthread_mutex_unlock(&users_mutex);
}

/* In a child, where the descriptor's number stays: the map knows it. */
static void after_fork_child(void)
{
    for (ironmap__tag_user *user = users; user != NULL; user = user->next) {
        user->process = getpid();
        if (user->spare != -1) {
            user->shared = dup2(user->spare, (int)user->tag.handle) == -1;
            (void)fcntl((int)user->tag.handle, F_SETFD, FD_CLOEXEC);
            (void)close(user->spare);
        }
    }
    (void)pthread_mutex_unlock(&users_mutex);
}

/* ---- the end ---- */

void ironmap__tag_leave(const ironmap__tag_user *user)
{
    int folder = -1;
    if (user->shared || user->left || user->process != getpid() ||
        flock((int)user->tag.handle, LOCK_UN) == -1 ||
        ironmap__tag_folder_open(&folder, &user->place, false, NULL) != IRONMAP_OK) {
        return;
    }
    ironmap__tag_file_remove_unused(folder, user->place.file, (int)user->tag.handle);
    (void)close(folder);
    ironmap__tag_folder_remove(&user->place);
}

/* Other code that runs at the end may still use and close the maps. */
static void at_exit(void)
{
    (void)pthread_mutex_lock(&users_mutex);
    for (ironmap__tag_user *user = users; user != NULL; user = user->next) {
        ironmap__tag_leave(user);
        user->left = true;
    }
    (void)pthread_mutex_unlock(&users_mutex);
}

/* ---- the list ---- */

/* When the library is loaded, and not with the first tag: a child that was forked in between, while
 * another thread had the mutex, would find it locked for ever. */
__attribute__((constructor)) static void watch_forks(void)
{
    watches_forks = pthread_atfork(before_fork, after_fork_parent, after_fork_child);
}

/* Once in the life of the process. */
static int watch_end(ironmap_error *error)
{
    if (watches_forks != 0) {
        return ironmap__fail_system(error, watches_forks, "pthread_atfork");
    }
    if (!watches_end && atexit(at_exit) != 0) {
        return ironmap__fail_system(error, ENOMEM, "atexit");
    }
    watches_end = true;
    return IRONMAP_OK;
}

int ironmap__tag_users_lock(ironmap_error *error)
{
    (void)pthread_mutex_lock(&users_mutex);
    int status = watch_end(error);
    if (status != IRONMAP_OK) {
        (void)pthread_mutex_unlock(&users_mutex);
    }
    return status;
}

void ironmap__tag_users_unlock(void)
{
    (void)pthread_mutex_unlock(&users_mutex);
}

void ironmap__tag_users_add(ironmap__tag_user *user)
{
    user->next = users;
    users = user;
}

void ironmap__tag_users_remove(ironmap__tag_user *user)
{
    ironmap__tag_user **link = &users;
    while (*link != user) {
        link = &(*link)->next;
    }
    *link = user->next;
}
