/* ironmap: memory-mapped files that behave like strings and like files.
 *
 * This header is the whole public interface of libironmap. It includes no header of the operating
 * system and compiles as C11, C17 and C++.
 *
 *     ironmap_map *map;
 *     if (ironmap_open_path(&map, "hello.txt", NULL, NULL) == IRONMAP_OK) {
 *         ironmap_put(map, 0, "Hello", 5, NULL);
 *         ironmap_flush(map, 0, IRONMAP_TO_END, 0, NULL);
 *         ironmap_close(map, NULL);
 *     }
 *
 * WHAT HOLDS EVERYWHERE
 *
 * Results and errors. A function that can fail returns IRONMAP_OK (0) or a negative ironmap_status;
 * results come back through out parameters, which stand first and are written on success only.
 * The last parameter is an optional `ironmap_error *`: where it is not NULL, a failure fills it
 * with the status, the system's own error code and the name of the system call that failed. On
 * success it is left alone. There is no global or thread-local "last error". A function that fails
 * leaves the map and the file as they were, unless its comment says otherwise.
 *
 * Offsets and lengths are bytes. Offsets are uint64_t and lengths size_t on every system. An offset
 * into a map counts from the first mapped byte, whatever place of the file that is. Offset plus
 * length is checked before anything is touched: what wraps is IRONMAP_E_OVERFLOW, what lies outside
 * is IRONMAP_E_RANGE. A length of zero at the very end of a map is inside.
 *
 * Alignment. A map may begin at any byte of a file, and a range to flush or advise at any byte of
 * the map: the library widens what it asks of the system to whole pages. Only ironmap_set_name and
 * the address of ironmap_data see pages: ironmap_data is aligned to the page only where the offset
 * is.
 *
 * Empty files map to empty maps: length 0, ironmap_data NULL, every read gives nothing, and resize
 * makes them grow. (The system itself refuses to map zero bytes.) IRONMAP_OPEN_NONEMPTY asks for an
 * error in their place.
 *
 * The file. A map holds a duplicate of the descriptor it was made from, or the one that it opened
 * itself, for size, resize and durable flushing. The caller's descriptor stays the caller's to
 * close, and the map outlives its closing. IRONMAP_OPEN_NO_TRACK gives that up and saves the
 * descriptor.
 *
 * Visibility and durability. Stores into a shared map are seen at once by every process that maps
 * the same bytes, and by read(2) where the system has one cache for both (all supported ones do).
 * They are on the disk only after ironmap_flush has returned IRONMAP_OK. Closing a map loses
 * nothing: the system writes changed pages back in its own time; it does not make them durable.
 *
 * Lost pages. A page of a file's map can be impossible to have: the file was cut short by whoever,
 * the disk fails, it is full under a hole, the remote machine is gone. Touching such a page raises
 * SIGBUS, or EXCEPTION_IN_PAGE_ERROR on Windows, which ends the process. Here, no function dies of
 * it: it returns IRONMAP_E_FAULT, with the offset, and the map goes on to serve its other pages,
 * and this one as soon as it can be had again. What a function that stores had stored before it
 * came to the page, stays. Through the address that ironmap_data gives, a lost page reads as zeros
 * and stores into it go nowhere; the map is damaged then, and every function that touches its bytes
 * returns IRONMAP_E_FAULT until ironmap_clear_damage. What a private map had stored in a page is
 * lost with the page. The first map of a file installs a handler for SIGBUS (Windows: a vectored
 * exception handler); faults at other addresses go to whoever had the signal before. A handler that
 * is installed later has the signal until the next map is opened, resized, pinned or guarded
 * (ironmap_guard), which takes it back; if it puts the one before it back and raises the signal
 * again, no function dies of it either. A file that ends inside a page has zeros in the rest of
 * that page, and nothing is lost there. Not protected are threads that block SIGBUS, for which the
 * system ends the process without asking, and a process that may have no more mappings at all.
 *
 * On Windows a page is lost with its whole view for the moment. Other threads that use other pages
 * of the map just then get IRONMAP_E_FAULT as well, and when a page is lost through an address from
 * ironmap_data, all of the map reads as zeros and is damaged until ironmap_clear_damage. What a
 * copy-on-write map had stored in its other pages is kept meanwhile.
 *
 * Full disks. A file may have holes, and a new one is a hole all over: its blocks are found when
 * they are written back, and a store into a hole of a full disk is a lost page, with ENOSPC in the
 * error. On a tmpfs a load from a hole takes a block as well, and so may be one. With
 * IRONMAP_OPEN_PREALLOCATE the blocks are reserved before anything is mapped, so that a full disk
 * is IRONMAP_E_SYSTEM with ENOSPC from open or resize and the file keeps its length and content;
 * IRONMAP_E_UNSUPPORTED where the file system cannot. Windows reserves the blocks of every file
 * that is made longer (ERROR_DISK_FULL), but for sparse and compressed ones, for which it cannot.
 *
 * Tags. ironmap_options.tag names memory that processes share. ironmap_open_anonymous with a tag
 * maps the memory of that name: the first to come makes it, offset + length bytes of zeros, and who
 * comes later sees the same bytes. It is there as long as any map of the tag is open, in whatever
 * process, and gone with the last, whether that one was closed or its process killed: who comes
 * then begins with zeros. A tag is 1 to IRONMAP_TAG_MAX of the characters A-Z a-z 0-9 . _ - and
 * does not begin with a full stop, everything else is IRONMAP_E_INVALID; case matters. It belongs
 * to the user (Unix: mode 0600, by the effective user id; Windows: to the session), and never
 * changes its length: mapping more than there is is IRONMAP_E_BEYOND_FILE, mapping less is fine,
 * length 0 is all there is from the offset on and makes nothing (IRONMAP_E_NO_TAG). Windows knows
 * the length of memory in whole pages only. The memory is for reading and writing, whatever the
 * first map may do with it; a map with IRONMAP_ACCESS_COPY, or of the flags MAP_PRIVATE, keeps its
 * stores to itself, and all else holds.
 *
 * ironmap_open_path and ironmap_open_fd with a tag map the file, and hold the tag, whose length is
 * the end of the first map. With the same file many maps share one tag. With another file, or none,
 * it is IRONMAP_E_TAG_TAKEN; Windows does not ask and maps the first one's memory. There, too,
 * later maps may do with a file's tag only what the first may.
 *
 * On Unix a tag is a file in the folder ironmap-UID of /dev/shm, where there is that, else of
 * TMPDIR or /tmp, which must then be the same for all. Every map holds a lock on it by a descriptor
 * of its own, with IRONMAP_OPEN_NO_TRACK too; a child of fork has its own lock. Opening waits while
 * another process is making the tag, and asks ironmap_options.check meanwhile
 * (IRONMAP_E_INTERRUPTED). Its blocks are reserved where the file system can, so that full memory
 * is an error from opening and no lost page. What processes leave there that are killed, or end by
 * _exit, nobody takes for live; it is removed when the next tag is made, or, where there are many,
 * one of the next. What is in the place of the folder or the file and is not the user's own is
 * IRONMAP_E_SYSTEM with EPERM. Windows: a section of this name, as of CreateFileMapping.
 *
 * Threads. All functions may run on one map from any number of threads at once, but for those that
 * use the position (ironmap_tell, ironmap_seek, ironmap_read, ironmap_read_byte, ironmap_readline,
 * ironmap_line_length, ironmap_write, ironmap_write_byte), which need one thread at a time, and
 * ironmap_resize and ironmap_close, which need the map to themselves: ironmap_pin and ironmap_hold
 * make these two fail with IRONMAP_E_BUSY, which is how a thread protects what it uses. Bytes
 * written by one thread while another reads them are unspecified, as with plain memory. Different
 * maps are independent.
 *
 * Fork. A child inherits every map: shared maps go on sharing memory with the parent, private and
 * copy-on-write maps part ways at the first store. Each process closes its own. Pins are inherited
 * as well, those of threads that are not in the child included. A map that another thread was just
 * resizing or closing has no certain shape in the child: leave it alone there.
 */
