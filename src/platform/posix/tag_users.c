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
 *     opening   lock 3     opening   lock 3          opening closed
 *
 * If a tag cannot be opened again (no descriptor left, its file removed), both processes keep the
 * one lock and never unlock it explicitly. It ends when both have closed their descriptors, and
 * leaves a file without users. The same holds for a process made without these handlers, as by
 * clone(2), which `process` tells.
 *
 * A tag that another thread is opening or closing is not the child's. The child closes its copy of
 * the descriptor, so that the lock is the parent's alone. Descriptors are recorded for that while
 * they are open. They are opened with the list locked, but they are locked, given memory and closed
 * without that: fork waits for none of it. So a recorded number may be closed already and be that
 * of another file. The child closes a number only if it is still open for the same file and is not
 * that of an open tag.
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
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

static pthread_mutex_t users_mutex = PTHREAD_MUTEX_INITIALIZER;
static ironmap__tag_user *users;
static ironmap__tag_fd *momentary; /* descriptors in use for a moment, newest first */
static bool users_watch_exit;
static int users_atfork;    /* what pthread_atfork has returned */
static int users_cancel_at; /* during fork: if the forking thread could be cancelled */

/* ---- fork ---- */

/* A second descriptor with its own lock, or -1. */
static int open_again(const ironmap__tag_user *user)
{
    ironmap__tag_fd folder;
    ironmap__tag_fd again;
    const char *name = user->path.file;
    if (ironmap__tag_folder_open(&folder, &user->path, NULL) != IRONMAP_OK) {
        return -1;
    }
    int status = ironmap__tag_file_open(&again, folder.number, name, false, NULL);
    bool done = status == IRONMAP_OK && again.device == user->fd.device &&
                again.inode == user->fd.inode &&
                ironmap__tag_file_check(folder.number, name, &again, NULL) == IRONMAP_OK &&
                ironmap__tag_lock(again.number, LOCK_SH, NULL) == IRONMAP_OK;
    if (status == IRONMAP_OK && !done) {
        (void)close(again.number);
    }
    (void)close(folder.number);
    return done ? again.number : -1;
}

/* The calls of these handlers are cancellation points. fork is none. */
static void users_before_fork(void)
{
    int cancel = 0;
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    (void)pthread_mutex_lock(&users_mutex);
    users_cancel_at = cancel;
    for (ironmap__tag_user *user = users; user != NULL; user = user->next) {
        user->child_fd = user->shares_lock ? -1 : open_again(user);
        user->shares_lock = user->child_fd == -1;
    }
}

static void users_after_fork(void)
{
    int cancel = users_cancel_at;
    (void)pthread_mutex_unlock(&users_mutex);
    (void)pthread_setcancelstate(cancel, NULL);
}

static void users_after_fork_parent(void)
{
    for (ironmap__tag_user *user = users; user != NULL; user = user->next) {
        if (user->child_fd != -1) {
            (void)close(user->child_fd);
        }
    }
    users_after_fork();
}

/* True if the number is that of an open tag. */
static bool is_users(int number)
{
    for (const ironmap__tag_user *user = users; user != NULL; user = user->next) {
        if (user->fd.number == number || user->child_fd == number) {
            return true;
        }
    }
    return false;
}

/* Other threads had these, and the child has no other threads. */
static void close_momentary(void)
{
    struct stat status;
    for (const ironmap__tag_fd *fd = momentary; fd != NULL; fd = fd->next) {
        if (fstat(fd->number, &status) == 0 && status.st_dev == fd->device &&
            status.st_ino == fd->inode && !is_users(fd->number)) {
            (void)close(fd->number);
        }
    }
    momentary = NULL;
}

/* The number of the descriptor stays: the map has it. */
static void users_after_fork_child(void)
{
    close_momentary();
    for (ironmap__tag_user *user = users; user != NULL; user = user->next) {
        user->process = getpid();
        if (user->child_fd != -1) {
            user->shares_lock = dup2(user->child_fd, user->fd.number) == -1;
            (void)fcntl(user->fd.number, F_SETFD, FD_CLOEXEC);
            (void)close(user->child_fd);
        }
    }
    users_after_fork();
}

