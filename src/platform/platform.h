/* The contract with the operating system: what each platform room (posix/, windows/) must provide.
 *
 * These primitives know the system only, never a policy: no defaults, no undoing, no ranges. They
 * return IRONMAP_OK or a negative ironmap_status; where a system call fails they fill `error`
 * (which may be NULL) with its code and name before doing anything else. Addresses and lengths that
 * they get are what they say they are: the caller has checked them.
 */
#ifndef IRONMAP_PLATFORM_H
#define IRONMAP_PLATFORM_H

#include <ironmap/ironmap.h>

/* ---- the system ---- */

/* Bytes in a page, and the unit of a view's offset in its file. Powers of two. */
size_t ironmap__page_size(void);
size_t ironmap__granularity(void);

/* Writes the system's own words for its error `code` into `buffer`, terminated. Thread-safe. */
void ironmap__system_message(char *buffer, size_t capacity, int32_t code);

/* Whether a thread that comes upon a page that cannot be had goes on with the 512-bit registers and
 * the masks that it had (AVX-512 on x86): the handler returns into the middle of a search. Unix:
 * always. Windows says what it keeps, and Wine 8 does not keep these. */
bool ironmap__keeps_wide_registers(void);

/* ---- files ---- */

/* An open file: a descriptor on Unix, a HANDLE on Windows. */
typedef intptr_t ironmap__file;
#define IRONMAP__NO_FILE ((ironmap__file) - 1)

/* Opens the file `path` for reading, and for writing if `writable`; never waits for a pipe, never
 * becomes a controlling terminal, never inherited. `open` has the bits CREATE and EXCLUSIVE of
 * ironmap_open_bits. `*created` tells whether this call made the file. */
int ironmap__file_open(ironmap__file *file, bool *created, const char *path, bool writable,
                       unsigned open, unsigned permission, ironmap_error *error);

/* The file that the C runtime's descriptor `fd` is open for, without a duplicate. */
int ironmap__file_from_fd(ironmap__file *file, int fd, ironmap_error *error);

/* A duplicate of `source` that is not inherited. */
int ironmap__file_duplicate(ironmap__file *file, ironmap__file source, ironmap_error *error);

int ironmap__file_close(ironmap__file file, ironmap_error *error);

/* `*length` is the file's length in bytes; `*sized` is false, and *length 0, for what has none
 * (character devices, directories, pipes, sockets). */
int ironmap__file_length(uint64_t *length, bool *sized, ironmap__file file, ironmap_error *error);

/* The system's name for the file, terminated, as ironmap_path. */
int ironmap__file_path(char *buffer, size_t capacity, ironmap__file file, ironmap_error *error);

/* Reads `length` bytes at `offset` of the file; what lies behind its end leaves the buffer alone.
 */
int ironmap__file_read(void *buffer, ironmap__file file, uint64_t offset, size_t length,
                       ironmap_error *error);

/* Cuts or extends the file; new bytes are zero and may be a hole. Length is at most INT64_MAX. */
int ironmap__file_set_length(ironmap__file file, uint64_t length, ironmap_error *error);

/* Reserves blocks on the disk for [offset, offset + length) of the file, which reaches so far. On
 * failure some may be reserved. IRONMAP_E_UNSUPPORTED where the file system cannot. */
int ironmap__file_reserve(ironmap__file file, uint64_t offset, uint64_t length,
                          ironmap_error *error);

/* Removes the name `path` if it is that of `file`, which this process has just made; failure is of
 * no use to anyone. */
void ironmap__file_remove(const char *path, ironmap__file file);

/* ---- views ---- */

/* What may be done with the memory, resolved from the options: `prot` and `flags` are the system's
 * own bits for its mapping call. */
typedef struct ironmap__mode {
    ironmap_access access; /* as ironmap_access_of tells it */
    bool readable;
    bool writable;
    bool shared;    /* stores reach the file, or the other processes */
    bool anonymous; /* no file behind it */
    int prot;
    int flags;
} ironmap__mode;

/* Resolves `options`; IRONMAP_E_INVALID where they contradict each other. `anonymous` says that
 * there is no file; with options->tag the memory is not anonymous all the same, but a file's as far
 * as views are concerned: mode->anonymous is false. */
