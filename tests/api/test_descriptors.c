/* The library's descriptors: never one of the standard streams, whatever the program has closed. */
#include "support_posix.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

enum { LENGTH = 10000, STREAMS = STDERR_FILENO + 1 };

static char tag[64]; /* of this process */

static void close_streams(void)
{
    for (int fd = 0; fd < STREAMS; fd++) {
        (void)close(fd);
    }
}

static bool streams_are_closed(void)
{
    for (int fd = 0; fd < STREAMS; fd++) {
        if (fcntl(fd, F_GETFD) != -1 || errno != EBADF) {
            return false;
        }
    }
    return true;
}

/* ---- children, with no standard stream ---- */

static int open_path(ironmap_map **map, const fixture *f)
{
    return ironmap_open_path(map, f->path, IRONMAP_WRITE, NULL, NULL);
}

static int create_path(ironmap_map **map, const fixture *f)
{
    const ironmap_options options = {.length = LENGTH,
                                     .open = IRONMAP_OPEN_CREATE | IRONMAP_OPEN_EXTEND};

    return unlink(f->path) == 0 ? ironmap_open_path(map, f->path, IRONMAP_WRITE, &options, NULL)
                                : IRONMAP_E_SYSTEM;
}

static int open_descriptor(ironmap_map **map, const fixture *f)
{
    return ironmap_open_fd(map, f->fd, IRONMAP_WRITE, NULL, NULL);
}

static int open_tag(ironmap_map **map, const fixture *f)
{
    const ironmap_options options = {.length = LENGTH, .tag = tag};

    (void)f;
    return ironmap_open_anonymous(map, IRONMAP_WRITE, &options, NULL);
}

static int open_tag_of_file(ironmap_map **map, const fixture *f)
{
    const ironmap_options options = {.tag = tag};

    return ironmap_open_path(map, f->path, IRONMAP_WRITE, &options, NULL);
}

typedef int opener(ironmap_map **map, const fixture *f);

static opener *const openers[] = {open_path, create_path, open_descriptor, open_tag,
                                  open_tag_of_file};

typedef struct opening {
    opener *open;
    const fixture *f;
} opening;

/* A fork gives the child of a tag another descriptor. */
static int grandchild(void *argument)
{
    (void)argument;
    return streams_are_closed() ? 0 : 1;
}

static int open_without_streams(void *argument)
{
    const opening *o = argument;
    ironmap_map *map = NULL;
    ironmap_map *second = NULL;

    close_streams();
    child_check(o->open(&map, o->f) == IRONMAP_OK);
    child_check(o->open(&second, o->f) == IRONMAP_OK);
    child_check(streams_are_closed());
    child_check(in_child(grandchild, NULL) == 0);
    child_check(ironmap_close(second, NULL) == IRONMAP_OK);
    child_check(ironmap_close(map, NULL) == IRONMAP_OK);
    child_check(streams_are_closed());
    return 0;
}

/* The only free descriptor is a stream's. */
static int create_without_descriptors(void *argument)
{
    const fixture *f = argument;
    const ironmap_options options = {.length = LENGTH,
                                     .open = IRONMAP_OPEN_CREATE | IRONMAP_OPEN_EXTEND};
    const struct rlimit limit = {STREAMS, STREAMS};
    ironmap_map *map = NULL;
    ironmap_error error = {0};

    child_check(unlink(f->path) == 0);
    close_streams();
    child_check(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    child_check(ironmap_open_path(&map, f->path, IRONMAP_WRITE, &options, &error) ==
                IRONMAP_E_SYSTEM);
    child_check(error.system_code == EMFILE);
    child_check(map == NULL && access(f->path, F_OK) == -1);
    child_check(streams_are_closed());
    return 0;
}

/* ---- tests ---- */

static void no_descriptor_is_a_standard_stream(void **state)
{
    fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(openers); i++) {
        opening o = {openers[i], f};

        file_make(f, LENGTH);
        assert_int_equal(in_child(open_without_streams, &o), 0);
    }
}

static void file_is_not_made_if_only_a_stream_is_free(void **state)
{
    fixture *f = *state;

    file_make(f, LENGTH);
    assert_int_equal(in_child(create_without_descriptors, f), 0);
    file_make(f, LENGTH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_fixture(no_descriptor_is_a_standard_stream),
        with_fixture(file_is_not_made_if_only_a_stream_is_free),
    };

    (void)snprintf(tag, sizeof(tag), "descriptors-%ld", (long)getpid());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
