/* What the library makes of the system's error codes: which are tried again, which have a meaning
 * of their own, and which are passed on. */
#include "calls.h"
#include "support_posix.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

enum { LENGTH = 65536 };

/* ---- the call that fails ---- */

static const char *chosen;
static int code;
static int skipped; /* calls of this name before the first that fails */
static int times;   /* how many fail then */

static int fail_chosen(const char *name)
{
    if (chosen == NULL || strcmp(name, chosen) != 0 || times == 0) {
        return 0;
    }
    if (skipped > 0) {
        skipped--;
        return 0;
    }
    times--;
    return code;
}

static void make_fail(const char *name, int with, int from, int number)
{
    chosen = name;
    code = with;
    skipped = from;
    times = number;
    calls_watch(fail_chosen, NULL);
}

/* A tag that no other process uses. */
static ironmap_options options_of_tag(void)
{
    static char tag[64];

    (void)snprintf(tag, sizeof(tag), "error-codes-%lu", (unsigned long)getpid());
    return (ironmap_options){.length = LENGTH, .tag = tag};
}

/* The call was made, and failed as often as wanted. */
static void assert_failed(void)
{
    calls_watch(NULL, NULL);
    assert_int_equal(times, 0);
}

/* ---- interrupted calls ---- */

static void interrupted_open_is_made_again(void **state)
{
    fixture *f = *state;

    file_make(f, LENGTH);
    make_fail("open", EINTR, 0, 2);
    map_file(f, IRONMAP_WRITE);
    assert_failed();
    assert_map_pattern(f->map, 0, LENGTH);
}

static void assert_grows_although(fixture *f, const char *name, int with, int number)
{
    file_make(f, LENGTH);
    map_file(f, IRONMAP_WRITE);
    make_fail(name, with, 0, number);
    assert_ok(ironmap_resize(f->map, 2 * LENGTH, &failure));
    assert_failed();
    assert_u64(file_length(f), 2 * LENGTH);
}

static void interrupted_extension_is_made_again(void **state)
{
    assert_grows_although(*state, "ftruncate", EINTR, 2);
}

static void interrupted_reservation_is_made_again(void **state)
{
    fixture *f = *state;
    ironmap_options options = options_of(0, LENGTH);

    file_make(f, LENGTH);
    options.open = IRONMAP_OPEN_PREALLOCATE;
    make_fail("fallocate", EINTR, 0, 2);
    assert_ok(ironmap_open_path(&f->map, f->path, IRONMAP_WRITE, &options, &failure));
    assert_failed();
}

/* A private map that can be resized. */
static void map_private(fixture *f)
{
    ironmap_options options = options_of(0, 0);

    file_make(f, LENGTH);
    options.flags = MAP_PRIVATE;
    options.prot = PROT_READ | PROT_WRITE;
    assert_ok(ironmap_open_fd(&f->map, f->fd, IRONMAP_SYSTEM, &options, &failure));
}

/* A private map that shrinks inside a page and grows reads the rest of the page from its file. */
static void interrupted_read_is_made_again(void **state)
{
    fixture *f = *state;

    map_private(f);
    assert_ok(ironmap_resize(f->map, 100, &failure));
    make_fail("pread", EINTR, 0, 2);
    assert_ok(ironmap_resize(f->map, 200, &failure));
    assert_failed();
    assert_map_kept(f->map, 0, 100, 200);
}

/* The descriptor is closed all the same. */
static void interrupted_close_has_closed(void **state)
{
    fixture *f = *state;

    file_make(f, LENGTH);
    map_file(f, IRONMAP_WRITE);
    make_fail("close", EINTR, 0, 1);
    assert_ok(ironmap_close(f->map, &failure));
    f->map = NULL;
    assert_failed();
}

