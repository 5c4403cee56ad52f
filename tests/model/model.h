/* A map and its file beside plain memory that has what they must have.
 *
 * Each operation picks its arguments at random, calls the library, and compares status, offset and
 * bytes with what the memory says. The model itself truncates, extends, punches, collapses and
 * replaces the file, so it knows which pages are lost. What is wrong ends the process with a report
 * of the last operations.
 */
#ifndef IRONMAP_TESTS_MODEL_H
#define IRONMAP_TESTS_MODEL_H

#include "fault_support.h"

enum { MODEL_PAGES = 24, MODEL_LOG = 12, MODEL_CHUNK = 1 << 20 };

/* What a run counts. */
typedef struct model_counts {
    size_t operations;
    size_t faults; /* IRONMAP_E_FAULT for a page that was lost */
    size_t damages;
    size_t opens, resizes, file_changes;
} model_counts;

typedef struct model {
    random_source random;
    uint64_t seed;
    char path[300];
    int fd;     /* of the file that is mapped */
    bool loses; /* some pages are lost at all times */
    bool huge;
    bool emulated;   /* pages of qemu-user: none are lost, and private ones are smaller */
    size_t page;     /* of the mapping */
    size_t capacity; /* the longest file */

    uint8_t *file; /* what the file has, and zeros behind it */
    size_t size;   /* of the file */

    bool replaced; /* another file has the name now: */
    uint8_t *next_file;
    size_t next_size;

    ironmap_map *map;
    ironmap_access access;
    size_t offset, length, position;
    uint8_t *copy; /* what a copy-on-write map has stored, by offset in the file */
    bool is_private[MODEL_PAGES + 1]; /* pages of the file that it has stored into */
    size_t damage;      /* where damage begins in the map; `length` if there is none */
    bool stored_beside; /* into a damaged page, where it is seen until the damage is cleared */
    ironmap_map *other; /* anonymous, as long as the longest file */
    uint8_t *other_bytes;

    uint8_t *bytes, *expected; /* buffers */
    ironmap_error error;
    char log[MODEL_LOG][100];
    model_counts *counts;
} model;

typedef struct span {
    size_t from, to;
} span;

/* Begins with a file in `directory`, which may be of any file system. */
void model_begin(model *m, const char *directory, uint64_t seed, model_counts *counts);
void model_end(model *m);

/* One operation at random, and all that must hold after it. */
void model_step(model *m);

/* ---- for the operations ---------------------------------------------------------------------- */

/* Notes an operation for the report. */
void model_note(model *m, const char *what, size_t a, size_t b);

/* Prints the report and ends the process. */
_Noreturn void model_wrong(const model *m, const char *why);
void model_check(const model *m, bool condition, const char *why);

size_t model_below(model *m, size_t bound);
bool model_chance(model *m, size_t in);

/* A random range inside the map, mostly short; not empty if the map is not. */
span model_span(model *m);

/* The same for a store. Behind the end of the file in its last page, a store into a shared map has
 * no meaning, so the range ends before. False if it is empty. */
bool model_store_span(model *m, span *range);
bool model_clip_store(const model *m, span *range);
void model_random_bytes(model *m, uint8_t *bytes, size_t length);

/* Where lost bytes begin in the map; its length if none are lost. */
size_t model_lost(const model *m);
bool model_is_damaged(const model *m);

/* Where the page of a byte of the map begins in the map. */
size_t model_page_start(const model *m, size_t at);

/* What the map must show in [from, to). */
void model_expect(const model *m, uint8_t *bytes, size_t from, size_t to);

/* Judges an access to [from, to). True if it succeeded, as it must. */
bool model_judge(model *m, int status, size_t from, size_t to);

/* The same for an access that may succeed or fail: `must_fail` if the result needs a lost byte. The
 * offset is that of a lost byte inside the range. */
bool model_judge_search(model *m, int status, size_t from, size_t to, bool must_fail);

/* The map was to store bytes at [from, to); what lies in lost pages is discarded. */
void model_store(model *m, size_t from, const uint8_t *bytes, size_t length);

/* The pages of the file from `from` on are cut: private pages are lost with them. */
void model_drop_private(model *m, size_t from, size_t to);

typedef void model_act(model *m);
model_act model_get, model_get_byte, model_put, model_put_byte, model_fill, model_move,
    model_copy_in, model_copy_out, model_get_strided, model_put_strided;
model_act model_find, model_rfind, model_count, model_find_all, model_lines;
model_act model_seek, model_read, model_readline, model_line_length, model_write, model_read_byte,
    model_write_byte;
model_act model_flush, model_advise, model_pin_access, model_pin_get, model_guard,
    model_clear_damage, model_look_at_damage;
model_act model_resize, model_reopen;
model_act model_truncate, model_file_write, model_punch, model_zero, model_collapse, model_insert,
    model_replace, model_evict;

void model_file_create(model *m);
void model_open(model *m);

/* Makes the file at least `size` bytes long. */
void model_lengthen(model *m, size_t size);

#endif /* IRONMAP_TESTS_MODEL_H */
