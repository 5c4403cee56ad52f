/* Inside the Windows room: what its files share. */
#ifndef MAPIO_WIN32_H
#define MAPIO_WIN32_H

#include <windows.h>

#include "../platform.h"

/* ---- errors: system.c ---- */

/* Fills `error` (may be NULL) for the system call `call`, which left `code` (GetLastError, captured
 * before any clean-up), and returns the status that the code stands for. */
int mapio__fail_win32(mapio_error *error, DWORD code, const char *call);

/* The function `name` of kernel32.dll, to be cast to what it is, or NULL where this Windows does
 * not have it. */
typedef void mapio__function(void);
mapio__function *mapio__kernel_function(const char *name);

/* The two halves of a 64-bit number, as Win32 takes it. */
static inline DWORD mapio__low(uint64_t number)
{
    return (DWORD)(number & UINT32_MAX);
}

static inline DWORD mapio__high(uint64_t number)
{
    return (DWORD)(number >> 32);
}

static inline HANDLE mapio__handle(mapio__file file)
{
    return (HANDLE)file;
}

/* ---- paths: path.c ---- */

/* `*wide` becomes the path as Windows takes it, to be freed: UTF-16, and where it is long in the
 * form that has no limit of MAX_PATH. Invalid UTF-8 is MAPIO_E_INVALID. */
int mapio__path_widen(wchar_t **wide, const char *path, mapio_error *error);

/* Writes the path in UTF-8, without the prefix of the unlimited form, as mapio_path. */
int mapio__path_narrow(char *buffer, size_t capacity, const wchar_t *wide, mapio_error *error);

/* ---- views: view.c ---- */

/* What the room knows about a view, from the time that it is mapped until it is unmapped. */
typedef struct mapio__record {
    struct mapio__record *next;
    uint8_t *base;
    size_t length;    /* of the view, in bytes */
    HANDLE section;   /* NULL: none is needed any more */
    uint64_t offset;  /* in the section */
    DWORD access;     /* FILE_MAP_* of the view; 0: memory of VirtualAlloc */
    DWORD protection; /* PAGE_* of memory that takes the view's place */
    bool anonymous;   /* there is no file behind it */
    bool replaced;    /* lost: memory is reserved in its place, and committed as it is touched */
    uint8_t *saved;   /* replaced: the private pages of a copy-on-write view; NULL: none */
} mapio__record;

/* Makes a section of `length` bytes, 0 for as many as the file has; of the page file with
 * MAPIO__NO_FILE. The `name` of a section that is there gives that one as it is; NULL: no name. */
int mapio__section_make(HANDLE *section, mapio__file file, DWORD protection, uint64_t length,
                        const wchar_t *name, mapio_error *error);

/* Maps a view of the section, which is the view's to close from here on, in case of failure too.
 * Without a section it is private memory. */
int mapio__section_view(mapio__view *view, const mapio__mode *mode, HANDLE section, uint64_t offset,
                        size_t length, mapio_error *error);

/* Held for writing while a view comes to its addresses or leaves them, and to change a record; for
 * reading to look at one. Never held while mapped memory is touched. */
extern SRWLOCK mapio__views;

/* The record of the view that `address` lies in, or NULL. With the lock held. */
mapio__record *mapio__record_find(const void *address);

/* Maps the view of a record: at its base, or with base NULL where the system likes; NULL where that
 * fails. */
void *mapio__record_map(const mapio__record *record, void *base);

/* Takes the view of a file off its addresses and reserves them. On failure the view is as it was.
 * With the lock held for writing. */
int mapio__record_reserve(mapio__record *record, mapio_error *error);

/* ---- private pages: private.c ---- */

/* Keeps what a copy-on-write view holds that its file does not: record->saved, as far as there is
 * memory for it. Calls no heap. */
void mapio__private_save(mapio__record *record);

/* Puts that back into the view, which shows its file again, and forgets it. A page of which the
 * file's own cannot be had stays lost. */
void mapio__private_put_back(mapio__record *record);

/* Forgets it. */
void mapio__private_drop(mapio__record *record);

#endif /* MAPIO_WIN32_H */
