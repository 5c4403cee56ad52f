#include "cut.h"

#include <unistd.h>

void cut_begin(void)
{
}

bool cut_file(int fd, const char *path, uint64_t length)
{
    (void)path;
    return ftruncate(fd, (off_t)length) == 0;
}
