/* Files on Windows: CreateFileW, ReadFile, SetFileInformationByHandle. */

#include "features.h"

#include <errno.h>
#include <io.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/range.h"
#include "path.h"
#include "system.h"

/* The owner's permission to write: the only permission bit with an equivalent on Windows. */
enum { OWNER_WRITES = 0200 };

/* ---- opening ---- */

static DWORD native_disposition(ironmap__disposition disposition)
{
    static const DWORD native[] = {
        [IRONMAP__OPEN_EXISTING] = OPEN_EXISTING,
        [IRONMAP__OPEN_OR_CREATE] = OPEN_ALWAYS,
        [IRONMAP__CREATE_NEW] = CREATE_NEW,
    };
    return native[disposition];
}

/* As on Unix, other processes may read, write, rename and remove the file meanwhile. The server of
 * a pipe cannot impersonate the caller (SECURITY_IDENTIFICATION). Without security attributes the
 * handle is not inherited. */
static HANDLE open_wide(const wchar_t *path, bool writable, ironmap__disposition disposition,
                        unsigned permission)
{
    const DWORD share = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
    bool creates = disposition != IRONMAP__OPEN_EXISTING;
    bool read_only = creates && (permission & OWNER_WRITES) == 0;
    DWORD attributes = read_only ? FILE_ATTRIBUTE_READONLY : FILE_ATTRIBUTE_NORMAL;
    return CreateFileW(path, GENERIC_READ | (writable ? GENERIC_WRITE : 0), share, NULL,
                       native_disposition(disposition),
                       attributes | SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION, NULL);
}

int ironmap__file_open(ironmap__file *file, bool *created, const char *path, bool writable,
                       ironmap__disposition disposition, unsigned permission, ironmap_error *error)
{
    wchar_t *wide = NULL;
    *created = false;
    int status = ironmap__path_widen(&wide, path, error);
    if (status != IRONMAP_OK) {
        return status;
    }
    SetLastError(ERROR_SUCCESS);
    HANDLE handle = open_wide(wide, writable, disposition, permission);
    DWORD code = GetLastError(); /* after OPEN_ALWAYS it tells if the file existed */
    free(wide);
    if (handle == INVALID_HANDLE_VALUE) {
        return ironmap__fail_win32(error, code, "CreateFileW");
    }
    *created = disposition != IRONMAP__OPEN_EXISTING && code != ERROR_ALREADY_EXISTS;
    *file = (ironmap__file)handle;
    return IRONMAP_OK;
}

#if defined(_UCRT) || defined(_MSC_VER)
#ifdef __MINGW32__
/* Not in the headers of mingw-w64 10. */
_CRTIMP _invalid_parameter_handler __cdecl
_set_thread_local_invalid_parameter_handler(_invalid_parameter_handler handler);
#endif

static void ignore_parameter(const wchar_t *expression, const wchar_t *function,
                             const wchar_t *file, unsigned line, uintptr_t reserved)
{
    (void)expression;
    (void)function;
    (void)file;
    (void)line;
    (void)reserved;
}

/* For an invalid descriptor the C runtime ends the process, unless a handler is set. */
static intptr_t handle_of(int fd)
{
    _invalid_parameter_handler before =
        _set_thread_local_invalid_parameter_handler(ignore_parameter);
    intptr_t handle = _get_osfhandle(fd);
    (void)_set_thread_local_invalid_parameter_handler(before);
    return handle;
}
#else
/* The old C runtime returns an error. */
static intptr_t handle_of(int fd)
{
    return _get_osfhandle(fd);
}
#endif

/* _get_osfhandle returns -1 for an invalid descriptor and -2 for a standard one without a file. */
int ironmap__file_from_fd(ironmap__file *file, int fd, ironmap_error *error)
{
    int saved = errno;
    intptr_t handle = handle_of(fd);
    errno = saved;
    if (handle == -1 || handle == -2) {
        return ironmap__fail_win32(error, ERROR_INVALID_HANDLE, "_get_osfhandle");
    }
    *file = handle;
    return IRONMAP_OK;
}

