#include "calls.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "ledger.h"

/* ---- which call fails ---- */

static atomic_bool counting;
static atomic_uint made;
static unsigned chosen;
static bool chosen_for_good;
static const char *failed;
static char trace[1 << 14];
static calls_before *watch_before;
static calls_after *watch_after;
static _Thread_local calls_mapping last_mapping;
static _Thread_local bool installs_handler;
static _Thread_local int last_sync;
static _Thread_local int last_advice;
static atomic_size_t allocations;

void calls_begin(unsigned number, bool for_good)
{
    made = 0;
    chosen = number;
    chosen_for_good = for_good;
    failed = NULL;
    trace[0] = '\0';
    atomic_store(&counting, true);
}

const char *calls_end(void)
{
    atomic_store(&counting, false);
    return failed;
}

const char *calls_made(void)
{
    return trace;
}

void calls_watch(calls_before *before, calls_after *after)
{
    watch_before = before;
    watch_after = after;
}

calls_mapping calls_last_mapping(void)
{
    return last_mapping;
}

int calls_last_sync(void)
{
    return last_sync;
}

int calls_last_advice(void)
{
    return last_advice;
}

bool calls_installs_handler(void)
{
    return installs_handler;
}

size_t calls_mapped_bytes(void)
{
    return ledger_bytes();
}

size_t calls_allocations(void)
{
    return atomic_load(&allocations);
}

/* Async-signal-safe: the fault handler calls mmap. */
static void note(const char *name, bool fails)
{
    size_t used = strlen(trace);
    size_t length = strlen(name);

    if (used + length + 3 < sizeof(trace)) {
        memcpy(trace + used, name, length);
        memcpy(trace + used + length, fails ? "* " : " ", fails ? 3 : 2);
    }
}

static bool is_chosen(const char *name)
{
    unsigned number = atomic_fetch_add(&made, 1) + 1;

    if (number == chosen) {
        failed = name;
        return true;
    }
    return chosen_for_good && failed != NULL && strcmp(failed, name) == 0;
}

/* True, with errno set, if the call is to fail. */
static bool fails(const char *name, int code)
{
    int asked = watch_before == NULL ? 0 : watch_before(name);
    bool chosen_now = atomic_load(&counting) && is_chosen(name);

    if (atomic_load(&counting)) {
        note(name, chosen_now);
    }
    if (chosen_now || asked != 0) {
        errno = asked != 0 ? asked : code;
        return true;
    }
    return false;
}

static void ended(const char *name)
{
    int saved = errno;

    if (watch_after != NULL) {
        watch_after(name);
    }
    errno = saved;
}

/* ---- the calls ---- */

/* With offsets of 64 bits the C library has other names for some functions. */
#if defined(__GLIBC__) && defined(_FILE_OFFSET_BITS) && _FILE_OFFSET_BITS == 64
#define REAL_LARGE(name) __real_##name##64
#define WRAP_LARGE(name) __wrap_##name##64
#else
#define REAL_LARGE(name) __real_##name
#define WRAP_LARGE(name) __wrap_##name
#endif

