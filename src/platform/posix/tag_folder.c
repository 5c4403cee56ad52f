/* The folder in which a user's tags are files.
 *
 *     1. /dev/shm/ironmap-UID    in memory on Linux
 *     2. /run/user/UID/ironmap   if another user holds the first name, or there is no /dev/shm
 *     3. TMPDIR/ironmap-UID      on systems with neither, /tmp without TMPDIR
 *
 * A folder that was made is never removed, so no other user can take its name afterwards. /dev/shm
 * and /tmp are sticky: others cannot remove or rename it either. /run/user/UID is this user's
 * alone.
 *
 * Other users can write into /dev/shm and /tmp, so each folder and file is checked after it is
 * opened: its type, its owner and its mode. Links are not followed. Then only this user can have
 * put files into the folder. Modes are set and not only asked for, since the umask may be anything.
 *
 * ALL PROCESSES FIND THE SAME FOLDER. A folder is made with /run/user/UID locked: the first one
 * only if there is no second one, the second one only if the first is held by another user. Both
 * never exist at once, so it does not matter when a process looks for them.
 *
 * The system's cleaners ignore locks: systemd-logind with RemoveIPC=yes removes a user's files from
 * /dev/shm when the user's last session ends (logind.conf(5)). Open maps keep their memory then,
 * and later ones do not find it.
 */
#include "features.h"

#include "system.h"
#include "tag_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

enum {
    FOLDER_MODE = S_IRWXU,
    FILE_MODE = S_IRUSR | S_IWUSR,
    MODE_BITS = 07777,
    OPEN_FOLDER = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
    OPEN_FILE = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC
};

/* Beside IRONMAP__BUSY and IRONMAP__CHANGED: the name of the folder is held by another user, or by
 * something else than a folder. `error` says by which user. */
enum { FOLDER_HELD = IRONMAP__CHANGED + 1 };

static int fail_changed(ironmap_error *error, int code, const char *call)
{
    (void)ironmap__fail_system(error, code, call);
    return IRONMAP__CHANGED;
}

/* ---- opening what is there ---- */

/* The text with the owner. An error has static strings only, and few users can hold the folder. The
 * list of users is locked. */
static const char *held_by(const char *folder, uid_t owner)
{
    enum { TEXTS = 8, CAPACITY = IRONMAP__TAG_FOLDER_MAX + 40 };
    static char texts[TEXTS][CAPACITY];
    char text[CAPACITY];
    (void)snprintf(text, sizeof(text), "%s belongs to user %lu", folder, (unsigned long)owner);
    for (size_t i = 0; i < TEXTS; i++) {
        if (texts[i][0] == '\0') {
            memcpy(texts[i], text, sizeof(text));
        }
        if (strcmp(texts[i], text) == 0) {
            return texts[i];
        }
    }
    return "the folder of tags belongs to another user";
}

static int fail_held(ironmap_error *error, const char *folder, uid_t owner)
{
    (void)ironmap__fail_system(error, EPERM, "open");
    if (error != NULL) {
        error->what = held_by(folder, owner);
    }
    return FOLDER_HELD;
}

/* True for a folder or file of this user, of this type. A file with a second name is not a tag's:
 * it may have been linked here. */
static bool is_own(const struct stat *status, mode_t type)
{
    return (status->st_mode & S_IFMT) == type && status->st_uid == geteuid() &&
           (type == S_IFDIR || status->st_nlink <= 1);
}

static int open_at(int folder, const char *name, int flags, mode_t mode)
{
    return ironmap__descriptor_beyond_streams(openat(folder, name, flags, mode));
}

/* Opens `name`. If this user's own mode forbids that, as after a umask of 0777, sets the mode and
 * tries again. *fd is -1 after a failure. Returns 0 or an errno. */
static int open_own(int *fd, int folder, const char *name, int flags, mode_t type)
{
    mode_t mode = type == S_IFDIR ? FOLDER_MODE : FILE_MODE;
    struct stat status;
    *fd = open_at(folder, name, flags, mode);
    int code = *fd == -1 ? errno : 0;
    if (code != EACCES || fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == -1 ||
        !is_own(&status, type) || fchmodat(folder, name, mode, AT_SYMLINK_NOFOLLOW) == -1) {
        return code;
    }
    *fd = open_at(folder, name, flags, mode);
    return *fd == -1 ? errno : 0;
}

