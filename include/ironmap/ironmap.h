/* ironmap: memory-mapped files that do not crash when a page is lost.
 *
 *     ironmap_map *m;
 *     ironmap_error error;
 *     if (ironmap_open_path(&m, "hello.txt", IRONMAP_WRITE, NULL, &error) != IRONMAP_OK) {
 *         return report(&error);
 *     }
 *     if (ironmap_put(m, 0, "Hello", 5, &error) != IRONMAP_OK) {
 *         report(&error);
 *     }
 *     ironmap_close(m, NULL);
 *
 * This header is the whole interface for programs; extra.h adds what language bindings need. It
 * includes no system header and compiles as C11, C17, C23 and C++. docs/windows.md has what is
 * different on Windows.
 *
 * Errors are values. A function that can fail returns IRONMAP_OK (0) or a negative ironmap_status.
 * Results come first among the parameters and are written on success only. The last parameter is an
 * ironmap_error that a failure fills, or NULL. There is no global "last error". A function that
 * fails leaves the map and the file as they were, unless its comment says otherwise.
 *
 * A range is (offset, length) in bytes: a uint64_t that counts from the first mapped byte, and a
 * size_t. Any byte is allowed: the library aligns what it asks of the system. A length of 0 at the
 * very end is inside the map. A range that wraps is IRONMAP_E_OVERFLOW, one that is partly outside
 * is IRONMAP_E_RANGE. IRONMAP_TO_END as the length means the rest of the map, where no buffer goes
 * with the range: to search, fill, flush, advise and lock.
 *
 * Threads may use one map at the same time; "Threads" below names the exceptions.
 */
#ifndef IRONMAP_IRONMAP_H
#define IRONMAP_IRONMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A program that links libironmap.a defines IRONMAP_STATIC. Windows needs it; elsewhere it keeps
 * the symbols inside the program or library that contains the archive. */
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

/* The compiler warns if the result of such a function is ignored. */
#if (defined(__cplusplus) && __cplusplus >= 201703L) ||                                            \
    (defined(__STDC_VERSION__) && __STDC_VERSION__ >= 202311L)
#define IRONMAP_NODISCARD [[nodiscard]]
#elif defined(__GNUC__)
#define IRONMAP_NODISCARD __attribute__((warn_unused_result))
#else
#define IRONMAP_NODISCARD
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

/* A version as one number, to compare: 0x00MMmmpp. */
#define IRONMAP_VERSION_NUMBER(major, minor, patch) (((major) << 16) | ((minor) << 8) | (patch))
#define IRONMAP_VERSION                                                                            \
    IRONMAP_VERSION_NUMBER(IRONMAP_VERSION_MAJOR, IRONMAP_VERSION_MINOR, IRONMAP_VERSION_PATCH)

/* The version of the library that is running: as IRONMAP_VERSION_NUMBER, and as the text
 * "major.minor.patch". */
IRONMAP_API uint32_t ironmap_version(void);
IRONMAP_API const char *ironmap_version_string(void);

/* ---- constants ------------------------------------------------------------------------------- */

#define IRONMAP_TO_END SIZE_MAX      /* a length: the rest of the map */
#define IRONMAP_NOT_FOUND UINT64_MAX /* an offset: nothing was found */
#define IRONMAP_UNKNOWN UINT64_MAX   /* ironmap_error.file_length: the system does not tell */
#define IRONMAP_TAG_MAX 200          /* Unix: bytes of the longest tag */
#define IRONMAP_NAME_MAX 79          /* bytes of the longest name for ironmap_set_name */

/* ---- status and errors ----------------------------------------------------------------------- */

/* Every status: name, value, message. A value never changes its meaning. */
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
    X(E_UNSUPPORTED, -14, "not supported")                                                         \
    X(E_FAULT, -15, "page unavailable")                                                            \
    X(E_INTERRUPTED, -16, "interrupted")                                                           \
    X(E_NO_TAG, -17, "no map has this tag")                                                        \
    X(E_TAG_TAKEN, -18, "tag belongs to another file, or to none")

typedef enum ironmap_status {
#define IRONMAP_STATUS_ENUM(name, value, message) IRONMAP_##name = (value),
    IRONMAP_STATUS_TABLE(IRONMAP_STATUS_ENUM)
#undef IRONMAP_STATUS_ENUM
        IRONMAP_STATUS_FORCE_INT = 0x7fffffff /* keeps the type an int; never returned */
} ironmap_status;

