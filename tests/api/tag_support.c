#include "tag_support.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __linux__
#include <sched.h>
#include <sys/mount.h>
#endif

char tag[64];
char tag_folder[PATH_MAX];
bool tags_alone;

#ifdef __linux__
bool own_memory(const char *path, const char *options)
{
    return unshare(CLONE_NEWNS) == 0 &&
           mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("ironmap", path, "tmpfs", 0, options) == 0;
}
#else
bool own_memory(const char *path, const char *options)
{
    (void)path;
    (void)options;
    return false;
}
#endif

void tags_find_folder(void)
{
    struct stat status;
    const char *base = "/dev/shm";

    if (stat(base, &status) == -1) {
        base = getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp";
    }
    (void)snprintf(tag_folder, sizeof(tag_folder), "%s/ironmap-%lu", base,
                   (unsigned long)geteuid());
}

void tags_begin(void)
{
    tags_alone = own_memory("/dev/shm", "size=64m");
    tags_find_folder();
    (void)snprintf(tag, sizeof(tag), "posix-%lu", (unsigned long)getpid());
}

const char *tag_path(const char *name)
{
    static char path[PATH_MAX + 100];

    (void)snprintf(path, sizeof(path), "%s/%s", tag_folder, name);
    return path;
}

bool tag_is_there(const char *name)
{
    struct stat status;

    return lstat(tag_path(name), &status) == 0;
}

/* The folder stays when its last file goes. rmdir tells if it is empty. */
void assert_nothing_left(const char *name)
{
    assert_false(tag_is_there(name));
    if (tags_alone && rmdir(tag_folder) == 0) {
        assert_int_equal(mkdir(tag_folder, 0700), 0);
    } else {
        assert_true(!tags_alone || errno == ENOENT);
    }
}

int tag_open(ironmap_map **map, const char *name, size_t length)
{
    ironmap_options options = options_of(0, length);

    options.tag = name;
    return ironmap_open_anonymous(map, IRONMAP_WRITE, &options, NULL);
}

ironmap_map *open_tag(size_t length)
{
    ironmap_map *map = NULL;

    assert_int_equal(tag_open(&map, tag, length), IRONMAP_OK);
    return map;
}

void close_map(ironmap_map *map)
{
    assert_ok(ironmap_close(map, &failure));
}

const char *numbered_tag(size_t number)
{
    static char name[sizeof(tag) + 24];

    (void)snprintf(name, sizeof(name), "%s-%zu", tag, number);
    return name;
}

void open_numbered_tags(ironmap_map **maps, size_t count, size_t length)
{
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(tag_open(&maps[i], numbered_tag(i), length), IRONMAP_OK);
    }
}

int status_of(pid_t child)
{
    int status = 0;

    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}
