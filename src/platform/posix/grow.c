/* Making a view longer: mremap(2) where the system has it, else map again. */
#include "posix.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "../../status.h"

/* Maps the longer range elsewhere, carries over what lives in this view alone, and lets the old
 * view go. Nothing tells which pages of a private view were stored into, so all are copied. */
static int map_again(mapio__view *view, const mapio__mode *mode, mapio__file file, uint64_t offset,
                     size_t length, mapio_error *error)
{
    mapio__view longer;
    int status = mapio__view_map(&longer, mode, file, offset, length, error);
    if (status != MAPIO_OK) {
        return status;
    }
    if (!mode->shared) {
        memcpy(longer.base, view->base, view->length);
    }
    status = mapio__view_unmap(view, error);
    if (status != MAPIO_OK) {
        (void)mapio__view_unmap(&longer, NULL);
        return status;
    }
    *view = longer;
    return MAPIO_OK;
}

#if defined(__linux__) && !defined(MAPIO_NO_MREMAP)
int mapio__view_grow(mapio__view *view, const mapio__mode *mode, mapio__file file, uint64_t offset,
                     size_t length, mapio_error *error)
{
    void *base = mremap(view->base, view->length, length, MREMAP_MAYMOVE);
    if (base != MAP_FAILED) {
        *view = (mapio__view){.base = base, .length = length};
        return MAPIO_OK;
    }
    if (errno == EFAULT || errno == ENOMEM) {
        /* Advice about a part has split the mapping, and mremap moves one piece only; if it is
         * memory that is missing, it will be missing again. */
        return map_again(view, mode, file, offset, length, error);
    }
    return mapio__fail_system(error, errno, "mremap");
}
#else
int mapio__view_grow(mapio__view *view, const mapio__mode *mode, mapio__file file, uint64_t offset,
                     size_t length, mapio_error *error)
{
    return map_again(view, mode, file, offset, length, error);
}
#endif