/* Codes of open(2) for a symbolic link with O_NOFOLLOW (FreeBSD: EMLINK), for a file that is not a
 * folder with O_DIRECTORY, and for a folder that another user has closed. */
static bool is_held(int code)
{
    return code == ELOOP || code == EMLINK || code == ENOTDIR || code == EACCES;
}

/* Who holds the name of the folder that could not be opened. */
static int fail_held_closed(ironmap_error *error, const char *folder, int code)
{
    struct stat status;
    if (lstat(folder, &status) == -1) {
        return errno == ENOENT ? fail_changed(error, ENOENT, "lstat")
                               : ironmap__fail_system(error, code, "open");
    }
    bool own = code == EACCES && is_own(&status, S_IFDIR);
    return own ? ironmap__fail_system(error, code, "open")
               : fail_held(error, folder, status.st_uid);
}

static int check_folder(ironmap__tag_fd *folder, const char *path, ironmap_error *error)
{
    struct stat status;
    if (fstat(folder->number, &status) == -1) {
        return ironmap__fail_system(error, errno, "fstat");
    }
    if (!is_own(&status, S_IFDIR)) {
        return fail_held(error, path, status.st_uid);
    }
    if ((status.st_mode & MODE_BITS) != FOLDER_MODE && fchmod(folder->number, FOLDER_MODE) == -1) {
        return ironmap__fail_system(error, errno, "fchmod");
    }
    folder->device = status.st_dev;
    folder->inode = status.st_ino;
    return IRONMAP_OK;
}

/* Opens a folder. Returns a status, FOLDER_HELD or IRONMAP__CHANGED. */
static int open_folder(ironmap__tag_fd *folder, const char *path, ironmap_error *error)
{
    *folder = (ironmap__tag_fd){.number = -1};
    int code = open_own(&folder->number, AT_FDCWD, path, OPEN_FOLDER, S_IFDIR);
    if (code == ENOENT) {
        return ironmap__fail(error, IRONMAP_E_NO_TAG);
    }
    if (folder->number == -1) {
        return is_held(code) ? fail_held_closed(error, path, code)
                             : ironmap__fail_system(error, code, "open");
    }
    int status = check_folder(folder, path, error);
    if (status != IRONMAP_OK) {
        (void)close(folder->number);
    }
    return status;
}

/* ---- places ---- */

/* TMPDIR, which decides nothing in a program that runs with more rights than its caller. */
static const char *temporary_folder(void)
{
#ifdef __linux__
    const char *folder = secure_getenv("TMPDIR");
#else
    // NOLINTNEXTLINE(concurrency-mt-unsafe): only setenv is unsafe, which is up to the program
    const char *folder = issetugid() != 0 ? NULL : getenv("TMPDIR");
#endif
    return folder != NULL && folder[0] == '/' ? folder : "/tmp";
}

/* Codes for a place that this system does not have. After any other code it may be there, and a
 * process that went to another place would not find the tags of the others. */
static bool is_missing(int code)
{
    return code == ENOENT || code == ENOTDIR || code == EACCES || code == ELOOP;
}

static int find_folder(bool *found, const char *path, ironmap_error *error)
{
    struct stat status;
    if (stat(path, &status) == -1) {
        *found = false;
        return is_missing(errno) ? IRONMAP_OK : ironmap__fail_system(error, errno, "stat");
    }
    *found = S_ISDIR(status.st_mode);
    return IRONMAP_OK;
}

/* Opens /run/user/UID if it is a folder of this user alone. -1 if not. */
static int open_runtime(int *runtime, ironmap_error *error)
{
    char path[64];
    struct stat status;
    (void)snprintf(path, sizeof(path), "/run/user/%lu", (unsigned long)geteuid());
    *runtime = open_at(AT_FDCWD, path, OPEN_FOLDER, 0);
    if (*runtime == -1) {
        return is_missing(errno) ? IRONMAP_OK : ironmap__fail_system(error, errno, "open");
    }
    int code = fstat(*runtime, &status) == -1 ? errno : 0;
    if (code == 0 && is_own(&status, S_IFDIR) && (status.st_mode & (S_IRWXG | S_IRWXO)) == 0) {
        return IRONMAP_OK;
    }
    (void)close(*runtime);
    *runtime = -1;
    return code == 0 ? IRONMAP_OK : ironmap__fail_system(error, code, "fstat");
}

