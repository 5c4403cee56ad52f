/* Fuzzes the search kernels. Each must find what a naive search finds.
 *
 * The first bytes of the input choose the needle's length and place in the haystack, and where the
 * search starts. The rest is the haystack. It is copied to memory of its exact length, so that the
 * sanitizer sees every read outside.
 */
#include <stdlib.h>
#include <string.h>

#include "search/search.h"

typedef struct task {
    uint8_t *haystack;
    size_t n;
    uint8_t *needle;
    size_t m;
    size_t from;
    size_t step;
} task;

enum { HEADER_BYTES = 6 };

static uint8_t *copy(const uint8_t *bytes, size_t n)
{
    uint8_t *made = malloc(n);
    if (made == NULL) {
        abort();
    }
    memcpy(made, bytes, n);
    return made;
}

/* False if the input is too short. */
static bool make_task(task *t, const uint8_t *input, size_t size)
{
    if (size <= HEADER_BYTES) {
        return false;
    }
    const uint8_t *rest = input + HEADER_BYTES;
    t->n = size - HEADER_BYTES;
    t->m = 1 + (input[0] | (size_t)(input[1] & 0x0F) << 8) % t->n;
    size_t position = (input[2] | (size_t)input[3] << 8) % (t->n - t->m + 1);
    t->from = input[5] % (t->n - t->m + 1);
    t->step = (input[4] & 1) != 0 ? t->m : 1;
    t->haystack = copy(rest, t->n);
    t->needle = copy(rest + position, t->m);
    if ((input[4] & 2) != 0) {
        t->needle[input[3] % t->m] ^= 1;
    }
    return true;
}

static size_t naive_next(const task *t, size_t position)
{
    while (position + t->m <= t->n && memcmp(t->haystack + position, t->needle, t->m) != 0) {
        position++;
    }
    return position;
}

/* All matches in ascending order. */
static size_t naive(uint64_t *offsets, const task *t)
{
    size_t found = 0;
    for (size_t i = naive_next(t, t->from); i + t->m <= t->n; i = naive_next(t, i + t->step)) {
        offsets[found++] = i;
    }
    return found;
}

static size_t naive_last(const task *t)
{
    size_t last = IRONMAP__NO_MATCH;
    for (size_t i = naive_next(t, t->from); i + t->m <= t->n; i = naive_next(t, i + 1)) {
        last = i;
    }
    return last;
}

static void check(bool condition)
{
    if (!condition) {
        abort();
    }
}

static void check_kernels(const ironmap__kernels *kernels, const task *t, const uint64_t *expected,
                          size_t count, uint64_t *offsets)
{
    size_t to = t->n - t->m + 1;
    ironmap__pattern pattern;
    ironmap__match_sink all = {.offsets = offsets, .capacity = t->n + 1, .step = t->step};
    ironmap__match_sink counted = {.capacity = SIZE_MAX, .step = t->step};
    ironmap__pattern_init(&pattern, t->needle, t->m);
    ironmap__search_forward(kernels, &all, &pattern, t->haystack, t->from, to);
    check(all.found == count && memcmp(offsets, expected, count * sizeof(uint64_t)) == 0);
    ironmap__search_forward(kernels, &counted, &pattern, t->haystack, t->from, to);
    check(counted.found == count);
    check(ironmap__search_backward(kernels, &pattern, t->haystack, t->from, to) == naive_last(t));
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    task t;
    if (!make_task(&t, input, size)) {
        return 0;
    }
    uint64_t *expected = malloc((t.n + 1) * sizeof(uint64_t));
    uint64_t *offsets = malloc((t.n + 1) * sizeof(uint64_t));
    check(expected != NULL && offsets != NULL);
    size_t count = naive(expected, &t);
    for (size_t i = 0; ironmap__all_kernels[i] != NULL; i++) {
        if (ironmap__all_kernels[i]->supported()) {
            check_kernels(ironmap__all_kernels[i], &t, expected, count, offsets);
        }
    }
    free(t.haystack);
    free(t.needle);
    free(expected);
    free(offsets);
    return 0;
}