/* The limit of mappings passes, and the view is unmapped later. Another refusal is the end. */
static void view_that_cannot_be_unmapped_is_told(void **state)
{
    fixture *f = *state;

    map_anonymous(f, IRONMAP_WRITE, LENGTH);
    make_fail("munmap", EINVAL, 0, 1);
    ironmap_map *map = f->map;
    f->map = NULL;
    assert_system_fails(ironmap_close(map, &failure), IRONMAP_E_SYSTEM, EINVAL);
    assert_failed();
}

/* A disk of the network tells late what it could not store. The map is gone. */
static void close_that_fails_is_told(void **state)
{
    fixture *f = *state;

    file_make(f, LENGTH);
    map_file(f, IRONMAP_WRITE);
    make_fail("close", EIO, 0, 1);
    ironmap_map *map = f->map;
    f->map = NULL;
    assert_system_fails(ironmap_close(map, &failure), IRONMAP_E_SYSTEM, EIO);
    assert_failed();
}

/* The first two calls of openat(2) are for folders. A file is not found if the folder was removed
 * meanwhile. Closing a tag closes a folder, and then the file. */
static void interrupted_calls_of_a_tag_are_made_again(void **state)
{
    static const struct {
        const char *name;
        int code;
        int skipped;
    } calls[] = {{"flock", EINTR, 0}, {"openat", EINTR, 2}, {"openat", ENOENT, 2}};
    const ironmap_options options = options_of_tag();
    ironmap_map *map = NULL;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        make_fail(calls[i].name, calls[i].code, calls[i].skipped, 1);
        assert_ok(ironmap_open_anonymous(&map, IRONMAP_WRITE, &options, &failure));
        assert_failed();
        make_fail("close", EINTR, 0, 2);
        assert_ok(ironmap_close(map, &failure));
        assert_failed();
    }
}

/* A process that went to another place would not find the tags of the others. */
static void place_of_tags_that_cannot_be_asked_for_is_an_error(void **state)
{
    const ironmap_options options = options_of_tag();
    ironmap_map *map = NULL;

    (void)state;
    make_fail("stat", EIO, 0, 1);
    assert_system_fails(ironmap_open_anonymous(&map, IRONMAP_WRITE, &options, &failure),
                        IRONMAP_E_SYSTEM, EIO);
    assert_failed();
    assert_null(map);
}

static int folders_opened;
static bool has_vanished;

/* The folder of tags is a link when it is opened, and is gone when its owner is asked for. */
static int let_the_folder_vanish(const char *name)
{
    folders_opened += strcmp(name, "openat") == 0;
    if (strcmp(name, "openat") == 0 && folders_opened == 2) {
        return ELOOP;
    }
    if (strcmp(name, "lstat") == 0 && !has_vanished) {
        has_vanished = true;
        return ENOENT;
    }
    return 0;
}

static void folder_of_tags_that_vanishes_is_looked_for_again(void **state)
{
    const ironmap_options options = options_of_tag();
    ironmap_map *map = NULL;

    (void)state;
    folders_opened = 0;
    has_vanished = false;
    calls_watch(let_the_folder_vanish, NULL);
    assert_ok(ironmap_open_anonymous(&map, IRONMAP_WRITE, &options, &failure));
    calls_watch(NULL, NULL);
    assert_true(has_vanished);
    assert_ok(ironmap_close(map, &failure));
}

/* ---- files that come and go ---- */

static void file_that_is_removed_meanwhile_is_made(void **state)
{
    fixture *f = *state;
    ironmap_options options = options_of(0, LENGTH);

    options.open = IRONMAP_OPEN_CREATE | IRONMAP_OPEN_EXTEND;
    make_fail("open", EEXIST, 0, 1);
    assert_ok(ironmap_open_path(&f->map, f->path, IRONMAP_WRITE, &options, &failure));
    assert_failed();
    assert_u64(file_length(f), LENGTH);
}