/* What went wrong. The caller owns it, and only failures write it. */
typedef struct ironmap_error {
    ironmap_status status; /* what the function returned */
    int32_t system_code;   /* errno, or GetLastError() on Windows; 0 if no system call failed */
    const char *call;      /* the system call that failed, or NULL; a static string */
    const char *what;      /* which argument is wrong and why, always with IRONMAP_E_INVALID; NULL
                            * if the status says it all; a static string */
    uint64_t offset;       /* IRONMAP_E_FAULT: the offset in the map of the unavailable byte, or
                            * IRONMAP_NOT_FOUND if it is not known any more */
    uint64_t file_length;  /* IRONMAP_E_FAULT: bytes in the file at that moment; IRONMAP_UNKNOWN */
    bool in_source;        /* IRONMAP_E_FAULT: the byte is not one of the map, but one of the map
                            * that ironmap_copy, a buffer or a needle takes bytes from */
    uint64_t reserved[3];  /* 0 */
} ironmap_error;

/* The name of a status ("IRONMAP_E_RANGE"), and its message in English without a full stop. Both
 * are static strings, for any value of `status`. */
IRONMAP_API const char *ironmap_status_name(int status);
IRONMAP_API const char *ironmap_status_message(int status);

/* Writes the error as text into `buffer` of `capacity` bytes, the cause first:
 *
 *     No such file or directory (open)
 *     invalid argument: EXCLUSIVE without CREATE
 *     page unavailable at offset 8192 (file truncated; the file now ends at byte 4096)
 *
 * The text is cut to fit and terminated, unless capacity is 0. Returns the length of the whole
 * text, like snprintf. Thread-safe. */
IRONMAP_API size_t ironmap_error_text(char *buffer, size_t capacity, const ironmap_error *error);

/* ---- opening and closing ---------------------------------------------------------------------
 *
 * Files. A map keeps a descriptor of its file for size, resize and durable flushing: its own, or a
 * duplicate of the caller's. It is not inherited by programs that the process starts.
 * IRONMAP_OPEN_NO_TRACK saves it and gives these functions up.
 *
 * An empty file gives an empty map: length 0, ironmap_data NULL. ironmap_resize makes it grow.
 *
 * Full disks. A file may have holes: blocks are allocated when a page is written back, so that a
 * store into a hole can be a lost page (system_code ENOSPC). On tmpfs a load from a hole needs a
 * block too. IRONMAP_OPEN_PREALLOCATE reserves the blocks first: a full disk is then
 * IRONMAP_E_SYSTEM from open or resize. IRONMAP_E_UNSUPPORTED if the file system cannot reserve.
 *
 * Tags. ironmap_options.tag names memory that processes share. ironmap_open_anonymous with a tag
 * maps the memory of that name. The first map makes it: offset + length bytes of zeros. It exists
 * as long as any process maps it, and a killed process counts as gone. Its length never changes: a
 * range beyond it is IRONMAP_E_BEYOND_FILE. Length 0 is the rest of existing memory, else
 * IRONMAP_E_NO_TAG. A map with IRONMAP_COPY keeps its stores to itself. On Unix a tag is any text
 * of 1 to IRONMAP_TAG_MAX bytes, on Windows what the system takes, in UTF-8. Case matters. The name
 * Local\x is that of the tag x. ironmap_open_path and ironmap_open_fd with a tag map the file and
 * hold the tag; the tag of another file, or of none, is IRONMAP_E_TAG_TAKEN. If another user holds
 * the place of this user's tags, error.what names that user. Opening and closing a tag are no
 * cancellation points. docs/tags.md has where tags live, who may open them, and what a killed
 * process leaves.
 *
 * Fork. A child inherits every map, pin and tag. Shared maps stay shared; private ones part at the
 * first store. Each process closes its own. A map that another thread was resizing or closing
 * during the fork must not be used in the child. */

/* A memory map. */
typedef struct ironmap_map ironmap_map;

/* What a map allows. 0 is not an access: no file is written for want of an argument. */
typedef enum ironmap_access {
    IRONMAP_READ = 1,  /* loads; a store is IRONMAP_E_READONLY */
    IRONMAP_WRITE = 2, /* loads and stores; other maps of the file see the stores at once */
    IRONMAP_COPY = 3,  /* loads and stores; stores stay in this map (copy-on-write) */
    IRONMAP_SYSTEM = 4 /* Unix: what ironmap_options.flags and .prot say */
} ironmap_access;

