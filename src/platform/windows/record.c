/* The records of views, found by address: the fault handler knows nothing else. */
#include "features.h"

#include "record.h"

SRWLOCK ironmap__records_lock = SRWLOCK_INIT;

/* Bases are multiples of 64 KiB. */
enum { RECORD_BUCKETS = 1024, RECORD_BASE_SHIFT = 16 };

static ironmap__record *record_buckets[RECORD_BUCKETS];

static ironmap__record **record_bucket(const void *base)
{
    return &record_buckets[((uintptr_t)base >> RECORD_BASE_SHIFT) % RECORD_BUCKETS];
}

ironmap__record *ironmap__record_at(const void *base)
{
    ironmap__record *record = *record_bucket(base);
    while (record != NULL && record->base != base) {
        record = record->next;
    }
    return record;
}

ironmap__record *ironmap__record_find(const void *address)
{
    MEMORY_BASIC_INFORMATION memory;
    if (VirtualQuery(address, &memory, sizeof(memory)) == 0 || memory.AllocationBase == NULL) {
        return NULL;
    }
    return ironmap__record_at(memory.AllocationBase);
}

void ironmap__record_add(ironmap__record *record, uint8_t *base)
{
    ironmap__record **head = record_bucket(base);
    record->base = base;
    record->next = *head;
    *head = record;
}

void ironmap__record_remove(ironmap__record *record)
{
    ironmap__record **link = record_bucket(record->base);
    while (*link != record) {
        link = &(*link)->next;
    }
    *link = record->next;
}

void *ironmap__record_map(const ironmap__record *record, void *base)
{
    return MapViewOfFileEx(record->section, record->access, ironmap__high(record->offset),
                           ironmap__low(record->offset), record->length, base);
}

int ironmap__record_reserve(ironmap__record *record, ironmap_error *error)
{
    if (!UnmapViewOfFile(record->base)) {
        return ironmap__fail_win32(error, GetLastError(), "UnmapViewOfFile");
    }
    if (VirtualAlloc(record->base, record->length, MEM_RESERVE, record->protection) != NULL) {
        record->replaced = true;
        return IRONMAP_OK;
    }
    int status = ironmap__fail_win32(error, GetLastError(), "VirtualAlloc");
    if (ironmap__record_map(record, record->base) == NULL) {
        /* The addresses belong to other memory now, and pointers into the map would reach it: see
         * fault.c. */
        RaiseFailFastException(NULL, NULL, FAIL_FAST_GENERATE_EXCEPTION_ADDRESS);
    }
    return status;
}
