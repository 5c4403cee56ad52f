#include "support_windows.h"

#include <windows.h>

#include <fcntl.h>
#include <io.h>
#include <process.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <winioctl.h>

#include "support_below.h"
#include "support_system.h"

enum { PATH_CAPACITY = 1024 };

/* ---- codes ----------------------------------------------------------------------------------- */

const system_codes codes = {
    .not_found = ERROR_FILE_NOT_FOUND,
    .empty_path = ERROR_PATH_NOT_FOUND,
    .not_a_directory = ERROR_PATH_NOT_FOUND,
    .exists = ERROR_FILE_EXISTS,
    .denied = ERROR_ACCESS_DENIED,
    .bad_descriptor = ERROR_INVALID_HANDLE,
    .not_mappable = ERROR_INVALID_HANDLE,
    .lost_page = ERROR_SWAPERROR,
    .invalid = ERROR_INVALID_PARAMETER,
    .no_memory = ERROR_NOT_ENOUGH_MEMORY,
};

const system_traits traits = {
    .shared_memory_grows = true,
    .loses_whole_views = true,
    .grows_past_truncation = false,
    .restore_needs_the_file = false,
    .truncates_mapped_files = false,
    .flush_needs_the_file = true,
};

static void require(bool condition, const char *call)
{
    if (!condition) {
        fail_msg("%s: error %lu", call, GetLastError());
    }
}

/* UTF-8, without the final full stop and newline. */
void system_words(char *text, size_t capacity, int32_t code)
{
    wchar_t wide[256];
    DWORD length = FormatMessageW(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS |
                                      FORMAT_MESSAGE_MAX_WIDTH_MASK,
                                  NULL, (DWORD)code, 0, wide, COUNT_OF(wide), NULL);

    require(length > 0, "FormatMessageW");
    while (length > 0 && (wide[length - 1] == L' ' || wide[length - 1] == L'.')) {
        wide[--length] = L'\0';
    }
    require(WideCharToMultiByte(CP_UTF8, 0, wide, -1, text, (int)capacity, NULL, NULL) > 0,
            "WideCharToMultiByte");
}

/* ---- names ----------------------------------------------------------------------------------- */

static void widen(wchar_t *wide, const char *path)
{
    require(MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, wide, PATH_CAPACITY) > 0,
            "MultiByteToWideChar");
}

static bool narrow(char *path, size_t capacity, const wchar_t *wide)
{
    return WideCharToMultiByte(CP_UTF8, 0, wide, -1, path, (int)capacity, NULL, NULL) > 0;
}

bool directory_make(char *directory, size_t capacity)
{
    static unsigned made;
    wchar_t base[MAX_PATH + 1];
    wchar_t path[PATH_CAPACITY];

    if (GetTempPathW(COUNT_OF(base), base) == 0) {
        return false;
    }
    do {
        made++;
        (void)_snwprintf(path, COUNT_OF(path), L"%lsironmap-test-%lu-%u", base,
                         GetCurrentProcessId(), made);
    } while (!CreateDirectoryW(path, NULL) && GetLastError() == ERROR_ALREADY_EXISTS);
    return narrow(directory, capacity, path);
}

void directory_remove(const char *directory)
{
    wchar_t wide[PATH_CAPACITY];
    wchar_t path[PATH_CAPACITY];
    WIN32_FIND_DATAW entry;
    HANDLE search;

    widen(wide, directory);
    (void)_snwprintf(path, COUNT_OF(path), L"%ls\\*", wide);
    search = FindFirstFileW(path, &entry);
    for (BOOL more = search != INVALID_HANDLE_VALUE; more; more = FindNextFileW(search, &entry)) {
        (void)_snwprintf(path, COUNT_OF(path), L"%ls\\%ls", wide, entry.cFileName);
        (void)SetFileAttributesW(path, FILE_ATTRIBUTE_NORMAL);
        (void)DeleteFileW(path);
    }
    if (search != INVALID_HANDLE_VALUE) {
        (void)FindClose(search);
    }
    (void)RemoveDirectoryW(wide);
}

/* ---- descriptors ----------------------------------------------------------------------------- */

