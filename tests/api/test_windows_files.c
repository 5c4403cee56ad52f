/* Files of Windows: views that prevent truncation, sharing, attributes, long names, special
 * files. */
#include "support_windows.h"

#include <windows.h>

#include <io.h>

#include <stdio.h>

enum { LENGTH = 10000 };

static void widen(wchar_t *wide, size_t capacity, const char *path)
{
    assert_true(MultiByteToWideChar(CP_UTF8, 0, path, -1, wide, (int)capacity) > 0);
}

/* ---- other views of the file ---- */

/* The error says so, and map and file stay. The file can grow, and is truncated after the other map
 * is closed. */
static void another_view_prevents_truncation(void **state)
{
    fixture *f = *state;
    ironmap_map *other = NULL;
    void *data;

    file_make(f, LENGTH);
    map_file(f, IRONMAP_WRITE);
    assert_ok(ironmap_open_path(&other, f->path, IRONMAP_WRITE, NULL, &failure));
    assert_ok(ironmap_seek(f->map, 77, IRONMAP_SEEK_SET, &failure));
    data = ironmap_data(f->map);
    assert_system_fails(ironmap_resize(f->map, 100, &failure), IRONMAP_E_SYSTEM,
                        ERROR_USER_MAPPED_FILE);
    assert_system_fails(ironmap_resize(f->map, 0, &failure), IRONMAP_E_SYSTEM,
                        ERROR_USER_MAPPED_FILE);
    assert_non_null(data);
    assert_non_null(ironmap_data(f->map));
    assert_u64(ironmap_tell(f->map), 77);
    assert_map_pattern(f->map, 0, LENGTH);
    assert_map_pattern(other, 0, LENGTH);
    assert_file_unchanged(f, LENGTH);

    assert_ok(ironmap_resize(f->map, 2 * LENGTH, &failure));
    assert_map_kept(f->map, 0, LENGTH, 2 * LENGTH);
    assert_u64(file_length(f), 2 * LENGTH);
    assert_ok(ironmap_put(f->map, 5, "both", 4, &failure));
    assert_map(other, 5, "both", 4);
    assert_ok(ironmap_close(other, &failure));
    assert_ok(ironmap_resize(f->map, 100, &failure));
    assert_u64(file_length(f), 100);
}

static int resize_is_refused(const char *path)
{
    ironmap_options options = options_of(0, 0);
    ironmap_error error = {0};
    ironmap_map *map = NULL;

    child_check(ironmap_open_path(&map, path, IRONMAP_WRITE, &options, NULL) == IRONMAP_OK);
    child_check(ironmap_resize(map, 100, &error) == IRONMAP_E_SYSTEM);
    child_check(error.system_code == ERROR_USER_MAPPED_FILE);
    child_check(ironmap_length(map) == LENGTH);
    child_check(ironmap_put(map, 0, "child", 5, NULL) == IRONMAP_OK);
    child_check(ironmap_close(map, NULL) == IRONMAP_OK);
    return 0;
}

static void view_of_another_process_prevents_truncation(void **state)
{
    fixture *f = *state;

    file_make(f, LENGTH);
    map_file(f, IRONMAP_WRITE);
    assert_int_equal(in_process("resize", f->path), 0);
    assert_map(f->map, 0, "child", 5);
    assert_u64(file_length(f), LENGTH);
}

/* ---- permission ---- */

/* Another program has opened it without sharing. */
static void unshared_file_is_an_error(void **state)
{
    fixture *f = *state;
    ironmap_map *map = NULL;
    ironmap_options read = options_of(0, 0);
    wchar_t wide[512];
    HANDLE alone;

    file_make(f, LENGTH);
    descriptor_close(f->fd);
    f->fd = -1;
    widen(wide, COUNT_OF(wide), f->path);
    alone = CreateFileW(wide, GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL);
    assert_true(alone != INVALID_HANDLE_VALUE);
    assert_system_fails(ironmap_open_path(&map, f->path, IRONMAP_READ, &read, &failure),
                        IRONMAP_E_SYSTEM, ERROR_SHARING_VIOLATION);
    assert_true(CloseHandle(alone));
    assert_ok(ironmap_open_path(&f->map, f->path, IRONMAP_READ, &read, &failure));
    assert_map_pattern(f->map, 0, LENGTH);
}

static void read_only_file_is_opened_for_reading(void **state)
{
    static const ironmap_access accesses[] = {IRONMAP_READ, IRONMAP_COPY};
    fixture *f = *state;
    wchar_t wide[512];

    file_make(f, LENGTH);
    widen(wide, COUNT_OF(wide), f->path);
    assert_true(SetFileAttributesW(wide, FILE_ATTRIBUTE_READONLY));
    for (size_t i = 0; i < COUNT_OF(accesses); i++) {
        map_file(f, accesses[i]);
        assert_map_pattern(f->map, 0, LENGTH);
        map_close(f);
    }
}

