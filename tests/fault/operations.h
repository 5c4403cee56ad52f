/* Every function of the library that accesses the bytes of a map, called in one way. */
#ifndef IRONMAP_TESTS_OPERATIONS_H
#define IRONMAP_TESTS_OPERATIONS_H

#include "fault_support.h"

/* The arguments and results of an operation. */
typedef struct attempt {
    ironmap_map *map;
    size_t offset;  /* the range */
    size_t length;  /* not 0 */
    size_t other;   /* the source of a copy, or a needle in the map */
    size_t step;    /* of a strided operation */
    uint8_t *bytes; /* `length` bytes, read or to be stored */
    uint8_t needle[8];
    size_t needle_length;
    size_t got;          /* number of bytes read */
    uint64_t index;      /* the result of a search */
    ironmap_error error; /* filled on failure */
} attempt;

/* Traits by which a result is judged. */
typedef enum trait {
    READS = 1,          /* reads `got` bytes into `bytes` */
    STORES = 2,         /* stores `bytes` */
    COPIES = 4,         /* copies from `other` */
    SEARCHES = 8,       /* forward through [offset, offset + length), for `needle` */
    BACKWARD = 16,      /* the same, backward */
    NEEDLE_IN_MAP = 32, /* the needle lies at `other` */
    ONE_BYTE = 64,      /* the length is 1 */
    STRIDED = 128,      /* one byte in each `step` of [offset, offset + length) */
    TO_THE_END = 256,   /* searches to the map's end for a newline */
    LINE = 512,         /* may read less than length */
    GUARDS = 1024       /* the offset of a failure may be any in the map */
} trait;

typedef struct operation {
    const char *name;
    int (*run)(attempt *a);
    unsigned traits;
} operation;

extern const operation operations[];
extern const size_t operation_count;

/* True if the operation needs a writable map. */
bool operation_writes(const operation *op);

/* True if the operation accesses the byte at `offset` of the map. A search may access less. */
bool operation_touches(const operation *op, const attempt *a, size_t offset);

#endif /* IRONMAP_TESTS_OPERATIONS_H */
