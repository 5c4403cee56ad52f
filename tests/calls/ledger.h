/* The memory that the wrapped calls have mapped. */
#ifndef IRONMAP_TESTS_LEDGER_H
#define IRONMAP_TESTS_LEDGER_H

#include <stddef.h>

/* Whole pages of [start, start + length) are mapped, or unmapped. Any part may be mapped before. */
void ledger_add(const void *start, size_t length);
void ledger_remove(const void *start, size_t length);

size_t ledger_bytes(void);

#endif /* IRONMAP_TESTS_LEDGER_H */