/* Other invalid handles fail later, in GetFileType. */
int ironmap__file_from_handle(ironmap__file *file, void *handle, ironmap_error *error)
{
    if (handle == NULL || handle == INVALID_HANDLE_VALUE) {
        return ironmap__fail_win32(error, ERROR_INVALID_HANDLE, "GetFileType");
    }
    *file = (ironmap__file)handle;
    return IRONMAP_OK;
}

int ironmap__file_duplicate(ironmap__file *file, ironmap__file source, ironmap_error *error)
{
    HANDLE handle = NULL;
    HANDLE process = GetCurrentProcess();
    if (!DuplicateHandle(process, ironmap__handle(source), process, &handle, 0, FALSE,
                         DUPLICATE_SAME_ACCESS)) {
        return ironmap__fail_win32(error, GetLastError(), "DuplicateHandle");
    }
    *file = (ironmap__file)handle;
    return IRONMAP_OK;
}

int ironmap__file_close(ironmap__file file, ironmap_error *error)
{
    return CloseHandle(ironmap__handle(file))
               ? IRONMAP_OK
               : ironmap__fail_win32(error, GetLastError(), "CloseHandle");
}

/* ---- length and path ---- */

/* Only disk files have a length; that of a directory means nothing. FILE_TYPE_UNKNOWN is an error
 * if GetLastError returns one. */
int ironmap__file_length(uint64_t *length, bool *sized, ironmap__file file, ironmap_error *error)
{
    SetLastError(ERROR_SUCCESS);
    DWORD type = GetFileType(ironmap__handle(file));
    DWORD code = GetLastError();
    if (type == FILE_TYPE_UNKNOWN && code != ERROR_SUCCESS) {
        return ironmap__fail_win32(error, code, "GetFileType");
    }
    *length = 0;
    *sized = false;
    if (type != FILE_TYPE_DISK) {
        return IRONMAP_OK;
    }
    FILE_STANDARD_INFO info;
    if (!GetFileInformationByHandleEx(ironmap__handle(file), FileStandardInfo, &info,
                                      sizeof(info))) {
        return ironmap__fail_win32(error, GetLastError(), "GetFileInformationByHandleEx");
    }
    *sized = !info.Directory;
    *length = *sized ? (uint64_t)info.EndOfFile.QuadPart : 0;
    return IRONMAP_OK;
}

bool ironmap__file_is_pseudo(ironmap__file file)
{
    (void)file;
    return false;
}

bool ironmap__file_is_directory(ironmap__file file)
{
    FILE_STANDARD_INFO info;
    return GetFileInformationByHandleEx(ironmap__handle(file), FileStandardInfo, &info,
                                        sizeof(info)) &&
           info.Directory;
}

/* The length of the name is not known before the call, and may change before the next one. */
int ironmap__file_path(char *buffer, size_t capacity, ironmap__file file, ironmap_error *error)
{
    wchar_t *wide = NULL;
    DWORD size = MAX_PATH;
    DWORD length = size;
    while (length >= size) {
        size = length + 1;
        free(wide);
        wide = malloc(size * sizeof(*wide));
        if (wide == NULL) {
            return ironmap__fail(error, IRONMAP_E_NOMEM);
        }
        length = GetFinalPathNameByHandleW(ironmap__handle(file), wide, size, VOLUME_NAME_DOS);
    }
    int status = length == 0
                     ? ironmap__fail_win32(error, GetLastError(), "GetFinalPathNameByHandleW")
                     : ironmap__path_narrow(buffer, capacity, wide, error);
    free(wide);
    return status;
}

/* ---- content ---- */

enum { READ_BYTES_MAX = 1 << 30 };

