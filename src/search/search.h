/* Searching plain memory. Nothing here knows a map: pure functions on memory and lengths, safe on
 * any thread, reading nothing outside the two ranges they are given. The time is linear in the
 * bytes of both, whatever they are.
 */
#ifndef IRONMAP_SEARCH_H
#define IRONMAP_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IRONMAP__NOWHERE SIZE_MAX

enum {
    /* Bytes of a needle that are looked at before the whole of it is compared. */
    IRONMAP__PROBES = 8,
    /* From this many bytes on, a needle's grams say what can be skipped (skip.c). Measured (Zen 4,
     * 128 MiB of text): 21 GB/s at 256 bytes, where reading all of it does 30; 31 at 400 and 45 at
     * 512. What is in the cache gains at 256, too. */
    IRONMAP__SKIP_FROM = 384,
    /* Words of 64 bits of the table of grams. */
    IRONMAP__GRAM_WORDS = 256
};

/* A needle made ready: for one search after the other, by one thread at a time, since the search
 * learns from the haystack. The bytes stay the caller's. */
typedef struct ironmap__pattern {
    const uint8_t *bytes;
    size_t length;                  /* not 0 */
    size_t probes[IRONMAP__PROBES]; /* offsets in the needle, the most telling first */
    unsigned probe_count;           /* at least 1 */
    unsigned leading;               /* so many of them are compared everywhere */
    bool crowded;                   /* even so there are many candidates */
    bool exact;                     /* the probes are the whole needle */
    bool has_grams;                 /* grams is made */
    size_t surprise; /* the offset where a long comparison failed, or IRONMAP__NOWHERE */
    size_t spent;    /* on comparing, in all searches */
    size_t passed;   /* places that were searched before this search */
    size_t adapt_at; /* when so much is spent, the probes are chosen anew */
    size_t patience; /* what is spent between two such times */
    uint64_t grams[IRONMAP__GRAM_WORDS]; /* skip.c */
} ironmap__pattern;

void ironmap__pattern_init(ironmap__pattern *pattern, const void *needle, size_t length);

/* What a search for many matches leaves behind. */
typedef struct ironmap__matches {
    size_t *indexes; /* room for `capacity` of them; NULL: they are counted only */
    size_t capacity; /* the search ends with so many matches; not 0 */
    size_t step;     /* from a match to the first place of the next: 1, or the needle's length */
    size_t found;    /* matches so far */
    size_t next;     /* no match below it is taken: behind the last by `step`, or lower where that
                        is behind nothing that is left */
} ironmap__matches;

/* One way to search. It looks at the places [from, to) of the haystack at which the needle may
 * begin; so the haystack has at least to + length - 1 bytes, of which those from `from` on are
 * read. from is not above to. */
typedef struct ironmap__kernels {
    const char *name;
    bool wide;               /* uses registers of 512 bits, or masks */
    bool (*supported)(void); /* by this processor */

    /* Finds matches from the first place on, but not below matches->next, and stores their indexes
     * in ascending order, until there are no more or `capacity` is reached. */
    void (*forward)(ironmap__matches *matches, ironmap__pattern *pattern, const uint8_t *haystack,
                    size_t from, size_t to);

    /* The highest index of a match, or IRONMAP__NOWHERE. */
    size_t (*backward)(ironmap__pattern *pattern, const uint8_t *haystack, size_t from, size_t to);
} ironmap__kernels;

/* Every kernel that this build has, the fastest first; the last is plain C and always supported,
 * and a NULL is behind it. One file of the build's choice defines them: x86.c, aarch64.c, any.c. */
extern const ironmap__kernels *const ironmap__all_kernels[];

/* The best one for this processor; a wide one only where the system keeps what it uses. */
const ironmap__kernels *ironmap__best_kernels(bool wide);

/* forward and backward of one of them, with whatever helps with long needles before it: what the
 * library searches with. */
void ironmap__forward(const ironmap__kernels *kernels, ironmap__matches *matches,
                      ironmap__pattern *pattern, const uint8_t *haystack, size_t from, size_t to);
size_t ironmap__backward(const ironmap__kernels *kernels, ironmap__pattern *pattern,
                         const uint8_t *haystack, size_t from, size_t to);

#endif /* IRONMAP_SEARCH_H */
