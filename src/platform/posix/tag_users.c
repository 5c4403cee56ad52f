/* The tags that this process has open, and what happens to them at fork and at exit.
 *
 * FORK. A child shares the open file description, and a lock of flock(2) belongs to that: an unlock
 * by either process would unlock both. So each tag is opened and locked once more before fork. The
 * parent closes that descriptor afterwards. The child puts it in the place of the inherited one.
 * Each then has its own lock, and at no moment is there none.
 *
 *     before fork          parent                    child
 *     handle    lock 1     handle    lock 1          handle = child_fd   lock 2
 *     child_fd  lock 2     child_fd closed           child_fd closed
 *
 * If a tag cannot be opened again (no descriptor left, its file removed), both processes keep the
 * one lock and never unlock it explicitly. It ends when both have closed their descriptors, and
 * leaves a file without users. The same holds for a process made without these handlers, as by
 * clone(2), which `process` tells.
 *
 * EXIT. A program that exits without closing its maps releases its tags as if it had closed them. A
 * program that is killed or calls _exit leaves files without users.
 */
#include "features.h"

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
static bool users_watch_exit;
static int users_atfork; /* what pthread_atfork has returned */

/* ---- fork ---- */

/* A second descriptor with its own lock, or -1. */
static int open_again(const ironmap__tag_user *user)
{
    int folder = -1;
    int fd = -1;
    if (ironmap__tag_folder_open(&folder, &user->path, false, NULL) != IRONMAP_OK) {
        return -1;
    }
    int status = ironmap__tag_file_open(&fd, folder, user->path.file, false, NULL);
    bool done = status == IRONMAP_OK &&
                ironmap__tag_file_is(folder, user->path.file, (int)user->tag.handle) &&
                ironmap__tag_file_is(folder, user->path.file, fd) &&
                ironmap__tag_lock(fd, LOCK_SH, NULL) == IRONMAP_OK;
    if (status == IRONMAP_OK && !done) {
        (void)close(fd);
    }
    (void)close(folder);
    return done ? fd : -1;
}

static void users_before_fork(void)
{
    (void)pthread_mutex_lock(&users_mutex);
    for (ironmap__tag_user *user = users; user != NULL; user = user->next) {
        user->child_fd = user->shares_lock || user->released ? -1 : open_again(user);
        user->shares_lock = user->child_fd == -1;
    }
}

static void users_after_fork_parent(void)
{
    for (ironmap__tag_user *user = users; user != NULL; user = user->next) {
        if (user->child_fd != -1) {
            (void)close(user->child_fd);
        }
    }
    (void)pthread_mutex_unlock(&users_mutex);
}

/* The number of the descriptor stays: the map has it. */
static void users_after_fork_child(void)
{
    for (ironmap__tag_user *user = users; user != NULL; user = user->next) {
        user->process = getpid();
        if (user->child_fd != -1) {
            user->shares_lock = dup2(user->child_fd, (int)user->tag.handle) == -1;
            (void)fcntl((int)user->tag.handle, F_SETFD, FD_CLOEXEC);
            (void)close(user->child_fd);
        }
    }
    (void)pthread_mutex_unlock(&users_mutex);
}

/* ---- exit ---- */

void ironmap__tag_release(const ironmap__tag_user *user)
{
    int folder = -1;
    if (user->shares_lock || user->released || user->process != getpid() ||
        flock((int)user->tag.handle, LOCK_UN) == -1 ||
        ironmap__tag_folder_open(&folder, &user->path, false, NULL) != IRONMAP_OK) {
        return;
    }
    ironmap__tag_file_remove_unused(folder, user->path.file, (int)user->tag.handle);
    (void)close(folder);
    ironmap__tag_folder_remove(&user->path);
}

/* Other functions that run at exit may still use and close the maps. */
static void users_at_exit(void)
{
    (void)pthread_mutex_lock(&users_mutex);
    for (ironmap__tag_user *user = users; user != NULL; user = user->next) {
        ironmap__tag_release(user);
        user->released = true;
    }
    (void)pthread_mutex_unlock(&users_mutex);
}

/* ---- the list ---- */

/* Runs when the library is loaded. With the first tag would be too late: a child that is forked
 * while another thread has the mutex would find it locked for ever. */
__attribute__((constructor)) static void users_register_atfork(void)
{
    users_atfork =
        pthread_atfork(users_before_fork, users_after_fork_parent, users_after_fork_child);
}

static int users_prepare(ironmap_error *error)
{
    if (users_atfork != 0) {
        return ironmap__fail_system(error, users_atfork, "pthread_atfork");
    }
    if (!users_watch_exit && atexit(users_at_exit) != 0) {
        return ironmap__fail_system(error, ENOMEM, "atexit");
    }
    users_watch_exit = true;
    return IRONMAP_OK;
}

int ironmap__tag_users_lock(ironmap_error *error)
{
    (void)pthread_mutex_lock(&users_mutex);
    int status = users_prepare(error);
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
