/* What this thread accesses right now: the fault handler asks, to tell a loss that a guard will
 * notice from one under an exported address. */
#ifndef IRONMAP_ACCESSED_H
#define IRONMAP_ACCESSED_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/error.h"
#include "platform/thread_local.h"

struct ironmap__mapping;

/* The library's own accesses run no foreign code and so do not nest: one variable is enough for
 * them. Accesses around foreign code (ironmap_guard_begin) or of two maps at once are frames, a
 * chain on the stack. */
typedef struct ironmap_guard_frame ironmap__frame;

extern IRONMAP__THREAD_LOCAL const struct ironmap__mapping *volatile ironmap__accessed;

/* What a thread accesses before its first access: no mapping, and not NULL, so that the fast path
 * tells it from other threads by the one look that it takes. */
extern const struct ironmap__mapping *const ironmap__not_prepared;

/* Prepares a thread for its first access. */
void ironmap__prepare_thread(void);

extern IRONMAP__THREAD_LOCAL ironmap__frame *volatile ironmap__frames;

static inline void ironmap__frame_enter(ironmap__frame *frame,
                                        const struct ironmap__mapping *mapping)
{
    *frame = (ironmap__frame){mapping, ironmap__frames};
    ironmap__frames = frame;
    atomic_signal_fence(memory_order_seq_cst);
}

/* Takes the frame out of this thread's chain, where it need not be the innermost one. False if it
 * is not in the chain. */
bool ironmap__frame_exit(const ironmap__frame *frame);

/* True if this thread is inside a guard of `mapping`, or an access of the library of any mapping.
 * Async-signal-safe. */
bool ironmap__is_accessing(const struct ironmap__mapping *mapping);
bool ironmap__is_accessing_any(void);

#endif /* IRONMAP_ACCESSED_H */