/* Bits of ironmap_options.open. */
typedef enum ironmap_open_bits {
    IRONMAP_OPEN_CREATE = 1,      /* open_path: make the file if it does not exist */
    IRONMAP_OPEN_EXCLUSIVE = 2,   /* open_path, with CREATE: fail if the file exists */
    IRONMAP_OPEN_EXTEND = 4,      /* lengthen a shorter file to offset + length */
    IRONMAP_OPEN_NO_TRACK = 8,    /* keep no descriptor: functions that need it are then
                                   * IRONMAP_E_NO_FILE */
    IRONMAP_OPEN_NONEMPTY = 16,   /* an empty map is IRONMAP_E_EMPTY or IRONMAP_E_BEYOND_FILE */
    IRONMAP_OPEN_PREALLOCATE = 32 /* reserve disk blocks for the range, at every resize too */
} ironmap_open_bits;

/* Called during long work, after each MiB or so; a result other than 0 ends the work with
 * IRONMAP_E_INTERRUPTED. See ironmap_options.check. */
typedef int ironmap_check(void *context);

/* How to open. `ironmap_options options = {0}` has every default, and so has NULL in its place. */
typedef struct ironmap_options {
    uint64_t offset;      /* the first byte of the file to map */
    size_t length;        /* bytes to map; 0: to the end of the file */
    uint32_t open;        /* IRONMAP_OPEN_* bits */
    uint32_t permission;  /* mode of a created file, before the umask; 0: 0666 */
    int flags;            /* IRONMAP_SYSTEM only: mmap's MAP_* bits */
    int prot;             /* IRONMAP_SYSTEM only: mmap's PROT_* bits */
    const char *tag;      /* the name of shared memory, or NULL; copied */
    ironmap_check *check; /* asked by searches, copies and opening a tag, or NULL. It runs on the
                           * calling thread with no lock held, and may use the map but not resize or
                           * close it. Bytes copied before an interruption stay copied. */
    void *context;        /* the argument of `check` */
    uint64_t reserved[8]; /* 0, else IRONMAP_E_UNSUPPORTED */
} ironmap_options;

#ifdef __cplusplus
#define IRONMAP_OPTIONS_INIT                                                                       \
    {                                                                                              \
    }
#else
#define IRONMAP_OPTIONS_INIT {0}
#endif

/* The same as a function, for other languages. */
IRONMAP_API void ironmap_options_init(ironmap_options *options);

/* Maps the file at `path`. The path is in the system's bytes, on Windows in UTF-8. The file is
 * opened for writing only if stores reach it.
 *
 * IRONMAP_E_INVALID for a wrong access or contradicting options (error.what names them), for length
 * 0 of a file without a length, and for a file without a length that can be read, as those of
 * /proc. IRONMAP_E_SYSTEM if the file cannot be opened or mapped. IRONMAP_E_BEYOND_FILE if the
 * range ends behind the file and EXTEND is not given. IRONMAP_E_OVERFLOW if the range cannot be
 * addressed. IRONMAP_E_NOMEM. A file that a failing call created or extended is put back, unless
 * another process has appended to it or truncated it meanwhile. */
IRONMAP_NODISCARD IRONMAP_API int ironmap_open_path(ironmap_map **map, const char *path,
                                                    ironmap_access access,
                                                    const ironmap_options *options,
                                                    ironmap_error *error);

/* Maps the file behind `fd`, a descriptor of the C runtime that is open for what `access` needs. It
 * stays the caller's. CREATE and EXCLUSIVE are IRONMAP_E_INVALID; the rest as ironmap_open_path. */
IRONMAP_NODISCARD IRONMAP_API int ironmap_open_fd(ironmap_map **map, int fd, ironmap_access access,
                                                  const ironmap_options *options,
                                                  ironmap_error *error);

/* The same for a HANDLE of Windows. IRONMAP_E_UNSUPPORTED on Unix. */
IRONMAP_NODISCARD IRONMAP_API int ironmap_open_handle(ironmap_map **map, void *handle,
                                                      ironmap_access access,
                                                      const ironmap_options *options,
                                                      ironmap_error *error);

/* Maps `options->length` bytes of zeros, shared with the children of fork unless `access` is
 * IRONMAP_COPY. Length 0 gives an empty map. `options->offset` counts from the first byte of the
 * tag; without a tag it is stored for ironmap_offset only. */
IRONMAP_NODISCARD IRONMAP_API int ironmap_open_anonymous(ironmap_map **map, ironmap_access access,
                                                         const ironmap_options *options,
                                                         ironmap_error *error);

