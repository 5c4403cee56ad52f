/* The fault handler: what happens when an access meets an unavailable page. */
#ifndef IRONMAP_HANDLER_H
#define IRONMAP_HANDLER_H

#include "base/error.h"

struct ironmap__mapping;

/* Installs our fault handler, or reinstalls it if another was installed since. */
int ironmap__handler_install(ironmap_error *error);

/* Before the program's own code or long work accesses a mapping: reinstalls the handler, and lets
 * this thread receive its signal. The program may have changed either since the map was opened. If
 * a system call fails, the signal is as it was. */
void ironmap__handler_ensure(const struct ironmap__mapping *mapping);

#endif /* IRONMAP_HANDLER_H */
