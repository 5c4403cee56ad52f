/* The folder in which a user's tags are files: /dev/shm/ironmap-UID where there is a /dev/shm,
 * which is memory on Linux, else ironmap-UID in TMPDIR or /tmp. It is made with the first tag and
 * removed with the last.
 *
 * Others can write into /dev/shm and /tmp, so that what is found there is looked at before it is
 * used: the folder must be a folder, this user's, and closed to all others (EPERM). Then nobody
 * else can have put anything inside. A folder that is there cannot be taken away by others:
 * /dev/shm and /tmp are sticky. Who takes the name first, before there is one, can only make
 * opening fail.
 *
 * The system's own cleaners do not ask for locks: systemd-logind with RemoveIPC=yes empties
 * /dev/shm of a user's files when his last session ends (logind.conf(5)). Maps that are open then
 * keep their memory, and those who come later do not find it.
 */
#include "tag_place.h"

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

/* Some file systems take capitals for small letters, which tags do not: a capital is a small one
 * after an equals sign, which no tag has. */
static void file_name(char *file, const char *name)
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
    // NOLINTNEXTLINE(concurrency-mt-unsafe): setenv is what is unsafe, and the program's own
    const char *temporary = getenv("TMPDIR");
    return temporary != NULL && temporary[0] == '/' ? temporary : "/tmp";
}

int ironmap__tag_place_of(ironmap__tag_place *place, const char *name, ironmap_error *error)
{
    int length = snprintf(place->folder, sizeof(place->folder), "%s/ironmap-%lu", memory_folder(),
                          (unsigned long)geteuid());
    if (length < 0 || (size_t)length >= sizeof(place->folder)) {
        return ironmap__fail_system(error, ENAMETOOLONG, "open");
    }
    file_name(place->file, name);
    return IRONMAP_OK;
}

/* ---- opening ---- */

/* What open(2) says of a symbolic link with O_NOFOLLOW (FreeBSD: EMLINK), and of what is no folder
 * with O_DIRECTORY: somebody has put it there. */
static int code_of_open(int code)
{
    return code == ELOOP || code == EMLINK || code == ENOTDIR ? EPERM : code;
}

/* Whether the file is of this type and this user's alone. */
static bool is_own(const struct stat *status, mode_t type)
{
    return (status->st_mode & S_IFMT) == type && status->st_uid == geteuid() &&
           (status->st_mode & (S_IRWXG | S_IRWXO)) == 0;
}

/* Looks at what was opened, and closes it where it is not what it should be. */
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

int ironmap__tag_folder_open(int *folder, const ironmap__tag_place *place, bool make,
                             ironmap_error *error)
{
    if (make && mkdir(place->folder, S_IRWXU) == -1 && errno != EEXIST) {
        return ironmap__fail_system(error, errno, "mkdir");
    }
    int fd = open(place->folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd == -1 && errno == ENOENT) {
        return make ? IRONMAP__AGAIN : ironmap__fail(error, IRONMAP_E_NO_TAG);
    }
    if (fd == -1) {
        return ironmap__fail_system(error, code_of_open(errno), "open");
    }
    *folder = fd;
    return check_own(fd, S_IFDIR, error);
}

void ironmap__tag_folder_remove(const ironmap__tag_place *place)
{
    (void)rmdir(place->folder);
}

/* A folder that was removed after it was opened has no files and takes none: ENOENT. O_NONBLOCK:
 * what somebody has put there may be a pipe. */
int ironmap__tag_file_open(int *fd, int folder, const char *name, bool make, ironmap_error *error)
{
    int flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | (make ? O_CREAT : 0);
    *fd = openat(folder, name, flags, S_IRUSR | S_IWUSR);
    if (*fd == -1 && errno == ENOENT) {
        return make ? IRONMAP__AGAIN : ironmap__fail(error, IRONMAP_E_NO_TAG);
    }
    if (*fd == -1 && errno == EINTR) {
        return IRONMAP__AGAIN;
    }
    if (*fd == -1) {
        return ironmap__fail_system(error, code_of_open(errno), "open");
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
    return again ? IRONMAP__AGAIN : ironmap__fail_system(error, errno, "flock");
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
    size_t looked_at = 0;
    int listed = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = listed == -1 ? NULL : fdopendir(listed);
    if (entries == NULL) {
        if (listed != -1) {
            (void)close(listed);
        }
        return 0;
    }
    const struct dirent *entry = NULL;
    // NOLINTNEXTLINE(concurrency-mt-unsafe): safe on a stream of one's own (POSIX.1-2024)
    while ((entry = readdir(entries)) != NULL) {
        int fd = -1;
        /* "." and "..", like all that is no file, are no tags. */
        if (ironmap__tag_file_open(&fd, folder, entry->d_name, false, NULL) == IRONMAP_OK) {
            ironmap__tag_file_remove_unused(folder, entry->d_name, fd);
            (void)close(fd);
            looked_at++;
        }
    }
    (void)closedir(entries);
    return looked_at;
}
