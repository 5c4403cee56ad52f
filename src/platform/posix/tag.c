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
 * and file. Threads of this process are to each other as processes are: no lock of the process is
 * held over any of this, which takes long for much memory.
 *
 * CLOSE (ironmap__tag_user_end): unlock, lock exclusively. If that is granted and path and file are
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
 * CANCELLATION. Opening and closing are not cancellation points: a cancelled thread would leave
 * locks and descriptors behind.
 *
 * A process that is stopped with the folder or the file locked exclusively delays opens, which call
 * request->stop meanwhile. A close never waits for another process.
 */
#include "features.h"

#include "tag_users.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/range.h"
#include "tag_sweep.h"

/* Written in the byte order of the process that makes the tag, and checked by `order`. */
typedef struct tag_header {
    char magic[8];
    uint32_t order;
    uint32_t unused; /* padding, the same on all processors */
    uint64_t start;  /* of the memory; 0: a tag of a file */
    uint64_t length; /* of the tag */
    uint64_t device; /* the file that the tag is of */
    uint64_t inode;
    char tag[208]; /* the tag, and zeros */
} tag_header;

static_assert(IRONMAP__TAG_MAX < sizeof(((tag_header *)NULL)->tag), "the header has the tag");

static const char tag_magic[8] = {'i', 'r', 'o', 'n', 'm', 'a', 'p', '2'};
static const uint32_t tag_order = 0x01020304;

/* What to open. */
typedef struct tag_opening {
    const ironmap__tag_request *request;
    tag_header header; /* of the tag if this process makes it */
} tag_opening;

/* Beside IRONMAP__BUSY and IRONMAP__CHANGED. */
enum { HEADER_INCOMPLETE = IRONMAP__CHANGED + 1 };

/* ---- the header ---- */

