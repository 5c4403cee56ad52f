/* The two-way algorithm: search in linear time for any content. */
#ifndef IRONMAP_TWO_WAY_H
#define IRONMAP_TWO_WAY_H

#include "match_sink.h"
#include "pattern.h"

/* Search as in kernels.h. */
void ironmap__two_way_forward(ironmap__match_sink *sink, const ironmap__pattern *pattern,
                              const uint8_t *haystack, size_t from, size_t to);
size_t ironmap__two_way_backward(const ironmap__pattern *pattern, const uint8_t *haystack,
                                 size_t from, size_t to);

#endif /* IRONMAP_TWO_WAY_H */
