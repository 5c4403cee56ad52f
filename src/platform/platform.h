/* The contract with the operating system: what posix/ and windows/ each implement.
 *
 * A primitive does one thing of the system. It has no defaults, knows no options and undoes
 * nothing: that is decided above, in map/ and fault/. Its arguments are plain values that the
 * caller has checked. It returns IRONMAP_OK or a negative ironmap_status. Where a system call
 * fails, `error` (which may be NULL) gets the code and the name of the call before any clean-up.
 */
#ifndef IRONMAP_PLATFORM_H
#define IRONMAP_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* ---- the system ---- */

/* Bytes in a page, and the unit of a view's offset in its file. Powers of two. */
size_t ironmap__page_size(void);
size_t ironmap__granularity(void);

/* Writes the system's message for its error `code` into `buffer`, terminated. Thread-safe. */
void ironmap__system_message(char *buffer, size_t capacity, int32_t code);

/* A constant of the system (MAP_*, PROT_*, MADV_*, MS_*). */
typedef struct ironmap__constant {
    const char *name;
    int value;
} ironmap__constant;

/* The system's constants. `*count` is 0 on Windows, which has none of these. */
const ironmap__constant *ironmap__constants(size_t *count);

/* True if a thread keeps its 512-bit registers and masks (AVX-512 on x86) across the fault handler,
 * which returns into the middle of a search. */
bool ironmap__keeps_wide_registers(void);

/* Lets another thread run. */
void ironmap__yield(void);

/* ---- files ---- */

/* An open file: a descriptor on Unix, a HANDLE on Windows. */
typedef intptr_t ironmap__file;
#define IRONMAP__NO_FILE ((ironmap__file) - 1)

/* Which of an existing and a new file to open. */
typedef enum ironmap__disposition {
    IRONMAP__OPEN_EXISTING,
    IRONMAP__OPEN_OR_CREATE,
    IRONMAP__CREATE_NEW /* an error if the file exists */
} ironmap__disposition;

/* Opens the file `path` for reading, and for writing if `writable`. Never waits for a pipe, never
 * makes a controlling terminal, never inherited. `*created` is true if this call made the file,
 * with the bits of `permission` before the umask. */
int ironmap__file_open(ironmap__file *file, bool *created, const char *path, bool writable,
                       ironmap__disposition disposition, unsigned permission, ironmap_error *error);

/* The file that the C runtime's descriptor `fd` is open for, without a duplicate. */
int ironmap__file_from_fd(ironmap__file *file, int fd, ironmap_error *error);

/* The file of a HANDLE of Windows, without a duplicate. IRONMAP_E_UNSUPPORTED on Unix. */
int ironmap__file_from_handle(ironmap__file *file, void *handle, ironmap_error *error);

/* A duplicate of `source` that is not inherited. */
int ironmap__file_duplicate(ironmap__file *file, ironmap__file source, ironmap_error *error);

int ironmap__file_close(ironmap__file file, ironmap_error *error);

/* The file's length in bytes. `*sized` is false, and *length 0, for files without one (character
 * devices, directories, pipes, sockets). */
int ironmap__file_length(uint64_t *length, bool *sized, ironmap__file file, ironmap_error *error);

/* True for a directory. */
bool ironmap__file_is_directory(ironmap__file file);

/* True for a pseudo file, as of /proc: a length of 0 does not mean that it has no bytes. */
bool ironmap__file_is_pseudo(ironmap__file file);

/* The system's name for the file, terminated. IRONMAP_E_RANGE if it does not fit into the buffer,
 * IRONMAP_E_NO_FILE if the file has no name, IRONMAP_E_UNSUPPORTED where the system cannot tell. */
int ironmap__file_path(char *buffer, size_t capacity, ironmap__file file, ironmap_error *error);

/* Reads `length` bytes at `offset` of the file. The buffer keeps its bytes for what lies beyond the
 * file's end. */
int ironmap__file_read(void *buffer, ironmap__file file, uint64_t offset, size_t length,
                       ironmap_error *error);

/* Truncates or extends the file to `length`, at most INT64_MAX. New bytes are zero and may be a
 * hole. */
int ironmap__file_set_length(ironmap__file file, uint64_t length, ironmap_error *error);

/* Reserves blocks on the disk for [offset, offset + length), which lies inside the file. After a
 * failure some of them may be reserved. IRONMAP_E_UNSUPPORTED where the file system cannot. */
