/* Share memory between a parent and a child process: an anonymous map and fork. */
#include <ironmap/ironmap.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void check(int status, const ironmap_error *error)
{
    if (status != IRONMAP_OK) {
        char text[256];
        ironmap_error_text(text, sizeof text, error);
        fprintf(stderr, "anonymous: %s\n", text);
        exit(EXIT_FAILURE);
    }
}

/* What the child does: reads what the parent wrote, and answers in the same place. */
static void child(ironmap_map *map)
{
    char line[12];
    size_t length;
    ironmap_error error;

    check(ironmap_seek(map, 0, IRONMAP_SEEK_SET, &error), &error);
    check(ironmap_read(&length, map, line, sizeof line, &error), &error);
    printf("child reads: %.*s\n", (int)length, line);
    check(ironmap_put(map, 0, "Hello parent", 12, &error), &error);
    check(ironmap_close(map, &error), &error);
}

int main(void)
{
    ironmap_map *map;
    ironmap_error error;
    ironmap_options options = IRONMAP_OPTIONS_INIT;
    char answer[12];
    int status;

    options.length = 13;
    check(ironmap_open_anonymous(&map, IRONMAP_WRITE, &options, &error), &error);
    check(ironmap_write(map, "Hello world!", 12, &error), &error);

    pid_t pid = fork();
    if (pid == 0) {
        child(map);
        return EXIT_SUCCESS;
    }
    if (pid < 0 || waitpid(pid, &status, 0) < 0 || status != 0) {
        fprintf(stderr, "anonymous: the child did not finish\n");
        return EXIT_FAILURE;
    }

    check(ironmap_get(map, 0, answer, sizeof answer, &error), &error);
    printf("parent reads: %.*s\n", (int)sizeof answer, answer);
    check(ironmap_close(map, &error), &error);
    return EXIT_SUCCESS;
}