/* ---- release ---- */

/* Ends the lock. False if it is not this process's alone. */
static bool unlock(const ironmap__tag_user *user)
{
    return !user->shares_lock && user->process == getpid() && flock(user->fd.number, LOCK_UN) == 0;
}

/* Other functions that run at exit may still use and close the maps: releasing twice does no harm.
 */
static void users_at_exit(void)
{
    ironmap__tag_fd folder;
    ironmap__tag_users_lock();
    for (ironmap__tag_user *user = users; user != NULL; user = user->next) {
        if (unlock(user) && ironmap__tag_folder_open(&folder, &user->path, NULL) == IRONMAP_OK) {
            ironmap__tag_file_remove_unused(folder.number, user->path.file, &user->fd);
            (void)close(folder.number);
        }
    }
    ironmap__tag_users_unlock();
}

static void remove_if_unused(const ironmap__tag_user *user)
{
    ironmap__tag_fd folder;
    ironmap__tag_users_lock();
    int status = ironmap__tag_folder_open(&folder, &user->path, NULL);
    if (status == IRONMAP_OK) {
        ironmap__tag_fd_add(&folder);
    }
    ironmap__tag_users_unlock();
    if (status == IRONMAP_OK) {
        ironmap__tag_file_remove_unused(folder.number, user->path.file, &user->fd);
        (void)ironmap__tag_fd_close(&folder);
    }
}

/* ---- the list ---- */

/* Runs when the library is loaded. With the first tag would be too late: a child that is forked
 * while another thread has the mutex would find it locked for ever. */
__attribute__((constructor)) static void users_register_atfork(void)
{
    users_atfork =
        pthread_atfork(users_before_fork, users_after_fork_parent, users_after_fork_child);
}

int ironmap__tag_users_prepare(ironmap_error *error)
{
    if (users_atfork != 0) {
        return ironmap__fail_system(error, users_atfork, "pthread_atfork");
    }
    ironmap__tag_users_lock();
    users_watch_exit = users_watch_exit || atexit(users_at_exit) == 0;
    bool watch = users_watch_exit;
    ironmap__tag_users_unlock();
    return watch ? IRONMAP_OK : ironmap__fail_system(error, ENOMEM, "atexit");
}

void ironmap__tag_users_lock(void)
{
    (void)pthread_mutex_lock(&users_mutex);
}

void ironmap__tag_users_unlock(void)
{
    (void)pthread_mutex_unlock(&users_mutex);
}

void ironmap__tag_fd_add(ironmap__tag_fd *fd)
{
    fd->next = momentary;
    momentary = fd;
}

void ironmap__tag_fd_remove(ironmap__tag_fd *fd)
{
    ironmap__tag_fd **link = &momentary;
    while (*link != fd) {
        link = &(*link)->next;
    }
    *link = fd->next;
}

/* After EINTR the descriptor is closed on Linux and FreeBSD, unspecified elsewhere. */
int ironmap__tag_fd_close(ironmap__tag_fd *fd)
{
    int code = close(fd->number) == -1 && errno != EINTR ? errno : 0;
    ironmap__tag_users_lock();
    ironmap__tag_fd_remove(fd);
    ironmap__tag_users_unlock();
    return code;
}

void ironmap__tag_user_add(ironmap__tag_user *user)
{
    ironmap__tag_users_lock();
    ironmap__tag_fd_remove(&user->fd);
    user->next = users;
    user->link = &users;
    if (users != NULL) {
        users->link = &user->next;
    }
    users = user;
    ironmap__tag_users_unlock();
}

int ironmap__tag_user_end(ironmap__tag_user *user)
{
    ironmap__tag_users_lock();
    *user->link = user->next;
    if (user->next != NULL) {
        user->next->link = user->link;
    }
    ironmap__tag_fd_add(&user->fd);
    ironmap__tag_users_unlock();
    if (unlock(user)) {
        remove_if_unused(user);
    }
    return ironmap__tag_fd_close(&user->fd);
}
