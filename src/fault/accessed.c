#include "fault/accessed.h"

#include <stddef.h>

#include "base/compiler.h"
#include "fault/mapping.h"
#include "platform/platform.h"

static const ironmap__mapping not_prepared;
const struct ironmap__mapping *const ironmap__not_prepared = &not_prepared;
IRONMAP__THREAD_LOCAL const struct ironmap__mapping *volatile ironmap__accessed = &not_prepared;
IRONMAP__THREAD_LOCAL ironmap__frame *volatile ironmap__frames;

bool ironmap__frame_exit(const ironmap__frame *frame)
{
    atomic_signal_fence(memory_order_seq_cst);
    if (ironmap__frames == frame) {
        ironmap__frames = frame->outer;
        return true;
    }
    for (ironmap__frame *inner = ironmap__frames; inner != NULL; inner = inner->outer) {
        if (inner->outer == frame) {
            inner->outer = frame->outer;
            return true;
        }
    }
    return false;
}

/* The threads of a daemon often block all signals, so that one thread has them. */
IRONMAP__COLD void ironmap__prepare_thread(void)
{
    if (ironmap__accessed == ironmap__not_prepared) {
        ironmap__fault_unblock();
        ironmap__accessed = NULL;
    }
}

bool ironmap__is_accessing_any(void)
{
    return ironmap__accessed != NULL && ironmap__accessed != ironmap__not_prepared;
}

bool ironmap__is_accessing(const struct ironmap__mapping *mapping)
{
    bool found = ironmap__accessed == mapping;
    for (const ironmap__frame *frame = ironmap__frames; frame != NULL; frame = frame->outer) {
        found = found || frame->mapping == mapping;
    }
    return found;
}
