/* What language bindings need beside ironmap.h. */
#ifndef IRONMAP_EXTRA_H
#define IRONMAP_EXTRA_H

#include <ironmap/ironmap.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes that the map takes beside its pages: less than 1 KiB, and the same for a map of any length.
 * After single pages were lost, which a truncated file is not, a map of more than 64 pages takes up
 * to a page and a 15000th of its length more. Each range of addresses that a resize has left takes
 * less than 1 KiB. Addresses that are reserved are no memory. */
IRONMAP_API size_t ironmap_overhead(const ironmap_map *map);

/* How many pins the map has. */
IRONMAP_API size_t ironmap_pins(const ironmap_map *map);

/* Like a pin, for a thread that calls functions of the library and uses no address: resize and
 * close are IRONMAP_E_BUSY, and lost pages are not damage. */
IRONMAP_API void ironmap_hold(ironmap_map *map);
IRONMAP_API void ironmap_release(ironmap_map *map);

/* True if the map is pinned or held. */
IRONMAP_API bool ironmap_is_busy(const ironmap_map *map);

/* How often the map was damaged since it was opened, to compare before and after. */
IRONMAP_API size_t ironmap_damage_count(const ironmap_map *map);

/* IRONMAP_E_FAULT if the map is damaged: the error that an operation on its bytes reports. Accesses
 * no byte. */
IRONMAP_NODISCARD IRONMAP_API int ironmap_check_damage(const ironmap_map *map,
                                                       ironmap_error *error);

/* IRONMAP_E_FAULT if the file ends before the last page of the map: the error of an access to the
 * first page behind its end. Accesses no byte, so it cannot tell of a failing or full disk.
 * IRONMAP_OK for memory without a file and with NO_TRACK. */
IRONMAP_NODISCARD IRONMAP_API int ironmap_check_file_end(const ironmap_map *map,
                                                         ironmap_error *error);

/* Notes that the program was told of the first `count` of ironmap_damage_count. Noting fewer than
 * before changes nothing. One thread at a time. */
IRONMAP_API void ironmap_note_told_damage(ironmap_map *map, size_t count);

/* True if the map is damaged and the program was not told of all of it. */
IRONMAP_API bool ironmap_has_untold_damage(const ironmap_map *map);

/* True if the map was ever pinned: code may still use its addresses. */
IRONMAP_API bool ironmap_was_exported(const ironmap_map *map);

/* What ironmap_close_reserving keeps: addresses that were a map's. */
typedef struct ironmap_reservation ironmap_reservation;

/* Closes the map like ironmap_close, and keeps its addresses for code that still uses them. `*kept`
 * then has all that were ever the map's. It is NULL if the map was never exported, and with
 * IRONMAP_E_BUSY; it is set whenever the map is gone, after an error as well. The addresses have no
 * memory, no file and no descriptor. They read as zeros, and stores into them go nowhere, but take
 * memory. Nothing else is mapped there until ironmap_reservation_free.
 *
 * IRONMAP_E_SYSTEM as ironmap_close, and if the system can neither keep the addresses empty nor put
 * zeros there. Then they show what they showed before until they are freed. */
IRONMAP_API int ironmap_close_reserving(ironmap_reservation **kept, ironmap_map *map,
                                        ironmap_error *error);

/* IRONMAP_E_FAULT if an address was used since the map was closed, with the offset that it had in
 * the map, or if the map had damage of which the program was not told (ironmap_note_told_damage).
 * A use is not noticed where the system keeps no empty memory (macOS, NetBSD, OpenBSD), and if
 * there was no descriptor left at close. Thread-safe. */
IRONMAP_NODISCARD IRONMAP_API int ironmap_reservation_check(const ironmap_reservation *kept,
                                                            ironmap_error *error);

/* Bytes that the reservation uses in the heap. */
IRONMAP_API size_t ironmap_reservation_overhead(const ironmap_reservation *kept);

/* Gives the addresses back; NULL does nothing. No code may use them any more. */
IRONMAP_API void ironmap_reservation_free(ironmap_reservation *kept);

/* Returns memory for `length` bytes, or NULL. It must not change the map. */
typedef void *ironmap_allocator(void *context, size_t length);

/* Copies the line at `offset`, which ends at the latest with the range, into memory of
 * `allocate(context, n)`, where n is its length: with its newline ('\n') if `keep_end`, else
 * without. `*line_length` is its length with the newline, 0 if the range is empty. The range is cut
 * to the map. After a lost page the allocator is called again, and its first memory is not used.
 * IRONMAP_E_NOMEM if it returns NULL, and the errors of ironmap_get. */
IRONMAP_NODISCARD IRONMAP_API int ironmap_copy_line(size_t *line_length, const ironmap_map *map,
                                                    uint64_t offset, size_t length, bool keep_end,
                                                    ironmap_allocator *allocate, void *context,
                                                    ironmap_error *error);

/* A short read without an error, for callers in whose time a call counts. Between begin and end the
 * caller reads `bytes` and calls nothing that uses a map. What was read counts only if end succeeds
 * too. Otherwise ironmap_get reads the bytes, or tells the error. So it is if a page is lost, and
 * in the first access of a thread. */
typedef struct ironmap_short_read {
    const uint8_t *bytes;
    size_t losses;
} ironmap_short_read;

/* False if the read has not begun, and has no end. */
IRONMAP_NODISCARD IRONMAP_API bool ironmap_short_read_begin(ironmap_short_read *read,
                                                            const ironmap_map *map, uint64_t offset,
                                                            size_t length);
IRONMAP_NODISCARD IRONMAP_API bool ironmap_short_read_end(const ironmap_short_read *read,
                                                          const ironmap_map *map);

/* The same for a byte that is stored: false if ironmap_put_byte stores it, or tells the error. */
IRONMAP_NODISCARD IRONMAP_API bool ironmap_short_put_byte(ironmap_map *map, uint64_t offset,
                                                          uint8_t byte);

/* Moves the position over `length` bytes, which the caller knows to be in the map. */
IRONMAP_API void ironmap_advance(ironmap_map *map, size_t length);

/* Copies `length` bytes into `buffer`, which is no map's memory. They may be in maps: if a page of
 * them is unavailable, or if they lie at an address that a map has left and that is still reserved,
 * that is IRONMAP_E_FAULT with error.in_source. */
IRONMAP_NODISCARD IRONMAP_API int ironmap_load(void *buffer, const void *bytes, size_t length,
                                               ironmap_error *error);

/* Reinstalls the fault handler if another was installed since the last open, and unblocks its
 * signal on this thread, as ironmap_pin does. If that fails, the signal is as it was. */
IRONMAP_API void ironmap_protect(const ironmap_map *map);

/* A hint that `length` bytes of fresh memory are about to be filled, as by a large ironmap_get: the
 * system may use large pages. It cannot fail, and changes no byte. */
IRONMAP_API void ironmap_prepare(void *memory, size_t length);

/* The system's constants (MAP_*, PROT_*, MADV_*, MS_*) one by one: `index` counts from 0, and the
 * result is false behind the last. `*name` is a static string. */
IRONMAP_API bool ironmap_constant(const char **name, int *value, size_t index);

#ifdef __cplusplus
}
#endif

#endif /* IRONMAP_EXTRA_H */
