/* truncator MAILBOX: a native program that truncates files for a Windows program under Wine, where
 * Windows would refuse. The mailbox is a file, see truncator.h. The program is not told when the
 * Windows program dies, so it ends after minutes without a request. It closes the Windows program's
 * standard streams, so that their readers see the end. */
#include "truncator.h"

#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* Turns between requests: first it polls, then it sleeps a tenth of a millisecond each turn, then
 * it ends. */
enum { BUSY_TURNS = 2000, ALL_TURNS = 3000000 };

static void wait_a_turn(unsigned turn)
{
    if (turn < BUSY_TURNS) {
        (void)sched_yield();
    } else {
        (void)nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    }
}

static void spin(uint32_t turns)
{
    for (volatile uint32_t i = 0; i < turns; i++) {
    }
}

static int serve(truncator_mailbox *mailbox)
{
    unsigned turn = 0;

    while (atomic_load(&mailbox->over) == 0 && turn < ALL_TURNS) {
        unsigned requested = atomic_load(&mailbox->requested);

        if (requested == atomic_load(&mailbox->done)) {
            wait_a_turn(turn++);
            continue;
        }
        turn = 0;
        spin(mailbox->delay);
        if (truncate(mailbox->path, (off_t)mailbox->length) != 0) {
            perror(mailbox->path);
            return EXIT_FAILURE;
        }
        atomic_store(&mailbox->done, requested);
    }
    return EXIT_SUCCESS;
}

static bool close_standard_streams(void)
{
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);

    return dup2(nothing, STDIN_FILENO) >= 0 && dup2(nothing, STDOUT_FILENO) >= 0 &&
           dup2(nothing, STDERR_FILENO) >= 0;
}

int main(int argc, char **argv)
{
    int fd = argc == 2 ? open(argv[1], O_RDWR | O_CLOEXEC) : -1;
    truncator_mailbox *mailbox =
        mmap(NULL, sizeof(*mailbox), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (mailbox == MAP_FAILED || unlink(argv[1]) != 0) {
        perror("truncator");
        return EXIT_FAILURE;
    }
    int result = close_standard_streams() ? serve(mailbox) : EXIT_FAILURE;
    atomic_store(&mailbox->over, 1);
    return result;
}