/* Unmaps and frees the map; NULL does nothing. It does not wait for the disk, and the system still
 * writes changed pages later. IRONMAP_E_BUSY if the map is pinned: nothing is done. After any other
 * error, as that of close(2), the map is gone. Its addresses are the system's again:
 * ironmap_close_reserving (extra.h) keeps those that code may still use. */
IRONMAP_API int ironmap_close(ironmap_map *map, ironmap_error *error);

/* ---- about a map -----------------------------------------------------------------------------
 *
 * Threads. Any number of threads may call functions of one map at the same time, with two
 * exceptions. The functions of the position (ironmap_tell to ironmap_write_byte) need one thread at
 * a time. ironmap_resize and ironmap_close need the map to themselves; a pin makes them fail with
 * IRONMAP_E_BUSY. Bytes that one thread reads while another writes them are unspecified. */

/* Bytes that are mapped. */
IRONMAP_API size_t ironmap_length(const ironmap_map *map);

/* The offset in the file of the first mapped byte. */
IRONMAP_API uint64_t ironmap_offset(const ironmap_map *map);

/* The access. A map opened with IRONMAP_SYSTEM has IRONMAP_READ without PROT_WRITE, IRONMAP_WRITE
 * without PROT_READ, and IRONMAP_SYSTEM with both. */
IRONMAP_API ironmap_access ironmap_map_access(const ironmap_map *map);

/* True if loads, or stores, are allowed. */
IRONMAP_API bool ironmap_is_readable(const ironmap_map *map);
IRONMAP_API bool ironmap_is_writable(const ironmap_map *map);

/* The name of the tag as it was given, or NULL. Valid until ironmap_close. */
IRONMAP_API const char *ironmap_tag(const ironmap_map *map);

/* True if `name` may be the name of a tag. On Windows the system may refuse it all the same. */
IRONMAP_API bool ironmap_is_valid_tag(const char *name);

/* The length of the file now, in bytes. For anonymous memory it is the length of the map, and for a
 * tag without a file that of the tag. IRONMAP_E_NO_FILE with NO_TRACK, IRONMAP_E_SYSTEM. */
IRONMAP_NODISCARD IRONMAP_API int ironmap_file_size(uint64_t *size, const ironmap_map *map,
                                                    ironmap_error *error);

/* Writes the current name of the file into `buffer` of `capacity` bytes, terminated.
 * IRONMAP_E_RANGE if it does not fit. IRONMAP_E_NO_FILE for anonymous memory, with NO_TRACK,
 * and on Unix for a file that was removed or never had a name. IRONMAP_E_UNSUPPORTED if the system
 * does not tell. */
IRONMAP_NODISCARD IRONMAP_API int ironmap_file_path(const ironmap_map *map, char *buffer,
                                                    size_t capacity, ironmap_error *error);

/* The file that the map holds: a descriptor, or a HANDLE on Windows. It belongs to the map: valid
 * until ironmap_close, and not to be closed. IRONMAP_E_NO_FILE as above. */
IRONMAP_NODISCARD IRONMAP_API int ironmap_file_handle(intptr_t *handle, const ironmap_map *map,
                                                      ironmap_error *error);

/* ---- lost pages ------------------------------------------------------------------------------
 *
 * Lost pages. A page of a file can become unavailable: the file was truncated, the disk failed or
 * is full, a network server is gone. The processor then raises SIGBUS (Windows:
 * EXCEPTION_IN_PAGE_ERROR), which normally ends the process.
 *
 * The functions of this library return IRONMAP_E_FAULT instead, with the offset. Other pages stay
 * usable, and the lost one is usable as soon as it is available again. Bytes written before the
 * fault stay written. What a private map had stored in the page is lost with it. A file that ends
 * inside a page has zeros in the rest of that page; nothing is lost there.
 *
 * Through the pointer of ironmap_data, a lost page reads as zeros. Stores into it never reach the
 * file, and are gone after ironmap_clear_damage. Until then the map is damaged: functions that
 * access its bytes are IRONMAP_E_FAULT. Code between ironmap_guard_begin and ironmap_guard_end is
 * told of the loss and damages nothing.
 *
 * The first map installs a handler for SIGBUS. Faults at other addresses are forwarded to
 * the previous handler. If another handler is installed later, opening, resizing, pinning or
 * guarding a map, and an access of more than 1 MiB, installs ours again. These, and the first
 * access of a thread, unblock the signal for the thread. Not covered are a handler that was
 * installed and a signal that was blocked since then, and a page that the system refuses to replace
 * (a sealed view, or a store without any memory left). On Windows, and at Linux's limit of
 * mappings, the whole map is lost for a moment with its page. */