static void path_follows_the_files_name(void **state)
{
    static const struct {
        int code;
        int status;
    } answers[] = {{ENOENT, IRONMAP_E_NO_FILE}, {ENOTDIR, IRONMAP_E_NO_FILE}, {EACCES, IRONMAP_OK}};
    fixture *f = *state;
    char path[4096];

    file_make(f, LENGTH);
    map_file(f, IRONMAP_WRITE);
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        make_fail("stat", answers[i].code, 0, 1);
        assert_int_equal(ironmap_file_path(f->map, path, sizeof(path), NULL), answers[i].status);
        assert_failed();
    }
    make_fail("fstat", EIO, 0, 1);
    assert_ok(ironmap_file_path(f->map, path, sizeof(path), &failure));
    assert_failed();
}

/* ---- what the system cannot do ---- */

static void reservation_that_is_not_supported_is_told(void **state)
{
    static const int unsupported[] = {EOPNOTSUPP, ENOSYS, EINVAL};
    const ironmap_options tagged = options_of_tag();
    fixture *f = *state;
    ironmap_options options = options_of(0, LENGTH);
    ironmap_map *map = NULL;

    file_make(f, LENGTH);
    options.open = IRONMAP_OPEN_PREALLOCATE;
    for (size_t i = 0; i < COUNT_OF(unsupported); i++) {
        make_fail("fallocate", unsupported[i], 0, 1);
        assert_fails(ironmap_open_path(&map, f->path, IRONMAP_WRITE, &options, &failure),
                     IRONMAP_E_UNSUPPORTED);
        assert_failed();
        make_fail("fallocate", unsupported[i], 0, 1);
        assert_ok(ironmap_open_anonymous(&map, IRONMAP_WRITE, &tagged, &failure));
        assert_failed();
        assert_ok(ironmap_close(map, &failure));
    }
    make_fail("fallocate", ENOSPC, 0, 1);
    assert_system_fails(ironmap_open_path(&map, f->path, IRONMAP_WRITE, &options, &failure),
                        IRONMAP_E_SYSTEM, ENOSPC);
    assert_failed();
}

static void view_that_cannot_be_moved_is_mapped_again(void **state)
{
    static const int split[] = {EFAULT, ENOMEM, EINVAL};
    fixture *f = *state;
    size_t length = LENGTH;

    file_make(f, LENGTH);
    map_file(f, IRONMAP_WRITE);
    for (size_t i = 0; i < COUNT_OF(split); i++) {
        length += LENGTH;
        make_fail("mremap", split[i], 0, 1);
        assert_ok(ironmap_resize(f->map, length, &failure));
        calls_watch(NULL, NULL);
        assert_map_kept(f->map, 0, LENGTH, length);
    }
}

/* No system without mremap(2) comes here. */
static void view_that_cannot_grow_for_another_reason_stays(void **state)
{
    fixture *f = *state;
    ironmap_error error = {.call = NULL};

    file_make(f, LENGTH);
    map_file(f, IRONMAP_WRITE);
    make_fail("mremap", EAGAIN, 0, 1);
    int status = ironmap_resize(f->map, 2 * LENGTH, &error);
    bool made = times == 0;
    calls_watch(NULL, NULL);
    if (!made) {
        skip_because("the library was built without mremap");
    }
    assert_int_equal(status, IRONMAP_E_SYSTEM);
    assert_int_equal(error.system_code, EAGAIN);
    assert_string_equal(error.call, "mremap");
    assert_map_pattern(f->map, 0, LENGTH);
    assert_file_unchanged(f, LENGTH);
}

static void kernel_without_names_is_told(void **state)
{
    static const int unsupported[] = {EINVAL, EBADF};
    fixture *f = *state;

    map_anonymous(f, IRONMAP_WRITE, LENGTH);
    for (size_t i = 0; i < COUNT_OF(unsupported); i++) {
        make_fail("prctl", unsupported[i], 0, 1);
        assert_status(ironmap_set_name(f->map, "name", &failure), IRONMAP_E_UNSUPPORTED);
        assert_failed();
    }
    make_fail("prctl", ENOMEM, 0, 1);
    assert_system_fails(ironmap_set_name(f->map, "name", &failure), IRONMAP_E_SYSTEM, ENOMEM);
    assert_failed();
}

