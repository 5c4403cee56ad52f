/* A set of a mapping's pages, to which the fault handler adds while other threads look. To add a
 * page, to add all pages from one to the end, and to find the next page takes the same time in a
 * mapping of 4 TiB as in one of 4 MiB.
 *
 *     level 2   1                           bit i: word i of the level below is not 0. It may be
 *     level 1   1 0 0 1 ...                 set for a word that is 0
 *     level 0   [00100..][0..][0..][11..]   bit i: page i
 *     tail      all pages from this one on are in the set, whatever the levels say
 *
 * Any number of threads and handlers may add. One thread at a time removes or looks.
 */
#ifndef IRONMAP_PAGE_SET_H
#define IRONMAP_PAGE_SET_H

#include <stdatomic.h>
#include <stddef.h>

/* Pages [from, to). */
typedef struct ironmap__page_run {
    size_t from;
    size_t to;
} ironmap__page_run;

typedef struct ironmap__page_set {
    size_t pages;                   /* of the mapping: no page from here on is in the set */
    atomic_size_t tail;             /* SIZE_MAX: none */
    atomic_size_t word;             /* the only level, if one word has a bit for every page */
    _Atomic(atomic_size_t *) words; /* all levels, the lowest first; NULL: only a tail fits */
} ironmap__page_set;

/* How many words the levels for `pages` pages need beside the set: 0 if it has room for them. */
size_t ironmap__page_set_words(size_t pages);

/* Makes an empty set, without words if it needs some. Nothing else may use it meanwhile. */
void ironmap__page_set_init(ironmap__page_set *set, size_t pages);

/* Gives the set its words: zero, and as many as ironmap__page_set_words says. Handlers may do that
 * with the same words at once. */
void ironmap__page_set_give(ironmap__page_set *set, atomic_size_t *words);

/* Adds a run of pages. One that ends with the mapping's last page is a tail; any other needs words.
 * Async-signal-safe. */
void ironmap__page_set_add(ironmap__page_set *set, ironmap__page_run run);

/* Removes a run of pages, as ironmap__page_set_next returned it. A tail that has become longer
 * since then stays. */
void ironmap__page_set_remove(ironmap__page_set *set, ironmap__page_run run);

/* The first run of the set's pages inside `within`; empty, at its end, if there is none. */
ironmap__page_run ironmap__page_set_next(const ironmap__page_set *set, ironmap__page_run within);

#endif /* IRONMAP_PAGE_SET_H */
