/* Share memory between programs by a name: a tag. The program starts itself once more, and tells
 * the other one the name. */
#include <mapio/mapio.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void check(int status, const mapio_error *error)
{
    if (status != MAPIO_OK) {
        char text[256];
        mapio_error_text(text, sizeof text, error);
        fprintf(stderr, "tag: %s\n", text);
        exit(EXIT_FAILURE);
    }
}

/* Opens the memory of the tag, which is made if it is not there; length 0 takes all there is and
 * makes nothing. */
static mapio_map *open_tag(const char *tag, size_t length)
{
    mapio_map *map;
    mapio_error error;
    mapio_options options = MAPIO_OPTIONS_INIT;

    options.tag = tag;
    options.length = length;
    check(mapio_open_anonymous(&map, &options, &error), &error);
    return map;
}

/* What the second program does: reads what the first one wrote, and answers in the same place. */
static void join(const char *tag)
{
    mapio_map *map = open_tag(tag, 0);
    char line[12];
    mapio_error error;

    check(mapio_get(line, map, 0, sizeof line, &error), &error);
    printf("second reads: %.12s\n", line);
    fflush(stdout);
    check(mapio_put(map, 0, "Hello first!", 12, &error), &error);
    check(mapio_close(map, &error), &error);
}

int main(int argc, char **argv)
{
    mapio_map *map;
    mapio_error error;
    char tag[64];
    char command[1024];
    char answer[12];

    if (argc > 1) {
        join(argv[1]);
        return EXIT_SUCCESS;
    }

    snprintf(tag, sizeof tag, "example-%lld", (long long)time(NULL));
    map = open_tag(tag, 4096);
    check(mapio_put(map, 0, "Hello second", 12, &error), &error);

    snprintf(command, sizeof command, "\"%s\" %s", argv[0], tag);
    if (system(command) != 0) {
        fprintf(stderr, "tag: the second program failed\n");
        return EXIT_FAILURE;
    }
    check(mapio_get(answer, map, 0, sizeof answer, &error), &error);
    printf("first reads: %.12s\n", answer);

    /* With the last map of the tag, its memory is gone. */
    check(mapio_close(map, &error), &error);
    return EXIT_SUCCESS;
}
