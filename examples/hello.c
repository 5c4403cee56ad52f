/* Map a file, read it like a file and like memory, and change it in place. */
#include <ironmap/ironmap.h>

#include <stdio.h>
#include <stdlib.h>

static void check(int status, const ironmap_error *error)
{
    if (status != IRONMAP_OK) {
        char text[256];
        ironmap_error_text(text, sizeof text, error);
        fprintf(stderr, "hello: %s\n", text);
        exit(EXIT_FAILURE);
    }
}

static void write_example_file(const char *path)
{
    FILE *file = fopen(path, "wb");
    if (file == NULL || fputs("Hello Python!\n", file) == EOF || fclose(file) == EOF) {
        perror(path);
        exit(EXIT_FAILURE);
    }
}

static void print_line(ironmap_map *m)
{
    char line[80];
    size_t length;
    ironmap_error error;

    check(ironmap_readline(&length, m, line, sizeof line, &error), &error);
    printf("readline: %.*s", (int)length, line);
}

int main(void)
{
    ironmap_map *m;
    ironmap_error error;
    char word[5];

    write_example_file("hello.txt");

    /* NULL: all defaults, which map the whole file to read and write. */
    check(ironmap_open_path(&m, "hello.txt", IRONMAP_WRITE, NULL, &error), &error);

    /* Read as from a file, from the map's position... */
    print_line(m);
    /* ...or bytes at any offset. */
    check(ironmap_get(m, 0, word, sizeof word, &error), &error);
    printf("the first five bytes: %.*s\n", (int)sizeof word, word);

    /* Change the file in place. */
    check(ironmap_put(m, 6, " world!\n", 8, &error), &error);

    /* Go back to the beginning and read the line again. */
    check(ironmap_seek(m, 0, IRONMAP_SEEK_SET, &error), &error);
    print_line(m);

    check(ironmap_close(m, &error), &error);
    return EXIT_SUCCESS;
}
