/* The names of tags, and of their files.
 *
 *     tag         file              why
 *     jobs.2      jobs.2            a-z 0-9 . _ - stay
 *     Jobs        =jobs             some file systems do not distinguish capitals
 *     a/b c       a%2fb%20c         all other bytes, and a full stop at the beginning
 *     very long   first 100 bytes of that, ~ and a digest of the tag
 *
 * No tag has a file name with ~, = or % in another meaning. Two long tags may have the same digest,
 * which is unlikely: the header of the file has the whole tag, and a difference is an error.
 */
#include "features.h"

#include "tag_name.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char local_prefix[] = "Local\\";

const char *ironmap__tag_of_name(const char *name)
{
    size_t length = sizeof(local_prefix) - 1;
    return strncmp(name, local_prefix, length) == 0 ? name + length : name;
}

const char *ironmap__tag_refusal(const char *name)
{
    size_t length = strnlen(ironmap__tag_of_name(name), IRONMAP__TAG_MAX + 1);
    if (length == 0) {
        return "tag name is empty";
    }
    return length > IRONMAP__TAG_MAX ? "tag name is longer than 200 bytes" : NULL;
}

/* Digest of the tag: FNV-1a, 64 bits. */
static uint64_t tag_digest(const char *tag)
{
    uint64_t digest = 0xcbf29ce484222325;
    for (; *tag != '\0'; tag++) {
        digest = (digest ^ (uint8_t)*tag) * 0x100000001b3;
    }
    return digest;
}

/* True for a byte that stands for itself in the name of a file. */
static bool is_plain(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '.' ||
           byte == '_' || byte == '-';
}

/* Writes what stands for a byte: 1 to 3 bytes and a zero. Returns their number. */
static size_t encode_byte(char code[4], char byte, bool first)
{
    bool capital = byte >= 'A' && byte <= 'Z';
    int length = 0;
    if (is_plain(byte) && !(first && byte == '.')) {
        length = snprintf(code, 4, "%c", byte);
    } else if (capital) {
        length = snprintf(code, 4, "=%c", byte - 'A' + 'a');
    } else {
        length = snprintf(code, 4, "%%%02x", (unsigned)(uint8_t)byte);
    }
    return (size_t)length;
}

void ironmap__tag_file_name(char file[IRONMAP__TAG_FILE_MAX], const char *tag)
{
    enum { ENCODED_MAX = IRONMAP__TAG_MAX, READABLE = 100 };
    size_t used = 0;
    for (const char *at = tag; *at != '\0'; at++) {
        char code[4];
        size_t length = encode_byte(code, *at, at == tag);
        if (used + length > ENCODED_MAX) {
            (void)snprintf(file + READABLE, IRONMAP__TAG_FILE_MAX - READABLE, "~%016" PRIx64,
                           tag_digest(tag));
            return;
        }
        memcpy(file + used, code, length + 1);
        used += length;
    }
}
