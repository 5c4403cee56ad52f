/* Shared by the fault tests: content without zeros, a process that truncates files, and settings
 * from the environment. */
#ifndef IRONMAP_TESTS_FAULT_SUPPORT_H
#define IRONMAP_TESTS_FAULT_SUPPORT_H

#include "support.h"

/* The number in the environment variable `name`, or `fallback`. */
unsigned long setting(const char *name, unsigned long fallback);

/* `offset` rounded up to the page. */
uint64_t page_up(uint64_t offset);

/* ---- content --------------------------------------------------------------------------------- */

/* The byte of a solid file at `offset`: 1 to 127. Each page has one newline. Any eight bytes in a
 * row occur once. */
uint8_t solid_byte(uint64_t offset);

/* The byte that tests store there: never a solid byte, never zero. */
uint8_t stored_byte(uint64_t offset);

void solid_fill(uint8_t *buffer, uint64_t offset, size_t length);
void stored_fill(uint8_t *buffer, uint64_t offset, size_t length);

/* True if all bytes are those of the solid file from `offset` on. */
bool is_solid(const uint8_t *bytes, uint64_t offset, size_t length);

/* True if `length` bytes are all `byte`. */
bool is_filled(const uint8_t *bytes, size_t length, uint8_t byte);

/* Writes bytes [from, to) of the solid file to `fd`. False on failure. The file never has a zero
 * before its end, except in the page of `from`. */
bool solid_write(int fd, uint64_t from, uint64_t to);

/* Creates f's file, or writes it again: `length` solid bytes. */
void file_solid(fixture *f, size_t length);

/* A source and a target for copies. The source is f's map of a solid file; returns its memory. The
 * target is anonymous, of BACKGROUND bytes, and the caller's to close. */
enum { BACKGROUND = 0xee };
const uint8_t *map_source(fixture *f, size_t length);
ironmap_map *make_target(size_t length);

/* Asserts that the map reads as the solid file from the map's offset on. */
void assert_map_solid(const ironmap_map *map);

/* ---- faults ---------------------------------------------------------------------------------- */

/* The call fails with IRONMAP_E_FAULT at `offset` of the map and the system's `code`. `error` is
 * the call's ironmap_error. */
#define assert_fault(call, error, offset, code)                                                    \
    check_fault((call), (error), (offset), (code), #call, __FILE__, __LINE__)

/* The same for bytes that were given: byte `lost` of the map that they lie in is unavailable. The
 * call uses `&error`. */
#define assert_source_fault(call, lost)                                                            \
    do {                                                                                           \
        ironmap_error error = {.status = IRONMAP_OK};                                              \
        assert_fault(call, &error, lost, codes.lost_page);                                         \
        assert_true(error.in_source);                                                              \
    } while (0)

void check_fault(int result, const ironmap_error *error, uint64_t offset, int code,
                 const char *call, const char *file, int line);

/* The first damaged byte of a map whose first lost page is that of `offset`. */
uint64_t first_damaged(uint64_t offset);

/* Runs `work(context)` under a guard of the map. */
int run_guarded(ironmap_map *map, void (*work)(void *context), void *context, ironmap_error *error);

/* Skips the test if a lost page takes the other pages of its map with it. */
void skip_if_whole_views_are_lost(void);

/* The first damaged run is [offset, offset + length), or all of the map if whole views are lost.
 * None with length 0. */
void assert_damage(const ironmap_map *map, uint64_t offset, size_t length);

/* Read and store one byte through ironmap_data, without a guard. */
uint8_t peek(const ironmap_map *map, size_t offset);
void poke(ironmap_map *map, size_t offset, uint8_t byte);

/* Skips the test if a page restored beyond the end of its file cannot be lost again. */
void skip_without_pages_beyond_a_file(void);

/* ---- a process that truncates ---------------------------------------------------------------- */

typedef struct truncator {
    intptr_t process;        /* process ID or handle */
    struct mailbox *mailbox; /* shared with the process */
    const fixture *f;
} truncator;

/* Start and end a process that truncates the file of the fixture. */
void truncator_start(truncator *c, const fixture *f);
void truncator_stop(truncator *c);

/* Requests that the file be truncated to `length` after `delay` turns of an empty loop, and returns
 * at once. */
void truncator_request(truncator *c, uint64_t length, unsigned delay);

/* True if the request is done; the second one waits for it. */
bool truncator_done(const truncator *c);
void truncator_wait(const truncator *c);

/* Turns of an empty loop. */
void spin(unsigned turns);

#endif /* IRONMAP_TESTS_FAULT_SUPPORT_H */