int ironmap__file_reserve(ironmap__file file, uint64_t offset, uint64_t length,
                          ironmap_error *error);

/* Removes the name `path` if it is still that of `file`, which this process has just created. */
void ironmap__file_remove(const char *path, ironmap__file file);

/* ---- views ---- */

/* What may be done with a view's memory. `prot` and `flags` are the system's own bits for its
 * mapping call. Windows: the protection of the section and the access of the view. */
typedef struct ironmap__mode {
    bool readable;
    bool writable;
    bool shared;    /* stores reach the file, or the other processes */
    bool anonymous; /* no file behind it */
    size_t page;    /* bytes in one of its pages, as ironmap__view_page_size has it */
    int prot;
    int flags;
} ironmap__mode;

/* Sets `prot` and `flags` of the mode from its other fields. */
void ironmap__mode_to_system(ironmap__mode *mode);

/* Sets the other fields from `prot` and `flags`, except `anonymous`. `readable` tells if `prot`
 * asks for it; a writable mode can be read in any case. `has_file` is true if the caller has given
 * a file. IRONMAP_E_INVALID for bits that the library itself must set. Windows:
 * IRONMAP_E_UNSUPPORTED. */
int ironmap__mode_from_system(ironmap__mode *mode, bool has_file, ironmap_error *error);

/* A view: `length` bytes of memory from `base`, as the system mapped them. The base is aligned to
 * the granularity. The length is the one asked for; the last page extends beyond it. */
typedef struct ironmap__view {
    uint8_t *base; /* NULL: no view */
    size_t length;
} ironmap__view;

/* Bytes in a page of a view of `file`, or of fresh memory if the mode is anonymous: a power of two,
 * more than the system's page size for huge pages. The length of such a view is rounded up to its
 * pages, and its offset in the file is a multiple of them. */
size_t ironmap__view_page_size(const ironmap__mode *mode, ironmap__file file);

/* Maps `length` (not 0) bytes of `file` from `offset` (a multiple of the granularity), or fresh
 * zeros if the mode is anonymous. */
int ironmap__view_map(ironmap__view *view, const ironmap__mode *mode, ironmap__file file,
                      uint64_t offset, size_t length, ironmap_error *error);

/* Unmaps the view. Does nothing if it has no base. If the system has no memory for it, the pages
 * are no view any more and a later call unmaps them: that is no failure. */
int ironmap__view_unmap(ironmap__view *view, ironmap_error *error);

/* The memory that this library keeps for each view. */
size_t ironmap__view_overhead(void);

/* Gives up what a part of a view shows, whole pages, and keeps the addresses: no moment passes in
 * which the system could give them to something else. They have no memory and no file. An access is
 * an unavailable page. After a failure nothing changed. IRONMAP_E_UNSUPPORTED where the system has
 * no empty file. Windows: `pages` is a whole view, and there is such a moment (docs/windows.md). */
int ironmap__view_reserve(const ironmap__view *pages, const ironmap__mode *mode,
                          ironmap_error *error);

/* Makes a view longer or shorter (not 0). It keeps its content, and may move if `may_move`. Its
 * file has the new length already. Getting shorter never fails. After a failure the view is
 * unchanged. IRONMAP_E_UNSUPPORTED if only mapping again can make it longer. */
int ironmap__view_resize(ironmap__view *view, size_t length, bool may_move, ironmap_error *error);

/* Truncates `file` to `end` bytes under `view`, of which only the first `keep` bytes are needed
 * from then on. The caller then resizes the view to `keep`, or unmaps it if that is 0.
 *
 * After a failure file and view are unchanged, except on Windows. There a file with a view cannot
 * be truncated: the view, always a shared one, is unmapped meanwhile and may come back at another
 * base. If mapping it again fails, view->base is NULL, and the file may be truncated. */
int ironmap__view_cut(ironmap__view *view, ironmap__file file, size_t keep, uint64_t end,
                      ironmap_error *error);

/* True if a part of a view can be unmapped or reserved. */
bool ironmap__view_can_be_cut(void);

/* True if ironmap__view_resize can make a view of this mode longer. */
bool ironmap__view_can_grow(const ironmap__mode *mode);

/* How to write a view's pages to the disk. */
typedef struct ironmap__flush_flags {
    bool async;      /* start writing and return */
    bool invalidate; /* let other views of the file show what is on the disk */
    int native;      /* the system's own MS_* bits; IRONMAP_E_UNSUPPORTED if not 0 on Windows */
} ironmap__flush_flags;

