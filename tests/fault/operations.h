/* Every function of the library that touches the bytes of a map, callable in one way. */
#ifndef IRONMAP_TESTS_OPERATIONS_H
#define IRONMAP_TESTS_OPERATIONS_H

#include "fault_support.h"

/* What an operation is to do, and what came of it. */
typedef struct attempt {
    ironmap_map *map;
    size_t offset;  /* the bytes that it is about */
    size_t length;  /* not 0 */
    size_t other;   /* where a copy comes from, where a needle in the map lies */
    size_t step;    /* of a strided one */
    uint8_t *bytes; /* `length` of them: read, or to be stored */
    uint8_t needle[8];
    size_t needle_length;
    size_t got;          /* how many bytes were read */
    uint64_t index;      /* what a search found */
    ironmap_error error; /* filled on failure */
} attempt;

/* What is known of an operation, so that its result can be judged. */
typedef enum trait {
    READS = 1,          /* `bytes` are the map's, `got` of them */
    STORES = 2,         /* the map's are `bytes` */
    COPIES = 4,         /* the map's are those at `other` */
    SEARCHES = 8,       /* forward through [offset, offset + length), for `needle` */
    BACKWARD = 16,      /* the same, backward */
    NEEDLE_IN_MAP = 32, /* the needle lies at `other` */
    ONE_BYTE = 64,      /* the length is 1 */
    STRIDED = 128,      /* one byte in each `step` of [offset, offset + length) */
    TO_THE_END = 256,   /* a search that goes to the map's end, for a newline */
    LINE = 512,         /* may read less than length: the line */
    GUARDS = 1024       /* the offset of its failure may lie anywhere in the map */
} trait;

typedef struct operation {
    const char *name;
    int (*run)(attempt *a);
    unsigned traits;
} operation;

extern const operation operations[];
extern const size_t operation_count;

/* True where the operation needs a map that can be stored into. */
bool operation_writes(const operation *op);

/* True where the operation touches the byte at `offset` of the map (a search: may touch). */
bool operation_touches(const operation *op, const attempt *a, size_t offset);

#endif /* IRONMAP_TESTS_OPERATIONS_H */