/* Where the folder of this user may be. */
typedef struct places {
    char first[IRONMAP__TAG_FOLDER_MAX];  /* empty: nowhere */
    char second[IRONMAP__TAG_FOLDER_MAX]; /* in /run/user/UID */
    int runtime;                          /* a descriptor of /run/user/UID; -1: there is none */
} places;

/* Finds the places. The caller closes `runtime`. */
static int find_places(places *found, ironmap_error *error)
{
    static const char shared_memory[] = "/dev/shm";
    unsigned long user = (unsigned long)geteuid();
    bool has_shared_memory = false;
    *found = (places){.runtime = -1};
    int status = open_runtime(&found->runtime, error);
    if (status == IRONMAP_OK) {
        status = find_folder(&has_shared_memory, shared_memory, error);
    }
    if (status != IRONMAP_OK) {
        return status;
    }
    (void)snprintf(found->second, sizeof(found->second), "/run/user/%lu/ironmap", user);
    const char *folder = has_shared_memory      ? shared_memory
                         : found->runtime == -1 ? temporary_folder()
                                                : NULL;
    if (folder == NULL) {
        return IRONMAP_OK;
    }
    int length = snprintf(found->first, sizeof(found->first), "%s/ironmap-%lu", folder, user);
    bool fits = length >= 0 && (size_t)length < sizeof(found->first);
    return fits ? IRONMAP_OK : ironmap__fail_system(error, ENAMETOOLONG, "open");
}

/* Replaces the path of an attempt before. */
static int open_and_keep(ironmap__tag_fd *folder, ironmap__tag_path *path, const char *place,
                         ironmap_error *error)
{
    int status = open_folder(folder, place, error);
    if (status != IRONMAP_OK) {
        return status;
    }
    size_t size = strlen(place) + 1;
    free(path->folder);
    path->folder = malloc(size);
    if (path->folder == NULL) {
        (void)close(folder->number);
        return ironmap__fail(error, IRONMAP_E_NOMEM);
    }
    memcpy(path->folder, place, size);
    return IRONMAP_OK;
}

/* Opens the folder in the first place, else in the second. */
static int open_in_places(ironmap__tag_fd *folder, ironmap__tag_path *path, const places *at,
                          ironmap_error *error)
{
    int first = at->first[0] == '\0' ? ironmap__fail(error, IRONMAP_E_NO_TAG)
                                     : open_and_keep(folder, path, at->first, error);
    if (at->runtime == -1 || (first != IRONMAP_E_NO_TAG && first != FOLDER_HELD)) {
        return first;
    }
    return open_and_keep(folder, path, at->second, error);
}

/* Makes the folder, with /run/user/UID locked if there is one. */
static int make_in_places(const places *at, ironmap_error *error)
{
    ironmap__tag_fd folder;
    int first = at->first[0] == '\0' ? FOLDER_HELD : open_folder(&folder, at->first, error);
    if (first == IRONMAP_OK) {
        (void)close(folder.number);
        return fail_changed(error, EEXIST, "open");
    }
    if (first != IRONMAP_E_NO_TAG && (first != FOLDER_HELD || at->runtime == -1)) {
        return first;
    }
    struct stat status;
    if (at->runtime != -1 && lstat(at->second, &status) == 0) {
        return fail_changed(error, EEXIST, "lstat");
    }
    const char *path = first == FOLDER_HELD ? at->second : at->first;
    if (mkdir(path, FOLDER_MODE) == -1 && errno != EEXIST) {
        return ironmap__fail_system(error, errno, "mkdir");
    }
    return fail_changed(error, ENOENT, "mkdir"); /* the next attempt opens it */
}

