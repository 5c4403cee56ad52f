/* The records of views, found by address. */
#ifndef IRONMAP_WINDOWS_RECORD_H
#define IRONMAP_WINDOWS_RECORD_H

#include "system.h"

/* What is known about a view, from mapping to unmapping. */
typedef struct ironmap__record {
    struct ironmap__record *next;
    uint8_t *base;
    size_t length;    /* of the view, in bytes */
    HANDLE section;   /* NULL: not needed any more */
    uint64_t offset;  /* in the section */
    DWORD access;     /* FILE_MAP_* of the view; 0: memory of VirtualAlloc */
    DWORD protection; /* PAGE_* of memory that replaces the view */
    bool anonymous;   /* no file behind it */
    bool kept;        /* replaced, and no view any more: only its addresses are kept */
    bool used;        /* kept, and the fault handler was told of a use */
    bool replaced;    /* unavailable: its addresses are reserved, and committed on first use */
    uint8_t *saved;   /* replaced: the private pages of a copy-on-write view; NULL: none */
} ironmap__record;

/* Exclusive while a view is placed at its addresses or leaves them, and to change a record. Shared
 * to look at one. Never held while mapped memory is accessed. */
extern SRWLOCK ironmap__records_lock;

/* The record of the view that contains `address`, or NULL. With the lock. */
ironmap__record *ironmap__record_find(const void *address);

/* The record of the view that begins at `base`, or NULL. With the lock. */
ironmap__record *ironmap__record_at(const void *base);

/* Adds a record at `base`, and removes the one that is there. With the lock, exclusive. */
void ironmap__record_add(ironmap__record *record, uint8_t *base);
void ironmap__record_remove(ironmap__record *record);

/* Maps the record's view at `base`, or where the system chooses if that is NULL. Returns NULL on
 * failure. */
void *ironmap__record_map(const ironmap__record *record, void *base);

/* Unmaps the view of a file and reserves its addresses. After a failure the view is unchanged. With
 * the lock, exclusive. */
int ironmap__record_reserve(ironmap__record *record, ironmap_error *error);

#endif /* IRONMAP_WINDOWS_RECORD_H */
