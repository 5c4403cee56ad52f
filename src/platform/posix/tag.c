/* Tags on Unix: a file for each, with a lock of every user on it.
 *
 * THE FILE begins with a header, which says how long the tag is and which file's it is. The memory
 * comes after it, at the next page. A tag of a file is the header alone.
 *
 * LOCKS are those of flock(2): they belong to the open file description, end with it, however its
 * process ends, and are the same on Linux, macOS and the BSDs. Nobody ever waits for one.
 * - A user has the file locked shared, from before it maps until after it has unmapped.
 * - Locked exclusively, a file has no users: it is made, or made anew, or removed.
 * - The folder is locked exclusively by whoever is finding out whether a file has users, so that
 *   one process at a time does.
 *
 * TO OPEN (open_once), with the folder locked:
 *   1. Open the file, which is made if need be.
 *   2. Lock it shared. That fails only while someone has it exclusively: begin anew.
 *   3. Lock it exclusively. If that succeeds there is no user: what the file has is of none or of
 *      the dead, and is not looked at.
 *   4. Otherwise there is one; flock(2) of Linux has taken the shared lock away meanwhile, that of
 *      the BSDs has not: lock it shared again. If that fails, begin anew.
 *   5. If the path is another file's, or nobody's, by now: begin anew.
 * Whoever has the file shared is a user now. Whoever has it exclusively makes the tag, after the
 * folder is unlocked: cuts the file to nothing, gives it its length and blocks, writes the header
 * last, locks it shared, and looks once more whether the path is still the file's. Who begins anew
 * or fails closes the file before the folder is unlocked.
 *
 * TO CLOSE (ironmap__tag_leave): unlock; lock exclusively; if that succeeds and the path is the
 * file's, remove it. To unlock first is what flock(2) of Linux does by itself: of two who close at
 * once, each is without a lock before it asks for the exclusive one, so that the second to ask, at
 * the latest, or else the first, gets it.
 *
 * WHY NO BYTES OF THE DEAD PASS FOR LIVE. A file is taken as it is only in step 4, where another
 * had a lock on it after step 2 and at step 3. Not an exclusive one, which could not have been had
 * beside ours. So a shared one: of a user, as all others who lock shared do so with the folder
 * locked, which is ours, or (the maker, at its end) have become users by it. This user lived at
 * step 3; should it be dead at step 4, it was killed while this one opened. It does not help to
 * look only whether an exclusive lock can be had, without step 2: a process that is removing the
 * file of the dead has one, and may be killed before it has removed it.
 *
 * WHAT IF ONE IS KILLED, AT ANY POINT.
 * - With the folder locked: the lock ends. A file that is empty or locked by nobody is left.
 * - While making the file: the header, if it is there, is of no interest; the lock ends, nobody
 *   has one, and the next one makes the file anew from nothing.
 * - As a user: if others are left they go on. If not, the file is locked by nobody.
 * - While closing, before the removal: the file is locked by nobody. After it: nothing is left.
 * Files that are locked by nobody are made anew by who opens that tag, and removed (the sweep) by
 * whoever makes another one, in turn where there are many.
 *
 * WHO MAY MEET WHOM.
 * - Two who open: one at a time has the folder. The second finds the file locked exclusively while
 *   the first makes it (step 2), or a user.
 * - One who opens and the last who closes. If the file is locked exclusively by the latter, step 2
 * or 4 fails, or the file was removed, which step 5 sees. If it is locked by the former, the latter
 *   does not get its lock and leaves the file alone, which by then is the other's.
 * - The sweep and one who has just made a file and not locked it yet: it may be removed under it;
 *   step 2 fails meanwhile, step 5 sees it after.
 * - The change from exclusive to shared at the end of making is one step on Linux, and elsewhere
 * may be two. Who comes between them makes the file anew, or removes it. The shared lock is then
 *   refused, or the path is not the file's, or the header is not whole: begin anew. Or it is that
 * of the other, whose memory nobody has used before this one had come: that is what is mapped.
 * - Fork: tag_users.c.
 *
 * A process that is stopped (SIGSTOP) with the folder or the file locked exclusively, a matter of
 * microseconds but for the blocks of much memory, keeps others waiting in ironmap_open_*, where
 * they ask ironmap_options.check; never in ironmap_close.
 */
#include "posix.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tag_users.h"

#include "base/error.h"
#include "base/range.h"

/* Written in the maker's byte order: that of another would be no magic. */
typedef struct header {
    char magic[8];
    uint32_t order;
    uint32_t unused; /* the padding of most processors, the same on all */
    uint64_t start;  /* of the memory; 0: a tag of a file */
    uint64_t length; /* of the tag */
    uint64_t device; /* the file that the tag is of */
    uint64_t inode;
} header;

static const char magic[8] = {'i', 'r', 'o', 'n', 'm', 'a', 'p', '1'};
static const uint32_t order = 0x01020304;