/* Reading at an offset moves the handle's position, unlike pread(2). */
int ironmap__file_read(void *buffer, ironmap__file file, uint64_t offset, size_t length,
                       ironmap_error *error)
{
    size_t done = 0;
    DWORD count = 1;
    while (done < length && count != 0) {
        uint64_t at = offset + done;
        OVERLAPPED place = {.Offset = ironmap__low(at), .OffsetHigh = ironmap__high(at)};
        DWORD wanted = (DWORD)ironmap__min(length - done, READ_BYTES_MAX);
        count = 0;
        if (!ReadFile(ironmap__handle(file), (uint8_t *)buffer + done, wanted, &count, &place)) {
            DWORD code = GetLastError();
            return code == ERROR_HANDLE_EOF ? IRONMAP_OK
                                            : ironmap__fail_win32(error, code, "ReadFile");
        }
        done += count;
    }
    return IRONMAP_OK;
}

/* Unlike SetEndOfFile this keeps the handle's position, which the caller's handle shares. */
int ironmap__file_set_length(ironmap__file file, uint64_t length, ironmap_error *error)
{
    FILE_END_OF_FILE_INFO end = {.EndOfFile.QuadPart = (LONGLONG)length};
    return SetFileInformationByHandle(ironmap__handle(file), FileEndOfFileInfo, &end, sizeof(end))
               ? IRONMAP_OK
               : ironmap__fail_win32(error, GetLastError(), "SetFileInformationByHandle");
}

/* NTFS and FAT allocate clusters when a file is extended, except for a sparse or compressed file,
 * which has fewer than its length needs. That is unsupported here: FileAllocationInfo would
 * truncate a file that another process is extending. */
int ironmap__file_reserve(ironmap__file file, uint64_t offset, uint64_t length,
                          ironmap_error *error)
{
    FILE_STANDARD_INFO info;
    (void)offset;
    (void)length;
    if (!GetFileInformationByHandleEx(ironmap__handle(file), FileStandardInfo, &info,
                                      sizeof(info))) {
        return ironmap__fail_win32(error, GetLastError(), "GetFileInformationByHandleEx");
    }
    return info.AllocationSize.QuadPart >= info.EndOfFile.QuadPart
               ? IRONMAP_OK
               : ironmap__fail(error, IRONMAP_E_UNSUPPORTED);
}

/* ---- removing ---- */

static bool is_same_file(HANDLE a, HANDLE b)
{
    BY_HANDLE_FILE_INFORMATION one;
    BY_HANDLE_FILE_INFORMATION other;
    return GetFileInformationByHandle(a, &one) && GetFileInformationByHandle(b, &other) &&
           one.dwVolumeSerialNumber == other.dwVolumeSerialNumber &&
           one.nFileIndexHigh == other.nFileIndexHigh && one.nFileIndexLow == other.nFileIndexLow;
}

/* Clears the read-only attribute first, which forbids removal. */
static void remove_open(HANDLE handle)
{
    FILE_BASIC_INFO normal = {.FileAttributes = FILE_ATTRIBUTE_NORMAL};
    FILE_DISPOSITION_INFO gone = {.DeleteFile = TRUE};
    (void)SetFileInformationByHandle(handle, FileBasicInfo, &normal, sizeof(normal));
    (void)SetFileInformationByHandle(handle, FileDispositionInfo, &gone, sizeof(gone));
}

/* The name is removed when the last handle is closed. */
void ironmap__file_remove(const char *path, ironmap__file file)
{
    const DWORD share = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
    wchar_t *wide = NULL;
    if (ironmap__path_widen(&wide, path, NULL) != IRONMAP_OK) {
        return;
    }
    HANDLE named = CreateFileW(wide, DELETE | FILE_READ_ATTRIBUTES | FILE_WRITE_ATTRIBUTES, share,
                               NULL, OPEN_EXISTING, FILE_FLAG_OPEN_REPARSE_POINT, NULL);
    free(wide);
    if (named == INVALID_HANDLE_VALUE) {
        return;
    }
    if (is_same_file(named, ironmap__handle(file))) {
        remove_open(named);
    }
    (void)CloseHandle(named);
}
