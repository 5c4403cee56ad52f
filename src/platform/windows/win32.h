/* Inside the Windows room: what its files share. */
#ifndef IRONMAP_WIN32_H
#define IRONMAP_WIN32_H

#include "features.h"

#include <windows.h>

#include "platform/platform.h"

/* ---- errors: system.c ---- */

/* Fills `error` (may be NULL) for the system call `call`, which left `code` (GetLastError, captured
 * before any clean-up), and returns the status that the code stands for. */
int ironmap__fail_win32(ironmap_error *error, DWORD code, const char *call);

/* The function `name` of kernel32.dll, to be cast to what it is, or NULL where this Windows does
 * not have it. */
typedef void ironmap__function(void);
ironmap__function *ironmap__kernel_function(const char *name);

/* The two halves of a 64-bit number, as Win32 takes it. */
static inline DWORD ironmap__low(uint64_t number)
{
    return (DWORD)(number & UINT32_MAX);
}

static inline DWORD ironmap__high(uint64_t number)
{
    return (DWORD)(number >> 32);
}

static inline HANDLE ironmap__handle(ironmap__file file)
{
    return (HANDLE)file;
}

/* ---- paths: path.c ---- */

/* `*wide` becomes the path as Windows takes it, to be freed: UTF-16, and where it is long in the
 * form that has no limit of MAX_PATH. Invalid UTF-8 is IRONMAP_E_INVALID. */
int ironmap__path_widen(wchar_t **wide, const char *path, ironmap_error *error);

/* Writes the path in UTF-8, without the prefix of the unlimited form, as ironmap_file_path. */
int ironmap__path_narrow(char *buffer, size_t capacity, const wchar_t *wide, ironmap_error *error);

/* ---- views: view.c ---- */

/* What the room knows about a view, from the time that it is mapped until it is unmapped. */
typedef struct ironmap__record {
    struct ironmap__record *next;
    uint8_t *base;
    size_t length;    /* of the view, in bytes */
    HANDLE section;   /* NULL: none is needed any more */
    uint64_t offset;  /* in the section */
    DWORD access;     /* FILE_MAP_* of the view; 0: memory of VirtualAlloc */
    DWORD protection; /* PAGE_* of memory that takes the view's place */
    bool anonymous;   /* there is no file behind it */
    bool replaced;    /* lost: memory is reserved in its place, and committed as it is touched */
    uint8_t *saved;   /* replaced: the private pages of a copy-on-write view; NULL: none */
} ironmap__record;

/* Makes a section of `length` bytes, 0 for as many as the file has; of the page file with
 * IRONMAP__NO_FILE. The `name` of a section that is there gives that one as it is; NULL: no name.
 */
int ironmap__section_make(HANDLE *section, ironmap__file file, DWORD protection, uint64_t length,
                          const wchar_t *name, ironmap_error *error);

/* Maps a view of the section, which is the view's to close from here on, in case of failure too.
 * Without a section it is private memory. */
int ironmap__section_view(ironmap__view *view, const ironmap__mode *mode, HANDLE section,
                          uint64_t offset, size_t length, ironmap_error *error);

/* Held for writing while a view comes to its addresses or leaves them, and to change a record; for
 * reading to look at one. Never held while mapped memory is touched. */
extern SRWLOCK ironmap__views;

/* The record of the view that `address` lies in, or NULL. With the lock held. */
ironmap__record *ironmap__record_find(const void *address);

/* Maps the view of a record: at its base, or with base NULL where the system likes; NULL where that
 * fails. */
void *ironmap__record_map(const ironmap__record *record, void *base);

/* Takes the view of a file off its addresses and reserves them. On failure the view is as it was.
 * With the lock held for writing. */
int ironmap__record_reserve(ironmap__record *record, ironmap_error *error);

/* ---- private pages: private.c ---- */

/* Keeps what a copy-on-write view holds that its file does not: record->saved, as far as there is
 * memory for it. Calls no heap. */
void ironmap__private_save(ironmap__record *record);

/* Puts that back into the view, which shows its file again, and forgets it. A page of which the
 * file's own cannot be had stays lost. */
void ironmap__private_put_back(ironmap__record *record);

/* Forgets it. */
void ironmap__private_drop(ironmap__record *record);

#endif /* IRONMAP_WIN32_H */
