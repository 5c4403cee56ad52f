/* Removal of the files of tags without users, which killed processes have left. */
#include "features.h"

#include "tag_sweep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include "system.h"
#include "tag_users.h"

/* Opens a file and records it. "." and ".." are not opened, since they are not files. */
static bool open_entry(ironmap__tag_fd *file, int folder, const char *name)
{
    ironmap__tag_users_lock();
    bool opened = ironmap__tag_file_open(file, folder, name, false, NULL) == IRONMAP_OK;
    if (opened) {
        ironmap__tag_fd_add(file);
    }
    ironmap__tag_users_unlock();
    return opened;
}

/* Returns how many files it looked at. */
static size_t sweep_entries(DIR *entries, int folder)
{
    size_t count = 0;
    const struct dirent *entry = NULL;
    // NOLINTNEXTLINE(concurrency-mt-unsafe): safe on its own stream (POSIX.1-2024)
    while ((entry = readdir(entries)) != NULL) {
        ironmap__tag_fd file;
        if (open_entry(&file, folder, entry->d_name)) {
            ironmap__tag_file_remove_unused(folder, entry->d_name, &file);
            (void)ironmap__tag_fd_close(&file);
            count++;
        }
    }
    return count;
}

/* Opens the folder again, for a stream of its entries, and records it. */
static bool open_listing(ironmap__tag_fd *listing, int folder)
{
    struct stat status;
    ironmap__tag_users_lock();
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *listing = (ironmap__tag_fd){.number = ironmap__descriptor_beyond_streams(fd)};
    bool opened = listing->number != -1;
    if (opened && fstat(listing->number, &status) == 0) {
        listing->device = status.st_dev;
        listing->inode = status.st_ino;
    }
    if (opened) {
        ironmap__tag_fd_add(listing);
    }
    ironmap__tag_users_unlock();
    return opened;
}

static size_t sweep(int folder)
{
    ironmap__tag_fd listing;
    if (!open_listing(&listing, folder)) {
        return 0;
    }
    DIR *entries = fdopendir(listing.number);
    if (entries == NULL) {
        (void)ironmap__tag_fd_close(&listing);
        return 0;
    }
    size_t count = sweep_entries(entries, folder);
    (void)closedir(entries);
    ironmap__tag_users_lock();
    ironmap__tag_fd_remove(&listing);
    ironmap__tag_users_unlock();
    return count;
}

/* Sweeping for each of n new tags would look at n * n files. */
void ironmap__tag_sweep(int folder)
{
    enum { FILES_PER_NEW_TAG = 64 };
    static atomic_size_t makes_before_next;
    size_t makes = atomic_load(&makes_before_next);
    makes = makes > 0 ? makes - 1 : sweep(folder) / FILES_PER_NEW_TAG;
    atomic_store(&makes_before_next, makes);
}
