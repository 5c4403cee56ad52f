/* The GIL: releasing and acquiring it around long work, and when to look for signals (Ctrl-C). */
#ifndef IRONMAP_EXT_GIL_H
#define IRONMAP_EXT_GIL_H

#include "compat.h"

/* Release and acquire the GIL, around work in which the library may call hold_check. Acquiring it
 * is right as well if it was not released. */
void gil_release(void);
void gil_acquire(void);

static inline void gil_release_if(bool work_is_long)
{
    if (work_is_long) {
        gil_release();
    }
}

/* As gil_release, for a system call, which may take any time. */
void gil_release_now(void);

/* Whether gil_release keeps the GIL until the library calls hold_check for the first time, which it
 * does after about 1 MiB; and whether it did so. */
void gil_keep(bool keep);
bool gil_is_kept(void);

/* How the last work of this thread between gil_release and gil_acquire went, if that was not asked
 * before. */
typedef enum {
    GIL_WORK_NONE,  /* there was none */
    GIL_WORK_QUICK, /* done before the library called hold_check, in a few milliseconds */
    GIL_WORK_SLOW,
} GilWork;

GilWork gil_last_work(void);

/* Whether the next work of this thread without the GIL does not look for signals. */
void gil_skip_checks(bool skips);

/* True if this thread works without the GIL and it is time to look for signals again. */
bool gil_time_to_check(void);

/* Yields the GIL to a thread that waits for it, and runs signal handlers and pending calls. False
 * with an exception if one has raised. */
bool eval_breaker_check_now(void);

/* Counts work that comes in small items, as from an iterator, and checks the eval breaker after
 * about a millisecond of it. Without this, a loop in C over the items would never yield the GIL.
 * `*work` sums up the bytes; each item counts for EVAL_BREAKER_ITEM_BYTES more than it has. */
enum { EVAL_BREAKER_BYTES = 1 << 21, EVAL_BREAKER_ITEM_BYTES = 64 };

static inline bool eval_breaker_is_due(size_t *work, size_t bytes)
{
    *work += bytes + EVAL_BREAKER_ITEM_BYTES;
    if (*work < EVAL_BREAKER_BYTES) {
        return false;
    }
    *work = 0;
    return true;
}

static inline bool eval_breaker_check(size_t *work, size_t bytes)
{
    return !eval_breaker_is_due(work, bytes) || eval_breaker_check_now();
}

#endif /* IRONMAP_EXT_GIL_H */