#ifndef IRONMAP_IRONMAP_H
#define IRONMAP_IRONMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A program that links libironmap.a defines IRONMAP_STATIC: it must on Windows, and elsewhere it
 * keeps the symbols inside whatever the library is linked into. */
#if defined(IRONMAP_STATIC)
#define IRONMAP_API
#elif defined(_WIN32) && defined(IRONMAP_BUILDING_SHARED)
#define IRONMAP_API __declspec(dllexport)
#elif defined(_WIN32)
#define IRONMAP_API __declspec(dllimport)
#elif defined(__GNUC__)
#define IRONMAP_API __attribute__((visibility("default")))
#else
#define IRONMAP_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- version --------------------------------------------------------------------------------- */

/* The version of this header. Before 1.0 a new minor version may change the ABI, and then the
 * soname. */
#define IRONMAP_VERSION_MAJOR 0
#define IRONMAP_VERSION_MINOR 1
#define IRONMAP_VERSION_PATCH 0

/* One number of a version, to compare: 0x00MMmmpp. */
#define IRONMAP_VERSION_NUMBER(major, minor, patch) (((major) << 16) | ((minor) << 8) | (patch))
#define IRONMAP_VERSION                                                                            \
    IRONMAP_VERSION_NUMBER(IRONMAP_VERSION_MAJOR, IRONMAP_VERSION_MINOR, IRONMAP_VERSION_PATCH)

