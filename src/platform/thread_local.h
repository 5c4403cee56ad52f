/* How the library's thread-local variables are stored. */
#ifndef IRONMAP_THREAD_LOCAL_H
#define IRONMAP_THREAD_LOCAL_H

#include <stdint.h>

/* The fault handler and every access read a thread-local variable. In the static block of glibc
 * that is one load and never a call, which a signal handler could not make. musl has no static
 * block for modules that are loaded later, and allocates their variables before it needs them. */
#if defined(__GLIBC__)
#define IRONMAP__THREAD_LOCAL _Thread_local __attribute__((tls_model("initial-exec")))
#else
#define IRONMAP__THREAD_LOCAL _Thread_local
#endif

#endif /* IRONMAP_THREAD_LOCAL_H */