static int find_or_make(ironmap__tag_fd *folder, ironmap__tag_path *path, const places *at,
                        bool create, ironmap_error *error)
{
    int status = open_in_places(folder, path, at, error);
    if (status != IRONMAP_E_NO_TAG || !create) {
        return status == FOLDER_HELD ? IRONMAP_E_SYSTEM : status;
    }
    if (at->runtime != -1) {
        status = ironmap__tag_lock(at->runtime, LOCK_EX, error);
        if (status != IRONMAP_OK) {
            return status;
        }
    }
    status = make_in_places(at, error);
    return status == FOLDER_HELD ? IRONMAP_E_SYSTEM : status;
}

int ironmap__tag_folder_find(ironmap__tag_fd *folder, ironmap__tag_path *path, bool create,
                             ironmap_error *error)
{
    places at;
    int status = find_places(&at, error);
    if (status == IRONMAP_OK) {
        status = find_or_make(folder, path, &at, create, error);
    }
    if (at.runtime != -1) {
        (void)close(at.runtime);
    }
    return status;
}

int ironmap__tag_folder_open(ironmap__tag_fd *folder, const ironmap__tag_path *path,
                             ironmap_error *error)
{
    int status = open_folder(folder, path->folder, error);
    return status == FOLDER_HELD ? IRONMAP_E_SYSTEM : status;
}

/* ---- files ---- */

/* A new file has the mode that the umask allows. One that others may open is not a tag's. */
static int check_file(ironmap__tag_fd *file, ironmap_error *error)
{
    struct stat status;
    if (fstat(file->number, &status) == -1) {
        return ironmap__fail_system(error, errno, "fstat");
    }
    if (!is_own(&status, S_IFREG) || (status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        return ironmap__fail_system(error, EPERM, "open");
    }
    if ((status.st_mode & MODE_BITS) != FILE_MODE && fchmod(file->number, FILE_MODE) == -1) {
        return ironmap__fail_system(error, errno, "fchmod");
    }
    file->device = status.st_dev;
    file->inode = status.st_ino;
    return IRONMAP_OK;
}

/* ENOENT with `create` if the folder was removed after it was opened. O_NONBLOCK since the file may
 * be a pipe of another program. */
int ironmap__tag_file_open(ironmap__tag_fd *file, int folder, const char *name, bool create,
                           ironmap_error *error)
{
    int flags = OPEN_FILE | (create ? O_CREAT : 0);
    *file = (ironmap__tag_fd){.number = -1};
    int code = open_own(&file->number, folder, name, flags, S_IFREG);
    if (code == ENOENT && !create) {
        return ironmap__fail(error, IRONMAP_E_NO_TAG);
    }
    if (code == ENOENT || code == EINTR) {
        return fail_changed(error, code, "openat");
    }
    if (file->number == -1) {
        bool other = code == ELOOP || code == EMLINK;
        return ironmap__fail_system(error, other ? EPERM : code, "openat");
    }
    int status = check_file(file, error);
    if (status != IRONMAP_OK) {
        (void)close(file->number);
    }
    return status;
}

int ironmap__tag_file_check(int folder, const char *name, const ironmap__tag_fd *file,
                            ironmap_error *error)
{
    struct stat named;
    if (fstatat(folder, name, &named, AT_SYMLINK_NOFOLLOW) == -1) {
        return errno == ENOENT ? fail_changed(error, ENOENT, "fstatat")
                               : ironmap__fail_system(error, errno, "fstatat");
    }
    bool same = named.st_dev == file->device && named.st_ino == file->inode;
    return same ? IRONMAP_OK : fail_changed(error, ESTALE, "fstatat");
}

/* ---- locks ---- */

int ironmap__tag_lock(int fd, int operation, ironmap_error *error)
{
    if (flock(fd, operation | LOCK_NB) == 0) {
        return IRONMAP_OK;
    }
    if (errno == EINTR) {
        return fail_changed(error, EINTR, "flock");
    }
    return errno == EWOULDBLOCK ? IRONMAP__BUSY : ironmap__fail_system(error, errno, "flock");
}

void ironmap__tag_file_remove_unused(int folder, const char *name, const ironmap__tag_fd *file)
{
    if (ironmap__tag_lock(file->number, LOCK_EX, NULL) == IRONMAP_OK &&
        ironmap__tag_file_check(folder, name, file, NULL) == IRONMAP_OK) {
        (void)unlinkat(folder, name, 0);
    }
}