static void read_only_file_is_not_opened_for_writing(void **state)
{
    fixture *f = *state;
    ironmap_map *map = NULL;
    wchar_t wide[512];
    HANDLE handle;

    file_make(f, LENGTH);
    widen(wide, COUNT_OF(wide), f->path);
    assert_true(SetFileAttributesW(wide, FILE_ATTRIBUTE_READONLY));
    handle = CreateFileW(wide, GENERIC_READ | GENERIC_WRITE,
                         FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
                         OPEN_EXISTING, 0, NULL);
    if (handle != INVALID_HANDLE_VALUE) {
        assert_true(CloseHandle(handle));
        skip_because("Wine lets root write to read-only files");
    }
    assert_system_fails(ironmap_open_path(&map, f->path, IRONMAP_WRITE, NULL, &failure),
                        IRONMAP_E_SYSTEM, ERROR_ACCESS_DENIED);
    assert_null(map);
}

/* A map keeps one handle, none with NO_TRACK, and one for a view whose pages can be lost. */
static void handles_of_a_map_are_not_inherited(void **state)
{
    enum { MOST = 256 };
    fixture *f = *state;

    file_make(f, LENGTH);
    for (unsigned tracked = 0; tracked < 2; tracked++) {
        ironmap_options options = IRONMAP_OPTIONS_INIT;
        uintptr_t before[MOST];
        uintptr_t after[MOST];
        size_t count = open_handles(before, MOST);
        size_t now;

        options.open = tracked ? 0 : IRONMAP_OPEN_NO_TRACK;
        assert_ok(ironmap_open_path(&f->map, f->path, IRONMAP_WRITE, &options, &failure));
        now = open_handles(after, MOST);
        assert_in_range(now, count, count + tracked + 1);
        for (size_t i = 0, k = 0; i < now; i++) {
            if (k < count && after[i] == before[k]) {
                k++;
            } else {
                assert_false(handle_is_inherited(after[i]));
            }
        }
        map_close(f);
        assert_u64(open_handles(after, MOST), count);
    }
}

/* ---- names ---- */

static void path_may_exceed_max_path(void **state)
{
    enum { DEPTH = 4, PART = 100 };
    fixture *f = *state;
    ironmap_options options = options_of(0, LENGTH);
    char path[1024];
    wchar_t wide[1100];
    size_t ends[DEPTH];
    size_t length = (size_t)snprintf(path, sizeof(path), "%s", f->directory);

    options.open = IRONMAP_OPEN_CREATE | IRONMAP_OPEN_EXTEND;
    for (size_t i = 0; i < DEPTH; i++) {
        path[length++] = '\\';
        memset(path + length, 'a' + (int)i, PART);
        length += PART;
        path[length] = '\0';
        ends[i] = length;
        (void)_snwprintf(wide, COUNT_OF(wide), L"\\\\?\\%hs", path);
        assert_true(CreateDirectoryW(wide, NULL));
    }
    (void)snprintf(path + length, sizeof(path) - length, "\\file");
    assert_ok(ironmap_open_path(&f->map, path, IRONMAP_WRITE, &options, &failure));
    assert_ok(ironmap_put(f->map, 0, "far", 3, &failure));
    map_close(f);
    assert_ok(ironmap_open_path(&f->map, path, IRONMAP_WRITE, NULL, &failure));
    assert_map(f->map, 0, "far", 3);
    map_close(f);
    (void)_snwprintf(wide, COUNT_OF(wide), L"\\\\?\\%hs", path);
    assert_true(DeleteFileW(wide));
    for (size_t i = DEPTH; i-- > 0;) {
        path[ends[i]] = '\0';
        (void)_snwprintf(wide, COUNT_OF(wide), L"\\\\?\\%hs", path);
        assert_true(RemoveDirectoryW(wide));
    }
}

static void path_that_is_not_utf_8_is_refused(void **state)
{
    static const char *const names[] = {"\xff", "\xc3", "a\xed\xa0\x80z", "\xc0\xaf"};
    fixture *f = *state;
    ironmap_map *map = NULL;

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        file_name(f, names[i]);
        assert_status(ironmap_open_path(&map, f->path, IRONMAP_WRITE, NULL, &failure),
                      IRONMAP_E_INVALID);
    }
    assert_null(map);
}