static void limit_of_few_descriptors_is_too_many_open_files(void **state)
{
    fixture *f = *state;
    ironmap_map *map = NULL;

    file_make(f, LENGTH);
    make_fail("fcntl", EINVAL, 1, 1);
    assert_system_fails(ironmap_open_fd(&map, f->fd, IRONMAP_WRITE, NULL, &failure),
                        IRONMAP_E_SYSTEM, EMFILE);
    assert_failed();
}

static void refused_lock_is_an_error(void **state)
{
    fixture *f = *state;

    map_anonymous(f, IRONMAP_WRITE, LENGTH);
    make_fail("mlock", EPERM, 0, 1);
    assert_system_fails(ironmap_lock_pages(f->map, 0, IRONMAP_TO_END, &failure), IRONMAP_E_SYSTEM,
                        EPERM);
    make_fail("munlock", ENOMEM, 0, 1);
    assert_system_fails(ironmap_unlock_pages(f->map, 0, IRONMAP_TO_END, &failure), IRONMAP_E_SYSTEM,
                        ENOMEM);
    assert_failed();
}

/* ---- what the system is asked for ---- */

static int handler_calls;

static int count_handler_calls(const char *name)
{
    handler_calls += strcmp(name, "sigaction") == 0 ? 1 : 0;
    return 0;
}

/* That costs more than a short operation. */
static void only_long_operations_look_at_the_signal(void **state)
{
    fixture *f = *state;
    const size_t length = (size_t)4 << 20;

    file_make(f, 1);
    file_truncate(f, length);
    map_file(f, IRONMAP_WRITE);
    handler_calls = 0;
    calls_watch(count_handler_calls, NULL);
    assert_ok(ironmap_fill(f->map, 0, 1, 1000, &failure));
    int after_short = handler_calls;
    assert_ok(ironmap_fill(f->map, 0, 1, length, &failure));
    calls_watch(NULL, NULL);
    assert_int_equal(after_short, 0);
    assert_true(handler_calls > 0);
}

/* ---- flags ---- */

/* No flags mean all that a flush can do. */
static void flags_of_a_flush_are_those_of_msync(void **state)
{
    static const struct {
        int flags;
        int native;
    } flushes[] = {
        {0, MS_SYNC},
        {IRONMAP_FLUSH_ASYNC, MS_ASYNC},
        {IRONMAP_FLUSH_INVALIDATE, MS_SYNC | MS_INVALIDATE},
        {IRONMAP_FLUSH_ASYNC | IRONMAP_FLUSH_INVALIDATE, MS_ASYNC | MS_INVALIDATE},
        {MS_SYNC, MS_SYNC},
        {MS_ASYNC, MS_ASYNC},
        {MS_ASYNC | MS_INVALIDATE, MS_ASYNC | MS_INVALIDATE},
        {MS_SYNC | IRONMAP_FLUSH_INVALIDATE, MS_SYNC | MS_INVALIDATE},
    };
    fixture *f = *state;

    file_make(f, LENGTH);
    map_file(f, IRONMAP_WRITE);
    for (size_t i = 0; i < COUNT_OF(flushes); i++) {
        assert_ok(ironmap_flush(f->map, 0, IRONMAP_TO_END, flushes[i].flags, &failure));
        assert_int_equal(calls_last_sync(), flushes[i].native);
    }
}

/* The call would fail, and is not made. */
static void assert_not_called(void)
{
    calls_watch(NULL, NULL);
    assert_int_equal(times, 1);
    times = 0;
}

