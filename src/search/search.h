/* Searching plain memory. Nothing here knows a map: pure functions on memory and lengths, safe on
 * any thread, reading nothing outside the two ranges they are given.
 */
#ifndef MAPIO_SEARCH_H
#define MAPIO_SEARCH_H

#include <stddef.h>
#include <stdint.h>

#define MAPIO__NOWHERE SIZE_MAX

/* The lowest (find) or highest (rfind) index at which `needle` of `m` bytes lies inside the
 * `n` bytes of `haystack`, or MAPIO__NOWHERE. An empty needle is found at 0 or at n. The time is
 * linear in n + m for every content. */
size_t mapio__find(const uint8_t *haystack, size_t n, const uint8_t *needle, size_t m);
size_t mapio__rfind(const uint8_t *haystack, size_t n, const uint8_t *needle, size_t m);

#endif /* MAPIO_SEARCH_H */
