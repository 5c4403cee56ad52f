/* Unmapping pages, at once or later.
 *
 * munmap(2) of a part of a mapping needs one mapping more, and the system merges neighbours that
 * are alike, so any view can be such a part. At the limit of mappings it fails. A map that is
 * closed or empty then must not come back, so the pages are kept in a list. A later call finds
 * neighbours gone or the limit further away.
 *
 * The list is a stack that any thread pushes to, and that one thread takes as a whole. So it needs
 * no lock, which fork would have to wait for. A child that is forked while another thread has the
 * list keeps the addresses in it.
 */
#include "features.h"

#include "unmap.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>

/* On the heap, or at `start` itself. */
typedef struct leftover {
    void *start;
    size_t length;
    struct leftover *next;
} leftover;

static _Atomic(leftover *) leftovers;

/* Pushes a chain of entries. */
static void push(leftover *first, leftover *last)
{
    last->next = atomic_load(&leftovers);
    while (!atomic_compare_exchange_weak(&leftovers, &last->next, first)) {
    }
}

/* Stops at the first failure, so that many entries do not make each call slow. */
void ironmap__unmap_leftovers(void)
{
    if (atomic_load_explicit(&leftovers, memory_order_relaxed) == NULL) {
        return;
    }
    leftover *left = atomic_exchange(&leftovers, NULL);
    while (left != NULL) {
        leftover *next = left->next;
        bool on_heap = left->start != left;
        if (munmap(left->start, left->length) == -1) {
            break;
        }
        if (on_heap) {
            free(left);
        }
        left = next;
    }
    if (left != NULL) {
        leftover *last = left;
        while (last->next != NULL) {
            last = last->next;
        }
        push(left, last);
    }
}

int ironmap__unmap_pages(void *start, size_t length)
{
    if (munmap(start, length) == 0) {
        ironmap__unmap_leftovers();
        return 0;
    }
    int code = errno;
    leftover *left = code == ENOMEM ? malloc(sizeof(*left)) : NULL;
    if (left == NULL) {
        return code;
    }
    /* Shared memory keeps its pages for the other processes that map it. */
    (void)madvise(start, length, MADV_DONTNEED);
    *left = (leftover){.start = start, .length = length};
    push(left, left);
    return 0;
}

void ironmap__unmap_writable_pages(void *start, size_t length)
{
    if (munmap(start, length) == -1) {
        leftover *left = start;
        *left = (leftover){.start = start, .length = length};
        push(left, left);
    }
}
