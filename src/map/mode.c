/* What a map may do: from access and options to the mode of its view. */
#include "map/mode.h"

/* A map with the system's own bits. Its access is DEFAULT only if prot asks for both directions. */
static int mode_from_bits(ironmap__mode *mode, ironmap_access *access,
                          const ironmap_options *options, bool has_file, ironmap_error *error)
{
    mode->flags = options->flags == IRONMAP_SYSTEM_DEFAULT ? mode->flags : options->flags;
    mode->prot = options->prot == IRONMAP_SYSTEM_DEFAULT ? mode->prot : options->prot;
    int status = ironmap__mode_from_system(mode, has_file, error);
    if (status != IRONMAP_OK) {
        return status;
    }
    if (!mode->writable) {
        *access = IRONMAP_ACCESS_READ;
    } else if (!mode->readable) {
        *access = IRONMAP_ACCESS_WRITE;
        mode->readable = true;
    }
    return IRONMAP_OK;
}

int ironmap__mode_resolve(ironmap__mode *mode, ironmap_access *access,
                          const ironmap_options *options, bool anonymous, ironmap_error *error)
{
    bool has_bits =
        options->flags != IRONMAP_SYSTEM_DEFAULT || options->prot != IRONMAP_SYSTEM_DEFAULT;
    bool is_default = options->access == IRONMAP_ACCESS_DEFAULT;
    if (options->access > IRONMAP_ACCESS_COPY || (has_bits && !is_default)) {
        return ironmap__fail(error, IRONMAP_E_INVALID);
    }
    *access = options->access;
    *mode = (ironmap__mode){.readable = true,
                            .writable = options->access != IRONMAP_ACCESS_READ,
                            .shared = options->access != IRONMAP_ACCESS_COPY,
                            .anonymous = anonymous && options->tag == NULL};
    ironmap__mode_to_system(mode);
    return has_bits ? mode_from_bits(mode, access, options, !anonymous, error) : IRONMAP_OK;
}
