#include "signal_support.h"

#include "fault_support_posix.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- state of a child ---- */

fixture *files;
volatile uint8_t *foreign;
ironmap_map *own;
volatile sig_atomic_t calls;
volatile sig_atomic_t flaws;
struct sigaction previous;

size_t page(size_t count)
{
    return count * ironmap_page_size();
}

/* Maps it at `place`, or anywhere. */
static int map_emptied_file(void *place)
{
    char path[400];
    void *base = NULL;
    int fd = -1;

    (void)snprintf(path, sizeof(path), "%s/foreign", files->directory);
    fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    child_check(fd >= 0 && ftruncate(fd, (off_t)page(1)) == 0);
    base = mmap(place, page(1), PROT_READ | PROT_WRITE,
                MAP_SHARED | (place != NULL ? MAP_FIXED : 0), fd, 0);
    child_check(base != MAP_FAILED && ftruncate(fd, 0) == 0 && close(fd) == 0);
    foreign = base;
    return 0;
}

int foreign_map(void)
{
    return map_emptied_file(NULL);
}

int foreign_lose(void)
{
    return map_emptied_file((void *)(uintptr_t)foreign);
}

int own_map(void)
{
    child_check(solid_write(files->fd, 0, page(PAGES)));
    child_check(ironmap_open_path(&own, files->path, IRONMAP_WRITE, NULL, NULL) == IRONMAP_OK);
    return 0;
}

int own_fault_is_handled(void)
{
    uint8_t byte = 0;

    child_check(ftruncate(files->fd, (off_t)page(1)) == 0);
    child_check(ironmap_get_byte(&byte, own, page(2), NULL) == IRONMAP_E_FAULT);
    child_check(solid_write(files->fd, 0, page(PAGES)));
    child_check(ironmap_get_byte(&byte, own, page(2), NULL) == IRONMAP_OK);
    child_check(byte == solid_byte(page(2)));
    return 0;
}

int touch_foreign(void)
{
    return foreign[5];
}

/* ---- the application's handlers ---- */

void note_call(bool good)
{
    calls = calls + 1;
    if (!good) {
        flaws = flaws + 1;
    }
}

void note_call_and_stop_loops(void)
{
    note_call(true);
    if (calls > 10) {
        _exit(77);
    }
}

int install(void (*plain)(int), void (*full)(int, siginfo_t *, void *), int flags, int mask)
{
    struct sigaction action = {.sa_flags = flags};

    (void)sigemptyset(&action.sa_mask);
    if (mask != 0) {
        (void)sigaddset(&action.sa_mask, mask);
    }
    if (full != NULL) {
        action.sa_flags |= SA_SIGINFO;
        action.sa_sigaction = full;
    } else {
        action.sa_handler = plain;
    }
    child_check(sigaction(SIGBUS, &action, &previous) == 0);
    return 0;
}

/* ---- cases ---- */

static const signal_case *current_case;

static void case_ends_as_expected(void **state)
{
    int fate = 0;

    files = *state;
    file_solid(files, page(PAGES));
    fate = fate_of(current_case->work, NULL);
    if (fate != (current_case->dies ? -SIGBUS : 0)) {
        fail_msg("%s: ended with %d", current_case->name, fate);
    }
}

static bool is_selected(const char *name, int count, char **words)
{
    bool selected = count == 0;

    for (int i = 0; i < count; i++) {
        selected = selected || strstr(name, words[i]) != NULL;
    }
    return selected;
}

int run_signal_cases(const signal_case *cases, size_t count, int words, char **arguments)
{
    const struct CMUnitTest test[] = {with_fixture(case_ends_as_expected)};
    int failed = 0;

    for (size_t i = 0; i < count; i++) {
        current_case = &cases[i];
        if (is_selected(cases[i].name, words - 1, arguments + 1)) {
            failed += cmocka_run_group_tests_name(cases[i].name, test, NULL, NULL) != 0;
        }
    }
    return failed;
}
