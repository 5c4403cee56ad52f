/* Keeps the module that contains this library loaded. */
#include "features.h"

#include "pin_module.h"

#include <dlfcn.h>
#include <stddef.h>

/* Weak: a static program has no dlopen(3), and nothing can unload it. */
#pragma weak dladdr
#pragma weak dlopen

/* Without RTLD_NOLOAD the path is looked up again, with the same result. */
static const int pin_flags = RTLD_LAZY
#ifdef RTLD_NOLOAD
                             | RTLD_NOLOAD
#endif
    ;

void ironmap__pin_module(void)
{
    static const char inside;
    Dl_info module;
    if (dladdr == NULL || dlopen == NULL || dladdr(&inside, &module) == 0) {
        return;
    }
    /* A reference that is never closed. It fails for the program itself, which stays anyway. */
    (void)dlopen(module.dli_fname, pin_flags);
}