/* The system's code is reported. */
static void invalid_path_is_a_system_error(void **state)
{
    static const char *const names[] = {"a?b", "a*b", "a<b"};
    fixture *f = *state;
    ironmap_map *map = NULL;

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        file_name(f, names[i]);
        assert_system_fails(ironmap_open_path(&map, f->path, IRONMAP_WRITE, NULL, &failure),
                            IRONMAP_E_SYSTEM, ERROR_INVALID_NAME);
    }
    assert_null(map);
}

static void path_of_a_map_opens_its_file(void **state)
{
    fixture *f = *state;
    char path[1024];
    ironmap_map *again = NULL;

    file_name(f, "na\xc3\xafve");
    file_make(f, LENGTH);
    map_file(f, IRONMAP_READ);
    assert_ok(ironmap_file_path(f->map, path, sizeof(path), &failure));
    assert_non_null(strstr(path, "na\xc3\xafve"));
    assert_ok(ironmap_open_path(&again, path, IRONMAP_WRITE, NULL, &failure));
    assert_map_pattern(again, 0, LENGTH);
    assert_ok(ironmap_close(again, &failure));
    assert_fails(ironmap_file_path(f->map, path, 5, &failure), IRONMAP_E_RANGE);
}

/* ---- what cannot be mapped ---- */

static void directories_cannot_be_mapped(void **state)
{
    fixture *f = *state;
    ironmap_map *map = NULL;
    ironmap_options read = options_of(0, 0);

    assert_system_fails(ironmap_open_path(&map, f->directory, IRONMAP_WRITE, NULL, &failure),
                        IRONMAP_E_SYSTEM, ERROR_ACCESS_DENIED);
    assert_system_fails(ironmap_open_path(&map, f->directory, IRONMAP_READ, &read, &failure),
                        IRONMAP_E_SYSTEM, ERROR_ACCESS_DENIED);
    assert_null(map);
}

/* Without a length there is nothing to map. */
static void devices_without_a_size_cannot_be_mapped(void **state)
{
    ironmap_map *map = NULL;
    ironmap_options some = options_of(0, LENGTH);

    (void)state;
    assert_invalid(ironmap_open_path(&map, "NUL", IRONMAP_WRITE, NULL, &failure),
                   "length 0 of a file without a length");
    assert_system_fails(ironmap_open_path(&map, "NUL", IRONMAP_READ, &some, &failure),
                        IRONMAP_E_SYSTEM, codes.not_mappable);
    assert_null(map);
}

/* It stays the caller's. An invalid one is an error. */
static void handles_are_mapped(void **state)
{
    fixture *f = *state;
    ironmap_map *map = NULL;
    ironmap_options create = {.open = IRONMAP_OPEN_CREATE};
    intptr_t handle = 0;
    HANDLE file;

    file_make(f, LENGTH);
    file = (HANDLE)_get_osfhandle(f->fd);
    assert_ok(ironmap_open_handle(&f->map, file, IRONMAP_WRITE, NULL, &failure));
    assert_map_pattern(f->map, 0, LENGTH);
    assert_ok(ironmap_file_handle(&handle, f->map, &failure));
    assert_true((HANDLE)handle != file);
    map_close(f);
    assert_file_unchanged(f, LENGTH);
    assert_system_fails(ironmap_open_handle(&map, NULL, IRONMAP_READ, NULL, &failure),
                        IRONMAP_E_SYSTEM, ERROR_INVALID_HANDLE);
    assert_system_fails(
        ironmap_open_handle(&map, INVALID_HANDLE_VALUE, IRONMAP_READ, NULL, &failure),
        IRONMAP_E_SYSTEM, ERROR_INVALID_HANDLE);
    assert_invalid(ironmap_open_handle(&map, file, IRONMAP_WRITE, &create, &failure),
                   "CREATE without a path");
    assert_null(map);
}

int main(void)
{
    static const process_work works[] = {{"resize", resize_is_refused}, {NULL, NULL}};
    const struct CMUnitTest tests[] = {
        with_fixture(handles_are_mapped),
        with_fixture(another_view_prevents_truncation),
        with_fixture(view_of_another_process_prevents_truncation),
        with_fixture(unshared_file_is_an_error),
        with_fixture(read_only_file_is_opened_for_reading),
        with_fixture(read_only_file_is_not_opened_for_writing),
        with_fixture(handles_of_a_map_are_not_inherited),
        with_fixture(path_may_exceed_max_path),
        with_fixture(path_that_is_not_utf_8_is_refused),
        with_fixture(invalid_path_is_a_system_error),
        with_fixture(path_of_a_map_opens_its_file),
        with_fixture(directories_cannot_be_mapped),
        with_fixture(devices_without_a_size_cannot_be_mapped),
    };

    process_begin(works);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
