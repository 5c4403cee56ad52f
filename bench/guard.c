/* Times accesses to a mapped file, and prints a line with name and nanoseconds for each. It is
 * built with and without the fault guard, and bench/guard.py runs both in turn.
 *
 * Each figure is the fastest of many short batches, which other load has not disturbed. */
#include <ironmap/ironmap.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { BATCHES = 200, CALLS = 20000, BULK = 64 << 20, BULK_BATCHES = 32 };

static ironmap_map *map;
static uint8_t *buffer;

/* Not known to the compiler, which would otherwise inline the copy in one of the builds only. */
static volatile size_t eight = 8;

/* The calls are timed, and not checked. */
static void ignore(int status)
{
    (void)status;
}

static double now(void)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static void get_byte(int calls)
{
    for (int i = 0; i < calls; i++) {
        ignore(ironmap_get_byte(buffer, map, (uint64_t)i & 4095, NULL));
    }
}

static void put_byte(int calls)
{
    for (int i = 0; i < calls; i++) {
        ignore(ironmap_put_byte(map, (uint64_t)i & 4095, (uint8_t)i, NULL));
    }
}

static void get_eight(int calls)
{
    size_t length = eight;
    for (int i = 0; i < calls; i++) {
        ignore(ironmap_get(map, (uint64_t)i & 4095, buffer, length, NULL));
    }
}

static void put_eight(int calls)
{
    size_t length = eight;
    for (int i = 0; i < calls; i++) {
        ignore(ironmap_put(map, (uint64_t)i & 4095, buffer, length, NULL));
    }
}

static void get_bulk(int calls)
{
    for (int i = 0; i < calls; i++) {
        ignore(ironmap_get(map, 0, buffer, BULK, NULL));
    }
}

static void report(const char *name, void (*work)(int calls), int batches, int calls)
{
    double best = 0;
    for (int batch = 0; batch < batches; batch++) {
        double start = now();
        work(calls);
        double time = now() - start;
        best = batch == 0 || time < best ? time : best;
    }
    printf("%s %.3f\n", name, best / calls);
}

int main(int count, char **arguments)
{
    ironmap_error error;
    ironmap_options options = IRONMAP_OPTIONS_INIT;
    buffer = calloc(1, BULK);
    options.open = IRONMAP_OPEN_CREATE | IRONMAP_OPEN_EXTEND;
    options.length = BULK;
    if (count != 2 || buffer == NULL ||
        ironmap_open_path(&map, arguments[1], IRONMAP_WRITE, &options, &error) != IRONMAP_OK) {
        fprintf(stderr, "usage: guard FILE\n");
        free(buffer);
        return 1;
    }
    ignore(ironmap_fill(map, 0, 'a', BULK, NULL));
    report("get_byte", get_byte, BATCHES, CALLS);
    report("put_byte", put_byte, BATCHES, CALLS);
    report("get_8_bytes", get_eight, BATCHES, CALLS);
    report("put_8_bytes", put_eight, BATCHES, CALLS);
    report("get_64_MiB", get_bulk, BULK_BATCHES, 1);
    free(buffer);
    return ironmap_close(map, &error) == IRONMAP_OK ? 0 : 1;
}
