/* Views of sections, named or not. */
#ifndef IRONMAP_WINDOWS_VIEW_H
#define IRONMAP_WINDOWS_VIEW_H

#include "system.h"

/* Makes a section of `length` bytes, or of the file's length if that is 0. IRONMAP__NO_FILE: of the
 * page file. If a section of the name exists, that is opened as it is. NULL: no name. */
int ironmap__section_make(HANDLE *section, ironmap__file file, DWORD protection, uint64_t length,
                          const wchar_t *name, ironmap_error *error);

/* Maps a view of the section, which belongs to the view from then on and is closed on failure.
 * NULL: private memory. */
int ironmap__section_view(ironmap__view *view, const ironmap__mode *mode, HANDLE section,
                          uint64_t offset, size_t length, ironmap_error *error);

#endif /* IRONMAP_WINDOWS_VIEW_H */
