/* What a map may do: from access and options to the mode of its view. */
#include "map/mode.h"

/* A map with the system's own bits. Its access is SYSTEM only if prot asks for both directions. */
static int mode_from_bits(ironmap__mode *mode, ironmap_access *access,
                          const ironmap_options *options, bool has_file, ironmap_error *error)
{
    mode->flags = options->flags;
    mode->prot = options->prot;
    int status = ironmap__mode_from_system(mode, has_file, error);
    if (status != IRONMAP_OK) {
        return status;
    }
    if (options->flags == 0) {
        return ironmap__fail_invalid(error, "SYSTEM without flags");
    }
    if (!mode->writable) {
        *access = IRONMAP_READ;
    } else if (!mode->readable) {
        *access = IRONMAP_WRITE;
        mode->readable = true;
    }
    return IRONMAP_OK;
}

int ironmap__mode_resolve(ironmap__mode *mode, ironmap_access *access,
                          const ironmap_options *options, bool anonymous, ironmap_error *error)
{
    *mode = (ironmap__mode){.readable = true,
                            .writable = *access != IRONMAP_READ,
                            .shared = *access != IRONMAP_COPY,
                            .anonymous = anonymous && options->tag == NULL};
    if (*access == IRONMAP_SYSTEM) {
        return mode_from_bits(mode, access, options, !anonymous, error);
    }
    ironmap__mode_to_system(mode);
    return IRONMAP_OK;
}
