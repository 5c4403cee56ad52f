#include "ledger.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct range {
    uintptr_t start;
    uintptr_t end;
} range;

enum { RANGES_MAX = 4096 };

static range ranges[RANGES_MAX];
static size_t count;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static range whole_pages(const void *start, size_t length)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t from = (uintptr_t)start;

    return (range){from / page * page, (from + length + page - 1) / page * page};
}

static void append(uintptr_t start, uintptr_t end)
{
    if (start >= end) {
        return;
    }
    if (count == RANGES_MAX) {
        abort();
    }
    ranges[count] = (range){start, end};
    count++;
}

/* What remains of each range is appended again. */
static void cut_out(range r)
{
    size_t old_count = count;

    for (size_t i = 0; i < old_count; i++) {
        range whole = ranges[i];

        if (whole.start < r.end && r.start < whole.end) {
            ranges[i] = (range){0, 0};
            append(whole.start, r.start);
            append(r.end, whole.end);
        }
    }
    for (size_t i = 0; i < count;) {
        if (ranges[i].end == 0) {
            count--;
            ranges[i] = ranges[count];
        } else {
            i++;
        }
    }
}

void ledger_add(const void *start, size_t length)
{
    range r = whole_pages(start, length);

    (void)pthread_mutex_lock(&mutex);
    cut_out(r);
    append(r.start, r.end);
    (void)pthread_mutex_unlock(&mutex);
}

void ledger_remove(const void *start, size_t length)
{
    (void)pthread_mutex_lock(&mutex);
    cut_out(whole_pages(start, length));
    (void)pthread_mutex_unlock(&mutex);
}

size_t ledger_bytes(void)
{
    size_t bytes = 0;

    (void)pthread_mutex_lock(&mutex);
    for (size_t i = 0; i < count; i++) {
        bytes += ranges[i].end - ranges[i].start;
    }
    (void)pthread_mutex_unlock(&mutex);
    return bytes;
}
