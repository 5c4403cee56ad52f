/* Fuzzes the search kernels: each must find what a naive search finds. The first bytes of the input
 * say how long the needle is, where it is taken from and how the search is cut; the rest is the
 * haystack, in memory of its own length so that reading beyond it is seen.
 */
#include <stdlib.h>

#include "../../src/search/internal.h"

typedef struct task {
    uint8_t *haystack;
    size_t n;
    uint8_t *needle;
    size_t m;
    size_t from;
    size_t step;
} task;

enum { HEAD = 6 };

static uint8_t *copy(const uint8_t *bytes, size_t n)
{
    uint8_t *made = malloc(n);
    if (made == NULL) {
        abort();
    }
    memcpy(made, bytes, n);
    return made;
}

/* Whether the input is a task at all. */
static bool make_task(task *t, const uint8_t *input, size_t size)
{
    if (size <= HEAD) {
        return false;
    }
    const uint8_t *rest = input + HEAD;
    t->n = size - HEAD;
    t->m = 1 + (input[0] | (size_t)(input[1] & 0x0F) << 8) % t->n;
    size_t place = (input[2] | (size_t)input[3] << 8) % (t->n - t->m + 1);
    t->from = input[5] % (t->n - t->m + 1);
    t->step = (input[4] & 1) != 0 ? t->m : 1;
    t->haystack = copy(rest, t->n);
    t->needle = copy(rest + place, t->m);
    if ((input[4] & 2) != 0) {
        t->needle[input[3] % t->m] ^= 1;
    }
    return true;
}

static size_t naive_next(const task *t, size_t place)
{
    while (place + t->m <= t->n && memcmp(t->haystack + place, t->needle, t->m) != 0) {
        place++;
    }
    return place;
}

/* What the kernels must find, in ascending order. */
static size_t naive(size_t *indexes, const task *t)
{
    size_t found = 0;
    for (size_t i = naive_next(t, t->from); i + t->m <= t->n; i = naive_next(t, i + t->step)) {
        indexes[found++] = i;
    }
    return found;
}

static size_t naive_last(const task *t)
{
    size_t last = IRONMAP__NOWHERE;
    for (size_t i = naive_next(t, t->from); i + t->m <= t->n; i = naive_next(t, i + 1)) {
        last = i;
    }
    return last;
}

static void check(bool right)
{
    if (!right) {
        abort();
    }
}

static void check_kernels(const ironmap__kernels *kernels, const task *t, const size_t *expected,
                          size_t count, size_t *indexes)
{
    size_t to = t->n - t->m + 1;
    ironmap__pattern pattern;
    ironmap__matches all = {.indexes = indexes, .capacity = t->n + 1, .step = t->step};
    ironmap__matches counted = {.capacity = SIZE_MAX, .step = t->step};
    ironmap__pattern_init(&pattern, t->needle, t->m);
    ironmap__forward(kernels, &all, &pattern, t->haystack, t->from, to);
    check(all.found == count && memcmp(indexes, expected, count * sizeof(size_t)) == 0);
    ironmap__forward(kernels, &counted, &pattern, t->haystack, t->from, to);
    check(counted.found == count);
    check(ironmap__backward(kernels, &pattern, t->haystack, t->from, to) == naive_last(t));
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    task t;
    if (!make_task(&t, input, size)) {
        return 0;
    }
    size_t *expected = malloc((t.n + 1) * sizeof(size_t));
    size_t *indexes = malloc((t.n + 1) * sizeof(size_t));
    check(expected != NULL && indexes != NULL);
    size_t count = naive(expected, &t);
    for (size_t i = 0; ironmap__all_kernels[i] != NULL; i++) {
        if (ironmap__all_kernels[i]->supported()) {
            check_kernels(ironmap__all_kernels[i], &t, expected, count, indexes);
        }
    }
    free(t.haystack);
    free(t.needle);
    free(expected);
    free(indexes);
    return 0;
}