int ironmap__mode_resolve(ironmap__mode *mode, const ironmap_options *options, bool anonymous,
                          ironmap_error *error);

/* A view: `length` bytes of memory from `base`, as the system mapped them. base is aligned to the
 * granularity; length is what was asked for, the last page reaches beyond it. */
typedef struct ironmap__view {
    uint8_t *base; /* NULL: no view */
    size_t length;
} ironmap__view;

/* Maps `length` (not 0) bytes of `file` from `offset` (a multiple of the granularity), or fresh
 * zeros if the mode is anonymous. */
int ironmap__view_map(ironmap__view *view, const ironmap__mode *mode, ironmap__file file,
                      uint64_t offset, size_t length, ironmap_error *error);

/* Unmaps; a view without base is nothing to do. */
int ironmap__view_unmap(ironmap__view *view, ironmap_error *error);

/* Makes a view longer or shorter (not 0), keeping its content and moving it if need be; the file
 * has its new length already. Getting shorter never fails. On failure the view is as it was;
 * IRONMAP_E_UNSUPPORTED where this view cannot become longer but by mapping again. */
int ironmap__view_resize(ironmap__view *view, size_t length, ironmap_error *error);

/* Cuts `file` to `end` bytes under `view`, of which the first `keep` bytes are needed from here on:
 * ironmap__view_resize to them follows, or with keep 0 ironmap__view_unmap. On failure file and
 * view are as they were. Windows cuts no file of which there is a view anywhere: there the view,
 * always a shared one, is taken away meanwhile and may come back at another base. Should the system
 * have no room for that, then the view has no base, and if it is `status` alone that failed, the
 * file is cut. */
int ironmap__view_cut(ironmap__view *view, ironmap__file file, size_t keep, uint64_t end,
                      ironmap_error *error);

/* True where a view of this mode, once it is there, can become longer. */
bool ironmap__view_can_grow(const ironmap__mode *mode);

/* Writes the changed pages of [start, start + length), start aligned to the page, to the disk.
 * `flags` as ironmap_flush; without any, durable on return, and `file` may be IRONMAP__NO_FILE. */
int ironmap__view_flush(void *start, size_t length, ironmap__file file, int flags,
                        ironmap_error *error);

/* The system's own value of an advice as ironmap_advise takes it; `*keeps_content` tells whether it
 * is known to be a hint only. IRONMAP_E_INVALID for a portable value that does not exist. */
int ironmap__advice_resolve(int *native, bool *keeps_content, int advice, ironmap_error *error);

/* Gives `native` advice about [start, start + length), start aligned to the page. */
int ironmap__view_advise(void *start, size_t length, int native, ironmap_error *error);

/* Names the pages of an anonymous view; `name` is as ironmap_set_name wants it.
 * IRONMAP_E_UNSUPPORTED, with the system's code, where it knows no names. */
int ironmap__view_set_name(const ironmap__view *view, const char *name, ironmap_error *error);

/* ---- tags ---- */

/* A hold on a tag. The tag is there while any process has one; the system, or what is done at the
 * next ironmap__tag_open, ends the holds of a process that dies. A child of fork has a hold of its
 * own.
 */
typedef struct ironmap__tag {
    char name[IRONMAP_TAG_MAX + 1];
    intptr_t hold;        /* Unix: a descriptor with a lock; Windows: the handle of the section */
    uint64_t length;      /* of the tag, from its start on: bytes on Unix, whole pages on Windows */
    ironmap__file memory; /* the file that has the memory, the tag's to close; IRONMAP__NO_FILE for
                           * a tag of a file, and where the system has no such file (Windows) */
    uint64_t start; /* where in `memory` the tag's first byte is, a multiple of the granularity;
                     * 0 for a tag of a file */
} ironmap__tag;

