/* Searches plain memory for a needle.
 *
 * The functions know no map, are safe on any thread, and read the haystack and the needle only.
 * Their time is linear in the length of both, for any content.
 */
#ifndef IRONMAP_SEARCH_H
#define IRONMAP_SEARCH_H

#include "kernels.h"

/* The fastest kernel of this processor. A wide one only if `wide`: the system must preserve the
 * registers that it uses. */
const ironmap__kernels *ironmap__best_kernels(bool wide);

/* Search forward and backward as in kernels.h. Long needles skip (skip.h), and a few positions are
 * searched by the scalar kernel. */
void ironmap__search_forward(const ironmap__kernels *kernels, ironmap__match_sink *sink,
                             ironmap__pattern *pattern, const uint8_t *haystack, size_t from,
                             size_t to);
size_t ironmap__search_backward(const ironmap__kernels *kernels, ironmap__pattern *pattern,
                                const uint8_t *haystack, size_t from, size_t to);

#endif /* IRONMAP_SEARCH_H */