/* The version of the library that the program runs with, as IRONMAP_VERSION_NUMBER. */
IRONMAP_API uint32_t ironmap_version(void);

/* The same as text, "major.minor.patch". */
IRONMAP_API const char *ironmap_version_string(void);

/* ---- status and errors ----------------------------------------------------------------------- */

/* Every status: name, value, message. The enum, ironmap_status_name and ironmap_status_message are
 * made from this table. Values never change their meaning. */
#define IRONMAP_STATUS_TABLE(X)                                                                    \
    X(OK, 0, "success")                                                                            \
    X(E_INVALID, -1, "invalid argument")                                                           \
    X(E_NOMEM, -2, "out of memory")                                                                \
    X(E_SYSTEM, -3, "a system call failed")                                                        \
    X(E_RANGE, -4, "range lies outside the map")                                                   \
    X(E_OVERFLOW, -5, "offset or length is too large for this system")                             \
    X(E_READONLY, -6, "map cannot be written")                                                     \
    X(E_NOT_READABLE, -7, "map cannot be read")                                                    \
    X(E_BEYOND_FILE, -8, "file ends before the range to map")                                      \
    X(E_EMPTY, -9, "file is empty")                                                                \
    X(E_END, -10, "position is at the end of the map")                                             \
    X(E_BUSY, -11, "map is in use")                                                                \
    X(E_NOT_RESIZABLE, -12, "a read-only, copy-on-write or tagged map cannot be resized")          \
    X(E_NO_FILE, -13, "map does not hold its file")                                                \
    X(E_UNSUPPORTED, -14, "not supported by this system")                                          \
    X(E_FAULT, -15, "a page of the map cannot be had")                                             \
    X(E_INTERRUPTED, -16, "interrupted")                                                           \
    X(E_NO_TAG, -17, "no map has this tag")                                                        \
    X(E_TAG_TAKEN, -18, "tag belongs to another file, or to none")

typedef enum ironmap_status {
#define IRONMAP_STATUS_ENUM(name, value, message) IRONMAP_##name = (value),
    IRONMAP_STATUS_TABLE(IRONMAP_STATUS_ENUM)
#undef IRONMAP_STATUS_ENUM
        IRONMAP_STATUS_FORCE_INT = 0x7fffffff /* keeps the type an int; never returned */
} ironmap_status;

/* What went wrong, in the caller's own memory. Only ever written on failure. */
typedef struct ironmap_error {
    ironmap_status status; /* what the function returned */
    int32_t system_code;   /* errno, or GetLastError() on Windows; 0 where the system had no part */
    const char *call;      /* the system call that failed, a static string; NULL where none did */
    uint64_t offset;       /* IRONMAP_E_FAULT: the byte of the map that could not be had, else 0 */
} ironmap_error;

/* The name of a status ("IRONMAP_E_RANGE") and its message in English, without a full stop. Static
 * strings; never NULL, whatever the value. */
IRONMAP_API const char *ironmap_status_name(int status);
IRONMAP_API const char *ironmap_status_message(int status);

/* Writes "message", "message: the system's own words" or "message: call: the system's own words"
 * into `buffer` of `capacity` bytes, always terminated where capacity is not 0. Returns the length
 * of the whole text, which is `capacity` or more where it was cut, like snprintf. Thread-safe. */
IRONMAP_API size_t ironmap_error_text(char *buffer, size_t capacity, const ironmap_error *error);

/* ---- opening --------------------------------------------------------------------------------- */

/* A memory map. Made by ironmap_open_*, ended by ironmap_close. */
typedef struct ironmap_map ironmap_map;

/* What may be done with a map. */
typedef enum ironmap_access {
    IRONMAP_ACCESS_DEFAULT = 0, /* as `flags` and `prot` say; without them shared, read and write */
    IRONMAP_ACCESS_READ = 1,    /* read only; stores are IRONMAP_E_READONLY */
    IRONMAP_ACCESS_WRITE = 2,   /* read and write; stores reach memory and file */
    IRONMAP_ACCESS_COPY = 3     /* read and write; stores stay in this map (copy-on-write) */
} ironmap_access;

/* Bits of ironmap_options.open. */
typedef enum ironmap_open_bits {
    IRONMAP_OPEN_CREATE = 1,    /* by path: make the file where it does not exist */
    IRONMAP_OPEN_EXCLUSIVE = 2, /* by path, with CREATE: fail where it does exist */
    IRONMAP_OPEN_EXTEND = 4,    /* make the file as long as offset + length where it is shorter */
    IRONMAP_OPEN_NO_TRACK = 8,  /* keep no descriptor: size and resize are then IRONMAP_E_NO_FILE,
                                 * and on Windows durable flushing, too */
    IRONMAP_OPEN_NONEMPTY = 16, /* nothing to map is IRONMAP_E_EMPTY or IRONMAP_E_BEYOND_FILE */
    IRONMAP_OPEN_PREALLOCATE =
        32 /* reserve the disk's blocks for the whole range, at every resize too */
} ironmap_open_bits;

