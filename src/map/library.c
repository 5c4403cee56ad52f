/* What the library says about itself and its errors, and default options. */
#include <ironmap/extra.h>

#include <inttypes.h>
#include <stdio.h>

#include "base/error.h"
#include "platform/platform.h"

enum { WORDS_CAPACITY = 256, DETAIL_CAPACITY = 384, PLACE_CAPACITY = 40 };

uint32_t ironmap_version(void)
{
    return IRONMAP_VERSION;
}

#define AS_TEXT(x) #x
#define VERSION_TEXT(major, minor, patch) AS_TEXT(major) "." AS_TEXT(minor) "." AS_TEXT(patch)

const char *ironmap_version_string(void)
{
    return VERSION_TEXT(IRONMAP_VERSION_MAJOR, IRONMAP_VERSION_MINOR, IRONMAP_VERSION_PATCH);
}

void ironmap_options_init(ironmap_options *options)
{
    *options = (ironmap_options)IRONMAP_OPTIONS_INIT;
}

bool ironmap_constant(const char **name, int *value, size_t index)
{
    size_t count = 0;
    const ironmap__constant *constants = ironmap__constants(&count);
    if (index >= count) {
        return false;
    }
    *name = constants[index].name;
    *value = constants[index].value;
    return true;
}

/* The system's words and the name of the call: "No such file or directory (open)". */
static void describe_cause(char *text, size_t capacity, const ironmap_error *error)
{
    char words[WORDS_CAPACITY];
    ironmap__system_message(words, sizeof(words), error->system_code);
    if (error->call == NULL) {
        (void)snprintf(text, capacity, "%s", words);
    } else {
        (void)snprintf(text, capacity, "%s (%s)", words, error->call);
    }
}

static int fault_text(char *buffer, size_t capacity, const ironmap_error *error)
{
    char cause[DETAIL_CAPACITY];
    char place[PLACE_CAPACITY] = "";
    const char *message = ironmap_status_message(IRONMAP_E_FAULT);
    if (error->offset != IRONMAP_NOT_FOUND) {
        (void)snprintf(place, sizeof(place), " at offset %" PRIu64, error->offset);
    }
    if (error->what != NULL && error->file_length != IRONMAP_UNKNOWN) {
        return snprintf(buffer, capacity, "%s%s (%s; the file now ends at byte %" PRIu64 ")",
                        message, place, error->what, error->file_length);
    }
    if (error->what == NULL && error->system_code == 0) {
        return snprintf(buffer, capacity, "%s%s", message, place);
    }
    describe_cause(cause, sizeof(cause), error);
    return snprintf(buffer, capacity, "%s%s (%s)", message, place,
                    error->what != NULL ? error->what : cause);
}

/* Joins what is known, each part after a colon. A failed system call is the cause by itself. */
static int plain_text(char *buffer, size_t capacity, const ironmap_error *error)
{
    char cause[DETAIL_CAPACITY] = "";
    bool by_system = error->call != NULL || error->system_code != 0;
    const char *message = ironmap_status_message((int)error->status);
    if (by_system) {
        describe_cause(cause, sizeof(cause), error);
        if (error->status == IRONMAP_E_SYSTEM) {
            message = cause;
            by_system = false;
        }
    }
    return snprintf(buffer, capacity, "%s%s%s%s%s", message, error->what != NULL ? ": " : "",
                    error->what != NULL ? error->what : "", by_system ? ": " : "",
                    by_system ? cause : "");
}

size_t ironmap_error_text(char *buffer, size_t capacity, const ironmap_error *error)
{
    int length = error->status == IRONMAP_E_FAULT ? fault_text(buffer, capacity, error)
                                                  : plain_text(buffer, capacity, error);
    return length < 0 ? 0 : (size_t)length;
}