/* The header of a new tag. */
static int header_of(tag_header *made, const ironmap__tag_request *request, ironmap_error *error)
{
    ironmap__file file = request->file;
    uint64_t length = request->length;
    const char *tag = ironmap__tag_of_name(request->name);
    *made = (tag_header){.order = tag_order, .length = length};
    memcpy(made->magic, tag_magic, sizeof(tag_magic));
    memcpy(made->tag, tag, strlen(tag));
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

/* True for the same tag of the same file. */
static bool header_is_of_same_tag(const tag_header *found, const tag_header *wanted)
{
    return (found->start == 0) == (wanted->start == 0) && found->device == wanted->device &&
           found->inode == wanted->inode &&
           memcmp(found->tag, wanted->tag, sizeof(found->tag)) == 0;
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

/* Makes the tag in a file that is locked exclusively, then locks it shared. */
static int make_tag(const ironmap__tag_user *user, int folder, const tag_opening *opening,
                    ironmap_error *error)
{
    int fd = user->fd.number;
    ironmap__tag_sweep(folder);
    int status = opening->request->length == 0 ? ironmap__fail(error, IRONMAP_E_NO_TAG)
                                               : write_tag(fd, &opening->header, error);
    if (status != IRONMAP_OK) {
        ironmap__tag_file_remove_unused(folder, user->path.file, &user->fd);
        return status;
    }
    status = ironmap__tag_lock(fd, LOCK_SH, error);
    return status == IRONMAP_OK ? ironmap__tag_file_check(folder, user->path.file, &user->fd, error)
                                : status;
}

/* ---- opening ---- */

/* Steps 2 to 5. */
static int lock_and_find_users(bool *used, const ironmap__tag_user *user, int folder,
                               ironmap_error *error)
{
    int fd = user->fd.number;
    int status = ironmap__tag_lock(fd, LOCK_SH, error);
    if (status != IRONMAP_OK) {
        return status;
    }
    status = ironmap__tag_lock(fd, LOCK_EX, error);
    *used = status == IRONMAP__BUSY;
    if (*used) {
        status = ironmap__tag_lock(fd, LOCK_SH, error);
    }
    return status == IRONMAP_OK ? ironmap__tag_file_check(folder, user->path.file, &user->fd, error)
                                : status;
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
    if (!header_is_of_same_tag(&found, &opening->header)) {
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

/* Opens the tag's file and records it. */
static int open_and_record_file(ironmap__tag_user *user, int folder, bool create,
                                ironmap_error *error)
{
    ironmap__tag_users_lock();
    int status = ironmap__tag_file_open(&user->fd, folder, user->path.file, create, error);
    if (status == IRONMAP_OK) {
        ironmap__tag_fd_add(&user->fd);
    }
    ironmap__tag_users_unlock();
    return status;
}

/* Opens the tag, with the folder open. */
static int open_in_folder(ironmap__tag_user *user, int folder, const tag_opening *opening,
                          ironmap_error *error)
{
    int status = ironmap__tag_lock(folder, LOCK_EX, error);
    if (status == IRONMAP_OK) {
        status = open_and_record_file(user, folder, opening->request->length != 0, error);
    }
    if (status != IRONMAP_OK) {
        return status;
    }
    user->tag.handle = user->fd.number;
    status = open_in_file(user, folder, opening, error);
    if (status != IRONMAP_OK) {
        (void)ironmap__tag_fd_close(&user->fd);
    }
    return status;
}

/* Opens the folder and records it. */
static int open_and_record_folder(ironmap__tag_fd *folder, ironmap__tag_user *user, bool create,
                                  ironmap_error *error)
{
    ironmap__tag_users_lock();
    int status = ironmap__tag_folder_find(folder, &user->path, create, error);
    if (status == IRONMAP_OK) {
        ironmap__tag_fd_add(folder);
    }
    ironmap__tag_users_unlock();
    return status;
}

/* One attempt. Returns a status, IRONMAP__BUSY, IRONMAP__CHANGED or HEADER_INCOMPLETE. */
static int open_once(ironmap__tag_user *user, const tag_opening *opening, ironmap_error *error)
{
    ironmap__tag_fd folder;
    int status = open_and_record_folder(&folder, user, opening->request->length != 0, error);
    if (status != IRONMAP_OK) {
        return status;
    }
    status = open_in_folder(user, folder.number, opening, error);
    (void)flock(folder.number, LOCK_UN);
    (void)ironmap__tag_fd_close(&folder);
    if (status == IRONMAP_OK) {
        ironmap__tag_user_add(user);
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

/* How many attempts in a row may end in this way. A lock may be held for any time. A header that
 * stays incomplete is that of another version or of another program. */
static unsigned attempts_max(int status)
{
    enum { INCOMPLETE_MAX = 100, CHANGED_MAX = 1000 };
    return status == IRONMAP__BUSY      ? UINT_MAX
           : status == IRONMAP__CHANGED ? CHANGED_MAX
                                        : INCOMPLETE_MAX;
}

static int open_with_retries(ironmap__tag_user *user, const tag_opening *opening,
                             ironmap_error *error)
{
    int before = IRONMAP_OK;
    unsigned in_a_row = 0;
    for (unsigned attempt = 0;; attempt++) {
        ironmap_error cause = {.status = IRONMAP_OK};
        int status = attempt > 0 ? wait_before(attempt, opening, &cause) : IRONMAP_OK;
        status = status == IRONMAP_OK ? open_once(user, opening, &cause) : status;
        in_a_row = status == before ? in_a_row + 1 : 1;
        before = status;
        if (status == HEADER_INCOMPLETE && in_a_row > attempts_max(status)) {
            return ironmap__fail(error, IRONMAP_E_TAG_TAKEN);
        }
        if (status > 0 && in_a_row <= attempts_max(status)) {
            continue;
        }
        if (status != IRONMAP_OK && error != NULL) {
            *error = cause;
        }
        return status > 0 ? IRONMAP_E_SYSTEM : status;
    }
}

/* With the name and that of the file behind it. NULL if memory is out. */
static ironmap__tag_user *user_new(const char *name)
{
    char file[IRONMAP__TAG_FILE_MAX] = "";
    ironmap__tag_file_name(file, ironmap__tag_of_name(name));
    size_t name_size = strlen(name) + 1;
    size_t file_size = strlen(file) + 1;
    size_t bytes = sizeof(ironmap__tag_user) + name_size + file_size;
    ironmap__tag_user *user = calloc(1, bytes);
    if (user != NULL) {
        char *texts = (char *)(user + 1);
        user->tag.name = memcpy(texts, name, name_size);
        user->tag.bytes = bytes;
        user->path.file = memcpy(texts + name_size, file, file_size);
        user->process = getpid();
        user->child_fd = -1;
    }
    return user;
}

static void user_free(ironmap__tag_user *user)
{
    free(user->path.folder);
    free(user);
}

static int tag_open(ironmap__tag **tag, const ironmap__tag_request *request, ironmap_error *error)
{
    tag_opening opening = {.request = request};
    ironmap__tag_user *user = user_new(request->name);
    if (user == NULL) {
        return ironmap__fail(error, IRONMAP_E_NOMEM);
    }
    int status = header_of(&opening.header, request, error);
    if (status == IRONMAP_OK) {
        status = ironmap__tag_users_prepare(error);
    }
    if (status == IRONMAP_OK) {
        status = open_with_retries(user, &opening, error);
    }
    if (status != IRONMAP_OK) {
        user_free(user);
        return status;
    }
    user->tag.bytes += strlen(user->path.folder) + 1;
    *tag = &user->tag;
    return IRONMAP_OK;
}

int ironmap__tag_open(ironmap__tag **tag, const ironmap__tag_request *request, ironmap_error *error)
{
    int cancel = 0;
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    int status = tag_open(tag, request, error);
    (void)pthread_setcancelstate(cancel, NULL);
    return status;
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
    int cancel = 0;
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    int code = ironmap__tag_user_end(user);
    user_free(user);
    (void)pthread_setcancelstate(cancel, NULL);
    return code == 0 ? IRONMAP_OK : ironmap__fail_system(error, code, "close");
}