/* The value of `flags` and `prot` that means "what access says", and that no system gives a
 * meaning. */
#define IRONMAP_SYSTEM_DEFAULT INT32_MIN

/* Asked by long work whether to go on: not 0 ends it with IRONMAP_E_INTERRUPTED. See
 * ironmap_options.check. */
typedef int ironmap_check(void *context);

/* How to open. Begin with IRONMAP_OPTIONS_INIT and set what differs; NULL in the place of a pointer
 * to it means all defaults. It may grow at its end: `size` tells the library which one it got. */
typedef struct ironmap_options {
    size_t size;           /* sizeof(ironmap_options), set by IRONMAP_OPTIONS_INIT */
    ironmap_access access; /* default: IRONMAP_ACCESS_DEFAULT */
    int flags;           /* Unix: the system's MAP_* bits; needs IRONMAP_ACCESS_DEFAULT. Windows has
                          * none: IRONMAP_E_UNSUPPORTED */
    int prot;            /* Unix: the system's PROT_* bits; as flags */
    unsigned open;       /* IRONMAP_OPEN_* bits */
    unsigned permission; /* permission bits of a file that is created (before the umask). Windows
                          * makes one without 0200 read-only, and has no other */
    uint64_t offset;     /* first byte of the file to map, any byte */
    size_t length;       /* bytes to map; 0: from offset to the file's end as it is now */
    ironmap_check *check; /* NULL, or asked in every search and copy of much, after each MiB or so:
                           * on the thread that does it, with nothing locked. It may use this map,
                           * but not resize or close it. What a copy has stored so far, stays. Asked
                           * as well while opening waits for a tag: see "Tags" above. */
    void *check_context;  /* what it is given */
    const char *tag;      /* NULL, or the name of shared memory: see "Tags" above. Copied. */
} ironmap_options;

#define IRONMAP_OPTIONS_INIT                                                                       \
    {sizeof(ironmap_options),                                                                      \
     IRONMAP_ACCESS_DEFAULT,                                                                       \
     IRONMAP_SYSTEM_DEFAULT,                                                                       \
     IRONMAP_SYSTEM_DEFAULT,                                                                       \
     0U,                                                                                           \
     0666U,                                                                                        \
     0U,                                                                                           \
     0U,                                                                                           \
     NULL,                                                                                         \
     NULL,                                                                                         \
     NULL}

/* Maps the file of name `path` (the system's bytes; on Windows UTF-8, of any length that Windows
 * allows, and what is none is IRONMAP_E_INVALID). The file is opened
 * for reading and writing if the map writes to it (shared, with write permission), else for
 * reading, and is never inherited by programs that are started. `options` may be NULL.
 *
 * IRONMAP_E_SYSTEM where the file cannot be opened or mapped (system_code tells: it does not exist,
 * is a directory or a pipe, permission or address space is missing); IRONMAP_E_INVALID for options
 * that contradict each other (access with flags or prot, CREATE, EXTEND or PREALLOCATE for a map
 * that does not write to its file, EXCLUSIVE without CREATE), an unknown bit or access, or length 0
 * of something that has no size; IRONMAP_E_BEYOND_FILE where offset, or offset + length without
 * EXTEND, lies beyond the end; IRONMAP_E_OVERFLOW where the range cannot be addressed;
 * IRONMAP_E_NOMEM for the map's own record. A file that was created or extended by a call that then
 * fails is put back as it was; Windows cannot cut a file again of which there is another map.
 */
IRONMAP_API int ironmap_open_path(ironmap_map **map, const char *path,
                                  const ironmap_options *options, ironmap_error *error);

/* Maps the file that `fd`, a descriptor of the C runtime, is open for. CREATE and EXCLUSIVE are
 * IRONMAP_E_INVALID. Otherwise as ironmap_open_path. `fd` is neither closed nor moved; it must be
 * open for what access asks. */
IRONMAP_API int ironmap_open_fd(ironmap_map **map, int fd, const ironmap_options *options,
                                ironmap_error *error);

/* Maps `options->length` bytes of fresh memory, all zero. Shared by default: a child of fork sees
 * the same bytes. `options->offset` is kept for ironmap_offset and has no other meaning. Length 0
 * gives an empty map. With a tag the memory is shared by all maps of it, and `offset` counts from
 * its start: see "Tags" above. */
IRONMAP_API int ironmap_open_anonymous(ironmap_map **map, const ironmap_options *options,
                                       ironmap_error *error);

/* Unmaps, closes the map's descriptor and frees it. NULL is allowed and does nothing. Does not wait
 * for the disk (see ironmap_flush). IRONMAP_E_BUSY, and nothing done, while the map is pinned.
 * After every other error the map is gone all the same. */