static void nothing_needs_no_call(void **state)
{
    fixture *f = *state;

    map_anonymous(f, IRONMAP_WRITE, LENGTH);
    make_fail("mlock", EPERM, 0, 1);
    assert_ok(ironmap_lock_pages(f->map, 100, 0, &failure));
    assert_not_called();
    map_close(f);
    map_anonymous(f, IRONMAP_WRITE, 0);
    make_fail("prctl", EINVAL, 0, 1);
    assert_ok(ironmap_set_name(f->map, "empty", &failure));
    assert_not_called();
}

/* ---- what a lost page costs ---- */

static void map_with_flags(fixture *f, int flags)
{
    ironmap_options options = {.flags = flags, .prot = PROT_READ | PROT_WRITE};

    assert_ok(ironmap_open_fd(&f->map, f->fd, IRONMAP_SYSTEM, &options, &failure));
}

static int costly_mappings;

static int count_costly_mappings(const char *name)
{
    calls_mapping mapping = calls_last_mapping();
    bool costly = mapping.reserves || (mapping.fixed && mapping.populates);

    costly_mappings += strcmp(name, "mmap") == 0 && costly;
    return 0;
}

/* Zeros in the place of lost pages reserve no memory, nor does what is known about them. Pages that
 * are put back do not bring the whole file with them. */
static void lost_page_reserves_and_populates_nothing(void **state)
{
    fixture *f = *state;
    uint8_t byte = 0;

    file_make(f, LENGTH);
    map_with_flags(f, MAP_SHARED | MAP_POPULATE);
    costly_mappings = 0;
    calls_watch(count_costly_mappings, NULL);
    file_truncate(f, 0);
    int lost = ironmap_get_byte(&byte, f->map, LENGTH - 1, NULL);
    file_truncate(f, LENGTH);
    int found = ironmap_get_byte(&byte, f->map, LENGTH - 1, NULL);
    calls_watch(NULL, NULL);
    assert_int_equal(lost, IRONMAP_E_FAULT);
    assert_int_equal(found, IRONMAP_OK);
    assert_int_equal(costly_mappings, 0);
}

/* ---- another program's handler ---- */

static bool looks_at_the_handler;

static int refuse_to_record(const char *name)
{
    looks_at_the_handler = looks_at_the_handler || strcmp(name, "sigaction") == 0;
    return looks_at_the_handler && strcmp(name, "malloc") == 0 ? ENOMEM : 0;
}

static void other_handler(int number)
{
    (void)number;
}

static void assert_opens(const fixture *f)
{
    ironmap_map *map = NULL;

    assert_ok(ironmap_open_path(&map, f->path, IRONMAP_WRITE, NULL, &failure));
    assert_ok(ironmap_close(map, &failure));
}

/* Without memory to record it, it stays installed. It is recorded once, however often its program
 * installs it. */
static void handler_of_another_program_is_recorded_or_stays(void **state)
{
    const struct sigaction other = {.sa_handler = other_handler};
    fixture *f = *state;
    ironmap_map *map = NULL;
    struct sigaction found;

    file_make(f, LENGTH);
    assert_opens(f);
    assert_int_equal(sigaction(SIGBUS, &other, NULL), 0);
    looks_at_the_handler = false;
    calls_watch(refuse_to_record, NULL);
    int status = ironmap_open_path(&map, f->path, IRONMAP_WRITE, NULL, NULL);
    calls_watch(NULL, NULL);
    assert_int_equal(status, IRONMAP_E_NOMEM);
    assert_int_equal(sigaction(SIGBUS, NULL, &found), 0);
    assert_true(found.sa_handler == other_handler);
    assert_opens(f);
    size_t allocations = calls_allocations();
    assert_int_equal(sigaction(SIGBUS, &other, NULL), 0);
    assert_opens(f);
    assert_u64(calls_allocations(), allocations);
}

/* ---- reading ahead ---- */

enum { COLD_LENGTH = 64 << 20 };

static unsigned requests;
static unsigned opens;
static const char *silent; /* the call that fails, so that nothing is told */

