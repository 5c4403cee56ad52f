/* Searching for long needles, where most of the haystack need not be read. */
#ifndef IRONMAP_SKIP_H
#define IRONMAP_SKIP_H

#include "kernels.h"

/* Needles from this length on skip. Measured (Zen 4, 128 MiB of text): 21 GB/s at 256 bytes, where
 * the kernels do 30; 31 at 400 bytes and 45 at 512. In the cache, 256 bytes gain too. */
enum { IRONMAP__SKIP_NEEDLE_MIN = 384 };

/* Search as in kernels.h; `kernels` searches where nothing can be skipped. */
void ironmap__skip_forward(const ironmap__kernels *kernels, ironmap__match_sink *sink,
                           ironmap__pattern *pattern, const uint8_t *haystack, size_t from,
                           size_t to);
size_t ironmap__skip_backward(const ironmap__kernels *kernels, ironmap__pattern *pattern,
                              const uint8_t *haystack, size_t from, size_t to);

#endif /* IRONMAP_SKIP_H */
