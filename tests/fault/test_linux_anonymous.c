/* Pages of anonymous memory fail: userfaultfd(2) poisons them, as failing memory or swap does. */
#include "fault_support.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PAGES = 4 };

/* Of Linux 6.6. */
typedef struct poison {
    struct uffdio_range range;
    uint64_t mode;
    int64_t updated;
} poison;

#define POISON _IOWR(UFFDIO, 0x08, poison)
enum { USER_MODE_ONLY = 1 };

static size_t pages(size_t count)
{
    return count * ironmap_page_size();
}

/* Poisons page 1 of the map, which nothing has touched. False where the system cannot. The page
 * stays poisoned as long as the descriptor is open. */
static bool poison_page(int *fd, const ironmap_map *map)
{
    *fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | USER_MODE_ONLY);
    struct uffdio_api api = {.api = UFFD_API};
    const struct uffdio_range page = {(uintptr_t)ironmap_data(map) + pages(1), pages(1)};
    struct uffdio_register use = {.range = page, .mode = UFFDIO_REGISTER_MODE_MISSING};
    poison bad = {.range = page};
    return *fd != -1 && ioctl(*fd, UFFDIO_API, &api) == 0 &&
           ioctl(*fd, UFFDIO_REGISTER, &use) == 0 && ioctl(*fd, POISON, &bad) == 0;
}

static void lose_a_page(ironmap_map *map)
{
    int fd = -1;
    uint8_t byte = 0;
    ironmap_error error;

    if (!poison_page(&fd, map)) {
        if (fd != -1) {
            (void)close(fd);
        }
        assert_ok(ironmap_close(map, &failure));
        print_message("skipped: no page can be poisoned here\n");
        skip();
    }
    for (int i = 0; i < 2; i++) {
        assert_fault(ironmap_get_byte(&byte, map, pages(1) + 5, &error), &error, pages(1) + 5,
                     codes.lost_page);
        assert_fault(ironmap_put_byte(map, pages(1) + 5, 1, &error), &error, pages(1) + 5,
                     codes.lost_page);
    }
    assert_ok(ironmap_put_byte(map, pages(2), 7, &failure));
    assert_ok(ironmap_clear_damage(map, &failure));
    assert_ok(ironmap_put_byte(map, pages(1) + 5, 9, &failure));
    assert_ok(ironmap_get_byte(&byte, map, pages(1) + 5, &failure));
    assert_int_equal(byte, 9);
    assert_ok(ironmap_get_byte(&byte, map, pages(2), &failure));
    assert_int_equal(byte, 7);
    assert_ok(ironmap_close(map, &failure));
    (void)close(fd);
}

static void failing_page_of_private_memory_stays_lost_until_cleared(void **state)
{
    ironmap_options options = options_of(0, pages(PAGES));
    ironmap_map *map = NULL;

    (void)state;
    assert_ok(ironmap_open_anonymous(&map, IRONMAP_COPY, &options, &failure));
    lose_a_page(map);
}

static void failing_page_of_shared_memory_stays_lost_until_cleared(void **state)
{
    ironmap_options options = options_of(0, pages(PAGES));
    ironmap_map *map = NULL;

    (void)state;
    assert_ok(ironmap_open_anonymous(&map, IRONMAP_WRITE, &options, &failure));
    lose_a_page(map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failing_page_of_private_memory_stays_lost_until_cleared),
        cmocka_unit_test(failing_page_of_shared_memory_stays_lost_until_cleared),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
