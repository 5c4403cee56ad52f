/* The status table and error texts. */
#include "support.h"

#include <limits.h>
#include <stdio.h>

typedef struct status_row {
    int status;
    const char *name;
    const char *message;
} status_row;

#define STATUS_ROW(name, value, message) {IRONMAP_##name, "IRONMAP_" #name, message},
static const status_row table[] = {IRONMAP_STATUS_TABLE(STATUS_ROW)};
#undef STATUS_ROW

/* Compiled programs depend on them. */
static void values_never_change(void **state)
{
    (void)state;
    assert_int_equal(IRONMAP_OK, 0);
    assert_int_equal(IRONMAP_E_INVALID, -1);
    assert_int_equal(IRONMAP_E_NOMEM, -2);
    assert_int_equal(IRONMAP_E_SYSTEM, -3);
    assert_int_equal(IRONMAP_E_RANGE, -4);
    assert_int_equal(IRONMAP_E_OVERFLOW, -5);
    assert_int_equal(IRONMAP_E_READONLY, -6);
    assert_int_equal(IRONMAP_E_NOT_READABLE, -7);
    assert_int_equal(IRONMAP_E_BEYOND_FILE, -8);
    assert_int_equal(IRONMAP_E_EMPTY, -9);
    assert_int_equal(IRONMAP_E_END, -10);
    assert_int_equal(IRONMAP_E_BUSY, -11);
    assert_int_equal(IRONMAP_E_NOT_RESIZABLE, -12);
    assert_int_equal(IRONMAP_E_NO_FILE, -13);
    assert_int_equal(IRONMAP_E_UNSUPPORTED, -14);
    assert_int_equal(IRONMAP_E_FAULT, -15);
    assert_int_equal(IRONMAP_E_INTERRUPTED, -16);
    assert_int_equal(IRONMAP_E_NO_TAG, -17);
    assert_int_equal(IRONMAP_E_TAG_TAKEN, -18);
}

/* The name is that of the enumerator. The message has no full stop. */
static void names_and_messages_are_the_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        const char *message = ironmap_status_message(table[i].status);

        assert_string_equal(ironmap_status_name(table[i].status), table[i].name);
        assert_string_equal(message, table[i].message);
        assert_int_not_equal(message[strlen(message) - 1], '.');
    }
}

/* No two share a value, a name or a message. */
static void statuses_are_distinct(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        for (size_t k = 0; k < i; k++) {
            assert_int_not_equal(table[i].status, table[k].status);
            assert_string_not_equal(table[i].name, table[k].name);
            assert_string_not_equal(table[i].message, table[k].message);
        }
    }
}

/* Their texts are not those of a status. */
static void unknown_values_have_texts(void **state)
{
    static const int unknown[] = {1, 2, 14, -99, -100, INT_MIN, INT_MIN + 1, INT_MAX};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(unknown); i++) {
        const char *name = ironmap_status_name(unknown[i]);
        const char *message = ironmap_status_message(unknown[i]);

        assert_non_null(name);
        assert_non_null(message);
        assert_int_not_equal(message[0], '\0');
        for (size_t k = 0; k < COUNT_OF(table); k++) {
            assert_string_not_equal(name, table[k].name);
            assert_string_not_equal(message, table[k].message);
        }
    }
}

typedef struct text_case {
    ironmap_error error;
    const char *text; /* %s: the system's words for codes.not_found */
} text_case;