IRONMAP_API int ironmap_close(ironmap_map *map, ironmap_error *error);

/* ---- about a map ----------------------------------------------------------------------------- */

/* The number of bytes that are mapped. */
IRONMAP_API size_t ironmap_length(const ironmap_map *map);

/* The offset in the file of the map's first byte. */
IRONMAP_API uint64_t ironmap_offset(const ironmap_map *map);

/* The longest tag, in bytes without the zero at its end. */
#define IRONMAP_TAG_MAX 120

/* Whether `name` may be a tag. */
IRONMAP_API bool ironmap_is_tag(const char *name);

/* The tag of the map; NULL where it has none. Good until ironmap_close. */
IRONMAP_API const char *ironmap_tag(const ironmap_map *map);

/* What may be done with the map: flags and prot of a map opened with IRONMAP_ACCESS_DEFAULT are
 * boiled down to READ (no write permission), WRITE (no read permission asked for, which processors
 * grant with it) or DEFAULT (both). */
IRONMAP_API ironmap_access ironmap_access_of(const ironmap_map *map);

/* True where the map can be read or written at all. */
IRONMAP_API bool ironmap_readable(const ironmap_map *map);
IRONMAP_API bool ironmap_writable(const ironmap_map *map);

/* Bytes that the map uses beside its pages: its own record in the heap. */
IRONMAP_API size_t ironmap_overhead(const ironmap_map *map);

/* The length of the file now, which may differ from offset + length of the map; for an anonymous
 * map its own length, for one of a tag without a file the tag's. IRONMAP_E_NO_FILE for a map opened
 * with IRONMAP_OPEN_NO_TRACK. */
IRONMAP_API int ironmap_size(uint64_t *size, const ironmap_map *map, ironmap_error *error);

/* Writes the name that the system has for the map's file now (it may have been renamed or removed
 * since) into `buffer` of `capacity` bytes, terminated. IRONMAP_E_RANGE where it does not fit,
 * IRONMAP_E_NO_FILE for anonymous maps, those of a tag included, and with IRONMAP_OPEN_NO_TRACK,
 * IRONMAP_E_UNSUPPORTED where the system does not tell. */
IRONMAP_API int ironmap_path(char *buffer, size_t capacity, const ironmap_map *map,
                             ironmap_error *error);

/* The address of the first byte, NULL for an empty map. It is good until the next ironmap_resize or
 * ironmap_close; ironmap_pin keeps it good. Stores through it need a writable map. */
IRONMAP_API void *ironmap_data(const ironmap_map *map);

/* Pins and unpins an address from ironmap_data that is used: while a map has been pinned more often
 * than unpinned, its address and length stay what they are, and ironmap_resize and ironmap_close
 * are IRONMAP_E_BUSY. While it is pinned, every lost page is damage, whoever came upon it, since
 * the holder of the address may have seen its zeros. Any thread may pin a map that is open. */
IRONMAP_API void ironmap_pin(ironmap_map *map);
IRONMAP_API void ironmap_unpin(ironmap_map *map);

/* How many pins are held. */
IRONMAP_API size_t ironmap_pins(const ironmap_map *map);

/* Holds and releases: as a pin, for a thread that uses functions of this library and no address. */
IRONMAP_API void ironmap_hold(ironmap_map *map);
IRONMAP_API void ironmap_release(ironmap_map *map);

/* Whether the map is pinned or held. */
IRONMAP_API bool ironmap_busy(const ironmap_map *map);

/* ---- bytes in and out ------------------------------------------------------------------------ */

/* Copies `length` bytes at `offset` out of the map into `buffer`. IRONMAP_E_RANGE,
 * IRONMAP_E_OVERFLOW, IRONMAP_E_NOT_READABLE. */
IRONMAP_API int ironmap_get(void *buffer, const ironmap_map *map, uint64_t offset, size_t length,
                            ironmap_error *error);

/* Copies `length` bytes of `buffer` into the map at `offset`. `buffer` may overlap the map.
 * IRONMAP_E_RANGE, IRONMAP_E_OVERFLOW, IRONMAP_E_READONLY. */
IRONMAP_API int ironmap_put(ironmap_map *map, uint64_t offset, const void *buffer, size_t length,
                            ironmap_error *error);

/* Gives room for `length` bytes; NULL where there is none. It may not change the map. */
typedef void *ironmap_room(void *context, size_t length);

/* Copies the line that begins at `offset` out of the map, as far as it lies before `end`, which is
 * cut to the map, into the room that `room(context, n)` gives: with its newline ('\n'), or without
 * if not `keep_end`. `*length` is how long it is in the map with its newline, 0 where nothing lies
 * before the end. Where a page is lost, room may be asked for a second time, and what the first
 * held is worth nothing. IRONMAP_E_NOMEM where there is no room, IRONMAP_E_NOT_READABLE. */
