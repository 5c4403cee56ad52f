/* Times every search kernel that this processor supports, in haystacks of many
 * lengths. One line for each: kernel, operation, bytes of the haystack, bytes of the needle, and
 * the nanoseconds of one call, median and minimum of the rounds. bench/kernels.py reads them.
 *
 * kernels ROUNDS */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "search/search.h"

enum {
    MOST_ROUNDS = 101,
    MOST_KERNELS = 8,
    LONGEST_HAYSTACK = 4 << 20,
    LONGEST_NEEDLE = 1024,
    /* Each timing is of calls that pass over so many bytes together, and of no more calls. */
    BYTES_A_TIMING = 4 << 20,
    CALLS_A_TIMING = 4000
};

/* A needle, a haystack, and the number of hits. */
typedef struct task {
    const uint8_t *haystack;
    size_t n;
    const uint8_t *needle;
    size_t m;
    size_t hits;
} task;

/* Counts the hits: 0 or 1 for a find. */
typedef size_t search(const ironmap__kernels *kernels, ironmap__pattern *pattern, const task *t);

static size_t forward(const ironmap__kernels *kernels, ironmap__pattern *pattern, const task *t,
                      uint64_t *indexes, size_t capacity)
{
    ironmap__match_sink matches = {.offsets = indexes, .capacity = capacity, .step = t->m};
    ironmap__search_forward(kernels, &matches, pattern, t->haystack, 0, t->n - t->m + 1);
    return matches.found;
}

static size_t find(const ironmap__kernels *kernels, ironmap__pattern *pattern, const task *t)
{
    uint64_t index = 0;
    return forward(kernels, pattern, t, &index, 1);
}

static size_t count(const ironmap__kernels *kernels, ironmap__pattern *pattern, const task *t)
{
    return forward(kernels, pattern, t, NULL, SIZE_MAX);
}

static size_t rfind(const ironmap__kernels *kernels, ironmap__pattern *pattern, const task *t)
{
    size_t index = ironmap__search_backward(kernels, pattern, t->haystack, 0, t->n - t->m + 1);
    return index == IRONMAP__NO_MATCH ? 0 : 1;
}

static double now(void)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;
    return (left > right) - (left < right);
}

/* Nanoseconds of one call with a prepared needle. A wrong answer ends the program. */
static double time_search(search *operation, const ironmap__kernels *kernels, const task *t)
{
    size_t wanted = BYTES_A_TIMING / t->n;
    size_t calls = wanted < CALLS_A_TIMING ? wanted : CALLS_A_TIMING;
    size_t hits = 0;
    ironmap__pattern pattern;
    ironmap__pattern_init(&pattern, t->needle, t->m);
    double start = now();
    for (size_t i = 0; i < calls; i++) {
        hits += operation(kernels, &pattern, t);
    }
    double end = now();
    if (hits != calls * t->hits) {
        fprintf(stderr, "kernels: %s finds %zu hits of %zu\n", kernels->name, hits,
                calls * t->hits);
        exit(1);
    }
    return (end - start) / (double)calls;
}

/* Runs every kernel once in each round, and prints a line for each. */
static void time_kernels(const char *name, search *operation, size_t rounds, const task *t)
{
    static double times[MOST_KERNELS][MOST_ROUNDS];
    for (size_t round = 0; round < rounds; round++) {
        for (size_t k = 0; k < MOST_KERNELS && ironmap__all_kernels[k] != NULL; k++) {
            if (ironmap__all_kernels[k]->supported()) {
                times[k][round] = time_search(operation, ironmap__all_kernels[k], t);
            }
        }
    }
    for (size_t k = 0; k < MOST_KERNELS && ironmap__all_kernels[k] != NULL; k++) {
        if (ironmap__all_kernels[k]->supported()) {
            qsort(times[k], rounds, sizeof(times[k][0]), compare);
            printf("%s %s %zu %zu %.3f %.3f\n", ironmap__all_kernels[k]->name, name, t->n, t->m,
                   times[k][rounds / 2], times[k][0]);
        }
    }
}

/* Letters and spaces with about the frequencies of a language, the same in every run. */
static void fill_text(uint8_t *text, size_t length)
{
    static const char LETTERS[] = "  eeeettaaooiinnsshhrrdlcumwfgypbvk";
    uint64_t state = 88172645463325252U;
    for (size_t i = 0; i < length; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        text[i] = (uint8_t)LETTERS[state % (sizeof(LETTERS) - 1)];
    }
}

/* An absent needle: text with a letter in its middle that the haystack does not have. */
static void time_absent(size_t rounds, const uint8_t *text, size_t n, size_t m)
{
    uint8_t needle[LONGEST_NEEDLE];
    memcpy(needle, text + LONGEST_HAYSTACK / 2, m);
    needle[m / 2] = 'z';
    task t = {text, n, needle, m, 0};
    time_kernels("find", find, rounds, &t);
    time_kernels("rfind", rfind, rounds, &t);
}

/* The commonest byte or pair of bytes, counted naively. They do not overlap themselves. */
static void time_hits(size_t rounds, const uint8_t *text, size_t n, const char *needle)
{
    task t = {text, n, (const uint8_t *)needle, strlen(needle), 0};
    for (size_t i = 0; i + t.m <= n; i++) {
        t.hits += memcmp(text + i, needle, t.m) == 0;
    }
    time_kernels("count", count, rounds, &t);
}

static void time_all(size_t rounds, const uint8_t *text)
{
    static const size_t HAYSTACKS[] = {1, 8, 31, 64, 100, 1000, 65536, LONGEST_HAYSTACK};
    static const size_t NEEDLES[] = {1, 2, 4, 16, 64, LONGEST_NEEDLE};
    for (size_t i = 0; i < sizeof(HAYSTACKS) / sizeof(HAYSTACKS[0]); i++) {
        size_t n = HAYSTACKS[i];
        for (size_t k = 0; k < sizeof(NEEDLES) / sizeof(NEEDLES[0]) && NEEDLES[k] <= n; k++) {
            time_absent(rounds, text, n, NEEDLES[k]);
        }
        time_hits(rounds, text, n, "e");
        if (n > 1) {
            time_hits(rounds, text, n, " e");
        }
    }
}

int main(int argument_count, char **arguments)
{
    size_t rounds = argument_count == 2 ? strtoul(arguments[1], NULL, 10) : 0;
    uint8_t *text = malloc(LONGEST_HAYSTACK);
    if (rounds == 0 || rounds > MOST_ROUNDS || text == NULL) {
        fprintf(stderr, "usage: kernels ROUNDS (at most %d)\n", MOST_ROUNDS);
        free(text);
        return 1;
    }
    fill_text(text, LONGEST_HAYSTACK);
    time_all(rounds, text);
    free(text);
    return 0;
}
