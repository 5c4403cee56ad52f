#include "fault/accessed.h"

#include <stddef.h>

_Thread_local const struct ironmap__mapping *volatile ironmap__accessed;
_Thread_local ironmap__frame *volatile ironmap__frames;

bool ironmap__is_accessing(const struct ironmap__mapping *mapping)
{
    bool found = ironmap__accessed == mapping;
    for (const ironmap__frame *frame = ironmap__frames; frame != NULL; frame = frame->outer) {
        found = found || frame->mapping == mapping;
    }
    return found;
}