/* Opens the tag options->tag, which is a good one, or makes it with `length` bytes: of zeros to
 * read and write, or, if `file` is not IRONMAP__NO_FILE, the first `length` bytes of that file,
 * which is long enough and open for what `mode` says. Length 0 makes nothing: IRONMAP_E_NO_TAG
 * where there is none. A tag that is there keeps its length, which the caller compares.
 * IRONMAP_E_TAG_TAKEN where it is that of another file or of none, or not ours; Windows does not
 * look. Full memory is an error here. Where another process has it in hands, waits, and asks
 * options->check now and then, with nothing locked: IRONMAP_E_INTERRUPTED.
 *
 * Windows: CreateFileMappingW with the name as it is, as the standard module's tagname=, with
 * PAGE_READWRITE where there is no file and else by the mode; OpenFileMappingW for length 0; the
 * length by NtQuerySection. */
int ironmap__tag_open(ironmap__tag **tag, const ironmap_options *options, const ironmap__mode *mode,
                      ironmap__file file, uint64_t length, ironmap_error *error);

/* As ironmap__view_map, of the tag: `file` is tag->memory, from whose first byte `offset` counts,
 * or the caller's file. Windows: MapViewOfFile of the section. */
int ironmap__tag_map(ironmap__view *view, const ironmap__mode *mode, const ironmap__tag *tag,
                     ironmap__file file, uint64_t offset, size_t length, ironmap_error *error);

/* Lets go of the tag, after the view is gone, and frees it. */
int ironmap__tag_close(ironmap__tag *tag, ironmap_error *error);

/* ---- hints ----
 *
 * They make things faster or do nothing; none can fail, none changes a byte. Ranges of views are
 * whole pages. */

/* Whether the page at `start`, which lies in it, is in memory: true where nobody knows. Takes less
 * than 1 us and touches nothing. Linux: mincore. Windows: QueryWorkingSetEx knows of pages in the
 * working set alone, so true. */
bool ironmap__page_in_memory(void *start);

/* The range is about to be read: begins to bring it in and does not wait for it, more than the
 * disk's queue makes it. Windows: PrefetchVirtualMemory. */
void ironmap__view_expect(void *start, size_t length);

/* The range, of a shared view, will not be touched soon: what is in memory may stay there, and is
 * among the first to go when room is needed. Windows: VirtualUnlock, which takes pages out of the
 * working set. */
void ironmap__view_leave(void *start, size_t length);

/* How many bytes the system reads ahead by itself when the pages of this file are touched one after
 * the other; 0 where nobody knows. Windows: 0. */
size_t ironmap__file_read_ahead(ironmap__file file);

/* `length` bytes of memory that were just allocated, in whole pages or not, are about to be filled:
 * asks for large pages where they are still to be had. Windows: nothing, it has no such hint. */
void ironmap__memory_prepare(void *memory, size_t length);

/* ---- pages that cannot be had ---- */

/* What is called, in a signal handler, when an access to `address` failed because its page cannot
 * be had: true where the access may be tried again. `address` is NULL where this process itself has
 * sent the signal to the thread, as handlers do that hand on what they have got: true where the
 * thread is in the middle of an access, which will fail once more if that was why. */
typedef bool ironmap__fault_handler(void *address);

/* Sees to it that `handler` is asked before anyone else about every such failure, and that what it
 * does not own goes to whoever would have had it. To be called whenever a map is made: it takes the
 * place back if someone else took it since. `after_fork` is called in every child of fork. Both
 * stay the same for the life of the process. */
int ironmap__fault_watch(ironmap__fault_handler *handler, void (*after_fork)(void),
                         ironmap_error *error);

/* Puts fresh zeros of the same protection in the place of `length` bytes at `start`, whole pages.
 * Async-signal-safe; errno stays. */
bool ironmap__page_replace(void *start, size_t length, const ironmap__mode *mode);

/* Puts the file's pages from `offset` back in the place of the run of pages. `file` may be
 * IRONMAP__NO_FILE, which is IRONMAP_E_NO_FILE where the system needs it. */
int ironmap__page_restore(const ironmap__view *run, const ironmap__mode *mode, ironmap__file file,
                          uint64_t offset, ironmap_error *error);

/* The system's code for a page of `file` that cannot be had: EIO, or ENOSPC where its disk is full
 * and a block was needed: for a store, or for any access where a load needs one as well. */
int32_t ironmap__fault_code(ironmap__file file, bool store);

/* Lets another thread run. */
void ironmap__yield(void);

#endif /* IRONMAP_PLATFORM_H */
