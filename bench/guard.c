/* Times accesses to a mapped file, one line each: name and nanoseconds. Built with the fault guard
 * and without it; bench/guard.py runs both in turn. */
#include <mapio/mapio.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { CALLS = 5000000, BULK = 64 << 20, BULK_CALLS = 8 };

static double now(void)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static void time_get_byte(mapio_map *map)
{
    uint8_t byte = 0;
    double start = now();
    for (uint64_t i = 0; i < CALLS; i++) {
        (void)mapio_get_byte(&byte, map, i & 4095, NULL);
    }
    printf("get_byte %.3f\n", (now() - start) / CALLS);
}

static void time_put_byte(mapio_map *map)
{
    double start = now();
    for (uint64_t i = 0; i < CALLS; i++) {
        (void)mapio_put_byte(map, i & 4095, (uint8_t)i, NULL);
    }
    printf("put_byte %.3f\n", (now() - start) / CALLS);
}

static void time_get_eight(mapio_map *map)
{
    uint8_t bytes[8];
    double start = now();
    for (uint64_t i = 0; i < CALLS; i++) {
        (void)mapio_get(bytes, map, i & 4095, sizeof(bytes), NULL);
    }
    printf("get_8_bytes %.3f\n", (now() - start) / CALLS);
}

static void time_bulk(mapio_map *map, uint8_t *buffer)
{
    double start = now();
    for (int i = 0; i < BULK_CALLS; i++) {
        (void)mapio_get(buffer, map, 0, BULK, NULL);
    }
    printf("get_64_MiB %.0f\n", (now() - start) / BULK_CALLS);
}

int main(int count, char **arguments)
{
    mapio_map *map = NULL;
    mapio_error error;
    mapio_options options = MAPIO_OPTIONS_INIT;
    uint8_t *buffer = calloc(1, BULK);
    options.open = MAPIO_OPEN_CREATE | MAPIO_OPEN_EXTEND;
    options.length = BULK;
    if (count != 2 || buffer == NULL ||
        mapio_open_path(&map, arguments[1], &options, &error) != MAPIO_OK) {
        fprintf(stderr, "usage: guard FILE\n");
        free(buffer);
        return 1;
    }
    (void)mapio_fill(map, 0, BULK, 'a', NULL);
    time_get_byte(map);
    time_put_byte(map);
    time_get_eight(map);
    time_bulk(map, buffer);
    free(buffer);
    return mapio_close(map, &error) == MAPIO_OK ? 0 : 1;
}