/* Whether a lost page is an error on this thread now, or what prevents it. */
typedef enum ironmap_protection {
    IRONMAP_PROTECTED = 0,
    IRONMAP_UNPROTECTED_NO_MAP = 1,  /* no map was opened yet: nothing is installed */
    IRONMAP_UNPROTECTED_HANDLER = 2, /* another handler has SIGBUS. It may pass the signal on */
    IRONMAP_UNPROTECTED_DEFAULT = 3, /* SIGBUS has SIG_DFL */
    IRONMAP_UNPROTECTED_IGNORED = 4, /* SIGBUS has SIG_IGN */
    IRONMAP_UNPROTECTED_BLOCKED = 5  /* this thread blocks SIGBUS */
} ironmap_protection;

/* The protection of the calling thread. Opening, resizing, pinning or guarding a map on it restores
 * it. On Windows IRONMAP_PROTECTED or IRONMAP_UNPROTECTED_NO_MAP: nothing tells if another handler
 * comes first. Thread-safe; takes two system calls. */
IRONMAP_API ironmap_protection ironmap_thread_protection(void);

/* True if the map is damaged. */
IRONMAP_API bool ironmap_is_damaged(const ironmap_map *map);

/* The first damaged run at or after `from`: its offset and length, or IRONMAP_NOT_FOUND and 0.
 * IRONMAP_E_RANGE. */
IRONMAP_NODISCARD IRONMAP_API int ironmap_damage(uint64_t *offset, size_t *length,
                                                 const ironmap_map *map, uint64_t from,
                                                 ironmap_error *error);

/* Ends the damage and maps the file's pages again in place of the zeros. After a failure the map
 * stays damaged: IRONMAP_E_NO_FILE with NO_TRACK on Unix, IRONMAP_E_SYSTEM. */
IRONMAP_NODISCARD IRONMAP_API int ironmap_clear_damage(ironmap_map *map, ironmap_error *error);

/* A guard around the caller's own code over ironmap_data: memory of the caller, whose fields are
 * the library's. It must not be copied while it has begun. */
struct ironmap_guard_frame {
    const void *mapping;
    struct ironmap_guard_frame *outer;
};
typedef struct ironmap_guard {
    struct ironmap_guard_frame frame;
    ironmap_map *map; /* NULL: it has not begun, or has ended */
    size_t losses;
    uint64_t reserved[4];
} ironmap_guard;

/* Between begin and end of a guard, a lost page of the map reads as zeros and stores into it are
 * discarded. The code runs on, and IRONMAP_E_FAULT from end says that its result is invalid. It may
 * call functions of this library; ironmap_resize and ironmap_close of the map are IRONMAP_E_BUSY.
 * Both belong to one thread. Guards may nest, and end in any order. A guard that has begun must end
 * before its memory is gone, also if an exception or longjmp leaves the code. IRONMAP_E_FAULT from
 * begin for damage: the guard has not begun. IRONMAP_E_INVALID from end for a guard that has not
 * begun on this thread, or has ended. */
IRONMAP_NODISCARD IRONMAP_API int ironmap_guard_begin(ironmap_guard *guard, ironmap_map *map,
                                                      ironmap_error *error);
IRONMAP_NODISCARD IRONMAP_API int ironmap_guard_end(ironmap_guard *guard, ironmap_error *error);

/* ---- the memory itself ----------------------------------------------------------------------- */

/* The address of the first byte, or NULL for an empty map. Valid until the next ironmap_resize or
 * ironmap_close. It is aligned to a page if the offset in the file is. */
IRONMAP_API void *ironmap_data(const ironmap_map *map);

/* Pins the address: until the matching unpin, ironmap_resize and ironmap_close are IRONMAP_E_BUSY.
 * While a map is pinned every lost page is damage. Pins are counted. */
IRONMAP_API void ironmap_pin(ironmap_map *map);
IRONMAP_API void ironmap_unpin(ironmap_map *map);

/* ---- bytes in and out ------------------------------------------------------------------------
 *
 * Errors of all functions here: IRONMAP_E_RANGE, IRONMAP_E_OVERFLOW, IRONMAP_E_NOT_READABLE for
 * loads, IRONMAP_E_READONLY for stores, IRONMAP_E_FAULT, IRONMAP_E_INTERRUPTED. `buffer` may lie in
 * the map.
 *
 * Bytes to store may lie in other maps, also in several or in part. If a page of them is
 * unavailable, no byte is stored that was made up for it: up to 1 MiB nothing is stored at all. Of
 * more, the MiBs before stay stored. The error is IRONMAP_E_FAULT with error.in_source. That takes
 * memory (IRONMAP_E_NOMEM). So it is with bytes at an address that a map has left and that is still
 * reserved (ironmap_close_reserving). A needle may lie in another map as well. A buffer to load
 * into should not: what is lost there is damage of the other map. */

