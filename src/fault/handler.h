/* The fault handler: what happens when an access meets an unavailable page. */
#ifndef IRONMAP_HANDLER_H
#define IRONMAP_HANDLER_H

#include "base/error.h"

/* Installs our fault handler, or reinstalls it if another was installed since. */
int ironmap__handler_install(ironmap_error *error);

#endif /* IRONMAP_HANDLER_H */
