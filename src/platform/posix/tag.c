/* Tags on Unix: a file for each tag, with a lock of every user on it.
 *
 * THE FILE begins with a header: the length of the tag, and the file that it is a tag of. The
 * memory follows at the next page. A tag of a file is the header alone.
 *
 * LOCKS are those of flock(2). They belong to the open file description and end with it, however
 * the process ends. No call waits for one.
 *
 *     folder  exclusive  a process finds out if a file has users, one at a time
 *     file    shared     a user, from before it maps until after it has unmapped
 *             exclusive  no users: the tag is made or its file removed
 *
 * OPEN (open_once), with the folder locked:
 *
 *     1. open or create the file
 *     2. lock it shared              refused: another has it exclusively -> retry
 *     3. lock it exclusively         granted: no users, the content is stale -> make
 *     4. lock it shared again        refused -> retry; flock(2) of Linux drops the lock in step 3
 *     5. compare path and file       differ -> retry
 *     user
 *
 * MAKE (make_tag), with the file locked exclusively and the folder unlocked: truncate it to
 * nothing, set its length, reserve its blocks, write the header last, lock it shared, compare path
 * and file.
 *
 * CLOSE (ironmap__tag_release): unlock, lock exclusively. If that is granted and path and file are
 * the same, remove the file. Two processes that close at once are both without a lock when they ask
 * for the exclusive one, so at least one of them is granted it.
 *
 * STALE BYTES ARE NEVER USED. A file's content is used only after step 4, where another process had
 * a lock after step 2 and at step 3. An exclusive lock would have excluded ours, so it was shared.
 * Locks are made shared with the folder locked, which is ours, or by the maker at its end: the
 * holder is a user and was alive at step 3. Step 2 is needed: a process that removes a stale file
 * has it exclusively, and may be killed before it has removed it.
 *
 * IF A PROCESS IS KILLED its locks end. A file without a lock is made again by the next open of
 * that tag, whatever its header says, or removed by a sweep when another tag is made.
 *
 * RACES.
 * - Two opens: one at a time has the folder. The second is refused at step 2 or finds a user.
 * - Open and last close: if the closer has the file exclusively, step 2 or 4 is refused, or step 5
 * sees that the file was removed. If the opener has it, the closer leaves the file alone.
 * - The sweep and a new file that is not locked yet: step 2 is refused, or step 5 sees the removal.
 * - The change from exclusive to shared is one step on Linux and may be two elsewhere. A process in
 *   between makes the file again or removes it. The maker's lock is then refused, path and file
 *   differ, or the header is incomplete: retry. Or the maker maps the other's memory, still unused.
 * - Fork: see tag_users.c.
 *
 * A process that is stopped with the folder or the file locked exclusively delays opens, which call
 * request->stop meanwhile. A close never waits for another process.
 */
#include "features.h"

#include "tag_users.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/range.h"

/* Written in the byte order of the process that makes the tag, and checked by `order`. */
typedef struct tag_header {
    char magic[8];
    uint32_t order;
    uint32_t unused; /* padding, the same on all processors */
    uint64_t start;  /* of the memory; 0: a tag of a file */
    uint64_t length; /* of the tag */
    uint64_t device; /* the file that the tag is of */
    uint64_t inode;
} tag_header;

static const char tag_magic[8] = {'i', 'r', 'o', 'n', 'm', 'a', 'p', '1'};
static const uint32_t tag_order = 0x01020304;

/* What to open. */
typedef struct tag_opening {
    const ironmap__tag_request *request;
    tag_header header; /* of the tag if this process makes it */
} tag_opening;

/* Like IRONMAP__RETRY, for an incomplete header. */
enum { HEADER_INCOMPLETE = IRONMAP__RETRY + 1 };

/* ---- the header ---- */

/* The header of a new tag. */
static int header_of(tag_header *made, ironmap__file file, uint64_t length, ironmap_error *error)
{
    *made = (tag_header){.order = tag_order, .length = length};
    memcpy(made->magic, tag_magic, sizeof(tag_magic));
    if (file == IRONMAP__NO_FILE) {
        made->start = ironmap__align_up(sizeof(tag_header), ironmap__granularity());
        return length <= IRONMAP__FILE_MAX - made->start ? IRONMAP_OK
                                                         : ironmap__fail(error, IRONMAP_E_OVERFLOW);
    }
    struct stat status;
    if (fstat((int)file, &status) == -1) {
        return ironmap__fail_system(error, errno, "fstat");
    }
    made->device = (uint64_t)status.st_dev;
    made->inode = (uint64_t)status.st_ino;
    return IRONMAP_OK;
}

static bool header_is_complete(const tag_header *found)
{
    return memcmp(found->magic, tag_magic, sizeof(tag_magic)) == 0 && found->order == tag_order &&
           found->start <= IRONMAP__FILE_MAX && found->length <= IRONMAP__FILE_MAX - found->start;
}