/* Copies `length` bytes at `offset` of the map into `buffer` (get), or the other way (put). */
IRONMAP_NODISCARD IRONMAP_API int ironmap_get(const ironmap_map *map, uint64_t offset, void *buffer,
                                              size_t length, ironmap_error *error);
IRONMAP_NODISCARD IRONMAP_API int ironmap_put(ironmap_map *map, uint64_t offset, const void *buffer,
                                              size_t length, ironmap_error *error);

/* One byte. */
IRONMAP_NODISCARD IRONMAP_API int ironmap_get_byte(uint8_t *byte, const ironmap_map *map,
                                                   uint64_t offset, ironmap_error *error);
IRONMAP_NODISCARD IRONMAP_API int ironmap_put_byte(ironmap_map *map, uint64_t offset, uint8_t byte,
                                                   ironmap_error *error);

/* `count` bytes that are `step` bytes apart, the first at `offset`. A negative step goes backward;
 * 0 is IRONMAP_E_INVALID. `buffer` has `count` bytes, and may be the map's own memory, which takes
 * a copy (IRONMAP_E_NOMEM). */
IRONMAP_NODISCARD IRONMAP_API int ironmap_get_strided(const ironmap_map *map, uint64_t offset,
                                                      int64_t step, void *buffer, size_t count,
                                                      ironmap_error *error);
IRONMAP_NODISCARD IRONMAP_API int ironmap_put_strided(ironmap_map *map, uint64_t offset,
                                                      int64_t step, const void *buffer,
                                                      size_t count, ironmap_error *error);

/* Copies `length` bytes from offset `source` to offset `target`, like memmove. */
IRONMAP_NODISCARD IRONMAP_API int ironmap_move(ironmap_map *map, uint64_t target, uint64_t source,
                                               size_t length, ironmap_error *error);

/* Copies `length` bytes from offset `from` of one map to offset `to` of another, or of the same
 * one. If a page of the source is unavailable, no byte is stored that was made up for it: up to 1
 * MiB nothing is stored at all. Of more, the MiBs before stay stored. ironmap_put with an address
 * of the other map does the same, but has to find that map. */
IRONMAP_NODISCARD IRONMAP_API int ironmap_copy(ironmap_map *target, uint64_t to,
                                               const ironmap_map *source, uint64_t from,
                                               size_t length, ironmap_error *error);

/* Sets `length` bytes at `offset` to `byte`. */
IRONMAP_NODISCARD IRONMAP_API int ironmap_fill(ironmap_map *map, uint64_t offset, uint8_t byte,
                                               size_t length, ironmap_error *error);

/* ---- the position ----------------------------------------------------------------------------
 *
 * A map has a position, at first 0, that reading and writing move forward. After a resize it can
 * lie behind the end: reads then give nothing. Errors as above; these functions need one thread at
 * a time. */

/* What a position is counted from, with the values of SEEK_SET, SEEK_CUR and SEEK_END. */
typedef enum ironmap_whence {
    IRONMAP_SEEK_SET = 0,
    IRONMAP_SEEK_CUR = 1,
    IRONMAP_SEEK_END = 2
} ironmap_whence;

IRONMAP_API uint64_t ironmap_tell(const ironmap_map *map);

/* Moves the position. IRONMAP_E_RANGE outside the map, IRONMAP_E_INVALID for another `whence`: it
 * then stays. */
IRONMAP_API int ironmap_seek(ironmap_map *map, int64_t offset, int whence, ironmap_error *error);

/* Copies up to `capacity` bytes into `buffer`. `*length` is their number, 0 at the end. */
IRONMAP_NODISCARD IRONMAP_API int ironmap_read(size_t *length, ironmap_map *map, void *buffer,
                                               size_t capacity, ironmap_error *error);

/* Copies one line with its newline ('\n') into `buffer`. `*length` is its length, 0 at the end. A
 * line longer than `capacity` comes in pieces. Nothing is terminated. */
IRONMAP_NODISCARD IRONMAP_API int ironmap_readline(size_t *length, ironmap_map *map, void *buffer,
                                                   size_t capacity, ironmap_error *error);