/* What is asked of a tag. */
typedef struct tag_wish {
    const ironmap__tag_request *request;
    header header; /* as it is if this one makes it */
} tag_wish;

/* As IRONMAP__AGAIN, for a header that is not whole. */
enum { NOT_WHOLE = IRONMAP__AGAIN + 1 };

/* ---- the header ---- */

/* What the header of a tag says that this request makes. */
static int header_of(header *made, ironmap__file file, uint64_t length, ironmap_error *error)
{
    *made = (header){.order = order, .length = length};
    memcpy(made->magic, magic, sizeof(magic));
    if (file == IRONMAP__NO_FILE) {
        made->start = ironmap__align_up(sizeof(header), ironmap__granularity());
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

static bool is_whole(const header *found)
{
    return memcmp(found->magic, magic, sizeof(magic)) == 0 && found->order == order &&
           found->start <= IRONMAP__FILE_MAX && found->length <= IRONMAP__FILE_MAX - found->start;
}

static bool is_of_same_file(const header *found, const header *wanted)
{
    return (found->start == 0) == (wanted->start == 0) && found->device == wanted->device &&
           found->inode == wanted->inode;
}

static int header_write(int fd, const header *made, ironmap_error *error)
{
    ssize_t count = pwrite(fd, made, sizeof(*made), 0);
    if (count != (ssize_t)sizeof(*made)) {
        return ironmap__fail_system(error, count == -1 ? errno : EIO, "pwrite");
    }
    return IRONMAP_OK;
}

/* ---- making ---- */

/* Without blocks, full memory is a lost page later: where the file system reserves none, that is
 * all there is to be had. */
static int reserve(int fd, uint64_t length, ironmap_error *error)
{
    int status = ironmap__file_reserve(fd, 0, length, error);
    return status == IRONMAP_E_UNSUPPORTED ? IRONMAP_OK : status;
}

static int fill(int fd, const header *made, ironmap_error *error)
{
    uint64_t end = made->start == 0 ? sizeof(*made) : made->start + made->length;
    int status = ironmap__file_set_length(fd, 0, error);
    if (status == IRONMAP_OK) {
        status = ironmap__file_set_length(fd, end, error);
    }
    if (status == IRONMAP_OK) {
        status = reserve(fd, end, error);
    }
    return status == IRONMAP_OK ? header_write(fd, made, error) : status;
}

/* A sweep looks at every tag of the user. Where there are many, it comes only after so many tags
 * more that each has paid for a few looks: else to make n tags would take n * n of them. The
 * users' lock is held. */
static void sweep_in_turn(int folder)
{
    enum { LOOKS_A_TAG = 64 };
    static size_t makes_before_next;
    if (makes_before_next > 0) {
        makes_before_next--;
    } else {
        makes_before_next = ironmap__tag_folder_sweep(folder) / LOOKS_A_TAG;
    }
}

/* Makes the tag in a file that is locked exclusively, and locks it shared. */
static int make(const ironmap__tag_user *user, int folder, const tag_wish *wish,
                ironmap_error *error)
{
    int fd = (int)user->tag.handle;
    sweep_in_turn(folder);
    int status = wish->request->length == 0 ? ironmap__fail(error, IRONMAP_E_NO_TAG)
                                            : fill(fd, &wish->header, error);
    if (status != IRONMAP_OK) {
        ironmap__tag_file_remove_unused(folder, user->place.file, fd);
        return status;
    }
    status = ironmap__tag_lock(fd, LOCK_SH, error);
    if (status == IRONMAP_OK && !ironmap__tag_file_is(folder, user->place.file, fd)) {
        status = IRONMAP__AGAIN;
    }
    return status;
}

/* ---- opening ---- */

/* Steps 2 to 5. */
static int find_users(bool *used, const ironmap__tag_user *user, int folder, ironmap_error *error)
{
    int fd = (int)user->tag.handle;
    int status = ironmap__tag_lock(fd, LOCK_SH, error);
    if (status != IRONMAP_OK) {
        return status;
    }
    status = ironmap__tag_lock(fd, LOCK_EX, error);
    *used = status == IRONMAP__AGAIN;
    if (*used) {
        status = ironmap__tag_lock(fd, LOCK_SH, error);
    }
    if (status == IRONMAP_OK && !ironmap__tag_file_is(folder, user->place.file, fd)) {
        status = IRONMAP__AGAIN;
    }
    return status;
}

/* Reads what the tag is; it is in use, by us at least. */
static int read_tag(ironmap__tag_user *user, const tag_wish *wish, ironmap_error *error)
{
    header found = {0};
    int status = ironmap__file_read(&found, user->tag.handle, 0, sizeof(found), error);
    if (status != IRONMAP_OK) {
        return status;
    }
    if (!is_whole(&found)) {
        return NOT_WHOLE;
    }
    if (!is_of_same_file(&found, &wish->header)) {
        return ironmap__fail(error, IRONMAP_E_TAG_TAKEN);
    }
    user->tag.length = found.length;
    user->tag.start = found.start;
    user->tag.memory = found.start == 0 ? IRONMAP__NO_FILE : user->tag.handle;
    return IRONMAP_OK;
}

/* With the file open. */
static int use_file(ironmap__tag_user *user, int folder, const tag_wish *wish, ironmap_error *error)
{
    bool used = false;
    int status = find_users(&used, user, folder, error);
    if (status == IRONMAP_OK && !used) {
        (void)flock(folder, LOCK_UN);
        status = make(user, folder, wish, error);
    }
    return status == IRONMAP_OK ? read_tag(user, wish, error) : status;
}

/* With the folder open. */
static int use_folder(ironmap__tag_user *user, int folder, const tag_wish *wish,
                      ironmap_error *error)
{
    int fd = -1;
    int status = ironmap__tag_lock(folder, LOCK_EX, error);
    if (status == IRONMAP_OK) {
        status = ironmap__tag_file_open(&fd, folder, user->place.file, wish->request->length != 0,
                                        error);
    }
    if (status != IRONMAP_OK) {
        return status;
    }
    user->tag.handle = fd;
    status = use_file(user, folder, wish, error);
    if (status != IRONMAP_OK) {
        (void)close(fd);
    }
    return status;
}

/* Tries once: a status, IRONMAP__AGAIN or NOT_WHOLE. */
static int open_once(ironmap__tag_user *user, const tag_wish *wish, ironmap_error *error)
{
    int folder = -1;
    int status = ironmap__tag_folder_open(&folder, &user->place, wish->request->length != 0, error);
    if (status != IRONMAP_OK) {
        return status;
    }
    status = use_folder(user, folder, wish, error);
    (void)flock(folder, LOCK_UN);
    (void)close(folder);
    if (status != IRONMAP_OK) {
        ironmap__tag_folder_remove(&user->place);
    }
    return status;
}

/* Others are at it: first lets them run, then sleeps for a millisecond, and asks whether to go on.
 */
static int pause_before(unsigned attempt, const tag_wish *wish, ironmap_error *error)
{
    enum { YIELDS = 20 };
    const struct timespec millisecond = {.tv_nsec = 1000000};
    if (attempt < YIELDS) {
        (void)sched_yield();
        return IRONMAP_OK;
    }
    (void)nanosleep(&millisecond, NULL);
    const ironmap__tag_request *request = wish->request;
    bool stop = request->stop != NULL && request->stop(request->context) != 0;
    return stop ? ironmap__fail(error, IRONMAP_E_INTERRUPTED) : IRONMAP_OK;
}

/* One attempt, beside which no other thread of the process opens, closes or forks. */
static int attempt_alone(ironmap__tag_user *user, const tag_wish *wish, ironmap_error *error)
{
    int status = ironmap__tag_users_lock(error);
    if (status != IRONMAP_OK) {
        return status;
    }
    status = open_once(user, wish, error);
    if (status == IRONMAP_OK) {
        ironmap__tag_users_add(user);
    }
    ironmap__tag_users_unlock();
    return status;
}

/* A header that is never whole is that of another version, or none of ours. */
static int open_at_last(ironmap__tag_user *user, const tag_wish *wish, ironmap_error *error)
{
    enum { PATIENCE = 100 };
    int status = IRONMAP__AGAIN;
    for (unsigned attempt = 0; status > 0; attempt++) {
        if (status == NOT_WHOLE && attempt > PATIENCE) {
            return ironmap__fail(error, IRONMAP_E_TAG_TAKEN);
        }
        int paused = attempt > 0 ? pause_before(attempt, wish, error) : IRONMAP_OK;
        if (paused != IRONMAP_OK) {
            return paused;
        }
        status = attempt_alone(user, wish, error);
    }
    return status;
}

int ironmap__tag_open(ironmap__tag **tag, const ironmap__tag_request *request, ironmap_error *error)
{
    tag_wish wish = {.request = request};
    ironmap__tag_user *user = calloc(1, sizeof(*user));
    if (user == NULL) {
        return ironmap__fail(error, IRONMAP_E_NOMEM);
    }
    memcpy(user->tag.name, request->name, strlen(request->name) + 1);
    user->process = getpid();
    user->spare = -1;
    int status = header_of(&wish.header, request->file, request->length, error);
    if (status == IRONMAP_OK) {
        status = ironmap__tag_place_of(&user->place, user->tag.name, error);
    }
    if (status == IRONMAP_OK) {
        status = open_at_last(user, &wish, error);
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
    ironmap__tag_leave(user);
    status = ironmap__file_close(tag->handle, error);
    ironmap__tag_users_unlock();
    free(user);
    return status;
}