static int count_requests(const char *name)
{
    requests += strcmp(name, "madvise") == 0 && calls_last_advice() == MADV_WILLNEED;
    opens += strcmp(name, "open") == 0;
    return strcmp(name, silent) == 0 ? ENOENT : 0;
}

/* The file system is asked how far it reads ahead, and then its disk. */
static void assert_reads_ahead_without(fixture *f, const char *name)
{
    unsigned char resident = 1;
    uint64_t index = 0;

    file_make(f, 0);
    file_truncate(f, COLD_LENGTH);
    map_file(f, IRONMAP_READ);
    if (mincore(ironmap_data(f->map), 1, &resident) == -1 || (resident & 1) != 0) {
        skip_because("the system does not tell which pages are in memory");
    }
    requests = 0;
    opens = 0;
    silent = name;
    calls_watch(count_requests, NULL);
    int status = ironmap_find(&index, f->map, "x", 1, 0, IRONMAP_TO_END, NULL);
    calls_watch(NULL, NULL);
    assert_int_equal(status, IRONMAP_OK);
    assert_int_equal(opens, 2);
    assert_true(requests > 0);
    map_close(f);
}

static void search_reads_ahead_where_nothing_tells_that_the_system_does(void **state)
{
    assert_reads_ahead_without(*state, "open");
    assert_reads_ahead_without(*state, "read");
}

/* Advice of no bytes is a call, which refuses unknown advice. */
static void advice_of_nothing_is_checked(void **state)
{
    fixture *f = *state;

    map_anonymous(f, IRONMAP_WRITE, LENGTH);
    make_fail("madvise", EINVAL, 0, 1);
    assert_system_fails(ironmap_advise(f->map, LENGTH, 0, 0, &failure), IRONMAP_E_SYSTEM, EINVAL);
    assert_failed();
}

/* ---- a private map whose file is truncated while it grows ---- */

static const fixture *truncated;
static bool is_short;

/* The old view cannot grow. When the file is about to be mapped again, it is truncated. */
static int truncate_before_mapping(const char *name)
{
    if (strcmp(name, "mremap") == 0) {
        return ENOMEM;
    }
    if (strcmp(name, "mmap") == 0 && !calls_last_mapping().fixed &&
        !calls_last_mapping().anonymous && !is_short) {
        is_short = true;
        file_truncate(truncated, 0);
    }
    return 0;
}

/* Zeros are in the place of the old view's pages: the file is long again, so the new view's are
 * there. */
static void lengthen_after_the_loss(const char *name)
{
    if (strcmp(name, "mmap") == 0 && calls_last_mapping().fixed && calls_last_mapping().anonymous) {
        file_truncate(truncated, 2 * (uint64_t)LENGTH);
    }
}

/* Returns the status of a growth in which a page of the old view is lost. */
static int grow_with_a_loss(fixture *f)
{
    is_short = false;
    calls_watch(truncate_before_mapping, lengthen_after_the_loss);
    int status = ironmap_resize(f->map, 2 * (size_t)LENGTH, NULL);
    calls_watch(NULL, NULL);
    assert_true(is_short);
    return status;
}

static void growing_private_map_tells_a_loss_of_its_old_view(void **state)
{
    fixture *f = *state;

    map_private(f);
    truncated = f;
    assert_int_equal(grow_with_a_loss(f), IRONMAP_E_FAULT);
    assert_u64(ironmap_length(f->map), LENGTH);
    assert_false(ironmap_is_damaged(f->map));
    /* Nothing of the access is left: a loss under the exported address is damage. */
    file_truncate(f, 0);
    assert_int_equal(((volatile const uint8_t *)ironmap_data(f->map))[LENGTH - 1], 0);
    assert_true(ironmap_is_damaged(f->map));
}

/* The second view is known to the fault handler until it is unmapped. So many of them would need
 * memory. */
