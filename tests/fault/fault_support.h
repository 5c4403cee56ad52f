/* What the fault tests share: content in which a zero is never data, another process that cuts
 * files, and settings from the environment. */
#ifndef IRONMAP_TESTS_FAULT_SUPPORT_H
#define IRONMAP_TESTS_FAULT_SUPPORT_H

#include "support.h"

/* The number in the environment variable `name`, else `fallback`. */
unsigned long setting(const char *name, unsigned long fallback);

/* `offset` rounded up to the page. */
uint64_t page_up(uint64_t offset);

/* ---- content --------------------------------------------------------------------------------- */

/* The byte of a solid file at `offset`: 1 to 127, a newline at one place of each page and nowhere
 * else, and any eight bytes in a row are found at no other place. */
uint8_t solid_byte(uint64_t offset);

/* What the tests store there: never a solid byte, never zero. */
uint8_t stored_byte(uint64_t offset);

void solid_fill(uint8_t *buffer, uint64_t offset, size_t length);
void stored_fill(uint8_t *buffer, uint64_t offset, size_t length);

/* True where all bytes are those of the solid file from `offset` on. */
bool is_solid(const uint8_t *bytes, uint64_t offset, size_t length);

/* True where `length` bytes are all `byte`. */
bool is_filled(const uint8_t *bytes, size_t length, uint8_t byte);

/* Writes bytes [from, to) of the solid file to `fd`; false where that fails. At no moment has the
 * file a zero in front of its end, but in the page in which `from` lies. */
bool solid_write(int fd, uint64_t from, uint64_t to);

/* Makes f's file, or makes it `length` solid bytes once more. */
void file_solid(fixture *f, size_t length);

/* The map reads as the solid file does from the map's offset on: all pages are there. */
void assert_map_solid(const ironmap_map *map);

/* ---- faults ---------------------------------------------------------------------------------- */

/* The call fails with IRONMAP_E_FAULT at `offset` of the map, with the system's `code`. `error` is
 * the ironmap_error that the call was given. */
#define assert_fault(call, error, offset, code)                                                    \
    check_fault((call), (error), (offset), (code), #call, __FILE__, __LINE__)

void check_fault(int result, const ironmap_error *error, uint64_t offset, int code,
                 const char *call, const char *file, int line);

/* The first damaged byte of a map that lost the page of `offset` and no page before it. */
uint64_t first_damaged(uint64_t offset);

/* Runs `work(context)` under a guard of the map, and ends it. */
int run_guarded(ironmap_map *map, void (*work)(void *context), void *context, ironmap_error *error);

/* Leaves the test where a lost page takes the other pages of its map with it. */
void skip_where_whole_views_are_lost(void);

/* The first damaged run of the map is [offset, offset + length), or all of the map where whole
 * views are lost; none with length 0. */
void assert_damage(const ironmap_map *map, uint64_t offset, size_t length);

/* Reads through a pointer from ironmap_data, byte by byte, under nobody's guard. */
uint8_t peek(const ironmap_map *map, size_t offset);
void poke(ironmap_map *map, size_t offset, uint8_t byte);

/* Leaves the test where a page that is put back behind the end of its file is none of the file's,
 * and so is not lost once more. */
void skip_without_pages_behind_a_file(void);

/* ---- another process that cuts ----------------------------------------------------------------
 */

typedef struct truncator {
    intptr_t process;  /* the system's */
    struct desk *desk; /* shared with it */
    const fixture *f;
} truncator;

/* Starts a process that cuts the file of the fixture, and ends it. */
void truncator_start(truncator *c, const fixture *f);
void truncator_stop(truncator *c);

/* Has the file cut to `length`, `delay` turns of an empty loop from now, and returns at once. */
void truncator_request(truncator *c, uint64_t length, unsigned delay);

/* Whether it has been done; waits until it has. */
bool truncator_done(const truncator *c);
void truncator_wait(const truncator *c);

/* Some turns of an empty loop. */
void linger(unsigned turns);

#endif /* IRONMAP_TESTS_FAULT_SUPPORT_H */
