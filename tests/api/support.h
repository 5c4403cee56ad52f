/* What the C tests share: checks that print status names, files and maps with known bytes, random
 * numbers that can be repeated, and facts about the process. What of it is the system's is in
 * support_posix.c or support_windows.c, of which the build takes one; what only Unix has is
 * declared in support_posix.h. */
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

/* The error that checked calls fill: pass `&failure` as their last argument. The checks below see
 * to it that a success leaves it alone and that a failure fills it wholly. One thread only. */
extern ironmap_error failure;

/* The call succeeds. */
#define assert_ok(call) check_ok((call), #call, __FILE__, __LINE__)

/* The call fails with `status`, a status for which no system call was asked. */
#define assert_fails(call, status) check_fails((call), (status), #call, __FILE__, __LINE__)

/* The call fails with `status` because the system said `code`. */
#define assert_system_fails(call, status, code)                                                    \
    check_system_fails((call), (status), (code), #call, __FILE__, __LINE__)

/* The call fails with IRONMAP_E_INVALID, and the error says `what` is wrong. */
#define assert_invalid(call, what) check_invalid((call), (what), #call, __FILE__, __LINE__)

/* The call fails with `status`; whether the system was asked is the library's own affair. */
#define assert_status(call, status) check_status((call), (status), #call, __FILE__, __LINE__)

/* The call returns `status`, which may be IRONMAP_OK: for tables of cases. */
#define assert_status_or_ok(call, status)                                                          \
    check_status_or_ok((call), (status), #call, __FILE__, __LINE__)

/* Whatever the call returns. */
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

/* Leaves the test, with one line that says why. */
#define skip_because(reason)                                                                       \
    do {                                                                                           \
        print_message("skipped: %s\n", (reason));                                                  \
        skip();                                                                                    \
    } while (0)

/* Leaves the test where no length that the library takes is too long for the address space. */
void skip_on_32_bit(void);

/* What the system says, in its own numbers: errno, or GetLastError() on Windows. */
typedef struct system_codes {
    int32_t not_found;       /* nothing has that name */
    int32_t empty_path;      /* the name is "" */
    int32_t not_a_directory; /* the name goes through a file */
    int32_t exists;          /* something has that name already */
    int32_t denied;          /* the file is not open for that, or must not be */
    int32_t bad_descriptor;  /* nothing is open there */
    int32_t not_mappable;    /* a pipe or a device has no memory to show */
    int32_t lost_page;       /* a page cannot be had, and nobody says why */
    int32_t invalid;
    int32_t no_memory;
} system_codes;

extern const system_codes codes;

/* Where systems differ in what the library can do, as ironmap.h says. */
typedef struct system_traits {
    bool shared_memory_grows;    /* ironmap_resize of anonymous memory that is shared */
    bool loses_whole_views;      /* a page that is lost takes the map's other pages with it */
    bool maps_behind_files;      /* a file that is cut just then does not keep a map from growing */
    bool restore_needs_the_file; /* ironmap_clear_damage with IRONMAP_OPEN_NO_TRACK puts nothing
                                    back */
    bool cuts_mapped_files;      /* a file can get shorter while somebody else maps it */
    bool flush_needs_the_file;   /* ironmap_flush with IRONMAP_OPEN_NO_TRACK is not durable */
} system_traits;

extern const system_traits traits;

/* Writes the system's own words for `code` into `text`. */
void system_words(char *text, size_t capacity, int32_t code);

/* ---- known bytes ----------------------------------------------------------------------------- */

/* The byte that test files have at `offset`. Pages differ from one another. */
uint8_t pattern_byte(uint64_t offset);

void pattern_fill(void *buffer, uint64_t offset, size_t length);

/* ---- one test's files and map ---------------------------------------------------------------- */

/* A directory of its own for each test, with at most one file and one map that are cleaned up
 * whatever becomes of the test. The tear-down fails a test that left a descriptor open. */
typedef struct fixture {
    char directory[256];
    char path[300];     /* the file made by file_make and file_text; does not exist before */
    int fd;             /* open on it for reading and writing, else -1 */
    ironmap_map *map;   /* closed by the tear-down where not NULL */
    size_t descriptors; /* how many were open before the test */
} fixture;

int fixture_setup(void **state);
int fixture_teardown(void **state);

#define with_fixture(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

/* Writes the path of `name` in the test's directory over f->path. */
void file_name(fixture *f, const char *name);

/* Makes the file, `length` bytes of the pattern or the bytes given. */
void file_make(fixture *f, size_t length);
void file_bytes(fixture *f, const void *bytes, size_t length);

/* Sets the length of the file behind the library's back. Windows lets nobody cut a file that is
 * mapped; under Wine the other system does, and elsewhere the test is left. */
void file_truncate(const fixture *f, uint64_t length);

/* The same; false where the file system has no file of that length. */
bool file_stretch(const fixture *f, uint64_t length);

/* Stores into the file with the system's write call; its position stays. */
void file_store(const fixture *f, uint64_t offset, const void *bytes, size_t length);

/* Takes the file out of memory, as far as the system lets it go. */
void file_drop(const fixture *f);

bool file_exists(const fixture *f);
uint64_t file_length(const fixture *f);

/* The file's bytes from `offset` on, read with the system's read call, are these. */
void assert_file(const fixture *f, uint64_t offset, const void *expected, size_t length);

/* The whole file is still what file_make made it. */
void assert_file_untouched(const fixture *f, size_t length);

/* ---- descriptors of the C runtime ------------------------------------------------------------ */

typedef enum descriptor_use { TO_READ, TO_WRITE, TO_READ_AND_WRITE } descriptor_use;

/* Opens the fixture's file once more. */
int descriptor_open(const fixture *f, descriptor_use use);
int descriptor_duplicate(int fd);
void descriptor_close(int fd);

/* The two ends of a new pipe, the one to read first. */
void descriptor_pipe(int ends[2]);

/* Where the descriptor reads next. */
uint64_t descriptor_tell(int fd);
void descriptor_seek(int fd, uint64_t position);

/* Stores into the file of a descriptor; false where not all of it can be. */
bool descriptor_store(int fd, uint64_t offset, const void *bytes, size_t length);

/* Writes at the descriptor's position. */
void descriptor_write(int fd, const void *bytes, size_t length);

/* ---- maps ------------------------------------------------------------------------------------ */

/* Every access that every system has. */
extern const ironmap_access all_accesses[3];

/* The length of the range [start, end): IRONMAP_TO_END if that is no shorter. */
size_t length_between(uint64_t start, uint64_t end);

/* Options with these fields and the defaults in all others. */
ironmap_options options_of(uint64_t offset, size_t length);

/* Opens f->map: the file by its path, or `length` anonymous bytes. */
void map_file(fixture *f, ironmap_access access);
void map_anonymous(fixture *f, ironmap_access access, size_t length);

/* The same with `text` inside. */
void map_text(fixture *f, const char *text);

void map_close(fixture *f);

/* The map's bytes from `offset` on are these. */
void assert_map(const ironmap_map *map, uint64_t offset, const void *expected, size_t length);

/* The map is `length` bytes long, and all of them are the pattern from `offset` on. */
void assert_map_pattern(const ironmap_map *map, uint64_t offset, size_t length);

/* The map is `length` long; its first `kept` bytes are the pattern from `offset` on, the others
 * zero. */
void assert_map_kept(const ironmap_map *map, uint64_t offset, size_t kept, size_t length);

/* `length` bytes of the map from `offset` on are `byte`. */
void assert_map_filled(const ironmap_map *map, uint64_t offset, size_t length, uint8_t byte);

/* Any range inside the map, of more than 5000 bytes, can be flushed, page boundaries or not;
 * another is refused. */
void assert_flush_ranges(ironmap_map *map);

/* Every store into the map is refused as of a map that cannot be written. */
void assert_stores_refused(ironmap_map *map);

/* ---- memory that may not be left --------------------------------------------------------------
 */

/* `*size` bytes and some more, which `*size` becomes; touching a byte before or behind them ends
 * the program. */
uint8_t *edged_memory(size_t *size);
void edged_free(uint8_t *memory, size_t size);

/* Touching these whole pages of a map ends the program from now on. */
void memory_forbid(void *pages, size_t length);

/* ---- random numbers -------------------------------------------------------------------------- */

typedef struct random_source {
    uint64_t state;
} random_source;

/* Starts from the seed in IRONMAP_TEST_SEED, else from the clock, and prints it. */
random_source random_start(void);

/* A number below `bound`, which is not 0. */
uint64_t random_below(random_source *random, uint64_t bound);

/* ---- the process ----------------------------------------------------------------------------- */

/* How many descriptors are open, or handles on Windows. */
size_t open_descriptors(void);

/* How many regions of memory are mapped; 0 where the system does not tell. */
size_t mapped_regions(void);

/* What the system says of a plain map of `length` bytes of memory that it must refuse. */
int code_of_refused_map(size_t length);

/* What the system says of its memory, in bytes. */
size_t system_page_size(void);
size_t system_granularity(void);

/* A number that no other process has now. */
uint64_t process_number(void);

/* True where the program runs under qemu-user: another processor's program on this system, with
 * some system calls that do less. The wrapper in tests/processors/ says so. */
bool inside_qemu(void);

/* Leaves the test, under qemu-user, for a reason that lies there; the second one where qemu-user
 * only acts as if pages had more bytes than the system's. */
#define skip_inside_qemu(reason)                                                                   \
    do {                                                                                           \
        if (inside_qemu()) {                                                                       \
            skip_because("qemu-user " reason);                                                     \
        }                                                                                          \
    } while (0)
#define skip_on_acted_pages(reason)                                                                \
    do {                                                                                           \
        if (ironmap_page_size() != 4096) {                                                         \
            skip_inside_qemu("with larger pages than the system's " reason);                       \
        }                                                                                          \
    } while (0)

/* True where the program runs inside valgrind, whose own books of memory differ in places. */
bool inside_valgrind(void);

/* The value of one of the system's constants by its name; false where there is none. */
bool system_constant(int *value, const char *name);

/* ---- another process ------------------------------------------------------------------------- */

/* What another process does with the file of that path: 0 for success. It must not use the checks
 * above, but child_check. */
typedef struct process_work {
    const char *name;
    int (*run)(const char *path);
} process_work;

/* To be called first in the main of a program that has such work: does not return in the processes
 * that are started for it. The last one has no name. */
void process_begin(const process_work *works);

/* Does the work of that name in another process, and returns what it returned, 0 to 100. */
int in_process(const char *name, const char *path);

/* ---- threads --------------------------------------------------------------------------------- */

typedef struct test_thread {
    void (*work)(void *);
    void *argument;
    uintptr_t handle; /* the system's */
} test_thread;

/* Runs `work(argument)` in a thread. `t` is the thread until it was joined. */
void thread_start(test_thread *t, void (*work)(void *), void *argument);
void thread_join(test_thread *t);

/* Lets another one run. */
void thread_yield(void);

/* In a function that returns 0 for success: returns 1, having said why, where `condition` fails. */
#define child_check(condition)                                                                     \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            print_error("%s:%d: in a child: %s\n", __FILE__, __LINE__, #condition);                \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)

#endif /* IRONMAP_TESTS_SUPPORT_H */