/* The length of the line at the position with its newline, 0 at the end. The position stays. */
IRONMAP_NODISCARD IRONMAP_API int ironmap_line_length(size_t *length, const ironmap_map *map,
                                                      ironmap_error *error);

/* Copies all `length` bytes of `buffer` to the position, or none: IRONMAP_E_RANGE. */
IRONMAP_NODISCARD IRONMAP_API int ironmap_write(ironmap_map *map, const void *buffer, size_t length,
                                                ironmap_error *error);

/* One byte. IRONMAP_E_END at the end. */
IRONMAP_NODISCARD IRONMAP_API int ironmap_read_byte(uint8_t *byte, ironmap_map *map,
                                                    ironmap_error *error);
IRONMAP_NODISCARD IRONMAP_API int ironmap_write_byte(ironmap_map *map, uint8_t byte,
                                                     ironmap_error *error);

/* ---- searching -------------------------------------------------------------------------------
 *
 * A search takes the `size` bytes of `needle` and the range (offset, length), which is cut to the
 * map: outside there is nothing to find. A match lies wholly inside the range. The needle may lie
 * in the map. Time is linear in the range for every needle. Errors: IRONMAP_E_NOT_READABLE,
 * IRONMAP_E_FAULT, IRONMAP_E_INTERRUPTED. */

/* `*index` becomes the offset of the first match (find) or the last one (rfind), or
 * IRONMAP_NOT_FOUND. An empty needle matches at the start (find) or the end (rfind). */
IRONMAP_NODISCARD IRONMAP_API int ironmap_find(uint64_t *index, const ironmap_map *map,
                                               const void *needle, size_t size, uint64_t offset,
                                               size_t length, ironmap_error *error);
IRONMAP_NODISCARD IRONMAP_API int ironmap_rfind(uint64_t *index, const ironmap_map *map,
                                                const void *needle, size_t size, uint64_t offset,
                                                size_t length, ironmap_error *error);

/* `*count` becomes the number of matches that do not overlap. An empty needle matches at every byte
 * and at the end. */
IRONMAP_NODISCARD IRONMAP_API int ironmap_count(size_t *count, const ironmap_map *map,
                                                const void *needle, size_t size, uint64_t offset,
                                                size_t length, ironmap_error *error);

/* A batch of matches. */
typedef struct ironmap_matches {
    uint64_t *offsets;    /* an array of `capacity` elements */
    size_t capacity;      /* not 0 */
    size_t found;         /* elements that the last call stored */
    uint64_t next;        /* where the next call goes on; 0 at first */
    bool overlapping;     /* two matches may share bytes */
    uint64_t reserved[4]; /* 0, else IRONMAP_E_UNSUPPORTED */
} ironmap_matches;

/* Stores the offsets of the next matches in ascending order. To visit all of them, repeat the same
 * call until nothing is found:
 *
 *     uint64_t offsets[100];
 *     ironmap_matches matches = {.offsets = offsets, .capacity = 100};
 *     while (ironmap_find_all(&matches, m, "x", 1, 0, IRONMAP_TO_END, &error) == IRONMAP_OK &&
 *            matches.found > 0) {
 *
 * An empty needle as with ironmap_count. On failure only the array has changed. IRONMAP_E_INVALID
 * without an array or capacity. */
IRONMAP_NODISCARD IRONMAP_API int ironmap_find_all(ironmap_matches *matches, const ironmap_map *map,
                                                   const void *needle, size_t size, uint64_t offset,
                                                   size_t length, ironmap_error *error);

/* A batch of lines. */
typedef struct ironmap_lines {
    uint64_t *offsets;    /* an array of `capacity` elements: where each line begins */
    size_t *lengths;      /* likewise: its bytes, the newline ('\n') included */
    size_t capacity;      /* not 0 */
    size_t found;         /* elements that the last call stored */
    uint64_t next;        /* where the next call goes on; 0 at first */
    uint64_t reserved[4]; /* 0, else IRONMAP_E_UNSUPPORTED */
} ironmap_lines;

/* Stores the offsets and lengths of the next lines of a range, used as ironmap_find_all. The first
 * line begins at `offset`; the last one ends with the range, with or without a newline. Errors as
 * ironmap_find_all. */
IRONMAP_NODISCARD IRONMAP_API int ironmap_find_lines(ironmap_lines *lines, const ironmap_map *map,
                                                     uint64_t offset, size_t length,
                                                     ironmap_error *error);

/* ---- the file and the pages ------------------------------------------------------------------ */

