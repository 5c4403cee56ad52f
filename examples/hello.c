/* Map a file, read it like a file and like memory, and change it in place. */
#include <mapio/mapio.h>

#include <stdio.h>
#include <stdlib.h>

static void check(int status, const mapio_error *error)
{
    if (status != MAPIO_OK) {
        char text[256];
        mapio_error_text(text, sizeof text, error);
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

static void print_line(mapio_map *map)
{
    char line[80];
    size_t length;
    mapio_error error;

    check(mapio_readline(line, &length, map, sizeof line, &error), &error);
    printf("readline: %.*s", (int)length, line);
}

int main(void)
{
    mapio_map *map;
    mapio_error error;
    char word[5];

    write_example_file("hello.txt");

    /* NULL: all defaults, which map the whole file to read and write. */
    check(mapio_open_path(&map, "hello.txt", NULL, &error), &error);

    /* Read as from a file, from the map's position... */
    print_line(map);
    /* ...or any bytes at any place. */
    check(mapio_get(word, map, 0, sizeof word, &error), &error);
    printf("the first five bytes: %.*s\n", (int)sizeof word, word);

    /* Change the file in place. */
    check(mapio_put(map, 6, " world!\n", 8, &error), &error);

    /* Go back to the beginning and read the line again. */
    check(mapio_seek(map, 0, MAPIO_SEEK_SET, &error), &error);
    print_line(map);

    check(mapio_close(map, &error), &error);
    return EXIT_SUCCESS;
}
