/* Status codes as text. */
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