/* Writes the changed pages of [start, start + length), start aligned to the page, to the disk.
 * Without flags they are durable on return. `file` may be IRONMAP__NO_FILE, which is
 * IRONMAP_E_NO_FILE where the system needs a file for that. */
int ironmap__view_flush(void *start, size_t length, ironmap__file file, ironmap__flush_flags flags,
                        ironmap_error *error);

/* What the program will do with a range. */
typedef enum ironmap__usage {
    IRONMAP__USE_NORMAL,
    IRONMAP__USE_SEQUENTIAL,
    IRONMAP__USE_RANDOM,
    IRONMAP__USE_SOON,
    IRONMAP__USE_LATER
} ironmap__usage;

/* Advice in the system's terms. */
typedef struct ironmap__advice {
    int value;
    bool is_hint; /* known to change speed only: the range may be widened to whole pages */
} ironmap__advice;

/* The system's advice for `usage`. */
ironmap__advice ironmap__advice_for(ironmap__usage usage);

/* The advice that is the system's own value. IRONMAP_E_UNSUPPORTED where the system has none. */
int ironmap__advice_from_system(ironmap__advice *advice, int value, ironmap_error *error);

/* Gives advice about [start, start + length), start aligned to the page. */
int ironmap__view_advise(void *start, size_t length, ironmap__advice advice, ironmap_error *error);

/* Keeps the pages of [start, start + length), both aligned to the page, in memory (mlock), or lets
 * the system evict them again. One unlock ends any number of locks. */
int ironmap__pages_lock(void *start, size_t length, ironmap_error *error);
int ironmap__pages_unlock(void *start, size_t length, ironmap_error *error);

/* Names the pages of an anonymous view for the system's tools. IRONMAP_E_UNSUPPORTED, with the
 * system's code, where the system has no names. */
int ironmap__view_set_name(const ironmap__view *view, const char *name, ironmap_error *error);

/* ---- tags ---- */

/* Unix: the longest tag, in bytes without the zero at its end. */
enum { IRONMAP__TAG_MAX = 200 };

/* Why the text cannot be the name of a tag on this system, as a static string. NULL if it can, or
 * if only the system can tell. */
const char *ironmap__tag_refusal(const char *name);

/* Asked while a function waits: not 0 ends it with IRONMAP_E_INTERRUPTED. */
typedef int ironmap__stop_check(void *context);

/* An open tag. The tag exists while any process has it open. The system, or the next
 * ironmap__tag_open, closes the tags of a process that was killed. A child of fork has the tag open
 * in its own right. */
typedef struct ironmap__tag {
    const char *name;     /* as it was given */
    intptr_t handle;      /* Unix: the descriptor that has the lock; Windows: of the section */
    uint64_t length;      /* of the tag, from its start: bytes on Unix, whole pages on Windows */
    ironmap__file memory; /* the file that has the memory, closed with the tag; IRONMAP__NO_FILE for
                           * a tag of a file, and on Windows, which has no such file */
    size_t bytes;         /* that this takes, the name and what the system needs included */
    uint64_t start; /* where in `memory` the tag's first byte is, a multiple of the granularity;
                     * 0 for a tag of a file */
} ironmap__tag;

/* Which tag to open. */
typedef struct ironmap__tag_request {
    const char *name; /* for which ironmap__tag_refusal has no reason */
    const ironmap__mode *mode;
    ironmap__file file; /* IRONMAP__NO_FILE: a tag of memory, for reading and writing; else one of
                         * this file, which is long enough and open for what the mode needs */
    uint64_t length;    /* of a new tag; 0: IRONMAP_E_NO_TAG if the tag does not exist */
    ironmap__stop_check *stop; /* NULL: never stop */
    void *context;
} ironmap__tag_request;

/* Opens a tag, or makes it if it does not exist. New memory is zero. An existing tag keeps its
 * length and the caller compares. Too little memory is an error here, not a lost page later.
 * IRONMAP_E_TAG_TAKEN if the tag is that of another file, or of memory where a file is given, or
 * not made by this library. Windows does not check that. While another process or thread is opening
 * or closing the tag, this function retries and calls request->stop now and then, without any lock.
 * Not a cancellation point, and neither is ironmap__tag_close. */
int ironmap__tag_open(ironmap__tag **tag, const ironmap__tag_request *request,
                      ironmap_error *error);

/* Maps a view of the tag, as ironmap__view_map. `file` is tag->memory, in which `offset` counts
 * from the file's first byte, or the caller's file. */
