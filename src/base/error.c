/* Status codes as text, and the check of reserved words. */
#include "base/error.h"

static const struct {
    int status;
    const char *name;
    const char *message;
} table[] = {
#define ROW(name, value, message) {value, "IRONMAP_" #name, message},
    IRONMAP_STATUS_TABLE(ROW)
#undef ROW
};

const char *ironmap_status_name(int status)
{
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (table[i].status == status) {
            return table[i].name;
        }
    }
    return "IRONMAP_E_?";
}

const char *ironmap_status_message(int status)
{
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (table[i].status == status) {
            return table[i].message;
        }
    }
    return "unknown status";
}

int ironmap__check_reserved(const uint64_t *words, size_t count, ironmap_error *error)
{
    for (size_t i = 0; i < count; i++) {
        if (words[i] != 0) {
            return ironmap__fail_for(error, IRONMAP_E_UNSUPPORTED,
                                     "a field that this library does not know");
        }
    }
    return IRONMAP_OK;
}
