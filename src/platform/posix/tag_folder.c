/* The folder in which a user's tags are files: ironmap-UID in /dev/shm if that exists, which is
 * memory on Linux, else in TMPDIR or /tmp. It is made with the first tag and removed with the last.
 *
 * Other users can write into /dev/shm and /tmp, so the folder is checked after it is opened. It
 * must be a folder, belong to this user and be closed to all others (EPERM). Then only this user
 * can have put files into it. Others cannot remove or rename it: /dev/shm and /tmp are sticky. A
 * user that makes the name first can only make opening fail.
 *
 * The system's cleaners ignore locks: systemd-logind with RemoveIPC=yes removes a user's files from
 * /dev/shm when the user's last session ends (logind.conf(5)). Open maps keep their memory then,
 * and later ones do not find it.
 */
#include "features.h"

#include "system.h"
#include "tag_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

/* ---- names ---- */

/* Tags distinguish capitals from small letters, some file systems do not: a capital becomes an
 * equals sign, which no tag has, and the small letter. */
static void tag_file_name(char *file, const char *name)
{
    for (; *name != '\0'; name++) {
        bool capital = *name >= 'A' && *name <= 'Z';
        if (capital) {
            *file++ = '=';
        }
        *file++ = capital ? (char)(*name - 'A' + 'a') : *name;
    }
    *file = '\0';
}

static const char *memory_folder(void)
{
    static const char shared_memory[] = "/dev/shm";
    struct stat status;
    if (stat(shared_memory, &status) == 0 && S_ISDIR(status.st_mode)) {
        return shared_memory;
    }
    // NOLINTNEXTLINE(concurrency-mt-unsafe): only setenv is unsafe, which is up to the program
    const char *temporary = getenv("TMPDIR");
    return temporary != NULL && temporary[0] == '/' ? temporary : "/tmp";
}

int ironmap__tag_path_of(ironmap__tag_path *path, const char *name, ironmap_error *error)
{
    int length = snprintf(path->folder, sizeof(path->folder), "%s/ironmap-%lu", memory_folder(),
                          (unsigned long)geteuid());
    if (length < 0 || (size_t)length >= sizeof(path->folder)) {
        return ironmap__fail_system(error, ENAMETOOLONG, "open");
    }
    tag_file_name(path->file, name);
    return IRONMAP_OK;
}

/* ---- opening ---- */

/* Codes of open(2) for a symbolic link with O_NOFOLLOW (FreeBSD: EMLINK), or for a file that is not
 * a folder with O_DIRECTORY: another program has put it there. */
static int tag_open_code(int code)
{
    return code == ELOOP || code == EMLINK || code == ENOTDIR ? EPERM : code;
}

/* True if the file is of this type and belongs to this user alone. */
static bool is_own(const struct stat *status, mode_t type)
{
    return (status->st_mode & S_IFMT) == type && status->st_uid == geteuid() &&
           (status->st_mode & (S_IRWXG | S_IRWXO)) == 0;
}

/* Checks an opened file, and closes it if it is not of this user alone. */
static int check_own(int fd, mode_t type, ironmap_error *error)
{
    struct stat status;
    int code = fstat(fd, &status) == -1 ? errno : 0;
    if (code == 0 && !is_own(&status, type)) {
        code = EPERM;
    }
    if (code == 0) {
        return IRONMAP_OK;
    }
    (void)close(fd);
    return ironmap__fail_system(error, code, "open");
}

int ironmap__tag_folder_open(int *folder, const ironmap__tag_path *path, bool create,
                             ironmap_error *error)
{
    if (create && mkdir(path->folder, S_IRWXU) == -1 && errno != EEXIST) {
        return ironmap__fail_system(error, errno, "mkdir");
    }
    int fd = ironmap__descriptor_beyond_streams(
        open(path->folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (fd == -1 && errno == ENOENT) {
        return create ? IRONMAP__RETRY : ironmap__fail(error, IRONMAP_E_NO_TAG);
    }
    if (fd == -1) {
        return ironmap__fail_system(error, tag_open_code(errno), "open");
    }
    *folder = fd;
    return check_own(fd, S_IFDIR, error);
}

void ironmap__tag_folder_remove(const ironmap__tag_path *path)
{
    (void)rmdir(path->folder);
}

/* ENOENT if the folder was removed after it was opened. O_NONBLOCK since the file may be a pipe of
 * another program. */
int ironmap__tag_file_open(int *fd, int folder, const char *name, bool create, ironmap_error *error)
{
    int flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | (create ? O_CREAT : 0);
    *fd = ironmap__descriptor_beyond_streams(openat(folder, name, flags, S_IRUSR | S_IWUSR));
    if (*fd == -1 && errno == ENOENT) {
        return create ? IRONMAP__RETRY : ironmap__fail(error, IRONMAP_E_NO_TAG);
    }
    if (*fd == -1 && errno == EINTR) {
        return IRONMAP__RETRY;
    }
    if (*fd == -1) {
        return ironmap__fail_system(error, tag_open_code(errno), "open");
    }
    return check_own(*fd, S_IFREG, error);
}

bool ironmap__tag_file_is(int folder, const char *name, int fd)
{
    struct stat named;
    struct stat opened;
    return fstatat(folder, name, &named, AT_SYMLINK_NOFOLLOW) == 0 && fstat(fd, &opened) == 0 &&
           named.st_dev == opened.st_dev && named.st_ino == opened.st_ino;
}

/* ---- locks ---- */

int ironmap__tag_lock(int fd, int operation, ironmap_error *error)
{
    if (flock(fd, operation | LOCK_NB) == 0) {
        return IRONMAP_OK;
    }
    bool again = errno == EWOULDBLOCK || errno == EINTR;
    return again ? IRONMAP__RETRY : ironmap__fail_system(error, errno, "flock");
}

void ironmap__tag_file_remove_unused(int folder, const char *name, int fd)
{
    if (ironmap__tag_lock(fd, LOCK_EX, NULL) == IRONMAP_OK &&
        ironmap__tag_file_is(folder, name, fd)) {
        (void)unlinkat(folder, name, 0);
    }
}

size_t ironmap__tag_folder_sweep(int folder)
{
    size_t count = 0;
    int listed =
        ironmap__descriptor_beyond_streams(openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    DIR *entries = listed == -1 ? NULL : fdopendir(listed);
    if (entries == NULL) {
        if (listed != -1) {
            (void)close(listed);
        }
        return 0;
    }
    const struct dirent *entry = NULL;
    // NOLINTNEXTLINE(concurrency-mt-unsafe): safe on its own stream (POSIX.1-2024)
    while ((entry = readdir(entries)) != NULL) {
        int fd = -1;
        /* "." and ".." are not opened, since they are not files. */
        if (ironmap__tag_file_open(&fd, folder, entry->d_name, false, NULL) == IRONMAP_OK) {
            ironmap__tag_file_remove_unused(folder, entry->d_name, fd);
            (void)close(fd);
            count++;
        }
    }
    (void)closedir(entries);
    return count;
}
