/* The system's constants by name, and what they mean to the library. */
#include "posix.h"

#include <stddef.h>
#include <sys/mman.h>

#include "base/error.h"

#define CONSTANT(name) {#name, name}

static const ironmap__constant constants[] = {
    CONSTANT(PROT_NONE),
    CONSTANT(PROT_READ),
    CONSTANT(PROT_WRITE),
    CONSTANT(PROT_EXEC),
    CONSTANT(MAP_SHARED),
    CONSTANT(MAP_PRIVATE),
#ifdef MAP_ANON
    CONSTANT(MAP_ANON),
#endif
#ifdef MAP_ANONYMOUS
    CONSTANT(MAP_ANONYMOUS),
#endif
#ifdef MAP_DENYWRITE
    CONSTANT(MAP_DENYWRITE),
#endif
#ifdef MAP_EXECUTABLE
    CONSTANT(MAP_EXECUTABLE),
#endif
#ifdef MAP_POPULATE
    CONSTANT(MAP_POPULATE),
#endif
#ifdef MAP_NONBLOCK
    CONSTANT(MAP_NONBLOCK),
#endif
#ifdef MAP_LOCKED
    CONSTANT(MAP_LOCKED),
#endif
#ifdef MAP_STACK
    CONSTANT(MAP_STACK),
#endif
#ifdef MAP_NORESERVE
    CONSTANT(MAP_NORESERVE),
#endif
#ifdef MAP_32BIT
    CONSTANT(MAP_32BIT),
#endif
#ifdef MAP_SHARED_VALIDATE
    CONSTANT(MAP_SHARED_VALIDATE),
#endif
#ifdef MAP_SYNC
    CONSTANT(MAP_SYNC),
#endif
#ifdef MAP_ALIGNED_SUPER
    CONSTANT(MAP_ALIGNED_SUPER),
#endif
#ifdef MAP_CONCEAL
    CONSTANT(MAP_CONCEAL),
#endif
#ifdef MAP_NOEXTEND
    CONSTANT(MAP_NOEXTEND),
#endif
#ifdef MAP_HASSEMAPHORE
    CONSTANT(MAP_HASSEMAPHORE),
#endif
#ifdef MAP_NOCACHE
    CONSTANT(MAP_NOCACHE),
#endif
#ifdef MAP_JIT
    CONSTANT(MAP_JIT),
#endif
#ifdef MAP_RESILIENT_CODESIGN
    CONSTANT(MAP_RESILIENT_CODESIGN),
#endif
#ifdef MAP_RESILIENT_MEDIA
    CONSTANT(MAP_RESILIENT_MEDIA),
#endif
#ifdef MAP_TRANSLATED_ALLOW_EXECUTE
    CONSTANT(MAP_TRANSLATED_ALLOW_EXECUTE),
#endif
#ifdef MAP_UNIX03
    CONSTANT(MAP_UNIX03),
#endif
#ifdef MAP_TPRO
    CONSTANT(MAP_TPRO),
#endif
#ifdef MADV_NORMAL
    CONSTANT(MADV_NORMAL),
#endif
#ifdef MADV_RANDOM
    CONSTANT(MADV_RANDOM),
#endif
#ifdef MADV_SEQUENTIAL
    CONSTANT(MADV_SEQUENTIAL),
#endif
#ifdef MADV_WILLNEED
    CONSTANT(MADV_WILLNEED),
#endif
#ifdef MADV_DONTNEED
    CONSTANT(MADV_DONTNEED),
#endif
#ifdef MADV_FREE
    CONSTANT(MADV_FREE),
#endif
#ifdef MADV_REMOVE
    CONSTANT(MADV_REMOVE),
#endif
#ifdef MADV_DONTFORK
    CONSTANT(MADV_DONTFORK),
#endif
#ifdef MADV_DOFORK
    CONSTANT(MADV_DOFORK),
#endif
#ifdef MADV_HWPOISON
    CONSTANT(MADV_HWPOISON),
#endif
#ifdef MADV_SOFT_OFFLINE
    CONSTANT(MADV_SOFT_OFFLINE),
#endif
#ifdef MADV_MERGEABLE
    CONSTANT(MADV_MERGEABLE),
#endif
#ifdef MADV_UNMERGEABLE
    CONSTANT(MADV_UNMERGEABLE),
#endif
#ifdef MADV_HUGEPAGE
    CONSTANT(MADV_HUGEPAGE),
#endif
#ifdef MADV_NOHUGEPAGE
    CONSTANT(MADV_NOHUGEPAGE),
#endif
#ifdef MADV_COLLAPSE
    CONSTANT(MADV_COLLAPSE),
#endif
#ifdef MADV_DONTDUMP
    CONSTANT(MADV_DONTDUMP),
#endif
#ifdef MADV_DODUMP
    CONSTANT(MADV_DODUMP),
#endif
#ifdef MADV_COLD
    CONSTANT(MADV_COLD),
#endif
#ifdef MADV_PAGEOUT
    CONSTANT(MADV_PAGEOUT),
#endif
#ifdef MADV_POPULATE_READ
    CONSTANT(MADV_POPULATE_READ),
#endif
#ifdef MADV_POPULATE_WRITE
    CONSTANT(MADV_POPULATE_WRITE),
#endif
#ifdef MADV_NOSYNC
    CONSTANT(MADV_NOSYNC),
#endif
#ifdef MADV_AUTOSYNC
    CONSTANT(MADV_AUTOSYNC),
#endif
#ifdef MADV_NOCORE
    CONSTANT(MADV_NOCORE),
#endif
#ifdef MADV_CORE
    CONSTANT(MADV_CORE),
#endif
#ifdef MADV_PROTECT
    CONSTANT(MADV_PROTECT),
#endif
#ifdef MADV_FREE_REUSABLE
    CONSTANT(MADV_FREE_REUSABLE),
#endif
#ifdef MADV_FREE_REUSE
    CONSTANT(MADV_FREE_REUSE),
#endif
    CONSTANT(MS_SYNC),
    CONSTANT(MS_ASYNC),
    CONSTANT(MS_INVALIDATE),
};

const ironmap__constant *ironmap__constants(size_t *count)
{
    *count = sizeof(constants) / sizeof(constants[0]);
    return constants;
}

/* Advice that changes nothing but speed, dumps or merging: it may reach a little too far. */
static const int hints[] = {
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

static bool is_hint(int native)
{
    for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
        if (hints[i] == native) {
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
    return (ironmap__advice){.value = values[usage], .is_hint = is_hint(values[usage])};
}

int ironmap__advice_from_system(ironmap__advice *advice, int value, ironmap_error *error)
{
    (void)error;
    *advice = (ironmap__advice){.value = value, .is_hint = is_hint(value)};
    return IRONMAP_OK;
}
