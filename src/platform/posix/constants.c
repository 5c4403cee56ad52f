/* The system's constants by name, and its advice. */
#include "features.h"

#include "platform/platform.h"

#include <stddef.h>
#include <sys/mman.h>

#include "base/error.h"

/* Advice of newer kernels. The headers of an older C library lack the names, and the kernel that
 * runs decides what it knows. The values are those of every processor. */
#ifdef __linux__
#ifndef MADV_COLD
#define MADV_COLD 20
#endif
#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#endif

#define SYSTEM_CONSTANT(name) {#name, name}

static const ironmap__constant system_constants[] = {
    SYSTEM_CONSTANT(PROT_NONE),
    SYSTEM_CONSTANT(PROT_READ),
    SYSTEM_CONSTANT(PROT_WRITE),
    SYSTEM_CONSTANT(PROT_EXEC),
    SYSTEM_CONSTANT(MAP_SHARED),
    SYSTEM_CONSTANT(MAP_PRIVATE),
#ifdef MAP_ANON
    SYSTEM_CONSTANT(MAP_ANON),
#endif
#ifdef MAP_ANONYMOUS
    SYSTEM_CONSTANT(MAP_ANONYMOUS),
#endif
#ifdef MAP_DENYWRITE
    SYSTEM_CONSTANT(MAP_DENYWRITE),
#endif
#ifdef MAP_EXECUTABLE
    SYSTEM_CONSTANT(MAP_EXECUTABLE),
#endif
#ifdef MAP_POPULATE
    SYSTEM_CONSTANT(MAP_POPULATE),
#endif
#ifdef MAP_NONBLOCK
    SYSTEM_CONSTANT(MAP_NONBLOCK),
#endif
#ifdef MAP_LOCKED
    SYSTEM_CONSTANT(MAP_LOCKED),
#endif
#ifdef MAP_STACK
    SYSTEM_CONSTANT(MAP_STACK),
#endif
#ifdef MAP_NORESERVE
    SYSTEM_CONSTANT(MAP_NORESERVE),
#endif
#ifdef MAP_32BIT
    SYSTEM_CONSTANT(MAP_32BIT),
#endif
#ifdef MAP_SHARED_VALIDATE
    SYSTEM_CONSTANT(MAP_SHARED_VALIDATE),
#endif
#ifdef MAP_SYNC
    SYSTEM_CONSTANT(MAP_SYNC),
#endif
#ifdef MAP_ALIGNED_SUPER
    SYSTEM_CONSTANT(MAP_ALIGNED_SUPER),
#endif
#ifdef MAP_CONCEAL
    SYSTEM_CONSTANT(MAP_CONCEAL),
#endif
#ifdef MAP_NOEXTEND
    SYSTEM_CONSTANT(MAP_NOEXTEND),
#endif
#ifdef MAP_HASSEMAPHORE
    SYSTEM_CONSTANT(MAP_HASSEMAPHORE),
#endif
#ifdef MAP_NOCACHE
    SYSTEM_CONSTANT(MAP_NOCACHE),
#endif
#ifdef MAP_JIT
    SYSTEM_CONSTANT(MAP_JIT),
#endif
#ifdef MAP_RESILIENT_CODESIGN
    SYSTEM_CONSTANT(MAP_RESILIENT_CODESIGN),
#endif
#ifdef MAP_RESILIENT_MEDIA
    SYSTEM_CONSTANT(MAP_RESILIENT_MEDIA),
#endif
#ifdef MAP_TRANSLATED_ALLOW_EXECUTE
    SYSTEM_CONSTANT(MAP_TRANSLATED_ALLOW_EXECUTE),
#endif
#ifdef MAP_UNIX03
    SYSTEM_CONSTANT(MAP_UNIX03),
#endif
#ifdef MAP_TPRO
    SYSTEM_CONSTANT(MAP_TPRO),
#endif
#ifdef MADV_NORMAL
    SYSTEM_CONSTANT(MADV_NORMAL),
#endif
#ifdef MADV_RANDOM
    SYSTEM_CONSTANT(MADV_RANDOM),
#endif
#ifdef MADV_SEQUENTIAL
    SYSTEM_CONSTANT(MADV_SEQUENTIAL),
#endif
#ifdef MADV_WILLNEED
    SYSTEM_CONSTANT(MADV_WILLNEED),
#endif
#ifdef MADV_DONTNEED
    SYSTEM_CONSTANT(MADV_DONTNEED),
#endif
#ifdef MADV_FREE
    SYSTEM_CONSTANT(MADV_FREE),
#endif
#ifdef MADV_REMOVE
    SYSTEM_CONSTANT(MADV_REMOVE),
#endif
#ifdef MADV_DONTFORK
    SYSTEM_CONSTANT(MADV_DONTFORK),
#endif
#ifdef MADV_DOFORK
    SYSTEM_CONSTANT(MADV_DOFORK),
#endif
#ifdef MADV_HWPOISON
    SYSTEM_CONSTANT(MADV_HWPOISON),
#endif
#ifdef MADV_SOFT_OFFLINE
    SYSTEM_CONSTANT(MADV_SOFT_OFFLINE),
#endif
#ifdef MADV_MERGEABLE
    SYSTEM_CONSTANT(MADV_MERGEABLE),
#endif
#ifdef MADV_UNMERGEABLE
    SYSTEM_CONSTANT(MADV_UNMERGEABLE),
#endif
#ifdef MADV_HUGEPAGE
    SYSTEM_CONSTANT(MADV_HUGEPAGE),
#endif
#ifdef MADV_NOHUGEPAGE
    SYSTEM_CONSTANT(MADV_NOHUGEPAGE),
#endif
#ifdef MADV_COLLAPSE
    SYSTEM_CONSTANT(MADV_COLLAPSE),
#endif
#ifdef MADV_DONTDUMP
    SYSTEM_CONSTANT(MADV_DONTDUMP),
#endif
#ifdef MADV_DODUMP
    SYSTEM_CONSTANT(MADV_DODUMP),
#endif
#ifdef MADV_COLD
    SYSTEM_CONSTANT(MADV_COLD),
#endif
#ifdef MADV_PAGEOUT
    SYSTEM_CONSTANT(MADV_PAGEOUT),
#endif
#ifdef MADV_POPULATE_READ
    SYSTEM_CONSTANT(MADV_POPULATE_READ),
#endif
#ifdef MADV_POPULATE_WRITE
    SYSTEM_CONSTANT(MADV_POPULATE_WRITE),
#endif
#ifdef MADV_NOSYNC
    SYSTEM_CONSTANT(MADV_NOSYNC),
#endif
#ifdef MADV_AUTOSYNC
    SYSTEM_CONSTANT(MADV_AUTOSYNC),
#endif
#ifdef MADV_NOCORE
    SYSTEM_CONSTANT(MADV_NOCORE),
#endif
#ifdef MADV_CORE
    SYSTEM_CONSTANT(MADV_CORE),
#endif
#ifdef MADV_PROTECT
    SYSTEM_CONSTANT(MADV_PROTECT),
#endif
#ifdef MADV_FREE_REUSABLE
    SYSTEM_CONSTANT(MADV_FREE_REUSABLE),
#endif
#ifdef MADV_FREE_REUSE
    SYSTEM_CONSTANT(MADV_FREE_REUSE),
#endif
    SYSTEM_CONSTANT(MS_SYNC),
    SYSTEM_CONSTANT(MS_ASYNC),
    SYSTEM_CONSTANT(MS_INVALIDATE),
};