static int opened(const char *path, int flags)
{
    wchar_t wide[PATH_CAPACITY];
    int fd;

    widen(wide, path);
    fd = _wopen(wide, flags | _O_BINARY | _O_NOINHERIT, _S_IREAD | _S_IWRITE);
    if (fd < 0) {
        fail_msg("%s: %s", path, strerror(errno));
    }
    return fd;
}

/* Sparse, so that no test writes gigabytes of zeros. */
int descriptor_create(const char *path)
{
    int fd = opened(path, _O_RDWR | _O_CREAT | _O_TRUNC);
    DWORD length;

    (void)DeviceIoControl((HANDLE)_get_osfhandle(fd), FSCTL_SET_SPARSE, NULL, 0, NULL, 0, &length,
                          NULL);
    return fd;
}

int descriptor_open(const fixture *f, descriptor_use use)
{
    static const int flags[] = {
        [TO_READ] = _O_RDONLY, [TO_WRITE] = _O_WRONLY, [TO_READ_AND_WRITE] = _O_RDWR};

    return opened(f->path, flags[use]);
}

int descriptor_duplicate(int fd)
{
    int other = _dup(fd);

    assert_true(other >= 0);
    return other;
}

void descriptor_close(int fd)
{
    assert_int_equal(_close(fd), 0);
}

void descriptor_pipe(int ends[2])
{
    assert_int_equal(_pipe(ends, 4096, _O_BINARY | _O_NOINHERIT), 0);
}

uint64_t descriptor_tell(int fd)
{
    int64_t position = _lseeki64(fd, 0, SEEK_CUR);

    assert_true(position >= 0);
    return (uint64_t)position;
}

void descriptor_seek(int fd, uint64_t position)
{
    assert_true(_lseeki64(fd, (int64_t)position, SEEK_SET) == (int64_t)position);
}

void descriptor_write(int fd, const void *bytes, size_t length)
{
    const uint8_t *next = bytes;

    while (length > 0) {
        unsigned part = length < (1U << 20) ? (unsigned)length : 1U << 20;
        int done = _write(fd, next, part);

        if (done <= 0) {
            fail_msg("_write: %s", strerror(errno));
        }
        next += done;
        length -= (size_t)done;
    }
}

/* ---- files ----------------------------------------------------------------------------------- */

static HANDLE handle_of(const fixture *f)
{
    return (HANDLE)_get_osfhandle(f->fd);
}

static bool set_length(const fixture *f, uint64_t length)
{
    FILE_END_OF_FILE_INFO end = {.EndOfFile.QuadPart = (LONGLONG)length};

    return SetFileInformationByHandle(handle_of(f), FileEndOfFileInfo, &end, sizeof(end));
}

void file_truncate(const fixture *f, uint64_t length)
{
    if (!set_length(f, length)) {
        require(GetLastError() == ERROR_USER_MAPPED_FILE, "SetFileInformationByHandle");
        below_truncate(f->path, length, 0);
        while (!below_is_done()) {
        }
    }
}

bool file_extend(const fixture *f, uint64_t length)
{
    return set_length(f, length);
}

static OVERLAPPED overlapped_at(uint64_t offset)
{
    return (OVERLAPPED){.Offset = (DWORD)offset, .OffsetHigh = (DWORD)(offset >> 32)};
}

/* Reading and writing at an offset moves the position. */
bool descriptor_store(int fd, uint64_t offset, const void *bytes, size_t length)
{
    uint64_t position = descriptor_tell(fd);
    OVERLAPPED overlapped = overlapped_at(offset);
    DWORD done = 0;
    BOOL stored = WriteFile((HANDLE)_get_osfhandle(fd), bytes, (DWORD)length, &done, &overlapped);

    descriptor_seek(fd, position);
    return stored && done == length;
}

void file_store(const fixture *f, uint64_t offset, const void *bytes, size_t length)
{
    require(descriptor_store(f->fd, offset, bytes, length), "WriteFile");
}

size_t file_load(void *bytes, const fixture *f, uint64_t offset, size_t length)
{
    uint64_t position = descriptor_tell(f->fd);
    OVERLAPPED overlapped = overlapped_at(offset);
    DWORD done = 0;

    require(ReadFile(handle_of(f), bytes, (DWORD)length, &done, &overlapped) ||
                GetLastError() == ERROR_HANDLE_EOF,
            "ReadFile");
    descriptor_seek(f->fd, position);
    return done;
}