IRONMAP_API int ironmap_take_line(size_t *length, const ironmap_map *map, uint64_t offset,
                                  uint64_t end, bool keep_end, ironmap_room *room, void *context,
                                  ironmap_error *error);

/* One byte; errors as above. */
IRONMAP_API int ironmap_get_byte(uint8_t *byte, const ironmap_map *map, uint64_t offset,
                                 ironmap_error *error);
IRONMAP_API int ironmap_put_byte(ironmap_map *map, uint64_t offset, uint8_t byte,
                                 ironmap_error *error);

/* Copies `count` bytes that lie `step` bytes apart, the first at `offset`, out of or into the map.
 * `step` may be negative and not zero (IRONMAP_E_INVALID). Every byte must lie inside the map. */
IRONMAP_API int ironmap_get_strided(void *buffer, const ironmap_map *map, uint64_t offset,
                                    int64_t step, size_t count, ironmap_error *error);
IRONMAP_API int ironmap_put_strided(ironmap_map *map, uint64_t offset, int64_t step,
                                    const void *buffer, size_t count, ironmap_error *error);

/* Copies `length` bytes inside the map from `source` to `target`; they may overlap. Errors as of
 * ironmap_get and ironmap_put. */
IRONMAP_API int ironmap_move(ironmap_map *map, uint64_t target, uint64_t source, size_t length,
                             ironmap_error *error);

/* Sets `length` bytes at `offset` to `byte`. Errors as of ironmap_put. */
IRONMAP_API int ironmap_fill(ironmap_map *map, uint64_t offset, size_t length, uint8_t byte,
                             ironmap_error *error);

/* ---- the position ---------------------------------------------------------------------------- */

/* Where a position is counted from, with the values of SEEK_SET, SEEK_CUR and SEEK_END. */
typedef enum ironmap_whence {
    IRONMAP_SEEK_SET = 0,
    IRONMAP_SEEK_CUR = 1,
    IRONMAP_SEEK_END = 2
} ironmap_whence;

/* A map has a position, 0 when opened. Reading and writing move it on by the bytes done. It lies
 * beyond the end only after a resize that cut the bytes under it off: then reads give nothing, and
 * it stays until it is moved. */
IRONMAP_API uint64_t ironmap_tell(const ironmap_map *map);

/* Moves the position. IRONMAP_E_RANGE where it would leave the map, IRONMAP_E_INVALID for another
 * `whence`; it then stays. */
IRONMAP_API int ironmap_seek(ironmap_map *map, int64_t offset, int whence, ironmap_error *error);

/* Copies up to `capacity` bytes from the position into `buffer`; `*length` is how many, 0 at the
 * end. */
IRONMAP_API int ironmap_read(void *buffer, size_t *length, ironmap_map *map, size_t capacity,
                             ironmap_error *error);

/* The byte at the position. IRONMAP_E_END at the end. */
IRONMAP_API int ironmap_read_byte(uint8_t *byte, ironmap_map *map, ironmap_error *error);

/* Copies one line from the position, its newline ('\n') included, into `buffer`; `*length` is its
 * length, 0 at the end. A line longer than `capacity` comes in pieces, as with fgets, but nothing
 * is terminated. */
IRONMAP_API int ironmap_readline(void *buffer, size_t *length, ironmap_map *map, size_t capacity,
                                 ironmap_error *error);

/* The length of the line at the position, its newline included, 0 at the end. The position stays.
 */
IRONMAP_API int ironmap_line_length(size_t *length, const ironmap_map *map, ironmap_error *error);

/* Copies `length` bytes of `buffer` to the position: all of them, or none and IRONMAP_E_RANGE. */
IRONMAP_API int ironmap_write(ironmap_map *map, const void *buffer, size_t length,
                              ironmap_error *error);

/* Stores one byte at the position. IRONMAP_E_END at the end. */
IRONMAP_API int ironmap_write_byte(ironmap_map *map, uint8_t byte, ironmap_error *error);

/* ---- searching ------------------------------------------------------------------------------- */

/* No such place. */
#define IRONMAP_NOT_FOUND UINT64_MAX

/* As an end or a length: to the end of the map. */
#define IRONMAP_TO_END SIZE_MAX

/* `*index` becomes the lowest (find) or highest (rfind) offset at which the `length` bytes of
 * `needle` lie wholly inside [start, end) of the map, or IRONMAP_NOT_FOUND. `end` is cut to the
 * map; with `start` beyond it nothing is found. An empty needle is found at start (find) or end
 * (rfind). Time is linear in the range for every needle. IRONMAP_E_NOT_READABLE,
 * IRONMAP_E_INTERRUPTED. */