static const text_case texts[] = {
    {{.status = IRONMAP_OK}, "success"},
    {{.status = IRONMAP_E_RANGE}, "range lies outside the map"},
    {{.status = IRONMAP_E_INVALID, .what = "EXCLUSIVE without CREATE"},
     "invalid argument: EXCLUSIVE without CREATE"},
    {{.status = IRONMAP_E_SYSTEM}, "a system call failed"},
    {{.status = IRONMAP_E_SYSTEM, .system_code = 1, .call = "open"}, "%s (open)"},
    {{.status = IRONMAP_E_SYSTEM, .system_code = 1}, "%s"},
    {{.status = IRONMAP_E_SYSTEM, .system_code = 1, .call = "open", .what = "for a tag"},
     "%s (open): for a tag"},
    {{.status = IRONMAP_E_UNSUPPORTED, .system_code = 1, .call = "prctl"},
     "not supported: %s (prctl)"},
    {{.status = IRONMAP_E_FAULT, .offset = 7}, "page unavailable at offset 7"},
    {{.status = IRONMAP_E_FAULT, .offset = IRONMAP_NOT_FOUND, .system_code = 1},
     "page unavailable (%s)"},
    {{.status = IRONMAP_E_FAULT,
      .offset = 8192,
      .system_code = 1,
      .what = "file truncated",
      .file_length = 4096},
     "page unavailable at offset 8192 (file truncated; the file now ends at byte 4096)"},
    {{.status = IRONMAP_E_FAULT,
      .system_code = 1,
      .what = "file truncated",
      .file_length = IRONMAP_UNKNOWN},
     "page unavailable at offset 0 (file truncated)"},
    {{.status = IRONMAP_E_FAULT, .system_code = 1, .file_length = 4096},
     "page unavailable at offset 0 (%s)"},
};

/* A code of 1 in the table stands for codes.not_found. */
static void text_has_the_cause_first(void **state)
{
    char words[200];

    (void)state;
    system_words(words, sizeof(words), codes.not_found);
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        ironmap_error error = texts[i].error;
        const char *rest = strstr(texts[i].text, "%s");
        char expected[512];
        char text[512];

        error.system_code = error.system_code == 1 ? codes.not_found : 0;
        (void)snprintf(expected, sizeof(expected), "%.*s%s%s",
                       (int)(rest == NULL ? strlen(texts[i].text) : (size_t)(rest - texts[i].text)),
                       texts[i].text, rest == NULL ? "" : words, rest == NULL ? "" : rest + 2);
        assert_u64(ironmap_error_text(text, sizeof(text), &error), strlen(expected));
        assert_string_equal(text, expected);
    }
}

/* The result is the whole length. Nothing is written beyond the capacity. */
static void long_text_is_truncated_and_terminated(void **state)
{
    ironmap_error error = {.status = IRONMAP_E_SYSTEM, .system_code = codes.denied, .call = "mmap"};
    char whole[256];
    size_t length;

    (void)state;
    length = ironmap_error_text(whole, sizeof(whole), &error);
    assert_u64(length, strlen(whole));
    for (size_t capacity = 1; capacity <= length + 2; capacity++) {
        size_t kept = capacity <= length ? capacity - 1 : length;
        char text[256];

        memset(text, '#', sizeof(text));
        assert_u64(ironmap_error_text(text, capacity, &error), length);
        assert_memory_equal(text, whole, kept);
        assert_int_equal(text[kept], '\0');
        assert_int_equal(text[capacity], '#');
    }
}

/* Capacity 0 writes nothing. */
static void text_without_capacity_returns_its_length(void **state)
{
    ironmap_error error = {.status = IRONMAP_E_RANGE};
    char byte = '#';

    (void)state;
    assert_u64(ironmap_error_text(&byte, 0, &error),
               strlen(ironmap_status_message(IRONMAP_E_RANGE)));
    assert_int_equal(byte, '#');
    assert_u64(ironmap_error_text(NULL, 0, &error),
               strlen(ironmap_status_message(IRONMAP_E_RANGE)));
}

static void unknown_values_have_an_error_text(void **state)
{
    static const int32_t unknown[] = {123456, -1, INT32_MIN, INT32_MAX};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(unknown); i++) {
        ironmap_error error = {
            .status = (ironmap_status)-1000, .system_code = unknown[i], .call = "call"};
        char text[256];
        size_t length = ironmap_error_text(text, sizeof(text), &error);

        assert_u64(length, strlen(text));
        assert_non_null(strstr(text, ironmap_status_message(-1000)));
        assert_non_null(strstr(text, " (call)"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_never_change),
        cmocka_unit_test(names_and_messages_are_the_table),
        cmocka_unit_test(statuses_are_distinct),
        cmocka_unit_test(unknown_values_have_texts),
        cmocka_unit_test(text_has_the_cause_first),
        cmocka_unit_test(long_text_is_truncated_and_terminated),
        cmocka_unit_test(text_without_capacity_returns_its_length),
        cmocka_unit_test(unknown_values_have_an_error_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
