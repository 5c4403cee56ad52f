/* Memory functions for the tests on s390x under qemu-user, which replace the C library's.
 *
 * The C library's use block instructions (MVC, XC). If one of them loses a page, qemu-user, up to
 * at least 10.0, continues at a wrong instruction or ends. These copy single bytes. Each byte
 * passes through a register, so that the compiler does not use block instructions either. */
#include <stdint.h>
#include <string.h>

static inline uint8_t load(const uint8_t *from)
{
    uint8_t byte = *from;
    __asm__ volatile("" : "+r"(byte));
    return byte;
}

void *memcpy(void *restrict to, const void *restrict from, size_t length)
{
    return memmove(to, from, length);
}

void *memmove(void *to, const void *from, size_t length)
{
    uint8_t *target = to;
    const uint8_t *source = from;
    if ((uintptr_t)target - (uintptr_t)source >= length) {
        for (size_t i = 0; i < length; i++) {
            target[i] = load(&source[i]);
        }
    } else {
        for (size_t i = length; i > 0; i--) {
            target[i - 1] = load(&source[i - 1]);
        }
    }
    return to;
}

void *memset(void *to, int byte, size_t length)
{
    uint8_t value = (uint8_t)byte;
    for (size_t i = 0; i < length; i++) {
        ((uint8_t *)to)[i] = load(&value);
    }
    return to;
}

int memcmp(const void *one, const void *other, size_t length)
{
    const uint8_t *a = one;
    const uint8_t *b = other;
    for (size_t i = 0; i < length; i++) {
        int difference = load(&a[i]) - load(&b[i]);
        if (difference != 0) {
            return difference;
        }
    }
    return 0;
}
