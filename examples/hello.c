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

static void print_line(ironmap_map *map)
{
    char line[80];
    size_t length;
    ironmap_error error;

    check(ironmap_readline(&length, map, line, sizeof line, &error), &error);
    printf("readline: %.*s", (int)length, line);
}

int main(void)
{
    ironmap_map *map;
    ironmap_error error;
    char word[5];

    write_example_file("hello.txt");

    /* NULL: all defaults, which map the whole file to read and write. */
    check(ironmap_open_path(&map, "hello.txt", IRONMAP_WRITE, NULL, &error), &error);

    /* Read as from a file, from the map's position... */
    print_line(map);
    /* ...or any bytes at any place. */
    check(ironmap_get(map, 0, word, sizeof word, &error), &error);
    printf("the first five bytes: %.*s\n", (int)sizeof word, word);

    /* Change the file in place. */
    check(ironmap_put(map, 6, " world!\n", 8, &error), &error);

    /* Go back to the beginning and read the line again. */
    check(ironmap_seek(map, 0, IRONMAP_SEEK_SET, &error), &error);
    print_line(map);

    check(ironmap_close(map, &error), &error);
    return EXIT_SUCCESS;
}
