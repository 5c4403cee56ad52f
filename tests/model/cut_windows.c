#include "cut.h"

#include <stdatomic.h>

#include "support_below.h"

static atomic_flag busy = ATOMIC_FLAG_INIT;

void cut_begin(void)
{
    if (!below_start()) {
        skip_because("Windows does not truncate a mapped file");
    }
}

bool cut_file(int fd, const char *path, uint64_t length)
{
    (void)fd;
    while (atomic_flag_test_and_set(&busy)) {
        thread_yield();
    }
    below_truncate(path, length, 0);
    while (!below_is_done()) {
    }
    atomic_flag_clear(&busy);
    return true;
}
