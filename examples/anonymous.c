/* Share memory between a parent and a child process: an anonymous map and fork. */
#include <mapio/mapio.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void check(int status, const mapio_error *error)
{
    if (status != MAPIO_OK) {
        char text[256];
        mapio_error_text(text, sizeof text, error);
        fprintf(stderr, "anonymous: %s\n", text);
        exit(EXIT_FAILURE);
    }
}

/* What the child does: reads what the parent wrote, and answers in the same place. */
static void child(mapio_map *map)
{
    char line[12];
    size_t length;
    mapio_error error;

    check(mapio_seek(map, 0, MAPIO_SEEK_SET, &error), &error);
    check(mapio_read(line, &length, map, sizeof line, &error), &error);
    printf("child reads: %.*s\n", (int)length, line);
    check(mapio_put(map, 0, "Hello parent", 12, &error), &error);
    check(mapio_close(map, &error), &error);
}

int main(void)
{
    mapio_map *map;
    mapio_error error;
    mapio_options options = MAPIO_OPTIONS_INIT;
    char answer[12];
    int status;

    options.length = 13;
    check(mapio_open_anonymous(&map, &options, &error), &error);
    check(mapio_write(map, "Hello world!", 12, &error), &error);

    pid_t pid = fork();
    if (pid == 0) {
        child(map);
        return EXIT_SUCCESS;
    }
    if (pid < 0 || waitpid(pid, &status, 0) < 0 || status != 0) {
        fprintf(stderr, "anonymous: the child did not finish\n");
        return EXIT_FAILURE;
    }

    check(mapio_get(answer, map, 0, sizeof answer, &error), &error);
    printf("parent reads: %.*s\n", (int)sizeof answer, answer);
    check(mapio_close(map, &error), &error);
    return EXIT_SUCCESS;
}
