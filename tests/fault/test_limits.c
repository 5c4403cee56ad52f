/* Lost pages where the process has come to a limit of its own: no memory, no address space, no more
 * mappings. A page that is lost then is still no death. Each case is a child process. */
#include "fault_support_posix.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

enum { PAGES = 8 };

/* A file, open for the child, and how much of it is mapped. */
typedef struct limited {
    fixture *f;
    uint64_t length;
    int (*strain)(void);
} limited;

/* ---- the child ------------------------------------------------------------------------------- */

/* Cuts the file, comes to the limit, and touches a page that is gone. */
static int lose_a_page(void *argument)
{
    const limited *l = argument;
    ironmap_options options = options_of(0, (size_t)l->length);
    ironmap_error error = {0};
    ironmap_map *map = NULL;
    uint8_t byte = 0;

    child_check(ironmap_open_path(&map, l->f->path, IRONMAP_WRITE, &options, NULL) == IRONMAP_OK);
    child_check(ironmap_get_byte(&byte, map, 0, NULL) == IRONMAP_OK);
    child_check(ftruncate(l->f->fd, 0) == 0);
    child_check(l->strain() == 0);
    child_check(ironmap_get_byte(&byte, map, ironmap_page_size(), &error) == IRONMAP_E_FAULT);
    child_check(error.offset == ironmap_page_size());
    return 0;
}

static void assert_survives(fixture *f, uint64_t length, int (*strain)(void))
{
    limited l = {f, length, strain};

    assert_int_equal(fate_of(lose_a_page, &l), 0);
}

/* ---- limits ---------------------------------------------------------------------------------- */

static int no_strain(void)
{
    return 0;
}

/* As much address space as the process has now, and not a page more. */
static int no_address_space(void)
{
    FILE *status = fopen("/proc/self/statm", "r");
    unsigned long pages = 0;
    struct rlimit limit = {0, 0};

    if (status == NULL || fscanf(status, "%lu", &pages) != 1 || fclose(status) != 0) {
        return 1;
    }
    limit.rlim_cur = pages * ironmap_page_size();
    limit.rlim_max = limit.rlim_cur;
    return setrlimit(RLIMIT_AS, &limit);
}

static int no_data(void)
{
    const struct rlimit limit = {1 << 16, 1 << 16};

    return setrlimit(RLIMIT_DATA, &limit);
}

static int no_descriptors(void)
{
    const struct rlimit limit = {0, 0};

    return setrlimit(RLIMIT_NOFILE, &limit);
}

/* Maps single pages of two kinds in turn until the system has no room for one more, and gives
 * some back. */
static int mappings_but(size_t left)
{
    enum { KEPT = 4 };
    void *last[KEPT] = {NULL};
    size_t page = ironmap_page_size();
    size_t count = 0;

    for (;; count++) {
        int prot = count % 2 == 0 ? PROT_NONE : PROT_READ;
        void *made = mmap(NULL, page, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (made == MAP_FAILED) {
            break;
        }
        last[count % KEPT] = made;
    }
    for (size_t i = 0; i < left; i++) {
        (void)munmap(last[(count - 1 - i) % KEPT], page);
    }
    return errno == ENOMEM ? 0 : 1;
}

/* No room to split the map. */
static int few_mappings(void)
{
    return mappings_but(2);
}

static int everything_locked(void)
{
    return mlockall(MCL_CURRENT | MCL_FUTURE) == 0 || errno == EPERM || errno == ENOMEM ? 0 : 1;
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void without_limits(void **state)
{
    file_solid(*state, PAGES * ironmap_page_size());
    assert_survives(*state, PAGES * ironmap_page_size(), no_strain);
}

static void out_of_address_space(void **state)
{
    file_solid(*state, PAGES * ironmap_page_size());
    assert_survives(*state, PAGES * ironmap_page_size(), no_address_space);
}

static void out_of_data(void **state)
{
    file_solid(*state, PAGES * ironmap_page_size());
    assert_survives(*state, PAGES * ironmap_page_size(), no_data);
}

static void out_of_descriptors(void **state)
{
    file_solid(*state, PAGES * ironmap_page_size());
    assert_survives(*state, PAGES * ironmap_page_size(), no_descriptors);
}

static void nearly_out_of_mappings(void **state)
{
    if (inside_valgrind()) {
        skip_because("valgrind has fewer mappings than the system");
    }
    if (sizeof(size_t) < sizeof(uint64_t)) {
        skip_inside_qemu("keeps all addresses of 32 bits mapped: what is unmapped makes no room");
    }
    file_solid(*state, PAGES * ironmap_page_size());
    assert_survives(*state, PAGES * ironmap_page_size(), few_mappings);
}

static void under_mlockall(void **state)
{
    file_solid(*state, PAGES * ironmap_page_size());
    assert_survives(*state, PAGES * ironmap_page_size(), everything_locked);
}

/* Far more than the machine has memory for: zeros in the place of all of it are too much. */
static void file_longer_than_memory(void **state)
{
    fixture *f = *state;
    uint64_t terabyte = UINT64_C(1) << 40;

    skip_on_32_bit();
    skip_inside_qemu("keeps a note of each page, and has no room for a terabyte of them");
    file_solid(f, PAGES * ironmap_page_size());
    if (ftruncate(f->fd, (off_t)terabyte) != 0) {
        skip_because("the file system has no files of a terabyte");
    }
    assert_survives(f, terabyte, no_strain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_fixture(without_limits),
        with_fixture(out_of_address_space),
        with_fixture(out_of_data),
        with_fixture(out_of_descriptors),
        with_fixture(nearly_out_of_mappings),
        with_fixture(under_mlockall),
        with_fixture(file_longer_than_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