const ironmap__constant *ironmap__constants(size_t *count)
{
    *count = sizeof(system_constants) / sizeof(system_constants[0]);
    return system_constants;
}

/* Advice that affects speed, core dumps or merging only, and may be given for a widened range. */
static const int hint_values[] = {
    MADV_NORMAL,         MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED,
#ifdef MADV_DOFORK
    MADV_DOFORK,
#endif
#ifdef MADV_MERGEABLE
    MADV_MERGEABLE,
#endif
#ifdef MADV_UNMERGEABLE
    MADV_UNMERGEABLE,
#endif
#ifdef MADV_HUGEPAGE
    MADV_HUGEPAGE,
#endif
#ifdef MADV_NOHUGEPAGE
    MADV_NOHUGEPAGE,
#endif
#ifdef MADV_COLLAPSE
    MADV_COLLAPSE,
#endif
#ifdef MADV_DONTDUMP
    MADV_DONTDUMP,
#endif
#ifdef MADV_DODUMP
    MADV_DODUMP,
#endif
#ifdef MADV_COLD
    MADV_COLD,
#endif
#ifdef MADV_PAGEOUT
    MADV_PAGEOUT,
#endif
#ifdef MADV_POPULATE_READ
    MADV_POPULATE_READ,
#endif
#ifdef MADV_POPULATE_WRITE
    MADV_POPULATE_WRITE,
#endif
};

static bool is_hint_value(int value)
{
    for (size_t i = 0; i < sizeof(hint_values) / sizeof(hint_values[0]); i++) {
        if (hint_values[i] == value) {
            return true;
        }
    }
    return false;
}

ironmap__advice ironmap__advice_for(ironmap__usage usage)
{
    static const int values[] = {
        [IRONMAP__USE_NORMAL] = MADV_NORMAL,  [IRONMAP__USE_SEQUENTIAL] = MADV_SEQUENTIAL,
        [IRONMAP__USE_RANDOM] = MADV_RANDOM,  [IRONMAP__USE_SOON] = MADV_WILLNEED,
        [IRONMAP__USE_LATER] = MADV_DONTNEED,
    };
    return (ironmap__advice){.value = values[usage], .is_hint = is_hint_value(values[usage])};
}

int ironmap__advice_from_system(ironmap__advice *advice, int value, ironmap_error *error)
{
    (void)error;
    *advice = (ironmap__advice){.value = value, .is_hint = is_hint_value(value)};
    return IRONMAP_OK;
}
