/* What a map may do: from access and options to the mode of its view. */
#ifndef IRONMAP_MODE_H
#define IRONMAP_MODE_H

#include <ironmap/ironmap.h>

#include "platform/platform.h"

/* Decides the mode from the access and the options. IRONMAP_SYSTEM becomes the access that the map
 * reports. `anonymous` is true if the caller has given no file; the memory of a tag counts as a
 * file. IRONMAP_E_INVALID for flags that the library sets, IRONMAP_E_UNSUPPORTED for IRONMAP_SYSTEM
 * on Windows. */
int ironmap__mode_resolve(ironmap__mode *mode, ironmap_access *access,
                          const ironmap_options *options, bool anonymous, ironmap_error *error);

#endif /* IRONMAP_MODE_H */
