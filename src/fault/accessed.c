#include "fault/accessed.h"

#include <stddef.h>

IRONMAP__THREAD_LOCAL const struct ironmap__mapping *volatile ironmap__accessed;
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

bool ironmap__is_accessing(const struct ironmap__mapping *mapping)
{
    bool found = ironmap__accessed == mapping;
    for (const ironmap__frame *frame = ironmap__frames; frame != NULL; frame = frame->outer) {
        found = found || frame->mapping == mapping;
    }
    return found;
}
