/* Share named memory between programs: a tag. The program starts itself a second time, with the
 * name as its argument. */
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

/* Opens the memory of the tag, and creates it if it does not exist. Length 0 maps all of it and
 * creates nothing. */
static ironmap_map *open_tag(const char *tag, size_t length)
{
    ironmap_map *m;
    ironmap_error error;
    ironmap_options options = IRONMAP_OPTIONS_INIT;

    options.tag = tag;
    options.length = length;
    check(ironmap_open_anonymous(&m, IRONMAP_WRITE, &options, &error), &error);
    return m;
}

/* The second program: reads what the first one wrote, and answers in the same bytes. */
static void join(const char *tag)
{
    ironmap_map *m = open_tag(tag, 0);
    char line[12];
    ironmap_error error;

    check(ironmap_get(m, 0, line, sizeof line, &error), &error);
    printf("second reads: %.12s\n", line);
    fflush(stdout);
    check(ironmap_put(m, 0, "Hello first!", 12, &error), &error);
    check(ironmap_close(m, &error), &error);
}

int main(int argc, char **argv)
{
    ironmap_map *m;
    ironmap_error error;
    char tag[64];
    char command[1024];
    char answer[12];

    if (argc > 1) {
        join(argv[1]);
        return EXIT_SUCCESS;
    }

    snprintf(tag, sizeof tag, "example-%lld", (long long)time(NULL));
    m = open_tag(tag, 4096);
    check(ironmap_put(m, 0, "Hello second", 12, &error), &error);

    snprintf(command, sizeof command, "\"%s\" %s", argv[0], tag);
    if (system(command) != 0) {
        fprintf(stderr, "tag: the second program failed\n");
        return EXIT_FAILURE;
    }
    check(ironmap_get(m, 0, answer, sizeof answer, &error), &error);
    printf("first reads: %.12s\n", answer);

    /* The last map of the tag is closed, so its memory is freed. */
    check(ironmap_close(m, &error), &error);
    return EXIT_SUCCESS;
}
