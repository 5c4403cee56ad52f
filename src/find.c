/* Searching a map: the range, then the kernel. */
#include "internal.h"
#include "search/search.h"

typedef size_t kernel(const uint8_t *haystack, size_t n, const uint8_t *needle, size_t m);

static int search(uint64_t *index, const mapio_map *map, const void *needle, size_t length,
                  uint64_t start, uint64_t end, kernel *find, mapio_error *error)
{
    end = mapio__min(end, map->length);
    if (start > end) {
        *index = MAPIO_NOT_FOUND;
        return MAPIO_OK;
    }
    int status = mapio__check_read(map, start, end - start, error);
    if (status != MAPIO_OK) {
        return status;
    }
    size_t hit = find(map->data + start, (size_t)(end - start), needle, length);
    *index = hit == MAPIO__NOWHERE ? MAPIO_NOT_FOUND : start + hit;
    return MAPIO_OK;
}

int mapio_find(uint64_t *index, const mapio_map *map, const void *needle, size_t length,
               uint64_t start, uint64_t end, mapio_error *error)
{
    return search(index, map, needle, length, start, end, mapio__find, error);
}

int mapio_rfind(uint64_t *index, const mapio_map *map, const void *needle, size_t length,
                uint64_t start, uint64_t end, mapio_error *error)
{
    return search(index, map, needle, length, start, end, mapio__rfind, error);
}