static void growing_private_map_that_fails_leaves_nothing(void **state)
{
    enum { ROUNDS = 200 };
    fixture *f = *state;

    map_private(f);
    truncated = f;
    size_t before = 0;
    for (int round = 0; round < ROUNDS; round++) {
        assert_int_equal(grow_with_a_loss(f), IRONMAP_E_FAULT);
        before = round == 0 ? calls_allocations() : before;
    }
    assert_u64(calls_allocations(), before);
}

/* ---- the limit of a process for its files ---- */

/* The system then refuses what is too long. */
static void file_grows_although_the_limit_cannot_be_asked_for(void **state)
{
    assert_grows_although(*state, "getrlimit", EIO, 1);
}

/* ---- what a program is told of a copy, a line and a strided access without memory ---- */

static void strided_access_without_memory_stores_nothing(void **state)
{
    fixture *f = *state;

    file_make(f, LENGTH);
    map_file(f, IRONMAP_WRITE);
    uint8_t *own = ironmap_data(f->map);
    make_fail("malloc", ENOMEM, 0, 2);
    assert_fails(ironmap_put_strided(f->map, 0, 2, own + 100, 50, &failure), IRONMAP_E_NOMEM);
    assert_fails(ironmap_get_strided(f->map, 0, 2, own + 100, 50, &failure), IRONMAP_E_NOMEM);
    assert_failed();
    assert_map_pattern(f->map, 0, LENGTH);
}

static void copy_without_memory_stores_nothing(void **state)
{
    fixture *f = *state;
    const ironmap_options options = {.length = LENGTH};
    ironmap_map *target = NULL;

    file_make(f, LENGTH);
    map_file(f, IRONMAP_WRITE);
    assert_ok(ironmap_open_anonymous(&target, IRONMAP_WRITE, &options, &failure));
    make_fail("malloc", ENOMEM, 0, 1);
    assert_fails(ironmap_copy(target, 0, f->map, 0, LENGTH, &failure), IRONMAP_E_NOMEM);
    assert_failed();
    assert_map_filled(target, 0, LENGTH, 0);
    assert_ok(ironmap_close(target, &failure));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_fixture(interrupted_open_is_made_again),
        with_fixture(interrupted_extension_is_made_again),
        with_fixture(interrupted_reservation_is_made_again),
        with_fixture(interrupted_read_is_made_again),
        with_fixture(interrupted_close_has_closed),
        with_fixture(view_that_cannot_be_unmapped_is_told),
        with_fixture(close_that_fails_is_told),
        with_fixture(interrupted_calls_of_a_tag_are_made_again),
        with_fixture(place_of_tags_that_cannot_be_asked_for_is_an_error),
        with_fixture(folder_of_tags_that_vanishes_is_looked_for_again),
        with_fixture(file_that_is_removed_meanwhile_is_made),
        with_fixture(path_follows_the_files_name),
        with_fixture(reservation_that_is_not_supported_is_told),
        with_fixture(view_that_cannot_be_moved_is_mapped_again),
        with_fixture(view_that_cannot_grow_for_another_reason_stays),
        with_fixture(kernel_without_names_is_told),
        with_fixture(limit_of_few_descriptors_is_too_many_open_files),
        with_fixture(refused_lock_is_an_error),
        with_fixture(only_long_operations_look_at_the_signal),
        with_fixture(flags_of_a_flush_are_those_of_msync),
        with_fixture(nothing_needs_no_call),
        with_fixture(lost_page_reserves_and_populates_nothing),
        with_fixture(handler_of_another_program_is_recorded_or_stays),
        with_fixture(search_reads_ahead_where_nothing_tells_that_the_system_does),
        with_fixture(advice_of_nothing_is_checked),
        with_fixture(growing_private_map_tells_a_loss_of_its_old_view),
        with_fixture(growing_private_map_that_fails_leaves_nothing),
        with_fixture(file_grows_although_the_limit_cannot_be_asked_for),
        with_fixture(strided_access_without_memory_stores_nothing),
        with_fixture(copy_without_memory_stores_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