static bool header_is_of_same_file(const tag_header *found, const tag_header *wanted)
{
    return (found->start == 0) == (wanted->start == 0) && found->device == wanted->device &&
           found->inode == wanted->inode;
}

static int header_write(int fd, const tag_header *made, ironmap_error *error)
{
    ssize_t count = pwrite(fd, made, sizeof(*made), 0);
    if (count != (ssize_t)sizeof(*made)) {
        return ironmap__fail_system(error, count == -1 ? errno : EIO, "pwrite");
    }
    return IRONMAP_OK;
}

/* ---- making ---- */

/* Without reserved blocks, full memory is a lost page later. Not every file system can reserve. */
static int reserve_if_supported(int fd, uint64_t length, ironmap_error *error)
{
    int status = ironmap__file_reserve(fd, 0, length, error);
    return status == IRONMAP_E_UNSUPPORTED ? IRONMAP_OK : status;
}

static int write_tag(int fd, const tag_header *made, ironmap_error *error)
{
    uint64_t end = made->start == 0 ? sizeof(*made) : made->start + made->length;
    int status = ironmap__file_set_length(fd, 0, error);
    if (status == IRONMAP_OK) {
        status = ironmap__file_set_length(fd, end, error);
    }
    if (status == IRONMAP_OK) {
        status = reserve_if_supported(fd, end, error);
    }
    return status == IRONMAP_OK ? header_write(fd, made, error) : status;
}

/* Sweeps the folder, but not for every new tag if there are many: making n tags would look at n * n
 * files. The list of users is locked. */
static void sweep_sometimes(int folder)
{
    enum { FILES_PER_NEW_TAG = 64 };
    static size_t makes_before_next;
    if (makes_before_next > 0) {
        makes_before_next--;
    } else {
        makes_before_next = ironmap__tag_folder_sweep(folder) / FILES_PER_NEW_TAG;
    }
}

/* Makes the tag in a file that is locked exclusively, then locks it shared. */
static int make_tag(const ironmap__tag_user *user, int folder, const tag_opening *opening,
                    ironmap_error *error)
{
    int fd = (int)user->tag.handle;
    sweep_sometimes(folder);
    int status = opening->request->length == 0 ? ironmap__fail(error, IRONMAP_E_NO_TAG)
                                               : write_tag(fd, &opening->header, error);
    if (status != IRONMAP_OK) {
        ironmap__tag_file_remove_unused(folder, user->path.file, fd);
        return status;
    }
    status = ironmap__tag_lock(fd, LOCK_SH, error);
    if (status == IRONMAP_OK && !ironmap__tag_file_is(folder, user->path.file, fd)) {
        status = IRONMAP__RETRY;
    }
    return status;
}

/* ---- opening ---- */

/* Steps 2 to 5. */
static int lock_and_find_users(bool *used, const ironmap__tag_user *user, int folder,
                               ironmap_error *error)
{
    int fd = (int)user->tag.handle;
    int status = ironmap__tag_lock(fd, LOCK_SH, error);
    if (status != IRONMAP_OK) {
        return status;
    }
    status = ironmap__tag_lock(fd, LOCK_EX, error);
    *used = status == IRONMAP__RETRY;
    if (*used) {
        status = ironmap__tag_lock(fd, LOCK_SH, error);
    }
    if (status == IRONMAP_OK && !ironmap__tag_file_is(folder, user->path.file, fd)) {
        status = IRONMAP__RETRY;
    }
    return status;
}

/* Reads the header. The tag is in use, at least by this process. */
static int read_tag(ironmap__tag_user *user, const tag_opening *opening, ironmap_error *error)
{
    tag_header found = {0};
    int status = ironmap__file_read(&found, user->tag.handle, 0, sizeof(found), error);
    if (status != IRONMAP_OK) {
        return status;
    }
    if (!header_is_complete(&found)) {
        return HEADER_INCOMPLETE;
    }
    if (!header_is_of_same_file(&found, &opening->header)) {
        return ironmap__fail(error, IRONMAP_E_TAG_TAKEN);
    }
    user->tag.length = found.length;
    user->tag.start = found.start;
    user->tag.memory = found.start == 0 ? IRONMAP__NO_FILE : user->tag.handle;
    return IRONMAP_OK;
}

/* Opens the tag, with its file open. */
static int open_in_file(ironmap__tag_user *user, int folder, const tag_opening *opening,
                        ironmap_error *error)
{
    bool used = false;
    int status = lock_and_find_users(&used, user, folder, error);
    if (status == IRONMAP_OK && !used) {
        (void)flock(folder, LOCK_UN);
        status = make_tag(user, folder, opening, error);
    }
    return status == IRONMAP_OK ? read_tag(user, opening, error) : status;
}

