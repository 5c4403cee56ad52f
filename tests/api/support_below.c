/* A Windows program under Wine can start a native program, and share memory with it through a
 * mapped file. IRONMAP_TEST_TRUNCATOR is that program: tests/windows/truncator.c. */
#include "support_below.h"

#include <windows.h>

#include <stdio.h>
#include <stdlib.h>

#include "truncator.h"

enum { PATH_CAPACITY = 1024, TIMEOUT_MS = 30000 };

static truncator_mailbox *mailbox;

/* Wine's function for the native name of a file. */
typedef char *unix_name(const wchar_t *path);
typedef void function(void);

static unix_name *unix_name_function(void)
{
    HMODULE kernel = GetModuleHandleW(L"kernel32.dll");

    return (unix_name *)(function *)GetProcAddress(kernel, "wine_get_unix_file_name");
}

static bool name_below(char *name, size_t capacity, const wchar_t *path)
{
    char *found = unix_name_function()(path);
    bool fits = found != NULL && strlen(found) < capacity;

    if (fits) {
        memcpy(name, found, strlen(found) + 1);
    }
    (void)HeapFree(GetProcessHeap(), 0, found);
    return fits;
}

/* Creates the file `path` and maps a mailbox of zeros from it. */
static bool mailbox_open(const wchar_t *path)
{
    const DWORD share = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
    HANDLE file = CreateFileW(path, GENERIC_READ | GENERIC_WRITE, share, NULL, CREATE_ALWAYS,
                              FILE_ATTRIBUTE_NORMAL, NULL);
    HANDLE section = file == INVALID_HANDLE_VALUE ? NULL
                                                  : CreateFileMappingW(file, NULL, PAGE_READWRITE,
                                                                       0, sizeof(*mailbox), NULL);

    mailbox = section == NULL ? NULL : MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0);
    if (section != NULL) {
        (void)CloseHandle(section);
    }
    if (file != INVALID_HANDLE_VALUE) {
        (void)CloseHandle(file);
    }
    return mailbox != NULL;
}

static bool run_below(const char *program, const char *argument)
{
    STARTUPINFOW startup = {.cb = sizeof(startup)};
    PROCESS_INFORMATION process = {0};
    wchar_t command[2 * PATH_CAPACITY];

    (void)_snwprintf(command, COUNT_OF(command), L"\"Z:%hs\" \"%hs\"", program, argument);
    for (wchar_t *letter = wcschr(command, L':'); *letter != L'"'; letter++) {
        *letter = *letter == L'/' ? L'\\' : *letter;
    }
    return CreateProcessW(NULL, command, NULL, NULL, FALSE, 0, NULL, NULL, &startup, &process);
}

static void stop(void)
{
    atomic_store(&mailbox->over, 1);
}

bool below_start(void)
{
    const char *program = getenv("IRONMAP_TEST_TRUNCATOR");
    wchar_t folder[MAX_PATH + 1];
    wchar_t path[MAX_PATH + 1];
    char name[PATH_CAPACITY];

    if (program == NULL || unix_name_function() == NULL) {
        return false;
    }
    if (mailbox != NULL && atomic_load(&mailbox->over) == 0) {
        return true;
    }
    return GetTempPathW(COUNT_OF(folder), folder) > 0 &&
           GetTempFileNameW(folder, L"trn", 0, path) != 0 && mailbox_open(path) &&
           atexit(stop) == 0 && name_below(name, sizeof(name), path) && run_below(program, name);
}

void below_truncate(const char *path, uint64_t length, unsigned delay)
{
    wchar_t wide[PATH_CAPACITY];

    if (!below_start()) {
        skip_because("Windows does not truncate a mapped file");
    }
    assert_true(MultiByteToWideChar(CP_UTF8, 0, path, -1, wide, COUNT_OF(wide)) > 0);
    assert_true(name_below(mailbox->path, sizeof(mailbox->path), wide));
    mailbox->length = length;
    mailbox->delay = delay;
    atomic_fetch_add(&mailbox->requested, 1);
}

bool below_is_done(void)
{
    static ULONGLONG since;
    static unsigned requested;

    if (atomic_load(&mailbox->done) == atomic_load(&mailbox->requested)) {
        return true;
    }
    if (requested != atomic_load(&mailbox->requested)) {
        requested = atomic_load(&mailbox->requested);
        since = GetTickCount64();
    }
    if (GetTickCount64() - since > TIMEOUT_MS || atomic_load(&mailbox->over) != 0) {
        fail_msg("%s: not truncated", mailbox->path);
    }
    (void)SwitchToThread();
    return false;
}
