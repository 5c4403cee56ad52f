/* Times the search kernels by themselves: an absent needle in haystacks of many lengths, each
 * kernel in turn. One line for each: kernel, operation, bytes of the haystack, bytes of the needle,
 * and the nanoseconds of one call, median and minimum of the rounds. bench/kernels.py reads them.
 *
 * kernels ROUNDS */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "search/search.h"

enum {
    MOST_ROUNDS = 101,
    MOST_KERNELS = 8,
    LONGEST = 4 << 20,
    /* Each timing is of calls that pass over so many bytes together, and of no more calls. */
    BYTES_A_TIMING = 4 << 20,
    CALLS_A_TIMING = 4000
};

typedef size_t search(const uint8_t *haystack, size_t n, const uint8_t *needle, size_t m);

/* One kernel, as a table: what it is called, and what it can do. The plain one is the last. */
typedef struct kernel {
    const char *name;
    search *find;
    search *rfind;
} kernel;

static const kernel KERNELS[] = {
    {"plain", mapio__find, mapio__rfind},
};

enum { KERNEL_COUNT = sizeof(KERNELS) / sizeof(KERNELS[0]) };

static const size_t HAYSTACKS[] = {1, 8, 31, 64, 100, 1000, 65536, LONGEST};
static const size_t NEEDLES[] = {1, 2, 4, 16, 64, 1024};

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

/* Nanoseconds of one call. Not finding is the expected answer; another ends the program. */
static double time_search(search *find, const uint8_t *haystack, size_t n, const uint8_t *needle,
                          size_t m)
{
    size_t calls = BYTES_A_TIMING / n < CALLS_A_TIMING ? BYTES_A_TIMING / n : CALLS_A_TIMING;
    size_t absent = 0;
    double start = now();
    for (size_t i = 0; i < calls; i++) {
        absent += find(haystack, n, needle, m) == MAPIO__NOWHERE;
    }
    double end = now();
    if (absent != calls) {
        fprintf(stderr, "kernels: a needle of %zu bytes was found in %zu\n", m, n);
        exit(1);
    }
    return (end - start) / (double)calls;
}

/* Every kernel once in each round, and a line for each. */
static void time_kernels(const char *operation, bool backward, size_t rounds,
                         const uint8_t *haystack, size_t n, const uint8_t *needle, size_t m)
{
    static double times[MOST_KERNELS][MOST_ROUNDS];
    for (size_t round = 0; round < rounds; round++) {
        for (size_t k = 0; k < KERNEL_COUNT; k++) {
            search *find = backward ? KERNELS[k].rfind : KERNELS[k].find;
            times[k][round] = time_search(find, haystack, n, needle, m);
        }
    }
    for (size_t k = 0; k < KERNEL_COUNT; k++) {
        qsort(times[k], rounds, sizeof(times[k][0]), compare);
        printf("%s %s %zu %zu %.3f %.3f\n", KERNELS[k].name, operation, n, m, times[k][rounds / 2],
               times[k][0]);
    }
}

/* Letters and spaces about as frequent as in a language, the same in every run. */
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

int main(int count, char **arguments)
{
    size_t rounds = count == 2 ? strtoul(arguments[1], NULL, 10) : 0;
    uint8_t *text = malloc(LONGEST);
    uint8_t needle[1024];
    if (rounds == 0 || rounds > MOST_ROUNDS || text == NULL) {
        fprintf(stderr, "usage: kernels ROUNDS (at most %d)\n", MOST_ROUNDS);
        free(text);
        return 1;
    }
    fill_text(text, LONGEST);
    for (size_t i = 0; i < sizeof(HAYSTACKS) / sizeof(HAYSTACKS[0]); i++) {
        for (size_t k = 0; k < sizeof(NEEDLES) / sizeof(NEEDLES[0]); k++) {
            size_t m = NEEDLES[k];
            if (m > HAYSTACKS[i]) {
                continue;
            }
            /* A piece of text with a letter in its middle that the text does not have. */
            memcpy(needle, text + LONGEST / 2, m);
            needle[m / 2] = 'z';
            time_kernels("find", false, rounds, text, HAYSTACKS[i], needle, m);
            time_kernels("rfind", true, rounds, text, HAYSTACKS[i], needle, m);
        }
    }
    free(text);
    return 0;
}
