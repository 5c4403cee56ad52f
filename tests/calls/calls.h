/* The library's system calls and allocations pass through here: a test counts them, makes one fail,
 * or runs code of its own before and after one. The programs are linked with --wrap for each name
 * in meson.build, so calls of the C library itself do not pass. */
#ifndef IRONMAP_TESTS_CALLS_H
#define IRONMAP_TESTS_CALLS_H

#include <stdbool.h>
#include <stddef.h>

/* From now on counts the calls of all threads, and makes number `number` (from 1 on) fail; 0 for
 * none. With `for_good` the later calls of the same name fail, too. */
void calls_begin(unsigned number, bool for_good);

/* From now on no call fails. Returns the name of the one that was made to fail, or NULL. */
const char *calls_end(void);

/* The names of the calls since calls_begin, with an asterisk after each that failed. */
const char *calls_made(void);

/* Called in the calling thread before and after each call. If `before` returns an errno and not 0,
 * the call fails with it. NULL for none. */
typedef int calls_before(const char *name);
typedef void calls_after(const char *name);
void calls_watch(calls_before *before, calls_after *after);

/* Facts about the last call of mmap of this thread, for the functions above. */
typedef struct calls_mapping {
    bool fixed;     /* in the place of another mapping */
    bool anonymous; /* zeros, and no file */
    bool writable;
    bool reserves;  /* memory to write, of the process */
    bool populates; /* reads the whole file */
} calls_mapping;

calls_mapping calls_last_mapping(void);

/* The flags of the last call of msync, and the advice of the last call of madvise, of this thread.
 */
int calls_last_sync(void);
int calls_last_advice(void);

/* True if the last call of sigaction of this thread installs a handler. */
bool calls_installs_handler(void);

/* ---- what these calls have left behind ---- */

/* Bytes in whole pages that are mapped, and blocks that are allocated. */
size_t calls_mapped_bytes(void);
size_t calls_allocations(void);

#endif /* IRONMAP_TESTS_CALLS_H */
