/* What the library tells about itself: its version, and errors as text. */
#include <assert.h>
#include <stdio.h>

#include "base/error.h"
#include "platform/platform.h"

/* The public type of a constant is that of the platform under its own name. */
static_assert(sizeof(ironmap_constant) == sizeof(ironmap__constant) &&
                  offsetof(ironmap_constant, value) == offsetof(ironmap__constant, value),
              "both are a name and a value");

const ironmap_constant *ironmap_constants(size_t *count)
{
    return (const ironmap_constant *)(const void *)ironmap__constants(count);
}

enum { MESSAGE_CAPACITY = 256 };

uint32_t ironmap_version(void)
{
    return IRONMAP_VERSION;
}

#define TEXT(x) #x
#define VERSION_TEXT(major, minor, patch) TEXT(major) "." TEXT(minor) "." TEXT(patch)

const char *ironmap_version_string(void)
{
    return VERSION_TEXT(IRONMAP_VERSION_MAJOR, IRONMAP_VERSION_MINOR, IRONMAP_VERSION_PATCH);
}

size_t ironmap_error_text(char *buffer, size_t capacity, const ironmap_error *error)
{
    char system[MESSAGE_CAPACITY];
    const char *message = ironmap_status_message(error->status);
    const char *call = error->call == NULL ? "" : error->call;
    const char *colon = error->call == NULL ? "" : ": ";
    int length = 0;
    if (error->call == NULL && error->system_code == 0) {
        length = snprintf(buffer, capacity, "%s", message);
    } else {
        ironmap__system_message(system, sizeof(system), error->system_code);
        length = snprintf(buffer, capacity, "%s: %s%s%s", message, call, colon, system);
    }
    return length < 0 ? 0 : (size_t)length;
}
