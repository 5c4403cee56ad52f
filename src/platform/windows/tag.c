/* Tags on Windows: named sections, which exist as long as a process has a handle of them.
 *
 * A section has the name of its tag, unchanged, in the namespace of the session. It is the same
 * memory as that of the standard module's tagname=.
 */
#include "features.h"

#include <stdlib.h>
#include <string.h>

#include "view.h"

#include <winternl.h>

#include "base/error.h"
#include "path.h"

/* ERROR_INVALID_HANDLE: a mutex or another object that is not a section has the name. */
static int tag_fail(ironmap_error *error, DWORD code, const char *call)
{
    int status = ironmap__fail_win32(error, code, call);
    if (code == ERROR_FILE_NOT_FOUND || code == ERROR_INVALID_HANDLE) {
        status = code == ERROR_FILE_NOT_FOUND ? IRONMAP_E_NO_TAG : IRONMAP_E_TAG_TAKEN;
        if (error != NULL) {
            error->status = status;
        }
    }
    return status;
}

/* Which names a section may have, the system decides. Without a name it would not be shared. */
const char *ironmap__tag_refusal(const char *name)
{
    if (name[0] == '\0') {
        return "tag name is empty";
    }
    bool valid = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, name, -1, NULL, 0) != 0;
    return valid ? NULL : "tag name is not UTF-8";
}

/* Makes the requested section, or opens it if it exists. */
static int tag_section_make(HANDLE *section, const wchar_t *name,
                            const ironmap__tag_request *request, ironmap_error *error)
{
    ironmap_error refusal = {.status = IRONMAP_OK};
    bool memory = request->file == IRONMAP__NO_FILE;
    DWORD protection = memory ? PAGE_READWRITE : (DWORD)request->mode->prot;
    int status =
        ironmap__section_make(section, request->file, protection, request->length, name, &refusal);
    return status == IRONMAP_OK ? IRONMAP_OK
                                : tag_fail(error, (DWORD)refusal.system_code, refusal.call);
}

/* Opens the section of this name if it exists. */
static int tag_section_open(HANDLE *section, const wchar_t *name, const ironmap__mode *mode,
                            ironmap_error *error)
{
    bool stores = mode->writable && mode->shared;
    DWORD access = SECTION_QUERY | FILE_MAP_READ | (stores ? FILE_MAP_WRITE : 0);
    *section = OpenFileMappingW(access, FALSE, name);
    return *section != NULL ? IRONMAP_OK : tag_fail(error, GetLastError(), "OpenFileMappingW");
}

/* Of ntdll.dll, documented in Windows Internals. Win32 has no call for the length of a section. The
 * length of a view of it would be in whole pages. */
typedef struct section_information {
    PVOID base;
    ULONG attributes;
    LARGE_INTEGER length;
} section_information;

enum { SECTION_BASIC_INFORMATION = 0 };

NTSTATUS NTAPI NtQuerySection(HANDLE section, int kind, PVOID information, SIZE_T size,
                              PSIZE_T written);

static int section_length(uint64_t *length, HANDLE section, ironmap_error *error)
{
    section_information information = {.attributes = 0};
    NTSTATUS status =
        NtQuerySection(section, SECTION_BASIC_INFORMATION, &information, sizeof(information), NULL);
    if (!NT_SUCCESS(status)) {
        return ironmap__fail_win32(error, RtlNtStatusToDosError(status), "NtQuerySection");
    }
    *length = (uint64_t)information.length.QuadPart;
    return IRONMAP_OK;
}

/* Makes the section, or opens it. */
static int tag_section(HANDLE *section, const ironmap__tag_request *request, ironmap_error *error)
{
    wchar_t *wide = NULL;
    int status = ironmap__text_widen(&wide, request->name, error);
    if (status == IRONMAP_OK) {
        status = request->length != 0 ? tag_section_make(section, wide, request, error)
                                      : tag_section_open(section, wide, request->mode, error);
    }
    free(wide);
    return status;
}

int ironmap__tag_open(ironmap__tag **tag, const ironmap__tag_request *request, ironmap_error *error)
{
    HANDLE section = NULL;
    size_t size = strlen(request->name) + 1;
    ironmap__tag *made = calloc(1, sizeof(*made) + size);
    if (made == NULL) {
        return ironmap__fail(error, IRONMAP_E_NOMEM);
    }
    made->name = memcpy(made + 1, request->name, size);
    made->memory = IRONMAP__NO_FILE;
    made->bytes = sizeof(*made) + size;
    int status = tag_section(&section, request, error);
    if (status == IRONMAP_OK) {
        made->handle = (intptr_t)section;
        status = section_length(&made->length, section, error);
    }
    if (status != IRONMAP_OK) {
        (void)(section == NULL || CloseHandle(section));
        free(made);
        return status;
    }
    *tag = made;
    return IRONMAP_OK;
}

/* The view gets its own handle, so that it can be mapped again. */
int ironmap__tag_map(ironmap__view *view, const ironmap__mode *mode, const ironmap__tag *tag,
                     ironmap__file file, uint64_t offset, size_t length, ironmap_error *error)
{
    ironmap__file section = IRONMAP__NO_FILE;
    ironmap__mode as_mapped = *mode;
    as_mapped.anonymous = file == IRONMAP__NO_FILE;
    int status = ironmap__file_duplicate(&section, tag->handle, error);
    if (status != IRONMAP_OK) {
        return status;
    }
    return ironmap__section_view(view, &as_mapped, ironmap__handle(section), offset, length, error);
}

int ironmap__tag_close(ironmap__tag *tag, ironmap_error *error)
{
    int status = ironmap__file_close(tag->handle, error);
    free(tag);
    return status;
}