/* Opens the tag, with the folder open. */
static int open_in_folder(ironmap__tag_user *user, int folder, const tag_opening *opening,
                          ironmap_error *error)
{
    int fd = -1;
    int status = ironmap__tag_lock(folder, LOCK_EX, error);
    if (status == IRONMAP_OK) {
        status = ironmap__tag_file_open(&fd, folder, user->path.file, opening->request->length != 0,
                                        error);
    }
    if (status != IRONMAP_OK) {
        return status;
    }
    user->tag.handle = fd;
    status = open_in_file(user, folder, opening, error);
    if (status != IRONMAP_OK) {
        (void)close(fd);
    }
    return status;
}

/* One attempt. Returns a status, IRONMAP__RETRY or HEADER_INCOMPLETE. */
static int open_once(ironmap__tag_user *user, const tag_opening *opening, ironmap_error *error)
{
    int folder = -1;
    int status =
        ironmap__tag_folder_open(&folder, &user->path, opening->request->length != 0, error);
    if (status != IRONMAP_OK) {
        return status;
    }
    status = open_in_folder(user, folder, opening, error);
    (void)flock(folder, LOCK_UN);
    (void)close(folder);
    if (status != IRONMAP_OK) {
        ironmap__tag_folder_remove(&user->path);
    }
    return status;
}

/* Another process has a lock: yields at first, then sleeps and asks if to stop. */
static int wait_before(unsigned attempt, const tag_opening *opening, ironmap_error *error)
{
    enum { YIELDS = 20 };
    const struct timespec millisecond = {.tv_nsec = 1000000};
    if (attempt < YIELDS) {
        (void)sched_yield();
        return IRONMAP_OK;
    }
    (void)nanosleep(&millisecond, NULL);
    const ironmap__tag_request *request = opening->request;
    bool stop = request->stop != NULL && request->stop(request->context) != 0;
    return stop ? ironmap__fail(error, IRONMAP_E_INTERRUPTED) : IRONMAP_OK;
}

/* One attempt, during which no other thread of the process opens, closes or forks. */
static int open_with_list_locked(ironmap__tag_user *user, const tag_opening *opening,
                                 ironmap_error *error)
{
    int status = ironmap__tag_users_lock(error);
    if (status != IRONMAP_OK) {
        return status;
    }
    status = open_once(user, opening, error);
    if (status == IRONMAP_OK) {
        ironmap__tag_users_add(user);
    }
    ironmap__tag_users_unlock();
    return status;
}

/* A header that stays incomplete is that of another version or of another program. */
static int open_with_retries(ironmap__tag_user *user, const tag_opening *opening,
                             ironmap_error *error)
{
    enum { INCOMPLETE_RETRIES_MAX = 100 };
    int status = IRONMAP__RETRY;
    for (unsigned attempt = 0; status > 0; attempt++) {
        if (status == HEADER_INCOMPLETE && attempt > INCOMPLETE_RETRIES_MAX) {
            return ironmap__fail(error, IRONMAP_E_TAG_TAKEN);
        }
        int waited = attempt > 0 ? wait_before(attempt, opening, error) : IRONMAP_OK;
        if (waited != IRONMAP_OK) {
            return waited;
        }
        status = open_with_list_locked(user, opening, error);
    }
    return status;
}

int ironmap__tag_open(ironmap__tag **tag, const ironmap__tag_request *request, ironmap_error *error)
{
    tag_opening opening = {.request = request};
    ironmap__tag_user *user = calloc(1, sizeof(*user));
    if (user == NULL) {
        return ironmap__fail(error, IRONMAP_E_NOMEM);
    }
    memcpy(user->tag.name, request->name, strlen(request->name) + 1);
    user->process = getpid();
    user->child_fd = -1;
    int status = header_of(&opening.header, request->file, request->length, error);
    if (status == IRONMAP_OK) {
        status = ironmap__tag_path_of(&user->path, user->tag.name, error);
    }
    if (status == IRONMAP_OK) {
        status = open_with_retries(user, &opening, error);
    }
    if (status != IRONMAP_OK) {
        free(user);
        return status;
    }
    *tag = &user->tag;
    return IRONMAP_OK;
}

int ironmap__tag_map(ironmap__view *view, const ironmap__mode *mode, const ironmap__tag *tag,
                     ironmap__file file, uint64_t offset, size_t length, ironmap_error *error)
{
    (void)tag;
    return ironmap__view_map(view, mode, file, offset, length, error);
}

int ironmap__tag_close(ironmap__tag *tag, ironmap_error *error)
{
    ironmap__tag_user *user = (ironmap__tag_user *)(void *)tag;
    int status = ironmap__tag_users_lock(error);
    if (status != IRONMAP_OK) {
        return status;
    }
    ironmap__tag_users_remove(user);
    ironmap__tag_release(user);
    status = ironmap__file_close(tag->handle, error);
    ironmap__tag_users_unlock();
    free(user);
    return status;
}
