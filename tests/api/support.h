/* Shared by the C tests: checks that print status names, files and maps with known bytes,
 * repeatable random numbers, and facts about the process. The build takes support_posix.c or
 * support_windows.c. support_posix.h declares what only Unix has. */
#ifndef IRONMAP_TESTS_SUPPORT_H
#define IRONMAP_TESTS_SUPPORT_H

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <ironmap/extra.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* ---- checks ---------------------------------------------------------------------------------- */

/* The error that checked calls fill: pass `&failure` as their last argument. A success must leave
 * it unchanged, and a failure must fill it. One thread only. */
extern ironmap_error failure;

/* The call succeeds. */
#define assert_ok(call) check_ok((call), #call, __FILE__, __LINE__)

/* The call fails with `status` without a system call. */
#define assert_fails(call, status) check_fails((call), (status), #call, __FILE__, __LINE__)

/* The call fails with `status` because the system returned `code`. */
#define assert_system_fails(call, status, code)                                                    \
    check_system_fails((call), (status), (code), #call, __FILE__, __LINE__)

/* The call fails with IRONMAP_E_INVALID, and the error says `what` is wrong. */
#define assert_invalid(call, what) check_invalid((call), (what), #call, __FILE__, __LINE__)

/* The call fails with `status`, with or without a system call. */
#define assert_status(call, status) check_status((call), (status), #call, __FILE__, __LINE__)

/* The call returns `status`, which may be IRONMAP_OK. */
#define assert_status_or_ok(call, status)                                                          \
    check_status_or_ok((call), (status), #call, __FILE__, __LINE__)

/* Ignores the result of a call. */
static inline void ignore(int status)
{
    (void)status;
}

/* Two numbers of up to 64 bits are equal. */
#define assert_u64(actual, expected) check_u64((actual), (expected), #actual, __FILE__, __LINE__)

void check_ok(int result, const char *call, const char *file, int line);
void check_fails(int result, int status, const char *call, const char *file, int line);
void check_system_fails(int result, int status, int code, const char *call, const char *file,
                        int line);
void check_status(int result, int status, const char *call, const char *file, int line);
void check_invalid(int result, const char *what, const char *call, const char *file, int line);
void check_status_or_ok(int result, int status, const char *call, const char *file, int line);
void check_u64(uint64_t actual, uint64_t expected, const char *what, const char *file, int line);

/* Skips the test and prints the reason. */
#define skip_because(reason)                                                                       \
    do {                                                                                           \
        print_message("skipped: %s\n", (reason));                                                  \
        skip();                                                                                    \
    } while (0)

/* Skips the test where every length that the library accepts fits into the address space. */
void skip_on_32_bit(void);

/* The system's codes: errno, or GetLastError() on Windows. */
typedef struct system_codes {
    int32_t not_found;       /* no such file */
    int32_t empty_path;      /* the name is "" */
    int32_t not_a_directory; /* a file in the middle of the path */
    int32_t exists;          /* the file exists */
    int32_t denied;          /* the access is not permitted */
    int32_t bad_descriptor;  /* not an open descriptor */
    int32_t not_mappable;    /* a pipe, or a device without memory */
    int32_t lost_page;       /* a page is lost for no known reason */
    int32_t invalid;
    int32_t no_memory;
} system_codes;

extern const system_codes codes;

/* Differences between systems, as ironmap.h describes them. */
typedef struct system_traits {
    bool shared_memory_grows;    /* ironmap_resize grows shared anonymous memory */
    bool loses_whole_views;      /* a lost page takes the other pages of its map with it */
    bool grows_past_truncation;  /* a map can grow while its file is truncated */
    bool restore_needs_the_file; /* IRONMAP_OPEN_NO_TRACK: ironmap_clear_damage restores nothing */
    bool truncates_mapped_files; /* a mapped file can be truncated */
    bool flush_needs_the_file;   /* IRONMAP_OPEN_NO_TRACK: ironmap_flush is not durable */
} system_traits;

extern const system_traits traits;

/* Writes the system's message for `code` into `text`. */
void system_words(char *text, size_t capacity, int32_t code);

/* ---- known bytes ----------------------------------------------------------------------------- */

/* The byte that test files have at `offset`. Pages differ from one another. */
uint8_t pattern_byte(uint64_t offset);

void pattern_fill(void *buffer, uint64_t offset, size_t length);

/* ---- one test's files and map ---------------------------------------------------------------- */

/* A directory for one test, with at most one file and one map, which the tear-down removes. The
 * tear-down fails a test that left a descriptor open. */
typedef struct fixture {
    char directory[256];
    char path[300];     /* the file; file_make and file_bytes create it */
    int fd;             /* open on the file for reading and writing, or -1 */
    ironmap_map *map;   /* closed by the tear-down, or NULL */
    size_t descriptors; /* open before the test */
} fixture;

int fixture_setup(void **state);
int fixture_teardown(void **state);

#define with_fixture(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

/* Sets f->path to `name` in the test's directory. */
void file_name(fixture *f, const char *name);

/* Creates the file: `length` bytes of the pattern, or the bytes given. */
void file_make(fixture *f, size_t length);
void file_bytes(fixture *f, const void *bytes, size_t length);

/* Sets the length of the file without the library. Windows does not truncate a mapped file: a
 * program below Wine does, else the test is skipped. */
void file_truncate(const fixture *f, uint64_t length);

/* The same. False if the file system does not allow that length. */
bool file_extend(const fixture *f, uint64_t length);

/* Stores into the file with the system's write call. Its position stays. */
void file_store(const fixture *f, uint64_t offset, const void *bytes, size_t length);

/* Evicts the file from memory, as far as the system allows. */
void file_evict(const fixture *f);

bool file_exists(const fixture *f);
uint64_t file_length(const fixture *f);

/* Asserts the file's bytes from `offset` on, read with the system's read call. */
void assert_file(const fixture *f, uint64_t offset, const void *expected, size_t length);

/* The whole file is as file_make made it. */
void assert_file_unchanged(const fixture *f, size_t length);

/* ---- descriptors of the C runtime ------------------------------------------------------------ */

typedef enum descriptor_use { TO_READ, TO_WRITE, TO_READ_AND_WRITE } descriptor_use;

/* Opens the fixture's file again. */
int descriptor_open(const fixture *f, descriptor_use use);
int descriptor_duplicate(int fd);
void descriptor_close(int fd);

/* A new pipe. The first end is for reading. */
void descriptor_pipe(int ends[2]);

/* The descriptor's position. */
uint64_t descriptor_tell(int fd);
void descriptor_seek(int fd, uint64_t position);

/* Stores into the file of a descriptor. False if not all of it is stored. */
bool descriptor_store(int fd, uint64_t offset, const void *bytes, size_t length);

/* Writes at the descriptor's position. */
void descriptor_write(int fd, const void *bytes, size_t length);

/* ---- maps ------------------------------------------------------------------------------------ */

/* Every access that all systems have. */
extern const ironmap_access all_accesses[3];

/* The length of the range [start, end), at most IRONMAP_TO_END. */
size_t length_between(uint64_t start, uint64_t end);

/* Options with these fields set. */
ironmap_options options_of(uint64_t offset, size_t length);

/* Opens f->map: the file by its path, or `length` anonymous bytes. */
void map_file(fixture *f, ironmap_access access);
void map_anonymous(fixture *f, ironmap_access access, size_t length);

/* Opens f->map: anonymous memory that contains `text`. */
void map_text(fixture *f, const char *text);

void map_close(fixture *f);

/* Asserts the map's bytes from `offset` on. */
void assert_map(const ironmap_map *map, uint64_t offset, const void *expected, size_t length);

/* The map has `length` bytes: the pattern from `offset` on. */
void assert_map_pattern(const ironmap_map *map, uint64_t offset, size_t length);

/* The map has `length` bytes: first `kept` bytes of the pattern from `offset` on, then zeros. */
void assert_map_kept(const ironmap_map *map, uint64_t offset, size_t kept, size_t length);

/* `length` bytes of the map from `offset` on are `byte`. */
void assert_map_filled(const ironmap_map *map, uint64_t offset, size_t length, uint8_t byte);

/* Ranges inside the map can be flushed and others are refused. The map has more than 5000 bytes. */
void assert_flush_ranges(ironmap_map *map);

/* Every store fails because the map cannot be written. */
void assert_stores_refused(ironmap_map *map);

/* ---- fenced memory --------------------------------------------------------------------------- */

/* At least `*size` bytes; `*size` becomes their number. Access to a byte before or after them ends
 * the program. */
uint8_t *fenced_memory(size_t *size);
void fenced_free(uint8_t *memory, size_t size);

/* From now on, access to these whole pages of a map ends the program. */
void memory_revoke(void *pages, size_t length);

/* ---- random numbers -------------------------------------------------------------------------- */

typedef struct random_source {
    uint64_t state;
} random_source;

/* Starts from the seed in IRONMAP_TEST_SEED or from the clock, and prints it. */
random_source random_start(void);

/* A number below `bound`, which is not 0. */
uint64_t random_below(random_source *random, uint64_t bound);

/* ---- the process ----------------------------------------------------------------------------- */

/* The number of open descriptors, or of handles on Windows. */
size_t open_descriptors(void);

/* The number of mapped regions, or 0 if the system does not report it. */
size_t mapped_regions(void);

/* The system's code for a plain map of `length` bytes, which it must refuse. */
int code_of_refused_map(size_t length);

/* The system's sizes of memory units, in bytes. */
size_t system_page_size(void);
size_t system_granularity(void);

/* Unique among the running processes. */
uint64_t process_number(void);

/* True under qemu-user, where some system calls do less. The machine files of qemu set
 * IRONMAP_TEST_QEMU. */
bool inside_qemu(void);

/* Skip the test for a reason of qemu-user. The second one only where qemu-user emulates pages
 * larger than the system's. */
#define skip_inside_qemu(reason)                                                                   \
    do {                                                                                           \
        if (inside_qemu()) {                                                                       \
            skip_because("qemu-user " reason);                                                     \
        }                                                                                          \
    } while (0)
#define skip_on_emulated_pages(reason)                                                             \
    do {                                                                                           \
        if (ironmap_page_size() != 4096) {                                                         \
            skip_inside_qemu("with emulated pages " reason);                                       \
        }                                                                                          \
    } while (0)

/* True under valgrind, whose records of memory differ in places. */
bool inside_valgrind(void);

/* Stores the value of the system's constant `name`. False if there is none. */
bool system_constant(int *value, const char *name);

/* ---- another process ------------------------------------------------------------------------- */

/* Work for another process. It returns 0 for success, and uses child_check instead of the checks
 * above. */
typedef struct process_work {
    const char *name;
    int (*run)(const char *path);
} process_work;

/* Called first in the main of a program with such work. Does not return in the processes started
 * for it. The last entry has no name. */
void process_begin(const process_work *works);

/* Runs the work of that name in another process. Returns its result, 0 to 100. */
int in_process(const char *name, const char *path);

/* ---- threads --------------------------------------------------------------------------------- */

typedef struct test_thread {
    void (*work)(void *);
    void *argument;
    uintptr_t handle; /* the thread, as the system names it */
} test_thread;

/* Runs `work(argument)` in a thread. `t` must stay valid until the thread is joined. */
void thread_start(test_thread *t, void (*work)(void *), void *argument);
void thread_join(test_thread *t);

/* Lets other threads run. */
void thread_yield(void);

/* In a function that returns 0 for success: prints a failed `condition` and returns 1. */
#define child_check(condition)                                                                     \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            print_error("%s:%d: in a child: %s\n", __FILE__, __LINE__, #condition);                \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)

#endif /* IRONMAP_TESTS_SUPPORT_H */