/* Windows has no call to evict a file. */
void file_evict(const fixture *f)
{
    require(FlushFileBuffers(handle_of(f)), "FlushFileBuffers");
}

static bool attributes(WIN32_FILE_ATTRIBUTE_DATA *data, const fixture *f)
{
    wchar_t wide[PATH_CAPACITY];

    widen(wide, f->path);
    return GetFileAttributesExW(wide, GetFileExInfoStandard, data);
}

bool file_exists(const fixture *f)
{
    WIN32_FILE_ATTRIBUTE_DATA data;

    return attributes(&data, f);
}

/* By name, since the directory's own copy of a length may be outdated. */
uint64_t file_length(const fixture *f)
{
    wchar_t wide[PATH_CAPACITY];
    LARGE_INTEGER length = {.QuadPart = -1};
    HANDLE handle;

    widen(wide, f->path);
    handle = CreateFileW(wide, FILE_READ_ATTRIBUTES,
                         FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
                         OPEN_EXISTING, 0, NULL);
    require(handle != INVALID_HANDLE_VALUE, "CreateFileW");
    require(GetFileSizeEx(handle, &length), "GetFileSizeEx");
    (void)CloseHandle(handle);
    return (uint64_t)length.QuadPart;
}

/* ---- memory ---------------------------------------------------------------------------------- */

uint8_t *fenced_memory(size_t *size)
{
    size_t page = ironmap_page_size();
    size_t inside = (*size + page - 1) / page * page;
    uint8_t *whole = VirtualAlloc(NULL, inside + 2 * page, MEM_RESERVE, PAGE_NOACCESS);

    require(whole != NULL, "VirtualAlloc");
    require(VirtualAlloc(whole + page, inside, MEM_COMMIT, PAGE_READWRITE) != NULL, "VirtualAlloc");
    *size = inside;
    return whole + page;
}

void fenced_free(uint8_t *memory, size_t size)
{
    (void)size;
    require(VirtualFree(memory - ironmap_page_size(), 0, MEM_RELEASE), "VirtualFree");
}

void memory_revoke(void *pages, size_t length)
{
    DWORD before;

    require(VirtualProtect(pages, length, PAGE_NOACCESS, &before), "VirtualProtect");
}

size_t mapped_regions(void)
{
    MEMORY_BASIC_INFORMATION region;
    const uint8_t *address = NULL;
    size_t count = 0;

    while (VirtualQuery(address, &region, sizeof(region)) != 0) {
        count += region.State != MEM_FREE;
        address = (const uint8_t *)region.BaseAddress + region.RegionSize;
    }
    return count;
}

int code_of_refused_map(size_t length)
{
    ULARGE_INTEGER size = {.QuadPart = length};
    HANDLE section = CreateFileMappingW(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, size.HighPart,
                                        size.LowPart, NULL);
    DWORD code = GetLastError();

    if (section != NULL) {
        assert_null(MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, length));
        code = GetLastError();
        (void)CloseHandle(section);
    }
    return (int)code;
}

size_t system_page_size(void)
{
    SYSTEM_INFO info;

    GetSystemInfo(&info);
    return info.dwPageSize;
}

size_t system_granularity(void)
{
    SYSTEM_INFO info;

    GetSystemInfo(&info);
    return info.dwAllocationGranularity;
}

/* ---- the process ----------------------------------------------------------------------------- */

/* Wine has no list of handles. Values are multiples of 4, and the lowest free one is used next. */
size_t open_handles(uintptr_t *handles, size_t capacity)
{
    size_t count = 0;

    for (uintptr_t value = 4; value <= 4096; value += 4) {
        DWORD flags;

        if (GetHandleInformation((HANDLE)value, &flags)) {
            if (count < capacity) {
                handles[count] = value;
            }
            count++;
        }
    }
    return count;
}

bool handle_is_inherited(uintptr_t handle)
{
    DWORD flags = 0;

    require(GetHandleInformation((HANDLE)handle, &flags), "GetHandleInformation");
    return (flags & HANDLE_FLAG_INHERIT) != 0;
}