IRONMAP_API int ironmap_find(uint64_t *index, const ironmap_map *map, const void *needle,
                             size_t length, uint64_t start, uint64_t end, ironmap_error *error);
IRONMAP_API int ironmap_rfind(uint64_t *index, const ironmap_map *map, const void *needle,
                              size_t length, uint64_t start, uint64_t end, ironmap_error *error);

/* `*count` becomes how often the needle is in [start, end), as ironmap_find takes them, without
 * overlapping: each time behind the last. The empty needle is at every byte and behind the last
 * one. */
IRONMAP_API int ironmap_count(size_t *count, const ironmap_map *map, const void *needle,
                              size_t length, uint64_t start, uint64_t end, ironmap_error *error);

/* Where a needle was found, a batch at a time. */
typedef struct ironmap_matches {
    size_t *offsets;  /* room for `capacity` of them */
    size_t capacity;  /* not 0 */
    uint64_t next;    /* where to begin; then where to go on, beyond the map's end if nowhere */
    size_t found;     /* how many offsets the last call has stored */
    bool overlapping; /* whether two matches may share bytes */
} ironmap_matches;

/* Stores the offsets, in ascending order, of the next places where the needle is in
 * [matches->next, end): as many as there is room for. So
 *
 *     ironmap_matches matches = {.offsets = offsets, .capacity = 100};
 *     while (ironmap_find_all(&matches, map, "\n", 1, IRONMAP_TO_END, &error) == IRONMAP_OK &&
 *            matches.found > 0) {
 *
 * comes to all of them. The empty needle is at every byte and behind the last one. On failure
 * `matches` stays as it is, but for what the offsets point to. IRONMAP_E_INVALID for no capacity;
 * and as ironmap_find. */
IRONMAP_API int ironmap_find_all(ironmap_matches *matches, const ironmap_map *map,
                                 const void *needle, size_t length, uint64_t end,
                                 ironmap_error *error);

/* ---- lost pages ------------------------------------------------------------------------------ */

/* Runs `work(context)`, the caller's own code over ironmap_data, under the same guard as every
 * function of this library: a page that cannot be had reads as zeros for the moment and stores into
 * it go nowhere; work is not interrupted, and IRONMAP_E_FAULT says afterwards that what it saw or
 * did is worth nothing. It may call functions of this library, and must not leave by longjmp or an
 * exception. IRONMAP_E_FAULT for damage, before `work` is called. */
IRONMAP_API int ironmap_guard(ironmap_map *map, void (*work)(void *context), void *context,
                              ironmap_error *error);

/* The first damaged run of bytes at or after `from`: `*offset` and `*length`, or IRONMAP_NOT_FOUND
 * and 0. Damage are pages that were lost under an address from ironmap_data, outside ironmap_guard.
 * IRONMAP_E_RANGE. */
IRONMAP_API int ironmap_damage(uint64_t *offset, size_t *length, const ironmap_map *map,
                               uint64_t from, ironmap_error *error);

/* Whether the map is damaged. */
IRONMAP_API bool ironmap_damaged(const ironmap_map *map);

/* How often the map was damaged since it was opened; to compare before and after. */
IRONMAP_API size_t ironmap_damage_count(const ironmap_map *map);

/* Forgets the damage and puts the file's pages back in the place of the zeros, so that operations
 * go on; a page that still cannot be had is lost again by the next access. IRONMAP_E_NO_FILE where
 * the map holds no descriptor to do that with (IRONMAP_OPEN_NO_TRACK; Windows needs none): it stays
 * damaged. */
IRONMAP_API int ironmap_clear_damage(ironmap_map *map, ironmap_error *error);

/* ---- the file and its memory ----------------------------------------------------------------- */

/* Flags of ironmap_flush. Bits below IRONMAP_FLUSH_ASYNC are the system's own MS_* bits, for those
 * who have them (see ironmap_constants), and IRONMAP_E_UNSUPPORTED elsewhere; without any of both
 * kinds a flush is durable. */
typedef enum ironmap_flush_bits {
    IRONMAP_FLUSH_ASYNC = 0x10000,     /* start writing and do not wait: nothing is promised */
    IRONMAP_FLUSH_INVALIDATE = 0x20000 /* let other maps of the file see what is on the disk */
} ironmap_flush_bits;

/* Writes changed bytes in [offset, offset + length) to the file's disk; `length` IRONMAP_TO_END
 * means to the end of the map. With `flags` 0 the bytes are durable once it has returned
 * IRONMAP_OK: they survive a power cut as far as the disk keeps its word. Maps that never write to
 * their file (READ, COPY) have nothing to flush: the range is checked and that is all.
 * IRONMAP_E_RANGE, IRONMAP_E_OVERFLOW; IRONMAP_E_SYSTEM where the disk failed or is full: what was
 * written is then unknown. Windows: IRONMAP_E_NO_FILE with IRONMAP_OPEN_NO_TRACK but for
 * IRONMAP_FLUSH_ASYNC; the bytes are the system's to write then, and may not be on the disk. */
