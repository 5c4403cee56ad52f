/* C functions of the benchmark, loaded by bench/helper.py: the read limit of memory, the searches
 * of the C library, and the pages of a file that are in memory. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The build says whether the compiler makes one copy for each level of instructions. */
#ifdef BENCH_TARGET_CLONES
#define FOR_EVERY_PROCESSOR                                                                        \
    __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define FOR_EVERY_PROCESSOR
#endif

enum { LANES = 8, STREAMS = 4, STREAM_GAP = 16384 };

/* A cache line, as a vector type. */
typedef uint64_t line __attribute__((vector_size(64)));

static uint64_t sum_of_lanes(const line *lanes, size_t count)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        for (size_t lane = 0; lane < LANES; lane++) {
            sum += lanes[i][lane];
        }
    }
    return sum;
}

/* The sum of the 64-bit words at `memory`, which is aligned to cache lines. `size` is a multiple of
 * 512. Eight sums at a time, so that only memory is the limit. */
uint64_t bench_sum(const void *memory, size_t size);
FOR_EVERY_PROCESSOR uint64_t bench_sum(const void *memory, size_t size)
{
    const line *lines = memory;
    line sums[LANES] = {{0}};
    for (size_t i = 0; i < size / sizeof(line); i += LANES) {
        for (size_t k = 0; k < LANES; k++) {
            sums[k] += lines[i + k];
        }
    }
    return sum_of_lanes(sums, LANES);
}

/* The same in four streams, which is faster if the processor's prefetching limits one stream.
 * `size` is a multiple of 64 KiB. */
uint64_t bench_sum_streams(const void *memory, size_t size);
FOR_EVERY_PROCESSOR uint64_t bench_sum_streams(const void *memory, size_t size)
{
    const size_t gap = STREAM_GAP / sizeof(line);
    const line *lines = memory;
    const line *end = lines + size / sizeof(line);
    line sums[STREAMS] = {{0}};
    for (; lines < end; lines += STREAMS * gap) {
        for (size_t i = 0; i < gap; i++) {
            for (size_t k = 0; k < STREAMS; k++) {
                sums[k] += lines[i + k * gap];
            }
        }
    }
    return sum_of_lanes(sums, STREAMS);
}

static int64_t index_of(const void *found, const uint8_t *haystack)
{
    return found == NULL ? -1 : (const uint8_t *)found - haystack;
}

/* memchr for one byte, memmem for more. */
int64_t bench_find(const uint8_t *haystack, size_t n, const uint8_t *needle, size_t m);
int64_t bench_find(const uint8_t *haystack, size_t n, const uint8_t *needle, size_t m)
{
    const void *found = m == 1 ? memchr(haystack, needle[0], n) : memmem(haystack, n, needle, m);
    return index_of(found, haystack);
}

/* memrchr for the first byte and memcmp for the others, since there is no memrmem.
 */
int64_t bench_rfind(const uint8_t *haystack, size_t n, const uint8_t *needle, size_t m);
int64_t bench_rfind(const uint8_t *haystack, size_t n, const uint8_t *needle, size_t m)
{
    size_t places = n < m ? 0 : n - m + 1;
    const uint8_t *found = memrchr(haystack, needle[0], places);
    while (found != NULL && memcmp(found, needle, m) != 0) {
        found = memrchr(haystack, needle[0], (size_t)(found - haystack));
    }
    return index_of(found, haystack);
}

/* Counts occurrences without overlaps, in a loop of bench_find. */
int64_t bench_count(const uint8_t *haystack, size_t n, const uint8_t *needle, size_t m);
int64_t bench_count(const uint8_t *haystack, size_t n, const uint8_t *needle, size_t m)
{
    int64_t count = 0;
    size_t from = 0;
    int64_t found = 0;
    while ((found = bench_find(haystack + from, n - from, needle, m)) >= 0) {
        count++;
        from += (size_t)found + m;
    }
    return count;
}

/* The number of pages of the mapping that are in memory; -1 if the system does not report it. */
int64_t bench_resident(void *memory, size_t size);
int64_t bench_resident(void *memory, size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t pages = (size + page - 1) / page;
    unsigned char *flags = malloc(pages);
    int64_t count = -1;
    if (flags != NULL && mincore(memory, size, flags) == 0) {
        count = 0;
        for (size_t i = 0; i < pages; i++) {
            count += flags[i] & 1;
        }
    }
    free(flags);
    return count;
}