/* Makes the map `length` bytes long, and its file offset + length. New bytes are 0. The address may
 * change; the position stays. On failure map and file are as they were.
 *
 * If the map was ever pinned, what shrinking or moving leaves stays reserved until it is closed. A
 * use of such an address reads as zeros and damages the map (docs/fault.md; not all on Windows).
 *
 * Checked in this order: IRONMAP_E_BUSY if pinned, IRONMAP_E_NO_FILE with NO_TRACK,
 * IRONMAP_E_NOT_RESIZABLE for READ, COPY and tags, IRONMAP_E_OVERFLOW, IRONMAP_E_UNSUPPORTED to
 * grow shared anonymous memory on Unix, IRONMAP_E_SYSTEM. */
IRONMAP_NODISCARD IRONMAP_API int ironmap_resize(ironmap_map *map, size_t length,
                                                 ironmap_error *error);

/* Bits of ironmap_flush. Lower bits are the system's own MS_* (see ironmap_constant in extra.h). */
typedef enum ironmap_flush_bits {
    IRONMAP_FLUSH_ASYNC = 0x10000,     /* start writing and do not wait: nothing is promised */
    IRONMAP_FLUSH_INVALIDATE = 0x20000 /* make other maps of the file see what is on the disk */
} ironmap_flush_bits;

/* Writes changed bytes of a range to the disk. With `flags` 0 they are durable on return: they
 * survive a power cut. Maps whose stores do not reach a file (READ, COPY) only check the range.
 * IRONMAP_E_RANGE, IRONMAP_E_OVERFLOW; IRONMAP_E_FAULT for damage; IRONMAP_E_SYSTEM if the disk
 * failed or is full: what was written is then unknown. */
IRONMAP_NODISCARD IRONMAP_API int ironmap_flush(ironmap_map *map, uint64_t offset, size_t length,
                                                int flags, ironmap_error *error);

/* How a range will be used. Lower values are the system's own MADV_*. */
typedef enum ironmap_advice {
    IRONMAP_ADVICE_NORMAL = 0x10000, /* nothing special */
    IRONMAP_ADVICE_SEQUENTIAL,       /* from front to back: read ahead much */
    IRONMAP_ADVICE_RANDOM,           /* at random: do not read ahead */
    IRONMAP_ADVICE_WILLNEED,         /* soon: start reading now */
    IRONMAP_ADVICE_DONTNEED          /* not soon; drops what a private map stored there */
} ironmap_advice;

/* Advises the system about a range, which is cut to the map and widened to whole pages. Advice that
 * can drop content (DONTNEED and unknown values) begins at the first whole page, so that no byte
 * before the range is lost; it includes the whole last page. IRONMAP_E_RANGE if `offset` is outside
 * the map, IRONMAP_E_INVALID for an unknown portable value, IRONMAP_E_UNSUPPORTED, IRONMAP_E_SYSTEM
 * if the system refuses. */
IRONMAP_API int ironmap_advise(ironmap_map *map, uint64_t offset, size_t length, int advice,
                               ironmap_error *error);

/* Locks the pages of a range in physical memory, as mlock(2), and unlocks them. The range is
 * widened to whole pages. Locks do not count: one unlock ends them, and so does close. A resize may
 * end them, or fail if what it adds is beyond the limit of locked memory. A page that was lost is
 * not locked any more. IRONMAP_E_RANGE, IRONMAP_E_OVERFLOW, IRONMAP_E_SYSTEM, as when the limit is
 * reached or a page is unavailable. */
IRONMAP_NODISCARD IRONMAP_API int ironmap_lock_pages(ironmap_map *map, uint64_t offset,
                                                     size_t length, ironmap_error *error);
IRONMAP_API int ironmap_unlock_pages(ironmap_map *map, uint64_t offset, size_t length,
                                     ironmap_error *error);

/* Names anonymous memory for tools (Linux: [anon:name] in /proc/PID/maps). `name` is at most
 * IRONMAP_NAME_MAX bytes of printable ASCII without [ ] \ $ `. IRONMAP_E_INVALID for the map of a
 * file or another name, IRONMAP_E_UNSUPPORTED. */
IRONMAP_API int ironmap_set_name(ironmap_map *map, const char *name, ironmap_error *error);

/* ---- the system ------------------------------------------------------------------------------ */

/* Bytes in a page, and the unit to which the system aligns the offset of a map: a page on Unix,
 * 64 KiB on Windows. */
IRONMAP_API size_t ironmap_page_size(void);
IRONMAP_API size_t ironmap_granularity(void);

#ifdef __cplusplus
}
#endif

#endif /* IRONMAP_IRONMAP_H */