IRONMAP_API int ironmap_flush(ironmap_map *map, uint64_t offset, size_t length, int flags,
                              ironmap_error *error);

/* Makes the map `length` bytes long and its file, if it has one, offset + length. Bytes beyond the
 * file's old end are zero; bytes beyond a smaller length are lost. The address may change; the
 * position stays. Either all of it happens or nothing: a file that must not have the new length and
 * an address space that cannot hold it leave map and file as they were.
 *
 * Windows cuts no file of which anyone else has a map, this process or another: IRONMAP_E_SYSTEM
 * with ERROR_USER_MAPPED_FILE. The map itself is taken away while its file is cut; where the system
 * then has no memory to map what is left, that is an error, the file is cut and the map empty.
 *
 * IRONMAP_E_BUSY while pinned, IRONMAP_E_NO_FILE with IRONMAP_OPEN_NO_TRACK,
 * IRONMAP_E_NOT_RESIZABLE for READ and COPY maps and those of a tag, IRONMAP_E_OVERFLOW,
 * IRONMAP_E_UNSUPPORTED where a shared anonymous map would have to grow (Linux and the BSDs
 * cannot), IRONMAP_E_SYSTEM; checked in this order. */
IRONMAP_API int ironmap_resize(ironmap_map *map, size_t length, ironmap_error *error);

/* What the program will do with a range. Values below IRONMAP_ADVICE_NORMAL are the system's own
 * MADV_* (see ironmap_constants), and IRONMAP_E_UNSUPPORTED where it has none. Windows reads ahead
 * as it likes: NORMAL, SEQUENTIAL and RANDOM do nothing there, and DONTNEED keeps what a private
 * map of a file has stored. */
typedef enum ironmap_advice {
    IRONMAP_ADVICE_NORMAL = 0x10000, /* nothing special */
    IRONMAP_ADVICE_SEQUENTIAL,       /* from front to back: read ahead much */
    IRONMAP_ADVICE_RANDOM,           /* here and there: read ahead nothing */
    IRONMAP_ADVICE_WILLNEED,         /* soon: begin to read it now */
    IRONMAP_ADVICE_DONTNEED          /* not soon; stores of a private map in it are lost */
} ironmap_advice;

/* Advises the system about [offset, offset + length); `length` IRONMAP_TO_END, or any that reaches
 * beyond, means to the end of the map. The range is widened to whole pages, but advice that is not
 * known to leave content alone (DONTNEED, and every value of the system's own that this library
 * does not know as a hint) begins at the first whole page, so that it never drops bytes in front of
 * the range; behind it, it takes the whole of the last page. IRONMAP_E_RANGE where `offset` lies
 * outside the map, IRONMAP_E_INVALID for a portable value that does not exist, IRONMAP_E_SYSTEM for
 * what the system refuses. */
IRONMAP_API int ironmap_advise(ironmap_map *map, uint64_t offset, size_t length, int advice,
                               ironmap_error *error);

/* Names an anonymous map for tools that show a process's memory (Linux 5.17: /proc/PID/maps shows
 * [anon:name] for a private and [anon_shmem:name] for a shared map). `name` is at most
 * IRONMAP_NAME_MAX bytes of printable ASCII without any of [ ] \ $ `. IRONMAP_E_INVALID for a map
 * of a file or another name; IRONMAP_E_UNSUPPORTED where the system has no such thing. */
#define IRONMAP_NAME_MAX 79
IRONMAP_API int ironmap_set_name(ironmap_map *map, const char *name, ironmap_error *error);

/* ---- the system ------------------------------------------------------------------------------ */

/* Bytes in a page of memory, and the unit that the system aligns a map's offset to: the same on
 * Unix, 64 KiB on Windows. */
IRONMAP_API size_t ironmap_page_size(void);
IRONMAP_API size_t ironmap_granularity(void);

/* A hint about `length` bytes that were just allocated, from malloc or the system, and are about to
 * be filled as a whole, such as the buffer of a ironmap_get of much: asks the system for the
 * cheapest pages that it has. It never fails, changes no byte, and does nothing for memory that is
 * short or was used before. */
IRONMAP_API void ironmap_prepare(void *memory, size_t length);

/* One constant of the system: a MAP_*, PROT_*, MADV_* or MS_* name and its value. */
typedef struct ironmap_constant {
    const char *name;
    int value;
} ironmap_constant;

/* The constants of the kinds above that this system has and that are of use with this library;
 * `*count` is how many. A static table.
 */
IRONMAP_API const ironmap_constant *ironmap_constants(size_t *count);

#ifdef __cplusplus
}
#endif

#endif /* IRONMAP_IRONMAP_H */