#define WRAP_AS(wrap, real, type, name, parameters, arguments, failure, code)                      \
    type real parameters;                                                                          \
    type wrap parameters;                                                                          \
    type wrap parameters                                                                           \
    {                                                                                              \
        if (fails(#name, code)) {                                                                  \
            return failure;                                                                        \
        }                                                                                          \
        type result = real arguments;                                                              \
        ended(#name);                                                                              \
        return result;                                                                             \
    }
#define WRAP(type, name, parameters, arguments, failure, code)                                     \
    WRAP_AS(__wrap_##name, __real_##name, type, name, parameters, arguments, failure, code)
#define WRAP_64(type, name, parameters, arguments, failure, code)                                  \
    WRAP_AS(WRAP_LARGE(name), REAL_LARGE(name), type, name, parameters, arguments, failure, code)

WRAP_64(int, ftruncate, (int fd, off_t length), (fd, length), -1, EIO)
WRAP_64(int, fallocate, (int fd, int mode, off_t offset, off_t length), (fd, mode, offset, length),
        -1, ENOSPC)
WRAP_64(int, fstat, (int fd, struct stat *status), (fd, status), -1, EIO)
WRAP_64(int, stat, (const char *path, struct stat *status), (path, status), -1, EIO)
WRAP_64(int, fstatat, (int folder, const char *path, struct stat *status, int flags),
        (folder, path, status, flags), -1, EIO)
WRAP_64(ssize_t, pread, (int fd, void *bytes, size_t length, off_t offset),
        (fd, bytes, length, offset), -1, EIO)
WRAP_64(ssize_t, pwrite, (int fd, const void *bytes, size_t length, off_t offset),
        (fd, bytes, length, offset), -1, ENOSPC)
WRAP_64(int, lstat, (const char *path, struct stat *status), (path, status), -1, EIO)
WRAP_64(int, fstatfs, (int fd, struct statfs *status), (fd, status), -1, EIO)
WRAP_64(int, fstatvfs, (int fd, struct statvfs *status), (fd, status), -1, EIO)
WRAP_64(FILE *, fopen, (const char *path, const char *mode), (path, mode), NULL, EMFILE)
WRAP(ssize_t, read, (int fd, void *bytes, size_t length), (fd, bytes, length), -1, EIO)
WRAP(ssize_t, readlink, (const char *path, char *buffer, size_t length), (path, buffer, length), -1,
     EIO)
WRAP(int, mincore, (void *start, size_t length, unsigned char *pages), (start, length, pages), -1,
     EAGAIN)
WRAP(int, mlock, (const void *start, size_t length), (start, length), -1, ENOMEM)
WRAP(int, mprotect, (void *start, size_t length, int prot), (start, length, prot), -1, ENOMEM)
WRAP(int, munlock, (const void *start, size_t length), (start, length), -1, ENOMEM)
WRAP(int, fchmodat, (int folder, const char *path, mode_t mode, int flags),
     (folder, path, mode, flags), -1, EPERM)
WRAP(int, flock, (int fd, int operation), (fd, operation), -1, ENOLCK)
WRAP(int, mkdir, (const char *path, mode_t mode), (path, mode), -1, ENOSPC)
WRAP(int, rmdir, (const char *path), (path), -1, EIO)
WRAP(int, unlink, (const char *path), (path), -1, EIO)
WRAP(int, unlinkat, (int folder, const char *path, int flags), (folder, path, flags), -1, EIO)
WRAP(int, fchmod, (int fd, mode_t mode), (fd, mode), -1, EPERM)
WRAP(int, memfd_create, (const char *name, unsigned flags), (name, flags), -1, EMFILE)
WRAP(int, dup2, (int from, int to), (from, to), -1, EMFILE)
WRAP(DIR *, fdopendir, (int fd), (fd), NULL, ENOMEM)

int __real_msync(void *start, size_t length, int flags);
int __wrap_msync(void *start, size_t length, int flags);
int __wrap_msync(void *start, size_t length, int flags)
{
    last_sync = flags;
    if (fails("msync", EIO)) {
        return -1;
    }
    int result = __real_msync(start, length, flags);
    ended("msync");
    return result;
}

int __real_madvise(void *start, size_t length, int advice);
int __wrap_madvise(void *start, size_t length, int advice);
int __wrap_madvise(void *start, size_t length, int advice)
{
    last_advice = advice;
    if (fails("madvise", ENOMEM)) {
        return -1;
    }
    int result = __real_madvise(start, length, advice);
    ended("madvise");
    return result;
}

int __real_sigaction(int number, const struct sigaction *next, struct sigaction *before);
int __wrap_sigaction(int number, const struct sigaction *next, struct sigaction *before);
int __wrap_sigaction(int number, const struct sigaction *next, struct sigaction *before)
{
    installs_handler = next != NULL;
    if (fails("sigaction", EINVAL)) {
        return -1;
    }
    int result = __real_sigaction(number, next, before);
    ended("sigaction");
    return result;
}

/* A close that fails has closed the descriptor, as on Linux. */
int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_close(int fd)
{
    bool failing = fails("close", EIO);
    int code = errno;
    int result = __real_close(fd);

    ended("close");
    errno = failing ? code : errno;
    return failing ? -1 : result;
}

/* ---- calls whose last arguments are of any number or type ---- */

int REAL_LARGE(getrlimit)(unsigned resource, struct rlimit *limit);
int WRAP_LARGE(getrlimit)(unsigned resource, struct rlimit *limit);
int WRAP_LARGE(getrlimit)(unsigned resource, struct rlimit *limit)
{
    return fails("getrlimit", EIO) ? -1 : REAL_LARGE(getrlimit)(resource, limit);
}

/* The library passes five arguments. */
int __real_prctl(int option, ...);
int __wrap_prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d);
int __wrap_prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)
{
    return fails("prctl", ENOMEM) ? -1 : __real_prctl(option, a, b, c, d);
}

int REAL_LARGE(open)(const char *path, int flags, ...);
int WRAP_LARGE(open)(const char *path, int flags, ...);
int WRAP_LARGE(open)(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    if (fails("open", EMFILE)) {
        return -1;
    }
    int fd = REAL_LARGE(open)(path, flags, mode);
    ended("open");
    return fd;
}

int REAL_LARGE(openat)(int folder, const char *path, int flags, ...);
int WRAP_LARGE(openat)(int folder, const char *path, int flags, ...);
int WRAP_LARGE(openat)(int folder, const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    if (fails("openat", EMFILE)) {
        return -1;
    }
    int fd = REAL_LARGE(openat)(folder, path, flags, mode);
    ended("openat");
    return fd;
}

/* The library passes an int, if anything. */
int REAL_LARGE(fcntl)(int fd, int command, ...);
int WRAP_LARGE(fcntl)(int fd, int command, ...);
int WRAP_LARGE(fcntl)(int fd, int command, ...)
{
    va_list rest;
    va_start(rest, command);
    int argument = command == F_GETFD ? 0 : va_arg(rest, int);
    va_end(rest);
    if (fails("fcntl", EMFILE)) {
        return -1;
    }
    int result = REAL_LARGE(fcntl)(fd, command, argument);
    ended("fcntl");
    return result;
}

/* Never made to fail: only a place to watch, where a thread waits for another. */
int __real_sched_yield(void);
int __wrap_sched_yield(void);
int __wrap_sched_yield(void)
{
    if (watch_before != NULL) {
        (void)watch_before("sched_yield");
    }
    return __real_sched_yield();
}

/* ---- memory ---- */

void *REAL_LARGE(mmap)(void *start, size_t length, int prot, int flags, int fd, off_t offset);
void *WRAP_LARGE(mmap)(void *start, size_t length, int prot, int flags, int fd, off_t offset);
void *WRAP_LARGE(mmap)(void *start, size_t length, int prot, int flags, int fd, off_t offset)
{
    last_mapping = (calls_mapping){.fixed = (flags & MAP_FIXED) != 0,
                                   .anonymous = (flags & MAP_ANONYMOUS) != 0,
                                   .writable = (prot & PROT_WRITE) != 0,
                                   .populates = (flags & MAP_POPULATE) != 0};
    last_mapping.reserves =
        last_mapping.writable && (flags & (MAP_PRIVATE | MAP_NORESERVE)) == MAP_PRIVATE;
    if (fails("mmap", ENOMEM)) {
        return MAP_FAILED;
    }
    void *base = REAL_LARGE(mmap)(start, length, prot, flags, fd, offset);
    if (base != MAP_FAILED && (flags & MAP_FIXED) == 0) {
        ledger_add(base, length);
    }
    ended("mmap");
    return base;
}

int __real_munmap(void *start, size_t length);
int __wrap_munmap(void *start, size_t length);
int __wrap_munmap(void *start, size_t length)
{
    if (fails("munmap", ENOMEM)) {
        return -1;
    }
    int result = __real_munmap(start, length);
    if (result == 0) {
        ledger_remove(start, length);
    }
    ended("munmap");
    return result;
}

void *__real_mremap(void *start, size_t length, size_t new_length, int flags, ...);
void *__wrap_mremap(void *start, size_t length, size_t new_length, int flags, ...);
void *__wrap_mremap(void *start, size_t length, size_t new_length, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    void *place = (flags & MREMAP_FIXED) != 0 ? va_arg(rest, void *) : NULL;
    va_end(rest);
    if (fails("mremap", ENOMEM)) {
        return MAP_FAILED;
    }
    void *base = __real_mremap(start, length, new_length, flags, place);
    if (base != MAP_FAILED) {
        ledger_remove(start, length);
        ledger_add(base, new_length);
    }
    ended("mremap");
    return base;
}

static void *allocated(void *block, const char *name)
{
    if (block != NULL) {
        atomic_fetch_add(&allocations, 1);
    }
    ended(name);
    return block;
}

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
    return fails("malloc", ENOMEM) ? NULL : allocated(__real_malloc(size), "malloc");
}

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size)
{
    return fails("calloc", ENOMEM) ? NULL : allocated(__real_calloc(count, size), "calloc");
}

void *__real_realloc(void *block, size_t size);
void *__wrap_realloc(void *block, size_t size);
void *__wrap_realloc(void *block, size_t size)
{
    bool first = block == NULL;

    if (fails("realloc", ENOMEM)) {
        return NULL;
    }
    void *moved = __real_realloc(block, size);
    return first ? allocated(moved, "realloc") : moved;
}

void __real_free(void *block);
void __wrap_free(void *block);
void __wrap_free(void *block)
{
    if (block != NULL) {
        atomic_fetch_sub(&allocations, 1);
    }
    __real_free(block);
}
