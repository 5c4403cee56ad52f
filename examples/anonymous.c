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

/* The child process: reads what the parent wrote, and answers in the same bytes. */
static void child(ironmap_map *m)
{
    char line[12];
    size_t length;
    ironmap_error error;

    check(ironmap_seek(m, 0, IRONMAP_SEEK_SET, &error), &error);
    check(ironmap_read(&length, m, line, sizeof line, &error), &error);
    printf("child reads: %.*s\n", (int)length, line);
    check(ironmap_put(m, 0, "Hello parent", 12, &error), &error);
    check(ironmap_close(m, &error), &error);
}

int main(void)
{
    ironmap_map *m;
    ironmap_error error;
    ironmap_options options = IRONMAP_OPTIONS_INIT;
    char answer[12];
    int status;

    options.length = 13;
    check(ironmap_open_anonymous(&m, IRONMAP_WRITE, &options, &error), &error);
    check(ironmap_write(m, "Hello world!", 12, &error), &error);

    pid_t pid = fork();
    if (pid == 0) {
        child(m);
        return EXIT_SUCCESS;
    }
    if (pid < 0 || waitpid(pid, &status, 0) < 0 || status != 0) {
        fprintf(stderr, "anonymous: the child did not finish\n");
        return EXIT_FAILURE;
    }

    check(ironmap_get(m, 0, answer, sizeof answer, &error), &error);
    printf("parent reads: %.*s\n", (int)sizeof answer, answer);
    check(ironmap_close(m, &error), &error);
    return EXIT_SUCCESS;
}