int ironmap__tag_map(ironmap__view *view, const ironmap__mode *mode, const ironmap__tag *tag,
                     ironmap__file file, uint64_t offset, size_t length, ironmap_error *error);

/* Closes and frees the tag, after its view is unmapped. */
int ironmap__tag_close(ironmap__tag *tag, ironmap_error *error);

/* ---- hints ----
 *
 * They make things faster or do nothing. None fails, none changes a byte. Ranges of views are whole
 * pages. */

/* True if the page at `start`, which lies in it, is in memory, or if the system cannot tell. Takes
 * less than 1 us and touches nothing. */
bool ironmap__page_in_memory(void *start);

/* The range is about to be read: starts to read it, and returns when the disk has queued that. */
void ironmap__view_prefetch(void *start, size_t length);

/* The range, of a shared view, will not be used soon. Its pages may stay in memory, and are among
 * the first to be evicted when memory is needed. */
void ironmap__view_trim(void *start, size_t length);

/* How many bytes the system reads ahead by itself when the pages of this file are used in order; 0
 * where it cannot tell. */
size_t ironmap__file_read_ahead(ironmap__file file);

/* `length` bytes of newly allocated memory, aligned to nothing, are about to be filled: asks for
 * huge pages where none are there yet. */
void ironmap__memory_prepare(void *memory, size_t length);

/* ---- unavailable pages ---- */

/* Called in a signal handler when an access to `address` failed since its page is unavailable.
 * Returns true if the access is to be retried. `address` is NULL if this process itself has sent
 * the signal to the thread, as handlers do that pass on a signal. The result is then true if the
 * thread is inside an access of the library: that access, retried, fails again if its page is the
 * cause. */
typedef bool ironmap__fault_handler(void *address);

/* Installs the process's fault handler, or reinstalls it if another was installed since. Called
 * whenever a map is made. It then runs before every other handler, and faults that it does not own
 * go to the handler that was installed before. `after_fork` is called in every child of fork. Both
 * functions are the same in every call. */
int ironmap__fault_handler_install(ironmap__fault_handler *handler, void (*after_fork)(void),
                                   ironmap_error *error);

/* Whether the handler would be asked about a fault of this thread, or what has the signal. */
typedef enum ironmap__signal_owner {
    IRONMAP__SIGNAL_OURS,
    IRONMAP__SIGNAL_NOT_INSTALLED,
    IRONMAP__SIGNAL_HANDLER, /* another one */
    IRONMAP__SIGNAL_DEFAULT,
    IRONMAP__SIGNAL_IGNORED,
    IRONMAP__SIGNAL_BLOCKED
} ironmap__signal_owner;

ironmap__signal_owner ironmap__fault_signal_owner(void);

/* Lets this thread receive the fault's signal, if it blocks it: the system ends a process whose
 * thread blocks a signal that it causes itself. */
void ironmap__fault_unblock(void);

/* Replaces `length` bytes at `start`, whole pages, by zeros of the same protection.
 * Async-signal-safe, and keeps errno. */
bool ironmap__page_replace(void *start, size_t length, const ironmap__mode *mode);

/* The same without any memory. A store then ends the process, as without the handler. */
bool ironmap__page_replace_for_loads(void *start, size_t length);

/* Where the system refuses further mappings: gives one back that was kept for this; false if there
 * is none left. From then on mappings are scarce, until the handler is installed again where the
 * process may have them. Async-signal-safe. */
bool ironmap__spare_mapping_give(void);
bool ironmap__mappings_are_scarce(void);

/* `length` bytes of zeros, NULL if memory is out. Pages that are never stored into take no memory.
 * Async-signal-safe, and keeps errno. */
void *ironmap__zeros_allocate(size_t length);
void ironmap__zeros_free(void *zeros, size_t length);

/* Maps the file's pages from `offset` again, or fresh zeros if the mode is anonymous, in place of
 * the run of pages. The file never changes. IRONMAP_E_NO_FILE for IRONMAP__NO_FILE where the system
 * needs the file. */
int ironmap__page_restore(const ironmap__view *run, const ironmap__mode *mode, ironmap__file file,
                          uint64_t offset, ironmap_error *error);

/* The system's code for an unavailable page of `file`: EIO, or ENOSPC if its disk is full and the
 * access needed a block. A store needs one, and on some file systems a load as well. */
int32_t ironmap__fault_code(ironmap__file file, bool store);

#endif /* IRONMAP_PLATFORM_H */
