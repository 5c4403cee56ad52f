/* cutter DESK: cuts files for a Windows program that runs under Wine, where Windows would not let
 * anybody. It is a program of the system itself. The desk is a file, see cutter.h. Nobody tells it
 * when the Windows program has died, so it ends where nothing was asked for minutes. Nor does it
 * hold the files that the Windows program writes to: whoever reads these waits for their end. */
#include "cutter.h"

#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* What it waits for the next request, in turns: at first it looks again and again, then every tenth
 * of a millisecond, and then no more. */
enum { BUSY_TURNS = 2000, ALL_TURNS = 3000000 };

static void wait_a_turn(unsigned turn)
{
    if (turn < BUSY_TURNS) {
        (void)sched_yield();
    } else {
        (void)nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    }
}

static void linger(uint32_t turns)
{
    for (volatile uint32_t i = 0; i < turns; i++) {
    }
}

static int serve(cutter_desk *desk)
{
    unsigned turn = 0;

    while (atomic_load(&desk->over) == 0 && turn < ALL_TURNS) {
        unsigned asked = atomic_load(&desk->asked);

        if (asked == atomic_load(&desk->done)) {
            wait_a_turn(turn++);
            continue;
        }
        turn = 0;
        linger(desk->delay);
        if (truncate(desk->path, (off_t)desk->length) != 0) {
            perror(desk->path);
            return EXIT_FAILURE;
        }
        atomic_store(&desk->done, asked);
    }
    return EXIT_SUCCESS;
}

static bool leave_files(void)
{
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);

    return dup2(nothing, STDIN_FILENO) >= 0 && dup2(nothing, STDOUT_FILENO) >= 0 &&
           dup2(nothing, STDERR_FILENO) >= 0;
}

int main(int argc, char **argv)
{
    int fd = argc == 2 ? open(argv[1], O_RDWR | O_CLOEXEC) : -1;
    cutter_desk *desk = mmap(NULL, sizeof(*desk), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (desk == MAP_FAILED || unlink(argv[1]) != 0) {
        perror("cutter");
        return EXIT_FAILURE;
    }
    int result = leave_files() ? serve(desk) : EXIT_FAILURE;
    atomic_store(&desk->over, 1);
    return result;
}
