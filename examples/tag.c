/* Share memory between programs by a name: a tag. The program starts itself once more, and tells
 * the other one the name. */
#include <ironmap/ironmap.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void check(int status, const ironmap_error *error)
{
    if (status != IRONMAP_OK) {
        char text[256];
        ironmap_error_text(text, sizeof text, error);
        fprintf(stderr, "tag: %s\n", text);
        exit(EXIT_FAILURE);
    }
}

/* Opens the memory of the tag, which is made if it is not there; length 0 takes all there is and
 * makes nothing. */
static ironmap_map *open_tag(const char *tag, size_t length)
{
    ironmap_map *map;
    ironmap_error error;
    ironmap_options options = IRONMAP_OPTIONS_INIT;

    options.tag = tag;
    options.length = length;
    check(ironmap_open_anonymous(&map, IRONMAP_WRITE, &options, &error), &error);
    return map;
}

/* What the second program does: reads what the first one wrote, and answers in the same place. */
static void join(const char *tag)
{
    ironmap_map *map = open_tag(tag, 0);
    char line[12];
    ironmap_error error;

    check(ironmap_get(map, 0, line, sizeof line, &error), &error);
    printf("second reads: %.12s\n", line);
    fflush(stdout);
    check(ironmap_put(map, 0, "Hello first!", 12, &error), &error);
    check(ironmap_close(map, &error), &error);
}

int main(int argc, char **argv)
{
    ironmap_map *map;
    ironmap_error error;
    char tag[64];
    char command[1024];
    char answer[12];

    if (argc > 1) {
        join(argv[1]);
        return EXIT_SUCCESS;
    }

    snprintf(tag, sizeof tag, "example-%lld", (long long)time(NULL));
    map = open_tag(tag, 4096);
    check(ironmap_put(map, 0, "Hello second", 12, &error), &error);

    snprintf(command, sizeof command, "\"%s\" %s", argv[0], tag);
    if (system(command) != 0) {
        fprintf(stderr, "tag: the second program failed\n");
        return EXIT_FAILURE;
    }
    check(ironmap_get(map, 0, answer, sizeof answer, &error), &error);
    printf("first reads: %.12s\n", answer);

    /* With the last map of the tag, its memory is gone. */
    check(ironmap_close(map, &error), &error);
    return EXIT_SUCCESS;
}