/* GCC's thread-local variables keep a semaphore after their first use. Wine keeps a handle for each
 * native program. */
static void open_permanent_handles(void)
{
    ironmap_options options = options_of(0, 1);
    ironmap_map *map = NULL;
    uint8_t byte;

    ignore(ironmap_open_anonymous(&map, IRONMAP_READ, &options, NULL));
    ignore(ironmap_get_byte(&byte, map, 0, NULL));
    (void)ironmap_close(map, NULL);
    (void)below_start();
}

size_t open_descriptors(void)
{
    static bool used;

    if (!used) {
        used = true;
        open_permanent_handles();
    }
    return open_handles(NULL, 0);
}

uint64_t process_number(void)
{
    return GetCurrentProcessId();
}

/* ---- other processes ------------------------------------------------------------------------- */

/* The environment of a process that is started to do some work. */
static const wchar_t work_variable[] = L"IRONMAP_TEST_WORK";
static const wchar_t path_variable[] = L"IRONMAP_TEST_PATH";

static bool variable(char *value, size_t capacity, const wchar_t *name)
{
    wchar_t wide[PATH_CAPACITY];
    DWORD length = GetEnvironmentVariableW(name, wide, COUNT_OF(wide));

    return length > 0 && length < COUNT_OF(wide) && narrow(value, capacity, wide);
}

void process_begin(const process_work *works)
{
    char name[PATH_CAPACITY];
    char path[PATH_CAPACITY];

    if (!variable(name, sizeof(name), work_variable) ||
        !variable(path, sizeof(path), path_variable)) {
        return;
    }
    for (const process_work *work = works; work->name != NULL; work++) {
        if (strcmp(work->name, name) == 0) {
            exit(work->run(path));
        }
    }
    print_error("unknown work: %s\n", name);
    exit(EXIT_FAILURE);
}

static DWORD run_program(const wchar_t *program)
{
    STARTUPINFOW startup = {.cb = sizeof(startup)};
    PROCESS_INFORMATION process = {0};
    DWORD result = 0;

    require(CreateProcessW(program, NULL, NULL, NULL, TRUE, 0, NULL, NULL, &startup, &process),
            "CreateProcessW");
    require(WaitForSingleObject(process.hProcess, INFINITE) == WAIT_OBJECT_0, "waiting");
    require(GetExitCodeProcess(process.hProcess, &result), "GetExitCodeProcess");
    (void)CloseHandle(process.hThread);
    (void)CloseHandle(process.hProcess);
    return result;
}

int in_process(const char *name, const char *path)
{
    wchar_t wide[PATH_CAPACITY];
    wchar_t program[PATH_CAPACITY];
    DWORD result;

    widen(wide, name);
    require(SetEnvironmentVariableW(work_variable, wide), "SetEnvironmentVariableW");
    widen(wide, path);
    require(SetEnvironmentVariableW(path_variable, wide), "SetEnvironmentVariableW");
    require(GetModuleFileNameW(NULL, program, COUNT_OF(program)) > 0, "GetModuleFileNameW");
    result = run_program(program);
    (void)SetEnvironmentVariableW(work_variable, NULL);
    if (result > 100) {
        fail_msg("the process ended with %#lx", result);
    }
    return (int)result;
}

bool inside_qemu(void)
{
    return false;
}

bool inside_valgrind(void)
{
    return false;
}

/* ---- threads --------------------------------------------------------------------------------- */

static unsigned __stdcall run_thread(void *argument)
{
    const test_thread *t = argument;

    t->work(t->argument);
    return 0;
}

void thread_start(test_thread *t, void (*work)(void *), void *argument)
{
    t->work = work;
    t->argument = argument;
    t->handle = _beginthreadex(NULL, 0, run_thread, t, 0, NULL);
    require(t->handle != 0, "_beginthreadex");
}

void thread_join(test_thread *t)
{
    require(WaitForSingleObject((HANDLE)t->handle, INFINITE) == WAIT_OBJECT_0, "waiting");
    require(CloseHandle((HANDLE)t->handle), "CloseHandle");
}

void thread_yield(void)
{
    (void)SwitchToThread();
}
