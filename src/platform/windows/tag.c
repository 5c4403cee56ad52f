/* Tags on Windows: named sections, which live as long as anyone has a handle of theirs.
 *
 * The name is the tag as it is, in the namespace of the session, and so the same memory as of the
 * standard module's tagname=.
 */
#include "win32.h"

#include <stdlib.h>
#include <string.h>

#include <winternl.h>

#include "../../status.h"

/* ERROR_INVALID_HANDLE: the name is that of a mutex or another thing that is no section. */
static int fail_tag(mapio_error *error, DWORD code, const char *call)
{
    int status = mapio__fail_win32(error, code, call);
    if (code == ERROR_FILE_NOT_FOUND || code == ERROR_INVALID_HANDLE) {
        status = code == ERROR_FILE_NOT_FOUND ? MAPIO_E_NO_TAG : MAPIO_E_TAG_TAKEN;
        if (error != NULL) {
            error->status = status;
        }
    }
    return status;
}

/* Tags are ASCII. */
static void widen(wchar_t *wide, const char *name)
{
    size_t length = strlen(name) + 1;
    for (size_t i = 0; i < length; i++) {
        wide[i] = (wchar_t)name[i];
    }
}

/* Makes the section of this name, or opens it if it is there. */
static int section_make(HANDLE *section, const wchar_t *name, const mapio__mode *mode,
                        mapio__file file, uint64_t length, mapio_error *error)
{
    mapio_error refusal = {.status = MAPIO_OK};
    DWORD protection = file == MAPIO__NO_FILE ? PAGE_READWRITE : (DWORD)mode->prot;
    int status = mapio__section_make(section, file, protection, length, name, &refusal);
    return status == MAPIO_OK ? MAPIO_OK
                              : fail_tag(error, (DWORD)refusal.system_code, refusal.call);
}

/* Opens the section of this name if it is there. */
static int section_open(HANDLE *section, const wchar_t *name, const mapio__mode *mode,
                        mapio_error *error)
{
    bool stores = mode->writable && mode->shared;
    DWORD access = SECTION_QUERY | FILE_MAP_READ | (stores ? FILE_MAP_WRITE : 0);
    *section = OpenFileMappingW(access, FALSE, name);
    return *section != NULL ? MAPIO_OK : fail_tag(error, GetLastError(), "OpenFileMappingW");
}

/* ntdll.dll, as Windows Internals and every debugger know it; Win32 has no call for the length of a
 * section. That of a view is in whole pages, which a section of a file need not have: there is no
 * view of so much. */
typedef struct section_information {
    PVOID base;
    ULONG attributes;
    LARGE_INTEGER length;
} section_information;

enum { SECTION_BASIC_INFORMATION = 0 };

NTSTATUS NTAPI NtQuerySection(HANDLE section, int kind, PVOID information, SIZE_T size,
                              PSIZE_T written);

static int section_length(uint64_t *length, HANDLE section, mapio_error *error)
{
    section_information information = {.attributes = 0};
    NTSTATUS status =
        NtQuerySection(section, SECTION_BASIC_INFORMATION, &information, sizeof(information), NULL);
    if (!NT_SUCCESS(status)) {
        return mapio__fail_win32(error, RtlNtStatusToDosError(status), "NtQuerySection");
    }
    *length = (uint64_t)information.length.QuadPart;
    return MAPIO_OK;
}

int mapio__tag_open(mapio__tag **tag, const mapio_options *options, const mapio__mode *mode,
                    mapio__file file, uint64_t length, mapio_error *error)
{
    HANDLE section = NULL;
    wchar_t wide[MAPIO_TAG_MAX + 1];
    mapio__tag *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        return mapio__fail(error, MAPIO_E_NOMEM);
    }
    memcpy(made->name, options->tag, strlen(options->tag) + 1);
    made->memory = MAPIO__NO_FILE;
    widen(wide, made->name);
    int status = length != 0 ? section_make(&section, wide, mode, file, length, error)
                             : section_open(&section, wide, mode, error);
    if (status == MAPIO_OK) {
        made->hold = (intptr_t)section;
        status = section_length(&made->length, section, error);
    }
    if (status != MAPIO_OK) {
        (void)(section == NULL || CloseHandle(section));
        free(made);
        return status;
    }
    *tag = made;
    return MAPIO_OK;
}

/* The view gets a handle of its own, from which it may be mapped again. */
int mapio__tag_map(mapio__view *view, const mapio__mode *mode, const mapio__tag *tag,
                   mapio__file file, uint64_t offset, size_t length, mapio_error *error)
{
    mapio__file section = MAPIO__NO_FILE;
    mapio__mode as_mapped = *mode;
    as_mapped.anonymous = file == MAPIO__NO_FILE;
    int status = mapio__file_duplicate(&section, tag->hold, error);
    if (status != MAPIO_OK) {
        return status;
    }
    return mapio__section_view(view, &as_mapped, mapio__handle(section), offset, length, error);
}

int mapio__tag_close(mapio__tag *tag, mapio_error *error)
{
    int status = mapio__file_close(tag->hold, error);
    free(tag);
    return status;
}
